"""Rows of a table as a board takes them in: what is stuck or missing is estimated or replaced, many rows at once.

What `edge_lasso_runtime.step` does up to the prediction, to rounding where readings are estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.predicting.estimates import estimate_rows
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.predicting.scores import blind
from edge_lasso.tables.derived_columns import NO_BREAKS, ModelHistory
from edge_lasso.tables.tables import model_block, model_columns
from edge_lasso_runtime import health
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


class BoardRows:
    """Predictions of rows in the order of time, batch by batch.

    Parameters
    ----------
    model : Model
    breaks : array of int, optional
        Numbers of the rows before which history ends.
    """

    def __init__(self, model: Model, breaks: Array | None = None) -> None:
        self._model = model
        self._breaks = NO_BREAKS if breaks is None else breaks
        self._history = ModelHistory(model, breaks)
        self._names = model_columns(model)[0]
        self._limits = {
            reading["input"]: reading["stuck"]
            for reading in model.sections.get(health.KEY, {}).get("readings", [])
            if reading["stuck"]
        }
        self._runs = [(np.nan, 0, 0) for _ in self._names]  # last value, how often in a row, in which segment
        self._row = 0

    def step(self, numbers: Array, texts: Sequence[Any]) -> tuple[Array, Array, Array | None]:
        """The next rows.

        Parameters
        ----------
        numbers : array, shape (n, readings)
            The columns of numbers that the model reads.
        texts : sequence of arrow arrays
            Its categorical columns.

        Returns
        -------
        readings : array, shape (n, readings)
            float64; NaN where missing.
        linear : array, shape (n, outputs)
        widths : array, shape (n, outputs), or None
            By which factor each output's error is wider (NaN: nobody knows); None where the model does not say.
        """
        readings = numbers.astype(np.float64)
        with np.errstate(invalid="ignore"):
            readings[~(np.abs(readings) <= self._model.limit)] = np.nan
        segments = np.searchsorted(self._breaks, np.arange(self._row, self._row + len(readings)), side="right")
        self._row += len(readings)
        worth = readings.copy()
        for j, name in enumerate(self._names):
            if name in self._limits:
                worth[self._stuck(j, readings[:, j], segments, self._limits[name]), j] = np.nan
        block = model_block(self._model, worth, texts, self._history)
        widths = blind(self._model, block) if DETECTOR in self._model.sections else None
        if ESTIMATE in self._model.sections:
            block, widths = estimate_rows(self._model, block)
        return readings, linear_rows(self._model, block)[0], widths

    def _stuck(self, j: int, values: Array, segments: Array, longest: int) -> Array:
        """Rows whose reading has been the same for longer than `longest` readings."""
        last, run, segment = self._runs[j]
        known = np.flatnonzero(~np.isnan(values))
        if not len(known):
            return known
        v, s = np.r_[last, values[known]], np.r_[segment, segments[known]]
        new = (v[1:] != v[:-1]) | (s[1:] != s[:-1])
        place = np.arange(len(new))
        start = np.maximum.accumulate(np.where(new, place, -1))
        length = np.where(start < 0, place + 1 + run, place - start + 1)
        self._runs[j] = (float(v[-1]), int(length[-1]), int(s[-1]))
        return np.asarray(known[length > longest])
