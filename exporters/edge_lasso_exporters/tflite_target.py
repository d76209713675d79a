"""TFLite, written straight to the flatbuffer: float32, float16, and the integer variants of `tflite_quantize.py`.

Input ``x`` [N, k]; outputs ``linear`` [N, outputs] and, for classifiers, ``probability`` [N, 1] (of the second class)
or ``probabilities`` [N, classes], of the link exp ``value`` [N, outputs]; signature ``serving_default``. All variants
that take floats replace missing and huge readings inside the graph (ABS, LESS_EQUAL, SELECT_V2: three operators that
every runtime has).
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import numpy as np

from edge_lasso_runtime.model import EXP_ROOM, Model

from . import dense_bounds, tflite_integers, tflite_quantize
from .dense import Dense, Rows, Term, dense
from .metadata import facts
from .options import ExportError, Options
from .tflite_writer import LINK_QUANTIZATION, Writer
from .usage import tensor_usage

FLOATS = ("float32", "float16")
VARIANTS = (*FLOATS, *tflite_quantize.VARIANTS)
USUAL = True
INPUT, LINEAR = "x", "linear"
LARGEST_LOGIT = 128.0


def default_variant(model: Model) -> str:
    """The variant that ``--to tflite`` means."""
    return "float32"


def handles_missing(options: Options) -> bool:
    """Whether the graph replaces missing readings; integers cannot say that they are missing."""
    return options.variant != "int8io" and options.missing != "caller"


HANDLES_MISSING = handles_missing


def usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """Say how the file is used."""
    return tensor_usage.tflite_usage(model, options, handles_missing(options))


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Write the flatbuffer.

    Parameters
    ----------
    model : Model
    options : Options

    Returns
    -------
    dict
        ``NAME.tflite`` and its bytes.

    Raises
    ------
    ExportError
        The variant cannot express the model.
    """
    plan = _plan(model, options)
    writer = Writer()
    if options.variant in FLOATS:
        shape = _form(plan, options)
        x = writer.input(INPUT, _width(model, options), "float32")
        features = terms(writer, plan, x, options.inputs, handles_missing(options))
        linear = _matrix(writer, shape, features, options.variant)
        extra: dict[str, str] = {}
    else:
        output = tflite_quantize.quantized(plan, options.variant)
        linear = tflite_quantize.build(writer, output, INPUT, options.inputs, terms)
        extra = {key: json.dumps(entry) for key, entry in (encoding(model, options) or {}).items()}
    outputs = _link(writer, model, linear)
    result = facts(model, options, handles_missing(options), promise(model, options)["text"]) | extra
    return {f"{options.name}.tflite": writer.finish(outputs, result, options.name)}


