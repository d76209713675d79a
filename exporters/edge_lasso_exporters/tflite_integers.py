"""What the integers of a TFLite file give: the graph recomputed, and how far it can be from the model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .dense import SMALLEST, UNIT, Array, Rows, features_of, products_of, read, reference, rounded
from .dense_bounds import SLACK, as_array, box_terms, gamma, reference_error, row_terms
from .tflite_quantize import INPUT_TOP, Integers, Quantized


def expected(quantized: Quantized, rows: Rows, inputs: str) -> tuple[list[list[float]], list[list[float]]]:
    """What the linear predictor must be, and the largest allowed difference; see `tflite_target.expected`."""
    plan = quantized.plan
    if quantized.variant == "dynamic":
        return reference(plan.model, rows, inputs), _dynamic_bound(quantized, rows, inputs).tolist()
    content = read(plan.model, rows, inputs)
    if quantized.variant == "int8io":
        defaults = np.array([feature.default or 0.0 for feature in plan.model.inputs])
        known = np.where(np.abs(content) <= plan.model.limit, content, defaults)
        x = (features_of(plan, known)[:, [term.factors[0] for term in plan.terms]] - quantized.offset) * quantized.scale
        unsure = np.full(x.shape, 2.0**-40)
    else:
        x, unsure = _scaled(quantized, content)
    top = INPUT_TOP[quantized.kind]
    q = np.clip(np.sign(x) * np.floor(np.abs(x) / quantized.step_in + 0.5), -top - 1, top).astype(np.int64)
    part = np.abs(x) / quantized.step_in
    tie = np.abs(part - np.floor(part) - 0.5) <= unsure / quantized.step_in
    out = integers(quantized, q)
    value = quantized.constant + quantized.step_out * (out - quantized.zero_out)
    allowed = quantized.step_out + tie.astype(np.float64) @ np.abs(quantized.kept).T * quantized.step_in
    allowed = allowed + 4.0 * UNIT["float32"] * (np.abs(value) + np.abs(quantized.constant)) + SMALLEST["float32"]
    return value.tolist(), (allowed * SLACK).tolist()


def integers(quantized: Quantized, q: Integers) -> Integers:
    """The integer graph: the matrix product and TFLite's requantization, per row and output."""
    top = INPUT_TOP[quantized.kind]
    total = q @ quantized.weights.T + quantized.bias
    out = np.empty_like(total)
    for m in range(total.shape[1]):
        gain = quantized.step_in * float(quantized.steps[m]) / float(quantized.step_out[m])
        requantize = multiply_int32 if quantized.kind == "int8" else multiply_int64
        out[:, m] = requantize(total[:, m], *quantize_multiplier(gain)) + quantized.zero_out[m]
    return np.clip(out, -top - 1, top)


