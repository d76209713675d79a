"""`train --update` and `train --cluster` as a user types them."""

import json

import numpy as np
import pytest

from edge_lasso.commands.main import main
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso_runtime import load

pytestmark = pytest.mark.long


def table(path, start, rows, slope=1.0):
    rng = np.random.default_rng(start)
    X = rng.normal(20.0, 5.0, (rows, 4))
    y = slope * X[:, 0] - 2.0 * X[:, 1] + rng.normal(0.0, 0.5, rows)
    lines = ["time,a,b,c,d,y"]
    lines += [f"{start + i},{','.join(repr(float(v)) for v in (*X[i], y[i]))}" for i in range(rows)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "old.csv", 0, 400)
    table(tmp_path / "new.csv", 400, 100)
    assert main(["train", "old.csv", "--target", "y", "--time", "time", "--out", "m.json"]) == 0
    capsys.readouterr()
    return tmp_path


def test_an_update_says_what_changed(trained, capsys):
    assert main(["train", "new.csv", "--update", "m.stats.npz", "--max-worse", "10", "--out", "n.json", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    comparison = found["comparison"]
    assert comparison["rows"] == 100
    assert set(comparison["coefficients"]) == {"a", "b"}
    assert comparison["percent_worse"] < 10.0
    assert FoldStatistics.load("n.stats.npz").total.rows == 500
    assert load("n.json").provenance["data"]["rows"] == 500


def test_a_model_that_is_worse_by_more_than_the_margin_is_not_written(trained, capsys):
    before = {one: one.read_bytes() for one in trained.iterdir()}
    assert main(["train", "new.csv", "--update", "m.stats.npz", "--max-worse", "-99", "--out", "m.json"]) == 1
    out, err = capsys.readouterr()
    assert "RMSE on the new rows" in out
    assert err.count("\n") == 1
    assert "m.json was not written" in err
    assert {one: one.read_bytes() for one in trained.iterdir()} == before


def test_forgetting_follows_a_sensor_that_changed(trained, capsys):
    table(trained / "changed.csv", 500, 100, slope=1.5)
    slopes = []
    for forget in ("1", "0.01"):
        assert main(["train", "changed.csv", "--update", "m.stats.npz", "--forget", forget, "--out", "n.json"]) == 0
        model = load("n.json")
        slopes.append(next(t.coef for t in model.outputs[0].terms if model.inputs[t.factors[0].input].name == "a"))
    assert slopes[0] == pytest.approx(1.1, abs=0.05)
    assert slopes[1] == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train new.csv --update m.stats.npz --cv 3", "--cv: not with --update"),
        ("train new.csv --target y --forget 0.5", "--forget, --again and --max-worse go with --update"),
        ("train new.csv", "no target is given"),
        ("train old.csv --update m.stats.npz", "are in these statistics already"),
        ("train old.csv --update m.stats.npz --again", "updates need later rows"),
        ("train new.csv --update nowhere.stats.npz", "nowhere.stats.npz"),
        ("train new.csv --update new.csv", "new.csv"),
        ("train new.csv --target y --cluster tcp://127.0.0.1:9", "no Dask scheduler answers"),
    ],
)
def test_one_line_for_bad_input(trained, capsys, arguments, said):
    before = {one: one.read_bytes() for one in trained.iterdir()}
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert {one: one.read_bytes() for one in trained.iterdir()} == before


def test_an_update_without_the_old_model_cannot_be_gated(trained, capsys):
    (trained / "m.json").unlink()
    assert main(["train", "new.csv", "--update", "m.stats.npz", "--max-worse", "5", "--out", "n.json"]) == 2
    assert "needs the old model" in capsys.readouterr().err
    assert main(["train", "new.csv", "--update", "m.stats.npz", "--out", "n.json"]) == 0


@pytest.mark.needs("module:distributed")
def test_a_cluster_gives_the_same_coefficients(trained):
    assert main(["train", "old.csv", "--target", "y", "--time", "time", "--cluster", "local", "--out", "c.json"]) == 0
    here, there = load("m.json"), load("c.json")
    assert [one.name for one in here.inputs] == [one.name for one in there.inputs]
    coefs = [[term.coef for term in one.outputs[0].terms] for one in (here, there)]
    assert coefs[1] == pytest.approx(coefs[0], rel=1e-10)
