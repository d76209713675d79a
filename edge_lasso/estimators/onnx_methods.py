"""What skl2onnx asks an estimator that it does not know, so that nothing has to be registered."""

from __future__ import annotations

from typing import Any


class OnnxMethods:
    """Lets ``skl2onnx.to_onnx`` convert pipelines that end in an estimator with a `model_`."""

    def onnx_shape_calculator(self) -> Any:
        """What skl2onnx calls for the shape of the outputs."""
        from edge_lasso_exporters.skl2onnx_converter import shapes

        return shapes

    def onnx_converter(self) -> Any:
        """What skl2onnx calls for the nodes."""
        from edge_lasso_exporters.skl2onnx_converter import convert

        return convert
