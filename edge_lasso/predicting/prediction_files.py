"""Predictions as CSV, Parquet or Arrow IPC, batch by batch; the suffix of the file says which."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from edge_lasso.errors import DataError
from edge_lasso.tables.readers import KINDS
from edge_lasso_runtime.atomic import replacing
from edge_lasso_runtime.rows import PlainEnds

Encode = Callable[[pa.RecordBatch], Any]
Write = Callable[[Any], object]


@contextmanager
def prediction_file(out: Path | str | None, schema: pa.Schema) -> Iterator[tuple[Encode, Write]]:
    """A file of predictions, written whole or not at all.

    Parameters
    ----------
    out : path, optional
        ``.csv``, ``.parquet`` or ``.arrow``; CSV on standard output by default.
    schema : pyarrow.Schema

    Yields
    ------
    encode : callable
        What is written for a batch; batches may be encoded beside one another.
    write : callable
        Takes what `encode` gave, in the order of the table.

    Raises
    ------
    DataError
        The suffix is another, or two columns would have the same name where that cannot be.
    """
    if out is None:
        encode = _csv_encoder(schema)
        _to_standard_output(_csv_header(schema))
        yield encode, _to_standard_output
        return
    kind = kind_of(out)
    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if kind != "csv" and twice is not None:
        raise DataError(
            f"two columns of the predictions are called '{twice}'; write them as .csv, or rename the target"
        )
    with replacing(out) as file:
        if kind == "csv":
            file.write(_csv_header(schema))
            yield _csv_encoder(schema), file.write
            return
        text = [entry.name for entry in schema if pa.types.is_dictionary(entry.type)]
        schema = schema.set(len(schema) - 1, pa.field(schema.names[-1], pa.string(), nullable=False))
        if kind == "arrow":
            with pa.ipc.new_file(file, schema) as arrow:
                yield _columns, arrow.write_batch
        else:
            # numbers that were computed neither repeat nor compress, and nobody looks for their extremes
            with pa.parquet.ParquetWriter(
                file, schema, compression="none", use_dictionary=text, write_statistics=False
            ) as parquet:
                yield _columns, parquet.write_batch


def kind_of(out: Path | str) -> str:
    """The kind of a file of predictions, from its suffix."""
    suffix = Path(out).suffix.lower()
    kind = KINDS.get(suffix, "") if suffix else "csv"
    if not kind or suffix == ".tsv":
        raise DataError(f"{Path(out).name}: predictions are written as .csv, .parquet or .arrow")
    return kind


def _columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its faults as text: each batch has its own, and Arrow files want one dictionary for all."""
    last = batch.num_columns - 1
    field = pa.field(batch.schema.names[last], pa.string(), nullable=False)
    return batch.set_column(last, field, batch.column(last).dictionary_decode())


def _to_standard_output(piece: Any) -> None:
    sys.stdout.write(bytes(piece).decode())


def _csv_header(schema: pa.Schema) -> bytes:
    header = io.StringIO()
    csv.writer(PlainEnds(header)).writerow(schema.names)
    return header.getvalue().encode()


def _csv_encoder(schema: pa.Schema) -> Encode:
    names = [str(i) for i in range(len(schema))]

    def encode(batch: pa.RecordBatch) -> pa.Buffer:
        columns, plain = [], True
        for column in batch.columns:
            if pa.types.is_dictionary(column.type):
                plain = plain and not _needs_quotes(column.dictionary.to_pylist())
                column = column.dictionary_decode()
            elif pa.types.is_string(column.type):
                plain = plain and not pc.any(pc.match_substring_regex(column, '[,"\r\n]')).as_py()
            columns.append(column)
        style = pa.csv.WriteOptions(include_header=False, quoting_style="none" if plain else "needed")
        piece = pa.BufferOutputStream()
        pa.csv.write_csv(pa.record_batch(columns, names), piece, style)
        return piece.getvalue()

    return encode


def _needs_quotes(words: Sequence[str]) -> bool:
    return any(sign in word for word in words for sign in ',"\r\n')
