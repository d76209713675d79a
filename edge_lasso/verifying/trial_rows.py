"""Rows to try an artifact on: real ones, random ones inside the ranges, and adversarial ones.

The adversarial rows are made so that every coefficient is seen alone: with all other inputs at zero and one input
large, an error of 1 % in even the least important weight stands far above any rounding. Thousands of inputs are taken
in groups, scaled so that their terms weigh the same: else the rows of a model would grow with the square of its size.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

from edge_lasso_runtime.model import Input, Model

NAN = math.nan
WIDE = 200
VALUES = 300_000
"""Readings in the rows of one kind, about, for models of more than `WIDE` inputs."""
FEWEST = 64
Row = list[float]
Value = TypeVar("Value", int, float)


def trial_rows(
    model: Model, real: Sequence[Sequence[float]] | None = None, n_random: int = 200, seed: int = 0
) -> dict[str, list[Row]]:
    """Make the rows, by kind.

    Parameters
    ----------
    model : Model
    real : rows in the order of the model's inputs, NaN where a reading is missing
    n_random : int
        How many of each random kind; fewer for very wide models.
    seed : int

    Returns
    -------
    dict of str to list of list of float
        ``real``, ``random``, ``edges``, ``alone``, ``missing``, ``huge``, ``mixed``; rows in the order of
        ``model.inputs``, NaN where a reading is missing.
    """
    source = random.Random(seed)
    inputs = model.inputs
    n_random = min(n_random, most_rows(len(inputs)))
    rest = [_rest(feature) for feature in inputs]
    rows: dict[str, list[Row]] = {
        "real": [list(map(float, row)) for row in real or ()],
        "random": [[_inside(feature, source) for feature in inputs] for _ in range(n_random)],
        "edges": _edges(inputs, rest, source, n_random // 4) + _knots(model, rest),
        "alone": _alone(model),
        "missing": _missing(inputs, rest, source, n_random // 8),
        "huge": _huge(model, rest),
        "mixed": [[_anything(model, feature, source) for feature in inputs] for _ in range(n_random)],
    }
    return {kind: row for kind, row in rows.items() if row or kind == "real"}


def most_rows(count: int) -> int:
    """How many rows of one kind there may be for so many inputs."""
    return max(VALUES // max(count, 1), FEWEST)


def groups_of(count: int) -> list[range]:
    """The inputs to treat alike in one row: each by itself, or every so many-th together."""
    number = count if count <= WIDE else min(count, most_rows(count))
    return [range(i, count, number) for i in range(number)]


def with_values(row: list[Value], places: range, values: Sequence[Value]) -> list[Value]:
    """A row with the values of another in some places."""
    changed = list(row)
    for i in places:
        changed[i] = values[i]
    return changed


def replaced(model: Model, rows: Sequence[Row]) -> list[Row]:
    """Readings that count as missing replaced by what the caller must put there (targets that cannot do it)."""
    limit = model.limit
    return [
        [_rest(feature) if not -limit <= x <= limit else x for feature, x in zip(model.inputs, row, strict=True)]
        for row in rows
    ]


def full_rows(model: Model, rows: Sequence[Row], seed: int = 0) -> list[Row]:
    """Training rows (``--inputs all``) around rows of the model's inputs; unread columns hold rubbish."""
    source = random.Random(seed)
    rubbish = (NAN, math.inf, -1e300, 0.0, -7.5, 1e30)
    result = []
    for row in rows:
        full = [source.choice(rubbish) for _ in model.columns]
        for feature, value in zip(model.inputs, row, strict=True):
            full[feature.column] = value
        result.append(full)
    return result


def _rest(one: Input) -> float:
    return -1.0 if one.default is None else one.default


def _range(one: Input) -> tuple[float, float]:
    if one.categories is not None:
        return 0.0, float(len(one.categories) - 1)
    assert one.low is not None
    assert one.high is not None
    return one.low, one.high


def _inside(one: Input, source: random.Random) -> float:
    low, high = _range(one)
    if one.categories is not None:
        return float(source.randrange(len(one.categories))) if one.categories else -1.0
    return min(max(low + (high - low) * source.random(), low), high)


def _anything(model: Model, one: Input, source: random.Random) -> float:
    low, high = _range(one)
    limit = model.limit
    choice = source.randrange(8)
    if choice == 0:
        return NAN
    if choice == 1:
        return source.choice((math.inf, -math.inf, 1e300, -1e300, limit * 1.5, -limit * 1.5))
    if choice == 2:
        return source.choice((low, high, 0.0, -0.0, _rest(one)))
    if choice == 3:
        span = max(abs(low), abs(high), 1.0)
        return max(min(source.uniform(-10.0, 10.0) * span, limit), -limit)
    return _inside(one, source)


