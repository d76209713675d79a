"""Predicting a table: only the model's columns are read, batch by batch, in the reference's own order of operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edge_lasso.errors import BoardError, DataError
from edge_lasso.predicting.ahead import Ahead
from edge_lasso.predicting.column_kernel import ColumnKernel
from edge_lasso.predicting.estimates import estimate_rows
from edge_lasso.predicting.linear_columns import fault_codes, linear_columns
from edge_lasso.predicting.prediction_files import prediction_file
from edge_lasso.tables.derived_columns import ModelHistory
from edge_lasso.tables.tables import Table, column_batches, model_block, model_columns
from edge_lasso_runtime.cascade import DETECTOR, GO_ON, KEY, NO, YES
from edge_lasso_runtime.model import EXP_ROOM, Model
from edge_lasso_runtime.predict import predicted
from edge_lasso_runtime.rows import result_header

Array = npt.NDArray[Any]
STATUS = ("ok", "degraded")
WORDS = pa.dictionary(pa.int32(), pa.string())
FEW = 2**14
"""Batches with fewer rows are not worth compiling for."""
CHECKED = 2**10


def linear_rows(model: Model, rows: Array) -> tuple[Array, Array]:
    """The linear predictor of many rows, bit-equal with `edge_lasso_runtime.predict`.

    Parameters
    ----------
    model : Model
    rows : array, shape (n, inputs)
        In the order of the model's inputs; NaN where a reading is missing, categories as indices.

    Returns
    -------
    linear : array, shape (n, outputs)
    degraded : array of bool, shape (n,)
        Where a reading was missing or out of range.
    """
    linear, degraded = linear_columns(model, list(rows.T), len(rows))
    return linear.T, degraded


def rows_from(
    table: Table, model: Model, rank: Array, first: int, more: Sequence[str] = (), breaks: Array | None = None
) -> tuple[Array, Array, Array]:
    """Predict the rows of a table from a rank on.

    Parameters
    ----------
    table : Table
    model : Model
    rank : array of int, shape (rows of the table,)
    first : int
    more : sequence of str
        Columns of numbers to read along.
    breaks : array of int, optional
        Numbers of the rows before which history ends.

    Returns
    -------
    ranks : array, shape (n,)
        Of the rows chosen, in the order of the table.
    linear : array, shape (n, outputs)
    numbers : array, shape (n, len(more))
        float64.
    """
    numeric, text = model_columns(model)
    history = ModelHistory(model, breaks)
    ranks, predicted, along = [], [], []
    done = 0
    for numbers, texts in table.batches([*numeric, *more], text):
        here = rank[done : done + len(numbers)]
        done += len(numbers)
        chosen = here >= first
        block = model_block(model, numbers[:, : len(numeric)], texts, history)
        ranks.append(here[chosen])
        predicted.append(linear_rows(model, block[chosen])[0])
        along.append(numbers[chosen, len(numeric) :].astype(np.float64))
    return np.concatenate(ranks), np.concatenate(predicted), np.concatenate(along)


def link_rows(model: Model, linear: Array) -> Array:
    """Predictions after the link: values, or probabilities."""
    kind = model.outputs[0].link
    if kind == "identity":
        return linear
    if kind == "logistic":
        small = np.exp(-np.abs(linear))
        return np.where(linear >= 0.0, 1.0 / (1.0 + small), small / (1.0 + small))
    if kind == "exp":
        return np.asarray(np.exp(np.clip(linear, -EXP_ROOM, EXP_ROOM)))
    with np.errstate(over="ignore"):  # a difference beyond the largest number has the weight 0, as it should
        weights = np.exp(linear - linear.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def class_codes(linear: Array) -> Array:
    """The predicted class of each row, by position, from linear predictors of shape (n, outputs)."""
    return np.asarray((linear[:, 0] > 0.0).astype(np.int64) if linear.shape[1] == 1 else linear.argmax(axis=1))


@dataclass(frozen=True)
class Predicted:
    """What `predict_table` did.

    Parameters
    ----------
    rows, degraded : int
        How many.
    by : str
        What computed them: ``C``, ``numpy``, or ``numpy`` and why not C.
    """

    rows: int
    degraded: int
    by: str


def predict_table(
    model: Model,
    data: Any,
    out: Path | str | None = None,
    progress: Callable[[float], None] | None = None,
    interval: bool = False,
    estimate: bool = False,
    compiled: bool = True,
    keep: Sequence[str] = (),
) -> Predicted:
    """Predict every row of a table and write CSV, Parquet or Arrow IPC.

    The model's columns alone are read, batch by batch. While the next batch is read, one is computed and one written.

    Parameters
    ----------
    model : Model
    data : path or table
    out : path, optional
        ``.csv``, ``.parquet`` or ``.arrow``, written whole or not at all; CSV on standard output by default.
    progress : callable, optional
        Called with the rows read.
    interval : bool
        Also write each output's ``low`` and ``high``, from the model's section ``interval/1``.
    estimate : bool
        Estimate missing inputs from the others, as a board does from row to row, instead of taking their defaults;
        intervals widen accordingly.
    compiled : bool
        Large tables are computed in C where a compiler is at hand; the results are the same, bit for bit.
    keep : sequence of str
        Columns of the table to write first, as they are: times, truth.

    Raises
    ------
    DataError
        A column is missing from the table, or holds what is no number; a suffix that is not written.
    """
    if interval and "interval/1" not in model.sections:
        raise DataError("the model has no interval; train it with --holdout 0.2 --interval 0.9")
    if estimate and "estimate/1" not in model.sections:
        raise DataError("the model cannot estimate missing inputs; train it with --sections estimate")
    engine = Engine(model, compiled)
    schema, width = _schema(model, interval, keep), len(model.inputs)
    degraded = rows = 0

    def make(columns: list[pa.Array], count: int) -> tuple[Any, int]:
        columns, remaining = columns[:width], columns[width:]
        linear, marks = engine(columns, count)
        widths = np.ones_like(linear)
        if estimate:
            filled, wider = estimate_rows(model, np.column_stack([np.asarray(column) for column in columns]))
            linear, widths = linear_columns(model, list(filled.T), count)[0], wider.T
        batch = pa.record_batch([*remaining, *_columns(model, columns, linear, marks, interval, widths)], schema=schema)
        return encode(batch), int(marks.sum())

    def written(piece: Future[tuple[Any, int]]) -> None:
        nonlocal degraded
        what, marked = piece.result()
        write(what)
        degraded += marked

    with prediction_file(out, schema) as (encode, write), Ahead(make, written) as ahead:
        for columns, count in column_batches(data, model, keep):
            engine.look(columns[:width], count)
            ahead.put(columns, count)
            rows += count
            if progress:
                progress(rows)
    return Predicted(rows, degraded, engine.by)


class Engine:
    """The linear predictor of batches: numpy, and C from the first large batch on."""

    def __init__(self, model: Model, compiled: bool) -> None:
        self.model = model
        self.by = "numpy"
        self._kernel: ColumnKernel | None = None
        self._wanted = compiled

    def look(self, columns: Sequence[pa.Array], rows: int) -> None:
        """Get the C kernel ready if this batch is worth it; it has to give numpy's bits for the first rows."""
        if not self._wanted or rows < FEW:
            return
        self._wanted = False
        try:
            kernel = ColumnKernel(self.model)
        except BoardError as error:
            self.by = f"numpy ({error})"
            return
        if kernel.agrees([column.slice(0, CHECKED) for column in columns], min(rows, CHECKED)):
            self._kernel, self.by = kernel, "C"
        else:
            self.by = "numpy (this compiler's code computes something else)"

    def __call__(self, columns: Sequence[pa.Array], rows: int) -> tuple[Array, Array]:
        """See `linear_columns`; `degraded` as uint8."""
        if self._kernel is not None:
            return self._kernel(columns, rows)
        linear, degraded = linear_columns(self.model, [np.asarray(column) for column in columns], rows)
        return linear, degraded.view(np.uint8)


