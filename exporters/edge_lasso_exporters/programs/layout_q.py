"""What `step_q` needs of a model: numbers, tables, members with their ranges."""

from __future__ import annotations

from typing import Any

from edge_lasso_exporters.detector_q import DetectorQ
from edge_lasso_runtime.detector import SETTLING, STRAY
from edge_lasso_runtime.fixed_detector import PRECISE, WIDE, fraction_of, highest
from edge_lasso_runtime.fixed_history import FRACTION, NONE
from edge_lasso_runtime.fixed_point import ROOM

from .nodes import Member, Spec, Table

FAULTS = {"OK": 0, "MISSING": 1, "STUCK": 2, "JUMP": 3, "RANGE": 4}
WORD = (-32768, 32767)
COUNTER = (0, (1 << 32) - 1)
WATCH = ("own", "factor", "slow", "shift", "weight", "fast")
UNBEGUN = -(1 << 31)
"""A moving average before its first reading."""


def layout_q(q: DetectorQ, last_bit: int = 31) -> Spec:
    """Lay a detector in integers out.

    Parameters
    ----------
    q : DetectorQ
    last_bit : int
        Of a status: it stands for all readings from there on.
    """
    return Spec(
        _numbers(q, last_bit),
        _tables(q),
        {"state": _state(q), "out": _out(q), "given": {"q": Member(*WORD, len(q.plan.readings), per="READINGS")}},
    )


def _numbers(q: DetectorQ, last_bit: int) -> dict[str, Any]:
    section, detector = q.section, q.detector
    track, fraction, cut = detector["track"], section["fraction"], section["cut"]
    bits, most = PRECISE[track > 0]
    follow = section.get("follow") or {"bits": 0, "least": 0, "most": 0, "up": (0, 0), "down": (0, 0)}
    adjust = detector.get("adjust") or {"freeze": 0, "thaw": 0}
    second, slow = section.get("second", 0), section.get("slow_fraction", 0)
    return {
        **FAULTS, "NONE": NONE, "UNBEGUN": UNBEGUN, "SCALE": 1 << FRACTION, "HALF_SCALE": 1 << FRACTION >> 1,
        "FRACTION": FRACTION, "HELD": q.held, "REMEMBERS": bool(q.stuck or q.jumps), "STUCKS": bool(q.stuck),
        "JUMPS": q.jumps, "MANY": len(q.plan.readings) > last_bit, "LAST_BIT": last_bit, "WIDE": WIDE,
        "TRACKS": track > 0, "TRACK": track, "STRAY": int(STRAY) << fraction, "SETTLING": 1 << track >> SETTLING,
        "HIGHEST": WIDE << track, "SMOOTH": detector["smoothing"] < 1.0, "QUICK": "quick" in section,
        "QUICK_SHIFT": section.get("quick", 0), "FIRST": section.get("first", 0), "SECOND": second,
        "HALF_SECOND": 1 << second >> 1, "SLOW_CUT": detector["smoothing"] < 1.0 and q.slow_cut,
        "ALIGN": 2 * (fraction - slow) + 1, "MOST": most, "BITS": bits, "HALF": 1 << bits >> 1, "CLIP": section["clip"],
        "SMOOTHING": section["smoothing"][0], "SMOOTHING_SHIFT": section["smoothing"][1], "CUT": cut,
        "HALF_CUT": 1 << cut >> 1, "PREDICTED": len(q.own), "WARM_UP": q.plan.warm_up,
        "FOLLOWS": "follow" in section, "LIMIT_BITS": follow["bits"], "LEAST": follow["least"],
        "HIGHEST_LIMIT": follow["most"], "UP": follow["up"][0], "UP_SHIFT": follow["up"][1],
        "DOWN": follow["down"][0], "DOWN_SHIFT": follow["down"][1], "FREEZE": adjust["freeze"], "THAW": adjust["thaw"],
        "THRESHOLD": section["threshold"], "HOLD": detector["threshold"]["hold"],
    }  # fmt: skip


