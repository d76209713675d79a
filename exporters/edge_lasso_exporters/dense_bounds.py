"""What a tensor format stores of a model, and a proven bound on how far it is from the reference.

The graph computes ``W' ((t - offset) * scale) + b'`` from terms t. The bound follows these steps for any order of
summation, with or without fused multiply-add, with or without flushing of subnormals, and includes the rounding of
readings and of stored numbers (Higham, *Accuracy and Stability of Numerical Algorithms*, 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge_lasso_runtime.model import Factor
from edge_lasso_runtime.predict import clean

from .dense import SMALLEST, UNIT, Array, Dense, Rows, features_of, products_of, read, reference, rounded

SLACK = 1.0 + 2.0**-20  # the bounds themselves are computed in binary64
SENSOR_STEP = 2.0**-16


@dataclass(frozen=True)
class Form:
    """The numbers a file stores, and how far they are from the exact ones.

    Parameters
    ----------
    plan : Dense
    unit : str
        The type of the arithmetic: float32 or float64.
    offset, scale : array or None
        Taken from each term, and multiplied with it (powers of two here).
    outputs : array or None
        Powers of two that the results of weights and bias are multiplied with.
    weights : array, shape (outputs, terms)
        As stored.
    bias : array
    weight_errors, bias_errors : array
        Absolute differences from the exact values.
    """

    plan: Dense
    unit: str
    offset: Array | None
    scale: Array | None
    outputs: Array | None
    weights: Array
    bias: Array
    weight_errors: Array
    bias_errors: Array


def form(
    plan: Dense,
    unit: str = "float32",
    storage: str = "",
    offset: Array | None = None,
    scale: Array | None = None,
    outputs: Array | None = None,
) -> Form:
    """Round a model's matrix to what a file stores.

    Parameters
    ----------
    plan : Dense
    unit : {"float32", "float64"}
        The type of the arithmetic and of the bias.
    storage : {"float16", "float32", "float64"}
        The type of the weights; `unit` by default. What would be subnormal becomes 0.
    offset, scale, outputs : array or None
        Representable in `unit`; `scale` and `outputs` powers of two.
    """
    storage = storage or unit
    shift = [Fraction(x) for x in offset.tolist()] if offset is not None else [Fraction(0)] * len(plan.terms)
    factor = [Fraction(x) for x in scale.tolist()] if scale is not None else [Fraction(1)] * len(plan.terms)
    levels = [Fraction(x) for x in outputs.tolist()] if outputs is not None else [Fraction(1)] * len(plan.bias)
    exact = [
        [w / f / level for w, f in zip(row, factor, strict=True)]
        for row, level in zip(plan.weights, levels, strict=True)
    ]
    bias = [
        (b + sum((w * o for w, o in zip(row, shift, strict=True)), Fraction(0))) / level
        for b, row, level in zip(plan.bias, plan.weights, levels, strict=True)
    ]
    weights = np.array([[stored(w, storage) for w in row] for row in exact]).reshape(len(bias), len(factor))
    biases = np.array([stored(b, unit) for b in bias])
    return Form(
        plan, unit, offset, scale, outputs, weights, biases,
        np.array([distances(row, weight) for row, weight in zip(exact, weights, strict=True)]).reshape(weights.shape),
        distances(bias, biases),
    )  # fmt: skip


def stored(value: Fraction, storage: str) -> float:
    """A number as a file stores it: rounded to nearest, 0 where it would be subnormal (a runtime may flush it)."""
    with np.errstate(over="ignore", under="ignore"):
        remaining = float(np.dtype(storage).type(float(value)))
    return remaining if abs(remaining) >= SMALLEST[storage] else 0.0


def distances(exact: Sequence[Fraction], array: Array) -> Array:
    """Absolute differences between exact and stored numbers."""
    pairs = zip(exact, array.tolist(), strict=True)
    return np.array([float(abs(a - Fraction(b))) if math.isfinite(b) else math.inf for a, b in pairs])


@dataclass(frozen=True)
class Terms:
    """Magnitudes that the bound needs, one row per row of readings.

    Parameters
    ----------
    size : array
        Of the terms of the artifact's readings.
    centred : array
        Of the same minus the offset.
    moved : array
        How far rounding the readings moved a term.
    error : array
        What computing the term can be off.
    """

    size: Array
    centred: Array
    moved: Array
    error: Array


def row_bound(shape: Form, terms: Terms) -> Array:
    """The proven bound on |artifact - reference| per row and output.

    Parameters
    ----------
    shape : Form
    terms : Terms

    Returns
    -------
    array, shape (rows, outputs)
    """
    u, tiny = UNIT[shape.unit], SMALLEST[shape.unit]
    factor = shape.scale if shape.scale is not None else np.ones(len(shape.plan.terms))
    size, error = terms.centred, terms.error
    if shape.offset is not None:
        error = error + u * (size + error) + tiny
    size, error = size * factor, error * factor
    if shape.scale is not None:
        error = error + tiny
    weights = np.abs(shape.weights).T
    count = np.count_nonzero(shape.weights, axis=1)
    moved = terms.moved @ (weights * factor[:, None])
    stored_off = size @ shape.weight_errors.T + terms.moved @ (shape.weight_errors.T * factor[:, None])
    computed = error @ weights
    summed = gamma(count + 1, u) * ((size + error) @ weights + np.abs(shape.bias))
    flushed = tiny * (weights.sum(axis=0) + 2 * count + 2)
    total: Array = moved + stored_off + computed + summed + flushed + shape.bias_errors
    if shape.outputs is not None:
        total = total * shape.outputs + tiny
    total = (total + reference_error(shape.plan, terms)) * SLACK
    return total


def reference_error(plan: Dense, terms: Terms) -> Array:
    """How far the reference itself, in binary64, can be from the exact value."""
    degree = max((len(term.factors) for term in plan.terms), default=0)
    length = max(len(output.terms) for output in plan.model.outputs)
    size = (terms.size + terms.moved) @ as_array(plan, plan.sizes).T + np.array([abs(float(b)) for b in plan.bias])
    error: Array = gamma(length + 2 * degree + 4, UNIT["float64"]) * size
    return error


def as_array(plan: Dense, rows: tuple[tuple[Fraction, ...], ...]) -> Array:
    """Exact numbers in binary64, shape (outputs, terms)."""
    values = [[float(w) for w in row] for row in rows]
    return np.array(values, dtype=np.float64).reshape(len(plan.bias), len(plan.terms))


def exact_sizes(plan: Dense) -> Array:
    """The magnitudes of the weights."""
    sizes: Array = np.abs(as_array(plan, plan.weights))
    return sizes


def gamma(n: NDArray[np.int64] | int, u: float) -> Array:
    """The relative error of n roundings."""
    total: Array = np.asarray(n * u / (1.0 - n * u), dtype=np.float64)
    return total


def row_terms(plan: Dense, unit: str, offset: Array | None, rows: Rows, inputs: str) -> Terms:
    """What `row_bound` needs for rows of readings in the artifact's order."""
    content = read(plan.model, rows, inputs)
    wanted = np.array([clean(plan.model, row.tolist())[0] for row in content]).reshape(content.shape)
    wanted_terms, _ = products_of(plan, features_of(plan, wanted), "float64")
    result, error = products_of(plan, features_of(plan, rounded(plan.model, content, unit), unit), unit)
    shift = offset if offset is not None else np.zeros(len(plan.terms))
    with np.errstate(over="ignore", invalid="ignore"):
        return Terms(np.abs(result), np.abs(result - shift), np.abs(result - wanted_terms), error)


