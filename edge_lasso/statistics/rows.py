"""Rows as they arrive: checked numbers, weights, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
SHIFT_ROWS = 1000
"""A shift is the mean of at most this many readings at the start."""
FOLD = 8
"""Rows laid side by side for minimum and maximum, so that the inner loop of the reduction is long."""


def check_weight(sample_weight: Any, n: int) -> Array | None:
    """Sample weights as float64, or the `DataError` that says what is wrong with them."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,):
        raise DataError(f"sample_weight has shape {weight.shape}; it must be ({n},), one weight a row")
    if not (np.isfinite(weight).all() and (weight >= 0.0).all()):
        raise DataError("sample_weight has negative or non-finite values; weights must be 0 or larger")
    return weight


def numbers(data: Any, name: str) -> Array:
    """Data as floating point, float32 as it is; or the `DataError` that says what to do."""
    array = np.asarray(data)
    if array.dtype in (np.float64, np.float32):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} has values that are not numbers; encode categories as indicator columns") from None


def seen(column: Array) -> Array:
    """The readings of a column that count: neither missing nor beyond the limit."""
    values = np.asarray(column, dtype=np.float64)
    return values[np.abs(values) <= READING_LIMIT]


def extremes(z: Array) -> tuple[Array, Array]:
    """Minimum and maximum per column; NaN where there is one."""
    n, width = z.shape
    if not z.flags.c_contiguous or n < FOLD:
        return z.min(axis=0, initial=np.inf), z.max(axis=0, initial=-np.inf)
    whole = n // FOLD * FOLD
    wide = z[:whole].reshape(whole // FOLD, FOLD * width)
    low, high = wide.min(axis=0).reshape(FOLD, width).min(axis=0), wide.max(axis=0).reshape(FOLD, width).max(axis=0)
    if whole < n:
        low, high = np.minimum(low, z[whole:].min(axis=0)), np.maximum(high, z[whole:].max(axis=0))
    return low, high


def shifts_of(X: Array) -> Array:
    """`shift_of` every column; NaN where a column has no reading."""
    first = np.array(X[:SHIFT_ROWS], dtype=np.float64, order="C")  # sums in one order, however the rows lie
    with np.errstate(invalid="ignore", over="ignore"):
        whole = (np.abs(first) <= READING_LIMIT).all(axis=0)
        shifts: Array = np.where((first == first[0]).all(axis=0), first[0], first.mean(axis=0))
    for j in np.flatnonzero(~whole):
        shift = shift_of(X[:, j])
        shifts[j] = np.nan if shift is None else shift
    return np.asarray(shifts)


def shift_of(column: Array) -> float | None:
    """A number near the mean of a column, exact where it is constant; None: it has no reading."""
    first = seen(column[:SHIFT_ROWS])
    if not len(first):
        first = seen(column)[:SHIFT_ROWS]
    if not len(first):
        return None
    return float(first[0] if (first == first[0]).all() else first.mean())


def widen(low: Array, high: Array, new: Array, X: Array, y: Array) -> None:
    """Widen the ranges of raw readings in place, where some are missing.

    Parameters
    ----------
    low, high : array, shape (p + t,)
        Range of each column of X, then of y.
    new : array of int
        Columns that may reach beyond it.
    X, y : array, shape (n, p) and (n, t)
    """
    p = X.shape[1]
    for j in new:
        ends = seen(X[:, j] if j < p else y[:, j - p])
        if len(ends):
            low[j] = min(low[j], ends.min())
            high[j] = max(high[j], ends.max())
