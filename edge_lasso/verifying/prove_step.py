"""What provers are asked about ``step_q``: from any state within its ranges, a row leads to one that is again.

Eva follows everything but moving averages, whose lemma it has as a contract, and the two parts of a memory's range
(NONE, or an integer of the sensor); ESBMC proves those two, of the same C.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from edge_lasso_exporters.detector_q import DetectorQ, has_step_q
from edge_lasso_exporters.programs.layout_q import COUNTER, layout_q
from edge_lasso_exporters.programs.nodes import Member
from edge_lasso_runtime.model import Model

CONTRACT = """#ifdef __FRAMAC__
/*@ assigns \\result \\from average, value;
  ensures \\min(average, value) <= \\result <= \\max(average, value); */
{move};
#endif
"""
HARNESS = """
#ifndef __FRAMAC__
void prove_average(void)
{{
    int32_t average;
    int32_t value;
    int32_t moved;
    SOME(average, -1073741823, 1073741823);
    SOME(value, -1073741823, 1073741823);
    moved = {name}_move_q(average, value);
    CHECK_RANGE(moved, (average < value) ? average : value, (average < value) ? value : average);
}}
#endif

static {name}_state_q kept;

static void some_state({name}_state_q *state, int16_t q[{P}_READINGS])
{{
    int k;
    int begun;
    SOME(begun, 0, 1);
    for (k = 0; k < {P}_READINGS; k++) {{
        SOME(q[k], -32768, 32767);
    }}
    if (begun == 0) {{
        {name}_start_q(state);
    }} else {{
{assumed}
    }}
}}

void prove_step_q(void)
{{
    {name}_state_q *const state = &kept;
    {name}_result_q result;
    int16_t q[{P}_READINGS];
    some_state(state, q);
    (void){name}_step_q(state, q, &result);
{asserted}
}}

#ifndef __FRAMAC__
void prove_memory(void)
{{
    {name}_state_q *const state = &kept;
    {name}_result_q result;
    int16_t q[{P}_READINGS];
    some_state(state, q);
    (void){name}_look_q(state, q, &result);
{checked}
}}
#endif
"""


def step_harness(model: Model, name: str, source: str) -> tuple[str, str]:
    """The contract that stands before the artifact's C, and the functions behind it; empty where nothing is asked.

    Nothing is: of a model without ``step_q``, of one with derived inputs other than lags or a threshold that follows,
    and of one that smoothes nothing. So `look_q` alone writes the memory.
    """
    move = re.search(rf"static int32_t {name}_move_q\(int32_t average, int32_t value\)", source)
    if not has_step_q(model) or move is None:
        return "", ""
    layout = DetectorQ(model)
    if layout.averages or layout.derived or "follow" in layout.section:
        return "", ""
    assumed, asserted, checked = [], [], []
    for cell, low, high, none in _cells(layout_q(layout).members["state"]):
        if (low, high) == COUNTER:
            assumed.append(f"SOME_COUNT({cell});")
            continue
        assumed.append(f"SOME({cell}, {low}, {high});")
        if none is None:
            asserted.append(f"//@ assert {low} <= {cell} <= {high};")
        else:
            assumed.append(f"MAYBE({cell}, {none});")
            checked.append(f"CHECK_RANGE_OR({cell}, {low}, {high}, {none});")
    words = {"name": name, "P": name.upper()}
    text = HARNESS.format(
        **words, assumed="\n".join(f"        {line}" for line in assumed),
        asserted="\n".join(f"    {line}" for line in asserted), checked="\n".join(f"    {line}" for line in checked),
    )  # fmt: skip
    return CONTRACT.format(move=move[0]), text


def _cells(members: Mapping[str, Member]) -> Iterator[tuple[str, int, int, int | None]]:
    """Every number of a state, with its range and what it is where it is none."""
    for name, member in members.items():
        ends = member.each or ((member.low, member.high),) * (member.count or 1)
        for i, (low, high) in enumerate(ends):
            cell = f"state->{name}" + ("" if member.count is None else f"[{i}]")
            assert low is not None
            assert high is not None
            yield cell, low, high, member.none
