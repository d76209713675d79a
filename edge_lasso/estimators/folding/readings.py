"""What a pipeline tells about its raw inputs: their names, categories, means and ranges."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.columns import ONE, Column, Part

DEVIATIONS = 4.0
"""Around the mean, where a pipeline knows a standard deviation alone."""


def label(category: Any) -> str:
    """A category as a model names it."""
    return str(category.item() if isinstance(category, np.generic) else category)


def is_missing(value: Any) -> bool:
    """Whether a value marks a missing reading: None, NaN, pandas' NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return bool(isinstance(value, float | np.floating) and np.isnan(value))


class Readings:
    """The raw inputs.

    Parameters
    ----------
    names : sequence of str

    Attributes
    ----------
    categories : list of dict
        Label to position, for each input; empty for a number.
    values : list of list
        The categories themselves.
    mean, low, high : list of float or None
        As transformers learned them; of the first that knows.
    gaps : set of int
        Inputs whose missing readings a step replaces.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        count = len(self.names)
        self.categories: list[dict[str, int]] = [{} for _ in range(count)]
        self.values: list[list[Any]] = [[] for _ in range(count)]
        self.mean: list[float | None] = [None] * count
        self.low: list[float | None] = [None] * count
        self.high: list[float | None] = [None] * count
        self.seen = [False] * count
        self.gaps: set[int] = set()

    def columns(self) -> list[Column]:
        """Each input as it is read."""
        return [Column(terms={(Part(j),): ONE}, holes=frozenset([j])) for j in range(len(self.names))]

    def category(self, place: int, value: Any) -> int:
        """The position of a category among those of an input; a new one is added."""
        known = self.categories[place]
        name = label(value)
        if name in known and type(self.values[place][known[name]]) is not type(value):
            raise DataError(f"input '{self.names[place]}' has two categories that are written {name!r}")
        if name not in known:
            known[name] = len(known)
            self.values[place].append(value)
        return known[name]

    def learn(self, column: Column, mean: Any = None, low: Any = None, high: Any = None, deviation: Any = None) -> None:
        """Note what a transformer knows about a column, if the column is one reading, scaled.

        Ends that were seen count more than those from a standard deviation.
        """
        alone = column.affine()
        if alone is None or not alone[1]:
            return
        part, coef = alone

        def raw(value: Any) -> float:
            return float((Decimal(float(value)) - column.constant) / coef)

        place = part.input
        if mean is not None and np.isfinite(mean) and self.mean[place] is None:
            self.mean[place] = raw(mean)
        if deviation is not None and low is None and self.low[place] is None:
            low, high = mean - DEVIATIONS * deviation, mean + DEVIATIONS * deviation
            self._ends(place, raw(low), raw(high))
        elif deviation is None and low is not None and not self.seen[place] and np.isfinite([low, high]).all():
            self._ends(place, raw(low), raw(high))
            self.seen[place] = True

    def _ends(self, place: int, one_end: float, other: float) -> None:
        if np.isfinite([one_end, other]).all():
            self.low[place], self.high[place] = min(one_end, other), max(one_end, other)
