"""Fitted scikit-learn pipelines become models that predict the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lars,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskLassoCV,
    Ridge,
    RidgeCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from edge_lasso import LassoClassifier, LassoRegressor, from_sklearn
from edge_lasso.errors import DataError
from edge_lasso.predicting.predict_table import linear_rows, link_rows
from edge_lasso_runtime import dumps, loads, predict


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


def transformers():
    """Steps before the estimator, in any order and number."""
    number = st.floats(-3, 3)
    return st.lists(
        st.one_of(
            st.builds(StandardScaler, with_mean=st.booleans(), with_std=st.booleans()),
            st.builds(lambda a, b: MinMaxScaler((a, a + b)), number, st.floats(0.1, 5)),
            st.builds(SimpleImputer, strategy=st.sampled_from(["mean", "median", "most_frequent"])),
            st.builds(lambda fill: SimpleImputer(strategy="constant", fill_value=fill), number),
        ),
        max_size=4,
    )


@settings(max_examples=80)
@given(
    transformers(),
    st.sampled_from(
        [Lasso(0.02), Ridge(), LinearRegression(), ElasticNet(0.05), Ridge(fit_intercept=False, solver="svd")]
    ),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1e3, -1e6]),
)
def test_predicts_as_the_pipeline_on_every_row(steps, last, seed, offset):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 4)) * 10.0 ** rng.integers(-3, 4, size=4) + offset * rng.random(4)
    y = rng.normal(size=40) + X[:, 1] - X[:, 1].mean()
    imputes = any(isinstance(step, SimpleImputer) for step in steps)
    if imputes:
        X[1:][rng.random((39, 4)) < 0.2] = np.nan
    pipeline = make_pipeline(*steps, last).fit(X, y)
    model = from_sklearn(pipeline, X)
    rows = 2.0 * rng.normal(size=(30, 4)) + X[0]
    if imputes:
        rows[rng.random(rows.shape) < 0.3] = np.nan
    truth = pipeline.predict(rows)
    scaled = pipeline[:-1].transform(rows) if steps else rows
    rounded = abs(last.intercept_) + np.abs(scaled) @ np.abs(last.coef_)  # what scikit-learn itself rounds
    for row, wanted, own in zip(rows, truth, rounded, strict=True):
        inputs = [row[one.column] for one in model.inputs]
        filled = [one.default if np.isnan(x) else x for one, x in zip(model.inputs, inputs, strict=True)]
        terms = model.outputs[0].terms
        size = abs(model.outputs[0].intercept) + sum(abs(t.coef * filled[t.factors[0].input]) for t in terms)
        assert abs(predict(model, inputs).linear[0] - wanted) <= 1e-12 * (size + own)


@pytest.mark.long
@pytest.mark.parametrize("last", [Lasso(1.0), ElasticNet(0.1), Ridge(), LinearRegression(), LassoCV(cv=3), RidgeCV(), BayesianRidge(), HuberRegressor(max_iter=500, alpha=10.0), Lars()])  # fmt: skip
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
    several = MultiTaskLassoCV(cv=3).fit(X, np.stack([y, -2.0 * y], axis=1))
    np.testing.assert_allclose(outputs(from_sklearn(several, X), X), several.predict(X), rtol=1e-11)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler((-0.5, 1))], ids=str)
def test_our_own_estimator_knows_ranges_and_defaults(data, scaler):
    X, y = holes(data[0]), data[1]
    pipeline = make_pipeline(scaler, LassoRegressor(max_inputs=4)).fit(X, y)
    model = from_sklearn(pipeline, target_names="progression")
    assert model.outputs[0].name == "progression"
    np.testing.assert_allclose(outputs(model, X)[:, 0], pipeline.predict(X), rtol=1e-11)
    for one in model.inputs:
        seen = X[:, one.column]
        assert [one.low, one.high] == pytest.approx([np.nanmin(seen), np.nanmax(seen)], rel=1e-12)
        assert one.default == pytest.approx(np.nanmean(seen), rel=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.long
def test_our_own_classifier_knows_ranges_and_defaults(classes):
    X, y = load_iris(return_X_y=True)
    X, y = holes(X)[y < classes], np.array(["a", "b", "c"])[y[y < classes]]
    for last in (LassoClassifier(), make_pipeline(StandardScaler(), LassoClassifier())):
        last.fit(X, y)
        model = from_sklearn(last)
        assert model.classes == ("a", "b", "c")[:classes]
        np.testing.assert_allclose(outputs(model, X), last.predict_proba(X)[:, -len(model.outputs) :], rtol=1e-9)
        for one in model.inputs:
            seen = X[:, one.column]
            assert [one.low, one.high] == pytest.approx([np.nanmin(seen), np.nanmax(seen)], rel=1e-12)
            assert one.default == pytest.approx(np.nanmean(seen), rel=1e-12)


def test_an_input_without_gaps_in_the_rows_has_their_mean_as_default(data):
    X, y = data
    model = from_sklearn(Ridge().fit(X, y), holes(X))
    assert [one.default for one in model.inputs] == pytest.approx(np.nanmean(holes(X), axis=0))


def test_rows_in_another_order_of_columns(data):
    import pandas as pd

    frame = pd.DataFrame(data[0], columns=[f"s{j}" for j in range(10)])
    fitted = Ridge().fit(frame, data[1])
    assert from_sklearn(fitted, frame[frame.columns[::-1]]) == from_sklearn(fitted, frame)


@pytest.mark.filterwarnings("ignore:Skipping features")
def test_an_empty_column_is_dropped_by_the_imputer(data):
    X = np.insert(holes(data[0]), 3, np.nan, axis=1)
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), Lasso(0.5)).fit(X, data[1])
    model = from_sklearn(pipeline)
    assert 3 not in [one.column for one in model.inputs]
    np.testing.assert_allclose(outputs(model, X)[:, 0], pipeline.predict(X), rtol=1e-11)


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
    yield (
        make_pipeline(SelectKBest(f_regression), Lasso()).fit(X, y),
        "nothing tells the ranges of the inputs ('x0'); pass the training rows as X",
    )
    yield Lasso().fit(X, y), "nothing tells the ranges of the inputs ('x0'); pass the training rows as X"
    yield PCA().fit(X), "step 'estimator' (PCA): a last step of this kind cannot be folded"
    imputer = SimpleImputer(missing_values=-1)
    yield make_pipeline(imputer, Lasso()).fit(X, y), "missing_values=-1 is a number; mark missing readings as NaN"
    yield Lasso(), "step 'estimator' (Lasso) is not fitted; call fit first"
    one_for_each = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.digitize(y, [100, 200]))
    one_for_each[-1].solver = "liblinear"  # as scikit-learn before 1.8 fitted several classes with it
    yield one_for_each, "one class against the rest, divided by their sum, are no softmax; pass probabilities=False"


@pytest.mark.parametrize("case", range(7))
def test_refuses(data, case):
    estimator, message = list(refusals(*data))[case]
    with pytest.raises(DataError) as caught:
        from_sklearn(estimator)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_names_that_do_not_fit(data):
    fitted = Ridge().fit(*data)
    with pytest.raises(DataError, match="feature_names has 2 names; there must be 10 different ones"):
        from_sklearn(fitted, data[0], feature_names=["a", "b"])
    with pytest.raises(DataError, match="target_names has 2 names; there must be 1"):
        from_sklearn(fitted, data[0], target_names=["a", "b"])
    with pytest.raises(DataError, match="X has values that are no numbers in 'x0'"):
        from_sklearn(fitted, [["a"] * 10])


def test_refuses_rows_of_another_width(data):
    with pytest.raises(DataError, match="was fitted on 10 columns"):
        from_sklearn(Ridge().fit(*data), data[0][:, :3])