def _schema(model: Model, interval: bool, keep: Sequence[str] = ()) -> pa.Schema:
    """The columns of the predictions, called as a board calls them; those that are kept come first."""
    names = result_header(model, interval)
    texts = (KEY in model.sections) + (model.classes is not None)
    kinds = [WORDS] * texts + [pa.float64()] * (len(names) - texts - 2) + [WORDS] * 2
    along = [pa.field(f"{name} (given)" if name in names else name, pa.string()) for name in keep]
    fields = [pa.field(name, kind, nullable=False) for name, kind in zip(names, kinds, strict=True)]
    return pa.schema([*along, *fields])


def _columns(
    model: Model, inputs: Sequence[pa.Array], linear: Array, degraded: Array, interval: bool, widths: Array
) -> list[pa.Array]:
    shown = predicted(model)
    columns = [pa.array(column) for column in link_rows(model, linear.T).T[shown]]
    if model.classes is not None:
        columns.insert(0, _words(class_codes(linear.T), model.classes))
    if KEY in model.sections:
        columns.insert(0, _words(_verdicts(model, linear[0], degraded), (NO, GO_ON, YES)))
    if interval:
        section = model.sections["interval/1"]
        for m in shown:
            wider = widths[m] * (1.0 + section["slope"][m] * np.abs(linear[m]) if "slope" in section else 1.0)
            columns += [pa.array(linear[m] + section[end][m] * wider) for end in ("low", "high")]
    return [*columns, _words(degraded, STATUS), _words(*fault_codes(model, inputs, degraded))]


def _verdicts(model: Model, score: Array, degraded: Array) -> Array:
    """What a first stage says of rows: 0 no, 1 go on, 2 yes; see `edge_lasso_runtime.cascade.verdict`."""
    section = model.sections[KEY]
    side = np.subtract(score > section["high"], score < section["low"], dtype=np.int32)
    known = (degraded == 0) & (DETECTOR not in model.sections)
    return np.asarray(1 + np.where(known, side if section["yes"] else -side, 0))


def _words(codes: Array, words: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(words))
