"""Numbers and sections in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_lasso_runtime import Model
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.fixed_detector import KEY as FIXED_DETECTOR
from edge_lasso_runtime.predict import predicted

if TYPE_CHECKING:
    pass


def number(value: float | None, digits: int = 4) -> str:
    """A figure with so many significant digits; a dash where there is none."""
    if value is None or value != value:
        return "-"
    if value == 0.0:
        return "0"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e" not in f"{value:.0f}" and abs(value) >= 10**digits else text


def section_facts(model: Model) -> list[tuple[str, str]]:
    """What a board does with the model beside predicting."""
    facts = []
    if ESTIMATE in model.sections:
        facts.append(("missing inputs", "estimated from the others"))
    for key, what in (("health/1", "failing sensors"), ("drift/1", "drift")):
        if key in model.sections:
            count = len(model.sections[key]["readings"])
            facts.append((what, f"watched for {count} reading{'s' * (count != 1)}"))
    stage = model.sections.get("cascade/1")
    if stage is not None:
        misses = f"misses at most {stage['miss']:g}, false alarms at most {stage['false_alarm']:g}"
        facts.append(("first stage", f"{misses} (confidence {stage['confidence']:g})"))
        facts.append(("goes on to the next", f"{stage['goes_on']['found']:.1%} of the rows held out"))
    return facts


def fixed_facts(model: Model) -> list[tuple[str, str]]:
    """What is proven of integers."""
    section = model.sections.get("fixed_point/1")
    if section is None:
        return []
    facts = [("fixed point", f"int{section['bits']} coefficients, int16 inputs, int32 result")]
    for output, fixed in ((model.outputs[k], section["outputs"][k]) for k in predicted(model)):
        facts.append((f"{output.name}: proven error at most", f"{number(fixed['bound'])} {output.unit}".strip()))
    return facts


def residual_bound(model: Model) -> str:
    """How far a residual of `step_q` can be from the model's, in units of its scale; empty without `step_q`."""
    if FIXED_DETECTOR not in model.sections:
        return ""
    return number(max(sensor["bound"] for sensor in model.sections[FIXED_DETECTOR]["watched"]))
