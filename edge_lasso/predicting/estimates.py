"""Missing inputs estimated from the others, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso_runtime.estimate import KEY, numeric, slopes
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.stream import warm_up

Array = npt.NDArray[Any]


def lost_with(model: Model, at: Sequence[int], k: int) -> list[int]:
    """Positions in `at` of an input and of what is computed from it."""
    name = model.inputs[at[k]].name
    streams = [model.inputs[i].stream for i in at]
    return [k, *(j for j, stream in enumerate(streams) if stream is not None and stream[1] == name)]


def growth(precision: Array, weights: Array, lost: Sequence[int] | Array) -> float:
    """By how much the mean squared error grows when inputs are estimated: ``w_M' H_MM^-1 w_M``."""
    at = np.asarray(lost, dtype=np.intp)
    w = weights[at]
    return max(float(w @ np.linalg.solve(precision[np.ix_(at, at)], w)), 0.0)


def widened(model: Model, lost: Array) -> Array:
    """By which factor the error of each output is wider when these inputs (positions in the section) are missing."""
    section = model.sections[KEY]
    at = numeric(model)
    precision, error = full_matrix(section["inverse"], len(at)), np.array(section["residual"])
    grown = np.array([growth(precision, w, lost) for w in np.array(slopes(model, at))])
    return np.asarray(np.sqrt(1.0 + np.divide(grown, error, out=np.zeros(len(error)), where=error > 0.0)))


def missing_losses(model: Model, output: int = 0) -> dict[str, tuple[float, float]]:
    """What each missing input costs, in percent of the mean squared error: estimated, and at its default only.

    Parameters
    ----------
    model : Model
        With a section ``estimate/1``.
    output : int
    """
    section = model.sections[KEY]
    at = numeric(model)
    precision = full_matrix(section["inverse"], len(at))
    covariance = np.linalg.inv(precision)
    w = np.array(slopes(model, at)[output])
    error = section["residual"][output]
    table = {}
    for k, i in enumerate(at):
        lost = lost_with(model, at, k)
        plain = float(w[lost] @ covariance[np.ix_(lost, lost)] @ w[lost])
        if error > 0.0:
            estimated = growth(precision, w, lost)
            table[model.inputs[i].name] = (100.0 * estimated / error, 100.0 * max(plain, estimated) / error)
    return table


def estimate_rows(model: Model, rows: Array) -> tuple[Array, Array]:
    """Rows with missing inputs estimated as a board does (to rounding), and how much wider that makes the errors.

    Parameters
    ----------
    model : Model
        With a section ``estimate/1``.
    rows : array, shape (n, inputs)
        In the order of the model's inputs; NaN where a reading is missing.

    Returns
    -------
    filled : array, shape (n, inputs)
    widths : array, shape (n, outputs)
    """
    section = model.sections[KEY]
    at = numeric(model)
    mean, precision = np.array(section["mean"]), full_matrix(section["inverse"], len(at))
    filled, widths = rows.copy(), np.ones((len(rows), len(model.outputs)))
    x = filled[:, at]
    with np.errstate(invalid="ignore"):
        gone = ~(np.abs(x) <= model.limit)
    if model.policy == "clamp" and warm_up(model):  # a board clamps before it remembers, else only at the end
        ranges = np.array([(model.inputs[i].low, model.inputs[i].high) for i in at], dtype=np.float64)
        x = np.clip(x, *ranges.T)
    patterns, which = np.unique(gone, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        if not pattern.any():
            continue
        lost, seen, here = np.flatnonzero(pattern), np.flatnonzero(~pattern), which.ravel() == k
        known = x[np.ix_(here, seen)] - mean[seen]
        block = precision[np.ix_(lost, lost)]
        result = mean[lost] - np.linalg.solve(block, (known @ precision[np.ix_(seen, lost)]).T).T
        x[np.ix_(here, lost)] = np.where(np.abs(result) <= model.limit, result, mean[lost])
        widths[here] = widened(model, lost)
    filled[:, at] = x
    return filled, widths


def full_matrix(triangle: Sequence[float], size: int) -> Array:
    """A symmetric matrix from its lower triangle, row by row."""
    full = np.zeros((size, size))
    full[np.tril_indices(size)] = triangle
    return full + np.tril(full, -1).T
