"""What people call from Python: every command as a function, on tables in memory and fitted estimators."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import edge_lasso
from edge_lasso.errors import DataError

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["y"] = 2 * X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=300)
    frame["state"] = np.where(X[:, 0] + 0.3 * rng.normal(size=300) > 0, "on duty", "idle")
    return frame


def test_the_whole_way_of_numbers(table, tmp_path):
    result = edge_lasso.train(table, "y", drop="state", max_inputs=2, holdout=0.2, sections=["estimate", "drift"])
    assert [each.name for each in result.model.inputs] == ["a", "b"]
    assert repr(result).count("\n") == 2
    assert "TrainResult: y from 2 of 4 inputs" in repr(result)
    assert "held-out R2 0.9" in repr(result)
    assert "<td>a</td>" in result._repr_html_()
    assert edge_lasso.predict(result, table).column_names == ["y", "status", "faults"]
    beside = edge_lasso.predict(result, table, keep=["state", "a", "y"])
    assert beside.column_names == ["state", "a", "y (given)", "y", "status", "faults"]
    assert beside["state"].to_pylist() == table["state"].tolist()
    assert [float(value) for value in beside["a"].to_pylist()] == table["a"].tolist()
    small = edge_lasso.prune(result, max_inputs=1)
    assert len(small.inputs) == 1
    assert edge_lasso.quantize(result, "int16").sections["fixed_point/1"]
    assert edge_lasso.export(result, "python", tmp_path / "artifacts").status == "passed"
    assert edge_lasso.verify(result, tmp_path / "artifacts").status == "passed"
    path = edge_lasso.save(result, tmp_path / "model.json")
    assert (tmp_path / "model.stats.npz").exists()
    assert edge_lasso.load(path) == result.model
    assert len(edge_lasso.prune(path, max_inputs=1).inputs) == 1
    assert edge_lasso.report(path, table).read_text().startswith("<!doctype html>")
    (parts,) = edge_lasso.explain(path, {"a": 3.0, "b": 0.0})
    assert parts.contributions[0][0] == "a"
    assert edge_lasso.drift(path, table[["a", "b"]]).rows == 300


def test_classes_and_normal_operation(table):
    classes = edge_lasso.classify(table, "state", drop=["y"], max_inputs=1)
    assert classes.model.classes == ("idle", "on duty")
    assert edge_lasso.predict(classes, table)["label"].to_pylist().count("idle") > 100
    detector = edge_lasso.watch(table.drop(columns="state"), max_coefs=4, smoothing=1.0)
    assert "5 sensors watched" in repr(detector)


def test_estimators_and_pipelines_are_models(table, tmp_path):
    estimator = edge_lasso.LassoRegressor().fit(table[["a", "b"]], table["y"])
    assert edge_lasso.export(estimator, "python", tmp_path / "a").status == "passed"
    assert len(edge_lasso.prune(estimator, max_inputs=1).inputs) == 1
    ridge = make_pipeline(StandardScaler(), Ridge()).fit(table[["a", "b"]], table["y"])
    assert edge_lasso.export(ridge, "python", tmp_path / "b").status == "passed"


def test_what_is_no_model():
    with pytest.raises(DataError, match=r"^a dict has no model; give a path, a fitted estimator, or what train gives$"):
        edge_lasso.export({}, "python", "x")
    with pytest.raises(TypeError, match="speed"):
        edge_lasso.train(pd.DataFrame({"a": [1.0], "y": [1.0]}), "y", speed=9)


@pytest.mark.needs("module:matplotlib")
def test_a_picture(table):
    import matplotlib

    matplotlib.use("Agg")
    axes = edge_lasso.plot_path(edge_lasso.train(table, "y", drop="state"))
    assert axes.get_xlabel() == "inputs"
    result = edge_lasso.train(table, "y", drop="state")
    assert result.plot(axes=axes) is axes
    assert result.fits[0].path.plot().get_xlabel() == "alpha"
    estimator = edge_lasso.LassoRegressor().fit(table[["a", "b"]], table["y"])
    assert len(estimator.path_.plot().get_lines()) == 2
    assert edge_lasso.plot_path(estimator).get_xlabel() == "inputs"
    row = table[["a", "b"]].iloc[0].to_dict()
    assert estimator.explain(row) == edge_lasso.explain(estimator, row)
    assert result.explain(row) == edge_lasso.explain(result.model, row)


@pytest.mark.needs("module:matplotlib")
def test_a_picture_of_scores(plant):
    import matplotlib

    matplotlib.use("Agg")
    result = edge_lasso.watch(plant, time="time")
    axes = edge_lasso.plot_scores(result, plant)
    assert [line.get_label() for line in axes.get_lines()] == ["score", "threshold"]
    assert len(axes.get_lines()[0].get_xdata()) == len(plant)
    assert axes.get_xlabel() == "time"
    assert edge_lasso.plot_scores(result.model, plant, axes) is axes
    assert result.plot(plant, axes) is axes
    columns = plant[["a", "b", "c"]]
    assert len(edge_lasso.ResidualDetector().fit(columns).plot(columns).get_lines()) == 2


def test_a_column_that_looks_like_a_label_is_not_watched(plant):
    labelled = plant.assign(failure=(np.arange(len(plant)) % 97 == 5).astype(int), door=np.arange(len(plant)) % 2)
    result = edge_lasso.watch(labelled, time="time")
    assert "failure" not in result.model.columns
    assert "door" in result.model.columns
    assert any(note.startswith("'failure' is 0 or 1, and 1 in 1.1% of the rows") for note in result.notes)
    named = edge_lasso.watch(labelled, ["a", "failure"], time="time")
    assert list(dict.fromkeys(output.name.split(".")[0] for output in named.model.outputs)) == ["a", "failure"]


@pytest.fixture
def plant():
    """Three sensors that go together, a row a minute."""
    rng = np.random.default_rng(5)
    level = np.cumsum(rng.normal(size=2000)) / 10
    readings = {name: level + rng.normal(size=2000) for name in ("a", "b", "c")}
    return pd.DataFrame({"time": pd.date_range("2024-01-01", periods=2000, freq="1min"), **readings})