def expected(model: Model, options: Options, rows: Rows) -> tuple[list[list[float]], list[list[float]]]:
    """What the linear predictor must be on rows in artifact order, and the largest allowed difference.

    Float variants and ``dynamic``: the reference and a proven bound. The integer variants: the recomputed integer
    graph and one output step.
    """
    plan = _plan(model, options)
    if options.variant in FLOATS:
        return dense_bounds.expected(_form(plan, options), rows, options.inputs)
    return tflite_integers.expected(tflite_quantize.quantized(plan, options.variant), rows, options.inputs)


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What is promised over the declared ranges."""
    plan = _plan(model, options)
    if options.variant in FLOATS:
        bound = float(np.max(dense_bounds.box_bound(_form(plan, options))))
        text = f"linear within {bound:.3g} of the reference inside the ranges ({options.variant})"
        return {"kind": "bound", "bound": bound, "text": text}
    return tflite_integers.promise(tflite_quantize.quantized(plan, options.variant))


def encoding(model: Model, options: Options) -> dict[str, dict[str, list[float]]] | None:
    """How the caller of ``int8io`` scales readings before, and results after, the tensors' own quantization.

    Returns
    -------
    dict or None
        ``encode`` and ``decode``, each with ``offset`` and ``scale``: the input tensor holds
        ``(x - offset) / scale``, the output tensor ``(y - offset) / scale``.
    """
    if options.variant != "int8io":
        return None
    result = tflite_quantize.quantized(_plan(model, options), options.variant)
    return tflite_quantize.encoding(result, options.inputs)


def _plan(model: Model, options: Options) -> Dense:
    if options.variant not in VARIANTS:
        raise ExportError(f"tflite has no variant {options.variant!r}; it has {', '.join(VARIANTS)}")
    if not any(output.terms for output in model.outputs):
        raise ExportError("tflite cannot express a model without inputs; export it to python, c or onnx")
    if options.variant not in FLOATS and (model.bent or model.outputs[0].link == "exp"):
        what = "hinges and steps" if model.bent else "the link exp"
        raise ExportError(f"tflite:{options.variant} has no integers for {what}; use tflite:float32")
    return dense(model)


def _width(model: Model, options: Options) -> int:
    return len(model.inputs) if options.inputs == "selected" else len(model.columns)


def _form(plan: Dense, options: Options) -> dense_bounds.Form:
    return dense_bounds.choose(plan, "float32", options.variant)


def terms(writer: Writer, plan: Dense, x: int, inputs: str, replaces: bool = True) -> int:
    """Append what computes the terms [N, terms] in float32 from the readings.

    Parameters
    ----------
    writer : Writer
    plan : Dense
    x : int
        The tensor of readings.
    inputs : {"selected", "all"}
        What its columns are.
    replaces : bool
        Whether missing readings become their defaults here.
    """
    model = plan.model
    columns = [i if inputs == "selected" else feature.column for i, feature in enumerate(model.inputs)]
    features = []
    if plan.numeric:
        readings = gather(writer, x, [columns[i] for i in plan.numeric])
        ones = [model.inputs[i] for i in plan.numeric]
        if replaces:
            known = writer.add("LESS_EQUAL", writer.add("ABS", readings), writer.constant([model.limit]), kind="bool")
            defaults = writer.constant([[entry.default for entry in ones]])
            readings = writer.add("SELECT_V2", known, readings, defaults, kind="float32")
        if model.policy == "clamp":
            readings = writer.add("MAXIMUM", readings, writer.constant([[entry.low for entry in ones]]))
            readings = writer.add("MINIMUM", readings, writer.constant([[entry.high for entry in ones]]))
        features.append(readings)
    if plan.indicators:
        states = gather(writer, x, [columns[i] for i, _ in plan.indicators])
        hits = writer.constant([[category for _, category in plan.indicators]])
        hits = writer.add("EQUAL", states, hits, kind="bool")
        features.append(
            writer.add("SELECT_V2", hits, writer.constant([1.0]), writer.constant([0.0]), kind="float32",
                       width=len(plan.indicators))
        )  # fmt: skip
    features += _bends(writer, plan, features[0]) if plan.bends else []
    joined = join(writer, features)
    singles = [term.factors[0] for term in plan.terms if len(term.factors) == 1]
    parts = [gather(writer, joined, singles)] if singles else []
    return join(writer, parts + [_products(writer, joined, n, some) for n, some in plan.products()])


def _bends(writer: Writer, plan: Dense, readings: int) -> list[int]:
    """Hinges and steps, in runs of one kind."""
    parts = []
    for step, run in groupby(plan.bends, lambda bend: bend.step):
        bends = list(run)
        x = gather(writer, readings, [plan.numeric.index(bend.input) for bend in bends])
        knots = writer.constant([[bend.knot for bend in bends]])
        if step:
            above = writer.add("GREATER", x, knots, kind="bool")
            parts.append(
                writer.add("SELECT_V2", above, writer.constant([1.0]), writer.constant([0.0]), kind="float32",
                           width=len(bends))
            )  # fmt: skip
        else:
            parts.append(writer.add("MAXIMUM", writer.add("SUB", x, knots), writer.constant([[0.0]])))
    return parts


def gather(writer: Writer, source: int, columns: list[int]) -> int:
    """Pick columns, unless these are all of them in order."""
    tensor = writer.tensors[source]
    if columns == list(range(tensor.shape[-1])):
        return source
    indices = writer.constant(columns, "int32")
    return writer.add("GATHER", source, indices, width=len(columns), quantization=tensor.quantization, axis=1)


def join(writer: Writer, parts: list[int]) -> int:
    """Put columns beside each other."""
    if len(parts) == 1:
        return parts[0]
    width = sum(writer.tensors[i].shape[-1] for i in parts)
    quantization = writer.tensors[parts[0]].quantization
    return writer.add("CONCATENATION", *parts, width=width, quantization=quantization, axis=1)


def _products(writer: Writer, features: int, length: int, some: list[Term]) -> int:
    product = gather(writer, features, [term.factors[0] for term in some])
    if any(term.scale != 1.0 for term in some):
        product = writer.add("MUL", product, writer.constant([[term.scale for term in some]]))
    for place in range(1, length):
        product = writer.add("MUL", product, gather(writer, features, [term.factors[place] for term in some]))
    return product


def _matrix(writer: Writer, shape: dense_bounds.Form, source: int, storage: str) -> int:
    if shape.offset is not None:
        source = writer.add("SUB", source, writer.constant(shape.offset[None]))
    if shape.scale is not None:
        source = writer.add("MUL", source, writer.constant(shape.scale[None]))
    weights = writer.constant(shape.weights, storage)
    if storage == "float16":
        weights = writer.unpack(weights)
    bias = writer.constant(shape.bias)
    linear = writer.add("FULLY_CONNECTED", source, weights, bias, width=len(shape.bias))
    if shape.outputs is not None:
        linear = writer.add("MUL", linear, writer.constant(shape.outputs[None]))
    writer.rename(linear, LINEAR)
    return linear


def _link(writer: Writer, model: Model, linear: int) -> dict[str, int]:
    kind = writer.tensors[linear].type
    if model.outputs[0].link == "logistic":
        source, quantization = linear, LINK_QUANTIZATION.get(kind)
        if kind == "float32":  # beyond 1e26 XNNPACK's LOGISTIC is NaN
            source = writer.add("MINIMUM", source, writer.constant([LARGEST_LOGIT]))
            source = writer.add("MAXIMUM", source, writer.constant([-LARGEST_LOGIT]))
        value = writer.add("LOGISTIC", source, quantization=quantization, name="probability")
        return {"probability": value, LINEAR: linear}
    if model.outputs[0].link == "softmax":
        return {"probabilities": writer.add("SOFTMAX", linear, name="probabilities"), LINEAR: linear}
    if model.outputs[0].link == "exp":
        held = writer.add("MINIMUM", linear, writer.constant([EXP_ROOM]))
        held = writer.add("MAXIMUM", held, writer.constant([-EXP_ROOM]))
        return {"value": writer.add("EXP", held, name="value"), LINEAR: linear}
    return {LINEAR: linear}
