"""The derived inputs of a C artifact's `step_q`: differences, means and averages; lags are places in its memory."""

from __future__ import annotations

from edge_lasso_runtime.fixed_stream import FRACTION

from .detector_q import DetectorQ

MEAN = """            int32_t total = 0;
            int32_t count = 0;
            size_t n;
            for (n = one.length; n-- > 0U;) {{
                if (now[n] != {P}_NONE) {{
                    total += now[n];
                    count++;
                }}
            }}
            if (count > 0) {{
                total = (2 * total) + count;
                count = 2 * count;
                value = total / count;
                value = ((total % count) < 0) ? (value - 1) : value;
            }}
"""
DIFFERENCE = """            const int32_t old = now[one.length];
            if ((old != {P}_NONE) && (now[0] != {P}_NONE)) {{
                value = now[0] - old;
                value = (value < one.low) ? one.low : ((value > one.high) ? one.high : value);
            }}
"""
DERIVE = """
/* Inputs that are computed from histories. */
static void {p}_derive_q({p}_state_q *state)
{{
    size_t i;
{loops}}}
"""
DERIVED = """    for (i = 0; i < {count}U; i++) {{
        {p}_derived_q one;
        const int16_t *now;
        int32_t value = {P}_NONE;
        {P}_LOAD(&one, &{p}_derived_rows[i]);
        now = state->memory + one.at;
{inner}        state->memory[{held}U + i] = (int16_t)value;
    }}
"""
AVERAGES = """    for (i = 0; i < {count}U; i++) {{
        {p}_average_q one;
        int32_t value;
        {P}_LOAD(&one, &{p}_average_rows[i]);
        value = state->memory[one.at];
        if (value != {P}_NONE) {{
            value = value * {scale};
            if (state->averages[i] != INT32_MIN) {{
                value = {p}_move_q(state->averages[i], value, one.rate{shift});
            }}
            state->averages[i] = value;
        }}
        value = state->averages[i];
        value = (value == INT32_MIN) ? {P}_NONE : {P}_FLOOR(value + {half}, {fraction});
        state->memory[{held}U + i] = (int16_t)value;
    }}
"""


def stream_tables(q: DetectorQ) -> list[tuple[str, dict[str, list[int]]]]:
    """Tables by name, each with its columns."""
    found = []
    if q.derived:
        rows = [(at, length, low, high, int(kind == "mean")) for _, kind, at, length, low, high in q.derived]
        names: tuple[str, ...] = ("at", "length", "low", "high", "mean")
        found.append(("derived", {name: [row[n] for row in rows] for n, name in enumerate(names)}))
    if q.averages:
        names = ("at", "rate", "shift")
        found.append(("average", {name: [row[n + 1] for row in q.averages] for n, name in enumerate(names)}))
    return found


def derive(q: DetectorQ, words: dict[str, str], shifts: bool) -> str:
    """The function that fills them in; nothing where there are none."""
    if not (q.derived or q.averages):
        return ""
    kinds = {kind for _, kind, *_ in q.derived}
    mean, difference = MEAN.format(**words), DIFFERENCE.format(**words)
    inner = mean if kinds == {"mean"} else difference
    if len(kinds) == 2:
        inner = f"        if (one.mean != 0U) {{\n{mean}        }} else {{\n{difference}        }}\n"
    elif kinds:
        inner = f"        {{\n{inner}        }}\n"
    loops = ""
    if q.derived:
        loops += DERIVED.format(**words, count=len(q.derived), inner=inner, held=q.held)
    if q.averages:
        loops += AVERAGES.format(
            **words, count=len(q.averages), scale=1 << FRACTION, half=1 << FRACTION >> 1, fraction=FRACTION,
            held=q.held + len(q.derived), shift=", one.shift" if shifts else "",
        )  # fmt: skip
    return DERIVE.format(**words, loops=loops)
