"""The C target: C99 without heap, for desktop, Arduino and bare metal.

`c:double` repeats the reference operation by operation, so it is bit-equal where double is binary64 and the compiler
does not fuse multiply-adds (``-ffp-contract=off``). `c:float` renders the form that `dense_bounds` proves. `c:fixed`
(see `fixed_c.py`) renders the integers of ``fixed_point/1``, and of a detector `step_q`, from integers to the alarm
(`detector_q_c.py`). No libc, except ``exp`` where a float model has a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

from . import dense_bounds
from .c_layout import names_of
from .c_packages import packaged
from .dense import dense
from .fixed_c import fixed_files
from .fixed_python import fixed_expected, fixed_promise
from .floating_c import Floating
from .options import Options
from .step_c import with_step
from .usage import c_usage
from .vectors import reference

VARIANTS = ("double", "float", "fixed")
HANDLES_MISSING = True
STEPS = VARIANTS
usage = c_usage.usage


def default_variant(model: Model) -> str:
    """``fixed`` for a quantized model."""
    return "fixed" if "fixed_point/1" in model.sections else "double"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``NAME.c`` and ``NAME.h``, and what makes their folder a package for those who build (`c_packages`).

    Parameters
    ----------
    model : Model
    options : Options

    Returns
    -------
    dict
        Relative path to content.

    Raises
    ------
    ExportError
        Variant ``fixed`` of a model that is not quantized.
    """
    names = names_of(model, options)
    if options.variant == "fixed":
        files = fixed_files(model, options, names)
    else:
        files = Floating(model, options, names).files()
    files = with_step(model, options, names, files) if keeps_state(model) else files
    return packaged(names, options, files)


def expected(
    model: Model, options: Options, rows: Sequence[Sequence[float | None]]
) -> tuple[list[list[float]], list[list[float]]]:
    """The reference: bit for bit (double), within the proven bound per row (float) or per output (fixed)."""
    if options.variant == "fixed":
        return fixed_expected(model, rows, options.inputs)
    if options.variant == "float":
        return dense_bounds.expected(dense_bounds.choose(dense(model), "float32"), rows, options.inputs)
    values = reference(model, rows, options.inputs)
    return values, [[0.0] * len(row) for row in values]


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    if options.variant == "fixed":
        return fixed_promise(model)
    if options.variant == "float":
        bound = float(np.max(dense_bounds.box_bound(dense_bounds.choose(dense(model), "float32"))))
        return {"kind": "bound", "bound": bound, "text": "within the proven float32 bound of each row"}
    text = "the linear predictor, bit for bit, where double is binary64 and multiply-adds are not fused"
    return {"kind": "bit-equal", "bound": 0.0, "text": text}
