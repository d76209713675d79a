"""The fixed-point variant of the C target: integers of 32 bits, whose sums cannot overflow (`fixed_point.validate`)."""

from __future__ import annotations

from typing import Any

from edge_lasso_runtime import Model

from . import SPDX
from .c_layout import (
    CONTRACT,
    IEEE,
    MISSING,
    ROM,
    WITHOUT_FLOAT,
    Names,
    c_double,
    extra_files,
    has_struct,
    header,
    status_word,
)
from .fixed_c_sums import LIFT, SIGNED, looped, plain, sum_lines, sum_tables
from .fixed_c_text import BATCH, ENCODE, ENCODED, ENCODES, PROBABILITY, SELFTEST, SHIFT, without_float
from .fixed_counts import counts_c, counts_header
from .fixed_python import fixed_vectors, section_of
from .options import Options
from .vectors import self_test_faults, test_rows


def fixed_files(model: Model, options: Options, names: Names) -> dict[str, bytes]:
    """Render ``NAME.c``, ``NAME.h`` and the library files."""
    section = section_of(model)
    row = ["0"] * names.width
    for place, fixed in zip(names.places, section["inputs"], strict=True):
        row[place] = str(fixed.get("default", -1))
    return {
        f"{names.prefix}.c": _source(model, options, names, section).encode(),
        f"{names.prefix}.h": _header(model, options, names, section).encode(),
        **extra_files(model, options, names, "int16_t", "int32_t", row),
    }


def _header(model: Model, options: Options, names: Names, section: dict[str, Any]) -> str:
    p, upper = names.prefix, names.upper
    several = len(model.outputs) > 1
    result, into = ("void", f", int32_t r[{upper}_OUTPUTS]") if several else ("int32_t", "")
    steps = []
    for field, fixed in zip(names.fields, section["inputs"], strict=True):
        if "categories" in fixed:
            steps.append(f"   {field}: index of the category, -1 when unknown")
            continue
        counts = f"; of a count: count - ({fixed['subtract']})" if "subtract" in fixed else ""
        text = f"q = floor((x - {fixed['centre']!r}) * {fixed['scale']!r} + 0.5), {fixed['low']} to {fixed['high']}"
        steps.append(f"   {field}: {text}{counts}")
    bound = ", ".join(repr(output["bound"]) for output in section["outputs"])
    lines = [
        "",
        "/* The readings as integers:",
        *steps,
        f"   Proven: decode(predict(encode(x))) is within {bound} of the model, over the declared ranges. */",
        f"#if !defined({upper}_NO_FLOAT) && !defined({upper}_REAL)",
        f"#define {upper}_REAL double /* of encode and decode; float where the board has no double */",
        "#endif",
        f"/* Define {upper}_NO_FLOAT for the integers alone: no {p}_encode, no {p}_decode, no floating point. */",
        "",
        f"/* q as {p}_encode gives it: within those ranges nothing overflows, whatever the order. */",
        f"{result} {p}_predict(const int16_t q[{upper}_INPUTS]{into});",
        *counts_header(model, names),
        f"void {p}_predict_batch(const int16_t *q, size_t rows, int32_t *r);",
        f"#ifndef {upper}_NO_FLOAT",
        "/* Bit i: input i is missing or out of its range (bit 31: any from 31 on). 0: all is well. */",
        f"uint32_t {p}_encode(const {upper}_REAL x[{upper}_INPUTS], int16_t q[{upper}_INPUTS]);",
        f"{upper}_REAL {p}_decode(int32_t r{', int output' if several else ''});",
    ]
    if has_struct(model, options):
        fields = "\n".join(f"    {upper}_REAL {field};" for field in names.fields)
        lines += [
            f"typedef struct {{\n{fields}\n}} {p}_input;",
            f"{result} {p}_predict_input(const {p}_input *input, uint32_t *status{into});",
        ]
    lines.append("#endif")
    if "link" in section:
        lines.append(f"uint32_t {p}_probability(int32_t r); /* of class 1, times 65536 */")
    if model.classes is not None:
        lines.append(f"int {p}_label(const int16_t q[{upper}_INPUTS]);")
    lines += [f"#ifdef {upper}_SELFTEST", f"int {p}_selftest(void); /* 1: bit for bit as it must be */", "#endif", ""]
    return header(model, options, names, "#include <stddef.h>\n#include <stdint.h>", "\n".join(lines))


