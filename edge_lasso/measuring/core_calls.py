"""One call of a compiled artifact on an emulated core: its cost and its bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from edge_lasso.errors import BoardError
from edge_lasso.measuring.measurement import needs_state
from edge_lasso.measuring.step_costs import count_step
from edge_lasso.measuring.whole_program import SYMBOL, complete_row, whole_arguments, whole_program
from edge_lasso_devices.cores import Core, open_nearest
from edge_lasso_devices.cross import Image, cross_build
from edge_lasso_runtime.artifact import FILE

KERNEL = ("instructions", "cycles", "flash_bytes")


class Files(dict[str, bytes]):
    """Files by content: what is compiled once is not compiled again for the next board."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(files)
        self._key = tuple(sorted(files.items()))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self._key)


def count_call(core_name: str, files: Files, variant: str) -> Mapping[str, Any]:
    """Cost of one call of a C artifact on an emulated core; of a row taken in where it keeps state."""
    if variant == "double" and core_name == "avr":
        raise BoardError("double has 4 bytes on AVR; use c:float or c:fixed")
    core, emulator = open_nearest(core_name)
    about = json.loads(files[FILE])
    if needs_state(about):
        stepped, instructions, cycles, last = count_step(core, sources_of(files), about, variant)
        return _figures(emulator, stepped, instructions, cycles, last.stack_bytes)
    if variant == "fixed":
        sources, real = {**sources_of(files), **whole_program(about)}, {f"{about['name'].upper()}_REAL": "float"}
        whole = cross_build(sources, core.target, [SYMBOL], real)
        last = core.call(whole, SYMBOL, whole_arguments(about))
        counted = _figures(emulator, whole, last.instructions, last.cycles, last.stack_bytes)
        return {**counted, **_kernel(_predicted(core, emulator, files, about, variant))}
    return _predicted(core, emulator, files, about, variant)


def _predicted(core: Core, emulator: str, files: Files, about: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """Cost of ``NAME_predict`` alone."""
    symbol = f"{about['name']}_predict"
    image = cross_build(sources_of(files), core.target, [symbol])
    argument, returns, result = _argument(about, variant)
    several = len(about["outputs"]) > 1
    call = core.call(image, symbol, [argument, bytes(result * len(about["outputs"]))] if several else [argument],
                     "void" if several else returns)  # fmt: skip
    return _figures(emulator, image, call.instructions, call.cycles, call.stack_bytes)


def _figures(emulator: str, image: Image, instructions: int, cycles: int | None, stack: int) -> dict[str, Any]:
    how = f"{emulator}, {image.compiler}"
    figures: dict[str, Any] = {
        "instructions": emulated_figure(instructions, "instructions", how),
        "stack_bytes": emulated_figure(stack, "bytes", how),
        "flash_bytes": emulated_figure(image.flash_bytes, "bytes", how),
        "ram_bytes": emulated_figure(image.ram_bytes + stack, "bytes", "variables and stack"),
        "by": how,
    }
    if cycles is not None:
        figures["cycles"] = emulated_figure(cycles, "cycles", how)
    return figures


def _kernel(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What the integers' sums alone cost, under names of its own."""
    return {f"kernel_{key}": figure for key, figure in figures.items() if key in KERNEL}


def _argument(about: Mapping[str, Any], variant: str) -> tuple[bytes, Any, int]:
    """A row as the C function takes it (integers, which do the same work whatever they are: zeros), its result's type,
    and that type's size.
    """
    row = complete_row(about)
    if variant == "fixed":
        row = [0] * len(row)
    letter, returns, size = {"fixed": ("h", "int32", 4), "double": ("d", "float64", 8)}.get(
        variant, ("f", "float32", 4)
    )
    return struct.pack(f"<{len(row)}{letter}", *row), returns, size


MAIN = """#include <stdlib.h>
#include "NAME.h"
static volatile KIND given[] = {ROW};
static RESULT result[OUTPUTS];
int main(int count, char **words)
{
    KIND row[sizeof given / sizeof given[0]];
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        row[i] = given[i];
    for (long n = count > 1 ? atol(words[1]) : 1; n > 0; n--) {
        CALL;
        __asm__ volatile("" : : : "memory");
    }
    return 0;
}
"""


def calling_program(files: Mapping[str, bytes], variant: str) -> dict[str, bytes]:
    """The sources of a C artifact, and a program that calls it, readings to values, as often as asked."""
    about = json.loads(files[FILE])
    outputs = len(about["outputs"])
    row, kind, result = complete_row(about), variant, variant
    call = f"{about['name']}_predict(row, result)" if outputs > 1 else f"result[0] = {about['name']}_predict(row)"
    sources = sources_of(files)
    if variant == "fixed":
        counts = about.get("raw_counts", False)
        row, kind, result = ([0.0] * len(row), "int32_t", "double") if counts else (row, "double", "double")
        whole, call = whole_program(about), f"{SYMBOL}(row, result)"
        declaration = f"int32_t {SYMBOL}(const {kind} *x, double *y);\n".encode()
        sources = {**sources, **whole, f"{about['name']}.h": sources[f"{about['name']}.h"] + declaration}
    values = ", ".join(map(repr, row))
    main = MAIN.replace("NAME", about["name"]).replace("ROW", values).replace("CALL", call)
    main = main.replace("KIND", kind).replace("RESULT", result).replace("OUTPUTS", str(outputs))
    return {**sources, "main.c": main.encode()}


def sources_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The C files of an artifact."""
    return {name: data for name, data in files.items() if name.endswith((".c", ".h")) and "/" not in name}


def emulated_figure(value: float, unit: str, of: str) -> dict[str, Any]:
    """A figure counted under emulation, and what it is of."""
    return {"value": value, "unit": unit, "kind": "emulated", "of": of}
