"""How pipelines are folded: never a wrong model, refusals that say why, and what others may add."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor, VotingRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)  # fmt: skip
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)  # fmt: skip

from edge_lasso import LassoRegressor, from_sklearn
from edge_lasso.errors import DataError
from edge_lasso.estimators.folding import registry
from edge_lasso.estimators.folding.columns import scaled
from edge_lasso_runtime import predict

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)) * [1.0, 1e3, 1e-4, 5.0] + [0.0, 1e6, 2.0, -30.0]
Y = (X - X.mean(axis=0)) / X.std(axis=0) @ [1.0, 2.0, 0.5, 0.0] + 0.1 * RNG.normal(size=200)


class Multinomial(LogisticRegression):
    """Two classes as scikit-learn before 1.8 had them: softmax of -z and z."""

    multi_class = "multinomial"

    def predict_proba(self, X):
        z = self.decision_function(X)
        p = 1.0 / (1.0 + np.exp(-2.0 * z))
        return np.stack([1.0 - p, p], axis=1)


class Silent(Multinomial):
    """The same, and nothing says so."""

    multi_class = "auto"


class Rectified(Lasso):
    """Overrides `predict`."""

    def predict(self, X):
        return np.maximum(super().predict(X), 0.0)


class Halves(TransformerMixin, BaseEstimator):
    """A transformer of somebody else."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.asarray(X) / 2.0


def close(model, estimator, rows):
    wanted = estimator.predict(rows)
    columns = list(model.columns)
    records = (
        rows.to_dict("records") if hasattr(rows, "iloc") else [dict(zip(columns, row, strict=True)) for row in rows]
    )
    values = [predict(model, record).values[0] for record in records]
    np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-9 * wanted.std())


def test_two_classes_by_softmax_are_taken_right():
    fitted = make_pipeline(StandardScaler(), Multinomial()).fit(X, Y > 0)
    model = from_sklearn(fitted, X)
    row = dict(zip(model.columns, X[3], strict=True))
    assert predict(model, row).values[0] == pytest.approx(fitted.predict_proba(X[3:4])[0, 1], abs=1e-12)


def test_other_probabilities_than_the_coefficients_say_are_refused():
    with pytest.raises(DataError, match=r"as a probability for row .* it computes something else than a linear model"):
        from_sklearn(make_pipeline(StandardScaler(), Silent()).fit(X, Y > 0), X)


@pytest.mark.parametrize("rows", [X, None], ids=["rows given", "rows drawn"])
def test_a_subclass_that_overrides_predict_is_refused(rows):
    with pytest.raises(DataError, match=r"Pipeline predicts 0 for row .* its coefficients -"):
        from_sklearn(make_pipeline(StandardScaler(), Rectified(0.01)).fit(X, Y), rows)


def test_what_was_compared_is_in_the_provenance():
    compared = from_sklearn(make_pipeline(StandardScaler(), Ridge()).fit(X, Y), X).provenance["compared"]
    assert compared["rows"] >= 200
    assert compared["of"] == "predictions"
    assert 0.0 <= compared["largest_difference"] < 1e-9


def test_a_custom_transformer_is_named_and_can_be_taught():
    fitted = make_pipeline(StandardScaler(), Halves(), Ridge()).fit(X, Y)
    with pytest.raises(DataError, match=r"^step 'halves' \(Halves\): a transformer of this kind cannot be folded"):
        from_sklearn(fitted, X)

    @registry.step(f"{Halves.__module__}.Halves")
    def halves(transformer, columns, fold):
        return columns

    try:
        with pytest.raises(DataError, match="it computes something else"):  # taught wrong: found out
            from_sklearn(fitted, X)
        registry.STEPS[f"{Halves.__module__}.Halves"] = lambda transformer, columns, fold: [
            scaled(column, Decimal("0.5")) for column in columns
        ]
        close(from_sklearn(fitted, X), fitted, X)
    finally:
        del registry.STEPS[f"{Halves.__module__}.Halves"]


def test_a_lambda_is_refused():
    fitted = make_pipeline(FunctionTransformer(lambda x: x + 1.0), Ridge()).fit(X, Y)
    with pytest.raises(
        DataError, match=r"step 'functiontransformer' \(FunctionTransformer\): a lambda can be anything"
    ):
        from_sklearn(fitted, X)
    fitted = make_pipeline(FunctionTransformer(np.log1p), Ridge()).fit(np.abs(X), Y)
    with pytest.raises(DataError, match="log1p is a logarithm, which is no sum of terms; give the column log1p"):
        from_sklearn(fitted, np.abs(X))


def test_what_is_no_linear_model_is_refused():
    forest = make_pipeline(StandardScaler(), RandomForestRegressor(2, random_state=0)).fit(X, Y)
    with pytest.raises(DataError, match=r"step 'randomforestregressor' .* no sum of terms of the inputs"):
        from_sklearn(forest, X)


