"""Every linear estimator of scikit-learn, in its variants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pipeline_cases import named, scaled
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import BaggingRegressor, StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.feature_selection import RFE, RFECV
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    RANSACRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR

from edge_lasso import LassoClassifier, LassoRegressor

Make = Callable[[], Any]


def regressors() -> Iterator[tuple[str, str, Make]]:
    """Name, which target, and how to make it."""
    plain = [
        ARDRegression(), BayesianRidge(), ElasticNet(0.05), ElasticNetCV(cv=3), HuberRegressor(max_iter=1000), Lars(),
        LarsCV(cv=3), Lasso(0.1), Lasso(0.1, positive=True), Lasso(0.1, fit_intercept=False), LassoCV(cv=3),
        LassoLars(0.01), LassoLarsCV(cv=3), LassoLarsIC(), LinearRegression(), LinearRegression(positive=True),
        LinearRegression(fit_intercept=False), LinearSVR(max_iter=5000), LinearSVR(loss="squared_epsilon_insensitive"),
        OrthogonalMatchingPursuit(n_nonzero_coefs=3), OrthogonalMatchingPursuitCV(cv=3), PLSRegression(2),
        PLSRegression(2, scale=False), QuantileRegressor(alpha=0.01), RANSACRegressor(random_state=0), Ridge(),
        Ridge(solver="svd"), Ridge(solver="lsqr"), Ridge(solver="saga"), Ridge(positive=True), RidgeCV(),
        SGDRegressor(), SGDRegressor(loss="huber"), SGDRegressor(loss="epsilon_insensitive"),
        SVR(kernel="linear"), NuSVR(kernel="linear"), KernelRidge(kernel="linear"),
        TheilSenRegressor(random_state=0, max_subpopulation=500),
        TweedieRegressor(power=0), DummyRegressor(), LassoRegressor(), LassoRegressor(max_inputs=2, method="omp"),
        VotingRegressor([("a", Ridge()), ("b", Lasso(0.1))], weights=[1, 2]),
        BaggingRegressor(Ridge(), 5, max_features=0.7, random_state=0),
        StackingRegressor([("a", Ridge()), ("b", Lasso(0.1))], RidgeCV(), passthrough=True),
        TransformedTargetRegressor(Ridge(), transformer=StandardScaler()), TransformedTargetRegressor(Ridge()),
        GridSearchCV(Lasso(), {"alpha": [0.1, 1.0]}, cv=3),
        RandomizedSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, n_iter=2, cv=3, random_state=0),
        RFE(Ridge(), n_features_to_select=3), RFECV(Lasso(0.1), cv=3),
    ]  # fmt: skip
    for each in plain:
        yield named(each), "one", lambda each=each: scaled(each)
    for each in (
        MultiTaskElasticNet(0.05), MultiTaskElasticNetCV(cv=3), MultiTaskLasso(0.05), MultiTaskLassoCV(cv=3), Ridge(),
        LinearRegression(), Lasso(0.1), PLSRegression(2), PLSCanonical(2), CCA(2), LassoRegressor(),
        MultiOutputRegressor(Lasso(0.1)), RegressorChain(Ridge(), order=[1, 0]),
    ):  # fmt: skip
        yield f"{named(each)}, 2 targets", "two", lambda each=each: scaled(each)
    for each in (
        PoissonRegressor(), GammaRegressor(), TweedieRegressor(power=1.5, link="log"),
        TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
    ):  # fmt: skip
        yield named(each), "positive", lambda each=each: scaled(each)


def classifiers() -> Iterator[tuple[str, Make]]:
    """Name, and how to make it; each is fitted on two classes and on three."""
    linear = LogisticRegression(C=0.5)
    for each in (
        LogisticRegression(), LogisticRegression(solver="saga", max_iter=2000), LogisticRegression(solver="newton-cg"),
        LogisticRegressionCV(Cs=3, cv=3, l1_ratios=(0.0,), scoring="neg_log_loss", use_legacy_attributes=False),
        LinearDiscriminantAnalysis(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), LinearSVC(),
        LinearSVC(loss="hinge", max_iter=10000), Perceptron(), RidgeClassifier(), RidgeClassifierCV(),
        SGDClassifier(random_state=0), SGDClassifier(loss="log_loss", random_state=0),
        SGDClassifier(loss="modified_huber", random_state=0), OneVsRestClassifier(linear),
        OneVsRestClassifier(LinearSVC()), CalibratedClassifierCV(LinearSVC(), ensemble=False), NearestCentroid(),
        StackingClassifier([("a", linear), ("b", LinearSVC())], stack_method="decision_function"), LassoClassifier(),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3), SelfTrainingClassifier(linear),
    ):  # fmt: skip
        yield named(each), lambda each=each: scaled(each)


def counting() -> Iterator[tuple[str, Make]]:
    """Classifiers of counts."""
    for each in (MultinomialNB(), ComplementNB()):
        yield named(each), lambda each=each: each


def refused() -> Iterator[tuple[str, str, Make]]:
    """What is not linear, or not one score: refused by name."""
    linear = LogisticRegression()
    for kind, each in (
        ("classes", SVC(kernel="linear")), ("classes", NuSVC(kernel="linear", nu=0.3)), ("binary", SVC()),
        ("classes", OneVsOneClassifier(linear)), ("binary", CalibratedClassifierCV(LinearSVC())),
        ("binary", VotingClassifier([("a", linear), ("b", LogisticRegression(C=0.1))], voting="soft")),
        ("binary", FixedThresholdClassifier(linear, threshold=0.3)), ("binary", BernoulliNB(binarize=0.0)),
    ):  # fmt: skip
        yield named(each), kind, lambda each=each: scaled(each)
