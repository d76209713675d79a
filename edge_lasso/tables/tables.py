"""Sensor tables: CSV, Parquet or Arrow IPC, a file or a folder, or a table in memory, read in batches.

A `Table` knows its columns before it reads a row, reads only the columns asked for, and gives NaN where a reading is
missing: an empty cell, NA, NaN, null, an infinite number. Whatever cannot be used ends in one `DataError`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from edge_lasso.errors import DataError
from edge_lasso.tables.derived_columns import ModelHistory
from edge_lasso.tables.readers import BATCH, Head, NotANumber, list_files, read_head, read_rows, row_groups
from edge_lasso_runtime.model import Input, Model

Array = npt.NDArray[Any]
Read = Callable[..., Iterator[pa.RecordBatch]]
IN_MEMORY = 2**27
"""Files and columns of up to this many bytes are kept once they are read; larger ones are read for each pass."""
MOST_ROWS = 2**16
CELLS = 2**22
"""Read at once where rows are only passed through: whole row groups of Parquet cost half of what small batches do."""
PIECE = 2**17
"""Rows passed on at once."""


@dataclass
class Table:
    """A table whose rows are read when asked for.

    Parameters
    ----------
    title : str
        How messages call it.
    columns : tuple of str
    files : tuple of Path
        Empty for a table in memory.
    read : callable
        ``read(columns, those that are text)`` gives record batches; a third argument is the most rows of each, where
        the reader can choose.
    row_numbers : tuple of str
        Columns that only count rows: no inputs unless asked for by name.
    keep : bool
        Columns are kept once they are read, if they are small.
    """

    title: str
    columns: tuple[str, ...]
    files: tuple[Path, ...]
    read: Read
    row_numbers: tuple[str, ...] = ()
    keep: bool = False
    _kept: dict[tuple[tuple[str, ...], frozenset[str]], list[pa.RecordBatch]] = field(default_factory=dict)

    def batches(self, numeric: Sequence[str], text: Sequence[str] = ()) -> Iterator[tuple[Array, list[Any]]]:
        """Read columns in batches.

        Parameters
        ----------
        numeric : sequence of str
            Columns of numbers.
        text : sequence of str
            Columns read as they are: categories, times.

        Yields
        ------
        numbers : array, shape (rows, len(numeric)), C order
            float64, or float32 if all the columns are.
        texts : list of pyarrow.Array

        Raises
        ------
        DataError
            A cell that is no number (`NotANumber`), a damaged file.
        """
        wanted = list(dict.fromkeys([*numeric, *text]))
        for name in wanted:
            self.check(name)
        row = 0
        for whole in self._batches(wanted, set(text)):
            for start in range(0, whole.num_rows, MOST_ROWS):
                batch = whole.slice(start, MOST_ROWS)
                columns = [batch.column(name) for name in numeric]
                narrow = len(columns) > 0 and all(pa.types.is_float32(column.type) for column in columns)
                block = np.empty((batch.num_rows, len(columns)), dtype=np.float32 if narrow else np.float64)
                for j, (name, column) in enumerate(zip(numeric, columns, strict=True)):
                    block[:, j] = _numbers(column, name, row)
                yield block, [batch.column(name) for name in text]
                row += batch.num_rows

    def _batches(self, columns: list[str], text: set[str]) -> Iterator[pa.RecordBatch]:
        """Read, and keep what is small for the next time."""
        if not self.keep:
            yield from self.read(columns, text)
            return
        for (have, as_text), kept in self._kept.items():
            if set(columns) <= set(have) and all((name in text) == (name in as_text) for name in columns):
                yield from (batch.select(columns) for batch in kept)
                return
        keep: list[pa.RecordBatch] = []
        room = IN_MEMORY - sum(batch.nbytes for kept in self._kept.values() for batch in kept)
        for batch in self.read(columns, text):
            room -= batch.nbytes
            if room >= 0:
                keep.append(batch)
            else:
                keep.clear()
            yield batch
        if room >= 0:
            self._kept[tuple(columns), frozenset(text)] = keep

    def check(self, name: str, option: str = "") -> str:
        """Return the name of a column that exists.

        Raises
        ------
        DataError
            There is none; names the nearest.
        """
        if name in self.columns:
            return name
        near = get_close_matches(name, self.columns, 1, 0.4)
        lower = [one for one in self.columns if name and name.lower() in one.lower()]
        nearest = near[0] if near else (lower[0] if lower else "")
        hint = f", the nearest is '{nearest}'" if nearest else ""
        where = f"{option}: " if option else ""
        count = f"{len(self.columns)} column{'s' * (len(self.columns) != 1)}"
        raise DataError(f"{where}column '{name}' is not in {self.title}; it has {count}{hint}")

    def expand(self, names: Iterable[str], option: str) -> list[str]:
        """Names, and patterns such as ``Dongsi.*``, as columns."""
        found: list[str] = []
        for name in names:
            if name in self.columns or not any(sign in name for sign in "*?["):
                found.append(self.check(name, option))
                continue
            matches = [one for one in self.columns if fnmatchcase(one, name)]
            if not matches:
                raise DataError(f"{option}: no column of {self.title} is like '{name}'")
            found += matches
        return list(dict.fromkeys(found))

    @property
    def hash(self) -> str:
        """SHA-256 of the files, one after another; empty for a table in memory."""
        if not self.files:
            return ""
        digest = hashlib.sha256()
        for path in self.files:
            with open(path, "rb") as file:
                while chunk := file.read(2**20):
                    digest.update(chunk)
        return digest.hexdigest()


def open_table(source: Any) -> Table:
    """Open a table.

    Parameters
    ----------
    source : path, pyarrow.Table, pandas.DataFrame, polars.DataFrame, array of shape (rows, columns), or Table
        The columns of an array are called ``x0``, ``x1``, ...

    Raises
    ------
    DataError
        Not there, empty, of a kind that cannot be read, with two columns of a name, or with files that differ.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        return _open_path(Path(source))
    table = _arrow_table(source)
    names = tuple(map(str, table.column_names))
    _check_names(names, "the table")
    table = table.rename_columns(list(names))
    return Table("the table", names, (), lambda columns, *_: iter(table.select(columns).to_batches()))


