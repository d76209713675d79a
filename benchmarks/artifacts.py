"""What artifacts take: bytes, a row in onnxruntime, processor time of a start and of an export.

    python benchmarks/artifacts.py [--rounds 21] [--terms 5000] [--python /usr/bin/python3]

One model with 10 of 100 inputs. Starts are user and system time of whole processes, in turn, over that of an
interpreter that does nothing; `empty .pyz` is an archive with a `__main__.py` of one `pass`, what any .pyz takes.
`--python` starts them: one whose site-packages load nothing at a start is fairest. Exports are of `--terms` terms,
verification included.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime

import edge_lasso_runtime
from edge_lasso.reporting import terminal
from edge_lasso_exporters import registry, tflite_target
from edge_lasso_exporters.options import Options
from edge_lasso_runtime import Factor, Input, Model, Output, Term, save

COLUMNS, USED = 100, 10
PACKAGE = Path(edge_lasso_runtime.__file__).parent
START = "from edge_lasso_runtime import load, predict; predict(load({model!r}), {row!r})"


def model(columns: int, used: int) -> Model:
    """Some of the columns, each with a coefficient."""
    source = random.Random(11)
    inputs = tuple(Input(f"column {i}", i, 0.5, 0.0, 1.0) for i in range(0, columns, columns // used))
    terms = tuple(Term(source.uniform(-1.0, 1.0), (Factor(i),)) for i in range(len(inputs)))
    return Model(tuple(f"column {i}" for i in range(columns)), inputs, (Output("y", 1.0, terms),))


def in_turn(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each, one round after another."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())
    return {name: statistics.median(values) for name, values in taken.items()}


def process(command: list[str], given: str = "", path: str = "") -> float:
    """Milliseconds of processor that a process takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    subprocess.run(command, input=given, env=environment, text=True, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def graphs(rounds: int) -> None:
    """Bytes, and a row in onnxruntime."""
    one = model(COLUMNS, USED)
    files = {
        who: registry.render(one, "onnx", "float32", "all", missing=who)["model.onnx"] for who in ("artifact", "caller")
    }
    names = {"artifact": "ours", "caller": "ours, --leave-missing"}
    data = {names[who]: file for who, file in files.items()}
    X = np.random.default_rng(0).uniform(size=(1000, COLUMNS)).astype(np.float32)
    if importlib.util.find_spec("skl2onnx"):
        from skl2onnx import to_onnx
        from sklearn.linear_model import Lasso
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        used = X[:, :: COLUMNS // USED]
        fitted = make_pipeline(StandardScaler(), Lasso(alpha=1e-3)).fit(X, used @ np.arange(1.0, 1.0 + USED))
        data["skl2onnx"] = to_onnx(fitted, X[:1]).SerializeToString()
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    opened = {name: onnxruntime.InferenceSession(file, chosen) for name, file in data.items()}

    def timed(name: str, rows: np.ndarray, times: int) -> float:
        session = opened[name]
        feed = {session.get_inputs()[0].name: rows}
        start = time.process_time()
        for _ in range(times):
            session.run(None, feed)
        return (time.process_time() - start) / times * 1e6

    one_row = in_turn({name: lambda name=name: timed(name, X[:1], 1000) for name in opened}, rounds)
    many = in_turn({name: lambda name=name: timed(name, X, 50) for name in opened}, rounds)
    lines = [(name, f"{len(data[name]):,}", f"{one_row[name]:.2f}", f"{many[name]:.1f}") for name in opened]
    title = f"onnx:float32, {USED} of {COLUMNS} columns, whole rows; processor, onnxruntime {onnxruntime.__version__}"
    terminal.table(title, ("", "bytes", "one row, us", "1,000 rows, us"), lines)
    bare = {who: tflite_target.render(one, Options("float32", "all", missing=who)) for who in ("artifact", "caller")}
    sizes = ", ".join(f"{len(files['model.tflite']):,} ({names[who]})" for who, files in bare.items())
    terminal.say(f"tflite:float32: {sizes} bytes with the description of the model")


def starts(python: str, rounds: int) -> None:
    """Processor time of a start."""
    with tempfile.TemporaryDirectory() as away:
        one = model(COLUMNS, USED)
        file, bundle, empty = (Path(away, name) for name in ("model.json", "model.pyz", "empty.pyz"))
        save(one, file)
        bundle.write_bytes(registry.render(one, "python", "pyz")["model.pyz"])
        with zipfile.ZipFile(empty, "w") as archive:
            archive.writestr("__main__.py", "pass")
        row = json.dumps({entry.name: 0.5 for entry in one.inputs}) + "\n"
        text = START.format(model=str(file), row=[0.5] * USED)
        ways: dict[str, Callable[[], float]] = {
            "a bare interpreter": lambda: process([python, "-c", "pass"]),
            "runtime and JSON model, first prediction": lambda: process([python, "-c", text], path=str(PACKAGE.parent)),
            "empty .pyz": lambda: process([python, str(empty)]),
            "python:pyz selftest": lambda: process([python, str(bundle), "selftest"]),
            "python:pyz predict": lambda: process([python, str(bundle), "predict", "-"], row),
        }
        ways["runtime and JSON model, first prediction"]()  # writes its bytecode
        taken = in_turn(ways, rounds)
    base = taken["a bare interpreter"]
    lines = [(name, f"{ms:.1f}", f"{ms / base:.2f}") for name, ms in taken.items()]
    terminal.table(f"starts of {python}, processor time", ("", "ms", "x bare"), lines)


def exports(terms: int) -> None:
    """Processor time of exporting a long model, verification included."""
    lines = []
    with tempfile.TemporaryDirectory() as away:
        file = Path(away, "model.json")
        save(model(terms, terms), file)
        for target in ("python", "c", "js", "onnx", "tflite"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.perf_counter()
            command = ["-m", "edge_lasso", "export", str(file), "--to", target, "--out", str(Path(away, target))]
            command += ["--allow-unverified"]
            subprocess.run([sys.executable, *command], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            lines.append((target, f"{spent:.1f}", f"{time.perf_counter() - start:.1f}"))
    terminal.table(f"export of {terms:,} terms", ("", "s of processor", "s by the clock"), lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--terms", type=int, default=5000)
    parser.add_argument("--python", default=sys.executable, help="what starts are measured with")
    options = parser.parse_args()
    graphs(options.rounds)
    starts(options.python, options.rounds)
    exports(options.terms)


if __name__ == "__main__":
    main()
