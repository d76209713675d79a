"""Predicting a table: only the model's columns are read, batch by batch, in the reference's own order of operations."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from edge_lasso.atomic import replacing
from edge_lasso.errors import DataError
from edge_lasso.history import ModelHistory
from edge_lasso.tables import Table, model_batches, model_block, model_columns
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


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
    values = []
    degraded = np.zeros(len(rows), dtype=bool)
    for i, one in enumerate(model.inputs):
        x = rows[:, i]
        with np.errstate(invalid="ignore"):
            known = np.abs(x) <= model.limit
        if one.categories is not None:
            known &= (x >= 0) & (x < len(one.categories)) & (x == np.floor(x))
            values.append(np.where(known, x, -1.0))
            degraded |= ~known
            continue
        assert one.default is not None
        x = np.where(known, x, one.default)
        outside = (x < one.low) | (x > one.high)  # type: ignore[operator]
        degraded |= ~known | outside
        if model.policy == "clamp":
            x = np.where(x < one.low, one.low, np.where(x > one.high, one.high, x))  # type: ignore[arg-type,operator]
        values.append(x)
    linear = np.empty((len(rows), len(model.outputs)))
    for m, output in enumerate(model.outputs):
        y = np.full(len(rows), output.intercept)
        for term in output.terms:
            product: Any = term.coef
            for factor in term.factors:
                x = values[factor.input]
                product = product * (x if factor.category is None else np.where(x == factor.category, 1.0, 0.0))
            y = y + product
        linear[:, m] = y
    return linear, degraded


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
    with np.errstate(over="ignore"):  # a difference beyond the largest number has the weight 0, as it should
        weights = np.exp(linear - linear.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def class_codes(linear: Array) -> Array:
    """The predicted class of each row, by position, from linear predictors of shape (n, outputs)."""
    return np.asarray((linear[:, 0] > 0.0).astype(np.int64) if linear.shape[1] == 1 else linear.argmax(axis=1))


def predict_table(
    model: Model,
    data: Any,
    out: Path | str | None = None,
    progress: Callable[[float], None] | None = None,
    interval: bool = False,
) -> dict[str, int]:
    """Predict every row of a table and write CSV.

    Parameters
    ----------
    model : Model
    data : path or table
    out : path, optional
        Written whole or not at all; standard output by default.
    progress : callable, optional
        Called with the rows done.
    interval : bool
        Also write each output's ``low`` and ``high``, from the model's section ``interval/1``.

    Returns
    -------
    dict
        ``rows`` and ``degraded``: how many.

    Raises
    ------
    DataError
        A column is missing from the table, or holds what is no number.
    """
    if interval and "interval/1" not in model.sections:
        raise DataError("the model has no interval; train it with --holdout 0.2 --interval 0.9")
    if out is not None:
        with replacing(out) as file:
            return _write(model, data, file.write, progress, interval)

    def to_standard_output(piece: bytes) -> None:
        sys.stdout.write(piece.decode())

    return _write(model, data, to_standard_output, progress, interval)


def _write(
    model: Model, data: Any, write: Callable[[bytes], Any], progress: Callable[[float], None] | None, interval: bool
) -> dict[str, int]:
    counts = {"rows": 0, "degraded": 0}
    names = [one.name for one in model.outputs]
    if model.classes is not None:
        names = ["label", *(f"probability of {name}" for name in model.classes[-len(names) :])]
    bounds = [(key, *pair) for pair in enumerate(names) for key in ("low", "high")] if interval else []
    names += [f"{name} {key}" for key, _, name in bounds]
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow([*names, "status"])
    plain = not any(sign in label for label in model.classes or () for sign in ',"\r\n')
    style = pa.csv.WriteOptions(include_header=False, quoting_style="none" if plain else "needed")
    write(header.getvalue().encode())
    for rows in model_batches(data, model):
        linear, degraded = linear_rows(model, rows)
        columns = [pa.array(column) for column in link_rows(model, linear).T]
        if model.classes is not None:
            columns.insert(0, pa.array(model.classes).take(pa.array(class_codes(linear))))
        section = model.sections.get("interval/1", {})
        columns += [pa.array(linear[:, m] + section[key][m]) for key, m, _ in bounds]
        columns.append(pa.compute.if_else(pa.array(degraded), "degraded", "ok"))
        piece = pa.BufferOutputStream()
        pa.csv.write_csv(pa.record_batch(columns, [*map(str, range(len(columns)))]), piece, style)
        write(piece.getvalue().to_pybytes())
        counts["rows"] += len(rows)
        counts["degraded"] += int(degraded.sum())
        if progress:
            progress(counts["rows"])
    return counts