def _tables(q: DetectorQ) -> dict[str, Table]:
    section, watched = q.section, q.section["watched"]
    fixed = [q.fixed[i] for i in q.plan.readings]
    terms = [pair for own in q.terms for pair in own]
    tables = {
        "SENSORS": Table({
            **{key: [limits[key] for limits in fixed] for key in ("low", "high")},
            **{key: [limits[key] for limits in section["readings"]] for key in ("jump", "stuck")}, "now": q.starts,
        }),
        "WATCHED": Table(
            {
                "bias": [watch["bias"] + (1 << watch["shift"] >> 1) for watch in watched], "reading": q.own,
                **{key: [watch.get(key, 0) for watch in watched] for key in WATCH},
            },
            {"terms": ([len(own) for own in q.terms],
                       Table({"coef": [coef for coef, _ in terms], "place": [place for _, place in terms]}))},
        ),
    }  # fmt: skip
    names = ("to", "kind", "now", "length", "low", "high")
    for name, kind in (("DIFFERENCES", "difference"), ("MEANS", "mean")):
        rows = [row for row in q.derived if row[1] == kind]
        tables[name] = Table({column: [row[i] for row in rows] for i, column in enumerate(names) if column != "kind"})
    columns = ("to", "now", "rate", "shift")
    tables["AVERAGES"] = Table({column: [row[i] for row in q.averages] for i, column in enumerate(columns)})
    return {name: table for name, table in tables.items() if len(table)}


def _ends(q: DetectorQ) -> list[tuple[int, int]]:
    """Per place of the memory, the smallest and largest integer there."""
    ends = [(0, 0)] * q.size
    for i, place in enumerate(q.places):
        ends[place] = (q.fixed[i]["low"], q.fixed[i]["high"])
    for i, start, stop in zip(q.plan.readings, q.starts, [*q.starts[1:], q.held], strict=True):
        ends[start:stop] = [(q.fixed[i]["low"], q.fixed[i]["high"])] * (stop - start)  # a history has its reading's
    return ends


def _state(q: DetectorQ) -> dict[str, Member]:
    section, detector, count, readings = q.section, q.detector, len(q.own), len(q.plan.readings)
    ends, hold, track = _ends(q), detector["threshold"]["hold"], detector["track"]
    state = {"evidence": Member(0, highest(section), count, 1 << fraction_of(section), per="OUTPUTS")}
    if detector["smoothing"] < 1.0:
        top = section["clip"] << FRACTION
        state["slow"] = Member(-top, top, count, per="OUTPUTS")
    if track:
        state["level"] = Member(-(WIDE << track), WIDE << track, count, per="OUTPUTS", says=f"2^{track} times")
    if "quick" in section:
        state["quick"] = Member(-section["clip"], section["clip"], count, per="OUTPUTS", says="scratch: residuals")
    if q.averages:
        each = tuple((ends[now][0] << FRACTION, ends[now][1] << FRACTION) for _, now, *_ in q.averages)
        span = (min(low for low, _ in each), max(high for _, high in each))
        state["averages"] = Member(*span, len(q.averages), UNBEGUN, each=each, none=UNBEGUN)
    if "follow" in section:
        follow, thaw = section["follow"], detector["adjust"]["thaw"]
        state["limit"] = Member(follow["least"], follow["most"], None, follow["start"], "the threshold, as it follows")
        state["lasted"] = Member(0, thaw, says="rows in alarm so far")
    state["onsets"] = Member(*COUNTER, says="alarms that began")
    state["alarms"] = Member(*COUNTER, says="rows in alarm")
    state["quiet"] = Member(0, hold + 1, None, hold + 1, f"rows since the last alarm, at most {hold + 1}")
    if q.plan.warm_up:
        state["rows"] = Member(0, q.plan.warm_up, says="up to the warm-up")
    if q.stuck or q.jumps:
        state["last"] = Member(*WORD, readings, NONE, per="READINGS")
    state["memory"] = Member(
        *WORD, q.size, NONE, "readings and their histories; what is computed from them", tuple(ends), NONE
    )
    if q.stuck:
        state["run"] = Member(0, q.stuck + 1, readings, per="READINGS")
    return state


def _out(q: DetectorQ) -> dict[str, Member]:
    count, most = len(q.own), ROOM - 1
    return {
        "score": Member(0, most), "total": Member(0, most, says="weights of the sensors that had a say"),
        "parts": Member(0, most, count, says="of the score, per watched reading", per="OUTPUTS"), "alarm": Member(0, 1),
        "onset": Member(0, 1, says="an alarm begins"), "warming_up": Member(0, 1),
        "faults": Member(0, 4, len(q.plan.readings), per="READINGS"),
    }  # fmt: skip
