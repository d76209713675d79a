"""Rows as they arrive: checked numbers, weights, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
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
