"""CSV files as Arrow record batches; `edge_lasso_runtime.dialect` finds out how they are written, as on a board."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv

from edge_lasso.errors import DataError
from edge_lasso.tables.cells import FALSE_WORDS, GAPS, TEXT_GAPS, TRUE_WORDS
from edge_lasso.tables.head import Head
from edge_lasso_runtime.cells import FALSE, MISSING, TRUE
from edge_lasso_runtime.dialect import START, DialectError, find_dialect, find_encoding

Ragged = Callable[[Callable[[], str]], None]
BLOCK = 2**22
LARGEST_HEAD = 2**26


def csv_head(path: Path, encoding: str | None, missing: Sequence[str]) -> Head:
    """Column names and how to read the file.

    Raises
    ------
    DataError
        Empty, no text, without rows.
    """
    start = _start(path)
    try:
        encoding = encoding or find_encoding(start[:START])
        # what is written otherwise below the header matters only in a column that is read
        lines = list(io.StringIO(start.decode(encoding, errors="replace").removeprefix("\ufeff"), newline=""))
        dialect, rows = find_dialect(lines)
    except DialectError as error:
        raise DataError(f"{path.name} {error}") from None
    except LookupError:
        raise DataError(f"--encoding: '{encoding}' is not known; examples are utf-8, utf-16 and cp1252") from None
    booleans = set()
    for j, name in enumerate(dialect.names):
        values = {row[j].strip().lower() for row in rows if j < len(row)} - MISSING
        if values and values <= TRUE | FALSE:
            booleans.add(name)
    return Head(
        path, "csv", tuple(dialect.names), dialect.row_numbers, tuple(dialect.units), dialect.lines,
        dialect.delimiter, dialect.decimal, encoding, frozenset(booleans), tuple(missing),
    )  # fmt: skip


def _start(path: Path) -> bytes:
    """The first lines of a text file: at least the header and a row, where there is one."""
    start = b""
    with _opened(path) as file:
        while chunk := file.read(START):
            start += chunk
            if len(start.split(b"\n", 9)) > 9 or len(start) > LARGEST_HEAD:
                break
    return start


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb")  # type: ignore[return-value]


def read_csv(head: Head, columns: list[str], text: set[str], ragged: Ragged) -> Iterator[pa.RecordBatch]:
    """Columns of a CSV file: numbers, or text from the first batch on in which some cell is no plain number.

    Parameters
    ----------
    head : Head
    columns : list of str
    text : set of str
        Those that are read as they are.
    ragged : callable
        Told of each row with more or fewer cells than the header, by a function that says where it is.

    Raises
    ------
    DataError, pyarrow.ArrowInvalid
    """
    done = told = 0

    def first(where: Callable[[], str]) -> None:
        nonlocal told
        told += 1
        ragged(where)

    def again(where: Callable[[], str]) -> None:
        nonlocal told
        told -= 1
        if told < 0:
            ragged(where)

    try:
        for batch in _batches(head, columns, text, first):
            yield batch
            done += batch.num_rows
        return
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error) or "\ufffd" in str(error) or text.issuperset(columns):
            raise
    for batch in _batches(head, columns, set(columns), again):
        if done >= batch.num_rows:
            done -= batch.num_rows
        else:
            yield batch.slice(done)
            done = 0


def _batches(head: Head, columns: list[str], text: set[str], ragged: Ragged) -> Iterator[pa.RecordBatch]:
    kinds = {name: pa.bool_() if name in head.booleans else pa.float64() for name in columns}
    types = {name: pa.string() if name in text else kind for name, kind in kinds.items()}
    narrow = TEXT_GAPS if text else GAPS
    compression = "gzip" if head.path.name.lower().endswith(".gz") else None

    def width(row: Any) -> str:
        ragged(
            lambda: (
                f"line {line_of(head, row.number)} of {head.path.name} has {row.actual_columns} cells and the header "
                f"{row.expected_columns}"
            )
        )
        return "skip"

    with pa.input_stream(str(head.path), compression=compression) as stream:
        if head.encoding not in ("utf-8", "utf-8-sig"):
            stream = pa.transcoding_input_stream(stream, head.encoding, "utf-8")
        yield from pa.csv.open_csv(
            stream,
            read_options=pa.csv.ReadOptions(
                column_names=list(head.names), skip_rows=head.lines, block_size=BLOCK, use_threads=False
            ),
            parse_options=pa.csv.ParseOptions(delimiter=head.delimiter, invalid_row_handler=width),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                include_columns=columns,
                null_values=[*narrow, *head.missing],
                true_values=[*TRUE_WORDS, "1"],
                false_values=[*FALSE_WORDS, "0"],
                strings_can_be_null=True,
                decimal_point=head.decimal,
            ),
        )


def line_of(head: Head, row: int, proper: bool = False) -> int:
    """The line on which a row begins: Arrow counts rows, not blank lines nor line breaks in quotes.

    Parameters
    ----------
    head : Head
    row : int
        As Arrow counts, the lines above the first row included; or, if `proper`, from 0 among the rows that are as
        wide as the header.
    """
    wanted = row + 1 if proper else row - head.lines
    try:
        with _opened(head.path) as file:
            lines = io.TextIOWrapper(file, encoding=head.encoding, errors="replace", newline="")
            for _ in range(head.lines):
                lines.readline()
            reader = csv.reader(lines, delimiter=head.delimiter)
            before = 0
            for cells in reader:
                wanted -= len(cells) == len(head.names) if proper else bool(cells)
                if not wanted:
                    return head.lines + before + 1
                before = reader.line_num
    except (csv.Error, EOFError, OSError, zlib.error):
        pass  # damaged further up: the row is the best there is
    return row


def bad_text(head: Head, message: str) -> DataError | None:
    """Arrow's message about a cell that is not text of the encoding, in our words."""
    if "invalid UTF8" not in message and "\ufffd" not in message:
        return None
    place = re.search(r"Row #(\d+)", message)
    where = f" (line {line_of(head, int(place.group(1)))})" if place else ""
    return DataError(f"{head.path.name} is not UTF-8 text{where}; name what it is: --encoding cp1252")
