"""How the files of tensor runtimes are used."""

from __future__ import annotations

from edge_lasso_exporters.options import Options
from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

from .sample import sample

ONNX = """```python
import numpy
import onnxruntime

session = onnxruntime.InferenceSession("{name}.onnx")
rows = numpy.array([{row}], dtype=numpy.{type})
print(session.run(None, {{session.get_inputs()[0].name: rows}}))
```

`pip install onnxruntime`. Columns, defaults, ranges and rows to test it with are in the file's metadata."""
TFLITE = """```python
{json}import numpy
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter("{name}.tflite")
interpreter.allocate_tensors()
(put,), given = interpreter.get_input_details(), interpreter.get_output_details()
rows = numpy.array([{row}])
{encode}interpreter.set_tensor(put["index"], rows.astype(put["dtype"]))
interpreter.invoke()
print([interpreter.get_tensor(tensor["index"]) for tensor in given])
```

`pip install ai-edge-litert` (on 32-bit boards `tflite-runtime`, whose module is `tflite_runtime.interpreter`)."""
ENCODE = """scale, zero = put["quantization"]
encode = json.load(open("artifact.json"))["encoding"]["encode"]
rows = numpy.rint((rows - encode["offset"]) / encode["scale"] / scale + zero).clip(-128, 127)
"""
MISSING = """
A reading that is missing is replaced by the caller, before the call: the table below has the values."""
STATE = """
It predicts, and keeps no state: `caller` in `artifact.json` names what is left to the program around it."""


def onnx_usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``onnx``; its code runs in the artifact's folder."""
    text = ONNX.format(name=options.name, row=_row(model, options), type=options.variant)
    text += MISSING if options.missing == "caller" else ""
    return text + (STATE if keeps_state(model) else ""), {}


def tflite_usage(model: Model, options: Options, handles_missing: bool) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``tflite``."""
    whole = options.variant == "int8io"
    encode, imports = (ENCODE, "import json\n\n") if whole else ("", "")
    text = TFLITE.format(name=options.name, row=_row(model, options), encode=encode, json=imports)
    return text + ("" if handles_missing else MISSING) + (STATE if keeps_state(model) else ""), {}


def _row(model: Model, options: Options) -> list[float]:
    values = sample(model)
    if options.inputs == "selected":
        return values
    wide = [0.0] * len(model.columns)
    for feature, value in zip(model.inputs, values, strict=True):
        wide[feature.column] = value
    return wide
