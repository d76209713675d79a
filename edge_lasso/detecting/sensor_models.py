"""One sparse model per watched sensor, all from one Gram matrix, with a total budget of coefficients.

Each sensor's lasso path (and the refits on it) is scored on held-out blocks of time. A budget goes, step by step, to
the sensor whose held-out error falls most per coefficient, in logarithms: what halves one sensor's error is worth as
much as what halves another's, for a fault of given size is then seen equally sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.paths import homotopy
from edge_lasso.paths import select as selection
from edge_lasso.paths.cross_validation import GAMMAS, Fold, Lasso, at_positions, budgets, relaxed, solve_together
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.path import PathSolver
from edge_lasso.paths.problem import SCREEN_FROM, alpha_grid, deviations, problems
from edge_lasso.statistics.folds import FoldStatistics, held_out_moments
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.workers import run

Array = npt.NDArray[Any]
MOST = 12
"""Coefficients of one sensor: beyond, held-out errors hardly fall, and a fault smears over more residuals."""
ALPHAS, EPS = 60, 1e-2


@dataclass(frozen=True)
class SensorModel:
    """One sensor predicted from the others, on all rows and on the training rows of each split.

    Parameters
    ----------
    columns : array of int
        Those with a coefficient on all rows.
    coef : array, shape (len(columns),)
        Raw units.
    intercept : float
    error, null : float
        Held-out mean squared error, and that of the training mean.
    folds : list of (columns, coef, intercept)
        The models of the splits: what a row was predicted with when it was held out.
    """

    columns: Array
    coef: Array
    intercept: float
    error: float
    null: float
    folds: list[tuple[Array, Array, float]]


def fit_sensors(
    folds: FoldStatistics,
    watched: Sequence[int],
    allowed: Sequence[Array],
    max_coefs: int | None = None,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[SensorModel]:
    """Fit a model for each watched sensor.

    Parameters
    ----------
    folds : FoldStatistics
        Of all columns, sensors and derived ones alike; no targets.
    watched : sequence of int
        Columns to predict; none of them constant.
    allowed : sequence of array of int
        For each, the columns to predict it from.
    max_coefs : int, optional
        Budget of coefficients over all sensors. Default: each sensor's sparsest within one paired standard error.
    workers : int
        Threads.
    progress : callable, optional
        Called with the number of sensors done.
    """
    total = folds.total.moments()
    splits = [held_out_moments(folds, split) for split in range(len(folds.splits))]
    most = MOST if max_coefs is None else min(MOST, max_coefs)
    done = [0]

    def task(at: int) -> _Ladder:
        order = np.array([*allowed[at].tolist(), watched[at]])
        result = _ladder(total, splits, order, min(most, len(order) - 1))
        done[0] += 1
        if progress is not None:
            progress(done[0])
        return result

    ladders: list[_Ladder] = run(task, range(len(watched)), workers)
    if max_coefs is None:
        rungs = [selection.choose(each.errors, each.sizes, "paired").index for each in ladders]
    else:
        rungs = allocate([each.best for each in ladders], [each.sizes for each in ladders], max_coefs)
    return [each.model(rung) for each, rung in zip(ladders, rungs, strict=True)]


def allocate(errors: Sequence[Array], sizes: Sequence[Array], budget: int) -> list[int]:
    """Spend a budget of coefficients where the logarithm of the error falls most per coefficient.

    Parameters
    ----------
    errors, sizes : sequence of array
        Per sensor: held-out error and number of coefficients of each candidate, sparsest first.
    budget : int

    Returns
    -------
    list of int
        The candidate chosen per sensor.
    """
    chosen, left = [0] * len(errors), budget
    logs = [np.log(np.maximum(each, 1e-300)) for each in errors]
    while True:
        best = (0.0, 0, 0)
        for i, (log, size) in enumerate(zip(logs, sizes, strict=True)):
            more = size - size[chosen[i]]
            possible = (more > 0) & (more <= left)
            if possible.any():
                gain = np.where(possible, (log[chosen[i]] - log) / np.maximum(more, 1), -np.inf)
                k = int(gain.argmax())
                best = max(best, (float(gain[k]), i, k))
        if best[0] <= 0.0:
            return chosen
        _, i, k = best
        left -= int(sizes[i][k] - sizes[i][chosen[i]])
        chosen[i] = k


@dataclass(frozen=True)
class _Ladder:
    """A sensor's candidates by number of coefficients.

    `errors` has shape (splits, candidates, gammas); `coefs` and `fold_coefs` hold lasso coefficients on standardized
    columns per candidate.
    """

    order: Array
    lasso: Lasso
    moments: Moments
    trainings: list[Moments]
    sizes: Array
    errors: Array
    coefs: Array
    fold_coefs: list[Array]

    @property
    def best(self) -> Array:
        """Held-out error of each candidate with its best gamma."""
        return np.asarray(self.errors.mean(axis=0).min(axis=1))

    def model(self, rung: int) -> SensorModel:
        """The model of a candidate, and its models of the splits."""
        gamma = float(GAMMAS[int(self.errors[:, rung].mean(axis=0).argmin())])
        columns, coef, intercept = self._raw(self.lasso.problem, self.moments, self.coefs[rung], gamma)
        parts = [
            self._raw(problem, moments, coefs[rung], gamma)
            for problem, moments, coefs in zip(self.lasso.fold_problems, self.trainings, self.fold_coefs, strict=True)
        ]
        return SensorModel(columns, coef, intercept, float(self.best[rung]), float(self.best[0]), parts)

    def _raw(self, problem: Any, moments: Moments, coefs: Array, gamma: float) -> tuple[Array, Array, float]:
        coef = relaxed(problem, coefs, gamma)[0] / problem.scale
        used = np.flatnonzero(coef)
        mean = moments.mean
        return self.order[used], coef[used], float(mean[-1] - mean[used] @ coef[used])


def _ladder(total: Moments, splits: list[tuple[Moments, Moments]], order: Array, most: int) -> _Ladder:
    p = len(order) - 1
    moments = total.chosen(order)
    scale = deviations(moments, p)[0]
    problem = problems(moments, p, scale)[0]
    parts, trainings = [], []
    for training, held_out in splits:
        own, held = training.chosen(order), held_out.chosen(order)
        trainings.append(own)
        parts.append(Fold(problems(own, p, scale), held.shift + held.delta - own.shift - own.delta, held))
    lasso = Lasso(problem, [fold.problems[0] for fold in parts], parts, 0, None, moments.rows)
    options = TrainOptions(max_inputs=max(most, 1))
    every = [*lasso.fold_problems, problem]
    alphas = alpha_grid(problem, ALPHAS, 1.0, EPS)
    solvers = [PathSolver(each, 1.0, 1e-7, options.max_iter) for each in every]
    if p <= SCREEN_FROM:
        for solver, known in zip(solvers, homotopy.paths(every, alphas), strict=True):
            solver.known = known
    paths = solve_together(solvers, parts, lasso, alphas, options)
    sizes = lasso.inputs(paths.coefs[-1])
    at = budgets(sizes, most)
    possible = (at < 0) | (sizes[at] == np.arange(len(at)))
    possible[0] = True  # no coefficient is always a candidate
    rows = np.flatnonzero(possible & ((at >= 0) | (np.arange(len(at)) == 0)))
    fold_coefs = [at_positions(each, budgets(lasso.inputs(each), most)[rows]) for each in paths.coefs[:-1]]
    coefs = at_positions(paths.coefs[-1], at[rows])
    coefs[0], fold_coefs = 0.0, [np.where(np.arange(len(rows))[:, None] == 0, 0.0, each) for each in fold_coefs]
    errors = lasso.relaxed_errors(fold_coefs, len(rows), GAMMAS)
    return _Ladder(order, lasso, moments, trainings, rows, errors, coefs, fold_coefs)


def predict_sensors(models: Sequence[SensorModel], rows: Array, split: int) -> Array:
    """Predictions of the watched sensors, shape (n, sensors).

    Parameters
    ----------
    models : sequence of SensorModel
    rows : array, shape (n, columns)
        NaN where missing; a prediction that reads it is NaN, too.
    split : int
        Whose training rows' models predict.
    """
    result = np.empty((len(rows), len(models)))
    for k, model in enumerate(models):
        columns, coef, intercept = model.folds[split]
        result[:, k] = rows[:, columns] @ coef + intercept
    return result
