"""The correction on a board (``NAME_adapt.h``), tried against the runtime's before it is handed over."""

from __future__ import annotations

import ctypes
import random

from edge_lasso_devices.cache import library
from edge_lasso_exporters.adapt_c import render
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import Model
from edge_lasso_runtime.adapt import Adapter
from edge_lasso_runtime.rows import RowError
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import keeps_state

ROWS = 400
WRAPPED = """#include "@P@_adapt.h"
static @P@_adapter memory;
void begin(void);
double correction(int m, const double *x, double z);
void learn(int m, const double *x, double z, double truth);
void begin(void) { @P@_adapt_start(&memory); }
double correction(int m, const double *x, double z) { return @P@_adapt_correction(&memory, m, x, z); }
void learn(int m, const double *x, double z, double truth) { @P@_adapt_learn(&memory, m, x, z, truth); }
"""


def adapting(model: Model, kind: str, within: float, name: str) -> bytes:
    """The header, after rows whose truth moves away gave the corrections of the runtime, bit for bit.

    Parameters
    ----------
    model, kind, within, name
        See `edge_lasso_exporters.adapt_c.render`.

    Raises
    ------
    ExportError
        The model cannot be corrected so, or the header computes something else.
    BoardError
        There is no C compiler.
    """
    if keeps_state(model):
        raise ExportError("--adapt in C is for models without memory; score --adapt corrects others on a gateway")
    try:
        text = render(model, kind, within, name)
    except RowError as error:
        raise ExportError(str(error)) from None
    path = library({f"{name}_adapt.h": text, "check.c": WRAPPED.replace("@P@", name).encode()})
    built = ctypes.CDLL(path)
    built.correction.restype = ctypes.c_double
    built.correction.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_double]
    built.learn.argtypes = [*built.correction.argtypes, ctypes.c_double]
    built.begin()
    adapter, state, source = Adapter(model, kind, within), start(model), random.Random(0)
    for t in range(ROWS):
        row = {
            feature.name: source.choice(feature.categories)
            if feature.categories
            else source.uniform(feature.low or 0.0, feature.high or 0.0)
            for feature in model.inputs
        }
        result, state = step(model, state, row)
        signed = list(result.linear)
        x = (ctypes.c_double * max(len(state.inputs), 1))(*state.inputs)
        supplied = [built.correction(m, x, z) for m, z in enumerate(signed)]
        if supplied != adapter.correct(result, state.inputs):
            raise ExportError(f"{name}_adapt.h corrects row {t} by {supplied}, which is not what the runtime gives")
        truths = [1.1 * z + within * source.uniform(-1.0, 2.0 if t % 50 else 1e9) for z in signed]
        adapter.learn(result, state.inputs, list(truths))
        for m, truth in enumerate(truths):
            built.learn(m, x, signed[m], truth)
    return text
