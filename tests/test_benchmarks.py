"""The benchmarks that the README names run and print their tables (their figures are nobody's promise here)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDS = pytest.mark.needs("cc", "module:onnxruntime", "module:ai_edge_litert", "module:skl2onnx", "module:m2cgen")


@NEEDS
@pytest.mark.parametrize(("arguments", "shown"), [
    (["training.py", "--shape", "10000x50"], ["LassoCV", "x ours"]),
    (["inference.py", "--rounds", "1", "--seconds", "0.3"], ["python:double", "skl2onnx:float32", "m2cgen:dense"]),
    (["function.py", "--rounds", "1"], ["bare interpreter", "function.handler, model.pyz", "asgi.handler", "onnxruntime"]),
    (["classification.py", "--shape", "400x5x2", "--shape", "300x8x3-sparse"], ["liblinear", "largest gap", "x ours"]),
    (["predict_table.py", "--rows", "30000", "--rounds", "1"], ["pure read", "predict to .parquet, C"]),
    pytest.param(
        ["targets.py", "--inputs", "3", "--cores", "riscv32", "--no-linux", "--seconds", "0.3"],
        ["hand loop", "onnx:float32", "m2cgen"],
        marks=pytest.mark.needs("core:riscv32"),
    ),
    (["quantization.py", "--data", "nowhere", "--rows", "20", "--targets", "c"], ["c:fixed", "no promise is broken"]),
    (["onnx_int8.py"], ["float32", "dynamic int8"]),
    (["anomaly_labels.py", "--only", "shuttle"], ["Shuttle"]),
    (["missing_inputs.py"], ["any 5 (median of 6)", "rows with real gaps"]),
    (["serving.py", "--seconds", "5"], ["200 connections", "lost", "growth, kB"]),
    (["streaming.py", "--readings", "4000", "--sensors", "5"], ["jsonl", "csv", "CPU us/reading"]),
], ids=lambda one: one[0] if one[0].endswith(".py") else "")  # fmt: skip
def test_it_runs(arguments, shown, tmp_path):
    script, *options = arguments
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    environment = {**os.environ, "COLUMNS": "118"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    for word in shown:
        assert word in done.stdout


def test_the_figures_name_each_that_is_run():
    figures = (ROOT / "docs" / "figures.md").read_text()
    scripts = [path.name for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()]
    assert len(scripts) > 10
    assert [name for name in scripts if f"python benchmarks/{name}" not in figures] == []
