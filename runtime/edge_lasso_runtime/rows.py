"""Readings from a file or standard input: CSV with a header, or JSON lines; one mapping per row."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from .explain import Explanation
    from .model import Model
    from .predict import Prediction


class RowError(ValueError):
    """A row or header that cannot be used; the message names the line."""


def read_rows(lines: Iterable[str], model: Model) -> Iterator[dict[str, Any]]:
    """Read rows as mappings from input name to reading; what is empty or not a number counts as missing.

    Parameters
    ----------
    lines : iterable of str
        CSV whose header names at least the model's inputs, or one JSON object per line.
    model : Model

    Raises
    ------
    RowError
        A header that lacks an input, a line that does not fit the header, a line that is not JSON.
    """
    source = iter(lines)
    first = next((line for line in source if line.strip()), "")
    if not first:
        raise RowError("no rows: the first line must be a CSV header or a JSON object")
    first = first.lstrip("\ufeff")
    if first.lstrip().startswith("{"):
        return _json_rows(first, source)
    return _csv_rows(first, source, model)


def _csv_rows(first: str, source: Iterator[str], model: Model) -> Iterator[dict[str, Any]]:
    import csv
    from itertools import chain

    reader = csv.reader(chain([first], source))
    try:
        header = next(reader)
    except csv.Error as error:
        raise RowError(f"the header is not CSV: {error}") from None
    wanted = {}
    for one in model.inputs:
        if header.count(one.name) != 1:
            problem = "has no" if one.name not in header else "has more than one"
            more = "" if one.stream is None else "; score computes it from earlier rows"
            raise RowError(f"the header {problem} column {one.name!r}, which the model reads{more}")
        wanted[one.name] = (header.index(one.name), one.categories is None)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RowError(f"line {reader.line_num} is not CSV: {error}") from None
        if not row:
            continue
        if len(row) != len(header):
            raise RowError(f"line {reader.line_num} has {len(row)} fields; the header has {len(header)}")
        yield {name: _number(row[i]) if numeric else row[i] for name, (i, numeric) in wanted.items()}


def _json_rows(first: str, source: Iterator[str]) -> Iterator[dict[str, Any]]:
    from itertools import chain

    from .format import parse

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


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


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
    names = [one.name for one in model.outputs]
    if interval:
        names += [f"{name} {end}" for name in names for end in ("low", "high")]
    return [*(["label"] if model.classes is not None else []), *names, "status", "faults"]


def result_row(prediction: Prediction, intervals: Sequence[tuple[float, float]] = ()) -> list[str]:
    """One row of a result; numbers read back exactly."""
    ends = [end for pair in intervals for end in pair]
    faults = "; ".join(f"{name}: {fault}" for name, fault in prediction.faults.items())
    label = [] if prediction.label is None else [prediction.label]
    return [*label, *map(repr, prediction.values), *map(repr, ends), prediction.status, faults]


def explained_header(model: Model) -> list[str]:
    """Columns of an explanation: per output its value at the training means, and what each input adds."""
    return [
        name
        for output in model.outputs
        for name in (f"{output.name} at means", *(f"{output.name} from {one.name}" for one in model.inputs))
    ]


def explained_row(model: Model, explained: Sequence[Explanation]) -> list[str]:
    """One row of an explanation; numbers read back exactly."""
    cells = []
    for one in explained:
        parts = dict(one.contributions)
        cells += [repr(one.baseline), *(repr(parts.get(each.name, 0.0)) for each in model.inputs)]
    return cells