def _edges(inputs: Sequence[Input], rest: Row, source: random.Random, count: int) -> list[Row]:
    ranges = [_range(feature) for feature in inputs]
    rows = [list(rest), [low for low, _ in ranges], [high for _, high in ranges], [0.0] * len(inputs)]
    ends = [[low for low, _ in ranges], [high for _, high in ranges]]
    if len(inputs) <= WIDE:
        ends += [
            [math.nextafter(high, math.inf) for _, high in ranges],
            [math.nextafter(low, -math.inf) for low, _ in ranges],
        ]
        ends += [[value] * len(inputs) for value in (0.5, -0.0, 5e-324)]
    rows += [with_values(rest, group, values) for group in groups_of(len(inputs)) for values in ends]
    for i, feature in enumerate(inputs):
        for category in range(len(feature.categories or ())):
            rows.append([*rest[:i], float(category), *rest[i + 1 :]])
    return rows + [[source.choice(pair) for pair in ranges] for _ in range(count)]


def _knots(model: Model, rest: Row) -> list[Row]:
    """Readings on both sides of where a hinge or a step begins."""
    knots = {
        (factor.input, factor.knot)
        for output in model.outputs
        for term in output.terms
        for factor in term.factors
        if factor.knot is not None
    }
    return [
        [*rest[:i], value, *rest[i + 1 :]]
        for i, knot in sorted(knots)[: most_rows(len(rest))]
        for value in (math.nextafter(knot, -math.inf), knot, math.nextafter(knot, math.inf))
        if abs(value) <= model.limit
    ]


def _alone(model: Model) -> list[Row]:
    count = len(model.inputs)
    limit = model.limit
    rows = []
    none = [0.0 if feature.categories is None else -1.0 for feature in model.inputs]
    ranges = [_range(feature) for feature in model.inputs]
    spans = [max(abs(low), abs(high), 1e-300) for low, high in ranges]
    kinds = [[1e6 * span for span in _alike(model, spans)]]
    if count <= WIDE:
        kinds = [[high for _, high in ranges], [low for low, _ in ranges], [1e3 * span for span in spans]]
        kinds.append([-1e6 * span for span in spans])
    for group in groups_of(count):
        for values in kinds:
            rows.append(with_values(none, group, [max(min(value, limit), -limit) for value in values]))
    # Products vanish while all others are zero: the same with all others at one, or at their largest.
    if model.degree > 1:
        largest = [max(pair, key=abs) for pair in ranges]
        ones = [1.0] * count
        for group in groups_of(count):
            for others in (largest, ones):
                rows += [with_values(others, group, values) for values in ([0.0] * count, ones, largest)]
    return rows


def _alike(model: Model, spans: Row) -> Row:
    """Readings of several inputs whose terms are of one size: none hides behind another of its group."""
    if len(spans) == len(groups_of(len(spans))):
        return spans
    sizes = [0.0] * len(spans)
    for output in model.outputs:
        for term in output.terms:
            for factor in term.factors:
                sizes[factor.input] = max(sizes[factor.input], abs(term.coef) * spans[factor.input])
    middle = sorted(sizes)[len(sizes) // 2] or 1.0
    scales = [min(max(middle / size, 2.0**-40), 2.0**40) if size else 1.0 for size in sizes]
    return [span * scale for span, scale in zip(spans, scales, strict=True)]


def _missing(inputs: Sequence[Input], rest: Row, source: random.Random, count: int) -> list[Row]:
    inside = [_inside(feature, source) for feature in inputs]
    rows = [[NAN] * len(inputs)]
    rows += [with_values(inside, group, [NAN] * len(inputs)) for group in groups_of(len(inputs))]
    rows += [[NAN if source.random() < 0.5 else _inside(feature, source) for feature in inputs] for _ in range(count)]
    return rows


def _huge(model: Model, rest: Row) -> list[Row]:
    count = len(model.inputs)
    limit = model.limit
    beyond = math.nextafter(limit, math.inf)
    values = (limit, -limit, beyond, -beyond, math.inf, -math.inf, 1.7e308)
    rows = [[value] * count for value in values]
    for group in groups_of(count):
        for value in values if count <= 50 else values[:1] + values[4:5]:
            rows.append(with_values(rest, group, [value] * count))
    return rows
