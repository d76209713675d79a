"""More columns than rows: the Gram matrix is made only for columns that become candidates, from the rows.

A lasso solution on a set of columns that holds its active set is the solution on all of them, so that everything after
the path (refits, budgets, choice, pruning) reads the statistics of the columns that were ever active.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from edge_lasso.errors import DataError
from edge_lasso.paths import homotopy
from edge_lasso.paths.cross_validation import Lasso, Paths, solve_together
from edge_lasso.paths.options import TrainOptions, penalty_factors, sign_constraints
from edge_lasso.paths.path import PathSolver
from edge_lasso.paths.problem import Problem, alpha_grid, gap
from edge_lasso.paths.scaling import scaling
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.workers import run
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
FOLD_TOLERANCE = 1e-5
"""Of coordinate descent, for paths that are only scored (scikit-learn's default is 1e-4)."""
TOLERANCE = 1e-7
WALK_UP_TO = 120
WALK_FROM = 5
"""Up to so many rows, and with so many columns for each, walking from knot to knot beats coordinate descent."""
SWEEPS = 1000
"""As scikit-learn's `max_iter`: close to the point where the rows are fitted exactly, descent is slow."""


@dataclass(frozen=True)
class RowPaths:
    """Paths solved on the rows, in raw units, on the columns that were ever active.

    Parameters
    ----------
    paths : Paths
        Coefficients in raw units.
    columns : array of int
        Where those columns are among all.
    whole : Rows
        All training rows.
    l1_ratio : float
    signs : array of int, or None
    """

    paths: Paths
    columns: Array
    whole: Rows
    l1_ratio: float
    signs: Array | None

    def on(self, lasso: Lasso) -> Paths:
        """The paths in the standardized units of the problems."""
        every = [*lasso.fold_problems, lasso.problem]
        coefs = [raw * problem.scale for raw, problem in zip(self.paths.coefs, every, strict=True)]
        return Paths(self.paths.alphas, coefs, self.paths.fold_errors, self.paths.n_iter, self.paths.ended)

    def gap(self, raw: Array, alpha: float) -> float:
        """Duality gap over all columns, relative to the variance of the target."""
        coef = np.zeros(len(self.whole.scaling.scale))
        coef[self.columns] = raw * self.whole.scaling.scale[self.columns]
        return gap(self.whole.problem(), coef, alpha, self.l1_ratio, self.signs)

    def limited_to(self, columns: Array) -> RowPaths:
        """The same on more columns, which include these."""
        at = np.searchsorted(columns, self.columns)
        coefs = []
        for raw in self.paths.coefs:
            wide = np.zeros((len(raw), len(columns)))
            wide[:, at] = raw
            coefs.append(wide)
        paths = Paths(self.paths.alphas, coefs, self.paths.fold_errors, self.paths.n_iter, self.paths.ended)
        return RowPaths(paths, columns, self.whole, self.l1_ratio, self.signs)


class Rows:
    """Standardized training rows; indexing gives rows of their Gram matrix."""

    def __init__(self, X: Array, y: Array, weight: Array, scale: Array | None, penalty: Array) -> None:
        total = float(weight.sum())
        self.target_mean = float(weight @ y) / total
        own = scaling(X, weight, penalty)
        self.scaling = own if scale is None else replace(own, scale=scale)
        root = np.sqrt(weight / total)[:, None]
        Z = self.scaling.apply(X)
        Z *= root
        self.Z = np.asfortranarray(Z)
        self.target = (y - self.target_mean) * root[:, 0]

    def __getitem__(self, columns: Array) -> Array:
        return np.asarray(self.Z[:, columns].T @ self.Z)

    def problem(self) -> Problem:
        """The lasso problem of these rows."""
        scale, constant = self.scaling.scale, self.scaling.constant
        return Problem(self, self.target @ self.Z, float(self.target @ self.target), scale, constant)


class HeldOutRows:
    """Held-out rows of a fold; the interface of `Fold`."""

    def __init__(self, X: Array, y: Array, weight: Array, training: Rows) -> None:
        self.X = training.scaling.apply(X)
        self.y = y - training.target_mean
        self.weight = weight / weight.sum()

    def held_out_error(self, target: int, coefs: Array) -> Array:
        """Mean squared error of several coefficient vectors (standardized, one a row)."""
        active = np.flatnonzero(coefs.any(axis=0))
        residual = self.y[:, None] - self.X[:, active] @ coefs[:, active].T
        return np.asarray(self.weight @ residual**2)


class _Count:
    """What `solve_together` asks of a `Lasso`: every column is an input."""

    target = 0

    def inputs(self, coefs: Array) -> Array:
        return np.asarray(np.count_nonzero(coefs, axis=1))


def row_paths(
    X: Array, Y: Array, plan: FoldPlan, weight: Array | None, options: TrainOptions, names: Sequence[str]
) -> list[RowPaths]:
    """Solve the paths of every target on the rows.

    Parameters
    ----------
    X : array, shape (n, p)
    Y : array, shape (n, t)
    plan : FoldPlan
    weight : array, shape (n,), or None
    options : TrainOptions
    names : sequence of str
        Of the columns.

    Returns
    -------
    list of RowPaths
        On the same columns: those ever active for any target.
    """
    X = np.asarray(X, dtype=np.float64)
    weight = np.ones(len(X)) if weight is None else weight
    empty = np.flatnonzero(~(np.abs(X[weight > 0.0]) <= READING_LIMIT).any(axis=0))
    if len(empty):
        raise DataError(f"column {names[empty[0]]!r} has no readings in the {len(X)} training rows; leave it out")
    penalty = penalty_factors(options.penalty, X.shape[1])
    signs = sign_constraints(options, X.shape[1])
    own = options.scale == "fold" or (options.scale == "auto" and plan.forward)
    parts = [np.arange(len(X))[rows] for rows in plan.rows(len(X))]
    results = []
    for y in np.asarray(Y, dtype=np.float64).T:
        whole = Rows(X, y, weight, None, penalty)

        def task(split: int, y: Array = y, whole: Rows = whole) -> tuple[Rows, HeldOutRows]:
            train, test = (np.sort(np.concatenate([parts[i] for i in side])) for side in plan.splits[split])
            for rows, name in ((train, "training"), (test, "held-out")):
                if not weight[rows].any():
                    raise DataError(f"fold {split + 1} has no {name} rows with a known target; use fewer folds")
            training = Rows(X[train], y[train], weight[train], None if own else whole.scaling.scale, penalty)
            return training, HeldOutRows(X[test], y[test], weight[test], training)

        pairs = run(task, range(len(plan.splits)), options.workers)
        alphas = alpha_grid(whole.problem(), options.alphas, options.l1_ratio, options.smallest, signs)
        every = [*(pair[0] for pair in pairs), whole]
        sweeps = min(SWEEPS, options.max_iter)
        solvers = [
            PathSolver(
                rows.problem(),
                options.l1_ratio,
                max(options.tol, TOLERANCE if rows is whole else FOLD_TOLERANCE),
                sweeps,
                signs,
            )
            for rows in every
        ]
        walk = len(X) <= min(WALK_UP_TO, X.shape[1] / WALK_FROM)
        if walk and options.l1_ratio == 1.0 and signs is None:
            for solver, known in zip(
                solvers, homotopy.paths([solver.problem for solver in solvers], alphas), strict=True
            ):
                solver.known = known
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the duality gap is reported
            paths = solve_together(solvers, [pair[1] for pair in pairs], _Count(), alphas, options)
        active = np.flatnonzero(np.any([coefs.any(axis=0) for coefs in paths.coefs], axis=0))
        raw = [coefs[:, active] / rows.scaling.scale[active] for coefs, rows in zip(paths.coefs, every, strict=True)]
        limited = Paths(paths.alphas, raw, paths.fold_errors, paths.n_iter, paths.ended)
        results.append(RowPaths(limited, active, whole, options.l1_ratio, signs))
    union = np.unique(np.concatenate([entry.columns for entry in results] or [np.zeros(0, dtype=np.intp)]))
    union = union if len(union) else np.zeros(1, dtype=np.intp)
    return [entry.limited_to(union) for entry in results]
