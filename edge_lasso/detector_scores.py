"""What `edge_lasso_runtime.detector` does to one row after another, for many rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

Array = npt.NDArray[Any]


def ewma(values: Array, alpha: float, start: float = 0.0) -> Array:
    """Exponentially weighted means down the rows, each column from `start`; a NaN leaves its column's as it was."""
    result = np.empty_like(values)
    for k, column in enumerate(values.T):
        known = np.flatnonzero(~np.isnan(column))
        smooth, _ = lfilter([alpha], [1.0, alpha - 1.0], column[known], zi=[(1.0 - alpha) * start])
        seen = np.searchsorted(known, np.arange(len(column)), side="right")  # readings so far
        result[:, k] = np.concatenate([[start], smooth])[seen]
    return result


def without_median(residuals: Array, length: int) -> Array:
    """Residuals less the median of the `length` known ones before them in their column (fewer at the start)."""
    if not length:
        return residuals
    result = residuals.copy()
    for k, column in enumerate(residuals.T):
        known = np.flatnonzero(~np.isnan(column))
        values = column[known]
        level = np.zeros(len(values))
        for i in range(1, min(length, len(values))):
            level[i] = np.median(values[:i])
        if len(values) > length:
            windows = sliding_window_view(values[:-1], length)
            step = max(1, 4_000_000 // length)
            for i in range(0, len(windows), step):
                level[length + i : length + i + step] = np.median(windows[i : i + step], axis=1)
        result[known, k] = values - level
    return result


def slow_part(residuals: Array, chart: Mapping[str, Any]) -> Array:
    """The slow part of scaled, cut residuals: their EWMA, or CUSUM's larger side; what ``slow`` scales."""
    if chart["chart"] != "cusum":
        return ewma(residuals, chart["alpha"])
    top = chart["clip"] ** 2
    up, down = np.zeros(residuals.shape[1]), np.zeros(residuals.shape[1])
    result = np.empty_like(residuals)
    for t, row in enumerate(residuals):
        known = ~np.isnan(row)
        r = np.where(known, row, 0.0)
        up = np.where(known, np.clip(up + r - chart["allowance"], 0.0, top), up)
        down = np.where(known, np.clip(down - r - chart["allowance"], 0.0, top), down)
        result[t] = np.maximum(up, down)
    return result


def scaled(residuals: Array, chart: Mapping[str, Any]) -> Array:
    """Residuals in units of their scale, without their median where asked, cut."""
    centre, scale = (np.array([one[key] for one in chart["watched"]]) for key in ("centre", "scale"))
    return np.clip(without_median((residuals - centre) / scale, chart["median"]), -chart["clip"], chart["clip"])


def scores(residuals: Array, chart: Mapping[str, Any]) -> tuple[Array, Array]:
    """Scores of rows in the order of time, from the detector's start.

    Parameters
    ----------
    residuals : array, shape (n, sensors)
        Reading minus prediction; NaN where the reading is missing.
    chart : mapping
        Section ``detector/1``; a threshold is not needed.

    Returns
    -------
    scores : array, shape (n,)
    parts : array, shape (n, sensors)
        What each sensor contributes; rows add up to the scores.
    """
    r = scaled(residuals, chart)
    kind = chart["chart"]
    slow = np.array([one["slow"] for one in chart["watched"]])
    q = r**2 if kind == "residual" else (slow_part(r, chart) / slow) ** 2
    if kind == "both":
        q = (q + r**2) / 2.0
    unseen = np.isnan(r)
    q = np.where(unseen, np.nan, q)
    evidence = ewma(q, chart["smoothing"], 1.0) if chart["smoothing"] < 1.0 else q
    weight = np.array([one["weight"] for one in chart["watched"]])
    parts = np.where(unseen, 0.0, evidence * weight)
    if chart["aggregate"] == "max":
        largest = np.arange(parts.shape[1]) == parts.argmax(axis=1)[:, None]
        parts = np.where(largest, parts, 0.0)
    else:
        total = np.where(unseen, 0.0, weight).sum(axis=1, keepdims=True)
        parts = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0.0)
    return parts.sum(axis=1), parts
