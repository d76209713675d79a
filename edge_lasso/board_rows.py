"""Rows of a table as a board takes them in: what is stuck or missing is estimated or replaced, many rows at once.

What `edge_lasso_runtime.step` does up to the prediction, to rounding where readings are estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.detector_scores import blind
from edge_lasso.history import NO_BREAKS, ModelHistory
from edge_lasso.predict_table import linear_rows
from edge_lasso.tables import model_block, model_columns
from edge_lasso_runtime import health
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.estimate import numeric, slopes
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
            one["input"]: one["stuck"] for one in model.sections.get(health.KEY, {}).get("readings", []) if one["stuck"]
        }
        self._runs = [(np.nan, 0, 0) for _ in self._names]  # last value, how often in a row, in which segment
        self._estimates = Estimates(model) if ESTIMATE in model.sections else None
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
        widths: Array | None
        if self._estimates is not None:
            widths = self._estimates.fill(block)
        else:
            widths = blind(self._model, block) if DETECTOR in self._model.sections else None
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


class Estimates:
    """Missing inputs estimated from the others, as `edge_lasso_runtime.estimate` does, one pattern after another.

    Parameters
    ----------
    model : Model
        With a section ``estimate/1``.
    """

    def __init__(self, model: Model) -> None:
        section = model.sections[ESTIMATE]
        self._at = numeric(model)
        k = len(self._at)
        self._inverse = np.zeros((k, k))
        self._inverse[np.tril_indices(k)] = section["inverse"]
        self._inverse += np.tril(self._inverse, -1).T
        self._mean = np.array(section["mean"], dtype=np.float64)
        self._residual = np.array(section["residual"], dtype=np.float64)
        self._slopes = np.array(slopes(model, self._at))
        self._default = np.array([model.inputs[i].default for i in self._at], dtype=np.float64)

    def fill(self, block: Array) -> Array:
        """Replace what is missing in rows of inputs, in place; returns how much wider each output's error becomes."""
        x = block[:, self._at]
        widths = np.ones((len(block), len(self._slopes)))
        missing = np.isnan(x)
        some = np.flatnonzero(missing.any(axis=1))
        patterns, which = np.unique(missing[some], axis=0, return_inverse=True)
        for p, gone in enumerate(patterns):
            rows = some[np.ravel(which) == p]
            widths[rows] = self.widths(gone)
            if gone.all():
                x[rows] = self._default
                continue
            right = (x[np.ix_(rows, ~gone)] - self._mean[~gone]) @ self._inverse[np.ix_(~gone, gone)]
            inside = self._inverse[np.ix_(gone, gone)]
            x[np.ix_(rows, gone)] = self._mean[gone] - np.linalg.solve(inside, right.T).T
        block[:, self._at] = x
        return widths

    def widths(self, gone: Array) -> Array:
        """By which factor the error of each output is wider when these inputs (a mask) are missing."""
        w = self._slopes[:, gone]
        extra = np.einsum("mi,mi->m", w, np.linalg.solve(self._inverse[np.ix_(gone, gone)], w.T).T)
        known = (self._residual > 0.0) & (extra > 0.0)
        return np.asarray(np.sqrt(1.0 + np.divide(extra, self._residual, out=np.zeros_like(extra), where=known)))
