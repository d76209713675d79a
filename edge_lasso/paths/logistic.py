"""Logistic and multinomial lasso by proximal Newton steps (Lee, Sun and Saunders 2014) on weighted statistics.

The objective is ``mean loss + alpha (l1_ratio |W|_1 + (1 - l1_ratio)/2 |W|^2)`` over standardized columns; intercepts
are not penalized. One pass over the rows gives the loss, its gradient and, when asked for, its curvature: weighted Gram
matrices (``p (1 - p)`` with one output). What follows is the lasso's own problem on them. Rows may be in memory or in
files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import entr, logsumexp, softmax

from edge_lasso.paths.curvature import Curvature, Quadratic
from edge_lasso.paths.problem import EPS

Array = npt.NDArray[Any]
Block = tuple[Array, Array, Array]
STEPS = 500
HALVINGS = 30
ROUNDING = 1e-11
"""A step that promises less than this part of the objective cannot be judged by it."""
RIDGE = 1e-4
"""Of refits, on standardized columns: keeps separable rows finite."""
STALE = 0.2
"""A curvature with which a step leaves more than this part of the violation is taken anew."""
WIDER = 0.7
"""Strong rules look this far ahead, so that one curvature serves several alphas."""


@dataclass(frozen=True)
class Rows:
    """Standardized rows that can be read again and again.

    Parameters
    ----------
    blocks : callable
        Gives an iterator over (Z, Y, weight): Z of shape (rows, p); Y of shape (rows, outputs), the 0 or 1 of the
        second class, or one column for each of several classes; weights that sum to 1 over all blocks.
    columns, outputs : int
    eager : bool
        A pass costs more than a curvature: take both at once (rows in files).
    reduce : callable, optional
        Does what `at` does, elsewhere: on a cluster.
    """

    blocks: Callable[[], Iterator[Block]]
    columns: int
    outputs: int
    eager: bool = False
    reduce: Callable[[Array, Array | None], Point] | None = None

    def at(self, coefs: Array, inside: Array | None = None) -> Point:
        """Loss and gradient at coefficients (shape (outputs, p + 1), intercepts last), and the curvature `inside`."""
        if self.reduce is not None:
            return self.reduce(coefs, inside)
        loss, gradient = 0.0, np.zeros_like(coefs)
        curvature = None if inside is None else Curvature(self.outputs, len(inside) + 1)
        for Z, Y, weight in self.blocks():
            z = linear(Z, coefs)
            probability = probabilities(z)
            loss += float(weight @ losses(z, Y))
            residual = weight[:, None] * (probability - Y)
            gradient[:, :-1] += residual.T @ Z
            gradient[:, -1] += residual.sum(axis=0)
            if curvature is None or inside is None:
                continue
            curvature.add(np.append(Z[:, inside], np.ones((len(Z), 1)), axis=1), probability, weight)
        return Point(coefs, loss, gradient, curvature)


@dataclass(frozen=True)
class Point:
    """What a pass over the rows says of coefficients."""

    coefs: Array
    loss: float
    gradient: Array
    curvature: Curvature | None

    def __add__(self, other: Point) -> Point:
        """Of the rows of both, at the same coefficients."""
        curvature = None
        if self.curvature is not None and other.curvature is not None:
            curvature = self.curvature + other.curvature
        return Point(self.coefs, self.loss + other.loss, self.gradient + other.gradient, curvature)


def linear(Z: Array, coefs: Array) -> Array:
    """Linear predictors, shape (rows, outputs)."""
    return np.asarray(Z @ coefs[:, :-1].T + coefs[:, -1])


def probabilities(z: Array) -> Array:
    """After the link: of the second class, or of each of several."""
    if z.shape[1] > 1:
        return np.asarray(softmax(z, axis=1))
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-z)))


def losses(z: Array, Y: Array) -> Array:
    """Log-loss of each row, shape (rows,)."""
    if z.shape[1] > 1:
        return np.asarray(logsumexp(z, axis=1) - (z * Y).sum(axis=1))
    return np.asarray(np.log1p(np.exp(-np.abs(z[:, 0]))) + np.maximum(z[:, 0], 0.0) - z[:, 0] * Y[:, 0])


def null_coefs(rows: Rows) -> Array:
    """The coefficients of a model without inputs."""
    share = np.zeros(rows.outputs)
    for _, Y, weight in rows.blocks():
        share += weight @ Y
    coefs = np.zeros((rows.outputs, rows.columns + 1))
    coefs[:, -1] = np.log(share / (1.0 - share)) if rows.outputs == 1 else np.log(share) - np.log(share).mean()
    return coefs


def duality_gap(rows: Rows, coefs: Array, alpha: float, l1_ratio: float = 1.0) -> float:
    """How far the objective can be from its minimum, relative to the loss without inputs (Koh, Kim and Boyd 2007).

    The dual point is the residual, shrunk until no column's gradient exceeds the penalty; the gradient of the
    intercepts must be zero to rounding.
    """
    l1, l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    point = rows.at(coefs)
    size = np.abs(point.gradient[:, :-1])
    shrink = min(1.0, l1 / float(size.max(initial=EPS))) if l2 == 0.0 else 1.0
    dual = -float((np.maximum(size - l1, 0.0) ** 2).sum()) / (2.0 * l2) if l2 else 0.0
    for Z, Y, weight in rows.blocks():
        mixed = Y - shrink * (Y - probabilities(linear(Z, coefs)))
        mixed = np.append(mixed, 1.0 - mixed, axis=1) if rows.outputs == 1 else mixed
        dual += float(weight @ entr(np.clip(mixed, 0.0, 1.0)).sum(axis=1))
    null = rows.at(null_coefs(rows)).loss
    return max(_objective(point, l1, l2) - dual, 0.0) / null


class LogisticSolver:
    """Solves for decreasing alphas, each from the solution before.

    Parameters
    ----------
    rows : Rows
    l1_ratio : float
    tol : float
        Largest violation of the optimality conditions, as a part of the largest alpha.
    start : (coefs, top), optional
        Coefficients to go on from, and the largest alpha. Default: those of a model without inputs.

    Attributes
    ----------
    top : float
        The smallest alpha at which all coefficients are zero.
    passes : int
        Over the rows.
    converged : bool
        Whether every solution met `tol`.
    violation : float
        Of the optimality conditions by the last solution, as a part of `top`.
    """

    def __init__(
        self, rows: Rows, l1_ratio: float = 1.0, tol: float = 1e-7, start: tuple[Array, float] | None = None
    ) -> None:
        self.rows = rows
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.passes = 0
        self.converged = True
        self.violation = 0.0
        self._fresh = False  # whether the curvature is that of this very point
        self._inside = np.zeros(0, dtype=np.intp)
        if start is None:
            self._point = self._pass(null_coefs(rows), False)
            self.top = float(np.abs(self._point.gradient[:, :-1]).max(initial=0.0)) / max(l1_ratio, EPS)
            self._last = self.top
        else:
            coefs, self.top = start
            self._inside = np.flatnonzero(coefs[:, :-1].any(axis=0))
            self._curve(coefs)
            self._last = 0.0

    @property
    def coefs(self) -> Array:
        """The last solution, intercepts last."""
        return self._point.coefs

    @property
    def loss(self) -> float:
        """Mean training loss of the last solution."""
        return self._point.loss

    def solve(self, alpha: float) -> Array:
        """The solution at alpha."""
        l1 = alpha * self.l1_ratio
        bar = self.l1_ratio * (2.0 * WIDER * alpha - self._last) if self._last else l1
        self._admit(np.abs(self._point.gradient[:, :-1]).max(axis=0) >= bar)
        return self._iterate(l1, alpha * (1.0 - self.l1_ratio), everything=True)

    def refit(self, coefs: Array, ridge: float = RIDGE) -> Array:
        """Without the lasso's penalty on the columns that these coefficients use, and zero elsewhere."""
        support = np.flatnonzero(coefs[:, :-1].any(axis=0))
        known = self._fresh and self._point.coefs is coefs and np.array_equal(support, self._inside)
        self._inside = support
        if not known:
            self._curve(coefs)
        return self._iterate(0.0, ridge, everything=False)

    def _iterate(self, l1: float, l2: float, everything: bool) -> Array:
        bar = self.tol * max(self.top, EPS) * (1.0 if l1 else RIDGE)
        before = np.inf
        for _ in range(STEPS):
            violation = self._violation(self._point, l1, l2)
            now = float(violation.max()) if everything else self._within(self._point, l1, l2)
            self.violation = now / max(self.top, EPS)
            if now <= bar:
                break
            if everything:
                self._admit(violation[:, :-1].max(axis=0) > bar)
            if self._point.curvature is None or (now > STALE * before and not self._fresh):
                self._curve(self._point.coefs)
            before = now
            if not self._step(l1, l2):
                self.converged = self.converged and now <= 1e3 * bar
                break
        else:
            self.converged = False
        self._last = l1 / self.l1_ratio if l1 else self._last
        return self._point.coefs

    def _violation(self, point: Point, l1: float, l2: float) -> Array:
        """Distance of each coefficient's subgradient from zero, shape (outputs, p + 1)."""
        coefs = point.coefs
        gradient = point.gradient.copy()
        gradient[:, :-1] += l2 * coefs[:, :-1]
        result = np.abs(gradient)
        w, g = coefs[:, :-1], gradient[:, :-1]
        result[:, :-1] = np.where(w != 0.0, np.abs(g + l1 * np.sign(w)), np.maximum(np.abs(g) - l1, 0.0))
        return result

    def _within(self, point: Point, l1: float, l2: float) -> float:
        """The largest violation of those columns that steps move, and of the intercepts."""
        return float(self._violation(point, l1, l2)[:, np.append(self._inside, -1)].max())

    def _admit(self, wanted: Array) -> None:
        new = np.flatnonzero(wanted & ~np.isin(np.arange(len(wanted)), self._inside))
        if len(new):
            self._inside = np.sort(np.concatenate([self._inside, new]))
            self._point = replace(self._point, curvature=None)

    def _step(self, l1: float, l2: float) -> bool:
        """One step of all outputs, halved until the objective falls; False where it falls no more."""
        point = self._point
        direction = self._direction(l1, l2)
        w, d = point.coefs[:, :-1], direction[:, :-1]
        promised = float((point.gradient * direction).sum())
        promised += l1 * float((np.abs(w + d) - np.abs(w)).sum()) + l2 * float((w * d).sum())
        objective = _objective(point, l1, l2)
        rounding = promised > -ROUNDING * objective  # then only the gradient tells better from worse
        size = 1.0
        for _ in range(1 if rounding else HALVINGS):
            trial = self._pass(point.coefs + size * direction, self.rows.eager)
            if rounding:
                better = self._within(trial, l1, l2) < self._within(point, l1, l2)
            else:
                better = _objective(trial, l1, l2) <= objective + 1e-4 * size * promised
            if better:
                self._fresh = trial.curvature is not None
                self._point = trial if self._fresh else replace(trial, curvature=point.curvature)
                return True
            size /= 2.0
        return False

    def _direction(self, l1: float, l2: float) -> Array:
        point = self._point
        assert point.curvature is not None
        model = Quadratic(point.curvature, self._inside)
        steps = model.steps(point.coefs[None], point.gradient[None], np.array([l1]), np.array([l2]))
        return np.asarray(steps[0])

    def _pass(self, coefs: Array, curved: bool) -> Point:
        self.passes += 1
        return self.rows.at(coefs, self._inside if curved else None)

    def _curve(self, coefs: Array) -> None:
        self._point, self._fresh = self._pass(coefs, True), True


def _objective(point: Point, l1: float, l2: float) -> float:
    w = point.coefs[:, :-1]
    return point.loss + l1 * float(np.abs(w).sum()) + 0.5 * l2 * float((w * w).sum())
