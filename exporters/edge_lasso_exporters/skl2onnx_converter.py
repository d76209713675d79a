"""skl2onnx knows our estimators: ``skl2onnx.to_onnx(pipeline, X[:1])`` works with one of them in the pipeline.

skl2onnx asks an estimator that it does not know for `onnx_shape_calculator` and `onnx_converter`, so nothing has to be
registered, and skl2onnx is imported only by who uses it. The estimator's two methods return `shapes` and `convert`;
all that these need is its `model_`. Regressors give ``variable`` [N, outputs]; classifiers ``label`` [N] and
``probabilities`` [N, classes].
"""

from __future__ import annotations

from typing import Any

from onnx import helper
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

from edge_lasso_runtime.model import Model

from .dense import dense
from .dense_bounds import choose
from .onnx_target import OPSET, Graph, add_model, integer_classes
from .options import ExportError


def shapes(operator: Any) -> None:
    """Set the types and shapes of an operator's outputs."""
    model = _model(operator)
    count = operator.inputs[0].get_first_dimension()
    number = DoubleTensorType if _variant(operator) == "float64" else FloatTensorType
    if model.classes is None:
        operator.outputs[0].type = number([count, len(model.outputs)])
        return
    label = Int64TensorType if integer_classes(model) else StringTensorType
    operator.outputs[0].type = label([count])
    operator.outputs[1].type = number([count, len(model.classes)])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Append an estimator's nodes.

    Raises
    ------
    ExportError
        `target_opset` is lower than what the nodes need.
    """
    model, variant = _model(operator), _variant(operator)
    if container.target_opset < OPSET:
        raise ExportError(
            f"target_opset={container.target_opset} is too low for edge-lasso; it must be {OPSET} or more"
        )
    graph = Graph(variant, scope.get_unique_variable_name("edge_lasso") + "_")
    kinds = {DoubleTensorType: "float64", FloatTensorType: "float32"}
    parts = [
        feature.full_name if kinds.get(type(feature.type)) == variant else graph.cast(feature.full_name)
        for feature in operator.inputs
    ]
    outputs = [output.full_name for output in operator.outputs]
    if model.classes is None:
        names = {"linear": outputs[0]}
    else:
        inner = scope.get_unique_variable_name("linear")
        names = {"label": outputs[0], "probabilities": outputs[1], "linear": inner}
    add_model(graph, choose(dense(model), variant), graph.join(parts), names, "all")
    for tensor in graph.constants:
        container.initializers.append(tensor)
    for node in graph.nodes:
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        name = scope.get_unique_operator_name(node.op_type)
        container.add_node(node.op_type, list(node.input), list(node.output), name=name, **attributes)


def _model(operator: Any) -> Model:
    model: Model = operator.raw_operator.model_
    return model


def _variant(operator: Any) -> str:
    return "float64" if any(isinstance(feature.type, DoubleTensorType) for feature in operator.inputs) else "float32"
