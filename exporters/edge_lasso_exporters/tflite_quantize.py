"""Integer variants of the TFLite target: what is stored, what the integers give, and how far that is from the model.

Each term is shifted and scaled to [-1, 1] inside the graph (``int8io``: by the caller), so that raw units do not ruin
eight bits. A single output has no weight rounding at all: what a weight loses in rounding, its term's scale makes up
for. Scales have eight significant bits, so that every product of scales, and the requantization, is exact in float32:
runtimes can only differ in how they round ties.

Variants: ``dynamic`` (int8 weights, floats quantized by the runtime), ``int8`` and ``int16x8`` (floats in and out,
integer matrix product), ``int8io`` (integers in and out).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .dense import Array, Dense
from .dense_bounds import as_array
from .options import ExportError
from .tflite_writer import RELU_N1_TO_1, Writer

VARIANTS = ("dynamic", "int8", "int8io", "int16x8")
WEIGHT = 127
INPUT_TOP = {"int8": 127, "int16": 32767}
SMALLEST_STEP = 2.0**-90
SMALLEST_HALF = 2.0**-100
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Quantized:
    """A model in integers: ``y = constant + step * (zero + round(gain * (W q + b)) - zero)``.

    Parameters
    ----------
    plan : Dense
    variant : str
    kind : str
        The integer type of activations.
    offset, scale : array, shape (terms,)
        ``x' = (t - offset) * scale`` lies in [-1, 1] inside the ranges.
    step_in : float
        The value of one integer of x'.
    weights : array of int, shape (outputs, terms)
    steps : array, shape (outputs,)
        The value of one integer of the weights.
    bias : array of int, shape (outputs,)
        In units of `step_in` times `steps`; of `dynamic`, not used.
    constant : array, shape (outputs,)
        Added in floats after the integers; of `dynamic`, the bias.
    step_out, zero_out : arrays, shape (outputs,)
    off : array, shape (outputs,)
        The largest effect of rounding weights and biases inside the ranges.
    """

    plan: Dense
    variant: str
    kind: str
    offset: Array
    scale: Array
    step_in: float
    weights: Integers
    steps: Array
    bias: Integers
    constant: Array
    step_out: Array
    zero_out: Integers
    off: Array

    @property
    def kept(self) -> Array:
        """The weights of x' that the integers stand for."""
        return self.weights * self.steps[:, None]


def quantized(plan: Dense, variant: str) -> Quantized:
    """Quantize a model.

    Parameters
    ----------
    plan : Dense
    variant : str
        One of `VARIANTS`.

    Raises
    ------
    ExportError
        The variant cannot express the model.
    """
    if variant == "int8io":
        _refuse_io(plan)
    kind = "int16" if variant == "int16x8" else "int8"
    top = INPUT_TOP[kind]
    step_in = 1.0 / (top + 1)
    low, high = plan.ranges()
    offset = _float32((low + high) / 2.0)
    half = np.maximum(high - offset, offset - low)
    wide = half > SMALLEST_HALF
    exact = as_array(plan, plan.weights)
    size = np.abs(exact)
    limit = _float32(np.where(wide, top * step_in / np.where(wide, half, 1.0), 0.0) * (1.0 - 2.0**-22))
    if variant == "dynamic":  # only ratios of scales matter: keep the largest readings from overflowing
        limit = limit * 2.0 ** min(0, 120 - max(map(_exponent, (limit * plan.largest()).tolist())))
    wanted = np.where(wide, size / np.where(wide, limit, 1.0), 0.0)
    largest = wanted.max(axis=1)
    middle = _middle(plan, offset)
    if variant == "dynamic":
        step_out, zero, constant = np.zeros(len(exact)), np.zeros(len(exact), dtype=np.int64), middle
        steps = _float32(np.maximum(largest / WEIGHT, SMALLEST_STEP) * (1.0 + 2.0**-22))
    else:
        rounding = np.count_nonzero(exact, axis=1) * largest / (2 * WEIGHT) * (len(exact) > 1)
        reach = size @ np.where(wide, half, 0.0) * (1.0 + 2.0 / top) + rounding
        step_out, zero, constant = _outputs(plan, variant, kind, middle, reach)
        room = np.abs(middle - constant) / step_in / step_out / 2.0**30
        steps = step_out * _eight_bits(np.maximum(np.maximum(largest / WEIGHT / step_out, room), 2.0**-20))
    weights = np.zeros(exact.shape)
    ready = np.divide(wanted, steps[:, None])
    if len(exact) == 1:
        weights[0] = np.sign(exact[0]) * np.clip(np.ceil(ready[0]), 0, WEIGHT)
        used = weights[0] != 0.0
        scale = np.where(used, _float32(size[0] / np.where(used, np.abs(weights[0]) * steps[0], 1.0)), 0.0)
    else:
        weights = np.sign(exact) * np.clip(np.round(ready), 0, WEIGHT)
        scale = limit
    bias_step = step_in * steps
    bias = np.round((middle - constant) / bias_step) * (variant != "dynamic")
    remaining = weights * steps[:, None]
    off = np.abs(exact - remaining * scale) @ half + np.abs(middle - constant - bias * bias_step)
    return Quantized(
        plan, variant, kind, offset, scale, step_in, weights.astype(np.int64), steps, bias.astype(np.int64), constant,
        step_out, zero, off,
    )  # fmt: skip


