"""Rows in memory, part by part: loss, gradient and curvature of many coefficients at once.

A pass for twenty coefficients costs little more than one for three: what it reads is the same, and matrix products do
the rest. Sums are kept for each part, so that one pass serves all rows and every fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_lasso.paths.curvature import Curvature
from edge_lasso.paths.logistic import Array, Block, Rows, linear, probabilities

BLOCK = 2048
EAGER_UP_TO = 64
"""Columns up to which a curvature costs little more than the pass that it saves."""
TINY = 1e-300


@dataclass(frozen=True)
class Part:
    """Some rows: `Z` with a column of ones, whose coefficient is the intercept; a row of `Y` for each output."""

    Z: Array
    Y: Array
    weight: Array

    def blocks(self) -> Iterator[Block]:
        """Rows that fit a cache."""
        for start in range(0, len(self.Z), BLOCK):
            at = slice(start, start + BLOCK)
            yield self.Z[at], self.Y[:, at], self.weight[at]

    def single(self) -> Part:
        """In single precision."""
        return Part(*(values.astype(np.float32) for values in (self.Z, self.Y, self.weight)))


class FoldRows:
    """Standardized rows in memory.

    Parameters
    ----------
    X : array, shape (n, p)
    standardize : callable
        Standardizes some of these rows.
    Y : array, shape (n, outputs)
        As in `logistic.Rows`.
    weight : array, shape (n,)
    parts : sequence of slice or array of int
        The rows of each part; a row in none counts nowhere.

    Attributes
    ----------
    totals : array, shape (parts,)
        Weight of each part.
    """

    def __init__(
        self, X: Array, standardize: Callable[[Array], Array], Y: Array, weight: Array, parts: Sequence[slice | Array]
    ) -> None:
        self.columns, self.outputs = X.shape[1], Y.shape[1]
        self._parts = []
        for rows in parts:
            standard = standardize(X[rows])
            Z = np.ones((len(standard), self.columns + 1))
            Z[:, :-1] = standard
            self._parts.append(Part(Z, np.ascontiguousarray(Y[rows].T), weight[rows]))
        self._rough = [part.single() for part in self._parts]
        self.totals = np.array([part.weight.sum() for part in self._parts])

    def some(self, parts: Sequence[int]) -> Rows:
        """The rows of some parts; their weights sum to 1."""
        total = float(self.totals[list(parts)].sum())

        def blocks() -> Iterator[Block]:
            for part in parts:
                for Z, Y, weight in self._parts[part].blocks():
                    yield Z[:, :-1], Y.T, weight / total

        return Rows(blocks, self.columns, self.outputs, eager=self.columns <= EAGER_UP_TO)

    def gradients(self, coefs: Array, parts: Sequence[int], rough: bool = False) -> Array:
        """Of the summed loss of each part, at each of several coefficients.

        Parameters
        ----------
        coefs : array, shape (m, outputs, p + 1)
        parts : sequence of int
        rough : bool
            In single precision, each block's sum apart: in half the time.

        Returns
        -------
        array, shape (parts, m, outputs, p + 1)
        """
        values = np.zeros((len(parts), len(coefs) * self.outputs, self.columns + 1))
        used = _used(coefs)
        at = coefs.astype(np.float32) if rough else coefs
        for gradient, part in zip(values, parts, strict=True):
            for Z, Y, weight in (self._rough if rough else self._parts)[part].blocks():
                residual = _link(_linear(Z, at, used))
                residual -= Y
                residual *= weight
                gradient += residual.reshape(len(gradient), -1) @ Z
        return values.reshape(len(parts), *coefs.shape)

    def losses(self, coefs: Array, parts: Sequence[int]) -> Array:
        """Mean loss over the rows of some parts, shape (m,)."""
        result, used = np.zeros(len(coefs)), _used(coefs)
        for part in parts:
            for Z, Y, weight in self._parts[part].blocks():
                result += _losses(_linear(Z, coefs, used), Y) @ weight
        return np.asarray(result / self.totals[list(parts)].sum())

    def dual(self, coefs: Array, shrink: Array) -> tuple[Array, Array]:
        """Mean loss over all rows, and mean entropy of labels that the probabilities, so shrunk, lean to; shapes (m,).

        See `logistic.duality_gap`.
        """
        loss, entropy, used = np.zeros(len(coefs)), np.zeros(len(coefs)), _used(coefs)
        factor = shrink[:, None, None]
        for part in range(len(self.totals)):
            for Z, Y, weight in self._parts[part].blocks():
                z = _linear(Z, coefs, used)
                loss += _losses(z, Y) @ weight
                mixed = Y - factor * (Y - _link(z))
                sides = (mixed, 1.0 - mixed) if self.outputs == 1 else (mixed,)
                entropy -= sum((side * np.log(np.maximum(side, TINY))).sum(axis=1) for side in sides) @ weight
        return loss / self.totals.sum(), entropy / self.totals.sum()

    def curvatures(self, coefs: Array, inside: Array, parts: Sequence[int]) -> list[Curvature]:
        """Of the summed loss of each part; as `logistic.Rows.at`, in the columns `inside` and the intercept."""
        at = np.append(inside, self.columns)
        every = len(at) == self.columns + 1
        results = []
        for part in parts:
            curvature = Curvature(self.outputs, len(at))
            for Z, _, weight in self._parts[part].blocks():
                probability = probabilities(linear(Z[:, :-1], coefs))
                curvature.add(Z if every else Z[:, at], probability, weight)
            results.append(curvature)
        return results


def _used(coefs: Array) -> Array | None:
    """Columns that some coefficient uses, where they are few."""
    used = np.flatnonzero(coefs.any(axis=(0, 1)))
    return used if 2 * len(used) < coefs.shape[2] else None


def _linear(Z: Array, coefs: Array, used: Array | None) -> Array:
    """Linear predictors, shape (m, outputs, rows)."""
    flat = coefs.reshape(-1, coefs.shape[2])
    z = flat @ Z.T if used is None else flat[:, used] @ Z[:, used].T
    return np.asarray(z.reshape(*coefs.shape[:2], len(Z)))


def _link(z: Array) -> Array:
    """Probabilities, in place."""
    if z.shape[1] == 1:
        with np.errstate(over="ignore"):
            np.exp(np.negative(z, out=z), out=z)
        z += 1.0
        return np.reciprocal(z, out=z)
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    return z


def _losses(z: Array, Y: Array) -> Array:
    """Log-loss of each row, shape (m, rows)."""
    if z.shape[1] == 1:
        far = np.abs(z[:, 0])
        return np.asarray(np.log1p(np.exp(-far)) + 0.5 * (far + z[:, 0] - 2.0 * z[:, 0] * Y[0]))
    top = z.max(axis=1)
    rest = np.exp(z - top[:, None]).sum(axis=1)
    return np.asarray(np.log(rest) + top - (z * Y).sum(axis=1))


def column_sum(values: Sequence[Any]) -> Any:
    """Sum of a few arrays, or of a few curvatures."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
