"""The linear predictor of tables stored by column, as C for the machine that compiles it.

The arithmetic is that of `c:double`, operation by operation and term after term, so it is bit-equal with the reference;
rows lie side by side in vector registers (GCC's vector extension, which clang has too). Columns that a model does not
read are never touched. A tile of rows is first computed as if every reading were there and inside its range; where one
is not, the tile is computed again with each reading judged by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_lasso_runtime import Model
from edge_lasso_runtime.model import Factor, Input, Term

from .c_layout import c_double

SYMBOL = "edge_lasso_columns"
STEP = 4
"""Rows are computed in multiples of this."""
MOST_TERMS = 2000
"""Beyond, compiling takes longer than it is worth."""
STREAMS = 8
"""Columns that one pass over a tile reads: enough to keep sums in registers, few enough for the caches."""
SOURCE = """#include <stddef.h>
#include <stdint.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define TILE 512

#define LANES 2
#define EACH(v) {{(v), (v)}}
#define FOR(name) name##_narrow
#define TARGET
#include "columns_tile.h"
#undef LANES
#undef EACH
#undef FOR
#undef TARGET

#ifdef __x86_64__
#define LANES 4
#define EACH(v) {{(v), (v), (v), (v)}}
#define FOR(name) name##_wide
#define TARGET __attribute__((target("avx2")))
#include "columns_tile.h"
#endif

void {symbol}(const double *const *x, size_t rows, size_t stride, double *y, uint8_t *degraded);

/* rows: a multiple of {step}; y: one run of `stride` values per output */
void {symbol}(const double *const *x, size_t rows, size_t stride, double *y, uint8_t *degraded)
{{
    size_t at;
#ifdef __x86_64__
    const int wide = __builtin_cpu_supports("avx2");
#endif
    for (at = 0; at < rows; at += TILE) {{
        const size_t n = ((rows - at) < TILE) ? (rows - at) : TILE;
#ifdef __x86_64__
        if (wide) {{
            tile_wide(x, at, n, stride, y, degraded);
            continue;
        }}
#endif
        tile_narrow(x, at, n, stride, y, degraded);
    }}
}}
"""
TILE = """typedef double FOR(reals) __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef int64_t FOR(masks) __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
#define REALS FOR(reals)
#define MASKS FOR(masks)
#define AT(p) (*(const REALS *)(p))
#define WHERE(mask, a, b) ((REALS)(((mask) & (MASKS)(a)) | (~(mask) & (MASKS)(b))))

TARGET static int64_t FOR(plain)(const double *const *x, size_t at, size_t n, size_t stride, double *y)
{{
    MASKS out = EACH(0);
    int64_t any = 0;
    size_t i;
    int lane;
    (void)x;
    (void)stride;
{plain}
    for (lane = 0; lane < LANES; lane++) {{
        any |= out[lane];
    }}
    return any;
}}

TARGET static void FOR(judged)(const double *const *x, size_t at, size_t n, size_t stride, double *y, uint8_t *degraded)
{{
    int64_t faults[TILE];
    size_t i;
    (void)x;
    (void)stride;
    for (i = 0; i < n; i++) {{
        faults[i] = 0;
    }}
{judged}
    for (i = 0; i < n; i++) {{
        degraded[at + i] = (uint8_t)(faults[i] != 0);
    }}
}}