def _source(model: Model, options: Options, names: Names, section: dict[str, Any]) -> str:
    p, upper = names.prefix, names.upper
    outputs = section["outputs"]
    several = len(outputs) > 1
    result, into = ("void", f", int32_t r[{upper}_OUTPUTS]") if several else ("int32_t", "")
    shifts = any(output["shift"] or any(term.get("shift") for term in output["terms"]) for output in outputs)
    lifts = not looped(outputs) and any(plain(term) for output in outputs for term in output["terms"])
    ieee = IEEE.format(instead=WITHOUT_FLOAT.format(P=upper))
    text = f'/* {SPDX} */\n#include "{p}.h"\n' + without_float(upper, ieee) + CONTRACT + ROM.format(P=upper)
    text += LIFT.format(P=upper) if lifts else ""
    text += SIGNED.format(P=upper) if any(not output["shift"] for output in outputs) else ""
    text += (SHIFT.format(p=p) if shifts else "") + sum_tables(names, outputs)
    text += f"\n{result} {p}_predict(const int16_t q[{upper}_INPUTS]{into})\n{{\n"
    text += "\n".join(sum_lines(names, outputs)) + "\n}\n"
    call = f"r[i] = {p}_predict(q + (i * {upper}_INPUTS));"
    if several:
        call = f"{p}_predict(q + (i * {upper}_INPUTS), r + (i * {upper}_OUTPUTS));"
    text += BATCH.format(p=p, call=call)
    text += counts_c(model, names)
    floats = _encode(model, names, section) if model.inputs else _no_encode(names)
    floats += _struct(model, options, names) + _decode(names, outputs)
    text += without_float(upper, floats)
    if "link" in section:
        link = section["link"]
        v = f"(size >> {link['first']}) * UINT32_C({link['multiplier']})"
        if link["second"]:
            v = f"(({v}) + UINT32_C({1 << link['second'] >> 1})) >> {link['second']}"
        text += PROBABILITY.format(
            p=p,
            P=upper,
            knots=", ".join(map(str, link["knots"])),
            last=len(link["knots"]) - 1,
            limit=link["limit"],
            v=v,
        )
    return text + _label(model, names) + _selftest(model, options, names)


def _decode(names: Names, outputs: list[dict[str, Any]]) -> str:
    p, upper = names.prefix, names.upper
    if len(outputs) > 1:
        pairs = ", ".join(
            f"{{({upper}_REAL){c_double(o['unit'])}, ({upper}_REAL){c_double(o['offset'])}}}" for o in outputs
        )
        return (
            f"\n{upper}_REAL {p}_decode(int32_t r, int output)\n{{\n"
            f"    static const {upper}_REAL steps[{upper}_OUTPUTS][2] = {{{pairs}}};\n"
            f"    return (({upper}_REAL)r * steps[output][0]) + steps[output][1];\n}}\n"
        )
    unit, offset = c_double(outputs[0]["unit"]), c_double(outputs[0]["offset"])
    return (
        f"\n{upper}_REAL {p}_decode(int32_t r)\n{{\n"
        f"    return (({upper}_REAL)r * ({upper}_REAL){unit}) + ({upper}_REAL){offset};\n}}\n"
    )


