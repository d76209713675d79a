"""Readings from a stream that goes on for months: what cannot be used is reported and left out, and the stream goes on.

CSV with a header or JSON lines, a record a line. Text where a number belongs, an empty cell, a field that is not there:
a missing reading, which the result names. A field that the model does not know is ignored, and reported once. A line
that cannot be read is reported and left out. Only input with none of the model's fields is refused. (`rows.read_rows`
is the strict reader, for files.)
"""

from __future__ import annotations

from .cells import decimal_mark, split_units
from .dialect import DELIMITERS, is_header, is_noise, named, split_line
from .rows import Cells, RowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any

    from .model import Model

    Found = tuple[Sequence[Any], Any]
    Form = tuple[bytes, bytes, list[int]]

SHOWN = 60
"""Of names and lines that are strange, so many characters are shown."""
PLAIN = "0123456789.,-+eE\r"
"""A line of nothing else holds numbers as Python writes them."""
REPORTS = 10
"""So many lines are reported each; those after them are counted."""


class Readings:
    """Reads lines.

    Parameters
    ----------
    model : Model
    time : str or None
        A field to hand on beside the readings.
    report : callable
        Takes one line of text about what is wrong.
    missing : sequence of str
        What stands for a missing reading in CSV, beside the usual marks.
    more : sequence of str
        Further fields to hand on, which may be absent.
    texts : collection of str
        Those of them that are no numbers.

    Attributes
    ----------
    more : list
        What the line read last has in the further fields.
    lines : int
        Read so far.
    unreadable : int
        Those among them that were left out.
    """

    def __init__(
        self,
        model: Model,
        time: str | None,
        report: Callable[[str], None],
        missing: Sequence[str] = (),
        more: Sequence[str] = (),
        texts: Collection[str] = (),
    ) -> None:
        from .stream import readings

        inputs = [model.inputs[i] for i in readings(model)]
        self._names = [feature.name for feature in inputs]
        self._fields = [*self._names, *(() if time is None else (time,)), *more]
        self._time = time is not None
        self._optional = set(more).difference(self._names)
        self._texts = texts
        self._more = len(more)
        self.more: list[Any] = [None] * len(more)
        self._codes = [
            (k, {name: i for i, name in enumerate(feature.categories)})
            for k, feature in enumerate(inputs)
            if feature.categories is not None
        ]
        self._report = report
        self._read: Callable[[str], Found | None] | None = None
        self._reported: set[str] = set()
        self._usual = len(self._fields)
        self._ahead: list[dict[str, Any]] = []
        self._keys: list[str] = []
        self._form: Form | None = None
        self._delimiter, self._rows, self._above = ",", False, ""
        self._cells = Cells(".", missing, report)
        self._plain = self._usually = not missing
        self.lines = 0
        self.unreadable = 0

    @property
    def begun(self) -> bool:
        """Whether a header or an object has been read."""
        return self._read is not None

    @property
    def takes_objects(self) -> bool:
        """Whether every line is understood by itself: JSON lines, or nothing yet."""
        return self._read is None or self._read == self._json

    def form(self) -> Form | None:
        """How a line of plain numbers looks, with all that is read and nothing to hand on (see `Compiled.scan`)."""
        if self._read is None or self._fields != self._names:
            return None
        if self._read == self._json:
            keys = [*self._row]
            if keys != self._keys:
                self._keys, self._form = keys, None
                places = [self._names.index(key) if key in self._names else -1 for key in keys]
                if set(self._names) <= set(keys) and all(map(_is_plain, keys)):
                    self._form = "".join(f'"{key}"\0' for key in keys).encode(), b"", places
            return self._form
        plain = self._rows and self._usually and self._cells.decimal == "."
        if not plain or not self._header.strip(PLAIN):  # a header of numbers may come again
            return None
        places = [-1] * self._width
        for i, at in enumerate(self._places):
            if at >= self._width or places[at] >= 0:
                return None
            places[at] = i
        return b"", self._delimiter.encode(), places

    def look_ahead(self, lines: Sequence[bytes]) -> None:
        """Parse the lines that `read` will be given next together, if they are whole JSON objects without lists.

        That costs a fifth less than one after another, because fields' names are made once for all of them.
        """
        if self._read != self._json or not all([line[:1] == b"{" and line[-1:] == b"}" for line in lines]):
            return
        joined = b",".join(lines)
        try:
            rows = [] if b"[" in joined else self._parse(f"[{joined.decode('utf-8')}]")
        except (ValueError, RecursionError):
            return
        if len(rows) == len(lines):
            self._ahead = rows[::-1]

    def read(self, line: bytes) -> Found | None:
        """One line: readings in the order that `step` takes them, and the time; None when there are none in it.

        Raises
        ------
        RowError
            The input has none of the model's fields.
        """
        self.lines += 1
        if self._ahead:
            return self._json_row(self._ahead.pop())
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            self.leave_out(f"line {self.lines} is not UTF-8 text")
            return None
        if not text or text.isspace():
            return None
        if self._read is None:
            return self._first(text.lstrip("\ufeff"))
        return self._read(text)

    def leave_out(self, why: str) -> None:
        """Count, and report, a line that cannot be used."""
        self.unreadable += 1
        if self.unreadable <= REPORTS:
            self._report(f"{why}; left out")
        if self.unreadable == REPORTS:
            self._report("further lines like these are only counted")

    def _first(self, text: str) -> Found | None:
        if is_noise(text.strip()):
            self.leave_out(f"line {self.lines} is neither a JSON object nor a header: {text.strip()[:SHOWN]!r}")
            return None
        if text.lstrip().startswith("{"):
            from .checks import parser

            self._parse = parser(None, float)
            row = self._object(text)
            if row is None:
                return None
            if not row:
                return None
            self._fit(list(row))
            self._read = self._json
            return self._json_row(row)
        if text.lower().startswith(("sep=", "#")):
            self._above = text
            return None
        delimiter = max(DELIMITERS, key=lambda sign: len(split_line(text, sign)))
        if self._above[:1] == "#" and not is_header(split_line(text, delimiter)):  # that was the header
            self._head(self._above, delimiter)
            return self._csv(text)
        self._head(text, delimiter)
        return None

    def _head(self, text: str, delimiter: str) -> None:
        self._delimiter, self._plain = delimiter, self._usually and delimiter == ","
        names = [name.strip() for name in split_line(text.lstrip("# "), delimiter)]
        header = split_units(named(names))[0]
        self._fit(header)
        twice = [name for name in self._fields if header.count(name) > 1]
        if twice:
            self._report(f"the header has {', '.join(map(repr, twice[:5]))} more than once; the first is read")
        self._header = text
        places = [header.index(name) if name in header else len(header) for name in self._fields]
        self._places, self._width, self._open = places, len(header), not names[-1]
        self._read = self._csv

    def _csv(self, text: str) -> Found | None:
        if text == self._header:  # of a file that was appended
            return None
        cells: Any = split_line(text, self._delimiter)
        if len(cells) != self._width:
            over = len(cells) - self._width
            if self._rows or over not in (1, -self._open):
                self.leave_out(f"line {self.lines} has {some(len(cells), 'field')}; the header has {self._width}")
                return None
            self._width += over
            if over < 0:  # the header alone ends in a delimiter
                self._places = [min(i, self._width) for i in self._places]
            elif cells[-1].strip():  # a program wrote row numbers along, without a name
                self._places = [i + 1 for i in self._places]
        self._rows = True
        cells.append(None)  # what a field that is not there reads
        values, time = self._found([cells[i] for i in self._places])
        if not self._plain or text.strip(PLAIN):  # else they are what `step` reads as it is
            values = self._meanings(text, values)
        if self._more:
            self.more = list(map(self._further, self._fields[-self._more :], self.more))
        return values, _number(time) if self._time else None

    def _meanings(self, text: str, values: Sequence[Any]) -> list[Any]:
        """Cells as numbers by the rule of tables: words, marks of missing readings, decimal commas."""
        if self._delimiter != "," and self._cells.decimal == "." and "," in text:
            self._cells.decimal = decimal_mark(split_line(text, self._delimiter), self._delimiter)
        try:
            if not self._usually or "_" in text or not text.isascii() or self._cells.decimal != ".":
                raise ValueError
            return list(map(float, values))
        except (TypeError, ValueError):
            return [self._value(k, cell) for k, cell in enumerate(values)]

    def _value(self, k: int, cell: Any) -> Any:
        """A cell of a column of numbers; codes of categories and fields that are not there stay what they are."""
        return self._cells.number(self._names[k], cell, self.lines) if isinstance(cell, str) else cell

    def _further(self, name: str, cell: str | None) -> Any:
        return cell if cell is None or name in self._texts else self._cells.number(name, cell, self.lines)

    def _json(self, text: str) -> Found | None:
        row = self._object(text)
        return None if row is None else self._json_row(row)

    def _object(self, text: str) -> dict[str, Any] | None:
        try:
            row = self._parse(text)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            self.leave_out(f"line {self.lines} is not a JSON object: {text.strip()[:SHOWN]!r}")
            return None
        return row

    def _json_row(self, row: dict[str, Any]) -> Found:
        self._row = row
        values = list(map(row.get, self._fields))
        if len(row) != self._usual or None in values[: len(values) - self._more]:
            self._compare(list(row))
            self._usual = len(row)
        return self._found(values)

    def _found(self, values: list[Any]) -> Found:
        if self._more:
            self.more = values[-self._more :]
            del values[-self._more :]
        time = values.pop() if self._time else None
        for k, codes in self._codes:
            value = values[k]
            values[k] = -1 if value is None or value != value else codes.get(str(value), -1)
        return values, time

    def _fit(self, fields: list[str]) -> None:
        """Refuse input with none of the model's fields; report what is missing and what is unknown."""
        if self._names and not set(self._names) & set(fields):
            pairs = [f"{name!r}: {_nearest(name, fields)}" for name in self._names[:3]]
            raise RowError(
                f"the input has none of the {some(len(self._names), 'field')} that the model reads; "
                f"the nearest to {'; to '.join(pairs)}"
            )
        self._compare(fields)

    def _compare(self, fields: list[str]) -> None:
        supplied = set(fields)
        expected = (name for name in self._fields if name not in self._optional)
        lacking = [name for name in expected if name not in supplied and name not in self._reported]
        for name in lacking[:REPORTS]:
            self._report(f"line {self.lines} has no field {name!r}, which counts as missing; the nearest is "
                         f"{_nearest(name, [field for field in fields if field not in self._fields])}")  # fmt: skip
        known = self._reported.union(self._fields)
        unknown = [name for name in fields if name not in known]
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            names = ", ".join([repr(name[:SHOWN]) for name in unknown[:5]])
            self._report(f"ignoring what the model does not read: {names}{more}")
        if len(self._reported) < 10_000:  # a stream of ever new names must not fill the memory
            self._reported.update(lacking, unknown)


def some(count: int, what: str) -> str:
    """A number of things: "1 line", "2 lines"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _is_plain(name: str) -> bool:
    """Whether JSON writes a name as it is."""
    return name.isascii() and name.isprintable() and '"' not in name and "\\" not in name


def _number(text: str | None) -> Any:
    """A cell as the number it shows, or the text."""
    for kind in (int, float):
        try:
            return kind(text)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
    return text


def _nearest(name: str, fields: list[str]) -> str:
    from difflib import get_close_matches

    alike = {field.lower(): field for field in fields}
    near = get_close_matches(name.lower(), alike, 1, 0.0)
    return repr(alike[near[0]][:SHOWN]) if near else "none"
