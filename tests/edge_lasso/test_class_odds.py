import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import edge_lasso
from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.training.class_odds import ClassOdds, decisions
from edge_lasso_runtime import load, predict


def plant(seed, n=6000, classes=2):
    """Rare faults whose true probability is known."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    z = np.column_stack([np.zeros(n), -3.5 + 1.5 * X[:, 0] - 1.0 * X[:, 2], -3.0 + 1.5 * X[:, 1]][:classes])
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    code = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    names = np.array(["fine", "fault", "worn"])[code]
    return pa.table({**{f"s{j}": X[:, j] for j in range(4)}, "state": names}), p


def probability(model, table):
    """Of the second class (sorted: fault, fine)."""
    return np.asarray(edge_lasso.predict(model, table).column("probability of fine"))


@pytest.fixture(scope="module")
def balanced():
    return edge_lasso.classify(plant(1)[0], "state", class_weight="balanced", holdout=0.3)


def test_balanced_classes_leave_probabilities_true(balanced):
    table, truth = plant(2)
    fine = probability(balanced.model, table)
    assert np.abs(fine - truth[:, 0]).mean() < 0.01
    sure = fine < 0.5  # where it says fault
    assert truth[sure, 1].mean() == pytest.approx(1.0 - fine[sure].mean(), abs=0.05)


@pytest.mark.parametrize("classes", [2, 3])
def test_each_class_is_reported_as_it_comes(classes):
    table, _ = plant(1, classes=classes)
    result = edge_lasso.classify(table, "state", class_weight="balanced", holdout=0.3, cv=3)
    held, folds = result.model.provenance["held_out"], result.fit.calibration
    for report, first in ((held, 4200), (folds, 0)):
        assert list(report["by_class"]) == (["fine"] if classes == 2 else ["fault", "fine", "worn"])
        for name, entry in report["by_class"].items():
            rows = np.asarray(table["state"])[first:] if first else np.asarray(table["state"])[:4200]
            assert entry["share"] == pytest.approx(np.mean(rows == name), abs=2e-3)
            assert entry["mean_probability"] == pytest.approx(entry["share"], abs=0.02)
            assert entry["calibration_error"] < 0.03
            assert sum(row["rows"] for row in entry["table"]) == len(rows)
            assert all(row["from"] <= row["mean_probability"] <= row["to"] for row in entry["table"])


def test_labels_cost_least(balanced):
    table, truth = plant(3)
    codes = np.asarray(table["state"]) == "fault"
    model = edge_lasso.classify(plant(1)[0], "state", miss_cost={"fault": 20.0}, holdout=0.3).model

    def cost(called):
        return np.mean(np.where(codes, 20.0 * ~called, called))

    called = np.array([predict(model, row).label for row in rows_of(model, table)]) == "fault"
    best = cost(truth[:, 1] > 1.0 / 21.0)
    assert cost(called) < 1.05 * best < 0.6 * cost(truth[:, 1] > 0.5)
    labels = model.provenance["labels"]
    assert labels["miss_cost"] == {"fault": 20.0, "fine": 1.0}
    assert labels["threshold"] == pytest.approx(20.0 / 21.0)  # of "fine", the second
    assert labels["shift"] == pytest.approx([-np.log(20.0)])
    held = model.provenance["held_out"]
    assert held["by_class"]["fine"]["calibration_error"] < 0.03  # of the data, not of the costs
    assert held["decisions"]["cost_per_row"] < held["decisions"]["cost_per_row_of_the_most_probable"]


def rows_of(model, table):
    return np.column_stack([np.asarray(table[feature.name]) for feature in model.inputs]).tolist()


def test_decisions_by_hand():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    truth = np.array([[1, 0], [0, 1], [0, 1], [0, 1]])
    result = decisions(p, truth, np.full(4, 0.25), ["fine", "fault"], np.array([1.0, 3.0]))
    assert result["missed"] == {"fine": 0.0, "fault": pytest.approx(1.0 / 3.0)}
    assert result["called"] == {"fine": 0.5, "fault": 0.5}
    assert result["cost_per_row"] == pytest.approx(0.75)
    assert result["cost_per_row_of_the_most_probable"] == pytest.approx(1.5)
    assert result["cost_per_row_of_one_class"] == pytest.approx(0.25)


def test_shifts_by_hand():
    odds = ClassOdds(np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    assert odds.undone == pytest.approx([-np.log(4.0)])
    assert odds.label == pytest.approx([-np.log(2.0)])
    assert odds.threshold == pytest.approx(2.0 / 3.0)
    several = ClassOdds(np.array([1.0, 1.0, 8.0]), np.ones(3))
    assert several.undone - several.undone[0] == pytest.approx([0.0, 0.0, -np.log(8.0)])
    assert (several.threshold, several.priced) == (None, False)


@pytest.mark.parametrize(
    ("costs", "message"),
    [({"broken": 2.0}, "there is no class 'broken'; the classes are fault, fine"), ({"fault": 0.0}, "larger than 0")],
)
def test_costs_are_refused(costs, message):
    with pytest.raises(DataError, match=message):
        edge_lasso.classify(plant(1, 200)[0], "state", miss_cost=costs)


@pytest.mark.long
def test_the_command_says_what_labels_cost(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pa.csv.write_csv(plant(1, 3000)[0], "plant.csv")
    assert main(["classify", "plant.csv", "--target", "state", "--miss-cost", "fault=20", "--holdout", "0.3"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "labels cost least where a miss costs 'fault' 20, 'fine' 1" in told
    assert "how often it is 'fine', last 900 rows" in told
    assert "missed, last 900 rows: 'fault'" in told
    assert load("model.json").provenance["labels"]["miss_cost"]["fault"] == 20.0
    assert main(["show", "model.json"]) == 0
    assert "labels cost least" in " ".join(capsys.readouterr().out.split())
    assert main(["report", "model.json", "--data", "plant.csv", "--out", "page.html"]) == 0
    assert "labels cost least" in (tmp_path / "page.html").read_text()
    capsys.readouterr()
    assert main(["classify", "plant.csv", "--target", "state", "--miss-cost", "fault"]) == 2
    assert "--miss-cost 'fault' is not CLASS=NUMBER" in " ".join(capsys.readouterr().err.split())
    assert main(["classify", "plant.csv", "--target", "state", "--json"]) == 0
    assert "by_class" in json.loads(capsys.readouterr().out)["fits"][0]["calibration"]


def test_a_class_that_no_row_held_out_has_is_named(tmp_path, capsys):
    """The office is entered once: the rows before have no '1' to judge by."""
    table = Path(__file__).parents[1] / "data" / "occupancy.txt"
    out = tmp_path / "room.json"
    assert main(["classify", str(table), "--target", "Occupancy", "--time", "date", "--out", str(out)]) == 0
    assert "no row of the held-out folds is '1': these figures say nothing about it" in capsys.readouterr().out
