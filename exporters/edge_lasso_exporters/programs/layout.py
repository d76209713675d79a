"""What `step` needs of a model: numbers, tables, members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime.detector import SETTLING, STRAY
from edge_lasso_runtime.model import EXP_ROOM, Factor, Model

from .layout_q import COUNTER, FAULTS
from .nodes import Member, Spec, Table

ENDLESS = 1 << 30
NAN = float("nan")
NO_CATEGORY = -1.0
SCRATCH = "scratch"
HINGE, STEP = 1, 2
Terms = list[tuple[float, float, float, list[tuple[int, float, int, float]]]]
"""Of an output: scale, offset, coefficient, and factors as place, category, bend and knot."""


def layout(plan: Stateful, single: bool = False, last_bit: int = 31, own: bool = False) -> Spec:
    """Lay a model out that takes in rows one after another.

    Parameters
    ----------
    plan : Stateful
    single : bool
        Whether the artifact computes in binary32, in the form that `dense_bounds` proves.
    last_bit : int
        Of a status: it stands for all readings from there on.
    own : bool
        Whether the artifact's own linear predictor is called; it wants a row of the artifact's width.
    """
    outputs = _outputs(plan.model, single)
    members = {
        "state": _state(plan),
        "out": _out(plan),
        "given": {"x": real(max(len(plan.readings), 1), per="READINGS")},
    }
    members["work"] = {"row": real(max(plan.width if own else len(plan.model.inputs), 1), NAN)}
    if plan.reads:
        members["work"]["blind"] = Member(0, 1, len(plan.model.outputs), per="OUTPUTS")
    if plan.detector and plan.detector["fast"]:
        members["work"]["quick"] = real(len(plan.model.outputs), per="OUTPUTS")
    return Spec(_numbers(plan, outputs, last_bit) | {"DENSE": own}, _tables(plan, outputs, own), members)


def real(count: int | None = None, start: float = 0.0, says: str = "", per: str = "") -> Member:
    """A member of the artifact's type."""
    return Member(None, None, count, start, says, per=per)


def table(names: str, rows: Sequence[Sequence[Any]]) -> Table:
    """A table from its columns' names and its rows."""
    return Table({name: [row[i] for row in rows] for i, name in enumerate(names.split())})


def _outputs(model: Model, single: bool) -> list[tuple[float, Terms]]:
    """Intercept and terms per output."""
    if single:
        return _single(model)
    results = []
    for output in model.outputs:
        several = any(
            len(term.factors) != 1 or not term.factors[0].plain for other in model.outputs for term in other.terms
        )
        terms: Terms = []
        for term in output.terms:
            factors = list(map(_factor, term.factors))
            terms.append((float(term.coef), 0.0, 1.0, factors) if several else (1.0, 0.0, float(term.coef), factors))
        results.append((float(output.intercept), terms))
    return results


def _factor(factor: Factor) -> tuple[int, float, int, float]:
    """Place, category, whether it is bent and how, and where."""
    bend = HINGE if factor.hinge is not None else STEP if factor.step is not None else 0
    category = NO_CATEGORY if factor.category is None else float(factor.category)
    return factor.input, category, bend, float(factor.knot or 0.0)


def _single(model: Model) -> list[tuple[float, Terms]]:
    from edge_lasso_exporters import dense_bounds  # it needs numpy, which the other variants do without
    from edge_lasso_exporters.dense import dense

    form = dense_bounds.choose(dense(model), "float32")
    plan = form.plan
    features = [_factor(plan.factor(feature)) for feature in range(plan.width)]
    results = []
    for m, bias in enumerate(form.bias.tolist()):
        terms: Terms = []
        for j, term in enumerate(plan.terms):
            weight = float(form.weights[m, j])
            offset = 0.0 if form.offset is None else float(form.offset[j])
            if weight != 0.0:
                terms.append((term.scale, offset, weight, [features[f] for f in term.factors]))
        results.append((bias, terms))
    return results


