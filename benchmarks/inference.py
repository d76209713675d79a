"""One row of one model (100 columns, 10 used) in every target, beside what else is in use.

    python benchmarks/inference.py [--rounds 3] [--seconds 3] [--json FILE]

All are measured by the same probe, in fresh processes, in turn; figures are medians over the rounds. m2cgen takes part
when it is installed, tflite-runtime when EDGE_LASSO_TFLITE_RUNTIME_PYTHON names a Python that has it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_lasso.compressing.quantize import quantize
from edge_lasso.measuring.bench import rendered
from edge_lasso.measuring.measurement import Measurement, Subject, measure
from edge_lasso.measuring.peers import peer_subjects, pipeline_of
from edge_lasso.reporting import terminal
from edge_lasso_devices.shells import LocalShell
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term

COLUMNS, USED = 100, 10
FIGURES = ("p50_us", "p95_us", "cold_start_ms", "cold_start_ratio", "ram_bytes", "size_bytes")
VARIANTS = "python:double,python:fixed,c:double,c:float,c:fixed,onnx:float32,tflite:float32,tflite:int8"
OURS = "python:double"
# figure, whose, how many times ours at least
TARGETS = (
    ("skl2onnx:float32", "p50_us", 20.0),
    ("tflite:float32", "p50_us", 5.0),
    ("m2cgen:dense", "p50_us", 5.0),
)


def model() -> Model:
    """Ten of a hundred sensors, spread over the row."""
    source = random.Random(0)
    inputs = tuple(Input(f"sensor_{10 * i}", 10 * i, 50.0 + i, 0.0, 100.0 + 10.0 * i, "V") for i in range(USED))
    terms = tuple(Term(source.uniform(-1.0, 1.0), (Factor(i),)) for i in range(USED))
    return Model(tuple(f"sensor_{i}" for i in range(COLUMNS)), inputs, (Output("y", 1.25, terms),))


def row_by_name(result: Model) -> Subject:
    """The Python artifact called with a mapping."""
    files = registry.render(result, "python", "double")
    reading = {feature.name: feature.default for feature in result.inputs}
    stages = {
        "target": "python", "variant": "predict_row", "file": "model.py", "imports": "import model",
        "loading": "pass", "function": "model.predict_row", "argument": repr(reading),
    }  # fmt: skip
    name = "row.stages.json"
    return Subject("python:predict_row", {name: json.dumps(stages).encode(), "model.py": files["model.py"]}, name)


class OtherPython(LocalShell):
    """This machine with another Python."""

    def __init__(self, python: str) -> None:
        super().__init__()
        self.python = (python,)


def one_round(result: Model, seconds: float) -> list[Measurement]:
    pipeline = pipeline_of(result)
    assert pipeline is not None
    subjects = [*rendered(quantize(result, "int16"), VARIANTS), row_by_name(result), *peer_subjects(pipeline)]
    subjects[:0] = [next(iter(rendered(result)))]
    results = measure(subjects, "local", seconds, lambda name: terminal.note(f"  {name}"))
    other = os.environ.get("EDGE_LASSO_TFLITE_RUNTIME_PYTHON")
    if other:
        (litert,) = rendered(result, "tflite")
        with OtherPython(other) as shell:
            results += measure([Subject("tflite-runtime:float32", litert.files)], shell, seconds)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each, in each round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements here")
    options = parser.parse_args()

    rounds = []
    for i in range(options.rounds):
        terminal.note(f"round {i + 1} of {options.rounds}")
        rounds.append(one_round(model(), options.seconds))
    if options.json:
        options.json.write_text(json.dumps([[part.to_json() for part in each] for each in rounds], indent=1) + "\n")

    names = [entry.name for entry in rounds[0]]
    medians = {
        name: {
            key: statistics.median(values)
            for key in FIGURES
            if (values := [v for each in rounds if (v := each[i].value(key)) is not None])
        }
        for i, name in enumerate(names)
    }
    show(medians, rounds[0][0].machine)
    for text in sorted({f"{part.name}: {part.reason}" for each in rounds for part in each if part.reason}):
        terminal.note(f"note: {text}")
    for text in sorted({text for each in rounds for part in each for text in part.warnings if "busy" in text}):
        terminal.note(f"note: {text}")


def show(medians: dict[str, dict[str, float]], machine: str) -> None:
    """The table of figures, and the measures the project lives by."""
    ours = medians[OURS]["p50_us"]
    rows = []
    for name, figures in medians.items():
        p50 = figures.get("p50_us")
        ram = figures.get("ram_bytes")
        cells = (p50, p50 and p50 / ours, figures.get("p95_us"), figures.get("cold_start_ms"))
        more = (figures.get("cold_start_ratio"), None if ram is None else ram / 2**20, figures.get("size_bytes"))
        rows.append((name, *("-" if cell is None else f"{cell:,.4g}" for cell in (*cells, *more))))
    columns = ("", "p50 us", "x ours", "p95 us", "start, ms", "x bare", "memory, MB", "bytes")
    title = (
        f"one row, {COLUMNS} columns, {USED} used; measured on {machine}; ours: {OURS}; memory over a bare interpreter"
    )
    terminal.table(title, columns, rows)
    checks = []
    for name, key, least in TARGETS:
        if key in medians.get(name, {}):
            ratio = medians[name][key] / ours
            checks.append(
                (f"{name} takes at least {least:g} x {OURS}", f"{ratio:.1f} x", "ok" if ratio >= least else "MISSED")
            )
    for name, most in ((OURS, 1.1), ("runtime:double", 2.5)):
        ratio = medians[name]["cold_start_ratio"]
        checks.append(
            (
                f"{name} starts within {most:g} x a bare interpreter",
                f"{ratio:.2f} x",
                "ok" if ratio <= most else "MISSED",
            )
        )
    memory = medians[OURS].get("ram_bytes")
    if memory is not None:
        ok = "ok" if memory <= 2**19 else "MISSED"
        checks.append((f"{OURS} needs at most 0.5 MB over a bare interpreter", f"{memory / 2**20:.2f} MB", ok))
    terminal.table("the measures we live by", ("", "found", ""), checks)


if __name__ == "__main__":
    main()
