"""Files of rows as Arrow record batches: CSV (also gzip), Parquet and Arrow IPC, read forward and only as needed."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from edge_lasso.errors import DataError

KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
ALLOWED = ".csv, .csv.gz, .tsv, .txt, .parquet, .arrow and .feather"
GAPS = ["", " ", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "null", "NULL", "None", "NaT", "?"]
GAPS += [f" {gap}" for gap in GAPS]  # as after a comma and a space
ROW_NUMBERS = "row"
BLOCK = 2**22
BATCH = 16384
BUFFER = 2**17
SAMPLE = 200
LARGEST_HEAD = 2**26
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)


class NotANumber(DataError):
    """A cell of a column of numbers that holds something else.

    Parameters
    ----------
    column, value, where : str
        `where` is the place and the file, ready to stand in a sentence.
    """

    def __init__(self, column: str, value: str, where: str) -> None:
        self.column = column
        self.value = value
        self.where = where
        super().__init__(self.saying("declare it with --categorical or leave it out with --drop"))

    def __reduce__(self) -> tuple[Any, ...]:
        return NotANumber, (self.column, self.value, self.where)

    def saying(self, advice: str) -> str:
        """The message with another advice."""
        return f"column '{self.column}' holds '{self.value}'{self.where}, which is not a number; {advice}"


@dataclass(frozen=True)
class Head:
    """What is known of a file before its rows are read.

    Parameters
    ----------
    path : Path
    kind : {"csv", "parquet", "arrow"}
    names : tuple of str
    row_numbers : str
        The column of row numbers that a program wrote along, if there is one.
    lines : int
        Of a CSV file: before the first row.
    delimiter, decimal : str
    booleans : set of str
        Columns of a CSV file that hold true and false.
    """

    path: Path
    kind: str
    names: tuple[str, ...]
    row_numbers: str = ""
    lines: int = 1
    delimiter: str = ","
    decimal: str = "."
    booleans: frozenset[str] = field(default_factory=frozenset)


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
        if not _kind(path):
            raise DataError(f"{path.name} is no table; allowed are {ALLOWED}")
        return [path], _kind(path)
    files = [one for one in sorted(path.iterdir()) if one.is_file() and one.name[0] not in "._" and _kind(one)]
    if not files:
        raise DataError(f"folder {path.name} holds no table; allowed are {ALLOWED}")
    other = next((one for one in files if _kind(one) != _kind(files[0])), None)
    if other is not None:
        raise DataError(
            f"folder {path.name} holds files of different kinds ({files[0].name}, {other.name}); keep one kind in it"
        )
    return files, _kind(files[0])


def _kind(path: Path) -> str:
    name = path.name.lower()
    kind = KINDS.get(Path(name.removesuffix(".gz")).suffix, "")
    return kind if kind == "csv" or not name.endswith(".gz") else ""


def read_head(path: Path, kind: str) -> Head:
    """Column names and how to read the file.

    Raises
    ------
    DataError
        Empty, damaged, not UTF-8, without rows.
    """
    try:
        if kind == "csv":
            return _csv_head(path)
        if kind == "parquet":
            names = tuple(pa.parquet.read_schema(path).names)
        else:
            with pa.OSFile(str(path)) as source:
                names = tuple(_arrow_reader(source).schema.names)
        index = next((name for name in names if name.startswith("__index_level_")), "")
        return Head(path, kind, names, index)
    except (pa.ArrowInvalid, csv.Error, EOFError, OSError) as error:
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
    head: Head, columns: Sequence[str], text: set[str], groups: Sequence[int] | None = None, rows: int = BATCH
) -> Iterator[pa.RecordBatch]:
    """Columns of a file, batch by batch.

    Parameters
    ----------
    head : Head
    columns : sequence of str
    text : set of str
        Those that are read as they are; a CSV file's others are read as numbers.
    groups : sequence of int, optional
        Row groups of a Parquet file; default: all.
    rows : int
        The most rows of a batch of a Parquet file.

    Raises
    ------
    DataError
        A cell that is no number, a damaged file.
    """
    columns = list(columns)
    try:
        if head.kind == "parquet":
            with pa.parquet.ParquetFile(head.path, pre_buffer=False, buffer_size=BUFFER) as file:
                yield from file.iter_batches(rows, row_groups=groups, columns=columns, use_threads=True)
        elif head.kind == "arrow":
            with pa.OSFile(str(head.path)) as source:
                for batch in _arrow_batches(source):
                    yield batch.select(columns)
        else:
            yield from _read_csv(head, columns, text)
    except pa.ArrowInvalid as error:
        raise _bad_cell(head, str(error)) or _damaged(head.path, head.kind, error) from None
    except (OSError, EOFError) as error:
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


def _csv_head(path: Path) -> Head:
    lines = list(io.StringIO(_start(path), newline=""))
    blank = next((i for i, line in enumerate(lines) if line.strip()), None)
    if blank is None:
        raise DataError(f"{path.name} is empty; a table has a header and rows")
    delimiter = max(",;\t", key=lambda one: _cells(lines[blank], one))
    reader = csv.reader(lines[blank:], delimiter=delimiter)
    names = [name.strip() for name in next(reader)]
    header_lines = blank + reader.line_num
    if any(sign == "\ufffd" or (sign < " " and sign not in "\t\r\n") for name in names for sign in name):
        raise _not_utf8(path, header_lines)
    rows = [row for row, _ in zip(reader, range(SAMPLE), strict=False) if any(cell.strip() for cell in row)]
    if not rows:
        raise DataError(f"{path.name} has a header and no rows; there is nothing to read")
    row_numbers = ROW_NUMBERS if len(rows[0]) == len(names) + 1 or not names[0] else ""
    if len(rows[0]) == len(names) + 1:
        names.insert(0, "")
    names = [name or (row_numbers if not i and row_numbers else f"column {i + 1}") for i, name in enumerate(names)]
    booleans = set()
    for j, name in enumerate(names):
        values = {row[j].strip().lower() for row in rows if j < len(row)} - {gap.lower() for gap in GAPS}
        if values and values <= {"true", "false"}:
            booleans.add(name)
    cells = [cell.strip() for row in rows for cell in row] if delimiter != "," else []
    decimal = "," if any(map(DECIMAL_COMMA.fullmatch, cells)) else "."
    return Head(path, "csv", tuple(names), row_numbers, header_lines, delimiter, decimal, frozenset(booleans))


def _cells(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:  # longer than a cell may be
        return 0


def _start(path: Path) -> str:
    """The first lines of a text file: at least the header and a row, where there is one."""
    start = b""
    with _opened(path) as file:
        while chunk := file.read(2**20):
            start += chunk
            if len(start.split(b"\n", 3)) > 3 or len(start) > LARGEST_HEAD:
                break
    # what is not UTF-8 below the header matters only in a column that is read
    return start.decode("utf-8-sig", errors="replace")


def _not_utf8(path: Path, line: int | str) -> DataError:
    where = f" (line {line})" if line else ""
    return DataError(f"{path.name} is not UTF-8 text{where}; convert it, for example with iconv")


def _read_csv(head: Head, columns: list[str], text: set[str]) -> Iterator[pa.RecordBatch]:
    numbers = {name: pa.bool_() if name in head.booleans else pa.float64() for name in columns}
    types = {name: pa.string() if name in text else kind for name, kind in numbers.items()}
    compression = "gzip" if head.path.name.lower().endswith(".gz") else None
    with pa.input_stream(str(head.path), compression=compression) as stream:
        yield from pa.csv.open_csv(
            stream,
            read_options=pa.csv.ReadOptions(
                column_names=list(head.names), skip_rows=head.lines, block_size=BLOCK, use_threads=False
            ),
            parse_options=pa.csv.ParseOptions(delimiter=head.delimiter),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                include_columns=columns,
                null_values=GAPS,
                strings_can_be_null=True,
                decimal_point=head.decimal,
            ),
        )


def _line_of_row(head: Head, row: int) -> int:
    """The line on which a row begins: Arrow counts rows, not blank lines nor line breaks in quotes."""
    wanted = row - head.lines
    try:
        with _opened(head.path) as file:
            lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
            for _ in range(head.lines):
                lines.readline()
            reader = csv.reader(lines, delimiter=head.delimiter)
            before = 0
            for cells in reader:
                wanted -= bool(cells)
                if not wanted:
                    return head.lines + before + 1
                before = reader.line_num
    except (csv.Error, EOFError, OSError):
        pass  # damaged further up: the row is the best there is
    return row


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb")  # type: ignore[return-value]


def _bad_cell(head: Head, message: str) -> DataError | None:
    """Arrow's message about a cell or a row, in our words."""
    found = re.search(r"Row #(\d+)", message)
    line = _line_of_row(head, int(found.group(1))) if found else ""
    if "invalid UTF8" in message or ("conversion error" in message and "\ufffd" in message):
        return _not_utf8(head.path, line)
    cell = re.search(r"CSV column #(\d+): .*?conversion error to .*?: invalid value '(.*)'", message, re.DOTALL)
    if cell:
        where = f" (line {line} of {head.path.name})" if line else f" in {head.path.name}"
        return NotANumber(head.names[int(cell.group(1))], " ".join(cell.group(2).split())[:40], where)
    row = re.search(r"Expected (\d+) columns, got (\d+)", message)
    if row:
        where = f"line {line} of {head.path.name}" if line else head.path.name
        return DataError(f"{where} has {row.group(2)} cells and the header {row.group(1)}; they must be as many")
    return None
