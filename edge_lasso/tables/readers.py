"""Files of rows as Arrow record batches: CSV (also gzip), Parquet and Arrow IPC, read forward and only as needed."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from edge_lasso.errors import DataError
from edge_lasso.tables.csv_files import bad_text, csv_head, read_csv
from edge_lasso.tables.head import Head
from edge_lasso.tables.unreadable import Ledger

KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
WHOLE = {
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
    ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".ods": "excel",
}  # fmt: skip
"""Kinds that are read whole; see `whole_files`."""
ALLOWED = ".csv, .csv.gz, .tsv, .txt, .parquet, .arrow, .feather, .jsonl, .json and .xlsx"
BATCH = 16384
BUFFER = 2**17


def list_files(path: Path) -> tuple[list[Path], str]:
    """The files of a table and their kind.

    Raises
    ------
    DataError
        There are none, or of several kinds.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist; give a CSV, Parquet or Arrow file, or a folder of such files")
    if not path.is_dir():
        kind = _kind(path) or WHOLE.get(path.suffix.lower(), "")
        if not kind:
            raise DataError(f"{path.name} is no table; allowed are {ALLOWED}")
        return [path], kind
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] not in "._" and _kind(file)]
    if not files:
        raise DataError(f"folder {path.name} holds no table; allowed are {ALLOWED}")
    other = next((file for file in files if _kind(file) != _kind(files[0])), None)
    if other is not None:
        raise DataError(
            f"folder {path.name} holds files of different kinds ({files[0].name}, {other.name}); keep one kind in it"
        )
    return files, _kind(files[0])


def _kind(path: Path) -> str:
    name = path.name.lower()
    kind = KINDS.get(Path(name.removesuffix(".gz")).suffix, "")
    return kind if kind == "csv" or not name.endswith(".gz") else ""


def read_head(path: Path, kind: str, encoding: str | None = None, missing: Sequence[str] = ()) -> Head:
    """Column names and how to read the file.

    Raises
    ------
    DataError
        Empty, damaged, no text, without rows.
    """
    try:
        if kind == "csv":
            return csv_head(path, encoding, missing)
        if kind == "parquet":
            names = tuple(pa.parquet.read_schema(path).names)
        else:
            with pa.OSFile(str(path)) as source:
                names = tuple(_arrow_reader(source).schema.names)
        index = next((name for name in names if name.startswith("__index_level_")), "")
        return Head(path, kind, names, index)
    except (pa.ArrowException, csv.Error, EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise _damaged(path, kind, error) from None


def _damaged(path: Path, kind: str, error: Exception) -> Exception:
    """What a file that cannot be read is told as; an error of the system (no permission) stays what it is."""
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, gzip.BadGzipFile):
        return error
    why = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return DataError(f"{path.name} cannot be read as {kind}: {why}; is the file complete?")


def row_groups(head: Head, rows: int) -> list[tuple[int, ...] | None]:
    """A Parquet file's row groups, in pieces of at least so many rows; None is a whole file of another kind."""
    if head.kind != "parquet":
        return [None]
    about = pa.parquet.read_metadata(head.path)
    pieces: list[tuple[int, ...] | None] = []
    piece: list[int] = []
    count = 0
    for i in range(about.num_row_groups):
        piece.append(i)
        count += about.row_group(i).num_rows
        if count >= rows:
            pieces.append(tuple(piece))
            piece, count = [], 0
    return [*pieces, tuple(piece)] if piece else pieces


def read_rows(
    head: Head,
    columns: Sequence[str],
    text: set[str],
    ledger: Ledger,
    groups: Sequence[int] | None = None,
    rows: int = BATCH,
) -> Iterator[pa.RecordBatch]:
    """Columns of a file, batch by batch.

    Parameters
    ----------
    head : Head
    columns : sequence of str
    text : set of str
        Those that are read as they are; a CSV file's others are read as numbers, or as text where some are written in
        a way of their own.
    ledger : Ledger
        Where rows of another width than the header's are put down.
    groups : sequence of int, optional
        Row groups of a Parquet file; default: all.
    rows : int
        The most rows of a batch of a Parquet file.

    Raises
    ------
    DataError
        A damaged file.
    """
    columns = list(columns)
    try:
        if head.kind == "parquet":
            with pa.parquet.ParquetFile(head.path, pre_buffer=False, buffer_size=BUFFER) as file:
                yield from file.iter_batches(rows, row_groups=groups, columns=columns, use_threads=True)
        elif head.kind == "arrow":
            with pa.OSFile(str(head.path)) as source:
                for batch in _arrow_batches(source):
                    chosen = batch.select(columns)
                    chosen.validate(full=True)  # Arrow believes a file's offsets, and reads wherever they point
                    yield chosen
        else:
            yield from read_csv(head, columns, text, ledger.widths)
    except pa.ArrowInvalid as error:
        raise bad_text(head, str(error)) or _damaged(head.path, head.kind, error) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{head.path.name} is not {error.encoding} text; name what it is with --encoding") from None
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise _damaged(head.path, head.kind, error) from None


def _arrow_reader(source: Any) -> Any:
    try:
        return pa.ipc.open_file(source)
    except pa.ArrowInvalid as error:
        source.seek(0)
        try:
            return pa.ipc.open_stream(source)
        except pa.ArrowInvalid:
            raise error from None


def _arrow_batches(source: Any) -> Iterator[pa.RecordBatch]:
    reader = _arrow_reader(source)
    if hasattr(reader, "num_record_batches"):
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)
    else:
        yield from reader
