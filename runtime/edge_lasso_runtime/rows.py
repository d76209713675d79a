"""Readings from a file or standard input: CSV with a header, or JSON lines; one mapping per row."""

from __future__ import annotations

from .predict import predicted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import IO, Any

    from .dialect import Dialect
    from .explain import Explanation
    from .model import Model
    from .predict import Prediction


SAMPLE = 200
"""Of a file, so many lines are looked at before the first row is given."""


class RowError(ValueError):
    """A row or header that cannot be used; the message names the line."""


def open_text(path: str, encoding: str | None = None) -> IO[str]:
    """Open a file of rows (also .gz), or standard input (``-``), as text; its encoding is found out.

    Raises
    ------
    RowError
        It is no text, or of an encoding that nobody knows.
    """
    from .dialect import START, DialectError, find_encoding

    try:
        if path == "-":
            return open(0, encoding=encoding or "utf-8-sig", newline="", closefd=False)
        opened: Any = open
        if path.endswith(".gz"):
            from gzip import open as opened
        if encoding is None:
            with opened(path, "rb") as file:
                encoding = find_encoding(file.read(START))
        text: IO[str] = opened(path, "rt", encoding=encoding, newline="", errors="replace")  # noqa: SIM115
        return text
    except DialectError as error:
        raise RowError(f"{path} {error}") from None
    except LookupError:
        raise RowError(f"--encoding: {encoding!r} is not known; examples are utf-8, utf-16 and cp1252") from None


def open_lines(source: str, encoding: str | None) -> int:
    """A descriptor of a file's lines in UTF-8: of a copy, if it is compressed or written otherwise.

    Raises
    ------
    RowError
        It is not of that encoding.
    """
    import os

    if os.path.isfile(source):
        try:
            with open_text(source, encoding) as text:
                if source.endswith(".gz") or not getattr(text, "encoding", "").lower().startswith("utf-8"):
                    from tempfile import TemporaryFile

                    with TemporaryFile() as copy:
                        while part := text.read(1 << 20):
                            copy.write(part.encode("utf-8"))
                        copy.seek(0)
                        return os.dup(copy.fileno())
        except RowError:
            if encoding is not None:
                raise  # else lines that are no text are reported, one by one
    return os.open(source, os.O_RDONLY)


def read_rows(
    lines: Iterable[str],
    model: Model,
    missing: Sequence[str] = (),
    report: Callable[[str], None] | None = None,
    streaming: bool = False,
    more: Mapping[str, bool] | None = None,
) -> Iterator[dict[str, Any]]:
    """Read rows as mappings from input name to reading; what is empty or not a number counts as missing.

    Parameters
    ----------
    lines : iterable of str
        CSV whose header names at least the model's inputs, or one JSON object per line.
    model : Model
    missing : sequence of str
        What stands for a missing reading, beside the usual marks.
    report : callable, optional
        Takes one line of text about what could not be read.
    streaming : bool
        Look at one row before the first is given, not at many.
    more : mapping, optional
        Columns that a row has as well, where they are there, and whether they hold numbers.

    Raises
    ------
    RowError
        A header that lacks an input, a line that is not JSON.
    """
    source = iter(lines)
    first = next((line for line in source if line.strip()), "")
    if not first:
        raise RowError("no rows: the first line must be a CSV header or a JSON object")
    first = first.lstrip("\ufeff")
    if first.lstrip().startswith("{"):
        return _json_rows(first, source)
    return _csv_rows(first, source, model, missing, report or _silent, 1 if streaming else SAMPLE, more or {})


def _silent(text: str) -> None:
    """Say nothing."""


def _csv_rows(
    first: str,
    source: Iterator[str],
    model: Model,
    missing: Sequence[str],
    report: Callable[[str], None],
    sample: int,
    more: Mapping[str, bool],
) -> Iterator[dict[str, Any]]:
    import csv
    from itertools import chain

    from .dialect import DialectError, NoRows, find_dialect

    start = [first]
    while len(start) < sample + 1 and (line := next(source, "")):
        start.append(line)
    while True:
        try:
            dialect, _ = find_dialect(start)
            break
        except DialectError as error:  # with a stream, of InfluxDB's, more than one line may stand above the rows
            line = next(source, "")
            if not line and isinstance(error, NoRows):
                return
            if not line:
                raise RowError(f"the input {error}") from None
            start.append(line)
        except csv.Error as error:
            raise RowError(f"the first lines are not CSV: {error}") from None
    wanted = _columns(dialect, model)
    further = {name: (dialect.names.index(name), more[name]) for name in more if dialect.names.count(name) == 1}
    wanted = {**further, **wanted}
    reader = csv.reader(chain(start[dialect.lines :], source), delimiter=dialect.delimiter)
    cells = Cells(dialect.decimal, missing, report)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RowError(f"line {dialect.lines + reader.line_num} is not CSV: {error}") from None
        if not row:
            continue
        line_number = dialect.lines + reader.line_num
        if len(row) != len(dialect.names):
            report(f"line {line_number} has {len(row)} cells and the header {len(dialect.names)}; left out")
            continue
        yield {
            name: cells.number(name, row[i], line_number) if numeric else row[i]
            for name, (i, numeric) in wanted.items()
        }


