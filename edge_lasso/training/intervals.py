"""Prediction intervals from rows that training did not see: what they rest on, and how many truths they held."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError

Array = npt.NDArray[Any]
BLOCKS = 5
PIECES = 8
"""Of the rows, one after another: forms of intervals are compared on each, calibrated on the others."""
FEWEST = 3
GAIN = 0.02
"""How much smaller the score of a form must be, at least."""
HALF = 0.25
"""Of the rows: the age at which one counts half."""
LEAST = 0.1
"""Of the mean width, what of it does not grow with the prediction, at least."""
ADJUST = {"eta": 0.05, "floor": 0.0625, "cap": 16.0}
"""Step of ends that follow, and their reach as factors of half the width."""


def check_level(level: float, holdout: float) -> None:
    """Refuse a level that is no part, and one without rows to calibrate on."""
    if not 0.0 < level < 1.0:
        raise DataError(f"--interval is {level:g}; it is the part of truths to hold, between 0 and 1, for example 0.9")
    if not holdout:
        raise DataError("--interval is calibrated on rows that training has not seen; give --holdout, for example 0.2")


def rows_needed(level: float) -> int:
    """The fewest calibration rows with which the quantiles of `level` exist."""
    return math.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9)


def autocorrelation(x: Array) -> Array:
    """Of a centred series that is not constant: shape (n,), lag 0 first (Wiener-Khinchin, padded)."""
    size = 1 << (2 * len(x) - 1).bit_length()
    power = np.abs(np.fft.rfft(x, size)) ** 2
    lags: Array = np.fft.irfft(power, size)[: len(x)] / float(x @ x)
    return lags


def correlation_time(x: Array) -> float:
    """How many neighbouring rows tell as much as one independent row.

    One plus twice the sum of the autocorrelations, up to where neighbouring pairs of them are no longer positive (Geyer
    1992); 1 where the first is not larger than chance makes it.

    Parameters
    ----------
    x : array, shape (n,)
    """
    n = len(x)
    x = x - x.mean()
    if n < 4 or float(x @ x) <= 0.0:
        return 1.0
    correlation = autocorrelation(x)[1:]
    if correlation[0] < 2.0 / math.sqrt(n):
        return 1.0
    pairs = correlation[: (n - 1) // 2 * 2].reshape(-1, 2).sum(axis=1)
    positive = np.logical_and.accumulate(pairs > 0.0)
    return max(1.0, 1.0 + 2.0 * float(pairs[positive].sum()))


def effective_rows(residual: Array, tail: float) -> float:
    """How many independent rows say as much of a quantile as these do, in the order in which they came.

    Parameters
    ----------
    residual : array, shape (n,)
    tail : float
        Part beyond the quantile.
    """
    beyond = residual > np.quantile(residual, 1.0 - tail)
    return len(residual) / max(correlation_time(residual), correlation_time(beyond.astype(float)))


@dataclass(frozen=True)
class Form:
    """How an interval is made of residuals.

    Parameters
    ----------
    sloped : tuple of bool
        Per output: its width is ``a + b |prediction|``, not the same for all rows.
    ageing : bool
        Rows count half after every `HALF` of the rows (Barber et al. 2023), not all the same.
    """

    sloped: tuple[bool, ...]
    ageing: bool


@dataclass(frozen=True)
class Calibrated:
    """Ends per output: ``prediction + (low, high) (1 + slope |prediction|)``.

    Parameters
    ----------
    form : Form
    low, high, slope : array, shape (outputs,)
    rows : float
        The fewest independent rows that an end rests on.
    """

    form: Form
    low: Array
    high: Array
    slope: Array
    rows: float

    def ends(self, size: Array) -> tuple[Array, Array]:
        """What is added to predictions of this size, shape (rows, outputs)."""
        wider = 1.0 + self.slope * size
        return self.low * wider, self.high * wider


def _slope(residual: Array, size: Array) -> Array:
    """Of ``|residual| = a + b |prediction|`` by least squares, b / a; b >= 0, and a at least `LEAST` of the mean."""
    error = np.abs(residual)
    centred = size - size.mean(axis=0)
    variance, mean, usual = (centred**2).mean(axis=0), error.mean(axis=0), size.mean(axis=0)
    b = np.maximum((centred * error).mean(axis=0) / np.where(variance > 0.0, variance, 1.0), 0.0)
    a = np.maximum(mean - b * usual, LEAST * mean)
    possible = (b > 0.0) & (a > 0.0)
    return np.where(possible, (mean - a) / np.where(possible, a * usual, 1.0), 0.0)


def _fitted(residual: Array, size: Array, level: float, form: Form) -> Calibrated:
    """Ends of a form.

    Of n + 1 equally likely places ``k = (n + 1) tail`` lie beyond the k-th residual from the end; with n replaced by
    the number of independent rows that is a quantile farther out, at most the farthest residual.
    """
    tail, n = (1.0 - level) / 2.0, len(residual)
    slope = np.where(form.sloped, _slope(residual, size), 0.0)
    scaled = residual / (1.0 + slope * size)
    weight = 0.5 ** (np.arange(n)[::-1] / (HALF * n)) if form.ageing else np.ones(n)
    worth = weight.sum() ** 2 / (weight @ weight) / n  # Kish: as many rows of equal weight say as much
    ends, fewest = [], math.inf
    for side in (-scaled, scaled):
        reached = []
        for r in side.T:
            rows = max(effective_rows(r, tail) * worth, 1.0)
            rank = math.floor((rows + 1.0) * tail + 1e-9) if rows == n else (rows + 1.0) * tail
            part = 1.0 - min(max((rank - 1.0) / max(rows - 1.0, 1e-9), 0.0), 1.0)
            reached.append(_quantile(r, weight, part) if form.ageing else np.quantile(r, part))
            fewest = min(fewest, float(rows))
        ends.append(np.array(reached))
    return Calibrated(form, -ends[0], ends[1], slope, fewest)


def _quantile(x: Array, weight: Array, part: float) -> float:
    """Of values that count differently; with equal weights numpy's."""
    order = np.argsort(x)
    before = np.cumsum(weight[order]) - weight[order]
    return float(np.interp(part, before / before[-1], x[order]))


