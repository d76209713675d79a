"""The section ``fixed_detector/1``: a detector from the sensors' integers to the alarm without floating point.

A residual is itself a linear model, ``(reading - prediction - centre) / scale``, so its integers and the exact bound on
its error come from `quantize`'s own pieces; charts, limits and the threshold are numbers rounded once, in `Fraction`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from edge_lasso.compressing.centred import Key, expand
from edge_lasso.compressing.derived_bound import grids_of
from edge_lasso.compressing.error_bound import reference_rounding, round_up, slips, term_errors, total_error
from edge_lasso.compressing.grid import HALF, U64, ZERO, Grid
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.fixed_detector import ENDLESS, KEY, PRECISE, fraction_of, highest
from edge_lasso_runtime.fixed_detector_section import FAST, FRACTIONS, follow_rates, quick_shift, refused, validate
from edge_lasso_runtime.fixed_history import FRACTION, NONE
from edge_lasso_runtime.fixed_point import INT16, ROOM, largest_integer
from edge_lasso_runtime.fixed_point import KEY as FIXED
from edge_lasso_runtime.health import KEY as HEALTH
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.stream import readings

Rounded = Callable[[dict[Key, Fraction], list["Grid | None"], float, int, bool], dict[str, Any]]
LARGEST_SLOW = 1 << 13
SLOW_BITS = 17
LEAST_SLOW_FRACTION = 8
LEAST_SCORE_FRACTION = 4
LARGEST_WEIGHT = 127
LEAST_RATE = 1 << 10


class _Unfit(Exception):
    """What of a detector does not fit integers, in words."""


def with_fixed_detector(model: Model, output: Rounded) -> tuple[Model, str]:
    """A quantized detector with its section, or as it was and why it cannot have one.

    Parameters
    ----------
    model : Model
        With ``detector/1`` and ``fixed_point/1``.
    output : callable
        `quantize`'s own: the integers of one output for a given unit.
    """
    what = refused(model)
    if not what:
        try:
            section = _section(model, output)
        except _Unfit as error:
            what = str(error)
    if what:
        return model, f"no step_q, a detector in integers alone: it does not go with {what}"
    result = model.replace(sections={**model.sections, KEY: section})
    validate(section, result, KEY)
    return result, ""


def _section(model: Model, output: Rounded) -> dict[str, Any]:
    detector = model.sections[DETECTOR]
    clip = Fraction(detector["clip"])
    fraction = FRACTIONS[1]
    while clip * 2**fraction > INT16 + 1:
        fraction -= 1
    if fraction < FRACTIONS[0]:
        raise _Unfit(f"residuals up to {detector['clip']!r} times their scale")
    section: dict[str, Any] = {"fraction": fraction, "clip": min(_round(clip * 2**fraction), INT16)}
    section["readings"] = _readings(model)
    section["smoothing"] = _rate(detector["smoothing"])
    if detector["smoothing"] < 1.0:
        section.update(_slow(detector, fraction))
    slows = section.pop("slows", None)
    section["watched"] = [_residual(model, k, fraction, output) for k in range(len(model.outputs))]
    for k, (sensor, weight) in enumerate(zip(section["watched"], _weights(detector), strict=True)):
        sensor["weight"] = weight
        if slows:
            sensor["slow"] = slows[k]
    section.update(_score(section, detector))
    if detector["fast"]:
        section["quick"] = quick_shift(section)
        for sensor in section["watched"]:
            sensor["fast"] = _round(Fraction(detector["fast"]) * sensor["weight"] * 2**FAST)
    if detector.get("adjust"):
        section["follow"] = _follow(section, detector)
    return section


def _follow(section: dict[str, Any], detector: dict[str, Any]) -> dict[str, Any]:
    """A threshold that follows, in as many bits as there are."""
    adjust, limit = detector["adjust"], detector["threshold"]
    start = Fraction(limit["score"]) / Fraction(section["unit"])
    room, half = (ROOM - 1) // sum(sensor["weight"] for sensor in section["watched"]), (ROOM >> 1) - 1
    ends, bits = (start * Fraction(adjust["floor"]), min(start * Fraction(adjust["cap"]), Fraction(room))), 0
    while bits < 28 and ends[1] * 2 ** (bits + 1) <= half:
        bits += 1
    values = [min(_round(value * 2**bits), half, room << bits) for value in (min(start, ends[1]), *ends)]
    rates = follow_rates(adjust["eta"], limit["row_rate"])
    return {
        "bits": bits, **dict(zip(("start", "least", "most"), values, strict=True)),
        "up": _rate(rates[0], "a threshold"), "down": _rate(rates[1], "a threshold"),
    }  # fmt: skip


def _weights(detector: dict[str, Any]) -> list[int]:
    """The weights as integers: their ratios exactly, where small ones do."""
    weights = [Fraction(sensor["weight"]) for sensor in detector["watched"]]
    for most in range(1, LARGEST_WEIGHT + 1):
        scaled = [weight * most / max(weights) for weight in weights]
        if all(value.denominator == 1 for value in scaled):
            return [int(value) for value in scaled]
    return [max(_round(weight * LARGEST_WEIGHT / max(weights)), 1) for weight in weights]


def _score(section: dict[str, Any], detector: dict[str, Any]) -> dict[str, Any]:
    """What evidence is cut by before it is weighed, the score's unit and the threshold in it."""
    total = sum(sensor["weight"] for sensor in section["watched"])
    cut, most = 0, highest(section)
    while ((most + (1 << cut >> 1)) >> cut) * total >= ROOM or most + (1 << cut >> 1) >= ROOM:
        cut += 1
    if fraction_of(section) - cut < LEAST_SCORE_FRACTION:
        raise _Unfit(f"a score of {len(section['watched'])} sensors")
    unit = Fraction(2) ** (cut - fraction_of(section))
    threshold = min(math.floor(Fraction(detector["threshold"]["score"]) / unit), (ROOM - 1) // total)
    return {"cut": cut, "unit": float(unit), "threshold": threshold}


def _readings(model: Model) -> list[dict[str, int]]:
    limits = {reading["input"]: reading for reading in model.sections.get(HEALTH, {}).get("readings", [])}
    results = []
    for i in readings(model):
        value = limits.get(model.inputs[i].name, {"stuck": 0, "jump": math.inf})
        jump = ENDLESS
        if value["jump"] < math.inf:
            jump = min(
                math.ceil(Fraction(value["jump"]) * abs(Fraction(model.sections[FIXED]["inputs"][i]["scale"]))), jump
            )
        results.append({"stuck": min(value["stuck"], ROOM - 2), "jump": jump})
    return results


def _slow(detector: dict[str, Any], fraction: int) -> dict[str, Any]:
    """The slow part: ``slow`` per sensor, in as many bits as there are."""
    clip, slows = Fraction(detector["clip"]), [Fraction(sensor["slow"]) for sensor in detector["watched"]]
    largest, held = min(_round(clip * 2**fraction), INT16) << FRACTION, fraction + FRACTION
    bits = fraction
    while bits > LEAST_SLOW_FRACTION and clip / min(slows) * 2**bits > INT16:
        bits -= 1
    first = max(largest.bit_length() - SLOW_BITS, 0)
    scale, second = Fraction(2) ** (bits - held + first) / min(slows), 0
    while second < 29 and _round(scale * 2 ** (second + 1)) < LARGEST_SLOW:
        second += 1
    factors = [_round(scale * min(slows) / slow * 2**second) for slow in slows]
    if second < 1 or min(factors) < 1 or max(factors) >= LARGEST_SLOW:
        raise _Unfit("slow parts of residuals so small, or so different")
    return {"slow_fraction": bits, "first": first, "second": second, "slows": factors}


def _rate(value: float, what: str = "smoothing") -> list[int]:
    """``rate 2^-(15 + shift)``: exact where it can be, else to 2^-11 of itself."""
    exact, shift = Fraction(value), 0
    while shift < 15 and _round(exact * 2 ** (15 + shift)) < LEAST_RATE:
        shift += 1
    rate = _round(exact * 2 ** (15 + shift))
    if rate < LEAST_RATE >> 1:
        raise _Unfit(f"{what} as slow as {value!r}")
    return [rate, shift]


def _residual(model: Model, k: int, fraction: int, output: Rounded) -> dict[str, Any]:
    """The integers of one residual and its proven bound, in the unit that suits all coefficients best."""
    watch = model.sections[DETECTOR]["watched"][k]
    own = next(i for i, feature in enumerate(model.inputs) if feature.name == watch["reading"])
    fixed = model.sections[FIXED]["inputs"]
    grids = grids_of(model, fixed)
    exact = _exact(model, k, own, grids)
    bits, _ = PRECISE[model.sections[DETECTOR]["track"] > 0]
    for unit in _units(exact, own, grids):
        result = output(exact, grids, unit, 16, False)
        terms = {term["factors"][0]: term["coef"] for term in result["terms"]}
        mine = terms.pop(own, 0)
        counts = 1 / (Fraction(unit) * 2**fraction)  # of the sum, in a step of the residual
        shift = max(math.frexp(counts)[1] - 1, 0)
        factor = _round(2**bits * 2**shift / counts)
        table = {"bias": result["bias"], "shift": shift, "factor": factor, "own": mine}
        table["terms"] = [[coef, i] for i, coef in terms.items()]
        if max(map(abs, [mine, *terms.values()])) < INT16 and _reach(table, fixed) < ROOM:
            break
    if factor > 1 << bits:
        raise _Unfit(f"a residual of {watch['reading']!r} that is much smaller than a step of its integer")
    if not mine:
        raise _Unfit(f"a residual of {watch['reading']!r} that hardly depends on it")
    # from the sum to the residual: two roundings, and that of the factor
    clip = Fraction(model.sections[DETECTOR]["clip"])
    relative = abs(Fraction(factor, 2 ** (bits + shift)) * counts - 1)
    worst = _bound(model, k, own, exact, grids, result) + Fraction(unit) * 2**shift / 2
    bound = worst * (1 + relative) + relative * clip + Fraction(1, 2 ** (fraction + 1))
    return {**table, "bound": round_up(max(bound, Fraction(1, 2**fraction)))}


def _reach(table: dict[str, Any], fixed: list[dict[str, Any]]) -> int:
    """The largest magnitude of any partial sum of a residual, its rounding included; its own reading may be missing."""
    total: int = abs(table["bias"]) + (1 << table["shift"] >> 1) - abs(table["own"]) * NONE
    for coef, i in table["terms"]:
        total += abs(coef) * largest_integer(fixed[i])
    return total


def _units(exact: dict[Key, Fraction], own: int, grids: list[Grid | None]) -> Iterator[float]:
    """Units of a residual's sum, the best first, then what leaves more and more room.

    The largest coefficient is an integer of at least half the most that fits; of all of these integers that one is
    chosen whose unit leaves the least rounding of the others: where two sensors nearly agree and their difference is
    small against both ranges, this is what counts.
    """
    weights, sizes = [], []
    for (_, factors), value in exact.items():
        grid = grids[factors[0]] if factors else None
        if grid is not None:
            weights.append(float(value * grid.step))
            sizes.append(float(INT16 if factors[0] == own else grid.largest))
    weight, size = np.array(weights), np.array(sizes)
    pivot = int(np.argmax(np.abs(weight)))
    room = float(np.abs(weight) @ size) + abs(float(exact[(), ()]))
    top = min(float(INT16 - 1), (ROOM - 1) / room * abs(weight[pivot]))
    for share in np.geomspace(1.0, 2.0**-12, 64).tolist():
        most = max(int(top * share), 1)
        chosen = np.arange(most // 2 + 1, most + 1, dtype=np.float64)
        scaled = np.abs(weight)[:, None] / abs(weight[pivot]) * chosen
        lost = size @ np.abs(scaled - np.floor(scaled + 0.5)) / chosen
        yield float(abs(weight[pivot]) / chosen[int(np.argmin(lost))])


def _exact(model: Model, k: int, own: int, grids: list[Grid | None]) -> dict[Key, Fraction]:
    """A residual's coefficients around the inputs' centres, in its scale."""
    watch = model.sections[DETECTOR]["watched"][k]
    centres = [grid.centre if grid else ZERO for grid in grids]
    scale = Fraction(watch["scale"])
    exact = {key: -value / scale for key, value in expand(model, model.outputs[k], centres).items()}
    exact[(), (own,)] = 1 / scale
    exact[(), ()] += (centres[own] - Fraction(watch["centre"])) / scale
    return exact


def _bound(
    model: Model, k: int, own: int, exact: dict[Key, Fraction], grids: list[Grid | None], entry: dict[str, Any]
) -> Fraction:
    """How far, in scales, a residual's sum can be from the reference's, over the ranges; see `error_bound`."""
    watch, output = model.sections[DETECTOR]["watched"][k], model.outputs[k]
    low, high = total_error(term_errors(exact, entry, grids))
    constant = exact[(), ()] - entry["bias"] * Fraction(entry["unit"])
    worst = max(abs(low + constant), abs(high + constant))
    size = abs(Fraction(watch["centre"])) + abs(Fraction(output.intercept))
    for coef, i in [(1.0, own), *((term.coef, term.factors[0].input) for term in output.terms)]:
        grid = grids[i]
        assert grid is not None
        size += abs(Fraction(coef)) * grid.size
    # the reference: a rounded prediction, two differences, a product with the rounded reciprocal of the scale
    reference = (reference_rounding(output, grids) + 5 * U64 * size) / Fraction(watch["scale"])
    total: Fraction = worst + reference + slips(exact, grids, False)
    return total


def _round(value: Fraction) -> int:
    return math.floor(value + HALF)
