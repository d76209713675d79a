"""Run the Home Assistant integrations of five models inside Home Assistant itself, and write down what was run.

    python integrations/home_assistant/run.py PYTHON

PYTHON is one (3.13) that has pytest-homeassistant-custom-component (requirements.txt); ``make integrations`` makes it.
`check_integration.py` is what it runs; `evidence.json` is what came out of the last run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_lasso
from edge_lasso_exporters import homeassistant_entities, homeassistant_text
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.predict import predict
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import keeps_state, readings

HERE = Path(__file__).resolve().parent
SEED, ROWS = 0, 400
TEXTS = (homeassistant_text, homeassistant_entities)


def table() -> pa.Table:
    """A made-up room: what it takes to warm it, from outside temperature, wind, sun and who is at home."""
    rng = np.random.default_rng(SEED)
    outside = 5.0 + 5.0 * np.sin(np.arange(ROWS) / 20.0) + rng.normal(0.0, 0.5, ROWS)
    wind, sun = rng.gamma(2.0, 2.0, ROWS), np.maximum(0.0, np.sin(np.arange(ROWS) / 20.0)) * 400.0
    mode = np.array(["day", "night", "away"])[np.arange(ROWS) // 50 % 3]
    heat = 40.0 - outside + 0.3 * wind - 0.01 * sun + 2.0 * (mode == "day") + rng.normal(0.0, 0.2, ROWS)
    columns = {"outside": outside, "wind": wind, "sun": sun, "mode": mode, "heat": heat}
    return pa.table({**columns, "comfort": np.where(heat > np.median(heat), "cold", "warm")})


def models(rows: pa.Table) -> dict[str, Model]:
    """A regression with words, two classifiers, one with lags, a detector."""
    numbers = rows.drop(["mode", "comfort"])
    X, y = numbers.drop(["heat"]).to_pandas(), rows["comfort"].to_numpy()
    return {
        "heat": edge_lasso.train(rows.drop(["comfort"]), "heat", categorical=["mode"]).model,
        "comfort": edge_lasso.classify(rows.drop(["heat", "mode"]), "comfort").model,
        "pipeline": edge_lasso.from_sklearn(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X),
        "lags": edge_lasso.train(numbers, "heat", lags=[1, 2]).model,
        "plant": edge_lasso.watch(numbers).model,
    }


def cases(model: Model, rows: pa.Table) -> list[dict[str, object]]:
    """Rows, with gaps, and what the reference says of them one after another."""
    state = start(model) if keeps_state(model) else None
    names = [model.inputs[i].name for i in readings(model)] if state else [each.name for each in model.inputs]
    answers = []
    detects = "detector/1" in model.sections
    for k, row in enumerate(rows.select(names).slice(100, 80 if detects else 12).to_pylist()):
        reported = {name: None if k == 5 and name == names[0] else value for name, value in row.items()}
        if detects and k >= 70:
            reported[names[-1]] += 50.0  # a fault
        if state is None:
            result = predict(model, reported)
        else:
            result, state = step(model, state, reported)
        answers.append({
            "row": reported, "values": result.values, "label": result.label, "status": result.status,
            "alarm": getattr(result, "alarm", None), "score": getattr(result, "score", None),
        })  # fmt: skip
    return answers


def main(python: str) -> int:
    """Export, run, write the evidence."""
    rows = table()
    with tempfile.TemporaryDirectory() as away:
        integrations = {}
        (Path(away) / "custom_components").mkdir()
        for name, model in models(rows).items():
            edge_lasso.export(model, "homeassistant", Path(away) / name, name=name)
            folder = Path(away) / name / "homeassistant-double" / "custom_components" / name
            folder.rename(Path(away) / "custom_components" / name)
            integrations[name] = {"model_hash": model_hash(model), "cases": cases(model, rows)}
        (Path(away) / "custom_components" / "__init__.py").touch()
        (Path(away) / "cases.json").write_text(json.dumps(integrations))
        report = Path(away) / "report.xml"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--asyncio-mode=auto",
                   f"--junit-xml={report}", f"--rootdir={HERE}", str(HERE / "check_integration.py")]  # fmt: skip
        done = subprocess.run(command, cwd=away, env={**os.environ, "EDGE_LASSO_CASES": str(Path(away) / "cases.json")})
        versions = subprocess.run(
            [python, "-c", "import homeassistant.const as c, sys; print(c.__version__, sys.version.split()[0])"],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        if done.returncode == 0:
            from xml.etree import ElementTree

            suite = ElementTree.parse(report).getroot()[0].attrib
            evidence = {
                "home_assistant": versions[0], "python": versions[1], "date": suite["timestamp"][:10],
                "tests": int(suite["tests"]), "failed": int(suite["failures"]) + int(suite["errors"]),
                "text": sha256(b"".join(Path(module.__file__).read_bytes() for module in TEXTS)).hexdigest(),
                "models": {name: entry["model_hash"] for name, entry in integrations.items()},
            }  # fmt: skip
            (HERE / "evidence.json").write_text(json.dumps(evidence, indent=2) + "\n")
        return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
