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
    whole = n // FOLD * FOLD
    if whole < n or not whole:
        low, high = z[whole:].min(axis=0), z[whole:].max(axis=0)
    else:
        low, high = z[0], z[0]
    if whole:
        wide = z[:whole].reshape(whole // FOLD, FOLD * width)
        low = np.minimum(low, wide.min(axis=0).reshape(FOLD, width).min(axis=0))
        high = np.maximum(high, wide.max(axis=0).reshape(FOLD, width).max(axis=0))
    return low, high


def shift_of(column: Array) -> float | None:
    """A number near the mean of a column, exact where it is constant; None: it has no reading."""
    first = seen(column[:SHIFT_ROWS])
    if not len(first):
        first = seen(column)[:SHIFT_ROWS]
    if not len(first):
        return None
    return float(first[0] if (first == first[0]).all() else first.mean())


def widen(low: Array, high: Array, new: Array, X: Array, y: Array, complete: Array | None) -> None:
    """Widen the ranges of raw readings in place: only columns with a new extreme are looked at again.

    Parameters
    ----------
    low, high : array, shape (p + t,)
        Range of each column of X, then of y.
    new : array of int
        Columns that may reach beyond it.
    X, y : array, shape (n, p) and (n, t)
    complete : array, shape (n, at least p + t), optional
        The same shifted, if no reading is missing: where the extremes are is known from it.
    """
    p = X.shape[1]
    if complete is not None and len(new) > p // 2:
        np.minimum(low, np.concatenate([X.min(axis=0), y.min(axis=0)]), out=low)
        np.maximum(high, np.concatenate([X.max(axis=0), y.max(axis=0)]), out=high)
        return
    for j in new:
        column = X[:, j] if j < p else y[:, j - p]
        ends = seen(column) if complete is None else column[[complete[:, j].argmin(), complete[:, j].argmax()]]
        if len(ends):
            low[j] = min(low[j], ends.min())
            high[j] = max(high[j], ends.max())
