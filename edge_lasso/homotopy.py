"""Exact lasso paths of several small problems side by side (Osborne et al. 2000; Efron et al. 2004).

Between two knots the solution is linear in alpha, so a path is as many linear solves as it has knots, however many
alphas are asked for. The folds of a cross-validation walk in step: numpy's cost for each call is paid once for all.

With ``y = G x - c`` and signs ``s``, optimal is ``y_A = -alpha s_A`` on the active set A, ``|y| <= alpha`` elsewhere. A
principal pivot exchanges x and y of one column; after pivots on A the last column holds what x_A and y_rest are at
alpha 0, and the columns of A how both change with y_A.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_lasso.path import Array, Problem, alpha_max

STEPS_PER_COLUMN = 4
SMALLEST_PIVOT = 1e-9
OPTIMAL = 1e-11
"""Optimality conditions must hold to this part of the largest alpha, or the solution is not used."""


def paths(problems: Sequence[Problem], alphas: Array) -> list[tuple[Array, Array]]:
    """Lasso solutions of problems with the same number of columns.

    Parameters
    ----------
    problems : sequence of Problem
        On standardized columns; with more than about 200 coordinate descent is faster.
    alphas : array, shape (m,)
        Decreasing.

    Returns
    -------
    list of (coefs, exact)
        Per problem: shape (m, p), and where the optimality conditions hold (shape (m,), bool). Walks end early where
        columns depend on each other; solve the other alphas in another way.
    """
    gram = np.array([one.gram for one in problems])
    xy = np.array([one.xy for one in problems])
    top = np.array([alpha_max(one) for one in problems])
    knots, bases, rates = _walk(gram, xy, top, float(alphas[-1]))
    found = []
    for i in range(len(problems)):
        at = np.searchsorted(-knots[:, i], -alphas, side="left")  # the segment that ends at or below alpha
        at = np.minimum(at, len(knots) - 1)
        coefs = bases[at, i] - alphas[:, None] * rates[at, i]
        found.append((coefs, _optimal(gram[i], xy[i], coefs, alphas, top[i])))
    return found


def _walk(gram: Array, xy: Array, top: Array, end: float) -> tuple[Array, Array, Array]:
    """Lower ends of the segments, and solution = base - alpha * rate on each; shapes (segments, problems, ...)."""
    count, p = xy.shape
    table = np.concatenate([gram, -xy[:, :, None]], axis=2)
    each = np.arange(count)
    sign = np.zeros((count, p))
    alpha = top.copy()
    pivot = np.where(top > end, np.abs(xy).argmax(axis=1), -1)  # -1: this walk is over
    knots, bases, rates = [alpha], [np.zeros((count, p))], [np.zeros((count, p))]
    for _ in range(STEPS_PER_COLUMN * p):
        going = np.flatnonzero(pivot >= 0)
        if not len(going):
            break
        if len(going) < len(each):
            table, sign, alpha, pivot, each = table[going], sign[going], alpha[going], pivot[going], each[going]
        rows = np.arange(len(each))
        entering = sign[rows, pivot] == 0.0
        height = table[rows, pivot, -1] - alpha * (table[rows, pivot, :-1] * sign).sum(axis=1)
        left = np.where(entering, 0, np.where(sign[rows, pivot] > 0.0, 1, 2))
        sign[rows, pivot] = np.where(entering, -np.sign(height), 0.0)
        sound = _exchange(table, pivot)
        active = sign != 0.0
        base = table[:, :, -1]
        rate = (table[:, :, :-1] @ sign[:, :, None])[:, :, 0]
        with np.errstate(divide="ignore", invalid="ignore"):  # where x, or y + alpha, or y - alpha, becomes zero
            events = np.array([base / rate, base / (rate - 1.0), base / (rate + 1.0)])
        events[0][~active] = 0.0
        events[1:][:, active] = 0.0
        events[(left, rows, pivot)] = 0.0  # where it comes from
        events[~(events <= alpha[:, None] * (1.0 + 1e-10))] = 0.0
        event = events.max(axis=0)
        following = event.argmax(axis=1)
        alpha = np.where(sound, np.minimum(event[rows, following], alpha), alpha)
        for store, values in ((knots, alpha), (bases, base * active), (rates, rate * active)):
            full = store[-1].copy()
            full[each] = np.where(sound if values.ndim == 1 else sound[:, None], values, full[each])
            store.append(full)
        pivot = np.where(sound & (alpha > end), following, -1)
    return np.array(knots), np.array(bases), np.array(rates)


def _exchange(table: Array, pivot: Array) -> Array:
    """Pivot each table on its own column, in place; where that column depends on the others, say False."""
    rows = np.arange(len(table))
    row = table[rows, pivot].copy()
    column = table[rows, :, pivot].copy()
    value = row[rows, pivot]
    sound = np.abs(value) > SMALLEST_PIVOT
    value = np.where(sound, value, 1.0)
    row /= value[:, None]
    table -= column[:, :, None] * row[:, None, :]
    table[rows, pivot] = -row
    table[rows, :, pivot] = column / value[:, None]
    table[rows, pivot, pivot] = 1.0 / value
    return np.asarray(sound)


def _optimal(gram: Array, xy: Array, coefs: Array, alphas: Array, top: float) -> Array:
    y = coefs @ gram - xy
    wrong = np.where(coefs != 0.0, np.abs(y + alphas[:, None] * np.sign(coefs)), np.abs(y) - alphas[:, None])
    return np.asarray(wrong.max(axis=1) <= OPTIMAL * top)