def _columns(dialect: Dialect, model: Model) -> dict[str, tuple[int, bool]]:
    """Where each input stands, and whether it is a number."""
    from .cells import split_unit

    wanted = {}
    for feature in model.inputs:
        short, unit = split_unit(feature.name)
        name = feature.name
        if name not in dialect.names and unit and (short, unit) in zip(dialect.names, dialect.units):
            name = short
        if dialect.names.count(name) != 1:
            problem = "has no" if name not in dialect.names else "has more than one"
            more = "" if feature.stream is None else "; score computes it from earlier rows"
            raise RowError(f"the header {problem} column {feature.name!r}, which the model reads{more}")
        wanted[feature.name] = (dialect.names.index(name), feature.categories is None)
    return wanted


class Cells:
    """Reads cells of columns of numbers; what is none is reported once a column.

    Parameters
    ----------
    decimal : {".", ","}
    missing : sequence of str
    report : callable
    """

    def __init__(self, decimal: str, missing: Sequence[str], report: Callable[[str], None]) -> None:
        self.decimal = decimal
        self._missing = frozenset(missing)
        self._numbers = [value for value in map(_plain_number, missing) if value is not None]
        self._report = report
        self._reported: set[str] = set()

    def number(self, name: str, text: str, line: int) -> float | None:
        """A cell; None for a reading that is missing."""
        from .cells import number

        if text.strip() in self._missing:
            return None
        try:
            value = number(text, self.decimal)
        except ValueError:
            if name not in self._reported:
                self._reported.add(name)
                self._report(
                    f"line {line}: {text.strip()[:40]!r} of {name!r} is no number and counts as missing; "
                    "so do others like it"
                )
            return None
        return None if value in self._numbers else value


def _plain_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _json_rows(first: str, source: Iterator[str]) -> Iterator[dict[str, Any]]:
    from itertools import chain

    from .checks import parse

    for number, line in enumerate(chain([first], source), 1):
        if not line.strip():
            continue
        try:
            row = parse(line, None, float)
        except (ValueError, RecursionError):
            raise RowError(f"line {number} is not a JSON object: {line.strip()[:60]!r}") from None
        if not isinstance(row, dict):
            raise RowError(f"line {number} is not a JSON object: {line.strip()[:60]!r}")
        yield row


class PlainEnds:
    """Where a ``csv.writer`` that ends its lines with CR and LF writes plain ones.

    Such a writer quotes a lone carriage return, too: unquoted, it would end the line for who reads it.
    """

    def __init__(self, out: Any) -> None:
        self.out = out

    def write(self, line: str) -> None:
        """Write a line."""
        self.out.write(line[:-2] + "\n")


def result_header(model: Model, interval: bool = False) -> list[str]:
    """Columns of a result: the label first for a classifier, then one per output, its interval, status and faults."""
    names = [model.outputs[k].name for k in predicted(model)]
    if model.classes is not None:
        names = [f"probability of {name}" for name in model.classes[-len(names) :]]
    if interval:
        names += [f"{name} {end}" for name in names for end in ("low", "high")]
    first = ["verdict"] if "cascade/1" in model.sections else []
    return [*first, *(["label"] if model.classes is not None else []), *names, "status", "faults"]


def result_row(
    shown: Sequence[int], prediction: Prediction, intervals: Sequence[tuple[float, float]] = ()
) -> list[str]:
    """One row of a result, with the outputs that `predicted` gave; numbers read back exactly."""
    values = [prediction.values[k] for k in shown]
    ends = [end for k in shown for end in intervals[k]] if intervals else []
    faults = "; ".join(f"{name}: {fault}" for name, fault in prediction.faults.items())
    label = [] if prediction.label is None else [prediction.label]
    return [*label, *map(repr, values), *map(repr, ends), prediction.status, faults]


def explained_header(model: Model) -> list[str]:
    """Columns of an explanation: per output its value at the training means, and what each input adds."""
    return [
        name
        for output in (model.outputs[k].name for k in predicted(model))
        for name in (f"{output} at means", *(f"{output} from {feature.name}" for feature in model.inputs))
    ]


def explained_row(model: Model, shown: Sequence[int], explained: Sequence[Explanation]) -> list[str]:
    """One row of an explanation, of the outputs that `predicted` gave; numbers read back exactly."""
    cells = []
    for entry in (explained[k] for k in shown):
        parts = dict(entry.contributions)
        cells += [repr(entry.baseline), *(repr(parts.get(each.name, 0.0)) for each in model.inputs)]
    return cells
