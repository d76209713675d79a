"""The record of trainings: one whole line each, appended, whatever happens at the same time."""

import json
import subprocess
import sys

import numpy as np
import pytest

from edge_lasso.commands.main import main
from edge_lasso.training.audit import FILE, line
from edge_lasso_runtime import load, model_hash


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    lines = ["a,b,c,y", *(",".join(map(str, [*row, row[0] - row[1]])) for row in X)]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def lines(folder):
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def test_every_training_leaves_a_line(here, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    train = ["train", "data.csv", "--target", "y", "--out"]
    assert main([*train, "one.json"]) == 0
    assert main([*train, "two.json", "--max-inputs", "1"]) == 0
    first, second = lines(here)
    assert (first["model"], second["model"]) == ("one.json", "two.json")
    assert first["model_hash"] == model_hash(load("one.json"))
    assert first["data"]["sha256"] == second["data"]["sha256"]
    assert first["when"] == "1970-01-01T00:00:00Z"
    assert first["inputs"] == ["a", "b"]
    assert "@" in first["who"]
    assert first["options"]["cv"] == 5
    assert main([*train, "three.json", "--target", "nothing"]) == 2
    assert len(lines(here)) == 2


def test_trainings_at_the_same_time_do_not_mix(here):
    assert main(["train", "data.csv", "--target", "y", "--out", "one.json"]) == 0
    script = (
        "from pathlib import Path; from edge_lasso.training.audit import FILE, line; from edge_lasso_runtime import load\n"
        "from edge_lasso_runtime.atomic import together\nmodel = load('one.json')\nfor _ in range(50):\n"
        "    with together('.') as files: files.append(FILE, line(model, Path('one.json')))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [one.wait(120) for one in running] == [0, 0, 0]
    assert len(lines(here)) == 151
    assert len({json.dumps(one) for one in lines(here)}) == 1


def test_half_a_line_that_a_power_cut_left_stays_alone(here):
    (here / FILE).write_text('{"whole": 1}\n{"ha')
    assert main(["train", "data.csv", "--target", "y", "--out", "one.json"]) == 0
    first, torn, last = (here / FILE).read_text().splitlines()
    assert (first, torn) == ('{"whole": 1}', '{"ha')
    assert last.encode() + b"\n" == line(load("one.json"), here / "one.json")
