"""What `edge_lasso_runtime.detector` does to one row after another, for many rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from edge_lasso_runtime.detector import SETTLING, STRAY, sensors, watched
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]
CHUNK = 4096


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


def tracked(residuals: Array, track: int, level: Array, settling: int = 0) -> tuple[Array, Array]:
    """Scaled residuals less the level that they had before, and the level after the last row.

    Parameters
    ----------
    residuals : array, shape (n, outputs)
        NaN leaves its column's level as it was.
    track : int
        A level moves 2^-track of the way; 0: no level.
    level : array, shape (outputs,)
        Before the first row.
    settling : int
        Rows at the start in which it moves faster.
    """
    if not track:
        return residuals, level
    result, level = np.empty_like(residuals), level.copy()
    for k, column in enumerate(residuals.T):
        known = np.flatnonzero(~np.isnan(column))
        early = int(np.searchsorted(known, settling))
        result[:, k] = np.nan
        for rows, n in ((known[:early], SETTLING), (known[early:], track)):
            result[rows, k], level[k] = _followed(column[rows], n, float(level[k]))
    return result, level


def _followed(r: Array, track: int, b: float) -> tuple[Array, float]:
    """One column's residuals less its level, and the level after the last: as far as they go, all of one kind at once.

    Near its level a residual moves it as in a moving average, far from it by a constant.
    """
    rate, at, levels = 2.0**-track, 0, np.empty(len(r))
    sizes = {0: 256, 1: 16, -1: 16}  # looked ahead, by how far the last of its kind went
    while at < len(r):
        side = 0 if abs(r[at] - b) <= STRAY else 1 if r[at] > b else -1
        some = r[at : at + sizes[side]]
        if side == 0:
            after, _ = lfilter([rate], [1.0, rate - 1.0], some, zi=[(1.0 - rate) * b])
        else:
            after = b + side * STRAY * rate * np.arange(1.0, len(some) + 1.0)
        before = np.concatenate([[b], after[:-1]])
        d = some - before
        other = np.flatnonzero(np.abs(d) > STRAY if side == 0 else side * d <= STRAY)
        count = int(other[0]) if len(other) else len(some)
        sizes[side] = min(max(2 * count, 16), CHUNK)
        levels[at : at + count], b = before[:count], float(after[count - 1])
        at += count
    return r - levels, b


class Scorer:
    """Scores batch after batch, in the order of time, from the detector's start: what a `Detector` remembers, kept.

    Parameters
    ----------
    chart : mapping
        Section ``detector/1``; a threshold is not needed.
    warm_up : int, optional
        Of the whole model, where it is longer than the section's.
    """

    def __init__(self, chart: Mapping[str, Any], warm_up: int = 0) -> None:
        self._chart = chart
        self._centre, self._scale, self._slow, self._weight = (
            np.array([sensor[key] for sensor in chart["watched"]]) for key in ("centre", "scale", "slow", "weight")
        )
        count = len(chart["watched"])
        self._level, self._slowly, self._evidence = np.zeros(count), np.zeros(count), np.ones(count)
        self._young = max(chart["warm_up"], warm_up)

    def step(self, residuals: Array, widths: Array | None = None) -> tuple[Array, Array]:
        """Scores of the next rows; see `scores`.

        Parameters
        ----------
        residuals : array, shape (n, outputs)
        widths : array, shape (n, outputs), optional
            By how much each prediction's error is wider than usual.
        """
        if not len(residuals):
            return np.zeros(0), np.zeros((0, len(self._weight)))
        r = self.scaled(residuals, widths)
        smoothing, fast = self._chart["smoothing"], self._chart["fast"]
        square = r**2
        q = (square + (self.slowly(r) / self._slow) ** 2) / 2.0 if smoothing < 1.0 else square
        evidence = ewma(q, smoothing, self._evidence)
        self._evidence = evidence[-1]
        unseen = np.isnan(r)
        counted = ~unseen | unseen.all(axis=1, keepdims=True)  # nothing is known: the evidence that there is
        total = np.where(counted, self._weight, 0.0).sum(axis=1, keepdims=True)
        parts = np.where(counted, evidence * self._weight, 0.0) / total
        score = parts.sum(axis=1)
        if not fast:
            return score, parts
        quick = np.where(unseen, 0.0, square * self._weight) / total * fast
        sudden = quick.sum(axis=1)
        return np.maximum(score, sudden), np.where((sudden > score)[:, None], quick, parts)

    def scaled(self, residuals: Array, widths: Array | None = None) -> Array:
        """Residuals in units of their scale, without their level where it is tracked, cut."""
        r = (residuals - self._centre) / self._scale
        if widths is not None:
            r = r / widths
        r, self._level = tracked(r, self._chart["track"], self._level, self._young)
        self._young = max(self._young - len(r), 0)
        return np.clip(r, -self._chart["clip"], self._chart["clip"])

    def slowly(self, r: Array) -> Array:
        """The slow part of scaled residuals: their moving averages; what ``slow`` scales."""
        slow = ewma(r, self._chart["smoothing"], self._slowly)
        self._slowly = slow[-1]
        return slow


def by_sensor(parts: Array, model: Model) -> Array:
    """Parts of the score per output as those of the sensors (`edge_lasso_runtime.detector.sensors`)."""
    names = sensors(model)
    result = np.zeros((len(parts), len(names)))
    for part, name in zip(parts.T, watched(model), strict=True):
        result[:, names.index(name)] += part
    return result


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
    residuals : array, shape (n, outputs)
        Reading minus prediction; NaN where the reading is missing.
    chart : mapping
        Section ``detector/1``; a threshold is not needed.
    widths : array, shape (n, outputs), optional
        By how much each prediction's error is wider than usual.

    Returns
    -------
    scores : array, shape (n,)
    parts : array, shape (n, outputs)
        What each output contributes; rows add up to the scores.
    """
    return Scorer(chart).step(residuals, widths)
