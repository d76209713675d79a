"""Steps and estimators made of others: pipelines, unions, columns apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import Column
from edge_lasso.estimators.folding.registry import Fold, Head, head, step


@step("sklearn.pipeline.Pipeline")
def chain(pipeline: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """One step after another."""
    for name, transformer in pipeline.steps:
        columns = fold.step(name, transformer, columns)
    return columns


@head("sklearn.pipeline.Pipeline")
def ending(pipeline: Any, columns: list[Column], fold: Fold) -> Head:
    """One step after another, and an estimator."""
    for name, transformer in pipeline.steps[:-1]:
        columns = fold.step(name, transformer, columns)
    return fold.head(pipeline.steps[-1][0], pipeline.steps[-1][1], columns)


@step("sklearn.pipeline.FeatureUnion")
def union(whole: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Several transformers of the same columns, side by side."""
    result = []
    for name, transformer in whole.transformer_list:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        weight = (whole.transformer_weights or {}).get(name, 1.0)
        output = fold.step(name, transformer, columns)
        result += output if weight == 1.0 else _weighted(output, weight)
    return result


def _weighted(columns: list[Column], weight: float) -> list[Column]:
    from edge_lasso.estimators.folding.columns import decimals, scaled

    return [scaled(column, decimals([weight])[0]) for column in columns]


@step("sklearn.compose._column_transformer.ColumnTransformer")
def apart(whole: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Transformers of some columns each, side by side."""
    result = []
    names = [str(name) for name in getattr(whole, "feature_names_in_", [])]
    for name, transformer, chosen in whole.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        places = _places(chosen, names, len(columns))
        if not places:
            continue
        output = fold.step(name, transformer, [columns[j] for j in places])
        weight = (whole.transformer_weights or {}).get(name, 1.0)
        result += output if weight == 1.0 else _weighted(output, weight)
    return result


def _places(chosen: Any, names: list[str], width: int) -> list[int]:
    """Positions of columns given by name, position, slice or mask."""
    if isinstance(chosen, slice):
        ends = [names.index(end) if isinstance(end, str) else end for end in (chosen.start, chosen.stop)]
        last = ends[1] + 1 if isinstance(chosen.stop, str) else ends[1]  # a slice of names has its end in it
        return list(range(width))[slice(ends[0], last, chosen.step)]
    if isinstance(chosen, str | int | np.integer):
        chosen = [chosen]
    chosen = list(chosen)
    if chosen and all(isinstance(place, bool | np.bool_) for place in chosen):
        return np.flatnonzero(chosen).tolist()
    return [names.index(place) if isinstance(place, str) else int(place) % width for place in chosen]


@step("sklearn.frozen._frozen.FrozenEstimator")
def frozen(whole: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """The transformer inside."""
    return fold.step("estimator", whole.estimator, columns)


@head("sklearn.frozen._frozen.FrozenEstimator")
def frozen_head(whole: Any, columns: list[Column], fold: Fold) -> Head:
    """The estimator inside."""
    return fold.head("estimator", whole.estimator, columns)
