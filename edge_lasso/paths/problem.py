"""A lasso problem on a Gram matrix: what solvers, gaps and grids of alphas read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.statistics.moments import Moments

Array = npt.NDArray[Any]
SCREEN_FROM = 200
"""With more columns than this, each alpha is solved on a strong-rule candidate set."""
SATURATED = 0.999
"""Part of the variance explained at which a screened path ends, as in glmnet."""
EPS = float(np.finfo(np.float64).eps)


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


def chunks(alphas: Array, p: int) -> list[Array]:
    """Alphas to solve between two looks at whether the path can end: all of them where that costs nothing."""
    step = len(alphas) if p <= SCREEN_FROM else 4
    return [alphas[i : i + step] for i in range(0, len(alphas), step)]
