"""Inputs computed from earlier rows, for whole batches of a table: what `edge_lasso_runtime.stream` does row by row.

The same operations in the same order, so that the results are equal to the last bit; what is remembered between
batches is the last rows of each source, as on a board. A break (a gap in the times) starts everything anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso_runtime.model import READING_LIMIT, Model
from edge_lasso_runtime.stream import readings

Array = npt.NDArray[Any]
Stream = tuple[str, str, int]
"""Kind, source, length: see `edge_lasso_runtime.stream`."""
NO_BREAKS = np.empty(0, dtype=np.int64)


def stream_name(stream: Stream) -> str:
    """The name of a derived column: ``SOURCE.lag1``, ``SOURCE.mean24``."""
    kind, source, length = stream
    return f"{source}.{kind}{length}"


class History:
    """What derived columns have to remember between batches.

    Parameters
    ----------
    streams : sequence of Stream
    sources : sequence of str
        Names of the columns that `step` gets.
    breaks : array of int, optional
        Numbers of the rows before which history ends, rising.
    """

    def __init__(self, streams: Sequence[Stream], sources: Sequence[str], breaks: Array | None = None) -> None:
        place = {name: j for j, name in enumerate(sources)}
        self._streams = [(kind, place[source], length) for kind, source, length in streams]
        self._breaks = NO_BREAKS if breaks is None else breaks
        self._depth = max((length for kind, _, length in streams if kind != "ewma"), default=0)
        self._last = np.full((len(sources), self._depth), np.nan)
        self._averages = [np.nan] * len(streams)
        self._row = 0
        self._started = 0

    def step(self, x: Array) -> Array:
        """Derived columns of the next rows.

        Parameters
        ----------
        x : array, shape (rows, sources)
            NaN, infinite or larger than 2^100: missing.

        Returns
        -------
        array, shape (rows, streams)
            float64; NaN where there is nothing.
        """
        n, depth = len(x), self._depth
        now = x.T.astype(np.float64)
        with np.errstate(invalid="ignore"):
            now[~(np.abs(now) <= READING_LIMIT)] = np.nan
        age = self._ages(n)
        past = np.concatenate([self._last, now], axis=1)
        derived = np.empty((n, len(self._streams)))
        for s, (kind, j, length) in enumerate(self._streams):
            if kind == "ewma":
                derived[:, s] = self._average(s, now[j], age, 2.0 / (length + 1))
            elif kind == "mean":
                derived[:, s] = _mean(past[j], age, depth, length)
            else:
                old = np.where(age >= length, past[j, depth - length : depth - length + n], np.nan)
                derived[:, s] = old if kind == "lag" else now[j] - old
        self._last = past[:, past.shape[1] - depth :]
        return derived

    def _ages(self, n: int) -> Array:
        """How many rows of history each of the next rows has."""
        first, self._row = self._row, self._row + n
        here = self._breaks[np.searchsorted(self._breaks, first) : np.searchsorted(self._breaks, self._row)]
        start = np.full(n, self._started)
        start[here - first] = here
        start = np.maximum.accumulate(start)
        if n:
            self._started = int(start[-1])
        return np.asarray(np.arange(first, self._row) - start)

    def _average(self, s: int, values: Array, age: Array, rate: float) -> list[float]:
        average = self._averages[s]
        result = []
        for value, old in zip(values.tolist(), age.tolist(), strict=True):
            if not old:
                average = value
            elif value == value:
                average = value if average != average else average + (value - average) * rate
            result.append(average)
        self._averages[s] = average
        return result


def _mean(past: Array, age: Array, depth: int, length: int) -> Array:
    total, count = np.zeros(len(age)), np.zeros(len(age))
    for k in range(length - 1, -1, -1):
        value = past[depth - k : depth - k + len(age)]
        known = (value == value) & (age >= k)
        total += np.where(known, value, 0.0)
        count += known
    return np.asarray(np.divide(total, count, out=np.full(len(age), np.nan), where=count > 0.0))


class ModelHistory:
    """The derived inputs of a model over the rows of a table; see `History`."""

    def __init__(self, model: Model, breaks: Array | None = None) -> None:
        self._at = [i for i, feature in enumerate(model.inputs) if feature.stream is not None]
        streams = [feature.stream for feature in model.inputs if feature.stream is not None]
        needed = {source for _, source, _ in streams}
        self._sources = [i for i in readings(model) if model.inputs[i].name in needed]
        self._limit = model.limit
        chosen = [model.inputs[i] for i in self._sources]
        self._range = None
        if model.policy == "clamp" and chosen:
            self._range = np.array([(entry.low, entry.high) for entry in chosen], dtype=np.float64).T
        self._history = History(streams, [entry.name for entry in chosen], breaks) if streams else None

    def fill(self, block: Array) -> None:
        """Put the derived inputs into rows in the order of the model's inputs."""
        if self._history is None:
            return
        x = block[:, self._sources]
        with np.errstate(invalid="ignore"):
            x[~(np.abs(x) <= self._limit)] = np.nan
        if self._range is not None:
            x = np.clip(x, *self._range)
        block[:, self._at] = self._history.step(x)
