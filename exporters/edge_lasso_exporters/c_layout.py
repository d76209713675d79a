"""What every C variant shares: the header, literals, the row's names, CMake and Arduino files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import Factor

from . import GENERATOR, LICENCE, SPDX
from .names import ascii_text, c_comment, c_string, identifiers
from .options import Options
from .verdicts import verdict_of

# Fused multiply-adds change the last bit. GCC does not fuse under -std=c99; elsewhere it needs -ffp-contract=off.
CONTRACT = """
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif
"""
# Such flags take tests for NaN away and reorder sums: every answer would be plausible, and some would be wrong.
# __ASSOCIATIVE_MATH__ is gcc's -funsafe-math-optimizations, _M_FP_FAST is /fp:fast.
IEEE = """
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST) || \\
    (defined(__FINITE_MATH_ONLY__) && (__FINITE_MATH_ONLY__ > 0))
#error "a missing reading is NaN: compile this file without -ffast-math, -Ofast and -ffinite-math-only{instead}"
#endif
"""
WITHOUT_FLOAT = ", or define {P}_NO_FLOAT for the integers alone"
MISSING = """
/* NaN by its bits: no division by zero, no library. */
static {T} {p}_missing(void)
{{
    const union {{
        uint32_t bits[2];
        {T} value;
    }} nothing = {{{{UINT32_C(0xFFFFFFFF), UINT32_C(0xFFFFFFFF)}}}};
    return nothing.value;
}}
"""
# gcc makes calls of memmove from loops that move an array's elements, also under -ffreestanding.
NO_LIBC = """
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize ("no-tree-loop-distribute-patterns") /* no calls of memmove: no libc */
#endif
"""
ROM = """
#ifdef __AVR__
#include <avr/pgmspace.h>
#define {P}_ROM PROGMEM
#define {P}_LOAD(to, from) ((void)memcpy_P((to), (from), sizeof(*(to))))
#define {P}_ROW(type, row, from) \\
    type row##_copy; const type *const row = &row##_copy; {P}_LOAD(&row##_copy, (from))
