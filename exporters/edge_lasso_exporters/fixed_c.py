"""The fixed-point variant of the C target: integers of 32 bits, whose sums cannot overflow (`fixed_point.validate`)."""

from __future__ import annotations

from typing import Any

from edge_lasso_runtime import Model

from .c_layout import CONTRACT, ROM, Names, c_double, extra_files, has_struct, header
from .fixed_c_sums import LIFT, looped, plain, sum_lines, sum_tables
from .fixed_counts import counts_c, counts_header
from .fixed_python import fixed_vectors, section_of
from .options import Options

BATCH = """
void {p}_predict_batch(const int16_t *q, size_t rows, int32_t *r)
{{
    size_t i;
    for (i = 0; i < rows; i++) {{
        {call}
    }}
}}
"""
SHIFT = """
static int32_t {p}_shift(int32_t value, unsigned int bits)
{{
    /* An arithmetic shift with rounding that does not depend on the compiler: |value| < 2^30. */
    const uint32_t lifted = (uint32_t)value + UINT32_C(0x40000000) + (UINT32_C(1) << (bits - 1U));
    return (int32_t)(lifted >> bits) - (int32_t)(UINT32_C(0x40000000) >> bits);
}}
"""
ENCODE = """
typedef struct {{
    {P}_REAL low;
    {P}_REAL high;
    {P}_REAL centre;
    {P}_REAL scale;
    int16_t first;
    int16_t last;
    int16_t missing;
    uint16_t place;
}} {p}_grid;

static const {p}_grid {p}_steps[] {P}_ROM = {{
{rows}
}};

uint32_t {p}_encode(const {P}_REAL x[{P}_INPUTS], int16_t q[{P}_INPUTS])
{{
    uint32_t status = 0;
    uint16_t i;
    for (i = 0; i < {count}U; i++) {{
        {p}_grid step;
        {P}_REAL value;
        int32_t whole;
        int known;
        {P}_LOAD(&step, &{p}_steps[i]);
        value = x[step.place];
        known = (value >= ({P}_REAL)-{L}) && (value <= ({P}_REAL){L});
        q[step.place] = step.missing;
        if (known && (step.scale == ({P}_REAL)0)) {{ /* a category */
            known = (value >= ({P}_REAL)0) && (value <= step.high) && (value == ({P}_REAL)(int32_t)value);
            q[step.place] = known ? (int16_t)value : step.missing;
        }} else if (known) {{
            known = (value >= step.low) && (value <= step.high);
            value = (value < step.low) ? step.low : ((value > step.high) ? step.high : value);
            value = ((value - step.centre) * step.scale) + ({P}_REAL)0.5;
            value = (value < ({P}_REAL)step.first) ? ({P}_REAL)step.first : value;
            value = (value > ({P}_REAL)step.last) ? ({P}_REAL)step.last : value;
            whole = (int32_t)value;
            q[step.place] = (int16_t)((({P}_REAL)whole > value) ? (whole - 1) : whole);
        }} else {{
            /* missing: the default, as set above */
        }}
        if (!known) {{
            status |= UINT32_C(1) << ((i < 31U) ? i : 31U);
        }}
    }}
    return status;
}}
"""
PROBABILITY = """
static const uint16_t {p}_knots[] {P}_ROM = {{{knots}}};

uint32_t {p}_probability(int32_t r)
{{
    const uint32_t size = (r < 0) ? (uint32_t)-r : (uint32_t)r;
    uint16_t low;
    uint16_t high;
    uint32_t p;
    {P}_LOAD(&low, &{p}_knots[{last}]);
    p = low;
    if (size < UINT32_C({limit})) {{
        const uint32_t v = {v};
        const uint32_t i = v >> 9;
        if (i < {last}U) {{
            {P}_LOAD(&low, &{p}_knots[i]);
            {P}_LOAD(&high, &{p}_knots[i + 1U]);
            p = low + ((((uint32_t)(high - low) * (v & 511U)) + 256U) >> 9);
        }}
    }}
    return (r < 0) ? (UINT32_C(65536) - p) : p;
}}
"""