def test_an_indicator_becomes_a_default():
    holed = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
    fitted = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), Ridge()).fit(holed, Y)
    close(from_sklearn(fitted, holed), fitted, holed)
    two = make_pipeline(SimpleImputer(add_indicator=True), Ridge()).fit(holed, np.stack([Y, -Y * X[:, 0]], axis=1))
    with pytest.raises(DataError, match="its outputs would each need another default where it is missing"):
        from_sklearn(two, holed)


def test_two_imputers_of_one_reading_become_one_default():
    holed = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
    both = make_union(SimpleImputer(), SimpleImputer(strategy="median"))
    fitted = make_pipeline(both, Ridge(1e-3)).fit(holed, Y)
    close(from_sklearn(fitted, holed), fitted, holed)


def test_offsets_cost_no_digits():
    far = X + np.array([1e6, 1e8, 1e4, -1e6])
    fitted = make_pipeline(StandardScaler(), PolynomialFeatures(2), PCA(5), StandardScaler(), Ridge()).fit(X, Y)
    model = from_sklearn(fitted, X)  # squares of readings that are a thousand deviations from zero: six digits go
    assert model.provenance["compared"]["largest_difference"] < 1e-6
    near = X - [0.0, 9e5, 1.9, 0.0]
    fitted = make_pipeline(StandardScaler(), PCA(3), StandardScaler(), Ridge()).fit(near, Y)
    assert from_sklearn(fitted, near).provenance["compared"]["largest_difference"] < 1e-12
    fitted = make_pipeline(StandardScaler(), PolynomialFeatures(3), Ridge()).fit(far, Y)
    with pytest.raises(DataError, match=r"rounding alone could move a prediction by .* of a standard deviation"):
        from_sklearn(fitted, far)


def table():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "flow": rng.normal(size=120) + 5.0,
            "valve": rng.choice(["open", "shut"], 120).astype(object),
            "code": rng.integers(0, 3, 120),
        }
    )


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(drop="first"),
        OneHotEncoder(sparse_output=False, max_categories=2, handle_unknown="infrequent_if_exist"),
        OrdinalEncoder(),
        make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
        make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore")),
    ],
    ids=lambda one: " ".join(str(one).split())[:60],
)
def test_words(encoder):
    frame = table()
    if not isinstance(encoder, OneHotEncoder | OrdinalEncoder) or encoder == "OneHotEncoder(handle_unknown='ignore')":
        frame.loc[frame.index % 7 == 0, "valve"] = np.nan
    target = frame["flow"] + 3.0 * (frame["valve"] == "open") + frame["code"]
    columns = ColumnTransformer([("number", StandardScaler(), ["flow"]), ("word", encoder, ["valve", "code"])])
    if "constant" in str(encoder):
        columns = ColumnTransformer([("number", StandardScaler(), ["flow"]), ("word", encoder, ["valve"])])
    fitted = make_pipeline(columns, Ridge(0.1)).fit(frame, target)
    model = from_sklearn(fitted, frame)
    close(model, fitted, frame)
    assert next(one for one in model.inputs if one.name == "valve").categories is not None


def test_a_number_that_is_encoded_and_taken_as_it_is():
    codes = np.random.default_rng(2).integers(1, 5, size=(150, 1))
    both = make_union(OneHotEncoder(), "passthrough")
    fitted = make_pipeline(both, Ridge()).fit(codes, codes[:, 0] ** 2.0)
    close(from_sklearn(fitted, codes), fitted, codes)


@pytest.mark.slow
def test_a_hundred_thousand_columns_of_one_word():
    words = np.array([f"device {k}" for k in range(100_000)], dtype=object)[:, None]
    target = np.random.default_rng(3).normal(size=len(words))
    chosen = make_pipeline(OneHotEncoder(handle_unknown="ignore"), SelectKBest(f_regression, k=5), Ridge())
    model = from_sklearn(chosen.fit(words, target), words)
    assert len(model.outputs[0].terms) == 5


def test_columns_renamed_or_reordered():
    frame = pd.DataFrame(X, columns=list("abcd"))
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(frame, Y)
    assert from_sklearn(fitted, frame[list("dcba")]) == from_sklearn(fitted, frame)
    with pytest.raises(DataError, match=r"X has no column 'a' \(1 of the estimator's 4 columns are not there\)"):
        from_sklearn(fitted, frame.rename(columns={"a": "A"}))


def test_sparse_rows():
    matrix = sparse.random(150, 6, density=0.3, random_state=0, format="csr")
    y = np.asarray(matrix.sum(axis=1)).ravel() + 0.1 * np.random.default_rng(4).normal(size=150)
    fitted = make_pipeline(StandardScaler(with_mean=False), Ridge()).fit(matrix, y)
    close(from_sklearn(fitted, matrix), fitted, matrix.toarray())


