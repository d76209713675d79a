"""`LassoRegressor` and `LassoClassifier`: they take missing readings, and know the ranges of what they read."""

from __future__ import annotations

from typing import Any

from edge_lasso.estimators.folding.columns import Column, decimals, filled
from edge_lasso.estimators.folding.imputing import SEVERAL
from edge_lasso.estimators.folding.registry import Fold, Head, head
from edge_lasso.estimators.folding.regressors import linear


@head("edge_lasso.estimators.regressor.LassoRegressor", "edge_lasso.estimators.classifier.LassoClassifier")
def lasso(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Coefficients of columns whose gaps are their training means."""
    if len(estimator.design_.terms) != len(columns):
        why = "makes columns of its own (categorical, lags, degree, hinges); export its model_"
        raise fold.refuse(estimator, why)
    for feature in estimator.model_.inputs:
        fold.readings.learn(columns[feature.column], low=feature.low, high=feature.high)
    full = []
    for column, mean in zip(columns, decimals(estimator.feature_means_), strict=True):
        whole = filled(column, mean)
        if whole is None:
            raise fold.refuse(estimator, SEVERAL)
        fold.readings.gaps |= column.holes
        full.append(whole)
    return Head(linear(full, estimator.coef_, estimator.intercept_), getattr(estimator, "classes_", None))
