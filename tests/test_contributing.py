"""CONTRIBUTING's change of what a residual says: its diff applies, and runs from the runtime to compared artifacts."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

PACKAGES = ("edge_lasso", "exporters", "runtime", "devices")
SCRIPT = """
import json, random, sys
import edge_lasso
from edge_lasso.predicting.scores import Scorer
from edge_lasso.reporting.show_detector import chart_words
from edge_lasso.verifying.verify import export
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads
from edge_lasso_runtime.step import start, step
import numpy as np

inputs = (Input("a", 0, 20.0, 0.0, 40.0), Input("b", 1, 10.0, -5.0, 25.0))
outputs = (Output("a", 2.0, (Term(1.8, (Factor(1),)),)), Output("b", 1.0, (Term(0.45, (Factor(0),)),)))
watched = [{"reading": name, "centre": 0.1, "scale": 1.5, "slow": 1.0, "weight": 1.0} for name in "ab"]
section = {"watched": watched, "smoothing": 1.0, "clip": 8.0, "track": 0, "fast": 0.0, "warm_up": 3,
           "threshold": {"score": 2.5, "row_rate": 0.01, "hold": 3}}
model = loads(dumps(Model(("a", "b"), inputs, outputs, sections={"detector/1": section})))
source, state, rows, scores = random.Random(1), start(model), [], []
for _ in range(60):
    b = source.uniform(-4.0, 24.0)
    rows.append([2.0 + 1.8 * b + source.gauss(0.0, 2.0), b])
    result, state = step(model, state, rows[-1])
    scores.append(result.score)
residuals = np.array([[a - 2.0 - 1.8 * b, b - 1.0 - 0.45 * a] for a, b in rows])
at_once, _ = Scorer(section).step(residuals)
certificate = export(model, "python,c:double,c:float", sys.argv[1])
print(json.dumps({
    "apart": float(np.abs(at_once - scores).max()), "largest": max(scores), "words": chart_words(section),
    "status": certificate.status, "artifacts": sorted({entry.title for entry in certificate.artifacts}),
    "want": float(np.abs(np.abs((residuals - 0.1) / 1.5).mean(axis=1) - scores).max()), "file": edge_lasso.__file__,
}))
"""


@pytest.mark.needs("git", "cc")
def test_the_evidence_that_contributing_changes(root, tmp_path):
    copy = tmp_path / "copy"
    for package in PACKAGES:
        shutil.copytree(root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    (diff,) = re.findall(r"```diff\n(.*?)```", (root / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    applied = subprocess.run(
        ["git", "apply", "-C1", "-"], cwd=copy, input=diff, capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, f"the diff in CONTRIBUTING.md does not apply: {applied.stderr}"
    path = os.pathsep.join(str(copy / part) for part in (".", "exporters", "runtime", "devices"))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "artifacts")],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["file"].startswith(str(copy))
    assert told["apart"] < 1e-12
    assert told["largest"] > 0.5
    assert told["words"].startswith("mean over the sensors of: magnitudes of residuals")
    assert told["status"] == "passed"
    assert told["artifacts"] == ["c:double", "c:float", "python:double"]
    assert told["want"] < 1e-12
