"""The benchmarks that the README names run and print their tables (their figures are nobody's promise here)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))
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
    (["artifacts.py", "--rounds", "1", "--terms", "50"], ["--leave-missing", "empty .pyz", "export of 50 terms"]),
    (["reading.py", "--rows", "3000", "--rounds", "1"], ["x pyarrow", "the whole training"]),
    (["choice.py", "--hinges", "1"], ["1 hinges an input: won", "most lost"]),
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


@pytest.mark.long
def test_one_command_runs_them_and_says_where_and_when(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--fast", "--only", "classification"]
    page = (ROOT / "docs" / "figures.md").read_text()
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) == {"machine", "versions", "load", "date", "ratios", "printed", "worse", "before"}
    assert list(figures["ratios"]) == ["classification, 400 x 5 x 2, liblinear (more is better)"]
    [(shown, printed)] = figures["printed"].items()
    assert f"$ python {shown}\n{printed.rstrip()}\n" in (tmp_path / "figures.md").read_text()
    assert f"scikit-learn {figures['versions']['scikit-learn']}" in (tmp_path / "figures.md").read_text()
    assert (ROOT / "docs" / "figures.md").read_text() == page


def test_what_is_more_than_a_tenth_worse_is_named():
    import run

    before = {
        "a (more is better)": 10.0,
        "b (less is better)": 1.0,
        "c (more is better)": 2.0,
        "gone (less is better)": 1.0,
    }
    now = {"a (more is better)": 9.2, "b (less is better)": 1.2, "c (more is better)": 1.5, "new (less is better)": 9.0}
    assert run.worse(now, before) == ["b (less is better): 1.2, was 1", "c (more is better): 1.5, was 2"]
    text = "10,000 x 50 X'X 1 ms\n    LassoCV   115.7 ms =    6.4 x ours (target 6), 8.8 x lasso only; alpha 0.1\n"
    assert run.ratios("training", text) == {"training, 10,000 x 50, LassoCV (more is better)": 6.4}
    text = " python:double starts within 1.1 x a bare interpreter   1.04 x   ok\n"
    assert list(run.ratios("inference", text).values()) == [1.04]


def test_the_page_is_written_from_what_was_printed():
    import run

    page = (ROOT / "docs" / "figures.md").read_text()
    listed = run.commands(page)
    assert {run.script_of(command) for command in listed} >= {"inference", "training", "classification", "streaming"}
    after = run.rewritten(page, {listed[0]: "new figures\n"}, "here")
    assert f"```\n$ python {listed[0]}\nnew figures\n```" in after
    assert run.commands(after) == listed
    old = run.BLOCK.findall(page)[1]
    assert old in after
    assert "<!-- machine -->\nhere\n<!-- end of machine -->" in after


def test_the_figures_name_each_that_is_run():
    figures = (ROOT / "docs" / "figures.md").read_text()
    scripts = [path.name for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()]
    assert len(scripts) > 10
    assert [name for name in scripts if f"python benchmarks/{name}" not in figures] == []
