"""The rows of tables as a model reads them: in the order of its inputs, categories as indices, NaN where missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from edge_lasso.errors import DataError
from edge_lasso.tables.derived_columns import ModelHistory
from edge_lasso.tables.opening import open_table as open_table
from edge_lasso.tables.opening import split_table as split_table
from edge_lasso.tables.readers import BATCH
from edge_lasso.tables.table import Table as Table
from edge_lasso.tables.table import reals
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso_runtime.model import Input, Model

Array = npt.NDArray[Any]
CELLS = 2**22
"""Read at once where rows are only passed through: whole row groups of Parquet cost half of what small batches do."""
PIECE = 2**17
"""Rows passed on at once."""


def category_codes(column: pa.Array, categories: Sequence[str]) -> Array:
    """The index of each value in `categories`, as a float; NaN for missing and unknown values."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        codes = pa.compute.index_in(column, value_set=pa.array(categories, column.type), skip_nulls=True)
        return np.asarray(codes.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    where: dict[str | None, float] = {name: float(i) for i, name in enumerate(categories)}
    words = [None if value is None else str(value) for value in column.to_pylist()]
    return np.array([where.get(word, np.nan) for word in words], dtype=np.float64)


def model_columns(model: Model) -> tuple[list[str], list[str]]:
    """The columns of numbers and of text that a model reads; derived inputs are computed."""
    inputs = [feature for feature in model.inputs if feature.stream is None]
    return (
        [feature.name for feature in inputs if feature.categories is None],
        [feature.name for feature in inputs if feature.categories is not None],
    )


def model_batches(source: Any, model: Model) -> Iterator[Array]:
    """Rows of a table in the order of a model's inputs, in batches: categories as indices, NaN where missing.

    Inputs from earlier rows are computed in the order of the table.

    Raises
    ------
    DataError
        A column is not in the table, or holds what is no number.
    """
    table = open_table(source)
    numeric, text = model_columns(model)
    history = ModelHistory(model)
    try:
        for numbers, texts in table.batches(numeric, [*text, *_counting(table, model)]):
            yield model_block(model, numbers, texts, history)
    except NotANumber as error:
        raise DataError(error.saying("the model needs numbers there")) from None


def _counting(table: Table, model: Model) -> list[str]:
    """A model without inputs still has an answer for each row: a column to count them by."""
    return [] if model.inputs else [table.columns[0]]


def column_batches(source: Any, model: Model, keep: Sequence[str] = ()) -> Iterator[tuple[list[pa.Array], int]]:
    """The columns that a model reads, in batches, where possible without copying; and those to `keep`, as text.

    Yields
    ------
    columns : list of pyarrow.Array
        One per input, float64 without nulls: categories as indices, NaN or infinite where a reading is missing.
        Inputs from earlier rows are computed in the order of the table. Behind them those to keep.
    rows : int

    Raises
    ------
    DataError
        A column is not in the table, or holds what is no number.
    """
    table = open_table(source)
    remaining = [table.check(name, "--keep") for name in keep]
    if any(feature.stream is not None for feature in model.inputs):
        yield from _derived_batches(table, model, remaining)
        return
    wanted = [table.check(feature.name) for feature in model.inputs]
    numeric = {table.check(feature.name) for feature in model.inputs if feature.categories is None}
    count = _counting(table, model)
    text = {*wanted, *count, *remaining} - numeric
    rows = max(BATCH, CELLS // max(len(wanted), 1))
    done = 0
    try:
        for whole in table.read(list(dict.fromkeys([*wanted, *count, *remaining])), text, rows):
            for start in range(0, whole.num_rows, PIECE):
                batch = whole.slice(start, PIECE)
                columns = [
                    _column(batch.column(name), feature, done)
                    for name, feature in zip(wanted, model.inputs, strict=True)
                ]
                yield [*columns, *(_words(batch.column(name)) for name in remaining)], batch.num_rows
                done += batch.num_rows
    except NotANumber as error:
        raise DataError(error.saying("the model needs numbers there")) from None


def _derived_batches(table: Table, model: Model, remaining: Sequence[str]) -> Iterator[tuple[list[pa.Array], int]]:
    """The same for a model that reads earlier rows."""
    numeric, text = model_columns(model)
    real = {table.check(name) for name in numeric}
    history = ModelHistory(model)
    also = [name for name in remaining if name not in real]
    try:
        for numbers, texts in table.batches(numeric, [*text, *also]):
            block = model_block(model, numbers, texts[: len(text)], history)
            words = dict(zip(also, texts[len(text) :], strict=True))
            along = [words[name] if name in words else pa.array(numbers[:, numeric.index(name)]) for name in remaining]
            columns = [pa.array(np.ascontiguousarray(column)) for column in block.T]
            yield [*columns, *map(_words, along)], len(block)
    except NotANumber as error:
        raise DataError(error.saying("the model needs numbers there")) from None


def _words(column: pa.Array) -> pa.Array:
    """A column as text, to stand beside predictions."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _column(column: pa.Array, one: Input, done: int) -> pa.Array:
    if one.categories is not None:
        return pa.array(category_codes(column, one.categories))
    column = reals(column, one.name, done)
    if pa.types.is_float32(column.type):
        column = column.cast(pa.float64())
    return column.fill_null(float("nan")) if column.null_count else column


def model_block(model: Model, numbers: Array, texts: Sequence[Any], history: ModelHistory) -> Array:
    """Numeric and categorical columns, each in the order of the model's inputs, as one array of float64.

    `history` is of the rows before; it computes the derived inputs and goes on to these.
    """
    block = np.empty((len(numbers), len(model.inputs)))
    numeric, text = iter(numbers.T), iter(texts)
    for i, feature in enumerate(model.inputs):
        if feature.stream is None:
            block[:, i] = (
                next(numeric) if feature.categories is None else category_codes(next(text), feature.categories)
            )
    history.fill(block)
    return block


def model_rows(source: Any, model: Model) -> Array:
    """All rows of a table in the order of a model's inputs; see `model_batches`."""
    return np.concatenate([np.empty((0, len(model.inputs))), *model_batches(source, model)])
