"""The reference's arithmetic on whole columns with numpy: the same operations in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso_runtime.model import Factor, Model

Array = npt.NDArray[Any]


def linear_columns(model: Model, columns: Sequence[Array], rows: int) -> tuple[Array, Array]:
    """The linear predictor of many rows, bit-equal with `edge_lasso_runtime.predict`.

    Parameters
    ----------
    model : Model
    columns : sequence of array of float64, shape (rows,)
        One per input of the model; NaN where a reading is missing, categories as indices.
    rows : int

    Returns
    -------
    linear : array, shape (outputs, rows)
    degraded : array of bool, shape (rows,)
        Where a reading was missing or out of range.
    """
    values = []
    degraded = np.zeros(rows, dtype=bool)
    for feature, x in zip(model.inputs, columns, strict=True):
        with np.errstate(invalid="ignore"):
            known = np.abs(x) <= model.limit
        if feature.categories is not None:
            known &= (x >= 0) & (x < len(feature.categories)) & (x == np.floor(x))
            values.append(np.where(known, x, -1.0))
            degraded |= ~known
            continue
        assert feature.default is not None
        x = np.where(known, x, feature.default)
        outside = (x < feature.low) | (x > feature.high)  # type: ignore[operator]
        degraded |= ~known | outside
        if model.policy == "clamp":
            x = np.where(x < feature.low, feature.low, np.where(x > feature.high, feature.high, x))  # type: ignore[arg-type,operator]
        values.append(x)
    return linear_sums(model, values, rows), degraded


def fault_codes(model: Model, columns: Sequence[Array], degraded: Array) -> tuple[Array, list[str]]:
    """What is wrong with each row, in the words of a board: codes, shape (rows,), and the texts they stand for.

    Parameters
    ----------
    model : Model
    columns : sequence of array-like, shape (rows,)
        As `linear_columns` takes them.
    degraded : array, shape (rows,)
        As it gives it: only these rows are looked at.
    """
    codes, at = np.zeros(len(degraded), dtype=np.int32), np.flatnonzero(degraded)
    if not len(at):
        return codes, [""]
    kinds = np.zeros((len(at), len(columns)), dtype=np.int8)  # of each reading: 0 fine, 1 missing, 2 out of range
    for j, (feature, column) in enumerate(zip(model.inputs, columns, strict=True)):
        x = np.asarray(column)[at]
        with np.errstate(invalid="ignore"):
            known = np.abs(x) <= model.limit
            if feature.categories is not None:
                known &= (x >= 0) & (x < len(feature.categories)) & (x == np.floor(x))
                outside = np.zeros(len(at), dtype=bool)
            else:
                outside = (x < feature.low) | (x > feature.high)  # type: ignore[operator]
        kinds[:, j] = np.where(known, 2 * outside, 1)
    patterns, which = np.unique(kinds, axis=0, return_inverse=True)
    codes[at] = which.ravel() + 1
    names = [feature.name for feature in model.inputs]
    said = ("", "missing", "out of range")
    return codes, ["", *(
        "; ".join(f"{names[j]}: {said[pattern[j]]}" for j in np.flatnonzero(pattern)) for pattern in patterns
    )]  # fmt: skip


def linear_sums(model: Model, values: Sequence[Array], rows: int) -> Array:
    """The linear predictor, shape (outputs, rows), of clean columns."""
    linear = np.empty((len(model.outputs), rows))
    for m, output in enumerate(model.outputs):
        y = np.full(rows, output.intercept)
        for term in output.terms:
            product: Any = term.coef
            for factor in term.factors:
                product = product * factor_column(factor, values[factor.input])
            y = y + product
        linear[m] = y
    return linear


def factor_column(factor: Factor, x: Array) -> Array:
    """`edge_lasso_runtime.predict.factor_value` of a column of clean readings."""
    if factor.category is not None:
        return np.where(x == factor.category, 1.0, 0.0)
    if factor.knot is None:
        return x
    return np.where(x > factor.knot, 1.0 if factor.hinge is None else x - factor.knot, 0.0)
