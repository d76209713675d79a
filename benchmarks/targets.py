"""What each target costs in each precision, on emulated boards, beside what else could be written or generated.

    python benchmarks/targets.py [--inputs 5,10,50,200] [--cores avr,rp2040,..] [--json FILE]

One call of a model with k inputs (of 64, or of k where that is more). Microcontrollers: every way is compiled by the
same compiler with the same flags (-Os), called on the emulated core, and costs the instructions, cycles, stack, flash
and RAM that are counted there, the compiler's own routines (soft float) included. `hand loop` is what one would write
by hand for int16: coefficients in a table, one multiply-add after another, no bound on its error. m2cgen writes every
column of the table (`m2cgen: all`); it is also given the k inputs alone. A 64-bit board under Linux: instructions of
one call in CPython for arm64, counted in one process per runtime. Files and memory: measured here. emlearn converts no
linear model, so it has no line; --emlearn PYTHON asks one that is installed elsewhere.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import BoardError
from edge_lasso.measuring.bench import rendered
from edge_lasso.measuring.board_costs import Emulators
from edge_lasso.measuring.measurement import Subject, measure
from edge_lasso.measuring.peers import peer_subjects, pipeline_of
from edge_lasso.reporting import terminal
from edge_lasso_devices.boards import load_board
from edge_lasso_devices.cores import CORES, open_core
from edge_lasso_devices.cross import Image, cross_build
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term

COLUMNS = 64
OURS = "c:fixed, int16"
# core, the most cycles, the most bytes of flash, for ten inputs in int16
TARGETS = (("rp2040", 120, 150), ("avr", 500, 400))
TFLITE = ("float32", "float16", "dynamic", "int8", "int16x8")
LINUX = ",".join(["python:double", "onnx:float32", "onnx:float64", *(f"tflite:{entry}" for entry in TFLITE)])
LOOP = """#include <stdint.h>
#ifdef __AVR__
#include <avr/pgmspace.h>
#define ROM PROGMEM
#define READ(p) ((int16_t)pgm_read_word(p))
#else
#define ROM
#define READ(p) (*(p))
#endif
static const int16_t weights[%(count)d] ROM = {%(weights)s};
int32_t score(const int16_t *q);
int32_t score(const int16_t *q)
{
    const int16_t *w = weights;
    int32_t sum = INT32_C(%(bias)d);
    uint16_t n;
    for (n = 0; n < %(count)dU; n++) {
        sum += (int32_t)READ(w) * *q++;
        w++;
    }
    return sum;
}
"""
ASK_EMLEARN = """
import json, sys
import numpy as np
import emlearn
from importlib.metadata import version
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression
X = np.random.default_rng(0).normal(size=(50, 3))
found = {}
for model in (Lasso(0.01), LinearRegression(), ElasticNet(0.01), LogisticRegression()):
    y = (X[:, 0] > 0).astype(int) if isinstance(model, LogisticRegression) else X[:, 0]
    try:
        emlearn.convert(model.fit(X, y))
        found[type(model).__name__] = "converts"
    except Exception as error:
        found[type(model).__name__] = f"{type(error).__name__}: {error}"
