import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from sklearn.linear_model import HuberRegressor, LinearRegression

import edge_lasso
from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso.training.robust import huber, wild_values
from edge_lasso_runtime import load

TRUTH = np.array([3.0, 0.0, -2.0, 0.0, 1.0, 0.0])


def spiked(seed=0, n=3000, spikes=0.02, gaps=False):
    """Two in a hundred targets are wild, and more so the larger `c` is."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    y = X @ TRUTH + 5.0 + rng.normal(size=n)
    wild = rng.random(n) < spikes
    y[wild] += rng.choice([80.0, 300.0], wild.sum()) * (1.0 + (X[wild, 3] > 0.0))
    if gaps:
        X[rng.random((n, 6)) < 0.05] = np.nan
    return pa.table({**{name: X[:, j] for j, name in enumerate("abcdef")}, "y": y}), X


def coefficients(model):
    values = dict.fromkeys("abcdef", 0.0)
    for term in model.outputs[0].terms:
        values[model.inputs[term.factors[0].input].name] = term.coef
    return np.array(list(values.values()))


def test_spikes_do_not_move_the_fit():
    table, X = spiked()
    plain, robust = (edge_lasso.train(table, "y", robust=some, max_inputs=3).model for some in (False, True))
    errors = [np.abs(coefficients(model) - TRUTH).max() for model in (plain, robust)]
    assert errors[1] < 0.1 < errors[0]
    assert robust.outputs[0].intercept == pytest.approx(5.0, abs=0.15) != plain.outputs[0].intercept
    used = np.flatnonzero(TRUTH)
    peer = HuberRegressor(alpha=0.0).fit(X[:, used], np.asarray(table["y"]))
    assert coefficients(robust)[used] == pytest.approx(peer.coef_, abs=0.03)
    about = robust.provenance["robust"]
    assert about["scale"] == pytest.approx(1.0, abs=0.1)
    assert 0.15 < about["weighed_down"] < 0.25  # beyond 1.345 deviations are 18 % of normal errors
    assert about["rounds"] <= 6


def test_the_estimator_is_robust_as_the_command_is():
    table, X = spiked()
    y = np.asarray(table["y"])
    plain, robust = (LassoRegressor(robust=some, max_inputs=3).fit(X, y) for some in (False, True))
    assert np.abs(robust.coef_ - TRUTH).max() < 0.1 < np.abs(plain.coef_ - TRUTH).max()
    trained = edge_lasso.train(table, "y", robust=True, max_inputs=3).model
    assert robust.coef_ == pytest.approx(coefficients(trained), abs=1e-6)
    about, same = robust.model_.provenance["robust"], trained.provenance["robust"]
    assert about["scale"] == pytest.approx(same["scale"])
    assert about["rounds"] == same["rounds"]
    twice = np.r_[X, X[:500]], np.r_[y, y[:500]]
    weight = 1.0 + (np.arange(len(y)) < 500)
    weighed = LassoRegressor(robust=True, max_inputs=3, cv=0, select="ebic").fit(X, y, sample_weight=weight)
    doubled = LassoRegressor(robust=True, max_inputs=3, cv=0, select="ebic").fit(*twice)
    assert weighed.coef_ == pytest.approx(doubled.coef_, abs=0.01)  # the scale is that of rows, however they count
    with pytest.raises(DataError, match="fit the targets one by one"):
        LassoRegressor(robust=True).fit(X, np.c_[y, y])


def test_without_wild_values_little_changes():
    table, X = spiked(1, spikes=0.0)
    robust = edge_lasso.train(table, "y", robust=True, max_inputs=3).model
    used = np.flatnonzero(TRUTH)
    exact = LinearRegression().fit(X[:, used], np.asarray(table["y"]))
    assert coefficients(robust)[used] == pytest.approx(exact.coef_, abs=0.03)


@pytest.mark.long
def test_gaps_lags_and_products_are_weighed_as_they_are_trained():
    table, _ = spiked(2, gaps=True)
    for options in ({}, {"degree": 2}, {"bootstrap": 20}):
        model = edge_lasso.train(table, "y", robust=True, max_inputs=3, **options).model
        assert model.provenance["robust"]["scale"] < 2.0, options
    from edge_lasso.tables.series import lags

    model = edge_lasso.train(table, "y", robust=True, max_inputs=3, past=[lags(1)]).model
    assert model.provenance["robust"]["scale"] < 2.0


def test_weights_by_hand():
    weighed = huber(np.array([-0.6745, 0.6745, 0.6745, 0.0, 6.745]))
    assert weighed.scale == pytest.approx(1.0)
    assert weighed.weight == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.1345 / 0.6745], rel=1e-6)
    assert huber(np.array([0.0, 0.0, 5.0])).weight.tolist() == [1.0, 1.0, 1.0]


def test_wild_values_are_told():
    rng = np.random.default_rng(0)
    calm = rng.normal(size=1000)
    assert wild_values(calm) is None
    assert wild_values(np.zeros(10)) is None
    assert "2.0% of the rows held out err by more than 6 times" in wild_values(np.append(calm[:980], np.full(20, 50.0)))


def test_a_row_that_decides_is_told():
    table, X = spiked(3, n=400, spikes=0.0)
    assert not any("one row" in note for note in edge_lasso.train(table, "y").notes)
    X[7, 2] = 999.0
    odd = pa.table({**{name: X[:, j] for j, name in enumerate("abcdef")}, "y": table["y"]})
    (note,) = [note for note in edge_lasso.train(odd, "y").notes if "one row" in note]
    leverage = (999.0 - X[:, 2].mean()) ** 2 / ((X[:, 2] - X[:, 2].mean()) ** 2).sum()
    assert f"one row has {leverage:.0%} of the variance of 'c'" in note


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pa.csv.write_csv(spiked()[0], "t.csv")
    assert main(["train", "t.csv", "--target", "y", "--holdout", "0.3"]) == 0
    assert "--robust weighs them down" in " ".join(capsys.readouterr().err.split())
    assert main(["train", "t.csv", "--target", "y", "--holdout", "0.3", "--robust"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "of them count less" in told
    assert "--robust" not in told
    assert load("model.json").provenance["options"]["robust"] is True
    assert json.loads((tmp_path / "trainings.jsonl").read_text().splitlines()[-1])["options"]["robust"] is True
    assert main(["train", "t.csv", "--update", "model.stats.npz"]) == 2
    assert "statistics of --robust" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"target": ["y", "a"]}, "train the targets one by one"), ({"cluster": "local"}, "does not go with --cluster")],
)
def test_what_does_not_go_together(options, message):
    with pytest.raises(DataError, match=message):
        edge_lasso.train(spiked(n=200)[0], options.pop("target", "y"), robust=True, **options)
