"""The spreadsheet target: a table of two lines, names and formulas, that Excel, LibreOffice and others open.

Spreadsheets keep 15 digits of what is typed into them, and Excel takes a sum for 0 that is nearly 0 beside its parts:
the bound says so. A cell that is empty, text or beyond the limit counts as missing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import EXP_ROOM, Factor, Input, Output
from edge_lasso_runtime.predict import clean

from . import GENERATOR, LICENCE
from .options import ExportError, Options
from .usage import text_usage
from .vectors import reference

VARIANTS = ("csv",)
HANDLES_MISSING = True
usage = text_usage.formula_usage
LONGEST_FORMULA, LONGEST_TEXT = 8192, 255
DIGITS = 1e-15
"""What one of 15 digits is worth, beside a number's magnitude."""
BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a name for a formula."""
ROW = 2
LARGEST_EXPONENT = 700
"""Excel has no number for exp of more than 709."""


def default_variant(model: Model) -> str:
    """There is one."""
    return "csv"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.csv``, and ``NAME.cells.json`` with its formulas by what they give.

    Raises
    ------
    ExportError
        A name that a spreadsheet would take for a formula; a formula longer than spreadsheets allow.
    """
    names = [feature.name for feature in model.inputs] if options.inputs == "selected" else list(model.columns)
    sheet = Sheet(model, options, len(names))
    for name in [*names, *(output.name for output in model.outputs)]:
        if name.startswith(BEGINNINGS):
            raise ExportError(f"a spreadsheet would take the name {name!r} for a formula; rename it")
    cells = sheet.cells()
    for name, formula in cells.items():
        if len(formula) > LONGEST_FORMULA:
            raise ExportError(
                f"the formula of {name!r} has {len(formula):,} characters, a spreadsheet takes {LONGEST_FORMULA:,}; "
                "prune the model first"
            )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*names, *cells])
    writer.writerow([*("" for _ in names), *cells.values()])
    described = {
        "model_hash": model_hash(model),
        "generator": GENERATOR,
        "version": options.version,
        "license": LICENCE,
        "columns": [column(place) for place in range(len(names))],
        "categories": sheet.categories(names),
        **sheet.places(),
    }
    return {
        f"{options.name}.csv": text.getvalue().encode(),
        f"{options.name}.cells.json": (json.dumps(described, indent=1) + "\n").encode(),
    }


def expected(
    model: Model, options: Options, rows: Sequence[Sequence[float | None]]
) -> tuple[list[list[float]], list[list[float]]]:
    """The reference, and how far 15 digits of each constant and each sum may be off."""
    values = reference(model, rows, options.inputs)
    tolerances = []
    for row in rows:
        plain = list(row) if options.inputs == "selected" else [row[feature.column] for feature in model.inputs]
        x, _ = clean(model, plain)
        tolerances.append([_bound(output, x) for output in model.outputs])
    return values, tolerances


def _bound(output: Output, x: Sequence[float]) -> float:
    size = abs(output.intercept)
    for term in output.terms:
        part = abs(term.coef)
        for factor in term.factors:
            part *= factor.reach(abs(x[factor.input]))
        size += part
    factors = max((len(term.factors) for term in output.terms), default=0)
    return 2.0 * DIGITS * (len(output.terms) + factors + 2) * size


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    return {"kind": "bound", "bound": None, "text": "each constant and each sum to 15 digits: a bound per row"}


def exempt(model: Model, options: Options, row: Sequence[float]) -> bool:
    """Whether the promise leaves a row out: readings at ends that 15 digits cannot write."""
    knots = [
        (factor.input, factor.step) for output in model.outputs for term in output.terms for factor in term.factors
    ]
    for place, (feature, x) in enumerate(zip(model.inputs, row, strict=True)):
        for end in (model.limit, feature.low, feature.high, *(step for i, step in knots if i == place)):
            if end and 0.0 < abs(abs(x) - abs(end)) <= 2.0 * DIGITS * abs(end):
                return True
            if end and abs(x) == abs(end) and float(f"{end:.15g}") != end:
                return True
    return False


