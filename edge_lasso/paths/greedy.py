"""Orthogonal matching pursuit (Pati et al. 1993) on a Gram matrix: one column, or one group of columns, a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_lasso.paths.cross_validation import GAMMAS, Lasso, Paths, solve_together
from edge_lasso.paths.method import Named
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.path import Array
from edge_lasso.paths.problem import Problem, Solution
from edge_lasso.paths.refit import least_squares

SMALLEST_PULL = 1e-12
"""Relative to the first: nothing is left to explain."""
MOST_STEPS = 100


class GreedySolver:
    """Each step takes in the column with the largest gradient and solves least squares on all taken so far.

    Parameters
    ----------
    problem : Problem
        Where a column is scaled by a penalty factor, its gradient is divided by it.
    groups : array of int, shape (p,)
        0, 1, ..: columns with the same number come in together, by the root mean square of their gradients.

    Attributes
    ----------
    solution : Solution
    pulls : list of float
        The largest gradient after each step, never rising.
    """

    def __init__(self, problem: Problem, groups: Array) -> None:
        self.problem = problem
        self.solution = Solution(np.zeros((0, len(problem.xy))))
        self.pulls: list[float] = []
        self._groups = groups
        self._sizes = np.bincount(groups)
        self._open = ~problem.constant
        self._support = np.zeros(0, dtype=np.intp)
        self._coef = np.zeros(len(problem.xy))

    def extend(self, alphas: Array) -> None:
        """Take one step for each alpha, whatever its value; the very first keeps all coefficients zero."""
        coefs = []
        for _ in alphas:
            if self.pulls:
                self._step()
            self.pulls.append(min([self._best()[1], *self.pulls[-1:]]))
            coefs.append(self._coef.copy())
        self.solution.coefs = np.concatenate([self.solution.coefs, np.array(coefs)])
        self.solution.n_iter += [1] * len(coefs)

    def _best(self) -> tuple[int, float]:
        """The group to come in next, and its pull."""
        support = self._support
        gradient = self.problem.xy - self._coef[support] @ self.problem.gram[support]
        square = np.bincount(self._groups, gradient**2 * self._open, len(self._sizes)) / self._sizes
        group = int(np.argmax(square))
        return group, float(np.sqrt(square[group]))

    def _step(self) -> None:
        while True:
            group, pull = self._best()
            if pull <= SMALLEST_PULL * self.pulls[0]:
                return
            new = np.flatnonzero((self._groups == group) & self._open)
            self._open[new] = False
            wanted = np.concatenate([self._support, new])
            solved, dependent = least_squares(self.problem.gram, self.problem.xy, wanted)
            if len(wanted) - len(dependent) > len(self._support):
                break
        self._support = wanted[~np.isin(wanted, dependent)]
        self._coef = np.zeros(len(self._coef))
        self._coef[wanted] = solved


class Pursuit(Named):
    """Orthogonal matching pursuit: a path of steps, and nothing to refit."""

    name = "orthogonal matching pursuit"

    def paths(self, lasso: Lasso, groups: Array, options: TrainOptions) -> Paths:
        """The coefficients after each step; the alphas are the pulls."""
        every = [*lasso.fold_problems, lasso.problem]
        steps = min(len(np.unique(groups)), MOST_STEPS, min(problem.rows for problem in every) - 1)
        solvers = [GreedySolver(problem, groups) for problem in every]
        paths = solve_together(solvers, lasso.folds, lasso, np.zeros(max(steps, 0) + 1), options)
        return replace(paths, alphas=np.array(solvers[-1].pulls))

    def gap(self, problem: Problem, groups: Array, coef: Array, alpha: float, options: TrainOptions) -> float:
        """What least squares on the support leaves."""
        gradient = (problem.xy - problem.gram @ coef)[coef != 0.0]
        return float(gradient @ gradient) / problem.yy

    def exact(self, problem: Problem, coef: Array, alpha: float, options: TrainOptions) -> None:
        """It is solved already."""
        return

    def gammas(self, options: TrainOptions) -> Array:
        """It is least squares already."""
        return GAMMAS[:1]


PURSUIT = Pursuit()