def _arrow_table(source: Any) -> pa.Table:
    kind = type(source).__name__
    try:
        if isinstance(source, np.ndarray):
            if source.ndim != 2:
                raise DataError(f"an array must have rows and columns; this one has the shape {source.shape}")
            return pa.table({f"x{j}": source[:, j] for j in range(source.shape[1])})
        if hasattr(source, "to_arrow"):
            source = source.to_arrow()
        elif type(source).__module__.partition(".")[0] == "pandas":
            source = pa.Table.from_pandas(source, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        why = " ".join(str(part) for part in error.args)[:160]
        raise DataError(f"the {kind} cannot be read: {' '.join(why.split())}; every column needs one type") from None
    if not isinstance(source, pa.Table):
        raise DataError(f"a table is a path, a pandas, polars or pyarrow table, or an array; got {kind}")
    return source


def _open_path(path: Path) -> Table:
    files, kind = list_files(path)
    heads = [read_head(one, kind) for one in files]
    names = heads[0].names
    for head in heads:
        if head.names != names:
            raise DataError(
                f"{head.path.name} has other columns than {files[0].name}: {_difference(names, head.names)}; "
                "the files of a folder must have the same columns in the same order"
            )
    _check_names(names, path.name)

    numbers = heads[0].row_numbers
    small = sum(one.stat().st_size for one in files) <= IN_MEMORY
    read = partial(_read_pieces, tuple((head, None) for head in heads))
    return Table(path.name, names, tuple(files), read, (numbers,) if numbers else (), small)


def _read_pieces(
    pieces: Sequence[tuple[Head, tuple[int, ...] | None]], columns: list[str], text: set[str], rows: int = BATCH
) -> Iterator[pa.RecordBatch]:
    for head, groups in pieces:
        yield from read_rows(head, columns, text, groups, rows)


def split_table(path: Path, rows: int) -> list[Table]:
    """The files and row groups of a table as tables of their own, in order; they can be sent to other processes.

    Parameters
    ----------
    path : path
    rows : int
        Row groups are put together until they have so many.
    """
    files, kind = list_files(path)
    pieces = []
    for file in files:
        head = read_head(file, kind)
        for groups in row_groups(head, rows):
            pieces.append(Table(path.name, head.names, (file,), partial(_read_pieces, ((head, groups),))))
    return pieces


def _difference(names: Sequence[str], others: Sequence[str]) -> str:
    if len(names) != len(others):
        return f"{len(others)} instead of {len(names)}"
    return next(f"'{b}' instead of '{a}'" for a, b in zip(names, others, strict=True) if a != b)


def _check_names(names: Sequence[str], title: str) -> None:
    if not names:
        raise DataError(f"{title} has no columns; there is nothing to read")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"column '{name}' stands twice in {title}; rename one")
        seen.add(name)


