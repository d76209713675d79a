"""What quantizing a sparse linear model in ONNX costs: bytes, one-row latency, error in a batch and row by row."""

import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

COLUMNS, NONZERO, ROWS, TIMED = 100, 10, 2000, 3000


class Calibration(CalibrationDataReader):
    """Batches of standardised rows."""

    def __init__(self, X):
        self.batches = iter([{"x": X[i : i + 100]} for i in range(0, 1000, 100)])

    def get_next(self):
        """The next batch, or None."""
        return next(self.batches, None)


def graph(weights, columns, bias, path):
    """Gather, MatMul, Add: the form that onnxruntime's tools can quantize."""
    nodes = [
        helper.make_node("Gather", ["x", "columns"], ["read"], axis=1),
        helper.make_node("MatMul", ["read", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["y"]),
    ]
    constants = {"columns": columns, "weights": weights[columns], "bias": bias}
    result = helper.make_graph(
        nodes,
        "lasso",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", COLUMNS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(result, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)


def measure(path, X, y):
    """One line of the table."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    batch = session.run(None, {"x": X})[0]
    alone = np.concatenate([session.run(None, {"x": X[i : i + 1]})[0] for i in range(len(X))])
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        session.run(None, {"x": X[:1]})
        times.append(time.perf_counter() - start)
    spread = 100.0 / y.std()
    rms = [float(np.sqrt(np.mean((result - y) ** 2))) * spread for result in (batch, alone)]
    worst = float(np.max(np.abs(alone - y))) * spread
    size = path.stat().st_size
    return f"{size} | {np.median(times) * 1e6:.1f} | {rms[0]:.2g} % | {rms[1]:.2g} % | {worst:.2g} %"


def main():
    """Print the table."""
    logging.disable(logging.CRITICAL)
    source = np.random.default_rng(0)
    columns = np.sort(source.choice(COLUMNS, NONZERO, replace=False)).astype(np.int64)
    weights = np.zeros((COLUMNS, 1), np.float32)
    weights[columns, 0] = source.normal(size=NONZERO)
    bias = np.array([0.5], np.float32)
    X = source.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    y = X.astype(np.float64) @ weights + bias
    print(f"onnxruntime {onnxruntime.__version__}, {COLUMNS} columns, {NONZERO} coefficients, standardised inputs\n")
    print("| graph | bytes | one row, p50 us | RMS error / sd(y), batch | one row at a time | worst row |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: Path(folder, f"{i}.onnx") for i, kind in enumerate(("float32", "dynamic int8", "static int8"))}
        graph(weights, columns, bias, paths["float32"])
        quantize_dynamic(paths["float32"], paths["dynamic int8"], weight_type=QuantType.QInt8)
        quantize_static(
            paths["float32"],
            paths["static int8"],
            Calibration(X),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        for kind, path in paths.items():
            print(f"| {kind} | {measure(path, X, y)} |")


if __name__ == "__main__":
    main()
