"""Lags, differences and means in SQL: window functions over a table of readings in the order of its column ``time``.

A mean is spelt out, oldest first, because an aggregate adds in an order of its own.
"""

from __future__ import annotations

from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import STATEFUL, keeps_state, readings, warm_up

from .sql_dialect import Dialect, quoted, text
from .stateful import KINDS

TIME = "time"
WINDOW = f"OVER (ORDER BY {quoted(TIME)})"


def has_rows(model: Model) -> bool:
    """Whether all that a model remembers is in the rows before."""
    streams = [feature.stream[0] for feature in model.inputs if feature.stream is not None]
    return keeps_state(model) and set(streams) <= set(KINDS) and not set(STATEFUL) & set(model.sections)


def no_rows(model: Model) -> str:
    """Why there is no view of rows of a model that keeps state, in one line."""
    kept = [f"{feature.name} (ewma)" for feature in model.inputs if feature.stream and feature.stream[0] == "ewma"]
    kept += [key for key in STATEFUL if key in model.sections]
    return f"SQL has no state for {', '.join(kept)}: the caller's part (train --sections none leaves sections out)"


def derived(model: Model, dialect: Dialect, table: str) -> str:
    """The table with a column for each derived input, and how many rows there were, as a table of the same name."""
    columns = {feature.name: _derived(model, i, dialect) for i, feature in enumerate(model.inputs) if feature.stream}
    shown = [f"    {column} AS {quoted(name)}" for name, column in columns.items()]
    shown.append(f"    row_number() {WINDOW} AS {quoted('edge-lasso rows')}")
    return f"(SELECT {quoted(table)}.*,\n" + ",\n".join(shown) + f"\n    FROM {quoted(table)}) AS {quoted(table)}"


def status(model: Model, dialect: Dialect) -> str:
    """``ok``, ``warming up``, or ``degraded: `` and what is wrong with which reading."""
    parts = []
    for i in readings(model):
        feature = model.inputs[i]
        missing = text(f", {feature.name} missing")
        if feature.categories is not None:
            words = ", ".join(map(text, feature.categories))
            inside, beyond = f"CAST({quoted(feature.name)} AS TEXT) IN ({words})", missing
        else:
            assert feature.low is not None
            assert feature.high is not None
            x = dialect.real(quoted(feature.name))
            inside = f"{x} BETWEEN {dialect.number(feature.low)} AND {dialect.number(feature.high)}"
            known = f"{x} BETWEEN {dialect.number(-model.limit)} AND {dialect.number(model.limit)}"
            beyond = f"CASE WHEN {known} THEN {text(f', {feature.name} out of range')} ELSE {missing} END"
        parts.append(f"CASE WHEN {inside} THEN '' ELSE {beyond} END")
    wrong = " || ".join(parts)
    warms = f"{quoted('edge-lasso rows')} <= {warm_up(model)}"
    well = f"CASE WHEN {warms} THEN 'warming up' ELSE 'ok' END"
    return f"CASE WHEN ({wrong}) = '' THEN {well} ELSE 'degraded: ' || substr({wrong}, 3) END"


def _derived(model: Model, place: int, dialect: Dialect) -> str:
    kind, name, length = model.inputs[place].stream or ("", "", 0)
    low, high = dialect.number(-model.limit), dialect.number(model.limit)
    feature = next(feature for feature in model.inputs if feature.name == name)
    x = dialect.real(quoted(name))
    value = x
    if model.policy == "clamp":
        assert feature.low is not None
        assert feature.high is not None
        least, most = dialect.number(feature.low), dialect.number(feature.high)
        value = f"CASE WHEN {x} < {least} THEN {least} WHEN {x} > {most} THEN {most} ELSE {x} END"
    value = f"CASE WHEN {x} BETWEEN {low} AND {high} THEN {value} END"

    def ago(rows: int) -> str:
        return f"lag({value}, {rows}) {WINDOW}" if rows else f"({value})"

    if kind == "lag":
        return ago(length)
    if kind == "difference":
        change = f"({ago(0)} - {ago(length)})"
        return f"CASE WHEN {change} BETWEEN {low} AND {high} THEN {change} END"
    zero, one = dialect.number(0.0), dialect.number(1.0)
    total = count = zero
    for rows in range(length - 1, -1, -1):
        total = f"({total} + coalesce({ago(rows)}, {zero}))"
        count = f"({count} + CASE WHEN {ago(rows)} IS NULL THEN {zero} ELSE {one} END)"
    return f"CASE WHEN {count} > {zero} THEN {total} / {count} END"