def test_naive_bayes_of_words():
    frame = table()
    labels = np.where((frame["valve"] == "open") ^ (frame["flow"] > 6.0), "up", "down")
    columns = ColumnTransformer([("word", OneHotEncoder(), ["valve", "code"])])
    fitted = make_pipeline(columns, BernoulliNB()).fit(frame, labels)
    model = from_sklearn(fitted, frame)
    got = [predict(model, record).values[0] for record in frame.to_dict("records")]
    np.testing.assert_allclose(got, fitted.predict_proba(frame)[:, 1], atol=1e-9)


def test_weights_of_a_union():
    union = FeatureUnion([("a", StandardScaler()), ("b", PCA(2))], transformer_weights={"a": 2.0, "b": 0.5})
    fitted = make_pipeline(union, LinearRegression()).fit(X, Y)
    close(from_sklearn(fitted, X), fitted, X)


def test_an_unfitted_step_is_named():
    with pytest.raises(DataError, match=r"step 'standardscaler' \(StandardScaler\) is not fitted; call fit first"):
        from_sklearn(make_pipeline(StandardScaler(), Ridge()), X)


def test_frames_of_polars():
    import polars as pl

    frame = pl.DataFrame({name: X[:, j] for j, name in enumerate("abcd")})
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(frame, Y)
    assert from_sklearn(fitted, frame[list("dcba")]).inputs == from_sklearn(fitted, frame).inputs
    with pytest.raises(DataError, match="X has no column 'a'"):
        from_sklearn(fitted, frame.rename({"a": "A"}))


HINGED = {
    "spline": make_pipeline(SplineTransformer(4, degree=1), Ridge()),
    "falling": make_pipeline(
        FunctionTransformer(np.negative), SplineTransformer(4, degree=1, extrapolation="continue"), Ridge()
    ),
    "bins": make_pipeline(StandardScaler(), KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), Ridge()),
    "ordinal": make_pipeline(
        FunctionTransformer(np.negative), KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), Ridge()
    ),
    "threshold": make_pipeline(StandardScaler(), Binarizer(threshold=0.2), Ridge()),
    "clipped": make_pipeline(MinMaxScaler(clip=True), Ridge()),
    "ends": make_pipeline(
        FunctionTransformer(np.clip, kw_args={"a_min": -29.0, "a_max": [2.0, 1e6, 3.0, -27.0]}), Ridge()
    ),
    "size": make_pipeline(FunctionTransformer(np.abs), Ridge()),
    "products": make_pipeline(SplineTransformer(3, degree=1), PolynomialFeatures(2, interaction_only=True), Ridge()),
    "imputed": make_pipeline(SimpleImputer(), SplineTransformer(4, degree=1), Ridge()),
    "ours": make_pipeline(SplineTransformer(5, degree=1), LassoRegressor()),
}


@pytest.mark.parametrize("name", HINGED)
def test_pieces_become_hinges_and_steps(name):
    fitted = HINGED[name].fit(X, np.abs(Y))
    model = from_sklearn(fitted, X)
    assert model.bent
    wide = X.mean(axis=0) + 3.0 * (X[:50] - X.mean(axis=0))
    gaps = np.where(RNG.random(wide.shape) < 0.3, np.nan, wide) if name == "imputed" else wide
    close(model, fitted, gaps)


@pytest.mark.parametrize(
    "last",
    [PoissonRegressor(), GammaRegressor(), TweedieRegressor(power=1.5, link="log")],
    ids=lambda estimator: type(estimator).__name__,
)
def test_counts_and_amounts_have_the_link_exp(last):
    fitted = make_pipeline(StandardScaler(), last).fit(X, np.exp(0.3 * Y))
    model = from_sklearn(fitted, X)
    assert model.outputs[0].link == "exp"
    close(model, fitted, X[:50])
    target = TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp).fit(X[:, :1], np.exp(Y))
    close(from_sklearn(target, X[:, :1]), target, X[:50, :1])


@pytest.mark.parametrize(
    ("fitted", "why"),
    [
        (make_pipeline(SplineTransformer(4), Ridge()), "step 'splinetransformer' .*curve of degree 3.*set degree=1"),
        (
            make_pipeline(PCA(2), SplineTransformer(4, degree=1), Ridge()),
            "'splinetransformer' .*put it before that step",
        ),
        (
            make_pipeline(SplineTransformer(4, degree=1, extrapolation="linear"), Ridge()),
            "not the same for all columns; use 'continue'",
        ),
        (VotingRegressor([("a", PoissonRegressor()), ("b", Ridge())]), "has the link exp, which has to come last"),
    ],
)
def test_pieces_that_are_not_folded_say_why(fitted, why):
    with pytest.raises(DataError, match=why):
        from_sklearn(fitted.fit(X / X.std(axis=0), np.abs(Y)), X)
