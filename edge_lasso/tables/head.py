"""What is known of a file before its rows are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Head:
    """A file's columns, and how it is written.

    Parameters
    ----------
    path : Path
    kind : {"csv", "parquet", "arrow"}
    names : tuple of str
    row_numbers : str
        The column of row numbers that a program wrote along, if there is one.
    units : tuple of str
        As many as `names`, or none; empty where the header says nothing.
    lines : int
        Of a CSV file: before the first row.
    delimiter, decimal, encoding : str
        Of a CSV file.
    booleans : set of str
        Columns of a CSV file that hold true and false, on and off, ...
    missing : tuple of str
        What else stands for a missing reading.
    """

    path: Path
    kind: str
    names: tuple[str, ...]
    row_numbers: str = ""
    units: tuple[str, ...] = ()
    lines: int = 1
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8-sig"
    booleans: frozenset[str] = field(default_factory=frozenset)
    missing: tuple[str, ...] = ()
