"""Ranges and defaults of the inputs: from rows, or from what the pipeline learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.readings import Readings, is_missing
from edge_lasso.estimators.folding.rows import Rows

LEARNED = "what the pipeline learned (a StandardScaler: four standard deviations around the mean)"


@dataclass(frozen=True)
class Range:
    """Of a number: what it is without a reading, and the ends of what was seen."""

    default: float
    low: float
    high: float


def numeric_range(place: int, readings: Readings, rows: Rows | None, fill: Decimal | None) -> Range:
    """The range of an input that is a number.

    Raises
    ------
    DataError
        Nothing tells it.
    """
    low, high, mean = readings.low[place], readings.high[place], readings.mean[place]
    if rows is not None:
        seen = rows.numbers(place)
        if np.isnan(seen).sum() > sum(map(is_missing, rows.column(place).tolist())):
            raise DataError(
                f"X has values that are no numbers in '{readings.names[place]}'; the pipeline takes numbers"
            )
        seen = seen[np.isfinite(seen)]
        if len(seen):
            low, high, mean = float(seen.min()), float(seen.max()), float(seen.mean())
    default = float(fill) if fill is not None else mean
    if low is None or high is None:
        raise DataError(
            f"nothing tells the ranges of the inputs ('{readings.names[place]}'); pass the training rows as X"
        )
    if default is None:
        default = low / 2.0 + high / 2.0
    if fill is None:
        default = min(max(default, low), high)
    return Range(default, min(low, default), max(high, default))


def ranges(
    used: set[int], readings: Readings, rows: Rows | None, fills: Mapping[int, Decimal]
) -> tuple[list[Range | None], str]:
    """The ranges of the numbers that are used, and where they are from."""
    result = [
        numeric_range(place, readings, rows, fills.get(place)) if place in used and not readings.values[place] else None
        for place in range(len(readings.names))
    ]
    return result, LEARNED if rows is None else "training rows"
