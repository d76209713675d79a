"""How a text file of rows is written: its encoding, delimiter, decimal mark and header, from its first lines.

The workbench and the board both read with what is found here; the rule is written in docs/reference/tables.md.
"""

from __future__ import annotations

from .cells import decimal_mark, number, split_units

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
    while _above(lines[first:]):
        first += 1
    delimiter = delimiter or max(DELIMITERS, key=lambda sign: len(split_line(lines[first], sign)))
    reader = csv.reader(lines[first:], delimiter=delimiter)
    names = [name.strip() for name in next(reader)]
    names[0] = names[0].lstrip("# ")
    if any(sign < " " and sign not in "\t\r\n" for name in names for sign in name):
        raise DialectError(f"is no text (line {first + reader.line_num}); give a CSV file, or name its --encoding")
    header_lines = first + reader.line_num
    rows = [row for row, _ in zip(reader, range(SAMPLE)) if any(cell.strip() for cell in row)]
    if not rows:
        raise NoRows("has a header and no rows; there is nothing to read")
    row_numbers = "" if names[0] else ROW_NUMBERS
    names, more = as_wide(names, rows[0])
    if more:
        row_numbers = ROW_NUMBERS
    names, units = split_units(named([*[""] * more, *names]))
    decimal = decimal_mark([cell for row in rows for cell in row], delimiter)
    return Dialect(names, units, row_numbers, header_lines, delimiter, decimal), rows


def as_wide(names: list[str], cells: Sequence[str]) -> tuple[list[str], bool]:
    """The names for a first row that ends in a delimiter where the header does not, or the other way round.

    Returns
    -------
    names : list of str
    more : bool
        Whether the row begins with a row number, which the header does not count.
    """
    over = len(cells) - len(names)
    if over == 1 and not cells[-1].strip():
        return [*names, ""], False
    if over == -1 and not names[-1]:
        return names[:-1], False
    return names, over == 1


def named(names: Sequence[str]) -> list[str]:
    """A header with names for the columns that have none."""
    return [name or (f"column {i + 1}" if i else ROW_NUMBERS) for i, name in enumerate(names)]


def is_header(cells: Sequence[str]) -> bool:
    """Whether no cell is a number."""
    for cell in cells:
        try:
            if cell.strip() and number(cell) is not None:
                return False
        except ValueError:
            continue
    return True


def _above(lines: Sequence[str]) -> bool:
    """Whether the first line is a comment (``#``) or a title of one cell: behind it comes one, or a header."""
    comment = lines[0][:1] == "#"
    rest = [line for line in lines[1:] if line.strip() and line[:1] != "#"]
    if not comment:
        if any(sign in lines[0] for sign in (*DELIMITERS, '"')):
            return False
        rest = [line for line in rest if any(sign in line for sign in DELIMITERS)]
    if not rest:
        return False
    if comment and lines[1][:1] == "#":
        return True
    return is_header(max((split_line(rest[0], sign) for sign in DELIMITERS), key=len))


def split_line(text: str, delimiter: str) -> list[str]:
    """The cells of a line; none if it is longer than a cell may be."""
    if '"' not in text:
        return text.rstrip("\r\n").split(delimiter)
    import csv

    try:
        return next(csv.reader([text], delimiter=delimiter))
    except csv.Error:
        return []


def is_noise(text: str) -> bool:
    """Whether a first line is neither an object nor a header: the end of a line that began earlier, other JSON."""
    if text.startswith("[") or text in ("null", "true", "false"):
        return True
    if not text.startswith("{") and text.endswith("}"):
        return True
    return any(entry < " " and entry != "\t" for entry in text)