def _numbers(column: pa.Array, name: str, row: int) -> Array:
    """A column as floating point numbers, NaN where a reading is missing or infinite."""
    column = reals(column, name, row)
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    known = np.isfinite(values)
    return values if known.all() else np.where(known, values, np.nan)


def reals(column: pa.Array, name: str, row: int) -> pa.Array:
    """A column as float64, or float32 where it is that; the same array where it already is.

    Parameters
    ----------
    column : pyarrow.Array
    name : str
    row : int
        How many rows of the table stand before it.

    Raises
    ------
    NotANumber
        It holds something else.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.float64())
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if not (numeric or pa.types.is_boolean(kind) or pa.types.is_decimal(kind)):
        first = next((i for i, value in enumerate(column) if value.is_valid), None)
        if first is None:
            return pa.nulls(len(column), pa.float64())
        raise NotANumber(name, str(column[first])[:40], f" (row {row + first + 1})")
    return column if pa.types.is_float32(kind) or pa.types.is_float64(kind) else column.cast(pa.float64(), safe=False)


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
    inputs = [one for one in model.inputs if one.stream is None]
    return (
        [one.name for one in inputs if one.categories is None],
        [one.name for one in inputs if one.categories is not None],
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


def column_batches(source: Any, model: Model) -> Iterator[tuple[list[pa.Array], int]]:
    """The columns that a model reads, in batches, where possible without copying.

    Yields
    ------
    columns : list of pyarrow.Array
        One per input, float64 without nulls: categories as indices, NaN or infinite where a reading is missing.
        Inputs from earlier rows are computed in the order of the table.
    rows : int

    Raises
    ------
    DataError
        A column is not in the table, or holds what is no number.
    """
    table = open_table(source)
    if any(one.stream is not None for one in model.inputs):
        for block in model_batches(table, model):
            yield [pa.array(np.ascontiguousarray(column)) for column in block.T], len(block)
        return
    wanted = [table.check(one.name) for one in model.inputs]
    text = {one.name for one in model.inputs if one.categories is not None}
    count = _counting(table, model)
    rows = max(BATCH, CELLS // max(len(wanted), 1))
    done = 0
    try:
        for whole in table.read([*wanted, *count], text | set(count), rows):
            for start in range(0, whole.num_rows, PIECE):
                batch = whole.slice(start, PIECE)
                yield [_column(batch.column(one.name), one, done) for one in model.inputs], batch.num_rows
                done += batch.num_rows
    except NotANumber as error:
        raise DataError(error.saying("the model needs numbers there")) from None


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
    for i, one in enumerate(model.inputs):
        if one.stream is None:
            block[:, i] = next(numeric) if one.categories is None else category_codes(next(text), one.categories)
    history.fill(block)
    return block


def model_rows(source: Any, model: Model) -> Array:
    """All rows of a table in the order of a model's inputs; see `model_batches`."""
    return np.concatenate([np.empty((0, len(model.inputs))), *model_batches(source, model)])