def box_terms(plan: Dense, unit: str, offset: Array | None) -> Terms:
    """What `row_bound` needs for the worst case over the declared ranges, readings given in binary64."""
    low, high = plan.ranges()
    size = np.maximum(np.abs(low), np.abs(high))
    shift = offset if offset is not None else np.zeros(len(plan.terms))
    powers = np.array(plan.powers(), dtype=np.int64)
    lengths = np.array([len(term.factors) for term in plan.terms], dtype=np.int64)
    u, tiny = UNIT[unit], SMALLEST[unit]
    moved = np.where(unit == "float64", 0.0, gamma(powers, u) * size)
    largest = max((max(abs(i.low or 0.0), abs(i.high or 0.0)) for i in plan.model.inputs), default=0.0)
    flush = tiny * np.maximum(largest, 1.0) ** lengths * lengths * 2
    moved = moved + (0.0 if unit == "float64" else _bends_moved(plan, u))
    hinges = np.array([sum(f >= plan.width - len(plan.bends) for f in term.factors) for term in plan.terms])
    error = gamma(lengths + hinges, u) * (lengths + hinges > 1) * size + flush
    centred = np.maximum(np.abs(low - shift), np.abs(high - shift)) + moved
    return Terms((size + moved)[None], centred[None], moved[None], error[None])


def _bends_moved(plan: Dense, u: float) -> Array:
    """How far rounding a reading and a knot can move each term with hinges or steps: a step next to it may turn."""
    first, result = plan.width - len(plan.bends), []
    for term in plan.terms:
        parts = [plan.factor(feature) for feature in term.factors]
        total = 0.0
        for k, feature in enumerate(term.factors):
            if feature >= first:
                knot = parts[k].knot or 0.0
                move = 1.0 if parts[k].step is not None else 2.0 * u * (_largest(plan, parts[k]) + abs(knot))
                others = [parts[j].reach(_largest(plan, parts[j])) for j in range(len(parts)) if j != k]
                total += move * math.prod([term.scale * (1.0 + 4.0 * len(parts) * u), *others])
        result.append(total)
    return np.array(result)


