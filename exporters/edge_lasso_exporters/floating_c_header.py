"""The header of the double and float variants of the C target."""

from __future__ import annotations

from edge_lasso_runtime import Model

from .c_layout import Names, has_struct, header
from .options import Options


def declarations(model: Model, options: Options, names: Names, kind: str) -> str:
    """``NAME.h``, whose readings and results are of type `kind`."""
    p, upper, several = names.prefix, names.upper, len(model.outputs) > 1
    result = "void" if several else kind
    into = f", {kind} y[{upper}_OUTPUTS]" if several else ""
    lines = [""]
    if has_struct(model, options):
        fields = "\n".join(f"    {kind} {field};" for field in names.fields)
        lines += [f"typedef struct {{\n{fields}\n}} {p}_input;", ""]
    lines += [
        "/* Readings that are missing (NaN, or beyond the limit) are replaced by their defaults. */",
        f"{result} {p}_linear(const {kind} x[{upper}_INPUTS]{into});",
        f"{result} {p}_predict(const {kind} x[{upper}_INPUTS]{into});",
        "/* Bit i: input i is missing or out of its range (bit 31: any from 31 on). 0: all is well. */",
        f"uint32_t {p}_status(const {kind} x[{upper}_INPUTS]);",
    ]
    if model.classes is not None:
        lines.append(f"int {p}_label(const {kind} x[{upper}_INPUTS]);")
    if has_struct(model, options):
        lines.append(f"{result} {p}_predict_input(const {p}_input *input, uint32_t *status{into});")
    lines += [
        f"void {p}_linear_batch(const {kind} *x, size_t rows, {kind} *y);",
        f"void {p}_predict_batch(const {kind} *x, size_t rows, {kind} *y);",
        f"#ifdef {upper}_SELFTEST",
        f"int {p}_selftest(void); /* 1: this board computes what the model must */",
        "#endif",
        "",
    ]
    return header(model, options, names, "#include <stddef.h>\n#include <stdint.h>", "\n".join(lines))
