"""The self-test vectors that every artifact carries, so that a board can check itself at boot."""

from __future__ import annotations

from collections.abc import Sequence

from edge_lasso_runtime.model import Input, Model, Output
from edge_lasso_runtime.predict import clean, linear

Row = list[float | None]


def self_test(model: Model) -> list[tuple[Row, list[float]]]:
    """A few rows in the order of the model's inputs, None where a reading is missing, with the reference's answer.

    Defaults, both ends, two mixed rows that tell the inputs apart, one with gaps: the same for the same model.
    """
    count = len(model.inputs)
    rows: list[Row] = [
        [_at(feature, None) for feature in model.inputs],
        [_at(feature, 0.0) for feature in model.inputs],
        [_at(feature, 1.0) for feature in model.inputs],
        [_at(feature, (i + 1) / (count + 1)) for i, feature in enumerate(model.inputs)],
        [_at(feature, (i * 5 % 8) / 8) for i, feature in enumerate(model.inputs)],
        [None if i % 2 == 0 else _at(feature, 0.75) for i, feature in enumerate(model.inputs)],
    ]
    return [(row, linear(model, clean(model, row)[0])) for row in rows]


def test_rows(model: Model, inputs: str) -> list[tuple[Row, list[float]]]:
    """The self-test vectors in an artifact's order of inputs."""
    return [(row if inputs == "selected" else wide(model, row), value) for row, value in self_test(model)]


def self_test_faults(model: Model) -> list[list[int]]:
    """Per self-test vector, which inputs are at fault."""
    return [
        [i for i, feature in enumerate(model.inputs) if feature.name in faults]
        for faults in (clean(model, row)[1] for row, _ in self_test(model))
    ]


def self_test_sizes(model: Model) -> list[float]:
    """Per output, what a self-test allows in units of the board's floating-point epsilon.

    More than any order of summation, fused multiply-adds or inexact decimals need: it looks for gross faults.
    """
    return [2.0 * (len(output.terms) + model.degree + 2) * largest(model, output) for output in model.outputs]


def largest(model: Model, output: Output) -> float:
    """The largest ``|intercept| + sum |terms|`` over the declared ranges and defaults."""
    total = abs(output.intercept)
    for term in output.terms:
        size = abs(term.coef)
        for factor in term.factors:
            feature = model.inputs[factor.input]
            size *= factor.reach(max(abs(value or 0.0) for value in (feature.low, feature.high, feature.default)))
        total += size
    return total


def wide(model: Model, row: Row) -> Row:
    """A row of the model's inputs as a whole training row; columns that are not read are 0."""
    full: Row = [0.0] * len(model.columns)
    for feature, reading in zip(model.inputs, row, strict=True):
        full[feature.column] = reading
    return full


def _at(one: Input, part: float | None) -> float:
    """A reading part of the way from low to high, or the default."""
    if one.categories is not None:
        return float(int((part or 0.0) * (len(one.categories) - 1)))
    assert one.default is not None
    assert one.low is not None
    assert one.high is not None
    if part is None:
        return one.default
    return min(max(one.low + (one.high - one.low) * part, one.low), one.high)


def narrow(model: Model, row: Sequence[float | None], inputs: str) -> list[float | None]:
    """A row in an artifact's order, in the order of the model's inputs."""
    return list(row) if inputs == "selected" else [row[feature.column] for feature in model.inputs]


def reference(model: Model, rows: Sequence[Sequence[float | None]], inputs: str) -> list[list[float]]:
    """The linear predictor of the reference for rows in an artifact's order."""
    return [linear(model, clean(model, narrow(model, row, inputs))[0]) for row in rows]
