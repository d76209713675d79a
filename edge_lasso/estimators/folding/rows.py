"""Rows of a table as an estimator takes them and as a model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.readings import Readings, is_missing
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]
LARGEST = 2**27
"""Numbers of a sparse matrix that are written out."""


class Rows:
    """Training rows.

    Parameters
    ----------
    table : array or DataFrame, shape (rows, columns)
        In the order of the estimator's columns.
    """

    def __init__(self, table: Any) -> None:
        self.table = table
        self.framed = hasattr(table, "iloc") or type(table).__module__.partition(".")[0] == "polars"

    def __len__(self) -> int:
        return len(self.table)

    def column(self, place: int) -> Array:
        """A column as it is."""
        if hasattr(self.table, "iloc"):
            return np.asarray(self.table.iloc[:, place])
        return self.table.to_series(place).to_numpy() if self.framed else np.asarray(self.table[:, place])

    def numbers(self, place: int) -> Array:
        """A column as float64; what is no number is NaN."""
        values = self.column(place)
        try:
            return np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            return np.array([_number(value) for value in values])

    def take(self, chosen: Array) -> Any:
        """Some rows, of the table's own kind."""
        return self.table.iloc[chosen] if hasattr(self.table, "iloc") else self.table[chosen]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def training_rows(X: Any, names: Sequence[str], named: bool) -> Rows | None:
    """The rows given, in the order of the columns that the estimator knows, in binary64.

    Raises
    ------
    DataError
        Columns that are not the estimator's; no rows.
    """
    if X is None:
        return None
    if hasattr(X, "tocsr"):
        if np.prod(X.shape) > LARGEST:
            raise DataError(
                f"X is sparse, {X.shape[0]:,} x {X.shape[1]:,}, and would take {np.prod(X.shape) * 8 >> 20:,} MB "
                "written out; pass some of its rows"
            )
        X = X.toarray()
    columns = getattr(X, "columns", None)
    if columns is not None:
        items = list(map(str, columns))
        if named and set(items) >= set(names):
            X = X[list(names)] if hasattr(X, "iloc") else X.select(list(names))
        elif named:
            lacking = [name for name in names if name not in items]
            raise DataError(
                f"X has no column '{lacking[0]}' ({len(lacking)} of the estimator's {len(names)} columns are not "
                "there); give the columns that it was fitted on"
            )
        if hasattr(X, "iloc"):
            single = [name for name, kind in X.dtypes.items() if str(kind) in ("float32", "float16", "Float32")]
            X = X.astype(dict.fromkeys(single, "float64")) if single else X
    else:
        X = np.asarray(X)
        if X.dtype.kind == "f":
            X = X.astype(np.float64)
        elif X.dtype.kind in "US":
            X = X.astype(object)
    if len(X.shape) != 2 or X.shape[1] != len(names) or not len(X):
        raise DataError(f"X has the shape {tuple(X.shape)}; the estimator was fitted on {len(names)} columns")
    return Rows(X)


def model_rows(rows: Rows, model: Model, readings: Readings) -> Array:
    """The model's inputs, categories as their positions, shape (rows, inputs)."""
    block = np.empty((len(rows), len(model.inputs)))
    for i, feature in enumerate(model.inputs):
        if feature.categories is None:
            block[:, i] = rows.numbers(feature.column)
        else:
            known = {value: k for k, value in enumerate(readings.values[feature.column])}
            block[:, i] = [
                -1 if is_missing(value) else known.get(value, -1) for value in rows.column(feature.column).tolist()
            ]
    return block
