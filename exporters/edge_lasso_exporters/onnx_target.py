"""ONNX: standard operators only, opset 13 and IR 7, so that onnxruntime 1.16 and older load it.

Input ``x`` [N, k], one column per name in the metadata's ``inputs``. Outputs: ``linear`` [N, outputs]; for classifiers
first ``label`` [N] and ``probabilities`` [N, classes], named and shaped as scikit-learn's converters do.
Missing and huge readings are replaced inside the graph, or by the caller (``--leave-missing``).
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_lasso_runtime.model import EXP_ROOM, Model

from . import dense_bounds
from .dense import Dense, Rows, Term, dense
from .metadata import facts
from .options import ExportError, Options
from .usage import tensor_usage

VARIANTS = ("float32", "float64")
USUAL = True


def handles_missing(options: Options) -> bool:
    """Whether the graph replaces missing readings."""
    return options.missing != "caller"


HANDLES_MISSING = handles_missing
usage = tensor_usage.onnx_usage
OPSET = 13
IR_VERSION = 7
INPUT, LABEL, PROBABILITIES, LINEAR, VALUE = "x", "label", "probabilities", "linear", "value"


def default_variant(model: Model) -> str:
    """The variant that ``--to onnx`` means."""
    return "float32"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Write the graph.

    Parameters
    ----------
    model : Model
    options : Options

    Returns
    -------
    dict
        ``NAME.onnx`` and its bytes.
    """
    shape = _form(model, options)
    graph = Graph(options.variant, replaces=handles_missing(options))
    width = len(model.inputs) if options.inputs == "selected" else len(model.columns)
    names = {"label": LABEL, "probabilities": PROBABILITIES, "linear": LINEAR, "value": VALUE}
    add_model(graph, shape, INPUT, names, options.inputs)
    kind = TensorProto.FLOAT if options.variant == "float32" else TensorProto.DOUBLE
    outputs = [helper.make_tensor_value_info(LINEAR, kind, ["N", len(model.outputs)])]
    if model.outputs[0].link == "exp":
        outputs.insert(0, helper.make_tensor_value_info(VALUE, kind, ["N", len(model.outputs)]))
    if model.classes is not None:
        label = TensorProto.INT64 if integer_classes(model) else TensorProto.STRING
        outputs[:0] = [
            helper.make_tensor_value_info(LABEL, label, ["N"]),
            helper.make_tensor_value_info(PROBABILITIES, kind, ["N", len(model.classes)]),
        ]
    result = helper.make_model(
        helper.make_graph(
            graph.nodes,
            options.name,
            [helper.make_tensor_value_info(INPUT, kind, ["N", width])],
            outputs,
            initializer=graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edge-lasso",
    )
    helper.set_model_props(result, facts(model, options, handles_missing(options), promise(model, options)["text"]))
    onnx.checker.check_model(result, full_check=True)
    return {f"{options.name}.onnx": result.SerializeToString(deterministic=True)}


def expected(model: Model, options: Options, rows: Rows) -> tuple[list[list[float]], list[list[float]]]:
    """The reference's linear predictor on rows in artifact order, and the proven bound per value."""
    return dense_bounds.expected(_form(model, options), rows, options.inputs)


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What is promised over the declared ranges."""
    shape = _form(model, options)
    bound = float(np.max(dense_bounds.box_bound(shape)))
    form = "folded" if shape.offset is None else "centred"
    text = f"linear within {bound:.3g} of the reference inside the ranges ({options.variant}, {form})"
    if dense_bounds.needs_float64(shape):
        text += "; rounding the readings to float32 alone costs more than a 16-bit sensor's step, float64 has none"
    return {"kind": "bound", "bound": bound, "text": text}


def _form(model: Model, options: Options) -> dense_bounds.Form:
    if options.variant not in VARIANTS:
        raise ExportError(f"onnx has no variant {options.variant!r}; it has {', '.join(VARIANTS)}")
    return dense_bounds.choose(dense(model), options.variant)


class Graph:
    """Nodes and constants of one floating type, in the order they are added.

    Parameters
    ----------
    variant : {"float32", "float64"}
    prefix : str
        Of the names of inner tensors.
    replaces : bool
        Whether missing readings become their defaults here.
    """

    def __init__(self, variant: str, prefix: str = "", replaces: bool = True) -> None:
        self.type = np.dtype(variant)
        self.prefix = prefix
        self.replaces = replaces
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Append a node and return its output's name."""
        name = to or f"{self.prefix}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Store an array, of the graph's type unless told, and return its name."""
        name = f"{self.prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype or self.type), name))
        return name

    def gather(self, source: str, columns: list[int]) -> str:
        """Pick columns."""
        return self.add("Gather", source, self.constant(columns, np.int64), axis=1)

    def cast(self, source: str) -> str:
        """Convert to the graph's type."""
        name = f"{self.prefix}{len(self.nodes)}"
        kind = helper.np_dtype_to_tensor_dtype(self.type)
        self.nodes.append(helper.make_node("Cast", [source], [name], to=kind))
        return name

    def join(self, parts: list[str]) -> str:
        """Put columns beside each other."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)


def add_model(graph: Graph, shape: dense_bounds.Form, x: str, names: dict[str, str], inputs: str = "selected") -> None:
    """Append a model's nodes.

    Parameters
    ----------
    graph : Graph
    shape : Form
    x : str
        The tensor of readings, of the graph's type.
    names : dict
        Output tensor names for ``linear``, ``value`` (where the link is exp) and, for classifiers, ``label`` and
        ``probabilities``; '' leaves one out.
    inputs : {"selected", "all"}
        What the columns of `x` are.
    """
    plan, model = shape.plan, shape.plan.model
    if plan.terms:
        terms = _terms(graph, plan, x, inputs)
        if shape.offset is not None:
            terms = graph.add("Sub", terms, graph.constant(shape.offset[None]))
        weights, bias = graph.constant(shape.weights), graph.constant(shape.bias)
        linear = graph.add("Gemm", terms, weights, bias, to=names["linear"], transB=1)
    else:
        count = graph.add("Gather", graph.add("Shape", x), graph.constant([0], np.int64), axis=0)
        size = graph.add("Concat", count, graph.constant([len(model.outputs)], np.int64), axis=0)
        linear = graph.add("Expand", graph.constant(shape.bias[None]), size, to=names["linear"])
    if model.classes is not None:
        _classify(graph, model, linear, names)
    elif model.outputs[0].link == "exp" and names.get("value"):
        held = graph.add("Max", graph.constant([[-EXP_ROOM]]), linear)
        graph.add("Exp", graph.add("Min", graph.constant([[EXP_ROOM]]), held), to=names["value"])


def integer_classes(model: Model) -> bool:
    """Whether the labels are written as int64, as scikit-learn's converters do for integer classes."""
    return all(_is_int64(label) for label in model.classes or ())


def _is_int64(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 18 and text == str(int(text))


def _terms(graph: Graph, plan: Dense, x: str, inputs: str) -> str:
    model = plan.model
    columns = [i if inputs == "selected" else feature.column for i, feature in enumerate(model.inputs)]
    width = len(model.inputs) if inputs == "selected" else len(model.columns)
    features = []
    if plan.numeric:
        wanted = [columns[i] for i in plan.numeric]
        readings = x if wanted == list(range(width)) else graph.gather(x, wanted)
        ones = [model.inputs[i] for i in plan.numeric]
        if graph.replaces:
            known = graph.add("LessOrEqual", graph.add("Abs", readings), graph.constant(model.limit))
            readings = graph.add("Where", known, readings, graph.constant([[entry.default for entry in ones]]))
        if model.policy == "clamp":
            readings = graph.add("Max", readings, graph.constant([[entry.low for entry in ones]]))
            readings = graph.add("Min", readings, graph.constant([[entry.high for entry in ones]]))
        features.append(readings)
    if plan.indicators:
        states = graph.gather(x, [columns[i] for i, _ in plan.indicators])
        hits = graph.add("Equal", states, graph.constant([[category for _, category in plan.indicators]]))
        features.append(graph.cast(hits))
    features += _bends(graph, plan, features[0]) if plan.bends else []
    joined = graph.join(features)
    singles = [term.factors[0] for term in plan.terms if len(term.factors) == 1]
    parts = []
    if singles:
        parts.append(joined if singles == list(range(plan.width)) else graph.gather(joined, singles))
    return graph.join(parts + [_products(graph, joined, n, terms) for n, terms in plan.products()])


def _bends(graph: Graph, plan: Dense, readings: str) -> list[str]:
    """Hinges and steps, in runs of one kind."""
    parts = []
    for step, run in groupby(plan.bends, lambda bend: bend.step):
        bends = list(run)
        x = graph.gather(readings, [plan.numeric.index(bend.input) for bend in bends])
        knots = graph.constant([[bend.knot for bend in bends]])
        if step:
            parts.append(graph.cast(graph.add("Greater", x, knots)))
        else:
            parts.append(graph.add("Max", graph.add("Sub", x, knots), graph.constant([[0.0]])))
    return parts


def _products(graph: Graph, features: str, length: int, terms: list[Term]) -> str:
    product = graph.gather(features, [term.factors[0] for term in terms])
    if any(term.scale != 1.0 for term in terms):
        product = graph.add("Mul", product, graph.constant([[term.scale for term in terms]]))
    for place in range(1, length):
        product = graph.add("Mul", product, graph.gather(features, [term.factors[place] for term in terms]))
    return product


def _classify(graph: Graph, model: Model, linear: str, names: dict[str, str]) -> None:
    binary = len(model.outputs) == 1
    scores = graph.join([graph.add("Neg", linear), linear]) if binary else linear
    if names.get("probabilities"):
        op, attributes = ("Sigmoid", {}) if binary else ("Softmax", {"axis": 1})
        graph.add(op, scores, to=names["probabilities"], **attributes)
    if names.get("label"):
        first = graph.add("ArgMax", scores, axis=1, keepdims=0)
        if integer_classes(model):
            labels = graph.constant([int(label) for label in model.classes or ()], np.int64)
        else:
            labels = graph.constant(list(model.classes or ()), object)
        graph.add("Gather", labels, first, to=names["label"], axis=0)
