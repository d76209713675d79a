"""Pipelines as people write them: on arrays of numbers, and on tables with gaps and words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pipeline_cases import named
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingRegressor, StackingRegressor, VotingRegressor
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
    f_classif,
    f_regression,
)
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    RidgeCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection
from sklearn.svm import SVR, LinearSVC

from edge_lasso import LassoRegressor

Make = Callable[[], Any]
NUMBERS = ["temperature", "vibration", "pressure", "flow", "level", "current"]
WORDS = ["valve", "site"]


def on_numbers() -> Iterator[tuple[str, str, Make]]:
    """Of six columns of numbers; with gaps where the name has an imputer."""
    steps: list[tuple[str, list[Any]]] = [
        ("one", [StandardScaler(), LassoCV(cv=3)]),
        ("one", [StandardScaler(), RidgeCV()]),
        ("one", [MinMaxScaler(), LinearRegression()]),
        ("one", [MaxAbsScaler(), Lasso(0.01)]),
        ("one", [RobustScaler(), ElasticNetCV(cv=3)]),
        ("one", [StandardScaler(), SVR(kernel="linear")]),
        ("one", [StandardScaler(), PolynomialFeatures(2), Lasso(0.1, max_iter=5000)]),
        ("one", [StandardScaler(), PolynomialFeatures(2, interaction_only=True, include_bias=False), Ridge()]),
        ("one", [MinMaxScaler(), PolynomialFeatures(3), Ridge()]),
        ("one", [StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), LassoCV(cv=3)]),
        ("one", [StandardScaler(), PCA(3), LinearRegression()]),
        ("one", [StandardScaler(), PCA(0.9, whiten=True), Ridge()]),
        ("one", [StandardScaler(), TruncatedSVD(3, random_state=0), Ridge()]),
        ("one", [StandardScaler(), PLSRegression(3)]),
        ("one", [StandardScaler(), FactorAnalysis(2), LinearRegression()]),
        ("one", [StandardScaler(), FastICA(3, random_state=0, whiten="unit-variance"), LinearRegression()]),
        ("one", [StandardScaler(), GaussianRandomProjection(3, random_state=0), LinearRegression()]),
        ("one", [VarianceThreshold(1e-6), StandardScaler(), Ridge()]),
        ("one", [StandardScaler(), SelectKBest(f_regression, k=3), LinearRegression()]),
        ("one", [StandardScaler(), SelectPercentile(f_regression, percentile=50), Lasso(0.1)]),
        ("one", [StandardScaler(), SelectFromModel(Lasso(0.5)), LinearRegression()]),
        ("one", [StandardScaler(), RFE(Ridge(), n_features_to_select=3), BayesianRidge()]),
        ("one", [StandardScaler(), SequentialFeatureSelector(Ridge(), n_features_to_select=2, cv=3), Ridge()]),
        ("one", [SimpleImputer(), StandardScaler(), LassoCV(cv=3)]),
        ("one", [SimpleImputer(strategy="median"), RobustScaler(), HuberRegressor(max_iter=1000)]),
        ("one", [SimpleImputer(strategy="most_frequent"), StandardScaler(), Ridge()]),
        ("one", [SimpleImputer(strategy="constant", fill_value=0.0), StandardScaler(), Ridge()]),
        ("one", [SimpleImputer(add_indicator=True), StandardScaler(), Ridge()]),
        ("one", [StandardScaler(), SimpleImputer(), PolynomialFeatures(2), Lasso(0.1, max_iter=5000)]),
        ("one", [make_union(SimpleImputer(), MissingIndicator(features="all")), Ridge()]),
        ("one", [make_union(PCA(2), SelectKBest(f_regression, k=2)), StandardScaler(), Ridge()]),
        ("one", [FeatureUnion([("all", "passthrough"), ("squares", PolynomialFeatures(2, include_bias=False))]),
                 StandardScaler(), Lasso(0.1, max_iter=5000)]),
        ("one", [FunctionTransformer(), StandardScaler(), Ridge()]),
        ("one", [StandardScaler(), make_union(FunctionTransformer(), FunctionTransformer(np.square)), Ridge()]),
        ("one", [StandardScaler(), "passthrough", Ridge()]),
        ("one", [make_pipeline(StandardScaler(), PCA(4)), make_pipeline(StandardScaler(), Ridge())]),
        ("one", [StandardScaler(), VotingRegressor([("a", Ridge()), ("b", Lasso(0.1))])]),
        ("one", [StandardScaler(), StackingRegressor([("a", Ridge()), ("b", Lasso(0.1))], Ridge(), cv=3)]),
        ("one", [StandardScaler(), BaggingRegressor(Lasso(0.1), 5, random_state=0)]),
        ("one", [StandardScaler(), LassoRegressor(max_inputs=3)]),
        ("two", [StandardScaler(), MultiOutputRegressor(Ridge())]),
        ("two", [StandardScaler(), PolynomialFeatures(2), Ridge()]),
        ("binary", [StandardScaler(), LogisticRegression()]),
        ("binary", [StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=2000)]),
        ("binary", [StandardScaler(), PCA(3), LogisticRegression()]),
        ("binary", [StandardScaler(), SelectKBest(f_classif, k=3), LinearSVC()]),
        ("binary", [StandardScaler(), CalibratedClassifierCV(LinearSVC(), ensemble=False)]),
        ("classes", [SimpleImputer(), StandardScaler(), LogisticRegression()]),
        ("classes", [StandardScaler(), LinearDiscriminantAnalysis(n_components=2), LogisticRegression()]),
        ("classes", [StandardScaler(), SGDClassifier(random_state=0)]),
        ("one", [KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), Ridge()]),
        ("one", [StandardScaler(), SplineTransformer(4, degree=1), Ridge()]),
        ("one", [StandardScaler(), Binarizer(), Ridge()]),
        ("one", [Normalizer(), Ridge()]),
        ("one", [QuantileTransformer(n_quantiles=20), Ridge()]),
        ("one", [PowerTransformer(), Ridge()]),
    ]  # fmt: skip
    for kind, each in steps:
        yield " + ".join(map(named, each)), kind, lambda each=each: make_pipeline(*each)
    search = GridSearchCV(make_pipeline(StandardScaler(), Lasso()), {"lasso__alpha": [0.1, 1.0]}, cv=3)
    yield "GridSearchCV(StandardScaler, Lasso)", "one", lambda: search
    target = TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge()), transformer=MinMaxScaler())
    yield "TransformedTargetRegressor(StandardScaler, Ridge; MinMaxScaler)", "one", lambda: target


def on_frames() -> Iterator[tuple[str, str, Make]]:
    """Of a table with gaps, words and a numbered mode."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    both = ColumnTransformer([("numbers", numbers, NUMBERS), ("words", words, WORDS)])
    by_kind = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("words", words, make_column_selector(dtype_include=object)),
        ]
    )
    column_transformer = ColumnTransformer([("numbers", numbers, NUMBERS)], remainder="drop")
    rest = ColumnTransformer(
        [("numbers", numbers, slice("temperature", "current")), ("words", words, WORDS)], remainder="passthrough"
    )
    dropped = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("words", OneHotEncoder(drop="first", handle_unknown="ignore"), WORDS)]
    )
    rare = ColumnTransformer(
        [("n", numbers, NUMBERS), ("w", OneHotEncoder(min_frequency=0.17, handle_unknown="infrequent_if_exist"), WORDS)]
    )
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    ranks = ColumnTransformer([("numbers", numbers, NUMBERS), ("words", ordinal, WORDS)])
    means = ColumnTransformer([("numbers", numbers, NUMBERS), ("words", TargetEncoder(random_state=0), WORDS)])
    modes = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("mode", OneHotEncoder(handle_unknown="ignore"), ["mode"])]
    )
    crossed = make_pipeline(both, PolynomialFeatures(2, interaction_only=True), VarianceThreshold())
    ranked = make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder(), StandardScaler())
    scaled = ColumnTransformer([("numbers", numbers, NUMBERS), ("words", ranked, WORDS)])
    framed = ColumnTransformer([("n", numbers, NUMBERS), ("rest", "passthrough", ["mode"])]).set_output(
        transform="pandas"
    )
    for name, kind, steps in (
        ("ColumnTransformer(imputer + scaler, imputer + OneHot), Lasso", "one", [both, Lasso(0.1)]),
        ("ColumnTransformer by dtype, Ridge", "one", [by_kind, Ridge()]),
        ("ColumnTransformer remainder=drop, ElasticNet", "one", [column_transformer, ElasticNet(0.1)]),
        ("ColumnTransformer remainder=passthrough, slices, Ridge", "one", [rest, Ridge()]),
        ("OneHot drop=first, Ridge", "one", [dropped, Ridge()]),
        ("OneHot infrequent, Ridge", "one", [rare, Ridge()]),
        ("OrdinalEncoder, Ridge", "one", [ranks, Ridge()]),
        ("TargetEncoder, Ridge", "one", [means, Ridge()]),
        ("OneHot of a number, Ridge", "one", [modes, Ridge()]),
        ("ColumnTransformer, interactions, Lasso", "one", [crossed, Lasso(0.1, max_iter=5000)]),
        ("OrdinalEncoder, scaled, LinearRegression", "one", [scaled, LinearRegression()]),
        ("set_output(pandas), Ridge", "one", [framed, Ridge()]),
        ("ColumnTransformer, LogisticRegression", "binary", [both, LogisticRegression()]),
        ("ColumnTransformer, LogisticRegression, 3 classes", "classes", [both, LogisticRegression()]),
        ("ColumnTransformer, RidgeClassifier", "binary", [both, RidgeClassifier()]),
        (
            "ColumnTransformer, SelectKBest, LassoRegressor",
            "one",
            [both, SelectKBest(f_regression, k=5), LassoRegressor()],
        ),
        ("ColumnTransformer, TruncatedSVD, Ridge", "one", [both, TruncatedSVD(4, random_state=0), Ridge()]),
    ):
        yield name, kind, lambda steps=steps: make_pipeline(*steps)
    search = RandomizedSearchCV(
        Pipeline([("columns", both), ("ridge", Ridge())]), {"ridge__alpha": [0.1, 1.0]}, n_iter=2, cv=3, random_state=0
    )
    yield "RandomizedSearchCV(ColumnTransformer, Ridge)", "one", lambda: search