def _numbers(plan: Stateful, outputs: list[tuple[float, Terms]], last_bit: int) -> dict[str, Any]:
    model, section = plan.model, plan.detector or {}
    clip, track, adjust = float(section.get("clip", 0.0)), int(section.get("track", 0)), plan.adjust or {}
    factors = [factors for _, terms in outputs for *_, factors in terms]
    return {
        **FAULTS, "LIMIT": float(model.limit), "CLAMP": model.policy == "clamp", "STREAMS": plan.streams,
        "CATEGORICAL": any(feature.categories is not None for feature in model.inputs), "REMEMBERS": bool(plan.limits),
        "STUCKS": any(stuck for stuck, _ in plan.limits.values()), "MANY": len(plan.readings) > last_bit,
        "LAST_BIT": last_bit, "PREDICTED": len(model.outputs), "LINK": model.outputs[0].link,
        "PRODUCTS": any(len(each) != 1 or each[0][1] != NO_CATEGORY or each[0][2] for each in factors),
        "BENT": model.bent, "HINGE": HINGE, "STEP": STEP, "EXP_ROOM": EXP_ROOM,
        "FRESH": False, "ESTIMATES": plan.estimate is not None, "NUMERIC": len(plan.numeric), "BLIND": bool(plan.reads),
        "DETECTOR": bool(section), "CLIP": clip, "SMOOTHING": float(section.get("smoothing", 0)),
        "SMOOTH": section.get("smoothing", 1.0) < 1.0, "TRACKS": track > 0, "TRACK": 2.0**-track,
        "SETTLING": 2.0**-SETTLING, "STRAY": STRAY,
        "QUICK": bool(section.get("fast")), "FAST": float(section.get("fast", 0)),
        "HOLD": section.get("threshold", {}).get("hold", 0),
        "WARM_UP": plan.warm_up, "ENDLESS": ENDLESS, "ADJUSTS": plan.adjust is not None,
        **{name.upper(): adjust.get(name, 0) for name in ("up", "down", "least", "most", "freeze", "thaw")},
    }  # fmt: skip


def _tables(plan: Stateful, outputs: list[tuple[float, Terms]], own: bool) -> dict[str, Table]:
    inputs, numbers = plan.model.inputs, plan.numeric
    places = plan.places if own else list(range(len(inputs)))
    tables = {"SENSORS": _sensors(plan, places), **streams(plan, places)}
    rows = [
        (float(inputs[i].default or 0.0), float(inputs[i].low or 0.0), float(inputs[i].high or 0.0), places[i])
        for i in numbers
    ]
    tables["DEFAULTS"] = table("otherwise low high place", rows)
    tables["READERS"] = table("place output", [(places[i], k) for i, k in plan.reads])
    terms = [term for _, own in outputs for term in own]
    factors = [factor for *_, own in terms for factor in own]
    inner = table("place category bend knot", factors)
    # Of a plain model a term is its one factor.
    middle = table("scale offset coef place", [(*numbers_, own[0][0] if own else 0) for *numbers_, own in terms])
    middle.within["factors"] = ([len(own) for *_, own in terms], inner)
    tables["SUMS"] = table("intercept", [(intercept,) for intercept, _ in outputs])
    tables["SUMS"].within["terms"] = ([len(own) for _, own in outputs], middle)
    if plan.detector:
        which = {i: k for k, i in enumerate(plan.readings)}
        tables["WATCHED"] = table(
            "reading centre factor slow weight", [(which[at], *map(float, rest)) for at, *rest in plan.watched]
        )
    if plan.estimate:
        about = zip(plan.estimate["mean"], numbers, strict=True)
        tables["NUMBERS"] = table(
            "mean otherwise place", [(float(mean), float(inputs[i].default or 0.0), places[i]) for mean, i in about]
        )
        tables["INVERSE"] = table("value", [(float(value),) for value in plan.estimate["inverse"]])
        tables["SLOPES"] = table("value", [(float(value),) for row in plan.slopes for value in row])
        tables["RESIDUALS"] = table("variance", [(float(value),) for value in plan.estimate["residual"]])
    return {name: table for name, table in tables.items() if len(table)}


def _sensors(plan: Stateful, places: list[int]) -> Table:
    """Range, limits of health, categories and place of each reading."""
    rows = []
    for i in plan.readings:
        feature = plan.model.inputs[i]
        stuck, jump = plan.limits.get(i, (0, 4.0 * plan.model.limit))
        categories = len(feature.categories or ())
        high = categories - 1.0 if feature.categories is not None else float(feature.high or 0.0)
        rows.append(
            (float(feature.low or 0.0), high, float(jump), stuck, int(feature.categories is not None), places[i])
        )
    return table("low high jump stuck categories place", rows)


