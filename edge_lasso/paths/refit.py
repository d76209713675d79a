"""Least squares on chosen columns of a Gram matrix, aware of rank.

Sensors often carry exactly the same reading twice (stations that share a weather report); a plain solve on such columns
is silently wrong. Here: unit diagonal, Cholesky, and pivoted Cholesky where a pivot falls below `RANK_TOLERANCE`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dposv, dpotrf, dpotri, dpstrf, dtrtri

Array = npt.NDArray[Any]
RANK_TOLERANCE = 1e-9
"""Relative to the unit diagonal: a column whose remaining variance is smaller depends on the others."""


def independent(gram: Array) -> Array:
    """Positions of a largest well-conditioned set of columns, in order.

    Parameters
    ----------
    gram : array, shape (k, k)
    """
    diagonal = np.diagonal(gram)
    root = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    unit = gram / root / root[:, None]
    if (diagonal <= 0.0).any():
        unit[diagonal <= 0.0] = 0.0
        unit[:, diagonal <= 0.0] = 0.0
    _, pivots, rank, _ = dpstrf(unit, tol=RANK_TOLERANCE)
    return np.sort(pivots[:rank] - 1)


def least_squares(gram: Array, xy: Array, support: Array) -> tuple[Array, Array]:
    """Least squares on a support.

    Parameters
    ----------
    gram : array, shape (p, p)
    xy : array, shape (p,)
    support : array of int

    Returns
    -------
    coef : array, shape (len(support),)
        0 for dependent columns.
    dependent : array of int
        Columns of the support that depend on the others.
    """
    sub = gram[support[:, None], support]
    if not len(support):
        return np.zeros(0), support
    diagonal = np.diagonal(sub)
    if (diagonal > 0.0).all():
        factor, solved, info = dposv(sub, xy[support])
        if info == 0 and (np.diagonal(factor) ** 2 > RANK_TOLERANCE * diagonal).all():
            return solved, support[:0]
    keep = independent(sub)
    coef = np.zeros(len(support))
    if len(keep):
        root = np.sqrt(diagonal[keep])
        unit = sub[np.ix_(keep, keep)] / root / root[:, None]
        _, solved, info = dposv(unit, xy[support][keep] / root)
        coef[keep] = solved / root if info == 0 else 0.0
    return coef, np.delete(support, keep)


def nested_least_squares(gram: Array, xy: Array, order: Array) -> Array | None:
    """Least squares on the first, the first two, .. of some columns, by one factorization.

    With ``G = L L'`` and ``M = L^-1`` the coefficients of the first k columns are the sum of the first k rows of M,
    each times its entry of ``M xy``.

    Parameters
    ----------
    gram : array, shape (p, p)
    xy : array, shape (p,)
    order : array of int, shape (k,)

    Returns
    -------
    array, shape (k, k), or None
        One a row; None where columns depend on each other.
    """
    sub = gram[order[:, None], order]
    diagonal = np.diagonal(sub)
    factor, info = dpotrf(sub, lower=1)
    if info or not (np.diagonal(factor) ** 2 > RANK_TOLERANCE * diagonal).all():
        return None
    inverted, _ = dtrtri(factor, lower=1)
    return np.asarray(np.cumsum(inverted * (inverted @ xy[order])[:, None], axis=0))


def conditioned_inverse(gram: Array) -> Array | None:
    """Inverse of a Gram matrix; None where columns depend on each other."""
    diagonal = np.diagonal(gram)
    if not len(gram):
        return np.zeros((0, 0))
    if not (diagonal > 0.0).all():
        return None
    factor, info = dpotrf(gram)
    if info or not (np.diagonal(factor) ** 2 > RANK_TOLERANCE * diagonal).all():
        return None
    upper, _ = dpotri(factor)
    full = upper + upper.T
    np.einsum("ii->i", full)[:] *= 0.5
    return np.asarray(full)


def inverse(gram: Array) -> Array:
    """Inverse of a well-conditioned Gram matrix (columns chosen by `independent`)."""
    root = np.sqrt(np.diagonal(gram))
    factor, _, info = dposv(gram / root / root[:, None], np.zeros(len(gram)))
    if info:
        raise ValueError("the Gram matrix is singular; choose independent columns first")
    upper, _ = dpotri(factor)
    full = np.triu(upper) + np.triu(upper, 1).T
    return np.asarray(full / root / root[:, None])