def quantize_multiplier(gain: float) -> tuple[int, int]:
    """TFLite's `QuantizeMultiplier`: a 31-bit mantissa and an exponent."""
    mantissa, shift = math.frexp(gain)
    fixed = math.floor(mantissa * 2.0**31 + 0.5)
    return (fixed // 2, shift + 1) if fixed == 2**31 else (fixed, shift)


def multiply_int32(x: Integers, multiplier: int, shift: int) -> Integers:
    """TFLite's `MultiplyByQuantizedMultiplier` for int32: a doubling high product, then a rounding shift."""
    product = (x << max(shift, 0)) * multiplier
    high = np.where(product >= 0, product + 2**30, product + 1 - 2**30)
    high = np.where(high >= 0, high >> 31, -((-high) >> 31))
    right = max(-shift, 0)
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def multiply_int64(x: Integers, multiplier: int, shift: int) -> Integers:
    """TFLite's `MultiplyByQuantizedMultiplier` for int64: the multiplier reduced to 16 bits."""
    reduced = (multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF
    total = 15 - shift
    return (x * reduced + (1 << (total - 1))) >> total


def promise(quantized: Quantized) -> dict[str, Any]:
    """What is promised over the declared ranges."""
    terms = box_terms(quantized.plan, "float32", quantized.offset)
    error = _input_error(quantized, terms.moved + terms.error, terms.centred)
    if quantized.variant == "dynamic":
        largest = np.max(terms.centred * quantized.scale, axis=1, keepdims=True)
        worst = _dynamic(quantized, terms.centred * quantized.scale, error, largest) + reference_error(
            quantized.plan, terms
        )
        bound = float(np.max(worst))
        text = f"linear within {bound:.3g} of the reference inside the ranges (int8 weights)"
        return {"kind": "bound", "bound": bound, "text": text}
    if quantized.variant == "int8io":
        error = np.zeros_like(error)
    worst = (error + quantized.step_in / 2.0) @ np.abs(quantized.kept).T + quantized.off + quantized.step_out
    worst = worst + 4.0 * UNIT["float32"] * (
        np.abs(quantized.constant) + quantized.step_out * 2 * INPUT_TOP[quantized.kind]
    )
    bound = float(np.max((worst + reference_error(quantized.plan, terms)) * SLACK))
    text = f"within one output step of the recomputed integers, and within {bound:.3g} of the reference in the ranges"
    return {"kind": "one output step", "bound": bound, "text": text}


def _scaled(quantized: Quantized, given: Array) -> tuple[Array, Array]:
    """The scaled terms in float32, as the graph computes them, and how far another machine may be off."""
    plan = quantized.plan
    features = features_of(plan, rounded(plan.model, given, "float32"))
    exact, error = products_of(plan, features, "float32")
    single = np.float32
    values = np.zeros(exact.shape, dtype=single)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for j, term in enumerate(plan.terms):
            value = features[:, term.factors[0]].astype(single)
            if term.scale != 1.0:
                value = value * single(term.scale)
            for factor in term.factors[1:]:
                value = value * features[:, factor].astype(single)
            values[:, j] = value
        scaled = (values - quantized.offset.astype(single)) * quantized.scale.astype(single)
        x: Array = np.clip(scaled.astype(np.float64), -1.0, 1.0)
        products = np.array([len(term.factors) > 1 for term in plan.terms])
        unsure = np.where(products, error * quantized.scale, 0.0) + 2.0**-40
    return x, np.minimum(unsure, 1.0).astype(np.float64)


def _dynamic_bound(quantized: Quantized, rows: Rows, inputs: str) -> Array:
    terms = row_terms(quantized.plan, "float32", quantized.offset, rows, inputs)
    size = terms.centred * quantized.scale
    error = _input_error(quantized, terms.moved + terms.error, terms.centred)
    beyond = (
        terms.centred @ np.abs(as_array(quantized.plan, quantized.plan.weights) - quantized.kept * quantized.scale).T
    )
    largest = np.max(size + error, axis=1, keepdims=True)
    return _dynamic(quantized, size, error, largest) + (beyond + reference_error(quantized.plan, terms)) * SLACK


def _dynamic(quantized: Quantized, size: Array, error: Array, largest: Array) -> Array:
    """Runtimes quantize a row of floats to int8, symmetric or not: at most one step of its largest magnitude off."""
    u = UNIT["float32"]
    remaining = np.abs(quantized.kept).T
    count = np.count_nonzero(quantized.weights, axis=1)
    step = largest * (1.0 + 2.0**-10) / 127.0
    summed = (size + error + step) @ remaining + np.abs(quantized.constant)
    total: Array = (error + step) @ remaining + (gamma(count + 8, u) + 2.0 * u) * summed + quantized.off
    return total * SLACK


def _input_error(quantized: Quantized, moved: Array, centred: Array) -> Array:
    """How far x' is off before it is rounded to an integer."""
    u, tiny = UNIT["float32"], SMALLEST["float32"]
    return (moved + u * (centred + moved) + tiny) * quantized.scale * (1.0 + u) + u * centred * quantized.scale + tiny