def _outputs(plan: Dense, variant: str, kind: str, middle: Array, reach: Array) -> tuple[Array, Integers, Array]:
    """Step, zero point and constant of each output, so that nothing inside the ranges saturates."""
    low, high = middle - reach, middle + reach
    if kind == "int16" or (variant == "int8io" and len(middle) > 1):
        plain = np.zeros(len(middle), dtype=bool)
    else:
        plain = (low <= 0.0) & (high >= 0.0)
        if variant == "int8io" and plan.model.outputs[0].link != "identity":
            plain[:] = True  # an integer LOGISTIC reads the true zero
            low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    half = INPUT_TOP[kind]
    finest = np.maximum(np.abs(middle) * 2.0**-23, SMALLEST_STEP)  # floats could not tell finer steps apart
    step = _eight_bits(np.maximum(np.where(plain, (high - low) / (2 * half), reach / half), finest))
    zero = np.where(plain, np.round(-0.5 - (low + high) / 2.0 / step), 0.0).astype(np.int64)
    constant = np.where(plain, 0.0, _float32(middle))
    return step, zero, constant


def build(
    writer: Writer, result: Quantized, name: str, inputs: str, terms: Callable[[Writer, Dense, int, str], int]
) -> int:
    """Append the graph up to the linear predictor.

    Parameters
    ----------
    writer : Writer
    made : Quantized
    name : str
        Of the input tensor.
    inputs : {"selected", "all"}
    terms : callable
        Appends what computes the terms in floats.

    Returns
    -------
    int
        The tensor ``linear``.
    """
    model, count = result.plan.model, len(result.weights)
    width = len(model.inputs) if inputs == "selected" else len(model.columns)
    quantization = (result.step_in, 0)
    if result.variant == "int8io":
        x = writer.input(name, width, result.kind, quantization)
        columns = _columns(result.plan, inputs)
        if columns != list(range(width)):
            x = writer.add("GATHER", x, writer.constant(columns, "int32"), width=len(columns),
                           quantization=quantization, axis=1)  # fmt: skip
    else:
        x = terms(writer, result.plan, writer.input(name, width, "float32"), inputs)
        x = writer.add("SUB", x, writer.constant(result.offset[None]))
        clamped = 0 if result.variant == "dynamic" else RELU_N1_TO_1
        x = writer.add("MUL", x, writer.constant(result.scale[None]), activation=clamped)
        if result.variant != "dynamic":
            x = writer.add("QUANTIZE", x, kind=result.kind, quantization=quantization)
    parts = [_row(writer, result, m, x) for m in range(count)]
    if count > 1:
        parts = [
            writer.add("CONCATENATION", *parts, width=count, axis=1, quantization=writer.tensors[parts[0]].quantization)
        ]
    linear = parts[0]
    if result.variant in ("int8", "int16x8") and np.any(result.constant):
        linear = writer.add("ADD", linear, writer.constant(result.constant[None]))
    writer.rename(linear, "linear")
    return linear


def _row(writer: Writer, result: Quantized, m: int, x: int) -> int:
    """The matrix product of one output: each has scales of its own."""
    if result.variant == "dynamic":
        weights = writer.constant(result.weights[m : m + 1], "int8", (float(result.steps[m]), 0))
        return writer.add("FULLY_CONNECTED", x, weights, writer.constant(result.constant[m : m + 1]), width=1)
    step, zero = float(result.step_out[m]), int(result.zero_out[m])
    steps = float(result.steps[m])
    if (
        result.variant == "int8io" and len(result.weights) > 1
    ):  # one tensor, one nominal scale; `decode` has the real ones
        steps, step = steps / step * result.step_in, result.step_in
    weights = writer.constant(result.weights[m : m + 1], "int8", (steps, 0))
    kind = "int32" if result.kind == "int8" else "int64"
    bias = writer.constant(result.bias[m : m + 1], kind, (result.step_in * steps, 0))
    out = writer.add("FULLY_CONNECTED", x, weights, bias, width=1, quantization=(step, zero))
    return out if result.variant == "int8io" else writer.add("DEQUANTIZE", out, kind="float32")


def encoding(result: Quantized, inputs: str) -> dict[str, dict[str, list[float]]]:
    """See `tflite_target.encoding`."""
    model = result.plan.model
    width = len(model.inputs) if inputs == "selected" else len(model.columns)
    offset, scale = [0.0] * width, [1.0] * width
    for j, column in enumerate(_columns(result.plan, inputs)):
        offset[column] = float(result.offset[j])
        scale[column] = 1.0 / float(result.scale[j]) if result.scale[j] else 1.0
    several = len(result.weights) > 1
    factor = [float(step) / result.step_in if several else 1.0 for step in result.step_out]
    return {
        "encode": {"offset": offset, "scale": scale},
        "decode": {"offset": result.constant.tolist(), "scale": factor},
    }


def _columns(plan: Dense, inputs: str) -> list[int]:
    places = [plan.numeric[term.factors[0]] for term in plan.terms]
    return [i if inputs == "selected" else plan.model.inputs[i].column for i in places]


def _refuse_io(plan: Dense) -> None:
    if plan.indicators or plan.products():
        raise ExportError("tflite:int8io takes integers, so terms must be single numeric inputs; use tflite:int8")
    if plan.model.outputs[0].link == "softmax":
        raise ExportError("tflite:int8io has no common scale for a softmax over outputs; use tflite:int8")


def _middle(plan: Dense, offset: Array) -> Array:
    shift = [Fraction(x) for x in offset.tolist()]
    return np.array([
        float(b + sum((w * o for w, o in zip(row, shift, strict=True)), Fraction(0)))
        for b, row in zip(plan.bias, plan.weights, strict=True)
    ])  # fmt: skip


def _float32(values: Array) -> Array:
    return values.astype(np.float32).astype(np.float64)


def _eight_bits(values: Array) -> Array:
    """The next number with eight significant bits."""
    mantissa, exponent = np.frexp(values)
    result: Array = np.ldexp(np.ceil(mantissa * 256.0), exponent - 8)
    return result


def _exponent(value: float) -> int:
    return math.frexp(value)[1]
