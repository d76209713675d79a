"""The TFLite writer refuses what runtimes accept without a word and compute wrongly, and declares true versions."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edge_lasso_exporters import flatbuffer, tflite_target, tflite_writer
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_exporters.tflite_writer import LINK_QUANTIZATION, Writer
from edge_lasso_runtime.errors import SessionError
from edge_lasso_runtime.sessions import load

STEP = 2.0**-7


def integer_matrix(zero=0, bias_scale=STEP * 0.5, bias_kind="int32", outputs=1, low=-127, out=(0.25, 0)):
    writer = Writer()
    x = writer.input("x", 2, "int8", (STEP, 0))
    weights = writer.constant([[low, 64]] * outputs, "int8", (0.5, zero))
    bias = writer.constant([10] * outputs, bias_kind, (bias_scale, 0))
    y = writer.add("FULLY_CONNECTED", x, weights, bias, width=outputs, quantization=out)
    return writer, y


def linked(op, out):
    writer, y = integer_matrix()
    return writer, writer.add(op, y, quantization=out)


def gathered(indices=(1, 0), kind="int32", out=(STEP, 0)):
    writer = Writer()
    x = writer.input("x", 2, "int8", (STEP, 0))
    return writer, writer.add("GATHER", x, writer.constant(indices, kind), width=2, quantization=out, axis=1)


def joined(second):
    writer, y = integer_matrix()
    weights = writer.constant([[1, 2]], "int8", (0.5, 0))
    bias = writer.constant([1], "int32", (STEP * 0.5, 0))
    other = writer.add("FULLY_CONNECTED", 0, weights, bias, width=1, quantization=second)
    return writer, writer.add("CONCATENATION", y, other, width=2, quantization=(0.25, 0), axis=1)


def sixteen(zero):
    writer = Writer()
    x = writer.input("x", 2, "float32")
    return writer, writer.add("QUANTIZE", x, kind="int16", quantization=(2.0**-15, zero))


def narrow():
    writer = Writer()
    x = writer.input("x", 3, "float32")
    return writer, writer.add("FULLY_CONNECTED", x, writer.constant([[1.0, 2.0]]), writer.constant([0.0]), width=1)


def scaleless():
    writer = Writer()
    x = writer.input("x", 2, "float32")
    return writer, writer.add("QUANTIZE", x, kind="int8")


def hybrid():
    writer = Writer()
    x = writer.input("x", 2, "float32")
    weights = writer.constant([[1, 2], [3, 4]], "int8", (0.5, 0))
    return writer, writer.add("FULLY_CONNECTED", x, weights, writer.constant([0.0, 0.0]), width=2)


def test_the_checked_graphs_are_fine_otherwise():
    for writer, y in (
        integer_matrix(), linked("LOGISTIC", LINK_QUANTIZATION["int8"]), gathered(), joined((0.25, 0)), sixteen(0)
    ):  # fmt: skip
        interpreter = Interpreter(model_content=writer.finish({"y": y}, {}, "test"))
        interpreter.allocate_tensors()
        interpreter.invoke()


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (lambda: integer_matrix(zero=3), "weights must have zero point 0"),
        (lambda: integer_matrix(low=-128), "within \\+-127"),
        (lambda: integer_matrix(bias_scale=STEP), "bias must be int32 with scale 0.00390625"),
        (lambda: integer_matrix(bias_kind="int64"), "bias must be int32"),
        (lambda: integer_matrix(outputs=2), "several outputs share one scale"),
        (hybrid, "several outputs share one scale"),
        (lambda: linked("LOGISTIC", (1.0 / 255.0, -128)), "scale and zero point \\(0.00390625, -128\\)"),
        (lambda: linked("SOFTMAX", (1.0 / 256.0, 0)), "scale and zero point \\(0.00390625, -128\\)"),
        (lambda: gathered(out=(2 * STEP, 0)), "must be the same"),
        (lambda: gathered(kind="int64"), "indices must be int32 from 0 to 1"),
        (lambda: gathered(indices=(0, 2)), "indices must be int32 from 0 to 1"),
        (lambda: joined((0.5, 0)), "must be the same"),
        (lambda: sixteen(7), "int16 with a zero point"),
        (narrow, "weights \\(1, 2\\) do not fit 3 inputs and 1 outputs"),
        (scaleless, "int8 without a scale"),
    ],
)
def test_what_would_be_computed_wrongly_is_refused(made, what):
    writer, y = made()
    with pytest.raises(ExportError, match=what):
        writer.finish({"y": y}, {}, "test")


def test_without_the_check_a_runtime_says_nothing_and_is_wrong(monkeypatch):
    """Why the checks exist: the same weights with a zero point of 3, which the kernel does not expect."""
    right = _first(*integer_matrix())
    monkeypatch.setattr(tflite_writer, "check", lambda *_: None)
    assert _first(*gathered(out=(2 * STEP, 0))) == [100, 100]  # twice the value, by relabelling
    assert _first(*integer_matrix(bias_scale=STEP)) == right  # the scale is ignored: bias counts half of what it says


def _first(writer, y):
    interpreter = Interpreter(model_content=writer.finish({"y": y}, {}, "test"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([[100, 100]], dtype=np.int8))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].tolist()


def test_operator_versions_and_the_runtime_they_need(make):
    model = make(k=3, outputs=2)
    wanted = {
        "float32": {"FULLY_CONNECTED": 1, "SELECT_V2": 1, "GATHER": 1},
        "float16": {"FULLY_CONNECTED": 1, "DEQUANTIZE": 3},
        "dynamic": {"FULLY_CONNECTED": 3, "CONCATENATION": 1, "MUL": 1},
        "int8": {"FULLY_CONNECTED": 4, "QUANTIZE": 1, "DEQUANTIZE": 2, "CONCATENATION": 1},
        "int8io": {"FULLY_CONNECTED": 4, "GATHER": 2, "CONCATENATION": 2},
        "int16x8": {"FULLY_CONNECTED": 7, "QUANTIZE": 2, "DEQUANTIZE": 3},
    }
    oldest = {"int8io": b"1.14.0", "int16x8": b"2.3.0"}
    for variant, versions in wanted.items():
        data = tflite_target.render(model, Options(variant, "all"))["model.tflite"]
        read = schema.ModelT.InitFromPackedBuf(data, 0)
        found = {_name(code.builtinCode): code.version for code in read.operatorCodes}
        assert versions.items() <= found.items(), variant
        (entry,) = [one for one in read.metadata if one.name == b"min_runtime_version"]
        assert bytes(read.buffers[entry.buffer].data).rstrip(b"\0") == oldest.get(variant, b"2.2.0")


def _name(code):
    return next(name for name, value in vars(schema.BuiltinOperator).items() if value == code)


def test_codes_are_those_of_the_schema():
    for name, (code, _) in tflite_writer.OPERATORS.items():
        assert getattr(schema.BuiltinOperator, name) == code
    for name, code in tflite_writer.TYPES.items():
        assert getattr(schema.TensorType, name.upper()) == code


def test_a_row_of_the_wrong_width_is_refused(make, write):
    model = make(k=3)
    refused = pytest.raises(SessionError, match="row 0 has 2 values; tflite:float32 takes 3")
    with load("tflite", write(model, "tflite", "float32")) as opened, refused:
        opened.linear([[1.0, 2.0]])


def test_the_encoder_writes_defaults_and_empty_vectors():
    table = flatbuffer.Table({0: flatbuffer.Vector("Int32", ()), 2: flatbuffer.Scalar("Int32", 0), 3: None, 4: b"ab"})
    data = flatbuffer.encode(table, b"TEST")
    assert data[4:8] == b"TEST"
    assert b"ab" in data
