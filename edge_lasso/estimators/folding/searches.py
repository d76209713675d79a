"""Fitted searches: the best estimator."""

from __future__ import annotations

from typing import Any

from edge_lasso.estimators.folding.columns import Column
from edge_lasso.estimators.folding.registry import Fold, Head, head, step


@head("sklearn.model_selection._search.BaseSearchCV")
def best(search: Any, columns: list[Column], fold: Fold) -> Head:
    """What it found best, fitted on all rows."""
    if not hasattr(search, "best_estimator_"):
        raise fold.refuse(search, "refit=False keeps no estimator; fit it with refit=True")
    return fold.head("best_estimator_", search.best_estimator_, columns)


@step("sklearn.model_selection._search.BaseSearchCV")
def best_step(search: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """The same of a transformer."""
    return fold.step("best_estimator_", search.best_estimator_, columns)