def streams(plan: Stateful, places: list[int]) -> dict[str, Table]:
    """Derived inputs by kind; rings lie one after another."""
    starts = [sum(size for _, size in plan.sources[:ring]) for ring in range(len(plan.sources))]
    tables = {}
    for name, kind in (("LAGS", "lag"), ("DIFFERENCES", "difference"), ("MEANS", "mean")):
        rows = [(places[to], places[at], ring, starts[ring], plan.sources[ring][1], length)
                for to, own, at, ring, length in plan.derived if own == kind]  # fmt: skip
        tables[name] = table("to at ring start size length", rows)
    tables["AVERAGES"] = table(
        "to at rate", [(places[to], places[at], 2.0 / (span + 1)) for to, at, span in plan.averages]
    )
    tables["SOURCES"] = table(
        "start size at", [(starts[ring], size, places[i]) for ring, (i, size) in enumerate(plan.sources)]
    )
    return tables


def _state(plan: Stateful) -> dict[str, Member]:
    section, outputs, readings = plan.detector or {}, len(plan.model.outputs), max(len(plan.readings), 1)
    state: dict[str, Member] = {}
    stuck = max((stuck for stuck, _ in plan.limits.values()), default=0)
    if plan.limits:
        state["last"] = real(readings, NAN, per="READINGS")
    if plan.averages:
        state["averages"] = real(len(plan.averages), NAN)
    if plan.derived:
        state["rings"] = real(sum(size for _, size in plan.sources), NAN, "the last readings, ring after ring")
    if section:
        state |= _charts(section, outputs)
    if plan.estimate:
        k = len(plan.numeric)
        state |= {"factor": real(k * (k + 1) // 2, says=SCRATCH), "right": real(k, says=SCRATCH)}
        state["gone"] = Member(0, k - 1, k, says=SCRATCH)
    if plan.warm_up:
        state["rows"] = Member(0, plan.warm_up, says="up to the warm-up")
    if stuck:
        state["run"] = Member(0, stuck + 1, readings, per="READINGS")
    if plan.derived:
        sizes = [size for _, size in plan.sources]
        state["heads"] = Member(0, max(sizes), len(sizes), each=tuple((0, size) for size in sizes))
    return state


def _charts(section: dict[str, Any], outputs: int) -> dict[str, Member]:
    state = {"slow": real(outputs, per="OUTPUTS")} if section["smoothing"] < 1.0 else {}
    if section["track"]:
        state["level"] = real(outputs, per="OUTPUTS", says="of the residuals, tracked")
    state["evidence"] = real(outputs, 1.0, per="OUTPUTS")
    state["threshold"] = real(None, float(section["threshold"]["score"]), "of the score")
    state["quiet"] = Member(-ENDLESS - 1, ENDLESS + 1, None, ENDLESS, "rows since the last alarm; below 0: in it")
    state["onsets"] = Member(*COUNTER, says="alarms that began")
    state["alarms"] = Member(*COUNTER, says="rows in alarm")
    return state


def _out(plan: Stateful) -> dict[str, Member]:
    outputs, model = len(plan.model.outputs), plan.model
    out = {"values": real(outputs, per="OUTPUTS")}
    if model.outputs[0].link != "identity":
        out["linear"] = real(outputs, per="OUTPUTS")
    if plan.estimate:
        out["widths"] = real(outputs, says="by what factor errors are wider: estimates", per="OUTPUTS")
    if plan.detector:
        out |= {"score": real(), "parts": real(outputs, says="of the score, per watched reading", per="OUTPUTS")}
    if model.classes is not None:
        out["label"] = Member(-(1 << 31), (1 << 31) - 1)
    if plan.detector:
        out |= {"alarm": Member(0, 1), "onset": Member(0, 1, says="an alarm begins")}
    return out | {"warming_up": Member(0, 1), "faults": Member(0, 4, max(len(plan.readings), 1), per="READINGS")}
