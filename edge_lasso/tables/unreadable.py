"""What could not be read: cells that are no numbers, rows of another width. A few are left out, many stop the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.tables.csv_files import line_of
from edge_lasso.tables.head import Head

MOST = 0.05
"""More than this part of a column's cells, or of a table's rows, stops the run."""
NAMED = 3
"""So many places are named."""


class NotANumber(DataError):
    """Cells of a column of numbers that hold something else.

    Parameters
    ----------
    column, value, where : str
        `where` is the place and the file, ready to stand in a sentence.
    """

    def __init__(self, column: str, value: str, where: str) -> None:
        self.column = column
        self.value = value
        self.where = where
        word = f"; if it stands for a missing reading: --missing '{value}'" if value and "," not in value else ""
        super().__init__(self.saying(f"declare it with --categorical or leave it out with --drop{word}"))

    def __reduce__(self) -> tuple[Any, ...]:
        return NotANumber, (self.column, self.value, self.where)

    def saying(self, advice: str) -> str:
        """The message with another advice."""
        return f"column '{self.column}' holds '{self.value}'{self.where}, which is not a number; {advice}"


@dataclass
class Cells:
    """Cells of a column: how many hold something, how many of them are unreadable, and the first of those."""

    filled: int = 0
    unreadable: int = 0
    rows: list[int] = field(default_factory=list)
    value: str = ""


@dataclass
class Ledger:
    """What one pass over a table could not read.

    Parameters
    ----------
    columns : dict
    rows : int
        Passed on so far.
    files : list of (int, Head)
        Which file begins at which row.
    ragged : list of str
        The first rows of another width than the header's, of `ragged_rows`.
    empty : int
        Rows without a reading in any column of numbers.
    """

    columns: dict[str, Cells] = field(default_factory=dict)
    rows: int = 0
    files: list[tuple[int, Head]] = field(default_factory=list)
    ragged: list[str] = field(default_factory=list)
    ragged_rows: int = 0
    empty: int = 0

    def add(self, column: str, first: int, filled: int, unreadable: list[tuple[int, str]]) -> None:
        """Cells of a batch.

        Parameters
        ----------
        column : str
        first : int
            The batch's first row in the table.
        filled : int
            How many cells hold something.
        unreadable : list of (int, str)
            Row in the batch, and what it holds.

        Raises
        ------
        NotANumber
            Most cells are unreadable: it is no column of numbers.
        """
        cells = self.columns.setdefault(column, Cells())
        cells.filled += filled
        cells.unreadable += len(unreadable)
        cells.rows += [first + row for row, _ in unreadable[: NAMED - len(cells.rows)]]
        cells.value = cells.value or (unreadable[0][1] if unreadable else "")
        if len(unreadable) > filled / 2:
            raise self.not_a_number(column)

    def widths(self, where: Callable[[], str]) -> None:
        """Put down a row of another width than the header's."""
        self.ragged_rows += 1
        if len(self.ragged) < NAMED:
            self.ragged.append(where())

    def place(self, row: int) -> str:
        """Where a row stands, in words."""
        file = next(((first, head) for first, head in reversed(self.files) if first <= row), None)
        if file is None or file[1].kind != "csv":
            return f"row {row + 1}"
        return f"line {line_of(file[1], row - file[0], proper=True)} of {file[1].path.name}"

    def not_a_number(self, column: str) -> NotANumber:
        """The error about a column."""
        cells = self.columns[column]
        return NotANumber(column, " ".join(cells.value.split())[:40], f" ({self.place(cells.rows[0])})")

    def check(self) -> None:
        """At the end of the pass.

        Raises
        ------
        DataError
            More than `MOST` of a column's cells, or of the rows.
        """
        for column, cells in self.columns.items():
            if cells.unreadable > MOST * cells.filled:
                raise self.not_a_number(column)
        if self.ragged_rows > MOST * (self.rows + self.ragged_rows):
            raise DataError(f"{self.ragged[0]}; they must be as many")

    def notes(self) -> dict[str, str]:
        """What was left out, by column; rows under an empty name."""
        told = {}
        for column, cells in self.columns.items():
            if cells.unreadable:
                verb = "s are no numbers and count" if cells.unreadable > 1 else " is no number and counts"
                count = f"{cells.unreadable} cell{verb}"
                places = ", ".join(self.place(row) for row in cells.rows)
                told[column] = f"column '{column}': {count} as missing ({places}; the first holds '{cells.value[:40]}')"
        if self.ragged_rows:
            more = f" and {self.ragged_rows - 1} more" if self.ragged_rows > 1 else ""
            told[""] = f"{self.ragged[0]}: left out{more}"
        return told
