"""Imputers: what a column is where its reading is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import ONE, Column, decimals, filled, missing
from edge_lasso.estimators.folding.readings import is_missing
from edge_lasso.estimators.folding.registry import REFUSED, Fold, step

REFUSED.update(
    KNNImputer="it looks rows of the training table up, which a sparse model does not carry; use SimpleImputer",
    IterativeImputer="it estimates in rounds, which is no sum of terms; use SimpleImputer",
)
SEVERAL = "it imputes a column that is made of several readings; impute before that step"


@step("sklearn.impute._base.SimpleImputer")
def simple(imputer: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Each column's own value, and a column for each that says where it was missing."""
    if not is_missing(imputer.missing_values):
        raise fold.refuse(
            imputer, f"missing_values={imputer.missing_values!r} is a number; mark missing readings as NaN in the table"
        )
    values = np.asarray(imputer.statistics_)
    result = []
    for column, value in zip(columns, values, strict=True):
        if is_missing(value):
            if not imputer.keep_empty_features and imputer.strategy != "constant":
                continue
            value = 0.0
        fold.readings.gaps |= column.holes
        raw = column.raw()
        if isinstance(value, str | bool | np.str_):
            if raw is None:
                raise fold.refuse(imputer, "it fills text into a column of numbers")
            if column.holes:
                column = Column(terms={(raw._replace(fill=str(value)),): ONE})
            result.append(column)
            continue
        number = decimals([value])[0]
        full = filled(column, number)
        if full is None:
            raise fold.refuse(imputer, SEVERAL)
        result.append(full)
    if imputer.add_indicator:
        result += indicators(imputer.indicator_, columns, fold)
    return result


@step("sklearn.impute._base.MissingIndicator")
def indicators(indicator: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """1 where a column is missing, else 0."""
    if not is_missing(indicator.missing_values):
        raise fold.refuse(indicator, "missing_values is a number; mark missing readings as NaN in the table")
    result = []
    for j in np.asarray(indicator.features_).tolist():
        holes = columns[j].holes
        if len(holes) > 1:
            raise fold.refuse(indicator, SEVERAL)
        result.append(missing(next(iter(holes))) if holes else Column())
    return result