def fixed_files(model: Model, options: Options, names: Names) -> dict[str, bytes]:
    """Render ``NAME.c``, ``NAME.h`` and the library files."""
    section = section_of(model)
    row = ["0"] * names.width
    for place, fixed in zip(names.places, section["inputs"], strict=True):
        row[place] = str(fixed.get("default", -1))
    return {
        f"{names.prefix}.c": _source(model, options, names, section).encode(),
        f"{names.prefix}.h": _header(model, options, names, section).encode(),
        **extra_files(model, names, "int16_t", "int32_t", row),
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
        f"#ifndef {upper}_REAL",
        f"#define {upper}_REAL double /* of encode and decode; float where the board has no double */",
        "#endif",
        "",
        f"/* q as {p}_encode gives it: within those ranges nothing overflows, whatever the order. */",
        f"{result} {p}_predict(const int16_t q[{upper}_INPUTS]{into});",
        "/* Bit i: input i is missing or out of its range (bit 31: any from 31 on). 0: all is well. */",
        f"uint32_t {p}_encode(const {upper}_REAL x[{upper}_INPUTS], int16_t q[{upper}_INPUTS]);",
        *counts_header(model, names),
        f"void {p}_predict_batch(const int16_t *q, size_t rows, int32_t *r);",
        f"{upper}_REAL {p}_decode(int32_t r{', int output' if several else ''});",
    ]
    if has_struct(model, options):
        fields = "\n".join(f"    {upper}_REAL {field};" for field in names.fields)
        lines += [
            f"typedef struct {{\n{fields}\n}} {p}_input;",
            f"{result} {p}_predict_input(const {p}_input *input, uint32_t *status{into});",
        ]
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
    text = f'#include "{p}.h"\n' + CONTRACT + ROM.format(P=upper) + (LIFT.format(P=upper) if lifts else "")
    text += (SHIFT.format(p=p) if shifts else "") + sum_tables(names, outputs)
    text += f"\n{result} {p}_predict(const int16_t q[{upper}_INPUTS]{into})\n{{\n"
    text += "\n".join(sum_lines(names, outputs)) + "\n}\n"
    call = f"r[i] = {p}_predict(q + (i * {upper}_INPUTS));"
    if several:
        call = f"{p}_predict(q + (i * {upper}_INPUTS), r + (i * {upper}_OUTPUTS));"
    text += BATCH.format(p=p, call=call)
    text += _encode(model, names, section) if model.inputs else _no_encode(names)
    text += counts_c(model, names) + _struct(model, options, names)
    text += f"\n{upper}_REAL {p}_decode(int32_t r{', int output' if several else ''})\n{{\n"
    if several:
        pairs = ", ".join(
            f"{{({upper}_REAL){c_double(o['unit'])}, ({upper}_REAL){c_double(o['offset'])}}}" for o in outputs
        )
        text += f"    static const {upper}_REAL steps[{upper}_OUTPUTS][2] = {{{pairs}}};\n"
        text += f"    return (({upper}_REAL)r * steps[output][0]) + steps[output][1];\n}}\n"
    else:
        unit, offset = c_double(outputs[0]["unit"]), c_double(outputs[0]["offset"])
        text += f"    return (({upper}_REAL)r * ({upper}_REAL){unit}) + ({upper}_REAL){offset};\n}}\n"
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
    p, upper = names.prefix, names.upper
    vectors = fixed_vectors(model, options.inputs)
    rows = ",\n        ".join("{" + ", ".join(map(str, q or [0])) + "}" for q, _ in vectors)
    wanted = ",\n        ".join("{" + ", ".join(f"INT32_C({value})" for value in r) + "}" for _, r in vectors)
    call = f"{p}_predict(rows[i], r);" if len(model.outputs) > 1 else f"r[0] = {p}_predict(rows[i]);"
    return (
        f"\n#ifdef {upper}_SELFTEST\nint {p}_selftest(void)\n{{\n"
        f"    static const int16_t rows[{len(vectors)}][{upper}_INPUTS] = {{\n        {rows}}};\n"
        f"    static const int32_t wanted[{len(vectors)}][{upper}_OUTPUTS] = {{\n        {wanted}}};\n"
        f"    int32_t r[{upper}_OUTPUTS];\n    int i;\n    int m;\n"
        f"    for (i = 0; i < {len(vectors)}; i++) {{\n        {call}\n"
        f"        for (m = 0; m < {upper}_OUTPUTS; m++) {{\n            if (r[m] != wanted[i][m]) {{\n"
        "                return 0;\n            }\n        }\n    }\n    return 1;\n}\n#endif\n"
    )
