"""Exact lasso paths of several small problems side by side (Osborne et al. 2000; Efron et al. 2004).

Between two knots the solution is linear in alpha, so a path is as many linear solves as it has knots, however many
alphas are asked for. The folds of a cross-validation walk in step: numpy's cost for each call is paid once for all.

With ``y = G x - c`` and signs ``s``, optimal is ``y_A = -alpha s_A`` on the active set A, ``|y| <= alpha`` elsewhere.
`_Tableau` holds Gram matrices, `_Rows` few rows of many columns; both exchange x and y of a column and say what x_A and
y_rest are at alpha 0 and how they change with alpha.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_lasso.paths.path import Array
from edge_lasso.paths.problem import Problem, alpha_max, gram_times

STEPS_PER_COLUMN = 4
SMALLEST_PIVOT = 1e-9
OPTIMAL = 1e-11
"""Optimality conditions must hold to this part of the largest alpha, or the solution is not used."""


def paths(problems: Sequence[Problem], alphas: Array) -> list[tuple[Array, Array]]:
    """Lasso solutions of problems with the same number of columns.

    Parameters
    ----------
    problems : sequence of Problem
        On standardized columns; all with Gram matrices, or all with rows (`Problem.gram` has `Z`) and few of them. With
        more than about 200 columns, and as many rows, coordinate descent is faster.
    alphas : array, shape (m,)
        Decreasing.

    Returns
    -------
    list of (coefs, exact)
        Per problem: shape (m, p), and where the optimality conditions hold (shape (m,), bool). Walks end early where
        columns depend on each other; solve the other alphas in another way.
    """
    top = np.array([alpha_max(problem) for problem in problems])
    held = _Tableau(problems) if isinstance(problems[0].gram, np.ndarray) else _Rows(problems)
    knots, bases, rates = _walk(held, top, float(alphas[-1]))
    results = []
    for i, problem in enumerate(problems):
        at = np.searchsorted(-knots[:, i], -alphas, side="left")  # the segment that ends at or below alpha
        at = np.minimum(at, len(knots) - 1)
        coefs = bases[at, i] - alphas[:, None] * rates[at, i]
        results.append((coefs, _optimal(problem, coefs, alphas, top[i])))
    return results


def _walk(held: _Tableau | _Rows, top: Array, end: float) -> tuple[Array, Array, Array]:
    """Lower ends of the segments, and solution = base - alpha * rate on each; shapes (segments, problems, ...)."""
    base = -held.xy  # of x where active, of y elsewhere
    count, p = base.shape
    rate = np.zeros((count, p))
    each = np.arange(count)
    sign = np.zeros((count, p))
    alpha = top.copy()
    pivot = np.where(top > end, np.abs(base).argmax(axis=1), -1)  # -1: this walk is over
    knots, bases, rates = [alpha], [np.zeros((count, p))], [np.zeros((count, p))]
    for _ in range(STEPS_PER_COLUMN * held.rank):
        going = np.flatnonzero(pivot >= 0)
        if not len(going):
            break
        if len(going) < len(each):
            held.keep(going)
            sign, alpha, pivot, each = sign[going], alpha[going], pivot[going], each[going]
            base, rate = base[going], rate[going]
        rows = np.arange(len(each))
        entering = sign[rows, pivot] == 0.0
        height = base[rows, pivot] - alpha * rate[rows, pivot]
        left = np.where(entering, 0, np.where(sign[rows, pivot] > 0.0, 1, 2))
        sign[rows, pivot] = np.where(entering, -np.sign(height), 0.0)
        sound = held.exchange(pivot)
        active = sign != 0.0
        base, rate = held.solution(sign)
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


class _Tableau:
    """Gram matrices; the last column is what x_A and y_rest are at alpha 0, those of A how both change with y_A."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.xy = np.array([problem.xy for problem in problems])
        self.rank = self.xy.shape[1]
        self.table = np.concatenate([np.array([problem.gram for problem in problems]), -self.xy[:, :, None]], axis=2)

    def keep(self, going: Array) -> None:
        """Go on with these problems only."""
        self.table = self.table[going]

    def solution(self, sign: Array) -> tuple[Array, Array]:
        """Base and rate: x of the active columns, y of the others, is ``base - alpha * rate``."""
        return self.table[:, :, -1], (self.table[:, :, :-1] @ sign[:, :, None])[:, :, 0]

    def exchange(self, pivot: Array) -> Array:
        """Pivot each table on its own column; where that column depends on the others, say False."""
        table, rows = self.table, np.arange(len(self.table))
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


