"""Standardizing rows in memory; what is missing stands at the mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.paths.problem import EPS
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
BLOCK = 4096


@dataclass(frozen=True)
class Scaling:
    """From raw columns to standardized ones.

    Parameters
    ----------
    mean, scale : array, shape (p,)
        Means of the readings that are there; deviations times penalty factors, 1 where a column does not vary.
    constant : array of bool, shape (p,)
    """

    mean: Array
    scale: Array
    constant: Array

    def apply(self, X: Array) -> Array:
        """Standardized columns, shape (n, p); those that do not vary are 0."""
        with np.errstate(invalid="ignore"):
            Z = np.where(np.abs(X) <= READING_LIMIT, X - self.mean, 0.0)
        Z /= self.scale
        Z[:, self.constant] = 0.0
        return np.asarray(Z)


def scaling(X: Array, weight: Array, penalty: Array) -> Scaling:
    """Means and deviations of weighted rows.

    Parameters
    ----------
    X : array, shape (n, p)
        NaN: missing.
    weight : array, shape (n,)
    penalty : array, shape (p,)
        Factors of the scales, for weighted penalties.
    """
    total, seen, sums = float(weight.sum()), np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rows, known, at in _blocks(X, weight):
        seen += rows @ known
        sums += rows @ np.where(known, at, 0.0)
    mean = np.divide(sums, seen, out=np.zeros(X.shape[1]), where=seen > 0.0)
    variance = np.zeros(X.shape[1])
    for rows, known, at in _blocks(X, weight):
        variance += rows @ np.where(known, at - mean, 0.0) ** 2
    variance /= total
    constant = variance <= (8 * EPS * mean) ** 2
    return Scaling(mean, np.where(constant, 1.0, np.sqrt(variance)) * penalty, constant)


def _blocks(X: Array, weight: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Weights, where readings are known, and readings of some rows."""
    for start in range(0, len(X), BLOCK):
        at = slice(start, start + BLOCK)
        with np.errstate(invalid="ignore"):
            known = np.abs(X[at]) <= READING_LIMIT
        yield weight[at], known, X[at]
