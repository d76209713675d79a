"""What taking in a row costs on an emulated core, for a model that keeps state: its `step`, not a prediction alone."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from edge_lasso_devices.cores import CallResult, Core
from edge_lasso_devices.cross import Image, cross_build

BEFORE = 3
"""Rows before the one that is counted."""
PROGRAM = """#include "{name}.h"
{name}_state state;
{name}_result result;
int32_t count_steps(const void *x, int32_t n);
int32_t count_steps(const void *x, int32_t n)
{{
    uint32_t status = 0;
    {name}_start(&state);
    for (; n > 0; n--) {{
        status |= {name}_step(&state, x, &result);
    }}
    return (int32_t)status;
}}
"""


def count_step(
    core: Core, sources: Mapping[str, bytes], about: Mapping[str, Any], variant: str
) -> tuple[Image, int, int | None, CallResult]:
    """Count one step: what one row more takes.

    Parameters
    ----------
    core : Core
    sources : mapping
        The artifact's C files.
    about : mapping
        Its `artifact.json`.
    variant : {"double", "float", "fixed"}

    Returns
    -------
    image : Image
        State and result are among its variables.
    instructions : int
    cycles : int or None
    last : CallResult
    """
    name = about["name"]
    letter = "d" if variant == "double" else "f"
    readings = len(about["step"]["readings"])
    files = {**sources, "count_steps.c": PROGRAM.format(name=name).encode()}
    image = cross_build(files, core.target, ["count_steps"], {f"{name.upper()}_REAL": "float"})
    x = struct.pack(f"<{readings}{letter}", *[1.0] * readings)
    few, more = (core.call(image, "count_steps", [x, rows]) for rows in (BEFORE, BEFORE + 1))
    cycles = None if few.cycles is None or more.cycles is None else more.cycles - few.cycles
    return image, more.instructions - few.instructions, cycles, more
