"""Tables that are read whole: JSON (lines, an array, a Prometheus answer) and spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from edge_lasso.errors import DataError
from edge_lasso_runtime.cells import split_units

Whole = tuple[pa.Table, str, tuple[Path, ...], Sequence[str]]


def typed(values: Sequence[Any]) -> pa.Array:
    """Values of a column as numbers, times, or text where they are neither."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool | int | float) for value in known):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if all(isinstance(value, date) for value in known):  # datetimes are dates, too
        kind = pa.timestamp("us") if all(isinstance(value, datetime) for value in known) else pa.date32()
        if kind != pa.date32() or not any(isinstance(value, datetime) for value in known):
            return pa.array(values, kind)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def read_whole(path: Path, kind: str) -> Whole:
    """A file of JSON or a spreadsheet: the table, its title, its files, and the units of its columns.

    Raises
    ------
    DataError
        Damaged, empty, or an extra is missing.
    """
    if kind == "excel":
        return _spreadsheet(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is not UTF-8 text; JSON has to be") from None
    try:
        return _columns(_objects(path, text), path.name), path.name, (path,), ()
    except RecursionError:
        raise DataError(f"{path.name} is nested too deeply; a row is an object of numbers and texts") from None


def _objects(path: Path, text: str) -> list[dict[str, Any]]:
    """Rows of JSON lines, of an array, or of a Prometheus answer."""
    if path.suffix.lower() == ".json":
        try:
            data = json.loads(text)
        except ValueError:
            data = None  # lines, under the wrong name
        if isinstance(data, dict) and isinstance(data.get("data"), dict) and "result" in data["data"]:
            try:
                return prometheus_rows(data["data"]["result"])
            except (AttributeError, LookupError, TypeError, ValueError):
                raise DataError(f"{path.name} is not what Prometheus answers to a range query") from None
        if isinstance(data, list):
            return _checked(data, path)
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError:
                raise DataError(f"line {number} of {path.name} is not a JSON object: {line.strip()[:40]!r}") from None
    return _checked(rows, path)


def _checked(rows: list[Any], path: Path) -> list[dict[str, Any]]:
    other = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if other is not None:
        raise DataError(f"row {other + 1} of {path.name} is not a JSON object; every row is one")
    return rows


def prometheus_rows(result: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The series of a range query as rows: one a time, a column a series, called after its metric and labels."""
    rows: dict[float, dict[str, Any]] = {}
    for series in result:
        labels = dict(series.get("metric", {}))
        name = labels.pop("__name__", "")
        name += ",".join(f"{label}={labels[label]}" for label in sorted(labels)).join("{}") if labels else ""
        for moment, value in series.get("values", [series["value"]] if "value" in series else []):
            rows.setdefault(float(moment), {"time": float(moment)})[name or "value"] = value
    return [rows[moment] for moment in sorted(rows)]


def _columns(rows: Sequence[dict[str, Any]], title: str) -> pa.Table:
    if not rows:
        raise DataError(f"{title} has no rows; there is nothing to read")
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        return pa.table({name: typed([_scalar(row.get(name)) for row in rows]) for name in names})
    except UnicodeEncodeError as error:
        raise DataError(f"{title} has half of a surrogate pair in {error.object[:40]!r}, which is no text") from None
    except OverflowError:
        raise DataError(f"{title} has a number beyond 1.8e308; leave it out, or write null") from None


def _scalar(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def _spreadsheet(path: Path) -> Whole:
    try:
        import python_calamine
    except ImportError:
        raise DataError("spreadsheets need an extra; install it with: pip install 'edge-lasso[excel]'") from None
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        sheet = book.get_sheet_by_index(0).to_python()
    except Exception as error:  # its own exceptions, of a file that is none
        raise DataError(f"{path.name} cannot be read as a spreadsheet: {str(error).splitlines()[0]}") from None
    rows = [[None if cell == "" else cell for cell in row] for row in sheet]
    rows = [row for row in rows if any(cell is not None for cell in row)]
    while len(rows) > 2 and _filled(rows[0]) == 1 < _filled(rows[1]):  # a title, as above the header of a text file
        del rows[0]
    if len(rows) < 2:
        raise DataError(f"{path.name} has no rows below a header in its first sheet; there is nothing to read")
    header = [str(name).strip() if name is not None else f"column {i + 1}" for i, name in enumerate(rows[0])]
    names, units = split_units(header)
    table = pa.Table.from_arrays([typed(values) for values in zip(*rows[1:], strict=True)], names=names)
    used = [i for i, name in enumerate(rows[0]) if name is not None or any(row[i] is not None for row in rows[1:])]
    title = path.name if len(book.sheet_names) == 1 else f"{path.name}, sheet '{book.sheet_names[0]}'"
    return table.select(used), title, (path,), [units[i] for i in used]


def _filled(row: Sequence[Any]) -> int:
    return sum(cell is not None for cell in row)
