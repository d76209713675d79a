"""Logistic lasso paths of rows in memory and of their folds, several alphas at a time.

A few alphas are solved side by side. One curvature in their middle, summed part by part, serves all rows and every
fold; after each step one pass gives the gradients of all of them. A fold's path starts from that of all rows: what is
left is a correction. Whatever does not settle so is handed to `logistic.LogisticSolver`, which takes curvatures of its
own and halves its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_lasso.paths.curvature import Array, Quadratic
from edge_lasso.paths.logistic import LogisticSolver, null_coefs
from edge_lasso.paths.logistic_rows import EAGER_UP_TO, FoldRows, column_sum
from edge_lasso.paths.problem import EPS
from edge_lasso.statistics.workers import run

TOGETHER = 20
"""Alphas solved side by side."""
APART = 5
"""Alphas that share a curvature."""
SWEEPS = 12
SLOW = 0.5
"""A step that leaves more than this part of the violation asks for a curvature of its own."""
ROUGH = 1e-5
"""Violations down to this part of the largest alpha are told in single precision."""
FRESH = 3
"""Curvatures that a fold may ask for, for each group of alphas."""
NEAR = 0.85
"""Columns whose gradient is this part of the penalty are candidates."""


@dataclass
class Points:
    """Coefficients of several penalties, shape (m, outputs, p + 1), and the gradients of the loss there.

    Parameters
    ----------
    l1, l2 : array, shape (m,)
    supports : array of bool, shape (m, p), or None
        For `l1` 0: the columns that may move.
    origins : array of int, shape (m,), or None
        Of a fold: which of the points of all rows each starts from. None: the one at its place.
    """

    coefs: Array
    gradients: Array
    l1: Array
    l2: Array
    supports: Array | None = None
    origins: Array | None = None

    def at(self, chosen: Array) -> Points:
        """Some of them."""
        supports = None if self.supports is None else self.supports[chosen]
        return Points(self.coefs[chosen], self.gradients[chosen], self.l1[chosen], self.l2[chosen], supports)

    def violations(self) -> Array:
        """Distance of each coefficient's subgradient from zero, shape (m, outputs, p + 1)."""
        w = self.coefs[:, :, :-1]
        result = np.abs(self.gradients)
        slope = self.gradients[:, :, :-1] + self.l2[:, None, None] * w
        if self.supports is None:
            l1 = self.l1[:, None, None]
            off = np.where(w != 0.0, np.abs(slope + l1 * np.sign(w)), np.maximum(np.abs(slope) - l1, 0.0))
        else:
            off = np.where(self.supports[:, None], np.abs(slope), 0.0)
        result[:, :, :-1] = off
        return np.asarray(result)

    def candidates(self) -> Array:
        """Columns that are used or may come to be, shape (p,)."""
        if self.supports is not None:
            return np.asarray(self.supports.any(axis=0))
        near = np.abs(self.gradients[:, :, :-1]) > NEAR * self.l1[:, None, None]
        return np.asarray((near | (self.coefs[:, :, :-1] != 0.0)).any(axis=(0, 1)))


