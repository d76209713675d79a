"""A model's C for tables stored by column: compiled once, kept in the user's cache, called without the interpreter."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edge_lasso.predicting.linear_columns import linear_columns
from edge_lasso_devices.cache import library
from edge_lasso_devices.errors import BoardError
from edge_lasso_exporters.columns_c import MOST_TERMS, STEP, SYMBOL, render_columns
from edge_lasso_runtime.model import Model

Reals = npt.NDArray[np.float64]
Marks = npt.NDArray[np.uint8]


class ColumnKernel:
    """The compiled function of a model; calls of it may run beside one another.

    Raises
    ------
    BoardError
        There is no compiler here, it refuses the source, or the model has too many terms to be worth compiling.
    """

    def __init__(self, model: Model) -> None:
        count = sum(len(output.terms) for output in model.outputs)
        if count > MOST_TERMS:
            raise BoardError(f"a model of {count} terms is not compiled; {MOST_TERMS} are the most")
        path = library(render_columns(model))
        try:
            self._function = getattr(ctypes.CDLL(path), SYMBOL)
        except (OSError, AttributeError) as error:
            raise BoardError(f"{path} cannot be loaded: {error}") from None
        self._function.restype = None
        self._function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        self.model = model

    def __call__(self, columns: Sequence[pa.Array], rows: int) -> tuple[Reals, Marks]:
        """The linear predictor, shape (outputs, rows), and where a row is degraded; see `linear_columns`.

        Parameters
        ----------
        columns : sequence of pyarrow.DoubleArray
            One per input, without nulls. They are read where they lie.
        rows : int
        """
        linear = np.empty((len(self.model.outputs), rows))
        degraded = np.empty(rows, dtype=np.uint8)
        addresses = [column.buffers()[1].address + 8 * column.offset for column in columns]
        pointers = (ctypes.c_void_p * max(len(addresses), 1))(*addresses)
        whole = rows - rows % STEP
        self._function(pointers, whole, rows, linear.ctypes.data, degraded.ctypes.data)
        if whole < rows:
            rest = [np.asarray(column.slice(whole)) for column in columns]
            linear[:, whole:], degraded[whole:] = linear_columns(self.model, rest, rows - whole)
        return linear, degraded

    def agrees(self, columns: Sequence[pa.Array], rows: int) -> bool:
        """Whether numpy gives the same bits for these rows."""
        linear, degraded = self(columns, rows)
        wanted, marks = linear_columns(self.model, [np.asarray(column) for column in columns], rows)
        return bool(np.array_equal(linear.view(np.int64), wanted.view(np.int64)) and np.array_equal(degraded, marks))
