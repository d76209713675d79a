"""What `step_fixed` needs of a model: what `step` does, with integers where histories and sums are."""

from __future__ import annotations

from typing import Any

from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime.fixed_history import FRACTION, NONE, rate_of
from edge_lasso_runtime.fixed_point import KEY

from .layout import layout, table
from .layout_q import UNBEGUN, WORD
from .nodes import Member, Spec

INTEGER = (-(1 << 30) + 1, (1 << 30) - 1)


def layout_fixed(plan: Stateful, last_bit: int = 31, exponential: bool = False) -> Spec:
    """Lay a fixed-point model out that takes in rows one after another.

    Parameters
    ----------
    plan : Stateful
    last_bit : int
        Of a status: it stands for all readings from there on.
    exponential : bool
        Whether probabilities of several classes are to be computed, which takes a library of mathematics.
    """
    spec = layout(plan, last_bit=last_bit, own=True)
    spec.numbers |= {
        "CLAMP": True, "STREAMS": True, "NONE": NONE, "UNBEGUN": UNBEGUN, "SCALE": 1 << FRACTION,
        "HALF_SCALE": 1 << FRACTION >> 1, "FRACTION": FRACTION, "EXPONENTIAL": exponential,
    }  # fmt: skip
    fixed: list[dict[str, Any]] = plan.model.sections[KEY]["inputs"]
    places, inputs = plan.places, plan.model.inputs
    grids = {i: _grid(fixed[i], inputs[i], places[i]) for i in range(len(inputs))}
    names = "centre scale low high first last otherwise categories place"
    spec.tables["GRIDS"] = table(names, [grids[i] for i in plan.readings])
    spec.tables["NUMERICS"] = table(names, [grids[i] for i in plan.numeric])
    for name, kind in (("DIFFERENCES", "difference"), ("MEANS", "mean")):
        if name in spec.tables:
            ends = [fixed[to] for to, own, *_ in plan.derived if own == kind]
            spec.tables[name].columns |= {key: [end[key] for end in ends] for key in ("low", "high")}
    if plan.averages:
        rows = [(places[to], places[at], *rate_of(span)) for to, at, span in plan.averages]
        spec.tables["AVERAGES"] = table("to at rate shift", rows)
        spec.members["state"]["averages"] = Member(
            -32767 << FRACTION, 32767 << FRACTION, len(rows), UNBEGUN, none=UNBEGUN
        )
    if plan.derived:
        spec.members["state"]["rings"] = Member(
            *WORD, sum(size for _, size in plan.sources), NONE, "the last integers, ring after ring"
        )
    spec.members["work"] |= {
        "q": Member(*WORD, max(plan.width, 1)),
        "r": Member(*INTEGER, len(plan.model.outputs), per="OUTPUTS"),
    }
    spec.tables = {name: rows for name, rows in spec.tables.items() if len(rows)}
    return spec


def _grid(fixed: dict[str, Any], one: Any, place: int) -> tuple[Any, ...]:
    """Centre, scale, range, integers at its ends (as reals) and for what is missing, whether a category, place."""
    if "categories" in fixed:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1, 1, place
    ends = float(one.low or 0.0), float(one.high or 0.0), float(fixed["low"]), float(fixed["high"])
    return float(fixed["centre"]), float(fixed["scale"]), *ends, fixed["default"], 0, place