class Training:
    """The rows of some parts, whose coefficients are looked for.

    Parameters
    ----------
    rows : FoldRows
    parts : sequence of int
    tol : float
        Largest violation of the optimality conditions, as a part of the largest alpha.

    Attributes
    ----------
    coefs, gradient : array, shape (outputs, p + 1)
        Of a model without inputs.
    top : float
        The smallest alpha at which all coefficients are zero, with `l1_ratio` 1.
    passes : int
        Over the rows, however many coefficients shared one.
    """

    def __init__(self, rows: FoldRows, parts: Sequence[int], tol: float) -> None:
        self.rows, self.parts, self.tol = rows, list(parts), tol
        self.total = float(rows.totals[self.parts].sum())
        self.passes = 0
        self.coefs = null_coefs(rows.some(self.parts))
        self.gradient = self.gradients(self.coefs[None])[0]
        self.top = max(float(np.abs(self.gradient[:, :-1]).max(initial=0.0)), EPS)

    def gradients(self, coefs: Array, rough: bool = False) -> Array:
        """Of the mean loss, shape (m, outputs, p + 1)."""
        self.passes += 1
        return np.asarray(self.rows.gradients(coefs, self.parts, rough).sum(axis=0) / self.total)

    def share(self, by_part: Any) -> Any:
        """Of sums for each part: gradients (their mean), or curvatures (their sum)."""
        if isinstance(by_part, np.ndarray):
            return by_part[self.parts].sum(axis=0) / self.total
        return column_sum([by_part[part] for part in self.parts])

    def quadratic(self, coefs: Array, candidates: Array) -> Quadratic:
        """The loss of these rows to second order."""
        self.passes += 1
        inside = np.flatnonzero(candidates)
        summed = column_sum(self.rows.curvatures(coefs, inside, self.parts))
        return Quadratic(summed, inside, self.total)

    def settle(self, points: Points, near: Sequence[Quadratic]) -> Array:
        """Move points, in place, to where their penalized loss is smallest; returns which are there, shape (m,).

        Parameters
        ----------
        points : Points
        near : sequence of Quadratic
            The curvature to use for each point.
        """
        models, fresh = list(near), 0
        bar = self.tol * self.top
        violation = points.violations().max(axis=(1, 2))
        for _ in range(SWEEPS):
            left = np.flatnonzero(violation > bar)
            if not len(left):
                break
            trial = points.at(left)
            for model in dict.fromkeys(models[i] for i in left):
                same = np.array([models[i] is model for i in left])
                some = trial.at(same)
                trial.coefs[same] += model.steps(some.coefs, some.gradients, some.l1, some.l2, some.supports)
            rough = violation[left].min() > 10.0 * ROUGH * self.top or self.tol >= ROUGH
            trial.gradients = self.gradients(trial.coefs, rough)
            now = trial.violations().max(axis=(1, 2))
            better = now < violation[left]  # not where it is no number
            slow = ~(now < SLOW * violation[left]) & ~(now <= bar)
            points.coefs[left[better]], points.gradients[left[better]] = trial.coefs[better], trial.gradients[better]
            violation[left[better]] = now[better]
            if 2 * slow.sum() > len(left) or not better.any():
                if fresh == FRESH:
                    break
                fresh += 1
                left = np.flatnonzero(violation > bar)
                for start in range(0, len(left), APART):
                    group = left[start : start + APART]
                    model = self.quadratic(points.coefs[group[len(group) // 2]], points.candidates())
                    for i in group:
                        models[i] = model
        return np.asarray(violation <= bar)

    def finish(self, points: Points, settled: Array, l1_ratio: float) -> None:
        """Solve in another way, in place, what has not settled."""
        for i in np.flatnonzero(~settled):
            solver = LogisticSolver(self.rows.some(self.parts), l1_ratio, self.tol, (points.coefs[i], self.top))
            if points.supports is None:
                points.coefs[i] = solver.solve(float(points.l1[i] + points.l2[i]))
            else:
                points.coefs[i] = solver.refit(points.coefs[i], float(points.l2[i]))
            points.gradients[i] = self.gradients(points.coefs[i : i + 1])[0]
            self.passes += solver.passes


def follow(
    whole: Training,
    folds: Sequence[Training],
    points: Points,
    starts: Sequence[Points],
    before: Quadratic | None,
    l1_ratio: float,
    workers: int,
) -> Quadratic:
    """Solve one group of penalties for all rows, and from there for the folds; all points are moved in place.

    Parameters
    ----------
    whole : Training
    folds : sequence of Training
    points : Points
        Of all rows: where to start.
    starts : sequence of Points
        Of the folds. Coefficients and gradients are not read: folds start where all rows end.
    before : Quadratic, optional
        What the last call returned.
    l1_ratio : float
    workers : int
        Threads for the folds.
    """
    rows = whole.rows
    every = range(len(rows.totals))
    if before is None:
        before = whole.quadratic(points.coefs[0], _lowest(points).candidates())
    guess = points.at(np.arange(len(points.l1)))
    guess.coefs += before.steps(guess.coefs, guess.gradients, guess.l1, guess.l2, guess.supports)
    parts = rows.gradients(guess.coefs, every)
    whole.passes += 1
    guess.gradients = parts.sum(axis=0) / whole.total
    better = guess.violations().max(axis=(1, 2)) < points.violations().max(axis=(1, 2))
    points.coefs[better], points.gradients[better] = guess.coefs[better], guess.gradients[better]
    wanted = guess.candidates() | points.candidates()
    for training, start in zip(folds, starts, strict=True):
        start.coefs, start.gradients = guess.coefs, training.share(parts)
        wanted |= start.candidates()
    if rows.columns <= EAGER_UP_TO and points.supports is None:
        wanted[:] = True
    inside = np.flatnonzero(wanted)
    groups = np.array_split(np.arange(len(points.l1)), -(-len(points.l1) // APART))
    curvatures = [rows.curvatures(guess.coefs[group[len(group) // 2]], inside, every) for group in groups]
    group_of = np.repeat(np.arange(len(groups)), [len(group) for group in groups])

    def models(training: Training, places: Array) -> list[Quadratic]:
        shared = [Quadratic(training.share(curvature), inside, training.total) for curvature in curvatures]
        return [shared[group_of[place]] for place in places]

    near = models(whole, np.arange(len(points.l1)))
    whole.finish(points, whole.settle(points, near), l1_ratio)
    parts = rows.gradients(points.coefs, every)
    whole.passes += 1 + len(groups)

    def correct(fold: int) -> None:
        training, start = folds[fold], starts[fold]
        origins = np.arange(len(start.l1)) if start.origins is None else start.origins
        start.coefs, start.gradients = points.coefs[origins], training.share(parts)[origins]
        if start.supports is not None and (start.coefs[:, :, :-1] * ~start.supports[:, None]).any():
            start.coefs[:, :, :-1] *= start.supports[:, None]
            start.gradients = training.gradients(start.coefs)
        training.finish(start, training.settle(start, models(training, origins)), l1_ratio)

    run(correct, range(len(folds)), workers)
    return near[-1]


def _lowest(points: Points) -> Points:
    return points.at(np.argsort(points.l1)[:1]) if points.supports is None else points
