"""A table whose rows are read when asked for: numbers with NaN where a reading is missing, and text as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from edge_lasso.errors import DataError
from edge_lasso.tables.cells import is_text, text_numbers, without
from edge_lasso.tables.readers import BATCH
from edge_lasso.tables.unreadable import Ledger, NotANumber
from edge_lasso_runtime.cells import split_unit

Array = npt.NDArray[Any]
Source = Callable[[list[str], set[str], int, Ledger], Iterator[pa.RecordBatch]]
IN_MEMORY = 2**27
"""Files and columns of up to this many bytes are kept once they are read; larger ones are read for each pass."""
MOST_ROWS = 2**16


def are_small(files: Iterable[Path]) -> bool:
    """Whether files are kept in memory once they are read."""
    return sum(file.stat().st_size for file in files) <= IN_MEMORY


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
    source : callable
        ``source(columns, those that are text, most rows of a batch, ledger)`` gives record batches.
    row_numbers : tuple of str
        Columns that only count rows: no inputs unless asked for by name.
    keep : bool
        Columns are kept once they are read, if they are small.
    units : dict
        Of the columns whose header names one.
    missing : tuple of str
        What stands for a missing reading, beside the usual marks.
    decimal : {".", ","}
        In columns of text.
    about : list of str
        What a reader should know of how it was read.
    """

    title: str
    columns: tuple[str, ...]
    files: tuple[Path, ...]
    source: Source
    row_numbers: tuple[str, ...] = ()
    keep: bool = False
    units: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    decimal: str = "."
    about: list[str] = field(default_factory=list)
    _empty: int | None = None
    _unreadable: dict[str, str] = field(default_factory=dict)
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

    def read(self, columns: list[str], text: set[str], rows: int = BATCH) -> Iterator[pa.RecordBatch]:
        """Read columns: as they are those that are `text`, the others as numbers.

        Raises
        ------
        DataError
            Too many cells are no numbers; a damaged file.
        """
        ledger = Ledger()
        real = [self.check(name) for name in columns]
        text = {*text, *(self.check(name) for name in text)}
        for batch in self.source(real, text, rows, ledger):
            arrays: list[Any] = []
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if self.missing:
                    column = without(column, self.missing)
                if name not in text and is_text(column.type):
                    column, filled, unreadable = text_numbers(column, self.decimal)
                    ledger.add(name, ledger.rows, filled, unreadable)
                elif name not in text:
                    ledger.add(name, ledger.rows, len(column) - column.null_count, [])
                arrays.append(column)
            yield pa.record_batch(arrays, columns)
            ledger.rows += batch.num_rows
            ledger.empty += _empty_rows([each for each, name in zip(arrays, real, strict=True) if name not in text])
        ledger.check()
        self._unreadable.update(ledger.notes())
        if len(set(real) - text) > 1:
            self._empty = ledger.empty if self._empty is None else min(self._empty, ledger.empty)

    @property
    def notes(self) -> list[str]:
        """What a reader of results should know: how it was read, and what could not be read so far."""
        rows = "1 row holds" if self._empty == 1 else f"{self._empty or 0:,} rows hold"
        empty = [f"{rows} no reading in any column of numbers that was read"] if self._empty else []
        return [*self.about, *self._unreadable.values(), *empty]

    def _batches(self, columns: list[str], text: set[str]) -> Iterator[pa.RecordBatch]:
        """Read, and keep what is small for the next time."""
        if not self.keep:
            yield from self.read(columns, text)
            return
        for (have, as_text), remaining in self._kept.items():
            if set(columns) <= set(have) and all((name in text) == (name in as_text) for name in columns):
                yield from (batch.select(columns) for batch in remaining)
                return
        keep: list[pa.RecordBatch] = []
        room = IN_MEMORY - sum(batch.nbytes for remaining in self._kept.values() for batch in remaining)
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

        Notes
        -----
        A column whose header names a unit may be called with it, too.
        """
        if name in self.columns:
            return name
        short, unit = split_unit(name)
        if unit and self.units.get(short) == unit:
            return short
        near = get_close_matches(name, self.columns, 1, 0.4)
        lower = [column for column in self.columns if name and name.lower() in column.lower()]
        nearest = near[0] if near else (lower[0] if lower else "")
        hint = f", the nearest is '{nearest}'" if nearest else ""
        where = f"{option}: " if option else ""
        count = f"{len(self.columns)} column{'s' * (len(self.columns) != 1)}"
        raise DataError(f"{where}column '{name}' is not in {self.title}; it has {count}{hint}")

    def expand(self, names: Iterable[str], option: str) -> list[str]:
        """Names, and patterns such as ``Dongsi.*``, as columns."""
        texts: list[str] = []
        for name in names:
            if name in self.columns or not any(sign in name for sign in "*?["):
                texts.append(self.check(name, option))
                continue
            matches = [column for column in self.columns if fnmatchcase(column, name)]
            if not matches:
                raise DataError(f"{option}: no column of {self.title} is like '{name}'")
            texts += matches
        return list(dict.fromkeys(texts))

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


def _empty_rows(columns: Sequence[pa.Array]) -> int:
    """How many rows have no reading in any of these columns."""
    if not columns or any(column.null_count == 0 for column in columns):
        return 0
    nothing = columns[0].is_null()
    for column in columns[1:]:
        nothing = pc.and_(nothing, column.is_null())
    return int(pc.sum(nothing).as_py() or 0)


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