class _Rows:
    """Few rows: the inverse of the active columns' Gram matrix is bordered as columns come, and reduced as they go.

    A step costs as much as one product of the rows with a vector. There are as many slots for active columns as rows,
    and one to spare; an empty slot (-1) has zeros in `columns` and in `inverse`.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.xy = np.array([problem.xy for problem in problems])
        rows = max(len(problem.gram.Z) for problem in problems)
        count, p = self.xy.shape
        self.rank = min(rows, p)
        self.Z = np.zeros((count, rows, p))
        for Z, problem in zip(self.Z, problems, strict=True):
            Z[: len(problem.gram.Z)] = problem.gram.Z
        self.slots = np.full((count, self.rank + 1), -1)
        self.columns = np.zeros((count, rows, self.rank + 1))
        self.inverse = np.zeros((count, self.rank + 1, self.rank + 1))

    def keep(self, going: Array) -> None:
        """Go on with these problems only."""
        self.xy, self.Z, self.slots = self.xy[going], self.Z[going], self.slots[going]
        self.columns, self.inverse = self.columns[going], self.inverse[going]

    def solution(self, sign: Array) -> tuple[Array, Array]:
        """Base and rate: x of the active columns, y of the others, is ``base - alpha * rate``."""
        filled = self.slots >= 0
        sides = np.stack([np.take_along_axis(of, self.slots, 1) * filled for of in (self.xy, sign)], axis=2)
        x = self.inverse @ sides
        y = (self.Z.transpose(0, 2, 1) @ (self.columns @ x)).transpose(2, 0, 1)
        base, rate = y[0] - self.xy, y[1]
        where = (np.nonzero(filled)[0], self.slots[filled])
        base[where], rate[where] = x[filled].T
        return base, rate

    def exchange(self, pivot: Array) -> Array:
        """Take each problem's column in, or out; where it depends on those that are in, say False."""
        rows = np.arange(len(pivot))
        at = self.slots == pivot[:, None]
        leaving = at.any(axis=1)
        slot = np.where(leaving, at.argmax(axis=1), (self.slots < 0).argmax(axis=1))
        column = self.Z[rows, :, pivot]
        border = (self.inverse @ (self.columns.transpose(0, 2, 1) @ column[:, :, None]))[:, :, 0]
        rest = ((column - (self.columns @ border[:, :, None])[:, :, 0]) ** 2).sum(axis=1)
        border[rows, slot] = -1.0
        border[leaving] = self.inverse[rows, slot][leaving]
        value = np.where(leaving, -self.inverse[rows, slot, slot], rest)
        sound = leaving | (value > SMALLEST_PIVOT)
        self.inverse += border[:, :, None] * (border / np.where(sound, value, 1.0)[:, None])[:, None, :]
        emptied = (rows[leaving], slot[leaving])
        self.inverse[emptied] = 0.0
        self.inverse[emptied[0], :, emptied[1]] = 0.0
        self.columns[rows, :, slot] = np.where(leaving[:, None], 0.0, column)
        self.slots[rows, slot] = np.where(leaving, -1, pivot)
        return np.asarray(sound)


def _optimal(problem: Problem, coefs: Array, alphas: Array, top: float) -> Array:
    y = gram_times(problem.gram, coefs) - problem.xy
    wrong = np.where(coefs != 0.0, np.abs(y + alphas[:, None] * np.sign(coefs)), np.abs(y) - alphas[:, None])
    return np.asarray(wrong.max(axis=1) <= OPTIMAL * top)
