"""What a detector takes on a board: bytes of its Python file, flash, RAM, stack and work of a step in emulation.

Ten sensors, each predicted by two coefficients of the others and of five delayed readings; stuck and jump limits; with
and without the numbers that estimate missing readings. ``step_q`` is the detector from the sensors' integers on,
without floating point and without estimates. RAM is state and result. Cores whose tools are missing are left out.
"""

import random
import struct

import numpy as np

from edge_lasso.compressing.quantize import quantize
from edge_lasso_devices.cores import open_core
from edge_lasso_devices.cross import cross_build
from edge_lasso_devices.errors import BoardError
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads

SENSORS, COEFS, LAGS = 10, 20, 5
CORES = ("cortex-m0plus", "avr")
RUN = """#include "model.h"
model_state{q} state;
model_result{q} result;
int32_t run(const {T} *x, int32_t n);
int32_t run(const {T} *x, int32_t n)
{{
    uint32_t status = 0;
    model_start{q}(&state);
    for (; n > 0; n--) {{
        status |= model_step{q}(&state, x, &result);
    }}
    return (int32_t)status;
}}
"""


def detector(estimate):
    """The model, with numbers as training gives them: 17 digits."""
    source = random.Random(0)
    inputs = [Input(f"s{i}", i, source.uniform(10, 30), 0.0, 50.0, "C") for i in range(SENSORS)]
    for i in range(LAGS):
        inputs.append(Input(f"s{i}.lag1", len(inputs), 20.0, 0.0, 50.0, stream=("lag", f"s{i}", 1)))
    outputs, watched = [], []
    for m in range(SENSORS):
        chosen = sorted(source.sample([i for i in range(len(inputs)) if i != m], COEFS // SENSORS))
        terms = tuple(Term(source.uniform(-0.6, 0.6), (Factor(i),)) for i in chosen)
        outputs.append(Output(f"s{m}", source.uniform(0, 10), terms))
        scale = {"scale": source.uniform(0.5, 2), "slow": source.uniform(0.2, 0.6)}
        watched.append({"reading": f"s{m}", "centre": source.gauss(0, 0.1), **scale, "weight": 1.0})
    for m in range(SENSORS):
        outputs.append(Output(f"s{m}.usual", 20.0, ()))
        watched.append({**watched[m], "centre": 0.0, "scale": 5.0, "weight": 0.5})
    sections = {
        "detector/1": {
            "watched": watched, "smoothing": 0.1, "clip": 8.0, "track": 9, "fast": 0.7, "warm_up": 60,
            "threshold": {"score": 3.2, "row_rate": 0.001, "hold": 30},
        },
        "health/1": {
            "readings": [{"input": f"s{i}", "stuck": 20, "jump": source.uniform(2, 8)} for i in range(SENSORS)]
        },
    }  # fmt: skip
    if estimate:
        k = len(inputs)
        rng = np.random.default_rng(0)
        inverse = np.linalg.inv(np.cov((rng.normal(size=(200, k)) @ rng.normal(size=(k, k))).T))
        lower = inverse[np.tril_indices(k)].tolist()
        means = [feature.default for feature in inputs]
        sections["estimate/1"] = {"mean": means, "inverse": lower, "residual": [1.0] * len(outputs)}
    names = tuple(feature.name for feature in inputs)
    return quantize(loads(dumps(Model(names, tuple(inputs), tuple(outputs), sections=sections))), to="int16")


def on_core(core, model, variant, row=None):
    """Flash, RAM, instructions of a step, stack; of the middle of the integers' range, or 20 and up, or of a row."""
    integers = variant == "step_q"
    files = registry.render(model, "c", "fixed" if integers else variant)
    files = {name: data for name, data in files.items() if name.startswith("model.")}
    kind = {"fixed": "float", "step_q": "int16_t"}.get(variant, variant)
    files["run.c"] = RUN.format(T=kind, q="_q" if integers else "").encode()
    image = cross_build(files, core.target, ["run"], {"MODEL_REAL": "float"} if variant == "fixed" else {})
    letter = "h" if integers else "d" if kind == "double" and core.target != "avr" else "f"
    if row is None:
        readings = sum(feature.stream is None for feature in model.inputs)
        row = [-100 + 20 * i if integers else 20.0 + i for i in range(readings)]
    x = struct.pack(f"<{len(row)}{letter}", *row)
    three, four = (core.call(image, "run", [x, rows]) for rows in (3, 4))
    return image.flash_bytes, image.ram_bytes, four.instructions - three.instructions, four.stack_bytes


def main():
    """Print the table."""
    print(f"{SENSORS} sensors, {COEFS} coefficients, {LAGS} lags     flash  RAM  instructions  stack, emulated")
    for estimate in (False, True):
        model = detector(estimate)
        print(f"{'with' if estimate else 'without'} estimates of missing readings")
        for variant in ("double", "fixed"):
            print(f"  python:{variant:8} {len(registry.render(model, 'python', variant)['model.py']):6} bytes")
        for name in CORES:
            for variant in ("float", "fixed", "double", *(() if estimate else ("step_q",))):  # which estimates nothing
                try:
                    flash, ram, instructions, stack = on_core(open_core(name), model, variant)
                except BoardError as error:
                    print(f"  c:{variant} on {name}: {error}")
                    continue
                print(f"  c:{variant:8} {name:14} {flash:6} {ram:5} {instructions:10} {stack:6}")


if __name__ == "__main__":
    main()