def _largest(plan: Dense, factor: Factor) -> float:
    entry = plan.model.inputs[factor.input]
    return max(abs(entry.low or 0.0), abs(entry.high or 0.0))


def choose(plan: Dense, unit: str, storage: str = "") -> Form:
    """The simplest form whose proven bound over the declared ranges is good enough.

    Folded (no offset) when its worst case stays below the step of a 16-bit sensor across the output's span, else
    centred if that is better. float16 weights also try a power of two per term that keeps them in float16's range,
    and the simplest form near the best bound is taken.

    Parameters
    ----------
    plan : Dense
    unit, storage : str
        See `form`.
    """
    low, high = plan.ranges()
    middle = ((low + high) / 2.0).astype(unit).astype(np.float64)
    plain = np.array([all(f < len(plan.numeric) for f in term.factors) for term in plan.terms], dtype=bool)
    offset: Array | None = np.where(plain, middle, 0.0)
    assert offset is not None
    offset = offset if _has_room(plan, offset) else None
    tried: list[tuple[Array | None, ...]] = [(None,), (offset,)]
    if storage == "float16":
        levels = _output_levels(plan)
        tried += [(offset, _term_levels(plan, np.ones(len(levels)))), (offset, _term_levels(plan, levels), levels)]
    forms = [form(plan, unit, storage, *entry) for entry in tried]
    forms = [entry for entry in forms if np.all(np.isfinite(entry.weights))]
    worst = [box_bound(entry) for entry in forms]
    if storage == "float16":
        best = np.min(worst, axis=0)
        loss = [float(np.max(bound / np.where(best > 0.0, best, 1.0))) for bound in worst]
        return next(entry for entry, lost in zip(forms, loss, strict=True) if lost <= 2.0 * min(loss))
    span = exact_sizes(plan) @ (high - low)
    needed = np.any((worst[0] > SENSOR_STEP * span) & (worst[1] < worst[0]))
    return forms[1 if needed else 0]


def box_bound(shape: Form) -> Array:
    """The proven bound per output over the declared ranges."""
    bound: Array = row_bound(shape, box_terms(shape.plan, shape.unit, shape.offset))[0]
    return bound


def needs_float64(shape: Form) -> bool:
    """Whether rounding the readings to the artifact's type alone exceeds the step of a 16-bit sensor."""
    low, high = shape.plan.ranges()
    moved = box_terms(shape.plan, shape.unit, shape.offset).moved[0]
    sizes = exact_sizes(shape.plan)
    return bool(np.any(sizes @ moved > SENSOR_STEP * (sizes @ (high - low))))


def expected(shape: Form, rows: Rows, inputs: str) -> tuple[list[list[float]], list[list[float]]]:
    """The reference's linear predictor for rows in the artifact's order, and the bound per value."""
    bounds: list[list[float]] = row_bound(shape, row_terms(shape.plan, shape.unit, shape.offset, rows, inputs)).tolist()
    return reference(shape.plan.model, rows, inputs), bounds


def _has_room(plan: Dense, offset: Array) -> bool:
    """Whether shifted terms cannot overflow float32 either."""
    sizes = [
        Fraction(largest) + 2 * abs(Fraction(o))
        for largest, o in zip(plan.largest().tolist(), offset.tolist(), strict=True)
    ]
    return all(
        abs(b) + sum((abs(w) * size for w, size in zip(row, sizes, strict=True)), Fraction(0)) < Fraction(2) ** 127
        for b, row in zip(plan.bias, plan.weights, strict=True)
    )


def _term_levels(plan: Dense, outputs: Array) -> Array:
    """Per term, the power of two at its largest weight, measured in the outputs' levels."""
    largest = np.max(exact_sizes(plan) / outputs[:, None], axis=0)
    return np.array([_power_below(w) for w in largest.tolist()])


def _output_levels(plan: Dense) -> Array:
    """Per output, the power of two between the sum of its weights and that of the largest output: 1 or less."""
    sums = exact_sizes(plan).sum(axis=1)
    top = float(np.max(sums))
    return np.array([min(1.0, max(2.0**-60, _power_below(entry / top))) if entry else 1.0 for entry in sums.tolist()])


def _power_below(value: float) -> float:
    return 2.0 ** (math.frexp(value)[1] - 1) if value else 1.0
