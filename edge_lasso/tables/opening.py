"""Opening tables: a file or folder, an address of a database, or a table in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edge_lasso.errors import DataError
from edge_lasso.tables.databases import is_address, read_sql
from edge_lasso.tables.grid import on_grid, pivoted
from edge_lasso.tables.head import Head
from edge_lasso.tables.readers import list_files, read_head, read_rows, row_groups
from edge_lasso.tables.reading import Reading
from edge_lasso.tables.table import Table, are_small
from edge_lasso.tables.timed import in_order, timed
from edge_lasso.tables.unreadable import Ledger
from edge_lasso.tables.whole_files import read_whole

DEFAULT = Reading()


def open_table(source: Any, reading: Reading = DEFAULT) -> Table:
    """Open a table.

    Parameters
    ----------
    source : path, address, table in memory, array of shape (rows, columns), or Table
        An address is ``sqlite:///FILE?QUERY``; see `databases`. In memory: pandas, polars, pyarrow, duckdb, all that
        has ``__arrow_c_stream__``. The columns of an array are called ``x0``, ``x1``, ...
    reading : Reading, optional
        How to read it, where that cannot be found out.

    Raises
    ------
    DataError
        Not there, empty, of a kind that cannot be read, with two columns of a name, or with files that differ.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        address = str(source)
        table = _in_memory(*read_sql(address)) if is_address(address) else _open_path(Path(source), reading)
    else:
        table = _in_memory(_arrow_table(source), "the table")
    table.missing = reading.missing
    return arranged(table, reading)


def arranged(table: Table, reading: Reading) -> Table:
    """A table with a row per time, in the order of time, as `reading` says."""
    if reading.long:
        table = pivoted(table, reading)
    elif reading.time and reading != Reading(reading.time[:1], missing=reading.missing, encoding=reading.encoding):
        table = timed(table, reading)
    elif reading.time:
        table = timed(table, reading, only_dates=True)
    if reading.every is not None:
        return on_grid(table, reading)
    return in_order(table, reading.time[0]) if reading.time and not reading.long else table


def _in_memory(table: pa.Table, title: str, files: tuple[Path, ...] = (), units: Sequence[str] = ()) -> Table:
    names = tuple(map(str, table.column_names))
    _check_names(names, title)
    table = table.rename_columns(list(names))

    def source(columns: list[str], *_: Any) -> Iterator[pa.RecordBatch]:
        return iter(table.select(columns).to_batches())

    named = {name: unit for name, unit in zip(names, units, strict=False) if unit}
    return Table(title, names, files, source, units=named)


def _arrow_table(source: Any) -> pa.Table:
    kind = type(source).__name__
    try:
        if isinstance(source, np.ndarray):
            if source.ndim != 2:
                raise DataError(f"an array must have rows and columns; this one has the shape {source.shape}")
            return pa.table({f"x{j}": source[:, j] for j in range(source.shape[1])})
        if type(source).__module__.partition(".")[0] == "pandas":
            source = pa.Table.from_pandas(source, preserve_index=False)
        elif kind == "LazyFrame":
            source = source.collect().to_arrow()
        elif isinstance(source, pa.RecordBatchReader):
            source = source.read_all()
        elif hasattr(source, "to_arrow"):
            source = source.to_arrow()
        elif hasattr(source, "__arrow_c_stream__") and not isinstance(source, pa.Table):
            source = pa.table(source)
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        why = " ".join(str(part) for part in error.args)[:160]
        raise DataError(f"the {kind} cannot be read: {' '.join(why.split())}; every column needs one type") from None
    if isinstance(source, pa.RecordBatchReader):
        source = source.read_all()
    if not isinstance(source, pa.Table):
        raise DataError(f"a table is a path, a pandas, polars, pyarrow or duckdb table, or an array; got {kind}")
    return source


def _open_path(path: Path, reading: Reading) -> Table:
    files, kind = list_files(path)
    if kind in ("json", "excel"):
        return _in_memory(*read_whole(path, kind))
    heads = [read_head(file, kind, reading.encoding, reading.missing) for file in files]
    names = heads[0].names
    for head in heads:
        if head.names != names:
            raise DataError(
                f"{head.path.name} has other columns than {files[0].name}: {_difference(names, head.names)}; "
                "the files of a folder must have the same columns in the same order"
            )
    _check_names(names, path.name)

    numbers = heads[0].row_numbers
    pieces = partial(_read_pieces, tuple((head, None) for head in heads))
    units = {name: unit for name, unit in zip(names, heads[0].units, strict=False) if unit}
    about = []
    if kind == "csv" and heads[0].encoding == "cp1252":
        about.append(f"{files[0].name} is not UTF-8 and is read as cp1252; --encoding names another one")
    return Table(
        path.name, names, tuple(files), pieces, (numbers,) if numbers else (), are_small(files), units,
        decimal=heads[0].decimal, about=about,
    )  # fmt: skip


def _read_pieces(
    pieces: Sequence[tuple[Head, tuple[int, ...] | None]], columns: list[str], text: set[str], rows: int, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    done = 0
    for head, groups in pieces:
        ledger.files.append((done, head))
        for batch in read_rows(head, columns, text, ledger, groups, rows):
            done += batch.num_rows
            yield batch


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
            source = partial(_read_pieces, ((head, groups),))
            pieces.append(Table(path.name, head.names, (file,), source, decimal=head.decimal))
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
