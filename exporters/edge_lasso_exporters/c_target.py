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

from . import bit_equal, dense_bounds
from .c_layout import names_of, verdict_text
from .c_packages import packaged
from .dense import dense
from .fixed_c import fixed_files
from .fixed_python import fixed_promise
from .floating_c import Floating
from .options import Options
from .proofs import artifact_proofs
from .step_c import StepC, with_step
from .usage import c_usage

VARIANTS = ("double", "float", "fixed")
USUAL = True
HANDLES_MISSING = True
default_variant = bit_equal.default_variant
STEPS = VARIANTS
usage = c_usage.usage


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
    files[f"{names.prefix}.c"] += verdict_text(model, options, names).encode()
    return packaged(names, options, files)


def expected(
    model: Model, options: Options, rows: Sequence[Sequence[float | None]]
) -> tuple[list[list[float]], list[list[float]]]:
    """The reference: bit for bit (double), within the proven bound per row (float) or per output (fixed)."""
    if options.variant == "float":
        return dense_bounds.expected(dense_bounds.choose(dense(model), "float32"), rows, options.inputs)
    return bit_equal.expected(model, options, rows)


def promise(model: Model, options: Options) -> dict[str, Any]:
    """What the certificate promises."""
    if options.variant == "fixed":
        return fixed_promise(model)
    if options.variant == "float":
        bound = float(np.max(dense_bounds.box_bound(dense_bounds.choose(dense(model), "float32"))))
        return {"kind": "bound", "bound": bound, "text": "within the proven float32 bound of each row"}
    text = "the linear predictor, bit for bit, where double is binary64 and multiply-adds are not fused"
    return {"kind": "bit-equal", "bound": 0.0, "text": text}


def proofs(model: Model, options: Options) -> list[dict[str, str]]:
    """What is proven of its integers, arrays and shifts (`proofs.py`)."""
    return artifact_proofs(
        model, options, StepC(model, options, names_of(model, options)).printers if keeps_state(model) else {}
    )
