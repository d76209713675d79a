"""Cold start of a serverless function: one model (100 columns, 10 used), each time in a fresh process.

    python benchmarks/function.py [--rounds 15] [--json FILE]

Every start is a new interpreter that imports the handler and answers one event; rows take turns, figures are medians.
*first answer* is from the first line of the script to the answer; *process* is the whole of it as a parent sees it, and
*over bare* what that is above an interpreter that does nothing; memory is the process' largest (Linux), less that of
the bare one.
What a platform does before Python starts (a sandbox, fetching the archive) is not in any figure. Beside it what is
usual: a scikit-learn pipeline from a pickle, and the same model under onnxruntime, when that is installed.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.inference import model
from edge_lasso.measuring.measurement import runtime_files
from edge_lasso.measuring.peers import pipeline_of
from edge_lasso.reporting import terminal
from edge_lasso_exporters import registry
from edge_lasso_runtime import Model, predict
from edge_lasso_runtime.format import file_text

BARE = "bare interpreter"
BODY = """
import time
began = time.perf_counter()
import sys
{prepare}
answer = {call}
first = time.perf_counter() - began
with open("/proc/self/status") as file:
    memory = file.read().split("VmHWM:")[1].split()[0]
print(first, answer, memory)
"""
HTTP = """
import json
from edge_lasso_runtime.asgi import handler
names = list({event!r})
tensors = [{{"name": name, "shape": [1], "datatype": "FP64", "data": [{event!r}[name]]}} for name in names]
event = {{
    "requestContext": {{"http": {{"method": "POST"}}}}, "rawPath": "/v2/models/model/infer",
    "body": json.dumps({{"inputs": tensors}}),
}}
"""


def scripts(result: Model, event: dict[str, float], folder: Path) -> dict[str, str]:
    """What each row of the table runs; artifacts go to the folder."""
    (folder / "model.pyz").write_bytes(registry.render(result, "python", "pyz")["model.pyz"])
    unpacked, compiled, whole = folder / "unpacked", folder / "compiled", folder / "whole"
    with zipfile.ZipFile(folder / "model.pyz") as archive:
        archive.extractall(unpacked)
    shutil.copytree(unpacked, compiled)
    for name, data in {**runtime_files(), "model.json": file_text(result).encode()}.items():
        path = whole / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for place in (compiled, whole):
        compileall.compile_dir(place, quiet=1)

    def ours(place: Path) -> str:
        prepare = f"sys.path.insert(0, {str(place)!r})\nfrom edge_lasso_runtime.function import handler"
        return BODY.format(prepare=prepare, call=f"handler({event!r})['values']['y']")

    http = (
        f"sys.path.insert(0, {str(whole)!r})\nimport os\nos.environ['EDGE_LASSO_MODEL'] = {str(whole / 'model.json')!r}"
    )
    table = {
        BARE: BODY.format(prepare="", call="None"),
        "function.handler, model.pyz": ours(folder / "model.pyz"),
        "function.handler, unpacked": ours(unpacked),
        "function.handler, with bytecode": ours(compiled),
        "asgi.handler, with bytecode": BODY.format(
            prepare=http + HTTP.format(event=event), call="json.loads(handler(event)['body'])['outputs'][0]['data'][0]"
        ),
    }
    row = [0.0] * len(result.columns)
    for feature in result.inputs:
        row[feature.column] = event[feature.name]
    (folder / "pipeline.pickle").write_bytes(pickle.dumps(pipeline_of(result)))
    prepare = f"import pickle\nwith open({str(folder / 'pipeline.pickle')!r}, 'rb') as file:\n    p = pickle.load(file)"
    table["scikit-learn, pickle"] = BODY.format(prepare=prepare, call=f"float(p.predict([{row!r}]).flat[0])")
    if importlib.util.find_spec("onnxruntime"):
        (folder / "model.onnx").write_bytes(registry.render(result, "onnx", "float32")["model.onnx"])
        prepare = (
            f"import numpy, onnxruntime\nsession = onnxruntime.InferenceSession({str(folder / 'model.onnx')!r})\n"
            f"x = numpy.array([{list(event.values())!r}], numpy.float32)"
        )
        call = "float(session.run(None, {session.get_inputs()[0].name: x})[0].flat[0])"
        table["onnxruntime, float32"] = BODY.format(prepare=prepare, call=call)
    return table


def start(script: str) -> tuple[float, float, str, int]:
    """Seconds to the first answer and of the whole process, the answer, and memory in kB."""
    command = [sys.executable, "-B", "-c", script]
    environment = {name: value for name, value in os.environ.items() if name != "EDGE_LASSO_MODEL"}
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    took = time.perf_counter() - began
    first, answer, memory = done.stdout.split()[-3:]
    return float(first), took, answer, int(memory)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    result = model()
    event = {feature.name: feature.default or 0.0 for feature in result.inputs}
    wanted = predict(result, event).values[0]
    with tempfile.TemporaryDirectory() as away:
        table = scripts(result, event, Path(away))
        samples: dict[str, list[tuple[float, float, str, int]]] = {name: [] for name in table}
        for _ in range(options.rounds):
            for name, script in table.items():
                samples[name].append(start(script))
    figures = {}
    for name, taken in samples.items():
        for answer in {sample[2] for sample in taken} - {"None"}:
            if abs(float(answer) - wanted) > 1e-3 * abs(wanted):
                raise SystemExit(f"{name} answers {answer}; the model says {wanted}")
        bare = samples[BARE]
        figures[name] = {
            "first_answer_ms": 1e3 * statistics.median(sample[0] for sample in taken),
            "process_ms": 1e3 * statistics.median(sample[1] for sample in taken),
            "over_bare_ms": 1e3 * statistics.median(a[1] - b[1] for a, b in zip(taken, bare, strict=True)),
            "memory_over_bare_mb": (statistics.median(a[3] - b[3] for a, b in zip(taken, bare, strict=True))) / 1024,
        }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    heads = ["", "first answer, ms", "process, ms", "over bare, ms", "memory over bare, MB"]
    lines = [[name, *(f"{value:.1f}" for value in row.values())] for name, row in figures.items()]
    terminal.say(f"cold starts, median of {options.rounds} fresh processes, CPython {sys.version.split()[0]}")
    for line in [heads, *lines]:
        terminal.say(f"{line[0]:<34}" + "".join(f"{cell:>22}" for cell in line[1:]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