def column(place: int) -> str:
    """A column's letters: A, B, ... Z, AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def number(value: float) -> str:
    """A constant of 15 digits; a negative one in parentheses."""
    text = f"{value:.15g}".upper()
    return f"({text})" if value < 0.0 else text


def text(value: str) -> str:
    """A string."""
    if len(value) > LONGEST_TEXT:
        raise ExportError(f"the category {value[:30]!r}... is longer than a spreadsheet's {LONGEST_TEXT} characters")
    return '"' + value.replace('"', '""') + '"'


class Sheet:
    """The formulas of a model whose inputs stand in the first columns of a row."""

    def __init__(self, model: Model, options: Options, width: int) -> None:
        self.model = model
        self.options = options
        self.width = width

    def cells(self) -> dict[str, str]:
        """Headings and formulas, in the order of their columns."""
        model, name = self.model, self.options.name
        linked = model.outputs[0].link != "identity"
        headings = [f"{output.name} linear" if linked else output.name for output in model.outputs]
        cells = {heading: self._sum(output) for heading, output in zip(headings, model.outputs, strict=True)}
        z = [f"{column(self.width + m)}{ROW}" for m in range(len(model.outputs))]
        if linked:
            links = LINKS[model.outputs[0].link](z)
            cells |= {output.name: link for output, link in zip(model.outputs, links, strict=True)}
        if model.classes is not None:
            cells[f"{name} label"] = self._label(z)
        cells[f"{name} status"] = self._status()
        if len(cells) != len(model.outputs) * (2 if linked else 1) + (1 if model.classes is None else 2):
            raise ExportError(f"an output is called as a column of the sheet ({', '.join(cells)}); rename it")
        return {heading: f"={formula}" for heading, formula in cells.items()}

    def places(self) -> dict[str, Any]:
        """Formulas by what they give: ``linear``, ``values``, ``label``, ``status``."""
        formulas, count = list(self.cells().values()), len(self.model.outputs)
        linked = self.model.outputs[0].link != "identity"
        return {
            "linear": formulas[:count],
            "values": formulas[count : 2 * count] if linked else formulas[:count],
            "label": None if self.model.classes is None else formulas[2 * count],
            "status": formulas[-1],
        }

    def categories(self, names: Sequence[str]) -> list[list[str] | None]:
        """Words of each column; None where it has numbers."""
        words = {feature.name: feature.categories for feature in self.model.inputs}
        return [list(words.get(name) or ()) or None for name in names]

    def _cell(self, place: int) -> str:
        feature = self.model.inputs[place]
        return f"{column(place if self.options.inputs == 'selected' else feature.column)}{ROW}"

    def _sum(self, output: Output) -> str:
        parts = [number(output.intercept)]
        for term in output.terms:
            parts.append("*".join([number(term.coef), *(self._factor(factor) for factor in term.factors)]))
        return "+".join(parts)

    def _factor(self, factor: Factor) -> str:
        entry, cell = self.model.inputs[factor.input], self._cell(factor.input)
        if entry.categories is not None:
            assert factor.category is not None
            return f'IF(EXACT({cell}&"",{text(entry.categories[factor.category])}),1,0)'
        default, low, high = map(number, _numbers(entry))
        clamped = f"IF({cell}<{low},{low},IF({cell}>{high},{high},{cell}))"
        value = clamped if self.model.policy == "clamp" else cell
        x = f"IF(ISNUMBER({cell}),IF(ABS({cell})<={number(self.model.limit)},{value},{default}),{default})"
        if factor.hinge is not None:
            return f"IF({x}>{number(factor.hinge)},{x}-{number(factor.hinge)},0)"
        return x if factor.step is None else f"IF({x}>{number(factor.step)},1,0)"

    def _status(self) -> str:
        wrong = []
        for place, feature in enumerate(self.model.inputs):
            cell = self._cell(place)
            if feature.categories is not None:
                known = "+".join(f'IF(EXACT({cell}&"",{text(word)}),1,0)' for word in feature.categories)
                wrong.append(f"IF({known}>0,0,1)")
            else:
                _, low, high = _numbers(feature)
                inside = f"IF({cell}>={number(low)},IF({cell}<={number(high)},0,1),1)"
                wrong.append(f"IF(ISNUMBER({cell}),{inside},1)")
        return f'IF({"+".join(wrong) or "0"}=0,"ok","degraded")'

    def _label(self, z: Sequence[str]) -> str:
        assert self.model.classes is not None
        words = list(map(text, self.model.classes))
        if len(z) == 1:
            return f"IF({z[0]}>0,{words[1]},{words[0]})"
        label = words[-1]
        for m in reversed(range(len(z) - 1)):
            first = "*".join(f"IF({z[m]}>={other},1,0)" for other in z[m + 1 :])
            label = f"IF({first}=1,{words[m]},{label})"
        return label


def _numbers(one: Input) -> tuple[float, float, float]:
    assert one.default is not None
    assert one.low is not None
    assert one.high is not None
    return one.default, one.low, one.high


def _logistic(z: Sequence[str]) -> list[str]:
    return [f"IF({entry}>=0,1,EXP(-ABS({entry})))/(1+EXP(-ABS({entry})))" for entry in z]


def _exp(z: Sequence[str]) -> list[str]:
    top = number(EXP_ROOM)
    return [f"EXP(IF({entry}>{top},{top},IF({entry}<-{top},-{top},{entry})))" for entry in z]


def _softmax(z: Sequence[str]) -> list[str]:
    def weight(other: str, one: str) -> str:
        return f"EXP(IF({other}-{one}>{LARGEST_EXPONENT},{LARGEST_EXPONENT},{other}-{one}))"

    return [f"1/(1+{'+'.join(weight(other, entry) for other in z if other != entry)})" for entry in z]


LINKS = {"logistic": _logistic, "softmax": _softmax, "exp": _exp}
