"""The SQL target: a view over a table of readings, in binary64 and in the reference's own order of operations.

`sqlite`, `duckdb` and `postgres` differ in how they read a number: SQLite may read decimals an ulp off, so a constant
is written there as an integer times or over powers of two, which every version reads exactly; the others get decimals
in quotes, cast, because without that they would be exact decimals and not binary64.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import EXP_ROOM, Factor, Input, Output
from edge_lasso_runtime.stream import keeps_state

from . import GENERATOR, SPDX, bit_equal
from .options import ExportError, Options
from .sql_dialect import Dialect, quoted, text
from .sql_rows import TIME, derived, has_rows, no_rows, status
from .usage import text_usage

VARIANTS = ("sqlite", "duckdb", "postgres")
HANDLES_MISSING = True
expected = bit_equal.expected
usage = text_usage.sql_usage
TABLE = "readings"
LEAST_ROOM = 60
LONGEST_NAME = 63
"""Bytes; PostgreSQL cuts longer ones off."""
SMALLEST_EXPONENT = -700.0
"""PostgreSQL stops where exp underflows; e^-700 is nothing beside 1."""


def default_variant(model: Model) -> str:
    """What needs no server."""
    return "sqlite"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.sql``, which makes a view, and ``NAME.columns.json``, which says what its columns are.

    Raises
    ------
    ExportError
        A name that SQL cannot have, or that stands for two columns.
    """
    dialect = Dialect(options.variant)
    columns = _columns(model, options)
    head = (
        f"-- {SPDX}\n"
        f"-- A model made by {GENERATOR}: a view over the table {quoted(TABLE)}@ORDER@.\n"
        f"-- version {options.version}, model_hash: {model_hash(model)}\n"
        "-- A reading that is NULL, no number or beyond the limit counts as missing, and its default is used.\n"
    )
    views = {f"{options.name}.sql": (options.name, "", _select(model, columns, dialect))}
    if has_rows(model):
        source, said = derived(model, dialect, TABLE), status(model, dialect)
        ordered = f", in the order of its column {quoted(TIME)}"
        view = _select(model, columns, dialect, source, said)
        views[f"{options.name}.rows.sql"] = (f"{options.name} rows", ordered, view)
    files = {
        file: f"{head.replace('@ORDER@', order)}CREATE VIEW {quoted(view)} AS\n{select};\n"
        for file, (view, order, select) in views.items()
    }
    if keeps_state(model) and not has_rows(model):
        files[f"{options.name}.sql"] += f"-- {' '.join(no_rows(model).split())}\n"
    files[f"{options.name}.columns.json"] = json.dumps(columns, indent=1) + "\n"
    return {file: content.encode() for file, content in files.items()}


def steps_of(model: Model) -> bool:
    """Whether a view takes in rows one after another."""
    return has_rows(model)


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    text = "the linear predictor, bit for bit (binary64)"
    if options.variant == "postgres":
        text += (
            f"; a reading nearer to 0 than {smallest(model)!r} counts as 0: PostgreSQL stops where products underflow"
        )
    return {"kind": "bit-equal", "bound": 0.0, "text": text}


def exempt(model: Model, options: Options, row: Sequence[float]) -> bool:
    """Whether the promise leaves a row out: PostgreSQL takes readings next to 0 for 0."""
    return options.variant == "postgres" and any(0.0 < abs(x) < smallest(model) for x in row)


def smallest(model: Model) -> float:
    """A magnitude from which on no product of a term underflows.

    Raises
    ------
    ExportError
        Coefficients are so small that it would not be next to 0.
    """
    sizes = [abs(term.coef) for output in model.outputs for term in output.terms if term.coef != 0.0]
    exponent = (-1020 - math.frexp(min(sizes, default=1.0))[1]) // max(model.degree, 1) + 1
    if exponent > -LEAST_ROOM:
        raise ExportError(f"a coefficient is {min(sizes):g}; products with it would underflow, where PostgreSQL stops")
    return 2.0**exponent


def _columns(model: Model, options: Options) -> dict[str, Any]:
    """Names of what the view reads and gives.

    Returns
    -------
    dict
        ``categories`` (per column of the table: its words, or null), ``linear``, ``values``, ``label``, ``status``.
    """
    names = [feature.name for feature in model.inputs] if options.inputs == "selected" else list(model.columns)
    categories = {feature.name: feature.categories for feature in model.inputs}
    outputs = [output.name for output in model.outputs]
    linked = model.outputs[0].link != "identity"
    columns: dict[str, Any] = {
        "categories": {name: list(categories.get(name) or ()) or None for name in names},
        "linear": [f"{name} linear" for name in outputs] if linked else outputs,
        "values": outputs,
        "label": f"{options.name} label" if model.classes is not None else None,
        **({"classes": list(model.classes)} if has_rows(model) and model.classes is not None else {}),
        "status": f"{options.name} status",
    }
    results = [
        *outputs,
        columns["status"],
        *(columns["linear"] if linked else []),
        *([columns["label"]] if model.classes is not None else []),
    ]
    lowered: set[str] = set()
    for name in [*names, *map(str, results)]:
        if "\0" in name or len(name.encode()) > LONGEST_NAME:
            raise ExportError(f"{name[:40]!r} cannot name a column in SQL (at most {LONGEST_NAME} bytes, no NUL)")
        if name.lower() in lowered:
            raise ExportError(f"{name!r} would stand for two columns in SQL, where case does not count; rename one")
        lowered.add(name.lower())
    return columns


