"""The logistic loss to second order, and its lasso: steps of many coefficients on one curvature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dpotrf, dpotrs, dpstrf

from edge_lasso.paths.path import PathSolver, active_solution
from edge_lasso.paths.problem import EPS, Problem

Array = npt.NDArray[Any]
JOINT_UP_TO = 2500
"""Outputs times columns up to which steps are taken jointly for all classes."""
NULL = 1e-10
"""Moving all intercepts alike changes nothing: a direction this much flatter than the steepest is that one."""
SWITCHES = 12
"""Sets of active columns that are tried before columns enter and leave one by one."""
FACTORS = 12
"""Kept of one matrix."""
TINY = 1e-100
FLAT = 1e-5
"""A pivot this much smaller than its column is rounding: the columns depend on each other."""


class Curvature:
    """The Hessian of the loss, or where that is too large its blocks for each output.

    Parameters
    ----------
    outputs, width : int
        `width` counts the columns and the intercept, which is last.

    Attributes
    ----------
    blocks : list of (outputs, matrix)
        The matrix's rows go through the outputs, and for each of them through the columns.
    """

    def __init__(self, outputs: int, width: int) -> None:
        every = list(range(outputs))
        groups = [every] if outputs * width <= JOINT_UP_TO else [[k] for k in every]
        self.outputs = outputs
        self.blocks = [(some, np.zeros((len(some) * width, len(some) * width))) for some in groups]

    def __add__(self, other: Curvature) -> Curvature:
        """Of the rows of both."""
        both = Curvature(self.outputs, 0)
        both.blocks = [(some, a + b) for (some, a), (_, b) in zip(self.blocks, other.blocks, strict=True)]
        return both

    def add(self, Z: Array, probability: Array, weight: Array) -> None:
        """Add rows: ``diag(p) - p p'`` between outputs, times the rows' products."""
        width = Z.shape[1]
        for some, matrix in self.blocks:
            p = probability[:, some]
            if len(some) == 1:
                bound = 2.0 if self.outputs > 1 else 1.0  # of what is between outputs (rows sum to p (1 - p))
                matrix += _products(Z, weight * np.maximum(bound * p[:, 0] * (1.0 - p[:, 0]), EPS))
                continue
            tiles = matrix.reshape(len(some), width, len(some), width)
            for i in range(len(some)):
                for k in range(i):  # what is between two outputs counts for both, with the other sign
                    product = _products(Z, weight * p[:, i] * p[:, k])
                    tiles[i, :, i] += product
                    tiles[k, :, k] += product
                    tiles[i, :, k] -= product
                    tiles[k, :, i] -= product


def _products(Z: Array, weight: Array) -> Array:
    weighed = Z * np.sqrt(weight)[:, None]
    return np.asarray(weighed.T @ weighed)


class Quadratic:
    """The loss to second order on some columns, with the intercepts solved for.

    Parameters
    ----------
    curvature : Curvature
    inside : array of int
        Its columns.
    weight : float
        Of the rows: the curvature is divided by it.
    """

    def __init__(self, curvature: Curvature, inside: Array, weight: float = 1.0) -> None:
        self.inside = inside
        self._blocks = []
        for some, summed in curvature.blocks:
            matrix = summed / weight
            places = np.arange(len(matrix)).reshape(len(some), -1)
            at, free = places[:, :-1].ravel(), places[:, -1]
            corner = np.linalg.pinv(matrix[np.ix_(free, free)], rcond=NULL, hermitian=True)
            side = matrix[np.ix_(at, free)] @ corner
            gram = matrix[np.ix_(at, at)]
            gram -= side @ matrix[np.ix_(free, at)]
            self._blocks.append((np.array(some), Gram(gram), side, corner))

    def steps(self, coefs: Array, gradients: Array, l1: Array, l2: Array, supports: Array | None = None) -> Array:
        """To where loss and penalty are smallest, from each of several coefficients.

        Parameters
        ----------
        coefs, gradients : array, shape (m, outputs, p + 1)
            Gradients of the loss.
        l1, l2 : array, shape (m,)
        supports : array of bool, shape (m, p), optional
            Columns that may move; the others are zero. For `l1` 0.

        Returns
        -------
        array, shape (m, outputs, p + 1)
        """
        directions = np.zeros_like(coefs)
        for some, gram, side, corner in self._blocks:
            rows = some[:, None]
            w = coefs[:, rows, self.inside].reshape(len(coefs), -1)
            slopes = gradients[:, some, -1]
            xy = w @ gram.matrix - gradients[:, rows, self.inside].reshape(len(coefs), -1) + slopes @ side.T
            moved = np.zeros_like(w)
            for i in range(len(coefs)):
                if supports is None:
                    moved[i] = _lasso(gram, xy[i], w[i], float(l1[i]), float(l2[i]), len(some))
                else:
                    free = np.flatnonzero(np.tile(supports[i, self.inside], len(some)))
                    moved[i, free] = _ridge(gram, free, xy[i, free], float(l2[i]))
            steps = moved - w
            directions[:, rows, self.inside] = steps.reshape(len(coefs), len(some), -1)
            directions[:, some, -1] = -(slopes @ corner + steps @ side)
        return directions


class Gram:
    """A Gram matrix, and the factors of some of its parts: neighbours on a path often share theirs.

    Parameters
    ----------
    matrix : array, shape (q, q)
    """

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix
        self._factors: dict[tuple[bytes, float], Array | None] = {}

    def solve(self, active: Array, xy: Array, l2: float) -> Array | None:
        """The coefficients of some columns, with a ridge; None where these depend on each other."""
        key = (active.tobytes(), l2)
        if key not in self._factors:
            if len(self._factors) == FACTORS:
                self._factors.pop(next(iter(self._factors)))
            self._factors[key] = self._factor(active, l2)
        factor = self._factors[key]
        return None if factor is None else np.asarray(dpotrs(factor, xy)[0])

    def independent(self, active: Array, l2: float) -> Array:
        """Those of some columns that the others do not make up for."""
        system = self.part(active, l2)
        scale = 1.0 / np.sqrt(np.maximum(np.diagonal(system), TINY))
        _, order, rank, _ = dpstrf(system * scale * scale[:, None], tol=10.0 * FLAT**2)
        return np.asarray(active[np.sort(order[:rank] - 1)])

    def _factor(self, active: Array, l2: float) -> Array | None:
        system = self.part(active, l2)
        factor, info = dpotrf(system, clean=0)
        sound = info == 0 and (np.diagonal(factor) > FLAT * np.sqrt(np.diagonal(system))).all()
        return np.asarray(factor) if sound else None

    def part(self, active: Array, l2: float) -> Array:
        """The matrix of some columns, with a ridge."""
        system = self.matrix[active[:, None], active]
        system.flat[:: len(active) + 1] += l2
        return np.asarray(system)

    def times(self, active: Array, coefs: Array) -> Array:
        """Of all columns, from the coefficients of some."""
        if 4 * len(active) < len(self.matrix):
            return np.asarray(coefs @ self.matrix[active])
        spread = np.zeros(len(self.matrix))
        spread[active] = coefs
        return np.asarray(spread @ self.matrix)


def _ridge(gram: Gram, free: Array, xy: Array, l2: float) -> Array:
    solved = gram.solve(free, xy, l2) if len(free) else xy
    return np.asarray(np.linalg.lstsq(gram.part(free, l2), xy, rcond=None)[0]) if solved is None else solved


def _lasso(gram: Gram, xy: Array, start: Array, l1: float, l2: float, classes: int) -> Array:
    """The lasso on a Gram matrix, from coefficients that are close."""
    if not len(xy):
        return xy
    if l1 == 0.0:
        return _ridge(gram, np.arange(len(xy)), xy, l2)
    start = _centred(start, classes) if classes > 1 and l2 == 0.0 else start
    close = switching_solution(gram, xy, start, l1, l2, classes)
    if close is not None:
        return close
    alpha, matrix = l1 + l2, gram.matrix
    exact = active_solution(matrix, xy, start, alpha, l1 / alpha) if start.any() else None
    if exact is not None:
        return exact
    yy = float(xy @ np.linalg.lstsq(matrix, xy, rcond=None)[0]) * (1.0 + 1e-6)
    problem = Problem(matrix, xy, max(yy, EPS), np.ones(len(xy)), np.zeros(len(xy), dtype=bool))
    return PathSolver(problem, l1 / alpha, 1e-9).solve_from(alpha, start)


def _centred(coefs: Array, classes: int) -> Array:
    """The same model, where a column of all classes has one coefficient more than it needs: the middle one is zero."""
    by_class = coefs.reshape(classes, -1)
    middle = np.sort(by_class, axis=0)[(classes - 1) // 2]
    return np.asarray(np.where(by_class.all(axis=0), by_class - middle, by_class).ravel())


def switching_solution(
    gram: Gram, xy: Array, start: Array, l1: float, l2: float = 0.0, classes: int = 1
) -> Array | None:
    """The exact lasso, by a primal-dual active set (Hintermueller, Ito and Kunisch 2002) from coefficients close to it.

    Solve for the active columns with their signs fixed; then all that changed sign leave and all whose gradient exceeds
    the penalty enter. Where nothing changes that is the solution.

    Returns
    -------
    array, or None
        None where the sets did not settle, or a system is singular.
    """
    sign = np.sign(start)
    for _ in range(SWITCHES):
        active = np.flatnonzero(sign)
        solved = gram.solve(active, xy[active] - l1 * sign[active], l2) if len(active) else np.zeros(0)
        if solved is None:
            dropped = np.setdiff1d(active, gram.independent(active, l2), assume_unique=True)
            if not len(dropped):
                return None
            sign[dropped] = 0.0
            continue
        rest = xy - gram.times(active, solved)
        rest[active] = 0.0
        enter = np.flatnonzero(np.abs(rest) > l1 * (1.0 + 1e-9))
        leave = solved * sign[active] <= 0.0
        if not len(enter) and not leave.any():
            result = np.zeros_like(start)
            result[active] = solved
            return result
        sign[active[leave]] = 0.0
        sign[enter] = np.sign(rest[enter])
        if classes > 1 and l2 == 0.0:
            size = np.full(len(sign), TINY)
            size[active] = np.abs(solved)
            sign = np.sign(_centred(sign * size, classes))
    return None