def _encode(model: Model, names: Names, section: dict[str, Any]) -> str:
    rows = []
    for place, feature, fixed in zip(names.places, model.inputs, section["inputs"], strict=True):
        if "categories" in fixed:
            reals, integers = [0.0, fixed["categories"] - 1.0, 0.0, 0.0], [-1, fixed["categories"] - 1, -1]
        else:
            reals = [float(feature.low or 0.0), float(feature.high or 0.0), fixed["centre"], fixed["scale"]]
            integers = [fixed["low"], fixed["high"], fixed["default"]]
        cells = [f"({names.upper}_REAL){c_double(value)}" for value in reals]
        rows.append(f"    {{{', '.join([*cells, *map(str, integers), str(place)])}}},")
    limit = c_double(model.limit)
    return ENCODE.format(p=names.prefix, P=names.upper, L=limit, count=len(rows), rows="\n".join(rows))


def _struct(model: Model, options: Options, names: Names) -> str:
    if not has_struct(model, options):
        return ""
    p, upper = names.prefix, names.upper
    several = len(model.outputs) > 1
    result, into = ("void", f", int32_t r[{upper}_OUTPUTS]") if several else ("int32_t", "")
    copies = "\n".join(f"    x[{i}] = input->{field};" for i, field in enumerate(names.fields))
    call = f"{p}_predict(q, r);" if several else f"return {p}_predict(q);"
    return (
        f"\n{result} {p}_predict_input(const {p}_input *input, uint32_t *status{into})\n{{\n"
        f"    {upper}_REAL x[{upper}_INPUTS];\n    int16_t q[{upper}_INPUTS];\n{copies}\n"
        f"    *status = {p}_encode(x, q);\n    {call}\n}}\n"
    )


def _no_encode(names: Names) -> str:
    p, upper = names.prefix, names.upper
    return (
        f"\nuint32_t {p}_encode(const {upper}_REAL x[{upper}_INPUTS], int16_t q[{upper}_INPUTS])\n"
        "{\n    (void)x;\n    (void)q;\n    return 0;\n}\n"
    )


def _label(model: Model, names: Names) -> str:
    if model.classes is None:
        return ""
    p, upper = names.prefix, names.upper
    text = f"\nint {p}_label(const int16_t q[{upper}_INPUTS])\n{{\n"
    if len(model.outputs) == 1:
        return text + f"    return ({p}_predict(q) > 0) ? 1 : 0;\n}}\n"
    return text + (
        f"    int32_t r[{upper}_OUTPUTS];\n    int best = 0;\n    int i;\n    {p}_predict(q, r);\n"
        f"    for (i = 1; i < {upper}_OUTPUTS; i++) {{\n        best = (r[i] > r[best]) ? i : best;\n    }}\n"
        "    return best;\n}\n"
    )


def _selftest(model: Model, options: Options, names: Names) -> str:
    several = len(model.outputs) > 1
    vectors = fixed_vectors(model, options.inputs)
    readings = [row for row, _ in test_rows(model, options.inputs)]
    join = ",\n        ".join
    missing = c_double(2.0 * model.limit)
    words = {
        "p": names.prefix, "P": names.upper, "count": len(vectors), "twice": 2 * len(vectors),
        "inputs": len(model.inputs),
        "rows": join("{" + ", ".join(map(str, q or [0])) + "}" for q, _ in vectors),
        "wanted": join("{" + ", ".join(f"INT32_C({value})" for value in r) + "}" for _, r in vectors),
        "call": f"{names.prefix}_predict(rows[i], r);" if several else f"r[0] = {names.prefix}_predict(rows[i]);",
        "readings": join(
            "{" + ", ".join(f"({names.upper}_REAL){missing if x is None else c_double(x)}" for x in row or [0.0]) + "}"
            for row in readings
        ),
        "statuses": ", ".join(map(status_word, self_test_faults(model))), "L": c_double(model.limit),
        "missing": MISSING.format(T=f"{names.upper}_REAL", p=names.prefix).strip(),
    }  # fmt: skip
    encodes = without_float(names.upper, ENCODES.format(**words)) if model.inputs else ""
    encoded = without_float(names.upper, ENCODED.format(**words)).lstrip() if model.inputs else ""
    return SELFTEST.format(**words, encodes=encodes.rstrip(), encoded=encoded)
