"""Categories, lags, degree and hinges of the estimators: the models that the commands make of the same rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from edge_lasso import LassoClassifier, LassoRegressor
from edge_lasso.errors import DataError
from edge_lasso.estimators.from_sklearn import from_sklearn
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.tables.tables import model_rows
from edge_lasso.training.options import Training
from edge_lasso.training.train_classes import train_classes
from edge_lasso.training.train_table import train_table
from edge_lasso_runtime import dumps, loads

COLUMNS = ["a", "b", "c", "kind"]


def rows(n=900, gaps=0.1):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, n)).round(2)
    kind = rng.choice(["blue", "green", "red"], n)
    y = 3.0 * np.maximum(a - 0.5, 0.0) + b * c + (kind == "red") + 0.1 * rng.normal(size=n)
    table = pd.DataFrame({"a": a, "b": b, "c": c, "kind": kind})
    return table.mask(rng.random(table.shape) < gaps).assign(y=y)


@pytest.mark.parametrize("choices", [
    {"hinges": 4}, {"degree": 2}, {"categorical": ["kind"]}, {"hinges": 3, "degree": 2, "categorical": ["kind"]},
    {"lags": 2},
], ids=["hinges", "degree", "categories", "all", "lags"])  # fmt: skip
def test_the_same_model_as_the_command(choices):
    table = rows()
    columns = COLUMNS if "categorical" in choices else COLUMNS[:3]
    fitted = LassoRegressor(**choices).fit(table[columns], table["y"])
    past = LassoRegressor(lags=choices["lags"])._past() if "lags" in choices else ()
    wanted = {key: value for key, value in choices.items() if key != "lags"}
    model = train_table(table[[*columns, "y"]], "y", Training.of(past=past, sections=[], **wanted)).model
    assert model_term_names(fitted.model_) == model_term_names(model)
    coefs = [[term.coef for term in entry.outputs[0].terms] for entry in (fitted.model_, model)]
    assert coefs[0] == pytest.approx(coefs[1], rel=1e-8)
    defaults = [[i.default or 0.0 for i in entry.inputs] for entry in (fitted.model_, model)]
    assert defaults[0] == pytest.approx(defaults[1], rel=1e-10)
    expected = linear_rows(model, model_rows(table, model))[0][:, 0]
    np.testing.assert_allclose(fitted.predict(table[columns]), expected, rtol=1e-7, atol=1e-7)
    assert len(fitted.coef_) == len(fitted.design_.names)
    assert fitted.n_features_in_ == len(columns)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(table[columns]), fitted.predict(table[columns]))
    assert loads(dumps(fitted.model_)) == fitted.model_


@pytest.mark.long
def test_classes_too():
    table = rows()
    table["state"] = np.where(np.abs(table["a"].fillna(0.0)) > 0.8, "far", "near")
    fitted = LassoClassifier(hinges=3, max_inputs=1).fit(table[COLUMNS[:3]], table["state"])
    assert [feature.name for feature in fitted.model_.inputs] == ["a"]
    assert fitted.predict(pd.DataFrame({"a": [-2.0, 0.0, 2.0], "b": 0.0, "c": 0.0})).tolist() == ["far", "near", "far"]
    model = train_classes(
        table.drop(columns=["y", "kind"]), "state", Training.of(hinges=3, method=TrainOptions(eps=1e-2))
    ).model
    whole = LassoClassifier(hinges=3).fit(table[COLUMNS[:3]], table["state"])
    assert model_term_names(whole.model_) == model_term_names(model)
    categories = LassoClassifier(categorical=["kind"]).fit(table[COLUMNS], table["state"])
    assert categories.predict_proba(table[COLUMNS]).shape == (len(table), 2)
    lagged = LassoClassifier(lags=1).fit(table[COLUMNS[:3]], table["state"])
    assert {"a.lag1", "b.lag1", "c.lag1"} <= set(lagged.design_.names)


def test_categories_by_position_in_an_array():
    table = rows(gaps=0.0)
    frame = LassoRegressor(categorical=["kind"]).fit(table[COLUMNS], table["y"])
    array = LassoRegressor(categorical=[3]).fit(table[COLUMNS].to_numpy(), table["y"])
    np.testing.assert_allclose(array.coef_, frame.coef_)
    np.testing.assert_allclose(array.predict(table[COLUMNS].to_numpy()), frame.predict(table[COLUMNS]))
    assert array.model_.inputs[-1].categories == ("blue", "green", "red")


def test_penalties_signs_and_sensors_are_of_the_features():
    table = rows(gaps=0.0)
    X, y = table[COLUMNS[:3]].to_numpy(), table["y"].to_numpy()
    dear = LassoRegressor(degree=2, penalty=[1.0, 1e6, 1.0]).fit(X, y)
    assert not any("x1" in name and coef for name, coef in zip(dear.design_.names, dear.coef_, strict=True))
    signed = LassoRegressor(hinges=3, signs=[-1, 0, 0]).fit(X, y)
    falling = [coef for name, coef in zip(signed.design_.names, signed.coef_, strict=True) if "x0" in name]
    assert max(falling) <= 0.0
    grouped = LassoRegressor(method="group", sensors=[0, 0, 1], hinges=2, max_inputs=3).fit(X, y)
    assert [feature.name for feature in grouped.model_.inputs] in (["x0", "x1"], ["x0", "x1", "x2"])


def test_weights_several_targets_and_more_columns_than_rows():
    table = rows(gaps=0.0)
    X, y = table[COLUMNS[:3]].to_numpy(), table["y"].to_numpy()
    twice = LassoRegressor(hinges=2, cv=0, select="bic").fit(np.vstack([X, X[:100]]), np.append(y, y[:100]))
    weight = np.where(np.arange(900) < 100, 2.0, 1.0)
    weighted = LassoRegressor(hinges=2, cv=0, select="bic").fit(X, y, weight)
    assert [name for name in twice.design_.names if "max" not in name] == ["x0", "x1", "x2"]
    assert weighted.predict(X) == pytest.approx(twice.predict(X), abs=0.1)
    both = LassoRegressor(hinges=2).fit(X, np.column_stack([y, -y]))
    assert both.predict(X).shape == (900, 2)
    assert both.coef_.shape == (2, len(both.design_.names))
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(150, 100))
    wide = LassoRegressor(hinges=3).fit(Z, 3.0 * np.maximum(Z[:, 0], 0.0) + 0.1 * rng.normal(size=150))
    assert wide.coef_.shape == (400,)
    expected = linear_rows(wide.model_, Z[:, [feature.column for feature in wide.model_.inputs]])[0][:, 0]
    np.testing.assert_allclose(wide.predict(Z), expected, rtol=1e-9, atol=1e-9)


def test_searches_and_clones_take_them():
    table = rows(gaps=0.0)
    search = GridSearchCV(LassoRegressor(select="bic", cv=0), {"hinges": [0, 3], "degree": [1, 2]}, cv=3)
    search.fit(table[COLUMNS[:3]], table["y"])
    assert search.best_params_ == {"degree": 2, "hinges": 3}
    assert clone(search.best_estimator_).get_params()["hinges"] == 3


def test_skops(tmp_path):
    io = pytest.importorskip("skops.io")
    table = rows()
    fitted = LassoRegressor(hinges=2, categorical=["kind"]).fit(table[COLUMNS], table["y"])
    data = io.dumps(fitted)
    kinds = io.get_untrusted_types(data=data)
    assert all(kind.startswith(("edge_lasso.", "edge_lasso_runtime.")) for kind in kinds)
    again = io.loads(data, trusted=kinds)
    np.testing.assert_array_equal(again.predict(table[COLUMNS]), fitted.predict(table[COLUMNS]))


@pytest.mark.parametrize(("choices", "message"), [
    ({"hinges": -1}, "hinges is -1; it is a number of knots"), ({"degree": 3}, "degree is 3; allowed are 1 and 2"),
    ({"hinges": 2, "lags": 2}, "--hinges does not go with inputs from earlier rows"),
    ({"lags": "2:nothing"}, "'nothing'"), ({"lags": 0}, "it is a number of rows from 1 to"),
    ({"categorical": ["colour"]}, "'colour'"),
])  # fmt: skip
def test_what_is_refused(choices, message):
    table = rows()
    with pytest.raises(DataError, match=message):
        LassoRegressor(**choices).fit(table[COLUMNS if "categorical" in choices else COLUMNS[:3]], table["y"])


def test_a_pipeline_around_it_says_what_to_do():
    table = rows(gaps=0.0)
    pipeline = make_pipeline(StandardScaler(), LassoRegressor(hinges=2)).fit(table[COLUMNS[:3]], table["y"])
    with pytest.raises(DataError, match=r"makes columns of its own \(categorical, lags, degree, hinges\)"):
        from_sklearn(pipeline)


@parametrize_with_checks([LassoRegressor(hinges=2), LassoClassifier(degree=2)])
@pytest.mark.long
def test_the_contract_of_scikit_learn_holds(estimator, check):
    check(estimator)
