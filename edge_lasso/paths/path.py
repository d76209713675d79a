"""The lasso and elastic-net path on a Gram matrix: cost does not depend on the number of rows.

The problem is ``1/2 (yy - 2 c'b + b'G b) + alpha (l1_ratio |b|_1 + (1 - l1_ratio)/2 |b|^2)`` with G, c, yy centred,
scaled and divided by the weight: scikit-learn's objective. scikit-learn's own coordinate descent solves it: given a
Gram matrix it reads nothing else of the rows than ``|y|^2`` (with ``check_input=False``; a test pins that).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from scipy.linalg.lapack import dposv
from sklearn.linear_model import enet_path

from edge_lasso.paths.problem import SATURATED, SCREEN_FROM, Problem, Solution, alpha_max, gram_times, pull

Array = npt.NDArray[Any]
TOLERANCE = 1e-9
SWEEPS = 60
"""Coordinate descent sweeps before the active set is solved directly."""
POLISH_UP_TO = 1500
ALL = slice(None)


class PathSolver:
    """Solves one problem for decreasing alphas, each from the solution before.

    Parameters
    ----------
    problem : Problem
    l1_ratio : float
    tol : float
        scikit-learn's `tol`.
    max_iter : int
    signs : array of int, shape (p,), or None
        1: the coefficient may not be negative, -1: not positive, 0: either.
    saturated : float
        Part of the variance explained at which a screened path ends.

    Attributes
    ----------
    known : (coefs, exact), or None
        Solutions found in another way (`homotopy.paths`), and which of them need no descent.
    """

    def __init__(
        self,
        problem: Problem,
        l1_ratio: float = 1.0,
        tol: float = TOLERANCE,
        max_iter: int = 10_000,
        signs: Array | None = None,
        saturated: float = SATURATED,
    ) -> None:
        self.saturated = saturated
        self.problem = problem
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.max_iter = max_iter
        self.signs = signs
        self.coef = np.zeros(len(problem.xy))
        self.known: tuple[Array, Array] | None = None
        self.solution = Solution(np.zeros((0, len(problem.xy))))
        self._gradient = problem.xy.copy()
        self._last = alpha_max(problem, l1_ratio, signs)
        self._set = np.zeros(0, dtype=np.intp)  # ever a candidate
        self._rows = np.zeros((0, len(problem.xy)))
        self._sub = np.zeros((0, 0))

    def extend(self, alphas: Array) -> None:
        """Solve further alphas, smaller than those so far."""
        if not len(alphas):
            return
        known = self._known(len(alphas))
        small = len(self.problem.xy) <= SCREEN_FROM and isinstance(self.problem.gram, np.ndarray)
        if known is not None and known[1].all():
            coefs = self._take(known[0], float(alphas[-1]))
        else:
            coefs = self._direct(alphas, known) if small else self._screened(alphas)
        self.solution.coefs = np.concatenate([self.solution.coefs, coefs])
        self.coef = coefs[-1]

    def solve_from(self, alpha: float, start: Array) -> Array:
        """The solution at one alpha, from coefficients of any origin."""
        self.coef = start
        return np.asarray(self._direct(np.array([alpha]), None)[0])

    def _known(self, count: int) -> tuple[Array, Array] | None:
        """What is known of the next alphas."""
        done = len(self.solution.coefs)
        if self.known is None or done >= len(self.known[0]):
            return None
        coefs, exact = self.known
        return coefs[done : done + count], exact[done : done + count]

    def _take(self, coefs: Array, last: float) -> Array:
        """Go on from solutions that need no descent."""
        self.solution.n_iter += [0] * len(coefs)
        if len(self.problem.xy) > SCREEN_FROM:
            self._last, xy = last, self.problem.xy
            self._gradient = xy - gram_times(self.problem.gram, coefs[-1:])[0]
            self.solution.saturated = coefs[-1] @ (xy + self._gradient) > self.saturated * self.problem.yy
        return coefs

    def _direct(self, alphas: Array, known: tuple[Array, Array] | None) -> Array:
        problem = self.problem
        if known is None:
            coefs, open_ = np.zeros((len(alphas), len(problem.xy))), np.arange(len(alphas))
        else:
            coefs, open_ = known[0], np.flatnonzero(~known[1])
        n_iter = [0] * len(alphas)
        if len(open_):
            start = coefs[open_[0] - 1] if open_[0] else self.coef
            coefs[open_], sweeps = self._descend(problem.gram, problem.xy, alphas[open_], start, SWEEPS)
            for i, count in zip(open_, sweeps, strict=True):
                n_iter[i] = count
                if count >= SWEEPS:
                    coefs[i], more = self._finish(problem.gram, problem.xy, float(alphas[i]), coefs[i])
                    n_iter[i] += more
        self.solution.n_iter += n_iter
        return coefs

    def _screened(self, alphas: Array) -> Array:
        coefs = np.zeros((len(alphas), len(self.problem.xy)))
        coef = self.coef.copy()
        self._admit(coef != 0.0)
        for i, alpha in enumerate(alphas):
            if self.solution.saturated:
                coefs[i:] = coef
                break
            bar = self.l1_ratio * (2.0 * alpha - self._last)
            self._admit(pull(self._gradient, self.signs) >= bar)
            sweeps = 0
            while True:
                inside = self._set
                xy = self.problem.xy[inside]
                result, n_iter = self._descend(self._sub, xy, np.array([alpha]), coef[inside], SWEEPS, inside)
                sweeps += n_iter[0]
                if n_iter[0] >= SWEEPS:
                    result[0], more = self._finish(self._sub, xy, float(alpha), result[0], inside)
                    sweeps += more
                coef[inside] = result[0]
                self._gradient = self.problem.xy - self._apply(result[0])
                outside = pull(self._gradient, self.signs) > self.l1_ratio * alpha * (1.0 + 1e-10)
                outside[inside] = False
                if not outside.any():
                    break
                self._admit(outside)
            self._last = float(alpha)
            self.solution.n_iter.append(sweeps)
            self.solution.saturated = coef @ (self.problem.xy + self._gradient) > self.saturated * self.problem.yy
            coefs[i] = coef
        return coefs

    def _admit(self, wanted: Array) -> None:
        """Add candidates; their rows of the Gram are kept side by side."""
        wanted = wanted & ~self.problem.constant
        wanted[self._set] = False
        new = np.flatnonzero(wanted)
        if len(new):
            self._rows = np.concatenate([self._rows, self.problem.gram[new]])
            self._set = np.concatenate([self._set, new])
            self._sub = np.ascontiguousarray(self._rows[:, self._set])

    def _apply(self, coef: Array) -> Array:
        active = np.flatnonzero(coef)
        if 2 * len(active) < len(coef):
            return np.asarray(coef[active] @ self._rows[active])
        return np.asarray(coef @ self._rows)

    def _signs(self, columns: Array | slice) -> Array | None:
        return None if self.signs is None else self.signs[columns]

    def _descend(
        self, gram: Array, xy: Array, alphas: Array, start: Array, sweeps: int, columns: Array | slice = ALL
    ) -> tuple[Array, list[int]]:
        if not len(xy):
            return np.zeros((len(alphas), 0)), [1] * len(alphas)
        signs = self._signs(columns)
        if signs is not None:  # a column for each direction that is open; none of them may be negative
            up, down = np.flatnonzero(signs >= 0), np.flatnonzero(signs <= 0)
            at, way = np.concatenate([up, down]), np.repeat([1.0, -1.0], [len(up), len(down)])
            gram = gram[at[:, None], at] * way * way[:, None]
            xy, start = xy[at] * way, np.maximum(start[at] * way, 0.0)
        with sklearn.config_context(skip_parameter_validation=True):
            _, coefs, _, n_iter = enet_path(
                np.zeros((1, len(xy))),
                np.array([np.sqrt(self.problem.yy)]),
                l1_ratio=self.l1_ratio,
                alphas=alphas,
                precompute=gram,
                Xy=xy,
                coef_init=start.copy(),  # it is written to
                positive=signs is not None,
                check_input=False,
                tol=self.tol,
                max_iter=sweeps,
                return_n_iter=True,
            )
        if signs is not None:
            folded = np.zeros((len(signs), len(alphas)))
            np.add.at(folded, at, coefs * way[:, None])
            coefs = folded
        return np.ascontiguousarray(coefs.T), list(n_iter)

    def _finish(
        self, gram: Array, xy: Array, alpha: float, coef: Array, columns: Array | slice = ALL
    ) -> tuple[Array, int]:
        """End slow descent: solve on the active set, and descend further only if that is not optimal."""
        sweeps = 0
        limit = SWEEPS
        while True:
            exact = active_solution(gram, xy, coef, alpha, self.l1_ratio, self._signs(columns))
            if exact is not None:
                return exact, sweeps
            limit = min(limit * 4, self.max_iter)
            result, n_iter = self._descend(gram, xy, np.array([alpha]), coef, limit, columns)
            coef, sweeps = result[0], sweeps + n_iter[0]
            if n_iter[0] < limit or limit == self.max_iter:
                return coef, sweeps


def active_solution(
    gram: Array,
    xy: Array,
    coef: Array,
    alpha: float,
    l1_ratio: float = 1.0,
    signs: Array | None = None,
    steps: int = 60,
) -> Array | None:
    """The exact solution, by feature-sign search (Lee et al. 2007) from coefficients that are close to it.

    Solve for the active set with its signs fixed; where a sign changes on the way, go that far and drop the column;
    where another column's gradient exceeds the penalty, take it in. The objective falls at every step.

    Returns
    -------
    array, or None
        None where the search did not end in `steps`, or a system is singular or too large.
    """
    l1, l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    w = coef.copy()
    sign = np.sign(w)
    for _ in range(steps):
        active = np.flatnonzero(sign)
        if not 0 < len(active) <= POLISH_UP_TO:
            return None
        sub = gram[active[:, None], active]
        if l2:
            sub.flat[:: len(active) + 1] += l2
        factor, solved, info = dposv(sub, xy[active] - l1 * sign[active])
        if info or not (np.diagonal(factor) > 1e-5 * np.sqrt(np.diagonal(sub))).all():
            return None
        crossing = solved * sign[active] <= 0.0
        if crossing.any():
            old = w[active]
            with np.errstate(divide="ignore", invalid="ignore"):
                part = np.where(crossing, old / (old - solved), np.inf)
            part[np.isnan(part)] = 0.0
            first = int(np.argmin(part))
            w[active] = old + part[first] * (solved - old)
            w[active[first]] = sign[active[first]] = 0.0
            continue
        w[active] = solved
        gradient = xy - solved @ gram[active]
        slack = pull(gradient, signs)
        slack[active] = 0.0
        worst = int(np.argmax(slack))
        if slack[worst] <= l1 * (1.0 + 1e-9):
            return w
        sign[worst] = np.sign(xy[worst] - solved @ gram[active, worst])
    return None
