"""Sessions for the spreadsheet artifact: its formulas in `formulas`, a spreadsheet's calculation in Python."""

from __future__ import annotations

from .artifact import Artifact
from .errors import SessionError
from .sessions import Session, first_line, missing_runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .sessions import Rows

RUNTIME = "formulas"
ROW = 2


def open_session(kind: str, artifact: Artifact) -> Session:
    """See `sessions.load`."""
    import json

    try:
        import formulas
        import numpy
    except ImportError as error:
        raise missing_runtime("formulas", "formulas", error) from None
    try:
        with open(artifact.path(f"{artifact.name}.cells.json"), encoding="utf-8") as file:
            cells = json.load(file)
    except (OSError, ValueError) as error:
        raise SessionError(f"{artifact.path()} cannot be read: {error}") from None
    return FormulaSession(artifact, f"formulas {formulas.__version__}", cells, formulas.Parser(), numpy)


class FormulaSession(Session):
    """Formulas over columns of cells."""

    def __init__(self, artifact: Artifact, runtime: str, cells: dict[str, Any], parser: Any, numpy: Any) -> None:
        super().__init__(artifact, runtime, cells["model_hash"])
        self.cells = cells
        self.parser = parser
        self.numpy = numpy

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return self._turned([self._run(text, self._given(rows)) for text in self.cells["linear"]], len(rows))

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link."""
        if self.cells["values"] == self.cells["linear"]:
            return self.linear(rows)
        supplied = self._linked(rows)
        return self._turned([self._run(text, supplied) for text in self.cells["values"]], len(rows))

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The label's cell."""
        if self.cells["label"] is None:
            return None
        return [str(value) for value in self._run(self.cells["label"], self._linked(rows))]

    def degraded(self, rows: Rows) -> list[bool] | None:
        """The status's cell."""
        return [value != "ok" for value in self._run(self.cells["status"], self._given(rows))]

    def _given(self, rows: Rows) -> dict[str, Any]:
        """Columns of cells by name; an empty text where a reading is missing."""
        self._check(rows)
        entry: dict[str, Any] = {"rows": len(rows)}
        for place, (name, words) in enumerate(zip(self.cells["columns"], self.cells["categories"])):
            cells = [[_cell(row[place], words)] for row in rows]
            entry[f"{name}{ROW}"] = self.numpy.array(cells, dtype=object).reshape(len(rows), 1)
        return entry

    def _linked(self, rows: Rows) -> dict[str, Any]:
        """The same, and the linear predictors behind them."""
        supplied = self._given(rows)
        values = self.numpy.array(self.linear(rows), dtype=object).reshape(len(rows), -1)
        used = (self.cells["label"] or "") + "".join(self.cells["values"])
        width = len(self.cells["columns"])
        for m in range(values.shape[1]):
            supplied[f"{_letters(width + m)}{ROW}"] = values[:, m : m + 1]
        assert f"{_letters(width)}{ROW}" in used
        return supplied

    def _run(self, text: str, given: dict[str, Any]) -> list[Any]:
        count = given["rows"]
        try:
            function = self.parser.ast(text)[1].compile()
            result = function(*(given[name] for name in function.inputs))
        except Exception as error:  # the package's errors have no common base
            raise SessionError(f"{self.runtime} cannot run {self.artifact.entry}: {first_line(error)}") from None
        values = self.numpy.asarray(result, dtype=object).reshape(-1)
        return list(values) if len(values) == count else [values[0]] * count

    def _turned(self, columns: Sequence[Sequence[Any]], count: int) -> list[list[float]]:
        try:
            return [[float(column[i]) for column in columns] for i in range(count)]
        except (TypeError, ValueError) as error:
            raise SessionError(f"{self.artifact.entry} gives no number: {first_line(error)}") from None


def _cell(value: float, words: Sequence[str] | None) -> Any:
    if words is None:
        return "" if value != value or abs(value) == float("inf") else value
    known = value == value and abs(value) < len(words) and value == int(value) and value >= 0
    return words[int(value)] if known else ""


def _letters(place: int) -> str:
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
