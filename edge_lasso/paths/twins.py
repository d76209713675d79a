"""Columns that carry exactly what another one carries: the lasso needs only one of them."""

from __future__ import annotations

import numpy as np

from edge_lasso.paths.problem import Array, deviations
from edge_lasso.paths.refit import RANK_TOLERANCE
from edge_lasso.statistics.moments import Moments

SAME = 4e-14
"""Correlations that differ from 1 by less are those of twins."""
LOST = RANK_TOLERANCE / 2.0
"""Correlations that differ from 1 by less: the difference is lost in the rounding of the statistics."""


def twin_columns(moments: Moments, deviation: Array, constant: Array, penalty: Array, signs: Array | None) -> Array:
    """Columns that another one replaces: an earlier one, or one that costs less, and that may do all that they may.

    Parameters
    ----------
    moments : Moments
        Of p columns, then targets.
    deviation : array, shape (p,)
    constant : array of bool, shape (p,)
        Have no twins.
    penalty : array, shape (p,)
        What columns cost.
    signs : array of int, shape (p,), or None
        Sign each coefficient may have (1, -1, or 0: either). Where x may only rise and -x only rise, too, they are no
        twins: one says up what the other says down.

    Returns
    -------
    array of bool, shape (p,)
    """
    p = len(deviation)
    correlation = moments.covariance[:p, :p] / deviation / deviation[:, None]
    same = np.abs(correlation) >= 1.0 - SAME
    same[constant] = False
    twins = np.zeros(p, dtype=bool)
    np.fill_diagonal(same, False)
    free = np.zeros(p, dtype=np.int64) if signs is None else signs
    for j in np.flatnonzero(same.any(axis=1)):
        others = np.flatnonzero(same[j] & ~twins)
        as_free = (free[others] == 0) | (free[others] == free[j] * np.sign(correlation[j, others]))
        freer = (free[others] == 0) & (free[j] != 0)
        cheaper = penalty[others] < penalty[j]
        level = (penalty[others] == penalty[j]) & (freer | (others < j))
        twins[j] = bool((as_free & (cheaper | level)).any())
    return twins


def near_twins(moments: Moments, p: int) -> list[tuple[int, int]]:
    """Pairs of columns that differ by so little that least squares on statistics cannot use the difference.

    Parameters
    ----------
    moments : Moments
        Of p columns, then targets.
    p : int
    """
    deviation, constant = deviations(moments, p)
    apart = 1.0 - np.abs(moments.covariance[:p, :p] / deviation / deviation[:, None])
    near = (apart > SAME) & (apart < LOST) & ~constant & ~constant[:, None]
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(near, 1))]
