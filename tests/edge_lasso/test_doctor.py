"""Game day: things are broken on purpose, and doctor names each with what to do."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.watching.doctor import ACT, FINE, LOOK, examine
from edge_lasso_runtime import Factor, Input, Model, Output, Term, load, save

RUNBOOKS = (Path(__file__).resolve().parents[2] / "docs" / "fleet" / "runbooks.md").read_text()


def model(coef=2.0, date="2026-11-01T00:00:00Z"):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0))
    health = {"readings": [{"input": name, "stuck": 3, "jump": 10.0} for name in "ab"]}
    drift = {"readings": [{"input": "a", "edges": [-0.5, 0.0, 0.5], "parts": [0.25] * 4, "missing": 0.0}]}
    terms = (Term(coef, (Factor(0),)), Term(-1.0, (Factor(1),)))
    sections = {"health/1": health, "drift/1": drift}
    return Model(("a", "b"), inputs, (Output("y", 0.5, terms),), sections=sections, provenance={"date": date})


@pytest.fixture
def board(tmp_path):
    """A function that takes rows through `score`, and gives what it left: figures, snapshot, log."""
    save(model(), tmp_path / "model.json")

    def run(rows):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        command = [
            sys.executable,
            "-m",
            "edge_lasso_runtime",
            "score",
            "model.json",
            "--state",
            "state.json",
            "--metrics",
            "board.prom",
        ]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, cwd=tmp_path, check=True)
        (tmp_path / "log").write_text("Nov 28 03:00:00 gw python3[7]: nonsense\n" + done.stdout)
        return [tmp_path / name for name in ("board.prom", "state.json", "log")]

    return run


def good(count=100):
    return [{"a": ((i * 37) % 100) / 50 - 1, "b": ((i * 61) % 100) / 50 - 1} for i in range(count)]


def texts(findings, level):
    return [finding.text for finding in findings if finding.level == level]


def test_nothing_is_wrong(board):
    found = examine(model(date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())), board(good()), time.time())
    assert texts(found, ACT) == texts(found, LOOK) == []
    assert "100 rows, 0 of them degraded" in texts(found, FINE)
    assert "100 results: 100 ok" in texts(found, FINE)


BROKEN = {
    "a sensor gone": (lambda rows: [{"a": row["a"]} for row in rows], "sensor b was missing in 100.0% of the rows"),
    "a sensor stuck": (lambda rows: [{**row, "b": 0.5} for row in rows], "sensor b was stuck in 97.0% of the rows"),
    "a sensor shifted": (
        lambda rows: [{**row, "a": row["a"] + 3} for row in rows],
        "a is not distributed as in training",
    ),
    "a unit changed": (
        lambda rows: [{**row, "b": row["b"] * 1.8 + 32} for row in rows],
        "sensor b was out of range in",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named(board, name):
    change, message = BROKEN[name]
    found = examine(model(), board(change(good())), time.time())
    assert any(message in text for text in texts(found, LOOK)), found
    assert any("rows are degraded" in text for text in texts(found, ACT))
    for finding in found:
        if finding.level != FINE:
            assert finding.advice
            runbook = finding.advice.partition("runbook ")[2]
            assert not runbook or f"\n## {runbook}\n" in RUNBOOKS


def test_a_process_that_is_gone_and_a_clock_that_is_wrong(board):
    paths = board(good())
    assert "it is gone or hangs" in texts(examine(model(), paths, time.time() + 120), ACT)[0]
    found = texts(examine(model(), paths, time.time() + 3600), ACT)
    assert any("sensor a was last there 60 minutes ago" in text for text in found)


def test_another_model_an_old_model_and_what_changed(board, tmp_path):
    found = examine(model(3.0, "2020-01-01T00:00:00Z"), [*board(good())[:1], tmp_path / "model.json"], time.time())
    assert "which is another" in texts(found, ACT)[0]
    assert "days ago" in texts(found, LOOK)[0]
    assert "1 of 2 terms differ" in texts(found, FINE)[-2]
    assert texts(found, FINE)[-1] == "  y: a: 2 became 3"


def test_updates_that_were_left(tmp_path):
    standing = {
        "format": "edge-lasso-home/1",
        "serial": 7,
        "trial": "7-x",
        "bad": {"6-y": "rows are degraded"},
        "history": ["then: back"],
    }
    (tmp_path / "state.json").write_text(json.dumps(standing))
    found = examine(model(), [tmp_path / "state.json"], time.time())
    assert "largest serial 7; last: then: back" in texts(found, FINE)
    assert texts(found, LOOK)[-2:] == ["version 7-x is still being tried", "version 6-y was left: rows are degraded"]


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b"[1]", b"\xff\xfe", b'{"format": "other/1"}'])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match="x is n"):
        examine(model(), [tmp_path / "x"])


def test_the_command(board, tmp_path, capsys):
    paths = [str(path) for path in board([{"a": 0.1}] * 50)]
    assert main(["doctor", str(tmp_path / "model.json"), *paths]) == 1
    shown = capsys.readouterr()
    assert "act   100.0% of 50 rows are degraded\n      runbook EdgeLassoDegradedFast\n" in shown.out
    assert "findings call for action" in shown.err
    assert main(["doctor", str(tmp_path / "model.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["level"] in (FINE, LOOK)
    assert load(tmp_path / "model.json") == model()
