"""Run artifacts in another Python's runtimes: a JSON list of jobs on standard input, of results on standard output.

A job is {"kind": "onnx" | "tflite" | "tflite-micro", "folder": ..., "rows": [[..], ..], "tensors": 1 or 2}; a result
{"runtime": ..., "linear": [[..], ..], "values": [[..], ..]} or {"error": ...}.
"""

import json
import os
import sys
from pathlib import Path


def micro(folder, rows, count):
    import numpy as np
    from tflite_micro.python.tflite_micro import runtime

    described = json.loads(Path(folder, "artifact.json").read_text())
    interpreter = runtime.Interpreter.from_file(str(Path(folder, described["entry"])))
    source = interpreter.get_input_details(0)
    outputs = []
    for row in rows:
        if source["dtype"] == np.int8:
            encode = described["encoding"]["encode"]
            x = (np.array([row]) - encode["offset"]) / encode["scale"]
            x = np.clip(np.floor(x / source["quantization_parameters"]["scales"][0] + 0.5), -128, 127).astype(np.int8)
        else:
            with np.errstate(over="ignore"):
                x = np.array([row], dtype=np.float32)
        interpreter.set_input(x, 0)
        interpreter.invoke()
        outputs.append([_decode(interpreter, i, described, i == count - 1) for i in range(count)])
    return {
        "runtime": "tflite-micro",
        "linear": [pair[-1] for pair in outputs],
        "values": [pair[0] for pair in outputs],
    }


def _decode(interpreter, index, described, is_linear):
    import numpy as np

    values = interpreter.get_output(index)[0].astype(np.float64)
    details = interpreter.get_output_details(index)
    if details["dtype"] == np.int8:
        parameters = details["quantization_parameters"]
        values = (values - parameters["zero_points"][0]) * parameters["scales"][0]
        if is_linear:
            decode = described["encoding"]["decode"]
            values = values * decode["scale"] + decode["offset"]
    return values.tolist()


def session(kind, folder, rows):
    sys.path.insert(0, os.environ["EDGE_LASSO_RUNTIME_SOURCE"])
    from edge_lasso_runtime.sessions import load

    with load(kind, folder) as opened:
        return {"runtime": opened.runtime, "linear": opened.linear(rows), "values": opened.predict(rows)}


def main():
    results = []
    for job in json.load(sys.stdin):
        try:
            if job["kind"] == "tflite-micro":
                results.append(micro(job["folder"], job["rows"], job["tensors"]))
            else:
                results.append(session(job["kind"], job["folder"], job["rows"]))
        except (RuntimeError, ValueError, SystemError) as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
    json.dump(results, sys.stdout)


main()
