"""What `edge_lasso_runtime.detector` does to one row after another, for many rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


def ewma(values: Array, alpha: float, start: float | Array = 0.0) -> Array:
    """Exponentially weighted means down the rows, each column from `start`; a NaN leaves its column's as it was."""
    result = np.empty_like(values)
    starts = np.broadcast_to(start, values.shape[1])
    for k, column in enumerate(values.T):
        known = np.flatnonzero(~np.isnan(column))
        smooth, _ = lfilter([alpha], [1.0, alpha - 1.0], column[known], zi=[(1.0 - alpha) * starts[k]])
        if len(known) == len(column):
            result[:, k] = smooth
            continue
        seen = np.searchsorted(known, np.arange(len(column)), side="right")  # readings so far
        result[:, k] = np.concatenate([starts[k : k + 1], smooth])[seen]
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
    return _cusum(residuals, chart, np.zeros((2, residuals.shape[1])))[0]


def _cusum(residuals: Array, chart: Mapping[str, Any], state: Array) -> tuple[Array, Array]:
    """The larger side of CUSUM, and both sides after the last row."""
    top = chart["clip"] ** 2
    up, down = state
    result = np.empty_like(residuals)
    for t, row in enumerate(residuals):
        known = ~np.isnan(row)
        r = np.where(known, row, 0.0)
        up = np.where(known, np.clip(up + r - chart["allowance"], 0.0, top), up)
        down = np.where(known, np.clip(down - r - chart["allowance"], 0.0, top), down)
        result[t] = np.maximum(up, down)
    return result, np.stack([up, down])


def scaled(residuals: Array, chart: Mapping[str, Any]) -> Array:
    """Residuals in units of their scale, without their median where asked, cut."""
    centre, scale = (np.array([sensor[key] for sensor in chart["watched"]]) for key in ("centre", "scale"))
    return np.clip(without_median((residuals - centre) / scale, chart["median"]), -chart["clip"], chart["clip"])


class Scorer:
    """Scores batch after batch, in the order of time, from the detector's start: what a `Detector` remembers, kept.

    Parameters
    ----------
    chart : mapping
        Section ``detector/1``; a threshold is not needed.
    """

    def __init__(self, chart: Mapping[str, Any]) -> None:
        self._chart = chart
        self._centre, self._scale, self._slow, self._weight = (
            np.array([sensor[key] for sensor in chart["watched"]]) for key in ("centre", "scale", "slow", "weight")
        )
        count = len(chart["watched"])
        self._recent = np.full((0, count), np.nan)
        self._moved = np.zeros((2, count))  # CUSUM's sides; the EWMA in the first
        self._evidence = np.ones(count)

    def step(self, residuals: Array, widths: Array | None = None) -> tuple[Array, Array]:
        """Scores of the next rows; see `scores`.

        Parameters
        ----------
        residuals : array, shape (n, sensors)
        widths : array, shape (n, sensors), optional
            By how much each prediction's error is wider than usual.
        """
        chart = self._chart
        if not len(residuals):
            return np.zeros(0), np.zeros((0, len(self._weight)))
        r = (residuals - self._centre) / self._scale
        if widths is not None:
            r = r / widths
        if chart["median"]:
            r = self._levelled(r, chart["median"])
        r = np.clip(r, -chart["clip"], chart["clip"])
        kind = chart["chart"]
        q = r**2 if kind == "residual" else (self._slowly(r) / self._slow) ** 2
        if kind == "both":
            q = (q + r**2) / 2.0
        unseen = np.isnan(r)
        q = np.where(unseen, np.nan, q)
        evidence = ewma(q, chart["smoothing"], self._evidence)
        self._evidence = evidence[-1]
        counted = ~unseen | unseen.all(axis=1, keepdims=True)  # nothing is known: the evidence that there is
        parts = np.where(counted, evidence * self._weight, 0.0)
        if chart["aggregate"] == "max":
            largest = np.arange(parts.shape[1]) == parts.argmax(axis=1)[:, None]
            parts = np.where(largest, parts, 0.0)
        else:
            total = np.where(counted, self._weight, 0.0).sum(axis=1, keepdims=True)
            parts = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0.0)
        return parts.sum(axis=1), parts

    def _levelled(self, r: Array, length: int) -> Array:
        """Without the median of the ones before, in this batch and the ones before it."""
        joined = np.concatenate([self._recent, r])
        result = without_median(joined, length)[len(self._recent) :]
        self._recent = np.full((length, joined.shape[1]), np.nan)
        for k, column in enumerate(joined.T):
            known = column[~np.isnan(column)][-length:]
            self._recent[length - len(known) :, k] = known
        return result

    def _slowly(self, r: Array) -> Array:
        if self._chart["chart"] != "cusum":
            slow = ewma(r, self._chart["alpha"], self._moved[0])
            self._moved[0] = slow[-1]
            return slow
        slow, self._moved = _cusum(r, self._chart, self._moved)
        return slow


def blind(model: Model, block: Array) -> Array:
    """By how much wider the errors of predictions are that read a default: nobody knows (NaN); 1 elsewhere.

    Parameters
    ----------
    model : Model
        A detector that does not estimate missing inputs.
    block : array, shape (n, inputs)
        NaN where an input is missing.

    Returns
    -------
    array, shape (n, outputs)
    """
    reads = np.zeros((len(model.inputs), len(model.outputs)))
    for k, output in enumerate(model.outputs):
        reads[[factor.input for term in output.terms for factor in term.factors], k] = 1.0
    with np.errstate(invalid="ignore"):
        unknown = ~(np.abs(block) <= model.limit)
    return np.where(unknown @ reads > 0.0, np.nan, 1.0) if unknown.any() else np.ones((len(block), reads.shape[1]))


def scores(residuals: Array, chart: Mapping[str, Any], widths: Array | None = None) -> tuple[Array, Array]:
    """Scores of rows in the order of time, from the detector's start.

    Parameters
    ----------
    residuals : array, shape (n, sensors)
        Reading minus prediction; NaN where the reading is missing.
    chart : mapping
        Section ``detector/1``; a threshold is not needed.
    widths : array, shape (n, sensors), optional
        By how much each prediction's error is wider than usual.

    Returns
    -------
    scores : array, shape (n,)
    parts : array, shape (n, sensors)
        What each sensor contributes; rows add up to the scores.
    """
    return Scorer(chart).step(residuals, widths)
