"""What a query of a database gives, by an address such as ``sqlite:///readings.db?SELECT * FROM readings``."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from edge_lasso.errors import DataError
from edge_lasso.tables.whole_files import Whole, typed

QUERY = re.compile(r"\?(?=\s*(?:select|with|table|values|from|show|pivot|execute)\b)", re.IGNORECASE)
"""Where the query begins: an address of PostgreSQL may have options behind a ``?`` of its own."""


def is_address(source: str) -> bool:
    """Whether a source is the address of a database that can be read."""
    return source.startswith(tuple(READERS))


def read_sql(address: str) -> Whole:
    """The table that a query gives, its title (without a password), its files, and no units.

    Parameters
    ----------
    address : str
        ``sqlite:///FILE?QUERY``, ``duckdb:///FILE?QUERY`` or ``postgresql://USER@HOST/DATABASE?QUERY``.

    Raises
    ------
    DataError
        No such file, no query, one that fails or gives nothing; an extra is missing.
    """
    start = next(start for start in READERS if address.startswith(start))
    place, _, query = address.partition("?")
    if start in SERVERS:
        place, query, *_ = *QUERY.split(address, maxsplit=1), ""
    path = Path(place.removeprefix(start)) if start not in SERVERS else None
    title = path.name if path is not None else urlsplit(place).path.strip("/") or "postgresql"
    if not query.strip():
        raise DataError(f"{place.rpartition('@')[2]} names no query; for example: '{start}{EXAMPLES[start]}'")
    if path is not None and not path.is_file():
        raise DataError(f"{path} does not exist; the address of a database is {start}FILE?QUERY")
    table = READERS[start](place if path is None else str(path), query, title)
    if not table.num_rows:
        raise DataError(f"{title}: the query gives no rows: {query}")
    return table, title, () if path is None else (path,), ()


def _sqlite(path: str, query: str, title: str) -> pa.Table:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise _failed(title, error, query) from None
    return pa.Table.from_arrays([typed(v) for v in zip(*rows, strict=True)] if rows else [], names if rows else [])


def _duckdb(path: str, query: str, title: str) -> pa.Table:
    try:
        import duckdb
    except ImportError:
        raise _extra("DuckDB") from None
    try:
        with duckdb.connect(path, read_only=True) as connection:
            relation = connection.sql(query)
            return pa.table({}) if relation is None else relation.to_arrow_table()
    except duckdb.Error as error:
        raise _failed(title, error, query) from None


def _postgres(address: str, query: str, title: str) -> pa.Table:
    try:
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise _extra("PostgreSQL") from None
    try:
        with closing(dbapi.connect(address)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(query)
            return plain(cursor.fetch_arrow_table())
    except Error as error:
        raise _failed(title, error, query) from None


def plain(table: pa.Table) -> pa.Table:
    """Types of the database's own, such as NUMERIC, as the text they are sent as."""
    columns = [
        pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
        if isinstance(column.type, pa.BaseExtensionType)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _failed(title: str, error: Exception, query: str) -> DataError:
    words = re.sub(r"^[A-Z_]+: (.*?: ERROR: )?| LINE 1: .*| Query was: .*", "", " ".join(str(error).split()))
    return DataError(f"{title}: {words[:200]}; the query was: {' '.join(query.split())}")


def _extra(name: str) -> DataError:
    return DataError(f"{name} needs an extra; install it with: pip install 'edge-lasso[sql]'")


READERS: dict[str, Callable[[str, str, str], Any]] = {
    "sqlite:///": _sqlite, "duckdb:///": _duckdb, "postgresql://": _postgres, "postgres://": _postgres,
}  # fmt: skip
SERVERS = ("postgresql://", "postgres://")
EXAMPLES = dict.fromkeys(READERS, "readings.db?SELECT * FROM readings") | dict.fromkeys(
    SERVERS, "USER@HOST/DATABASE?SELECT * FROM readings"
)
