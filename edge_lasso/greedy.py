"""Orthogonal matching pursuit (Pati et al. 1993) on a Gram matrix: one column, or one group of columns, a step."""

from __future__ import annotations

import numpy as np

from edge_lasso.path import Array, Problem, Solution
from edge_lasso.refit import least_squares

SMALLEST_PULL = 1e-12
"""Relative to the first: nothing is left to explain."""


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
    pulls : list of float
        The largest gradient before each step.
    """

    def __init__(self, problem: Problem, groups: Array) -> None:
        self.problem = problem
        self.solution = Solution(np.zeros((0, len(problem.xy))))
        self.pulls: list[float] = []
        self._groups = groups
        self._open = ~problem.constant
        self._support = np.zeros(0, dtype=np.intp)

    def extend(self, alphas: Array) -> None:
        """Take one step for each alpha but the very first, whose coefficients are zero; the values do not matter."""
        coefs = [self._step() for _ in alphas]
        self.solution.coefs = np.concatenate([self.solution.coefs, *[coef[None] for coef in coefs]])
        self.solution.n_iter += [1] * len(coefs)

    def _step(self) -> Array:
        problem = self.problem
        before = self.solution.coefs[-1] if len(self.solution.coefs) else None
        if not self.pulls:
            self.pulls.append(self._largest(problem.xy)[1])
            return np.zeros(len(problem.xy))
        coef = self._last if before is not None or len(self._support) else np.zeros(len(problem.xy))
        while True:
            gradient = problem.xy - coef[self._support] @ problem.gram[self._support]
            group, pull = self._largest(gradient)
            if pull <= SMALLEST_PULL * self.pulls[0]:
                self.pulls.append(self.pulls[-1])
                return coef
            new = np.flatnonzero((self._groups == group) & self._open)
            self._open[new] = False
            wanted = np.concatenate([self._support, new])
            solved, dependent = least_squares(problem.gram, problem.xy, wanted)
            if not len(dependent):
                break
            wanted = wanted[~np.isin(wanted, dependent)]
            if len(wanted) > len(self._support):
                solved, _ = least_squares(problem.gram, problem.xy, wanted)
                break
        self._support = wanted
        coef = np.zeros(len(problem.xy))
        coef[wanted] = solved
        self._last = coef
        after = self._largest(problem.xy - solved @ problem.gram[wanted])[1]
        self.pulls.append(min(after, self.pulls[-1]))
        return coef