TARGET static void FOR(tile)(
    const double *const *x, size_t at, size_t n, size_t stride, double *y, uint8_t *degraded)
{{
    size_t i;
    if (FOR(plain)(x, at, n, stride, y) != 0) {{
        FOR(judged)(x, at, n, stride, y, degraded);
        return;
    }}
    for (i = 0; i < n; i++) {{
        degraded[at + i] = 0;
    }}
}}
#undef REALS
#undef MASKS
#undef AT
#undef WHERE
"""


@dataclass(frozen=True)
class Pass:
    """One pass over a tile: some terms of an output, and the inputs they read."""

    output: int
    first: bool
    terms: tuple[Term, ...]
    inputs: tuple[int, ...]
    judged: tuple[int, ...]
    """Inputs whose readings are judged here: each once, and also those that no term reads."""


def render_columns(model: Model) -> dict[str, bytes]:
    """Render ``columns.c``, whose function `SYMBOL` computes rows of a table stored by column.

    ``void SYMBOL(const double *const *x, size_t rows, size_t stride, double *y, uint8_t *degraded)``: `x` has a pointer
    for each input (categories as indices; NaN where a reading is missing), `rows` is a multiple of `STEP`, output m is
    written to ``y[m * stride]`` and on, and `degraded` is 1 where a reading was missing or out of range.

    Parameters
    ----------
    model : Model
        With `MOST_TERMS` terms at most.

    Returns
    -------
    dict
        File name to content, the source first.
    """
    passes = list(_passes(model))
    words = {
        "plain": "\n".join(_pass(model, sweep, judged=False) for sweep in passes),
        "judged": "\n".join(_pass(model, sweep, judged=True) for sweep in passes),
    }
    return {
        "columns.c": SOURCE.format(symbol=SYMBOL, step=STEP).encode(),
        "columns_tile.h": TILE.format(**words).encode(),
    }


def _passes(model: Model) -> Iterator[Pass]:
    judged: set[int] = set()

    def make(output: int, first: bool, terms: list[Term], inputs: list[int]) -> Pass:
        new = tuple(i for i in inputs if i not in judged)
        judged.update(new)
        return Pass(output, first, tuple(terms), tuple(inputs), new)

    for m, output in enumerate(model.outputs):
        terms: list[Term] = []
        inputs: list[int] = []
        first = True
        for term in output.terms:
            more = [i for i in dict.fromkeys(factor.input for factor in term.factors) if i not in inputs]
            if terms and len(inputs) + len(more) > STREAMS:
                yield make(m, first, terms, inputs)
                terms, inputs, first = [], [], False
                more = list(dict.fromkeys(factor.input for factor in term.factors))
            terms.append(term)
            inputs += more
        yield make(m, first, terms, inputs)
    unread = [i for i in range(len(model.inputs)) if i not in judged]
    for start in range(0, len(unread), STREAMS):
        yield make(len(model.outputs) - 1, False, [], unread[start : start + STREAMS])


def _pass(model: Model, one: Pass, judged: bool) -> str:
    lines = [f"        const double *const x{i} = x[{i}] + at;" for i in one.inputs]
    lines.append(f"        double *const z = y + ({one.output} * stride) + at;")
    lines.append("        for (i = 0; i < n; i += LANES) {")
    lines += [f"            const REALS r{i} = AT(x{i} + i);" for i in one.inputs]
    if judged:
        for i in one.inputs:
            lines += [_known(i, model.inputs[i], model), *(_clean(i, model.inputs[i], model) if one.terms else [])]
        if one.judged:
            faults = " | ".join(_fault(i, model.inputs[i]) for i in one.judged)
            lines.append(f"            *(MASKS *)(faults + i) |= {faults};")
    elif one.judged:
        inside = " & ".join(_inside(i, model.inputs[i]) for i in one.judged)
        lines.append(f"            out |= ~({inside});")
    if one.first:
        lines.append(f"            REALS s = EACH({c_double(model.outputs[one.output].intercept)});")
    elif one.terms:
        lines.append("            REALS s = AT(z + i);")
    letter = "v" if judged else "r"
    lines += [f"            s += {_product(term.coef, term.factors, letter)};" for term in one.terms]
    if one.first or one.terms:
        lines.append("            *(REALS *)(z + i) = s;")
    else:
        lines.append("            (void)z;")
    return "\n".join(["    {", *lines, "        }", "    }"])


def _inside(i: int, one: Input) -> str:
    if one.categories is not None:
        return f"(r{i} >= 0.0)"
    assert one.low is not None
    assert one.high is not None
    return f"((r{i} >= {c_double(one.low)}) & (r{i} <= {c_double(one.high)}))"


def _known(i: int, one: Input, model: Model) -> str:
    limit = c_double(model.limit)
    known = f"r{i} >= 0.0" if one.categories is not None else f"(r{i} >= -{limit}) & (r{i} <= {limit})"
    return f"            const MASKS k{i} = {known};"


def _clean(i: int, one: Input, model: Model) -> list[str]:
    """The value that counts: what is missing replaced, what is outside clamped where the policy says so."""
    default = -1.0 if one.default is None else one.default
    lines = [f"            const REALS d{i} = EACH({c_double(default)});"]
    value = f"WHERE(k{i}, r{i}, d{i})"
    if model.policy == "clamp" and one.low is not None and one.high is not None:
        lines += [
            f"            const REALS l{i} = EACH({c_double(one.low)});",
            f"            const REALS h{i} = EACH({c_double(one.high)});",
            f"            const REALS u{i} = {value};",
        ]
        value = f"WHERE(u{i} < l{i}, l{i}, WHERE(u{i} > h{i}, h{i}, u{i}))"
    return [*lines, f"            const REALS v{i} = {value};"]


def _fault(i: int, one: Input) -> str:
    return f"~k{i}" if one.categories is not None else f"~(k{i} & {_inside(i, one)})"


def _product(coef: float, factors: tuple[Factor, ...], letter: str) -> str:
    parts = []
    for factor in factors:
        x = f"{letter}{factor.input}"
        if factor.category is not None:  # the bits of 1.0 where it is the category, of 0.0 elsewhere
            x = f"(REALS)(({x} == {factor.category}.0) & (MASKS)((REALS)EACH(1.0)))"
        elif factor.hinge is not None:
            knot = c_double(factor.hinge)
            x = f"(REALS)(({x} > {knot}) & (MASKS)({x} - {knot}))"
        elif factor.step is not None:
            x = f"(REALS)(({x} > {c_double(factor.step)}) & (MASKS)((REALS)EACH(1.0)))"
        parts.append(x)
    return " * ".join([c_double(coef), *parts])
