"""Selectors: some of the columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import Column
from edge_lasso.estimators.folding.registry import Fold, Head, head, step


@step("sklearn.feature_selection._base.SelectorMixin")
def select(selector: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """The columns that it supports."""
    return [columns[j] for j in selector.get_support(indices=True)]


@head("sklearn.feature_selection._rfe.RFE")
def eliminated(selector: Any, columns: list[Column], fold: Fold) -> Head:
    """What its own estimator predicts from the columns that are left."""
    return fold.head("estimator", selector.estimator_, select(selector, columns, fold))


@step("sklearn.cluster._agglomerative.FeatureAgglomeration")
def agglomerate(clusters: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """The means of clusters of columns."""
    from edge_lasso.estimators.folding.columns import combine, decimals

    if clusters.pooling_func is not np.mean:
        raise fold.refuse(clusters, "only pooling_func=np.mean is a sum of terms")
    result = []
    for label in np.unique(clusters.labels_):
        members = [columns[j] for j in np.flatnonzero(clusters.labels_ == label)]
        (part,) = decimals([len(members)])
        result.append(combine([1 / part] * len(members), members))
    return result
