"""Rows, budgets and columns at the edge of what can be learned: an answer that holds, or one clear line."""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import edge_lasso
from edge_lasso import LassoClassifier, LassoRegressor
from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.paths.sensors import parse_sensors

METHODS = ["lasso", "relaxed", "subset", "adaptive", "omp"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 5))
Y = X @ [1.0, 2.0, 0.0, 0.0, 0.0] + 0.1 * RNG.normal(size=100)


def some(count):
    """Weights that leave so many rows, of every fifth of the table."""
    weight = np.zeros(100)
    weight[np.linspace(0, 99, count).astype(int)] = 1.0
    return weight


@pytest.mark.parametrize("method", METHODS)
def test_a_budget_larger_than_the_columns_is_no_limit(method):
    assert np.flatnonzero(LassoRegressor(method=method, max_inputs=50).fit(X, Y).coef_).tolist() == [0, 1]


@pytest.mark.parametrize("method", METHODS)
def test_twins_alone_are_one_input(method):
    model = LassoRegressor(method=method, max_inputs=3).fit(np.repeat(X[:, 1:2], 5, axis=1), Y)
    assert np.count_nonzero(model.coef_) == 1
    assert model.coef_.sum() == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows", [5, 7])
def test_weights_that_leave_hardly_more_rows_than_inputs(method, rows):
    model = LassoRegressor(method=method, max_inputs=4).fit(X, Y, sample_weight=some(rows))
    assert np.count_nonzero(model.coef_) <= rows - 2
    assert np.isfinite(model.predict(X)).all()


def test_weights_that_leave_a_fold_empty():
    with pytest.raises(DataError, match=r"fold \d has no held-out rows .* use fewer folds"):
        LassoRegressor(max_inputs=4).fit(X, Y, sample_weight=some(3))


@pytest.mark.parametrize("method", METHODS)
def test_two_rows(method):
    with pytest.raises(DataError, match="2 rows are too few for cv=5"):
        LassoRegressor(method=method).fit(X[:2], Y[:2])
    with pytest.raises(DataError, match="constant in the training rows of fold 1"):
        LassoRegressor(method=method, cv=2).fit(X[:2], Y[:2])
    assert np.count_nonzero(LassoRegressor(method=method, cv=0, select="ebic").fit(X[:3], Y[:3]).coef_) <= 1


def test_a_class_with_one_row():
    labels = np.where(np.arange(100) == 3, "rare", "common")
    message = "the rarest class has 1 rows; 2 folds, and 2 rows, are the least"
    with pytest.raises(DataError, match=message):
        LassoClassifier().fit(X, labels)
    with pytest.raises(DataError, match=message):
        edge_lasso.classify(pa.table({"x": X[:, 0], "y": labels}), "y")
    assert not LassoClassifier(cv=0, select="ebic").fit(X, labels).coef_.any()


def test_a_class_whose_rows_weigh_nothing():
    labels = np.where(X[:, 0] > 0.0, "on", "off")
    with pytest.raises(DataError, match="has no training row of class 'off'"):
        LassoClassifier(cv=2).fit(X, labels, sample_weight=(labels == "on").astype(float))


def test_a_target_is_never_its_own_input(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = pa.table({**{f"x{j}": X[:, j] for j in range(5)}, "y": Y})
    assert [feature.name for feature in edge_lasso.train(table, "y", inputs=["y", "x0"]).model.inputs] == ["x0"]
    pa.csv.write_csv(table, "t.csv")
    assert main(["train", "t.csv", "--target", "y", "--inputs", "y"]) == 2
    assert "no inputs are left" in " ".join(capsys.readouterr().err.split())


def test_signs_that_contradict():
    with pytest.raises(DataError, match="--sign: 'x0' is to be \\+ and -; give one of them"):
        parse_sensors(None, None, ["x0=+", "x0=-"])
    assert parse_sensors(None, None, ["x0=+", "x0=+"]).signs == {"x0": 1}
    assert not LassoRegressor(max_inputs=3, signs=[-1, -1, 0, 0, 0]).fit(X, Y).coef_[:2].any()


@pytest.mark.parametrize("method", ["lasso", "relaxed"])
def test_a_budget_of_many_columns(method):
    wide = np.random.default_rng(1).normal(size=(40, 5000))
    model = LassoRegressor(method=method, max_inputs=2).fit(wide, 3.0 * wide[:, 7] + wide[:, 99])
    assert np.flatnonzero(model.coef_).tolist() == [7, 99]


@pytest.mark.long
def test_many_columns_that_need_a_matrix_are_refused():
    with pytest.raises(DataError, match="GB of Gram matrices"):
        LassoRegressor(method="subset", max_inputs=2).fit(
            np.zeros((10, 60_000)) + np.arange(10)[:, None], np.arange(10)
        )
