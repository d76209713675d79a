"""The lasso and elastic-net path on a Gram matrix: cost does not depend on the number of rows.

The problem is ``1/2 (yy - 2 c'b + b'G b) + alpha (l1_ratio |b|_1 + (1 - l1_ratio)/2 |b|^2)`` with G, c, yy centred,
scaled and divided by the weight: scikit-learn's objective. scikit-learn's own coordinate descent solves it: given a
Gram matrix it reads nothing else of the rows than ``|y|^2`` (with ``check_input=False``; a test pins that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from scipy.linalg.lapack import dposv
from sklearn.linear_model import enet_path

from edge_lasso.errors import DataError
from edge_lasso.statistics.moments import Moments

Array = npt.NDArray[Any]
SCREEN_FROM = 200
"""With more columns than this, each alpha is solved on a strong-rule candidate set."""
TOLERANCE = 1e-9
SWEEPS = 60
"""Coordinate descent sweeps before the active set is solved directly."""
POLISH_UP_TO = 1500
SATURATED = 0.999
"""Part of the variance explained at which a screened path ends, as in glmnet."""
EPS = float(np.finfo(np.float64).eps)
ALL = slice(None)


@dataclass(frozen=True)
class Problem:
    """One target's lasso problem on standardized columns.

    Parameters
    ----------
    gram : array, shape (p, p)
        Or what gives its rows when indexed, for screened paths.
    xy : array, shape (p,)
    yy : float
    scale : array, shape (p,)
        Raw coefficient = coefficient / scale. 1 for a constant column.
    constant : array of bool, shape (p,)
        Columns with no variance worth the name: their coefficient is 0.
    rows : int
        Training rows.
    """

    gram: Any
    xy: Array
    yy: float
    scale: Array
    constant: Array
    rows: int = 0


@dataclass
class Solution:
    """Coefficients along a path, and how exact they are.

    Parameters
    ----------
    coefs : array, shape (alphas solved, p)
        On standardized columns.
    n_iter : list of int
        Sweeps of coordinate descent per alpha.
    saturated : bool
        The training rows are explained to `SATURATED`: smaller alphas repeat the last coefficients.
    """

    coefs: Array
    n_iter: list[int] = field(default_factory=list)
    saturated: bool = False


def deviations(moments: Moments, p: int) -> tuple[Array, Array]:
    """Standard deviations of the p columns, and which columns count as constant.

    Constant: the variance is lost in the rounding of what it was subtracted from, or the deviation in that of the mean.
    """
    variance = np.diagonal(moments.covariance)[:p]
    size = np.abs(moments.mean[:p])
    constant = (variance <= 1e-12 * moments.second[:p]) | (variance <= (8 * EPS * size) ** 2)
    return np.where(constant, 1.0, np.sqrt(variance)), constant


def problems(moments: Moments, p: int, scale: Array | None = None, fixed: Array | None = None) -> list[Problem]:
    """One `Problem` per target.

    Parameters
    ----------
    moments : Moments
        Of p columns and the targets.
    p : int
    scale : array, optional
        Divides the columns (times a penalty factor, for weighted penalties). Default: their standard deviations.
    fixed : array of bool, optional
        Columns kept out (coefficient 0) besides the constant ones.
    """
    own, constant = deviations(moments, p)
    if scale is None:
        scale = own
    if fixed is not None:
        constant = constant | fixed
    covariance = moments.covariance
    gram = covariance[:p, :p] / scale
    gram /= scale[:, None]
    cross = covariance[:p, p:] / scale[:, None]
    if constant.any():
        gram[constant] = 0.0
        gram[:, constant] = 0.0
        cross[constant] = 0.0
    return [
        Problem(gram, np.ascontiguousarray(cross[:, j]), float(covariance[p + j, p + j]), scale, constant, moments.rows)
        for j in range(cross.shape[1])
    ]


def pull(gradient: Array, signs: Array | None) -> Array:
    """How hard each column is pulled away from zero, where it may go (`signs`: 1 up, -1 down, 0 both; None: all 0)."""
    return np.abs(gradient) if signs is None else np.where(signs == 0, np.abs(gradient), gradient * signs)


def alpha_max(problem: Problem, l1_ratio: float = 1.0, signs: Array | None = None) -> float:
    """The smallest alpha at which all coefficients are zero."""
    return float(np.max(pull(problem.xy, signs), initial=0.0)) / l1_ratio


def alpha_grid(
    problem: Problem,
    alphas: int | Sequence[float] = 100,
    l1_ratio: float = 1.0,
    eps: float = 1e-3,
    signs: Array | None = None,
    top: float | None = None,
) -> Array:
    """A decreasing grid of alphas: those given, or `alphas` of them from `top` (the largest useful) to `eps` of it."""
    top = alpha_max(problem, l1_ratio, signs) if top is None else top
    if top <= EPS * problem.yy**0.5:
        top = EPS * max(problem.yy**0.5, EPS)
    return alpha_values(alphas, eps, top)


def alpha_values(alphas: int | Sequence[float], eps: float, top: float) -> Array:
    """Decreasing alphas: those given, or so many of them from `top` to `eps` of it."""
    if isinstance(alphas, int | np.integer) and not isinstance(alphas, bool):
        if alphas < 1:
            raise DataError(f"alphas is {alphas}; it must be a number of alphas (1 or more) or the alphas themselves")
        return np.asarray(np.geomspace(top, top * eps, int(alphas)))
    grid = np.sort(np.asarray(alphas, dtype=np.float64).ravel())[::-1]
    if not len(grid) or not (np.isfinite(grid).all() and grid[-1] >= 0.0):
        raise DataError("alphas must be one or more finite numbers, 0 or larger")
    return grid


def gap(
    problem: Problem,
    coef: Array,
    alpha: float,
    l1_ratio: float = 1.0,
    signs: Array | None = None,
) -> float:
    """Duality gap relative to ``yy``: how far the objective can be from its minimum (0: exact)."""
    l1, l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    active = np.flatnonzero(coef)
    w = coef[active]
    gw = w @ problem.gram[active]
    fit = float(problem.xy[active] @ w)
    residual = max(problem.yy + float(gw[active] @ w) - 2.0 * fit, 0.0)
    dual = problem.xy - gw - l2 * coef
    norm = float(np.max(pull(dual, signs), initial=0.0))
    factor = min(1.0, l1 / norm) if norm > 0.0 else 1.0
    value = 0.5 * residual * (1.0 + factor**2) - factor * (problem.yy - fit)
    value += l1 * float(np.abs(w).sum()) + 0.5 * l2 * (1.0 + factor**2) * float(w @ w)
    return max(value, 0.0) / problem.yy if problem.yy > 0.0 else 0.0


def gram_times(gram: Any, coefs: Array) -> Array:
    """``coefs @ gram`` for coefficient vectors (one a row), with a Gram matrix or the rows it is made of."""
    return np.asarray(coefs @ gram if isinstance(gram, np.ndarray) else (coefs @ gram.Z.T) @ gram.Z)


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
        if self.known is None:
            return None
        done = len(self.solution.coefs)
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
                found, n_iter = self._descend(self._sub, xy, np.array([alpha]), coef[inside], SWEEPS, inside)
                sweeps += n_iter[0]
                if n_iter[0] >= SWEEPS:
                    found[0], more = self._finish(self._sub, xy, float(alpha), found[0], inside)
                    sweeps += more
                coef[inside] = found[0]
                self._gradient = self.problem.xy - self._apply(found[0])
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
            found, n_iter = self._descend(gram, xy, np.array([alpha]), coef, limit, columns)
            coef, sweeps = found[0], sweeps + n_iter[0]
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


def chunks(alphas: Array, p: int) -> list[Array]:
    """Alphas to solve between two looks at whether the path can end: all of them where that costs nothing."""
    step = len(alphas) if p <= SCREEN_FROM else 4
    return [alphas[i : i + step] for i in range(0, len(alphas), step)]
