"""`encode_counts` of the fixed-point artifacts, where a sensor delivers counts (see the runtime's `counts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_lasso_runtime import Model
from edge_lasso_runtime.counts import count_ranges

from .options import Options

if TYPE_CHECKING:  # the Python target needs no numpy
    from .c_layout import Names

PYTHON = '''COUNTS = (  # place, lowest count, highest, the integer of the lowest, of a missing one
{rows}
)


def encode_counts(x):
    """Counts, in the order of FEATURES (None: missing), as the integers that `predict` takes: (q, status).

    {about}
    """
    if len(x) != len(FEATURES):
        raise ValueError("a row has %d counts, got %d" % (len(FEATURES), len(x)))
    q, faults = [0] * len(FEATURES), []
    for place, lowest, highest, first, missing in COUNTS:
        try:
            count = int(x[place])
        except (TypeError, ValueError, OverflowError):
            count = None
        if count is None or count != x[place] or (missing < first and not lowest <= count <= highest):
            q[place] = missing
            faults.append(FEATURES[place] + " missing")
            continue
        if count < lowest or count > highest:
            faults.append(FEATURES[place] + " out of range")
            count = lowest if count < lowest else highest
        q[place] = count - lowest + first
    return q, "degraded: " + ", ".join(faults) if faults else "ok"
'''
ABOUT = "An input without a raw scale takes its integer of `encode`, a category its index."
DECLARED = """
/* Sensors' counts as the integers that {p}_predict takes; status as of {p}_encode. Any int32_t will do:
   a count beyond its range is clamped before anything is subtracted. {about} */
#define {P}_NO_COUNT INT32_MIN /* the count of a sensor that did not answer */
uint32_t {p}_encode_counts(const int32_t counts[{P}_INPUTS], int16_t q[{P}_INPUTS]);"""
C = """
typedef struct {{
    int32_t lowest;
    int32_t highest;
    int16_t first;
    int16_t missing;
    uint16_t place;
}} {p}_range;

static const {p}_range {p}_ranges[] {P}_ROM = {{
{rows}
}};

uint32_t {p}_encode_counts(const int32_t counts[{P}_INPUTS], int16_t q[{P}_INPUTS])
{{
    uint32_t status = 0;
    uint16_t i;
    for (i = 0; i < {count}U; i++) {{
        {P}_ROW({p}_range, range, &{p}_ranges[i]);
        int32_t count = counts[range->place];
        int known;
        known = (count >= range->lowest) && (count <= range->highest);
        if (!known) {{
            status |= UINT32_C(1) << ((i < 31U) ? i : 31U);
        }}
        if (!known && ((count == {P}_NO_COUNT) || (range->missing < range->first))) {{ /* missing, no such category */
            q[range->place] = range->missing;
        }} else {{
            count = (count < range->lowest) ? range->lowest : ((count > range->highest) ? range->highest : count);
            q[range->place] = (int16_t)((count - range->lowest) + (int32_t)range->first);
        }}
    }}
    return status;
}}
"""


def has_counts(model: Model) -> bool:
    """Whether any input has a raw scale."""
    return any(feature.raw is not None for feature in model.inputs)


def counts_python(model: Model, options: Options) -> str:
    """What the Python artifact gets; nothing where no sensor delivers counts."""
    if not has_counts(model):
        return ""
    places = [feature.column if options.inputs == "all" else i for i, feature in enumerate(model.inputs)]
    rows = "\n".join(f"    {(place, *numbers)!r}," for place, numbers in zip(places, count_ranges(model), strict=True))
    return PYTHON.format(rows=rows, about=ABOUT)


def counts_header(model: Model, names: Names) -> list[str]:
    """Lines for the C header."""
    return (
        [DECLARED.format(p=names.prefix, P=names.upper, about=ABOUT.replace("`encode`", f"{names.prefix}_encode"))]
        if has_counts(model)
        else []
    )


def counts_c(model: Model, names: Names) -> str:
    """What the C file gets."""
    if not has_counts(model):
        return ""
    rows = [
        f"    {{INT32_C({lowest}), INT32_C({highest}), {first}, {missing}, {place}}},"
        for place, (lowest, highest, first, missing) in zip(names.places, count_ranges(model), strict=True)
    ]
    return C.format(p=names.prefix, P=names.upper, rows="\n".join(rows), count=len(rows))
