"""Sensor tables: CSV, Parquet or Arrow IPC, a file or a folder, or a table in memory, read in batches.

A `Table` knows its columns before it reads a row, reads only the columns asked for, and gives NaN where a reading is
missing: an empty cell, NA, NaN, null, an infinite number. Whatever cannot be used ends in one `DataError`.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from edge_lasso.errors import DataError
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]
KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
GAPS = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?"]
IN_MEMORY = 2**26
"""Files up to this many bytes are read once and kept; larger ones are streamed, once per pass."""
BLOCK = 2**22


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
    notes : list of str
        What a reader of the result should know about the data.
    """

    title: str
    columns: tuple[str, ...]
    files: tuple[Path, ...]
    read: Callable[[list[str], set[str]], Iterator[pa.RecordBatch]]
    notes: list[str] = field(default_factory=list)

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
        numbers : array of float64, shape (rows, len(numeric)), C order
        texts : list of pyarrow.Array

        Raises
        ------
        DataError
            A cell that is no number, a damaged file.
        """
        wanted = list(dict.fromkeys([*numeric, *text]))
        for name in wanted:
            self.check(name)
        row = 0
        for batch in self.read(wanted, set(text)):
            block = np.empty((batch.num_rows, len(numeric)))
            for j, name in enumerate(numeric):
                block[:, j] = _numbers(batch.column(name), name, row)
            yield block, [batch.column(name) for name in text]
            row += batch.num_rows

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
        hint = f", the nearest is '{near[0]}'" if near else ""
        where = f"{option}: " if option else ""
        raise DataError(f"{where}column '{name}' is not in {self.title}; it has {len(self.columns)} columns{hint}")

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
        """SHA-256 of the files; empty for a table in memory."""
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

    Raises
    ------
    DataError
        Not there, empty, of a kind that cannot be read, with two columns of a name, or with files that differ.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        return _open_path(Path(source))
    if isinstance(source, np.ndarray):
        if source.ndim != 2:
            raise DataError(f"an array must have rows and columns; this one has the shape {source.shape}")
        source = pa.table({f"x{j}": source[:, j] for j in range(source.shape[1])})
    elif hasattr(source, "to_arrow"):
        source = source.to_arrow()
    elif type(source).__module__.partition(".")[0] == "pandas":
        source = pa.Table.from_pandas(source, preserve_index=False)
    if not isinstance(source, pa.Table):
        raise DataError(
            f"a table is a path, a pandas, polars or pyarrow table, or an array; got {type(source).__name__}"
        )
    return _memory("the table", source, ())


def _open_path(path: Path) -> Table:
    if not path.exists():
        raise DataError(f"{path} does not exist; give a CSV, Parquet or Arrow file, or a folder of such files")
    files = (
        sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
        if path.is_dir()
        else [path]
    )
    kinds = {one: _kind(one) for one in files}
    if path.is_dir():
        files = [one for one in files if kinds[one]]
    if not files or not kinds[files[0]]:
        raise DataError(
            f"{path.name} is no table; allowed are .csv, .csv.gz, .tsv, .txt, .parquet, .arrow and .feather"
        )
    if len({kinds[one] for one in files}) > 1:
        raise DataError(
            f"folder {path.name} holds files of different kinds ({files[0].name}, ...); keep one kind in it"
        )
    kind = kinds[files[0]]
    notes: list[str] = []
    heads = [_head(one, kind, notes if one is files[0] else []) for one in files]
    names = heads[0].names
    for one, head in zip(files, heads, strict=True):
        if head.names != names:
            raise DataError(f"{one.name} has other columns than {files[0].name}; a folder's files must have the same")
    _check_names(names, path.name)

    def read(columns: list[str], text: set[str]) -> Iterator[pa.RecordBatch]:
        for one, head in zip(files, heads, strict=True):
            yield from _read_file(one, kind, head, columns, text)

    table = Table(path.name, names, tuple(files), read, notes)
    if sum(one.stat().st_size for one in files) <= IN_MEMORY:
        kept: dict[tuple[tuple[str, ...], frozenset[str]], list[pa.RecordBatch]] = {}

        def read_once(columns: list[str], text: set[str]) -> Iterator[pa.RecordBatch]:
            key = (tuple(columns), frozenset(text))
            for (have, as_text), batches in kept.items():
                if set(columns) <= set(have) and all((name in text) == (name in as_text) for name in columns):
                    return iter([batch.select(columns) for batch in batches])
            kept[key] = list(read(columns, text))
            return iter(kept[key])

        table.read = read_once
    return table


@dataclass(frozen=True)
class _Head:
    """What is known of a file before its rows are read."""

    names: tuple[str, ...]
    delimiter: str = ","
    types: dict[str, pa.DataType] = field(default_factory=dict)


def _kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return KINDS.get(Path(name).suffix, "")


def _check_names(names: Sequence[str], title: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"column '{name}' stands twice in {title}; rename one")
        seen.add(name)


def _memory(title: str, table: pa.Table, files: tuple[Path, ...]) -> Table:
    names = tuple(map(str, table.column_names))
    _check_names(names, title)
    table = table.rename_columns(list(names))
    return Table(title, names, files, lambda columns, _: iter(table.select(columns).to_batches(max_chunksize=65536)))


def _head(path: Path, kind: str, notes: list[str]) -> _Head:
    try:
        if kind == "parquet":
            return _Head(tuple(pa.parquet.read_schema(path).names))
        if kind == "arrow":
            with pa.memory_map(str(path)) as file:
                return _Head(tuple(pa.ipc.open_file(file).schema.names))
        return _csv_head(path, notes)
    except (pa.ArrowInvalid, gzip.BadGzipFile, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, gzip.BadGzipFile):
            raise
        raise DataError(f"{path.name} cannot be read as {kind}: {_first_line(error)}; is it complete?") from None


def _open_binary(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb")


def _csv_head(path: Path, notes: list[str]) -> _Head:
    with _open_binary(path) as file:
        start = file.read(2**20)
    if not start.strip():
        raise DataError(f"{path.name} is empty; a table has a header and rows")
    try:
        text = start.decode("utf-8-sig", errors="strict")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:
            raise DataError(
                f"{path.name} is not UTF-8 text (byte {error.start}); convert it, for example with iconv"
            ) from None
        text = start[: error.start].decode("utf-8-sig")
    first = text.splitlines()[0]
    delimiter = max(",;\t", key=first.count)
    lines = csv.reader(io.StringIO(text), delimiter=delimiter)
    names = [name.strip() for name in next(lines)]
    row = next(lines, None)
    if row is None or not any(cell.strip() for cell in row):
        raise DataError(f"{path.name} has a header and no rows; there is nothing to read")
    if len(row) == len(names) + 1:
        names = ["row", *names]
        notes.append(f"{path.name}: the first column has no name; it is called 'row'")
    names = [name or f"column {i + 1}" for i, name in enumerate(names)]
    return _Head(tuple(names), delimiter, _csv_types(text, names, delimiter))


def _csv_types(text: str, names: Sequence[str], delimiter: str) -> dict[str, pa.DataType]:
    """Columns that hold true and false, by the first rows; all others are read as numbers or text, as asked."""
    found: dict[str, pa.DataType] = {}
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))[1:201]
    for j, name in enumerate(names):
        cells = {row[j].strip().lower() for row in rows if j < len(row)} - {gap.lower() for gap in GAPS}
        if cells and cells <= {"true", "false"}:
            found[name] = pa.bool_()
    return found


def _read_file(path: Path, kind: str, head: _Head, columns: list[str], text: set[str]) -> Iterator[pa.RecordBatch]:
    try:
        if kind == "parquet":
            with pa.parquet.ParquetFile(path) as file:
                yield from file.iter_batches(batch_size=16384, columns=columns, use_threads=False)
        elif kind == "arrow":
            with pa.memory_map(str(path)) as source:
                reader = pa.ipc.open_file(source)
                for i in range(reader.num_record_batches):
                    yield reader.get_batch(i).select(columns)
        else:
            yield from _read_csv(path, head, columns, text)
    except pa.ArrowInvalid as error:
        raise DataError(_csv_message(path.name, str(error), head) or _damaged(path, error)) from None
    except (OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(_damaged(path, error)) from None


def _read_csv(path: Path, head: _Head, columns: list[str], text: set[str]) -> Iterator[pa.RecordBatch]:
    types = {name: pa.string() if name in text else head.types.get(name, pa.float64()) for name in columns}
    with pa.input_stream(str(path), compression="gzip" if path.name.lower().endswith(".gz") else None) as stream:
        reader = pa.csv.open_csv(
            stream,
            read_options=pa.csv.ReadOptions(
                column_names=list(head.names), skip_rows=1, block_size=BLOCK, use_threads=False
            ),
            parse_options=pa.csv.ParseOptions(delimiter=head.delimiter),
            convert_options=pa.csv.ConvertOptions(
                column_types=types, include_columns=columns, null_values=GAPS, strings_can_be_null=True
            ),
        )
        yield from reader


def _csv_message(title: str, message: str, head: _Head) -> str:
    """Arrow's message about a cell or a row, in our words."""
    if "conversion error" in message and "invalid value" in message:
        value = message.split("invalid value", 1)[1].strip().strip("'")
        column = message.split("CSV column #", 1)[1].split(":")[0] if "CSV column #" in message else ""
        name = head.names[int(column)] if column.isdigit() and int(column) < len(head.names) else "?"
        row = message.split("Row #", 1)[1].split(":")[0] if "Row #" in message else ""
        where = f" (line {row})" if row else ""
        return _not_a_number(name, value[:40], where)
    if "Expected" in message and "columns, got" in message:
        return f"{title}: {_first_line(message)[:160]}; every row must have as many cells as the header"
    return ""