print(json.dumps([version("emlearn"), found]))
"""


@dataclass(frozen=True)
class Way:
    """One way to write a model in C: its sources and how it is called."""

    name: str
    files: Mapping[str, bytes]
    symbol: str
    argument: bytes
    returns: Any


@dataclass(frozen=True)
class Cost:
    """What one call costs on a core."""

    core: str
    inputs: int
    way: str
    instructions: int
    cycles: int | None
    stack_bytes: int
    flash_bytes: int
    ram_bytes: int

    @property
    def time(self) -> int:
        """Cycles where the emulator counts them, else instructions."""
        return self.instructions if self.cycles is None else self.cycles


def model(inputs: int) -> Model:
    """Sensors spread over the row, each with a range of its own."""
    source = random.Random(inputs)
    columns = max(COLUMNS, inputs)
    used = [i * columns // inputs for i in range(inputs)]
    result = tuple(Input(f"sensor_{j}", j, 50.0 + i % 7, 0.0, 100.0 + 10.0 * (i % 11), "V") for i, j in enumerate(used))
    terms = tuple(Term(source.uniform(-1.0, 1.0), (Factor(i),)) for i in range(inputs))
    return Model(tuple(f"sensor_{i}" for i in range(columns)), result, (Output("y", 1.25, terms),))


def ways(result: Model, target: str) -> Iterator[Way]:
    """Ours in every precision, then the others."""
    row = [feature.default or 0.0 for feature in result.inputs]
    reals = struct.pack(f"<{len(row)}f", *row)
    doubles = reals if target == "avr" else struct.pack(f"<{len(row)}d", *row)
    zeros = bytes(2 * len(row))
    if target != "avr":  # where double is binary64
        yield Way("c:double", _sources(result, "double"), "model_predict", doubles, "float64")
    yield Way("c:float, float32", _sources(result, "float"), "model_predict", reals, "float32")
    for precision in ("int16", "int8"):
        files = _sources(quantize(result, precision), "fixed")
        yield Way(f"c:fixed, {precision}", files, "model_predict", zeros, "int32")
    fixed = quantize(result, "int16").sections["fixed_point/1"]["outputs"][0]
    weights = [int(term["coef"]) for term in fixed["terms"]]
    text = LOOP % {"count": len(weights), "weights": ", ".join(map(str, weights)), "bias": fixed["bias"]}
    yield Way("hand loop, int16", {"score.c": text.encode()}, "score", zeros, "int32")
    if importlib.util.find_spec("m2cgen"):
        yield Way("m2cgen: k inputs, double", _m2cgen(result, False), "score", doubles, "float64")
        every = [50.0] * len(result.columns)  # a product with zero would be cheap in soft float
        wide = struct.pack(f"<{len(every)}{'f' if target == 'avr' else 'd'}", *every)
        yield Way("m2cgen: all, double", _m2cgen(result, True), "score", wide, "float64")


def _sources(result: Model, variant: str) -> dict[str, bytes]:
    files = registry.render(result, "c", variant)
    return {name: data for name, data in files.items() if name.endswith((".c", ".h")) and "/" not in name}


def _m2cgen(result: Model, every: bool) -> dict[str, bytes]:
    import m2cgen
    import numpy as np
    from sklearn.linear_model import Lasso

    coef = np.zeros(len(result.columns))
    for feature, term in zip(result.inputs, result.outputs[0].terms, strict=True):
        coef[feature.column] = term.coef
    lasso = Lasso()
    lasso.coef_, lasso.intercept_ = coef if every else coef[coef != 0.0], result.outputs[0].intercept
    return {"score.c": m2cgen.export_to_c(lasso).encode()}


def on_cores(names: list[str], sizes: list[int]) -> list[Cost]:
    """Every way on every core and size; what cannot be is said."""
    images: dict[tuple[str, str, int], Image] = {}
    costs = []
    for name in names:
        try:
            core = open_core(name)
        except BoardError as error:
            terminal.note(f"note: {name}: {error}")
            continue
        for size in sizes:
            terminal.note(f"  {name}, {size} inputs")
            for way in ways(model(size), core.target):
                key = (core.target, way.name, size)
                try:
                    if key not in images:
                        images[key] = cross_build(way.files, core.target, [way.symbol])
                    call = core.call(images[key], way.symbol, [way.argument], way.returns)
                except BoardError as error:
                    terminal.note(f"note: {name}: {way.name}, {size} inputs: {error}")
                    continue
                image = images[key]
                counts = (call.instructions, call.cycles, call.stack_bytes, image.flash_bytes, image.ram_bytes)
                costs.append(Cost(name, size, way.name, *counts))
    return costs


def show_cores(costs: list[Cost]) -> None:
    """One table a core, with ratios to our int16."""
    for core in dict.fromkeys(cost.core for cost in costs):
        rows = []
        here = [cost for cost in costs if cost.core == core]
        for entry in here:
            ours = next((each for each in here if each.way == OURS and each.inputs == entry.inputs), entry)
            cycles = "-" if entry.cycles is None else f"{entry.cycles:,}"
            sizes = (f"{x:,}" for x in (entry.stack_bytes, entry.flash_bytes, entry.ram_bytes))
            ratios = (f"{entry.time / ours.time:.2f}", f"{entry.flash_bytes / ours.flash_bytes:.2f}")
            rows.append((f"{entry.inputs} {entry.way}", f"{entry.instructions:,}", cycles, *sizes, *ratios))
        unit = "cycles" if here[0].cycles is not None else "instructions"
        columns = ("inputs, way", "instructions", "cycles", "stack", "flash", "RAM", f"x {unit}", "x flash")
        terminal.table(f"{core}, emulated; x: over {OURS}", columns, rows)


def show_measures(costs: list[Cost]) -> None:
    """The measures we live by."""
    rows = []
    for core, cycles, flash in TARGETS:
        entry = next((c for c in costs if (c.core, c.inputs, c.way) == (core, 10, OURS)), None)
        if entry is not None:
            ok = entry.time <= cycles and entry.flash_bytes <= flash
            asked = f"{core}: at most {cycles} cycles, {flash} bytes of flash"
            rows.append((asked, f"{entry.time} cycles, {entry.flash_bytes} bytes", "ok" if ok else "MISSED"))
    if rows:
        terminal.table("ten inputs in int16, from integers", ("", "found", ""), rows)


def peers(result: Model) -> list[Subject]:
    """skl2onnx and m2cgen, as their users would run them."""
    pipeline = pipeline_of(result)
    return (
        []
        if pipeline is None
        else [peer_subject for peer_subject in peer_subjects(pipeline) if not peer_subject.name.startswith("scikit")]
    )


def subjects(size: int) -> list[Subject]:
    """Everything that runs under Linux, and with which program."""
    return [*rendered(quantize(model(size), "int16"), "python:fixed"),
            *rendered(model(size), LINUX), *peers(model(size))]  # fmt: skip


def under_linux(sizes: list[int]) -> list[dict[str, Any]]:
    """Instructions of one call on an emulated 64-bit board."""
    board = load_board("pi-4b")
    result = [(size, subject) for size in sizes for subject in subjects(size)]
    # a peer is counted in the process of the runtime that it needs
    programs = {"skl2onnx": "onnx", "m2cgen": "python"}
    lines = []
    with Emulators() as emulators:
        for target in ("python", "onnx", "tflite"):
            here = [
                (k, entry) for k, entry in result if target in (of := entry.name.partition(":")[0], programs.get(of))
            ]
            terminal.note(f"  arm64, {len(here)} artifacts of {target}")
            try:
                counts = emulators.instructions("arm64", target, [entry for _, entry in here])
            except BoardError as error:
                terminal.note(f"note: {board.title}: {target}: {error}")
                continue
            for (k, entry), count in zip(here, counts, strict=True):
                lines.append({"inputs": k, "name": entry.name, "instructions": count})
    return lines


def show_linux(lines: list[dict[str, Any]]) -> None:
    """Rows are artifacts, columns sizes."""
    if not lines:
        return
    sizes = sorted({line["inputs"] for line in lines})
    by = {(line["name"], line["inputs"]): line["instructions"] for line in lines}
    rows = []
    for name in dict.fromkeys(line["name"] for line in lines):
        counts = [by.get((name, size)) for size in sizes]
        ours = [by.get(("python:double", size)) for size in sizes]
        ratios = [f"{a / b:.2f}" if a and b else "-" for a, b in zip(counts, ours, strict=True)]
        rows.append((name, *("-" if a is None else f"{a:,}" for a in counts), *ratios))
    columns = ("", *(f"{size} inputs" for size in sizes), *(f"x, {size}" for size in sizes))
    terminal.table("instructions of one call, CPython on arm64, emulated; x: over python:double", columns, rows)


def on_this_machine(sizes: list[int], seconds: float) -> list[dict[str, Any]]:
    """Bytes of files and memory over a bare interpreter, measured."""
    lines = []
    for size in sizes:
        terminal.note(f"  this machine, {size} inputs")
        for entry in measure(subjects(size), "local", seconds):
            if entry.reason:
                terminal.note(f"note: {entry.name}: {entry.reason}")
            else:
                values = {key: entry.value(key) for key in ("size_bytes", "ram_bytes", "p50_us")}
                lines.append({"inputs": size, "name": entry.name, **values})
    return lines


def show_machine(lines: list[dict[str, Any]]) -> None:
    """Bytes, memory and latency."""
    if not lines:
        return
    rows = []
    for line in lines:
        ours = next(each for each in lines if each["name"] == "python:double" and each["inputs"] == line["inputs"])
        ram = "-" if line["ram_bytes"] is None else f"{line['ram_bytes'] / 2**20:.2f}"
        size, time = (line[key] / ours[key] for key in ("size_bytes", "p50_us"))
        cells = (f"{line['size_bytes']:,.0f}", f"{size:.2f}", ram, f"{line['p50_us']:.3g}", f"{time:.2f}")
        rows.append((f"{line['inputs']} {line['name']}", *cells))
    columns = ("inputs, artifact", "bytes", "x bytes", "memory, MB", "p50 us", "x p50")
    terminal.table("measured on this machine; x: over python:double; memory over a bare interpreter", columns, rows)


def ask_emlearn(python: str) -> str:
    """What an installed emlearn says of linear models."""
    done = subprocess.run([python, "-c", ASK_EMLEARN], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"emlearn does not run in {python}: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
    version, result = json.loads(done.stdout.splitlines()[-1])
    return f"emlearn {version}: " + "; ".join(f"{name}: {said}" for name, said in result.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", default="5,10,50,200", help="numbers of inputs")
    parser.add_argument("--cores", default=",".join(CORES), help="emulated microcontrollers; empty: none")
    parser.add_argument("--no-linux", action="store_true", help="leave out the emulated Linux board (it starts slowly)")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measured artifact; 0: measure none")
    parser.add_argument("--emlearn", metavar="PYTHON", help="a Python that has emlearn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    options = parser.parse_args()

    sizes = [int(word) for word in options.inputs.split(",")]
    costs = on_cores([word for word in options.cores.split(",") if word], sizes)
    show_cores(costs)
    show_measures(costs)
    linux = [] if options.no_linux else under_linux(sizes)
    show_linux(linux)
    machine = on_this_machine(sizes, options.seconds) if options.seconds > 0 else []
    show_machine(machine)
    if options.emlearn:
        terminal.say(ask_emlearn(options.emlearn))
    if options.json:
        table = {"emulated": [asdict(cost) for cost in costs], "emulated_linux": linux, "measured": machine}
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