#else
#define {P}_ROM
#define {P}_LOAD(to, from) (*(to) = *(from))
#define {P}_ROW(type, row, from) const type *const row = (from)
#endif
"""

LARGEST_STRUCT = 64
VERDICT_KIND = {"fixed": "int32_t"}

CMAKE = """cmake_minimum_required(VERSION 3.13)
project({name} C)
add_library({name} STATIC {name}.c)
target_include_directories({name} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
set_target_properties({name} PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
if(NOT MSVC)
  target_compile_options({name} PRIVATE -ffp-contract=off)
endif()
"""

PROPERTIES = """name={name}
version={version}
author=edge-lasso
maintainer=edge-lasso
sentence=A sparse linear model that runs without heap or libc.
paragraph=Generated; the header names the inputs.
category=Data Processing
url=https://github.com/edge-lasso/edge-lasso
architectures=*
license={licence}
includes={name}.h
"""

SKETCH = """// {spdx}
// Times one prediction and prints it; the readings are the model's defaults.
#include <{name}.h>

static {kind} row[{width}] = {{{values}}};

void setup() {{
  Serial.begin(115200);
}}

void loop() {{
  const int repeats = 100;
  volatile {result} sink = 0;
  const unsigned long start = micros();
  for (int i = 0; i < repeats; i++) {{
{call}
  }}
  const unsigned long spent = micros() - start;
  Serial.print("prediction ");
  Serial.print({shown});
  Serial.print(", microseconds each ");
  Serial.println((float)spent / repeats);
  delay(1000);
}}
"""


@dataclass(frozen=True)
class Names:
    """The names a C artifact uses.

    Parameters
    ----------
    prefix, upper : str
        Of functions and of macros.
    width : int
        Values in a row.
    places : list of int
        Where each of the model's inputs stands in a row.
    fields : list of str
        An identifier for each of the model's inputs.
    """

    prefix: str
    upper: str
    width: int
    places: list[int]
    fields: list[str]


def names_of(model: Model, options: Options) -> Names:
    """Choose the names; a row has at least one value, because C has no empty arrays."""
    whole = options.inputs == "all"
    return Names(
        options.name,
        options.name.upper(),
        max(len(model.columns) if whole else len(model.inputs), 1),
        [feature.column if whole else i for i, feature in enumerate(model.inputs)],
        identifiers(feature.name for feature in model.inputs),
    )


def has_struct(model: Model, options: Options) -> bool:
    """Whether there is a struct with a named field per input: not for whole training rows, nor for hundreds."""
    return options.inputs == "selected" and 0 < len(model.inputs) <= LARGEST_STRUCT


def c_double(value: float) -> str:
    """A double literal that reads back exactly."""
    return repr(float(value)) if "e" in repr(value) or "." in repr(value) else f"{value!r}.0"


def c_float(value: float) -> str:
    """A float literal that reads back exactly: nine significant digits."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if "e" in text or "." in text else f"{text}.0f"


def c_factor(factor: Factor, x: str, number: Callable[[float], str]) -> str:
    """A factor of a term, `x` the cleaned reading and `number` the type's literals."""
    one, zero = number(1.0), number(0.0)
    if factor.category is not None:
        return f"(({x} == {number(float(factor.category))}) ? {one} : {zero})"
    if factor.hinge is not None:
        return f"(({x} > {number(factor.hinge)}) ? ({x} - {number(factor.hinge)}) : {zero})"
    return x if factor.step is None else f"(({x} > {number(factor.step)}) ? {one} : {zero})"


def status_word(places: Sequence[int]) -> str:
    """The status of a row whose inputs at these places are at fault: a bit each, those from 31 on share one."""
    return f"UINT32_C({sum({1 << min(place, 31) for place in places})})"


def header(model: Model, options: Options, names: Names, includes: str, body: str) -> str:
    """The header: guard, names and units of the row, then `body`."""
    units = [f" [{c_comment(feature.unit)}]" if feature.unit else "" for feature in model.inputs]
    lines = [
        f"/* {SPDX}",
        f"   Made by {GENERATOR}. A sparse linear model: no heap, no state.",
        *(["   Names are in ASCII here; README.md has them as they are."] if not _plain(model) else []),
        *(
            f"   Output {m}: {c_comment(output.name)}{f' [{c_comment(output.unit)}]' if output.unit else ''}"
            for m, output in enumerate(model.outputs)
        ),
        *(f"   Class {m}: {c_comment(name)}" for m, name in enumerate(model.classes or ())),
        " */",
        f"#ifndef {names.upper}_H_",
        f"#define {names.upper}_H_",
        includes,
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        f"#define {names.upper}_VERSION {c_string(options.version)}",
        f"#define {names.upper}_HASH {c_string(model_hash(model))}",
        f"#define {names.upper}_INPUTS {names.width}",
        f"#define {names.upper}_OUTPUTS {len(model.outputs)}",
        "",
        "/* Places in a row of readings. */",
    ]
    for place, field, unit, feature in zip(names.places, names.fields, units, model.inputs, strict=True):
        if feature.categories is None:
            about = f"default {feature.default!r}, {feature.low!r} to {feature.high!r}"
        else:
            about = "category: " + ", ".join(f"{i} {c_comment(name)}" for i, name in enumerate(feature.categories))
        lines.append(f"#define {names.upper}_IN_{field.upper()} {place} /* {c_comment(feature.name)}{unit}, {about} */")
    section = model.sections.get("interval/1")
    if section is not None:
        lines += [
            "",
            f"/* Added to a prediction, per output: the interval that holds {section['level']:g} of truths. */",
            *(["/* Both are 1 + slope * |prediction| times as far. */"] if "slope" in section else []),
        ]
        for key in ("low", "high", "slope")[: 2 + ("slope" in section)]:
            values = ", ".join(c_double(value) for value in section[key])
            lines.append(f"#define {names.upper}_INTERVAL_{key.upper()} {{{values}}}")
    body += _verdict(model, options, names)
    return "\n".join([*lines, body, "#ifdef __cplusplus", "}", "#endif", "", "#endif", ""])


def _verdict(model: Model, options: Options, names: Names) -> str:
    """The declaration of ``NAME_verdict`` of a first stage."""
    verdict = verdict_of(model, options)
    if verdict is None:
        return ""
    return (
        f"\n/* What a first stage says of a row whose status is 0, from {verdict.of}: -1 no, 1 yes, 0 go on. */\n"
        f"int {names.prefix}_verdict({VERDICT_KIND.get(options.variant, options.variant)} z);\n"
    )


def verdict_text(model: Model, options: Options, names: Names) -> str:
    """The function ``NAME_verdict`` of a first stage; empty where the model is none."""
    verdict = verdict_of(model, options)
    if verdict is None:
        return ""
    literal: Any = {"double": c_double, "float": c_float, "fixed": "INT32_C({})".format}[options.variant]
    return (
        f"\nint {names.prefix}_verdict({VERDICT_KIND.get(options.variant, options.variant)} z)\n{{\n"
        f"    return (z < {literal(verdict.low)}) ? {verdict.below} : "
        f"((z > {literal(verdict.high)}) ? {verdict.above} : 0);\n}}\n"
    )


def _plain(model: Model) -> bool:
    """Whether all names are ASCII."""
    words = [feature.name for feature in model.inputs] + [output.name for output in model.outputs]
    words += [*(model.classes or ()), *(word for feature in model.inputs for word in feature.categories or ())]
    return all(ascii_text(word) == word for word in words)


def extra_files(
    model: Model, options: Options, names: Names, kind: str, result: str, row: list[str]
) -> dict[str, bytes]:
    """CMake and Arduino library files, with a sketch that times the model."""
    several = len(model.outputs) > 1
    if several:
        call = f"    {result} y[{len(model.outputs)}];\n    {names.prefix}_predict(row, y);\n    sink = y[0];"
    else:
        call = f"    sink = {names.prefix}_predict(row);"
    shown = "(double)sink / 1.0" if result != "int32_t" else "sink"
    sketch = SKETCH.format(
        spdx=SPDX,
        name=names.prefix,
        kind=kind,
        result=result,
        width=names.width,
        values=", ".join(row),
        call=call,
        shown=shown,
    )
    return {
        "CMakeLists.txt": CMAKE.format(name=names.prefix).encode(),
        "library.properties": PROPERTIES.format(name=names.prefix, version=options.version, licence=LICENCE).encode(),
        "examples/timing/timing.ino": sketch.encode(),
    }
