"""Prediction intervals from rows that training did not see: what they rest on, and how many truths they held."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError

Array = npt.NDArray[Any]
BLOCKS = 5


def check_level(level: float, holdout: float) -> None:
    """Refuse a level that is no part, and one without rows to calibrate on."""
    if not 0.0 < level < 1.0:
        raise DataError(f"--interval is {level:g}; it is the part of truths to hold, between 0 and 1, for example 0.9")
    if not holdout:
        raise DataError("--interval is calibrated on rows that training has not seen; give --holdout, for example 0.2")


def rows_needed(level: float) -> int:
    """The fewest calibration rows with which the quantiles of `level` exist."""
    return math.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9)


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
    power = float(x @ x)
    if n < 4 or power <= 0.0:
        return 1.0
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(x, size)) ** 2
    correlation = np.fft.irfft(spectrum, size)[1:n] / power
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


def _ends(residual: Array, level: float) -> tuple[Array, Array, float]:
    """Lower and upper ends of each output, and the fewest rows that they rest on.

    Of n + 1 equally likely places ``k = (n + 1) tail`` lie beyond the k-th residual from the end; with n replaced by
    the number of independent rows that is a quantile farther out, at most the farthest residual.
    """
    tail = (1.0 - level) / 2.0
    ends, fewest = [], math.inf
    for side in (-residual, residual):
        reached = []
        for r in side.T:
            rows = effective_rows(r, tail)
            rank = math.floor((rows + 1.0) * tail + 1e-9) if rows == len(r) else (rows + 1.0) * tail
            reached.append(np.quantile(r, 1.0 - min(max((rank - 1.0) / max(rows - 1.0, 1e-9), 0.0), 1.0)))
            fewest = min(fewest, rows)
        ends.append(np.array(reached))
    return -ends[0], ends[1], fewest


def conformal(residual: Array, level: float) -> dict[str, Any]:
    """Section ``interval/1``, from truth minus prediction on held-out rows, in the order of time where there is one.

    With exchangeable rows coverage is at least `level` on average (Lei et al. 2018, theorem 2.2: ranks of n + 1 rows).
    Rows in time are alike, and fewer independent ones say as much: their number takes the place of n, and is stated. Of
    so many at most ``(n - 1) / (n + 1)`` lies between the two farthest, whatever level was asked for. What will differ
    from all of them, no interval of the past can hold.

    An interval of the first half says how many truths of the second it holds, of all and of each of `BLOCKS` blocks;
    what is handed out rests on all rows.

    Parameters
    ----------
    residual : array, shape (rows, outputs)
    level : float

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
    low, high, _ = _ends(residual[:half], level)
    held = (residual[half:] >= low) & (residual[half:] <= high)
    low, high, rows = _ends(residual, level)
    return {
        "level": level,
        "low": low.tolist(),
        "high": high.tolist(),
        "rows": {"calibration": len(residual), "check": len(held)},
        "effective_rows": rows,
        "supported": min(level, max(rows - 1.0, 0.0) / (rows + 1.0)),
        "coverage": held.mean(axis=0).tolist(),
        "blocks": [float(block[:, 0].mean()) for block in np.array_split(held, BLOCKS) if len(block)],
    }
