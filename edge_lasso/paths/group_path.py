"""The group lasso (Yuan and Lin 2006) on a Gram matrix: columns of one sensor are chosen together or not at all.

The objective is ``1/2 (yy - 2 c'b + b'G b) + alpha (l1_ratio sum_g sqrt(size_g) |b_g| + (1 - l1_ratio)/2 |b|^2)``: with
groups of one column
this is the elastic net of `path`.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dposv

from edge_lasso.paths.cross_validation import Lasso, Paths, solve_together
from edge_lasso.paths.method import Named
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.path import Array
from edge_lasso.paths.problem import Problem, Solution, alpha_grid

OPTIMAL = 1e-9
"""Optimality conditions hold to this part of the target's deviation."""


def norms(groups: Array, values: Array) -> Array:
    """Euclidean norm of each group's values."""
    return np.sqrt(np.bincount(groups, values**2))


def group_alpha_max(problem: Problem, groups: Array, l1_ratio: float = 1.0) -> float:
    """The smallest alpha at which all coefficients are zero."""
    return float((norms(groups, problem.xy) / np.sqrt(np.bincount(groups))).max(initial=0.0)) / l1_ratio


def group_gap(problem: Problem, groups: Array, coef: Array, alpha: float, l1_ratio: float = 1.0) -> float:
    """Duality gap relative to ``yy``."""
    weights = np.sqrt(np.bincount(groups))
    l1, l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    product = problem.gram @ coef
    fit, square = float(problem.xy @ coef), float(coef @ coef)
    residual = max(problem.yy + float(coef @ product) - 2.0 * fit, 0.0)
    dual = float((norms(groups, problem.xy - product - l2 * coef) / weights).max(initial=0.0))
    factor = min(1.0, l1 / dual) if dual > 0.0 else 1.0
    value = 0.5 * residual * (1.0 + factor**2) - factor * (problem.yy - fit)
    value += l1 * float(weights @ norms(groups, coef)) + 0.5 * l2 * (1.0 + factor**2) * square
    return max(value, 0.0) / problem.yy if problem.yy > 0.0 else 0.0


class GroupSolver:
    """Solves for decreasing alphas: proximal steps group by group, and Newton steps on the groups that are in.

    Parameters
    ----------
    problem : Problem
    groups : array of int, shape (p,)
        0, 1, ..: the group of each column.
    l1_ratio : float
    max_iter : int
    """

    def __init__(self, problem: Problem, groups: Array, l1_ratio: float = 1.0, max_iter: int = 10_000) -> None:
        self.problem = problem
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.max_iter = max_iter
        self.solution = Solution(np.zeros((0, len(problem.xy))))
        self._weights = np.sqrt(np.bincount(groups))
        self._members = [np.flatnonzero(groups == g) for g in range(len(self._weights))]
        self._steep = [float(np.linalg.eigvalsh(problem.gram[np.ix_(at, at)])[-1]) for at in self._members]
        self._coef = np.zeros(len(problem.xy))

    def extend(self, alphas: Array) -> None:
        """Solve further alphas, smaller than those so far."""
        coefs = [self._solve(float(alpha)).copy() for alpha in alphas]
        self.solution.coefs = np.concatenate([self.solution.coefs, np.array(coefs)])

    def _solve(self, alpha: float) -> Array:
        problem, groups, coef = self.problem, self.groups, self._coef
        limits, l2 = alpha * self.l1_ratio * self._weights, alpha * (1.0 - self.l1_ratio)
        enough = OPTIMAL * np.sqrt(problem.yy)
        sweeps = 0
        while True:
            gradient = problem.xy - problem.gram @ coef - l2 * coef
            size = norms(groups, coef)
            inside = size > 0.0
            toward = coef * (limits / np.where(inside, size, 1.0))[groups]
            off = np.where(inside, norms(groups, gradient - toward), norms(groups, gradient) - limits)
            if sweeps >= self.max_iter or off.max(initial=0.0) <= enough:
                break
            sweeps += 1
            for g in np.flatnonzero(inside | (off > enough)):
                at, steep = self._members[g], self._steep[g] + l2
                if steep <= 0.0:
                    continue
                aim = coef[at] + gradient[at] / steep
                length = float(np.sqrt(aim @ aim))
                change = aim * max(0.0, 1.0 - limits[g] / (steep * length)) - coef[at] if length > 0.0 else -coef[at]
                if change.any():
                    coef[at] += change
                    gradient -= change @ problem.gram[at]
                    gradient[at] -= l2 * change
            self._newton(coef, limits, l2)
        self.solution.n_iter.append(max(sweeps, 1))
        return coef

    def _newton(self, coef: Array, limits: Array, l2: float) -> None:
        """A Newton step on the columns of the groups that are in, where it lowers the objective."""
        active = np.flatnonzero(norms(self.groups, coef)[self.groups] > 0.0)
        if not len(active):
            return
        groups, w = self.groups[active], coef[active]
        gram = self.problem.gram[active[:, None], active]
        xy = self.problem.xy[active]
        size = norms(self.groups, coef)[groups]
        curve = limits[groups] / size
        unit = w / size
        hessian = gram - np.where(groups[:, None] == groups, np.outer(curve * unit, unit), 0.0)
        hessian.flat[:: len(active) + 1] += curve + l2
        _, step, info = dposv(hessian, xy - gram @ w - (l2 + curve) * w)
        if info:
            return

        def objective(v: Array) -> float:
            lengths = np.sqrt(np.bincount(groups, v**2, len(limits)))
            return float(0.5 * v @ gram @ v - xy @ v + limits @ lengths + 0.5 * l2 * v @ v)

        now = objective(w)
        for part in (1.0, 0.5, 0.1):
            if objective(w + part * step) <= now:
                coef[active] = w + part * step
                return


class GroupLasso(Named):
    """The group lasso: twins stay, each in its own group."""

    name = "group lasso"
    merges_twins = False

    def paths(self, lasso: Lasso, groups: Array, options: TrainOptions) -> Paths:
        """From the alpha at which the first group comes in."""
        top = group_alpha_max(lasso.problem, groups, options.l1_ratio)
        alphas = alpha_grid(lasso.problem, options.alphas, options.l1_ratio, options.smallest, top=top)
        every = [*lasso.fold_problems, lasso.problem]
        solvers = [GroupSolver(problem, groups, options.l1_ratio, options.max_iter) for problem in every]
        return solve_together(solvers, lasso.folds, lasso, alphas, options)

    def gap(self, problem: Problem, groups: Array, coef: Array, alpha: float, options: TrainOptions) -> float:
        """Duality gap."""
        return group_gap(problem, groups, coef, alpha, options.l1_ratio)

    def exact(self, problem: Problem, coef: Array, alpha: float, options: TrainOptions) -> None:
        """Within a group the penalty is not linear: there is no closed form."""
        return


GROUP = GroupLasso()