def _not_a_number(name: str, value: object, where: str) -> str:
    advice = "declare it with --categorical or leave it out with --drop"
    return f"column '{name}' holds '{value}'{where}, which is not a number; {advice}"


def _damaged(path: Path, error: object) -> str:
    return f"{path.name} cannot be read: {_first_line(error)}; is it complete?"


def _first_line(error: object) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _numbers(column: pa.Array, name: str, row: int) -> Array:
    """A column as float64, NaN where a reading is missing or infinite."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        first = next((i for i, value in enumerate(column) if value.is_valid), 0)
        raise DataError(_not_a_number(name, str(column[first])[:40], f" (row {row + first + 1})"))
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    if not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, np.nan)
    return values


def category_codes(column: pa.Array, categories: Sequence[str]) -> Array:
    """The index of each value in `categories`, as a float; NaN for missing and unknown values."""
    text = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    where = {name: float(i) for i, name in enumerate(categories)}
    return np.array([where.get(str(value), np.nan) for value in text.to_pylist()])


def model_batches(source: Any, model: Model) -> Iterator[Array]:
    """Rows of a table in the order of a model's inputs, in batches: categories as indices, NaN where missing."""
    table = open_table(source)
    numeric = [one.name for one in model.inputs if one.categories is None]
    text = [one.name for one in model.inputs if one.categories is not None]
    for numbers, texts in table.batches(numeric, text):
        block = np.empty((len(numbers), len(model.inputs)))
        for i, one in enumerate(model.inputs):
            if one.categories is None:
                block[:, i] = numbers[:, numeric.index(one.name)]
            else:
                block[:, i] = category_codes(texts[text.index(one.name)], one.categories)
        yield block


def model_rows(source: Any, model: Model) -> Array:
    """All rows of a table in the order of a model's inputs; see `model_batches`."""
    return np.concatenate([np.empty((0, len(model.inputs))), *model_batches(source, model)])
