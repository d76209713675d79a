"""How a text file of rows is written: its encoding, delimiter, decimal mark and header, from its first lines.

The workbench and the board both read with what is found here; the rule is written in docs/reference/tables.md.
"""

from __future__ import annotations

from .cells import decimal_mark, split_units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

START = 2**20
"""So many bytes at most are looked at."""
SAMPLE = 200
"""So many rows of them."""
DELIMITERS = ",;\t|"
ROW_NUMBERS = "row"
NOTES = ("#group", "#datatype", "#default")
"""Lines above the header that InfluxDB writes."""


class DialectError(ValueError):
    """Text that is no table; the message ends a sentence that begins with the file's name."""


class NoRows(DialectError):
    """A header and nothing below it."""


class Dialect:
    """How a file is written.

    Parameters
    ----------
    names : list of str
        Of its columns, without units.
    units : list of str
        As many; empty where a header names none.
    row_numbers : str
        The column of row numbers that a program wrote along, if there is one.
    lines : int
        Before the first row: the header and what stands above it.
    delimiter, decimal : str
    """

    __slots__ = ("decimal", "delimiter", "lines", "names", "row_numbers", "units")

    def __init__(
        self, names: list[str], units: list[str], row_numbers: str, lines: int, delimiter: str, decimal: str
    ) -> None:
        self.names = names
        self.units = units
        self.row_numbers = row_numbers
        self.lines = lines
        self.delimiter = delimiter
        self.decimal = decimal


def find_encoding(start: bytes) -> str:
    """The encoding of a text, from its first bytes: UTF-16 by its mark, UTF-8 if it is that, else cp1252.

    Raises
    ------
    DialectError
        It is no text.
    """
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in start[:4096]:
        raise DialectError("is no text; give a CSV file, or name its --encoding")
    end = len(start) - (3 if len(start) >= START else 0)  # a sign may be cut in two
    for name in ("utf-8-sig", "cp1252"):
        try:
            start[:end].decode(name)
            return name
        except UnicodeDecodeError as error:
            if error.start >= end - 3 and name == "utf-8-sig" and len(start) >= START:
                return name
    raise DialectError("is neither UTF-8 nor cp1252 text; name its --encoding")


def find_dialect(lines: Sequence[str]) -> tuple[Dialect, list[list[str]]]:
    """How the lines of a CSV file are to be read.

    Parameters
    ----------
    lines : sequence of str
        The first ones, with their ends.

    Returns
    -------
    dialect : Dialect
    rows : list of list of str
        The first rows, to look at.

    Raises
    ------
    DialectError
        No header, or no row below it.
    """
    import csv

    first = 0
    delimiter = ""
    while first < len(lines) and (not lines[first].strip() or lines[first].lower().startswith(("sep=", *NOTES))):
        if lines[first].lower().startswith("sep="):
            delimiter = lines[first].strip("\r\n")[4:5]
        first += 1
    if first == len(lines):
        raise DialectError("is empty; a table has a header and rows")
    delimiter = delimiter or max(DELIMITERS, key=lambda sign: _count(lines[first], sign))
    reader = csv.reader(lines[first:], delimiter=delimiter)
    names = [name.strip() for name in next(reader)]
    if any(sign < " " and sign not in "\t\r\n" for name in names for sign in name):
        raise DialectError(f"is no text (line {first + reader.line_num}); give a CSV file, or name its --encoding")
    header_lines = first + reader.line_num
    rows = [row for row, _ in zip(reader, range(SAMPLE)) if any(cell.strip() for cell in row)]
    if not rows:
        raise NoRows("has a header and no rows; there is nothing to read")
    row_numbers = ROW_NUMBERS if len(rows[0]) == len(names) + 1 or not names[0] else ""
    if len(rows[0]) == len(names) + 1:
        names.insert(0, "")
    names = [name or (row_numbers if not i and row_numbers else f"column {i + 1}") for i, name in enumerate(names)]
    names, units = split_units(names)
    decimal = decimal_mark([cell for row in rows for cell in row], delimiter)
    return Dialect(names, units, row_numbers, header_lines, delimiter, decimal), rows


def _count(line: str, delimiter: str) -> int:
    import csv

    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:  # longer than a cell may be
        return 0
