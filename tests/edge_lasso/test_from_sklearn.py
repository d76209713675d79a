"""Fitted scikit-learn pipelines become models that predict the same."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from edge_lasso import from_sklearn
from edge_lasso.errors import DataError
from edge_lasso.predict_table import linear_rows, link_rows
from edge_lasso_runtime import dumps, loads


@pytest.fixture(scope="module")
def data():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X, y


def holes(X, seed=0):
    gaps = np.random.default_rng(seed).random(X.shape) < 0.1
    return np.where(gaps, np.nan, X)


def outputs(model, X):
    rows = X[:, [one.column for one in model.inputs]]
    return link_rows(model, linear_rows(model, rows)[0])


@pytest.mark.parametrize("last", [Lasso(1.0), ElasticNet(0.1), Ridge(), LinearRegression(), LassoCV(cv=3), RidgeCV()])
@pytest.mark.parametrize("scalers", [
    (), (StandardScaler(),), (MinMaxScaler(),), (StandardScaler(), MinMaxScaler((-1, 3))),
    (StandardScaler(with_mean=False),), (MinMaxScaler(), StandardScaler(with_std=False)),
], ids=str)  # fmt: skip
def test_regressors(data, last, scalers):
    X, y = data
    pipeline = make_pipeline(*scalers, last).fit(X, y)
    model = from_sklearn(pipeline, X)
    np.testing.assert_allclose(outputs(model, X)[:, 0], pipeline.predict(X), rtol=1e-11)
    assert len(model.inputs) == np.count_nonzero(pipeline[-1].coef_)
    assert loads(dumps(model)) == model


@pytest.mark.parametrize("order", ["imputer first", "scaler first"])
@pytest.mark.parametrize("strategy", ["mean", "median", "constant"])
def test_gaps_are_filled_as_the_imputer_does(data, order, strategy):
    X, y = holes(data[0]), data[1]
    steps = [SimpleImputer(strategy=strategy, fill_value=1.5 if strategy == "constant" else None), StandardScaler()]
    if order == "scaler first":
        steps.reverse()
    pipeline = make_pipeline(*steps, Lasso(0.5)).fit(X, y)
    model = from_sklearn(pipeline, X)
    np.testing.assert_allclose(outputs(model, X)[:, 0], pipeline.predict(X), rtol=1e-11)


def test_binary_logistic(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(X, y > 140)
    model = from_sklearn(pipeline, target_names=["high"])
    assert model.classes == ("False", "True")
    np.testing.assert_allclose(outputs(model, X)[:, 0], pipeline.predict_proba(X)[:, 1], rtol=1e-10)


def test_multinomial_logistic():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=1.0)).fit(X, y)
    model = from_sklearn(pipeline, X)
    assert model.outputs[0].link == "softmax"
    np.testing.assert_allclose(outputs(model, X), pipeline.predict_proba(X), rtol=1e-10)


def test_logistic_cv(data):
    X, y = data
    last = LogisticRegressionCV(Cs=3, cv=3, l1_ratios=(0.0,), scoring="neg_log_loss", use_legacy_attributes=False)
    pipeline = make_pipeline(StandardScaler(), last).fit(X, y > 140)
    np.testing.assert_allclose(outputs(from_sklearn(pipeline), X)[:, 0], pipeline.predict_proba(X)[:, 1], rtol=1e-10)


def test_several_targets(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(X, np.stack([y, -2.0 * y], axis=1))
    model = from_sklearn(pipeline, X, target_names=["a", "b"])
    np.testing.assert_allclose(outputs(model, X), pipeline.predict(X), rtol=1e-11)


def test_ranges_and_names(data):
    import pandas as pd

    X, y = data
    frame = pd.DataFrame(X, columns=[f"s{j}" for j in range(10)])
    model = from_sklearn(make_pipeline(MinMaxScaler(), Ridge()).fit(frame, y))
    assert [one.name for one in model.inputs] == list(frame.columns)
    assert [one.low for one in model.inputs] == pytest.approx(X.min(axis=0))
    assert [one.high for one in model.inputs] == pytest.approx(X.max(axis=0))
    model = from_sklearn(make_pipeline(StandardScaler(), Ridge()).fit(frame, y))
    assert [one.default for one in model.inputs] == pytest.approx(X.mean(axis=0))
    assert "four standard deviations" in model.provenance["ranges"]


def refusals(X, y):
    yield (
        make_pipeline(StandardScaler(), Lasso()),
        "step 'standardscaler' (StandardScaler) is not fitted; call fit first",
    )
    yield make_pipeline(PCA(), Lasso()).fit(X, y), "step 'pca' is PCA; allowed before the estimator are SimpleImputer, "
    yield Lasso().fit(X, y), "nothing tells the ranges of the inputs; pass the training rows as X"
    yield PCA().fit(X), "step 'estimator' is PCA; the last step must be one of "
    yield make_pipeline(MinMaxScaler(clip=True), Lasso()).fit(X, y), "MinMaxScaler(clip=True) cannot be folded"
    imputer = SimpleImputer(add_indicator=True)
    yield make_pipeline(imputer, Lasso()).fit(holes(X), y), "add_indicator=False) can be folded"


@pytest.mark.parametrize("case", range(6))
def test_refuses(data, case):
    estimator, message = list(refusals(*data))[case]
    with pytest.raises(DataError) as caught:
        from_sklearn(estimator)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_rows_of_another_width(data):
    with pytest.raises(DataError, match="was fitted on 10 columns"):
        from_sklearn(Ridge().fit(*data), data[0][:, :3])
