"""Held-out errors of paths and refits from the statistics of folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.paths.options import Candidate, TrainOptions
from edge_lasso.paths.problem import SATURATED, SCREEN_FROM, Problem, chunks, deviations, problems
from edge_lasso.paths.refit import least_squares, nested_least_squares
from edge_lasso.paths.select import mean_and_error
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.workers import run

Array = npt.NDArray[Any]
GAMMAS = np.array([1.0, 0.5, 0.0])
RISEN = 1.002
"""A costly path ends when the held-out error of every fold is this much above its minimum, ten alphas back or more."""
FALLS = 1e-3
"""A path goes on while ten times smaller alphas lower the held-out error by more than this part."""
FARTHEST = 1.5e-6
"""Of the largest alpha: no path goes farther."""
LAST = "last alpha"
"""Why a path ended that was followed to the end of its grid."""
REFIT_UP_TO = 200
"""Larger supports stay with the lasso: a refit of them neither is sparse nor predicts."""


@dataclass(frozen=True)
class Fold:
    """One split: the training rows' problems, and the moments to score on.

    Parameters
    ----------
    problems : list of Problem
        One per target.
    offset : array, shape (p + t,)
        Held-out means minus training means.
    held_out : Moments
    """

    problems: list[Problem]
    offset: Array
    held_out: Moments

    def held_out_error(self, target: int, coefs: Array) -> Array:
        """Mean squared error of several coefficient vectors (standardized, one a row) on the held-out rows."""
        active = np.flatnonzero(coefs.any(axis=0))
        raw = coefs[:, active] / self.problems[target].scale[active]
        p = coefs.shape[1]
        covariance, t = self.held_out.covariance, p + target
        bias = self.offset[t] - raw @ self.offset[active]
        explained = np.einsum("ij,ij->i", raw @ covariance[active[:, None], active], raw)
        value = bias**2 + covariance[t, t] - 2.0 * raw @ covariance[active, t] + explained
        return np.asarray(np.maximum(value, 0.0))


def make_folds(folds: FoldStatistics, split: int, scale: Array | None, penalty: Array, fixed: Array) -> Fold:
    """Prepare a split.

    Raises
    ------
    DataError
        Without training or held-out rows, or with a target that is constant in the training rows.
    """
    training, held_out = folds.training(split), folds.held_out(split)
    for part, name in ((training, "training"), (held_out, "held-out")):
        if part.rows == 0 or part.weight <= 0.0:
            raise DataError(f"fold {split + 1} has no {name} rows with a known target; use fewer folds")
    moments = training.moments()
    scored = held_out.moments(moments)
    p = len(folds.columns)
    if scale is None:
        scale = deviations(moments, p)[0] * penalty
    fold_problems = problems(moments, p, scale, fixed)
    for t, problem in enumerate(fold_problems):
        size = moments.second[p + t] + abs(moments.mean[p + t]) ** 2 * 1e-19
        if problem.yy <= 1e-12 * size:
            raise DataError(
                f"target {folds.targets[t]!r} is constant in the training rows of fold {split + 1}; use fewer folds"
            )
    return Fold(fold_problems, scored.shift + scored.delta - moments.shift - moments.delta, scored)


@dataclass(frozen=True)
class Lasso:
    """The problem on all training rows together with those of the folds."""

    problem: Problem
    fold_problems: list[Problem]
    folds: list[Fold]
    target: int
    owners: list[tuple[int, ...]] | None
    rows: int
    repeats: int = 1

    def inputs(self, coefs: Array) -> Array:
        """Number of inputs that each coefficient vector (one a row) reads."""
        if self.owners is None:
            return np.asarray(np.count_nonzero(coefs, axis=1))
        owners = self.owners
        return np.array([len({i for j in np.flatnonzero(coef) for i in owners[j]}) for coef in coefs], dtype=np.int64)

    def relaxed_errors(self, candidates: Sequence[Array], count: int, gammas: Array) -> Array:
        """Held-out errors with each fold's own supports, shape (folds, candidates, gammas).

        Parameters
        ----------
        candidates : sequence of array, shape (count, p)
            Per fold, the lasso coefficients of each candidate.
        count : int
        gammas : array
        """
        result = np.full((len(self.folds), count, len(gammas)), np.inf)
        for f, (fold, coefs) in enumerate(zip(self.folds, candidates, strict=True)):
            if gammas[0] == 1.0:
                result[f, :, 0] = fold.held_out_error(self.target, coefs)
            if gammas[-1] == 1.0:
                continue
            small = np.flatnonzero(np.count_nonzero(coefs, axis=1) <= REFIT_UP_TO)
            refits = refits_of(fold.problems[self.target], coefs[small])
            for g, gamma in enumerate(gammas):
                if gamma == 1.0:
                    continue
                result[f, small, g] = fold.held_out_error(self.target, gamma * coefs[small] + (1.0 - gamma) * refits)
        return result


@dataclass(frozen=True)
class Paths:
    """Paths of the folds and, last, of all training rows, solved to the same alpha.

    Parameters
    ----------
    alphas : array
    coefs : list of array, shape (alphas, p)
        On standardized columns.
    fold_errors : array, shape (folds, alphas)
    n_iter : int
    ended : str
    """

    alphas: Array
    coefs: list[Array]
    fold_errors: Array
    n_iter: int
    ended: str


def solve_together(
    solvers: Sequence[Any], folds: Sequence[Any], lasso: Any, alphas: Array, options: TrainOptions
) -> Paths:
    """Solve all paths side by side, and end them where going on is costly and leads nowhere.

    Parameters
    ----------
    solvers : sequence
        `PathSolver` or alike, one per fold, then that of all training rows.
    folds : sequence
        `Fold` or alike: they score.
    lasso : Lasso or alike
        Has `target` and `inputs`.
    alphas : array
    options : TrainOptions
    """
    p = solvers[-1].solution.coefs.shape[1]
    errors = np.zeros((len(folds), 0))
    ended = LAST
    done = 0
    waiting = chunks(alphas, p)
    while waiting:
        chunk = waiting.pop(0)
        run(lambda solver, chunk=chunk: solver.extend(chunk), solvers, options.workers)
        scored = [
            fold.held_out_error(lasso.target, solver.solution.coefs[done:])
            for fold, solver in zip(folds, solvers[:-1], strict=True)
        ]
        done += len(chunk)
        errors = np.concatenate([errors, np.array(scored).reshape(len(folds), len(chunk))], axis=1)
        reason = _ended(solvers, errors, lasso, options.max_inputs) if p > SCREEN_FROM else None
        if reason and done < len(alphas):
            ended = reason
            break
        if not waiting and goes_on(alphas, errors, options):
            more = next_decade(alphas)
            alphas = np.append(alphas, more)
            waiting = chunks(more, p)
    coefs = [solver.solution.coefs for solver in solvers]
    return Paths(alphas[:done], coefs, errors, int(sum(solvers[-1].solution.n_iter)), ended)


def still_falls(alphas: Array, errors: Array) -> bool:
    """Whether the last tenfold fall of alpha lowered the mean held-out error of a path, to its last point.

    Parameters
    ----------
    alphas : array, shape (m,)
    errors : array, shape (folds, m)
    """
    before = alphas > 10.0 * alphas[-1] * (1.0 + 1e-9)
    if not len(errors) or not before.any():
        return False
    mean = errors.mean(axis=0)
    return bool(mean.argmin() >= len(mean) - 3 and mean.min() < (1.0 - FALLS) * mean[before].min())


def goes_on(alphas: Array, errors: Array, options: TrainOptions) -> bool:
    """Whether a path that has reached its last alpha should be followed further."""
    free = options.eps is None and options.max_inputs is None and isinstance(options.alphas, int | np.integer)
    return free and len(alphas) > 1 and alphas[-1] > FARTHEST * alphas[0] > 0.0 and still_falls(alphas, errors)


def next_decade(alphas: Array) -> Array:
    """Alphas down to a tenth of the last, as close as those before."""
    ratio = float(alphas[-1] / alphas[-2])
    return np.asarray(alphas[-1] * ratio ** np.arange(1, 1 + max(round(-1.0 / np.log10(ratio)), 1)))


def _ended(solvers: Sequence[Any], errors: Array, lasso: Any, max_inputs: int | None) -> str | None:
    last = [solver.solution.coefs[-1:] for solver in solvers]
    if max_inputs is not None and all(lasso.inputs(coef)[0] > 2 * max_inputs + 10 for coef in last):
        return "past the input budget"
    past = errors.shape[1] - 1 - errors.argmin(axis=1)
    if len(errors) and (past >= 10).all() and (errors[:, -1] > RISEN * errors.min(axis=1)).all():
        return "held-out error past its minimum on every fold"
    return f"{SATURATED} of the variance explained" if solvers[-1].solution.saturated else None


def refits_of(problem: Problem, coefs: Array) -> Array:
    """Least squares on each support; along a path most of them contain the one before."""
    supports = coefs != 0.0
    refits = np.zeros_like(coefs)
    shrank = np.flatnonzero((supports[:-1] & ~supports[1:]).any(axis=1)) + 1
    for nest in np.split(np.arange(len(coefs)), shrank):
        used = np.flatnonzero(supports[nest[-1]]) if len(nest) else nest
        if not len(used):
            continue
        order = used[np.argsort(supports[nest][:, used].argmax(axis=0), kind="stable")]
        nested = nested_least_squares(problem.gram, problem.xy, order)
        if nested is not None:
            count = supports[nest].sum(axis=1)
            refits[nest[:, None], order] = np.concatenate([np.zeros((1, len(order))), nested])[count]
            continue
        for i in nest:
            if i > nest[0] and (supports[i] == supports[i - 1]).all():
                refits[i] = refits[i - 1]
                continue
            at = np.flatnonzero(supports[i])
            refits[i, at] = least_squares(problem.gram, problem.xy, at)[0]
    return refits


def relaxed(problem: Problem, coef: Array, gamma: float) -> tuple[Array, Array]:
    """``gamma * coef + (1 - gamma) * least squares on its support``, and the dependent columns of the support."""
    if gamma == 1.0:
        return coef.copy(), np.zeros(0, dtype=np.intp)
    support = np.flatnonzero(coef)
    solved, dependent = least_squares(problem.gram, problem.xy, support)
    mixed = gamma * coef
    mixed[support] += (1.0 - gamma) * solved
    return mixed, dependent


def budgets(sizes: Array, max_inputs: int) -> Array:
    """For 0, 1, .. `max_inputs` inputs, the last position on a path with no more than that; -1: there is none."""
    return np.array([max(np.flatnonzero(sizes <= k), default=-1) for k in range(max_inputs + 1)], dtype=np.intp)


def at_positions(coefs: Array, positions: Array) -> Array:
    """The coefficients at positions of a path; zero at -1."""
    coef = coefs[positions]
    coef[positions < 0] = 0.0
    return coef


def curve(errors: Array, sizes: Array, alphas: Array, gammas: Array, repeats: int = 1) -> tuple[Candidate, ...]:
    """The best candidate of each size, from held-out errors of shape (folds, candidates, gammas)."""
    if not len(errors):
        return ()
    mean, se = mean_and_error(errors, repeats)
    best = []
    for size in np.unique(sizes):
        at = np.flatnonzero(sizes == size)
        i, g = np.unravel_index(np.argmin(mean[at]), mean[at].shape)
        row = at[i]
        gamma = max(float(gammas[g]), 0.0)  # a best subset is least squares
        best.append(Candidate(int(size), float(alphas[row]), gamma, float(mean[row, g]), float(se[row, g])))
    return tuple(best)