def _select(model: Model, columns: dict[str, Any], dialect: Dialect, source: str = "", said: str = "") -> str:
    linear = [
        f"    {_sum(model, output, dialect)} AS {quoted(name)}"
        for output, name in zip(model.outputs, columns["linear"], strict=True)
    ]
    inside = " AND ".join(_inside(feature, dialect) for feature in model.inputs) or "1 = 1"
    said = said or f"CASE WHEN {inside} THEN 'ok' ELSE 'degraded' END"
    shown = [*linear, f"    {said} AS {quoted(columns['status'])}"]
    inner = f"SELECT {quoted(TABLE)}.*,\n" + ",\n".join(shown) + f"\n  FROM {source or quoted(TABLE)}"
    kind = model.outputs[0].link
    if kind == "identity":
        return inner
    z = [quoted(name) for name in columns["linear"]]
    links = _exp(z) if kind == "exp" else _logistic(z[0]) if kind == "logistic" else _softmax(z, dialect)
    shown = [f"    {link} AS {quoted(name)}" for link, name in zip(links, columns["values"], strict=True)]
    if model.classes is not None:
        shown.append(f"    {_label(model, z)} AS {quoted(columns['label'])}")
    return "SELECT *,\n" + ",\n".join(shown) + f"\nFROM ({inner}) AS {quoted('linear')}"


def _sum(model: Model, output: Output, dialect: Dialect) -> str:
    result = dialect.number(output.intercept)
    for term in output.terms:
        product = dialect.number(term.coef)
        for factor in term.factors:
            product = f"({product} * {_factor(model, factor, dialect)})"
        result = f"({result} + {product})"
    return result


def _factor(model: Model, factor: Factor, dialect: Dialect) -> str:
    feature = model.inputs[factor.input]
    column = quoted(feature.name)
    if feature.categories is not None:
        assert factor.category is not None
        return f"CASE WHEN CAST({column} AS TEXT) = {text(feature.categories[factor.category])} THEN 1.0 ELSE 0.0 END"
    assert feature.default is not None
    assert feature.low is not None
    assert feature.high is not None
    x = dialect.real(column)
    known = f"{x} BETWEEN {dialect.number(-model.limit)} AND {dialect.number(model.limit)}"
    if dialect.stops:
        x = f"CASE WHEN abs({x}) < {dialect.number(smallest(model))} THEN {dialect.number(0.0)} ELSE {x} END"
    if model.policy == "clamp":
        low, high = dialect.number(feature.low), dialect.number(feature.high)
        x = f"CASE WHEN {x} < {low} THEN {low} WHEN {x} > {high} THEN {high} ELSE {x} END"
    x = f"CASE WHEN {known} THEN {x} ELSE {dialect.number(feature.default)} END"
    if factor.knot is None:
        return x
    knot, above = (
        dialect.number(factor.knot),
        "1.0" if factor.hinge is None else f"({x}) - {dialect.number(factor.knot)}",
    )
    return f"CASE WHEN ({x}) > {knot} THEN {above} ELSE 0.0 END"


def _inside(one: Input, dialect: Dialect) -> str:
    if one.categories is not None:
        return f"CAST({quoted(one.name)} AS TEXT) IN ({', '.join(map(text, one.categories))})"
    assert one.low is not None
    assert one.high is not None
    return f"{dialect.real(quoted(one.name))} BETWEEN {dialect.number(one.low)} AND {dialect.number(one.high)}"


def _logistic(z: str) -> list[str]:
    e = f"exp(CASE WHEN abs({z}) < {-SMALLEST_EXPONENT} THEN -abs({z}) ELSE {SMALLEST_EXPONENT} END)"
    return [f"(CASE WHEN {z} >= 0.0 THEN 1.0 ELSE {e} END / (1.0 + {e}))"]


def _exp(z: Sequence[str]) -> list[str]:
    top = EXP_ROOM
    return [f"exp(CASE WHEN {x} > {top} THEN {top} WHEN {x} < {-top} THEN {-top} ELSE {x} END)" for x in z]


def _softmax(z: Sequence[str], dialect: Dialect) -> list[str]:
    top = dialect.largest(z)
    weights = [
        f"exp(CASE WHEN {entry} - {top} > {SMALLEST_EXPONENT} THEN {entry} - {top} ELSE {SMALLEST_EXPONENT} END)"
        for entry in z
    ]
    total = " + ".join(weights)
    return [f"({weight} / ({total}))" for weight in weights]


def _label(model: Model, z: Sequence[str]) -> str:
    assert model.classes is not None
    words = list(map(text, model.classes))
    if len(z) == 1:
        return f"CASE WHEN {z[0]} > 0.0 THEN {words[1]} ELSE {words[0]} END"
    cases = [
        f"WHEN {' AND '.join(f'{entry} >= {other}' for other in z[m + 1 :])} THEN {words[m]}"
        for m, entry in enumerate(z[:-1])
    ]
    return f"CASE {' '.join(cases)} ELSE {words[-1]} END"