def _score(ends: tuple[Array, Array], residual: Array, level: float) -> Array:
    """Mean width, and what truths outside cost (Gneiting and Raftery 2007, 6.2), per output: smaller is better."""
    low, high = ends
    outside = np.maximum(low - residual, 0.0) + np.maximum(residual - high, 0.0)
    return np.asarray((high - low + 2.0 / (1.0 - level) * outside).mean(axis=0))


def _gains(residual: Array, size: Array, level: float, form: Form, plain: Form, forward: bool) -> Array:
    """By what part a form's score is smaller than a plainer one's: per block, calibrated on the others, and output."""
    gains = []
    for block in np.array_split(np.arange(len(residual)), PIECES):
        others = np.arange(block[0]) if forward else np.delete(np.arange(len(residual)), block)
        if len(others) < rows_needed(level):
            continue
        score, least = (
            _score(_fitted(residual[others], size[others], level, each).ends(size[block]), residual[block], level)
            for each in (form, plain)
        )
        gains.append(1.0 - score / np.where(least > 0.0, least, 1.0))
    return np.array(gains).reshape(-1, residual.shape[1])


def _evident(gain: Array) -> Array:
    """Which columns have means over blocks that matter, and are no chance."""
    if len(gain) < FEWEST:
        return np.zeros(gain.shape[1], dtype=bool)
    chance = 2.0 * gain.std(axis=0, ddof=1) / math.sqrt(len(gain))
    return np.asarray(gain.mean(axis=0) > np.maximum(GAIN, chance))


def _calibrated(residual: Array, size: Array, level: float, ordered: bool) -> Calibrated:
    """The form that evidently does better on other blocks than simpler ones (on later blocks, by age), and its ends."""
    outputs = residual.shape[1]
    best = Form((False,) * outputs, False)
    if len(residual) >= PIECES:
        sloped = replace(best, sloped=(True,) * outputs)
        best = replace(best, sloped=tuple(_evident(_gains(residual, size, level, sloped, best, False)).tolist()))
        if ordered:
            gain = _gains(residual, size, level, replace(best, ageing=True), best, True)
            best = replace(best, ageing=bool(_evident(gain.mean(axis=1, keepdims=True))[0]))
    return _fitted(residual, size, level, best)


def conformal(residual: Array, level: float, prediction: Array | None = None, ordered: bool = False) -> dict[str, Any]:
    """Section ``interval/1``, from truth minus prediction on held-out rows, in the order of time where there is one.

    With exchangeable rows coverage is at least `level` on average (Lei et al. 2018, theorem 2.2: ranks of n + 1 rows).
    Rows in time are alike, and fewer independent ones say as much: their number takes the place of n, and is stated. Of
    so many at most ``(n - 1) / (n + 1)`` lies between the two farthest, whatever level was asked for. What will differ
    from all of them, no interval of the past can hold; of rows in time the section says how its ends follow the truths
    that come (`edge_lasso_runtime.interval`).

    An interval of the first half says how many truths of the second it holds, of all and of each of `BLOCKS` blocks;
    what is handed out rests on all rows.

    Parameters
    ----------
    residual : array, shape (rows, outputs)
    level : float
    prediction : array, shape (rows, outputs), optional
        Widths that grow with its size compete.
    ordered : bool
        Rows that count less with age compete, and ends follow.

    Raises
    ------
    DataError
        Too few rows for the level.
    """
    half = len(residual) // 2
    needed = rows_needed(level)
    if half < needed:
        raise DataError(
            f"--interval {level:g} needs {2 * needed} held-out rows (half to calibrate, half to check), there are "
            f"{len(residual)}; hold out more with --holdout, or ask for less"
        )
    size = np.zeros_like(residual) if prediction is None else np.abs(prediction)
    result = _calibrated(residual, size, level, ordered)
    low, high = _fitted(residual[:half], size[:half], level, result.form).ends(size[half:])
    held = (residual[half:] >= low) & (residual[half:] <= high)
    supported = min(level, max(result.rows - 1.0, 0.0) / (result.rows + 1.0))
    return {
        "level": level,
        "low": result.low.tolist(),
        "high": result.high.tolist(),
        **({"slope": result.slope.tolist()} if result.slope.any() else {}),
        **({"half_life": round(HALF * len(residual))} if result.form.ageing else {}),
        **({"adjust": dict(ADJUST)} if ordered else {}),
        "rows": {"calibration": len(residual), "check": len(held)},
        "effective_rows": result.rows,
        "supported": supported,
        "coverage": held.mean(axis=0).tolist(),
        "blocks": [float(block[:, 0].mean()) for block in np.array_split(held, BLOCKS) if len(block)],
    }
