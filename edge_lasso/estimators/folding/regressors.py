"""Linear regressors: coefficients of the columns that reach them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import Column, combine, decimals
from edge_lasso.estimators.folding.projecting import project
from edge_lasso.estimators.folding.registry import REFUSED, Fold, Head, head
from edge_lasso.estimators.folding.scores import scores

TREES = (
    "its predictions are no sum of terms of the inputs; fit a linear one, LassoRegressor or LassoClassifier for example"
)
KERNEL = "only kernel='linear' is a sum of terms of the inputs; fit it with that, or a linear estimator"

REFUSED.update(
    dict.fromkeys(
        (
            "BaseForest", "BaseDecisionTree", "BaseGradientBoosting", "BaseHistGradientBoosting", "KNeighborsMixin",
            "BaseMultilayerPerceptron", "RadiusNeighborsMixin", "GaussianProcessRegressor", "IsotonicRegression",
            "GaussianProcessClassifier", "BaseWeightBoosting", "QuadraticDiscriminantAnalysis", "GaussianNB",
            "BaseLabelPropagation", "CategoricalNB",
        ),
        TREES,
    )
)  # fmt: skip


LINKS = {"IdentityLink": "identity", "LogLink": "exp"}


def linear(columns: list[Column], coef: Any, intercept: Any) -> list[Column]:
    """``coef @ columns + intercept`` for each row of `coef`."""
    coef = coef.toarray() if hasattr(coef, "toarray") else np.atleast_2d(np.asarray(coef, dtype=np.float64))
    shifts = decimals(np.broadcast_to(np.asarray(intercept, dtype=np.float64).ravel(), (len(coef),)))
    return [combine(decimals(row), columns, shift) for row, shift in zip(coef, shifts, strict=True)]


@head("coefficients")
def coefficients(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Any estimator that has `coef_` and `intercept_`: scikit-learn's, and those of skglm, celer, glmnet."""
    coef = estimator.coef_
    if np.shape(coef)[-1] != len(columns):
        raise fold.refuse(estimator, f"it has {np.shape(coef)[-1]} coefficients for {len(columns)} columns")
    outputs = linear(columns, coef, getattr(estimator, "intercept_", 0.0))
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return Head(outputs)
    return scores(estimator, outputs, fold)


@head("sklearn.linear_model._glm.glm._GeneralizedLinearRegressor")
def generalized(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Counts and amounts: with the link 'log' the prediction is e to the power of a sum of terms."""
    outputs = coefficients(estimator, columns, fold).outputs
    kind = type(estimator._base_loss.link).__name__
    if kind not in LINKS:
        raise fold.refuse(estimator, f"its link is {kind}; known are identity and log")
    return Head(outputs, link=LINKS[kind])


@head("sklearn.svm._base.BaseLibSVM")
def support(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Support vectors with a linear kernel."""
    if estimator.kernel != "linear":
        raise fold.refuse(estimator, KERNEL)
    if len(getattr(estimator, "classes_", ())) > 2:
        raise fold.refuse(
            estimator, "its classes are voted for two by two; use LinearSVC, whose scores are sums of terms"
        )
    if getattr(estimator, "probability", False):
        raise fold.refuse(
            estimator, "probability=True calibrates on other folds' fits; use probability=False for labels"
        )
    return coefficients(estimator, columns, fold)


@head("sklearn.kernel_ridge.KernelRidge")
def kernel_ridge(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Ridge regression in its dual form, with a linear kernel."""
    if estimator.kernel != "linear":
        raise fold.refuse(estimator, KERNEL)
    dual = np.asarray(estimator.dual_coef_)
    coef = dual.T @ np.asarray(
        estimator.X_fit_ if not hasattr(estimator.X_fit_, "toarray") else estimator.X_fit_.toarray()
    )
    return Head(linear(columns, coef, 0.0))


@head("sklearn.linear_model._ransac.RANSACRegressor")
def consensus(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """The estimator that was fitted on the inliers."""
    return fold.head("estimator", estimator.estimator_, columns)


@head("sklearn.cross_decomposition._pls._PLS")
def partial(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Partial least squares: the inputs' means go off first."""
    for column, mean, deviation in zip(columns, estimator._x_mean, estimator._x_std, strict=True):
        fold.readings.learn(column, mean=mean, deviation=float(deviation) if estimator.scale else None)
    return Head(project(columns, estimator.coef_, estimator._x_mean, shift=np.ravel(estimator.intercept_)))


@head("sklearn.dummy.DummyRegressor")
def constant(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """The same for every row."""
    return Head([Column(value) for value in decimals(estimator.constant_)])


@head("RegressionResultsWrapper", "RegressionResults", "RegularizedResults", "RegularizedResultsWrapper")
def statsmodels(results: Any, columns: list[Column], fold: Fold) -> Head:
    """Results of statsmodels, of least squares; a column of ones is the constant."""
    params = dict(zip(results.model.exog_names, decimals(results.params), strict=True))
    constants = [params.pop(name, Decimal(0)) for name in ("const", "Intercept")]
    names = fold.readings.names
    if set(params) - set(names):
        if len(params) != len(names):
            raise fold.refuse(results, f"its parameters are {', '.join(params)}; the inputs are {', '.join(names)}")
        ordered = list(params.values())
    else:
        ordered = [params.get(name, Decimal(0)) for name in names]
    return Head([combine(ordered, columns, sum(constants, Decimal(0)))])
