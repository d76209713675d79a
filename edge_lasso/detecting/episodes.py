"""Rows above a threshold as episodes: how far apart two are, and how long they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.training.intervals import autocorrelation

Array = npt.NDArray[Any]
PILOT = 20
"""Episodes that their length is estimated from; a lower threshold where the asked one has fewer."""
MOST = 0.2
"""Part of the rows above that lower threshold, at most; also above any threshold of a rate per time."""


def correlation_time(scores: Array) -> int:
    """Integrated autocorrelation time of the scores, in rows: how far apart two rows must be to count as two.

    ``1 + 2 sum rho(k)`` up to the first window of 5 times itself (Sokal 1997), at most a twentieth of the rows.
    """
    n = len(scores)
    x = np.minimum(scores, np.quantile(scores, 0.999))
    x = x - x.mean()
    if n < 20 or float(x @ x) <= 0.0:
        return 1
    sums = 2.0 * np.cumsum(autocorrelation(x)[: n // 4]) - 1.0
    window = np.flatnonzero(np.arange(len(sums)) >= 5.0 * sums)
    at = int(window[0]) if len(window) else len(sums) - 1
    return int(max(1, min(math.ceil(sums[at]), n // 20)))


def episodes(above: Array, hold: int) -> int:
    """Number of episodes: rows above the threshold with at most `hold` rows below it between them are one."""
    return len(episode_rows(above, hold))


def episode_rows(above: Array, hold: int) -> Array:
    """Rows above the threshold in each episode."""
    at = np.flatnonzero(above)
    if not len(at):
        return np.zeros(0, dtype=np.intp)
    first = np.flatnonzero(np.diff(at) > hold + 1) + 1
    return np.diff(np.concatenate([[0], first, [len(at)]]))


def typical_rows(scores: Array, part: float, hold: int) -> tuple[float, int]:
    """Length of equal episodes that vary as much as those of the given part of the rows; from how many it is known."""
    while True:
        sizes = episode_rows(scores > np.quantile(scores, 1.0 - part), hold)
        if len(sizes) >= PILOT or part >= MOST:
            return (float((sizes**2).sum() / sizes.sum()), len(sizes)) if len(sizes) else (1.0, 1)
        part = min(1.25 * part, MOST)
