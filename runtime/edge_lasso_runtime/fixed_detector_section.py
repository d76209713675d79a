"""Checking a section ``fixed_detector/1``: it fits its model, and nothing reaches 2^30.

Its integers are those of `detector/1`, `health/1` and `fixed_point/1`, rounded; a section that was made for other
thresholds or limits is refused.
"""

from __future__ import annotations

from .checks import number, shown, take_index, take_keys, take_list
from .detector import KEY as DETECTOR
from .errors import ModelFormatError
from .fixed_detector import ENDLESS, PRECISE, fraction_of
from .fixed_history import FRACTION
from .fixed_point import INT16, ROOM, integer, largest_integer, take_sized
from .fixed_point import KEY as FIXED
from .health import KEY as HEALTH
from .stream import readings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

FRACTIONS = (4, 12)
SLOW = ("slow_fraction", "first", "second")
EXTRA = {"residual": (), "ewma": ("rate", *SLOW), "both": ("rate", *SLOW), "cusum": ("allowance", "top", *SLOW)}
LONGEST_HOLD = ROOM - 2


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model, whose other sections have been checked.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    for key in (DETECTOR, FIXED):
        if key not in model.sections:
            raise ModelFormatError(f"{where} needs {key}, which the model does not have")
    detector, fixed = model.sections[DETECTOR], model.sections[FIXED]["inputs"]
    what = refused(model)
    if what:
        raise ModelFormatError(f"{where} does not go with {what}")
    chart = detector["chart"]
    common = ("fraction", "clip", "readings", "watched", "smoothing", "cut", "unit", "threshold")
    take_keys(section, where, common + EXTRA[chart], ())
    fraction = integer(section["fraction"], f"{where}.fraction", *FRACTIONS)
    integer(section["clip"], f"{where}.clip", 0, INT16)
    _near(section["clip"], detector["clip"] * 2.0**fraction, f"{where}.clip", INT16)
    _rate(section["smoothing"], detector["smoothing"], f"{where}.smoothing")
    _validate_readings(section["readings"], model, f"{where}.readings")
    if chart != "residual":
        _validate_slow(section, detector, where)
    weights = 0
    for k, entry in enumerate(take_sized(section["watched"], f"{where}.watched", len(model.outputs))):
        at = f"{where}.watched[{k}]"
        _validate_watched(entry, fixed, chart != "residual", 1 << PRECISE[detector["median"] > 0][0], at)
        weights = max(weights, entry["weight"]) if detector["aggregate"] == "max" else weights + entry["weight"]
    cut = integer(section["cut"], f"{where}.cut", 0, 29)
    largest = highest(section, chart) + (1 << cut >> 1)
    most = largest >> cut
    if max(largest, most * weights) >= ROOM:
        raise ModelFormatError(
            f"{where}.cut is {cut}; a score can reach {shown(most * weights)}; it must stay below 2^30"
        )
    unit = number(section["unit"], f"{where}.unit")
    scale = 2.0 ** (cut - fraction_of(section, chart))
    if detector["aggregate"] == "max":
        top = max(range(len(model.outputs)), key=lambda k: detector["watched"][k]["weight"])
        scale *= detector["watched"][top]["weight"] / section["watched"][top]["weight"]
    if not abs(unit - scale) <= 1e-9 * scale:
        raise ModelFormatError(f"{where}.unit is {unit!r}; it must be {scale!r}")
    room = (ROOM - 1) // weights
    integer(section["threshold"], f"{where}.threshold", 0, room)
    _near(section["threshold"], detector["threshold"]["score"] / unit, f"{where}.threshold", room)


def refused(model: Model) -> str:
    """What of a model integers alone cannot do, in words; "" for nothing."""
    detector = model.sections[DETECTOR]
    if detector.get("adjust") is not None:
        return "an online adjustment of the threshold"
    if detector["threshold"]["hold"] > LONGEST_HOLD:
        return f"a hold of {detector['threshold']['hold']} rows"
    for feature in model.inputs:
        if feature.categories is not None:
            return f"the categories of {feature.name!r}"
    for output in model.outputs:
        for term in output.terms:
            if len(term.factors) != 1:
                return f"products of readings, as in {output.name!r}"
    return ""


def highest(section: dict[str, Any], chart: str) -> int:
    """The largest evidence: what a row can give, or the start; averages stay at or below it."""
    clip: int = section["clip"]
    if chart == "residual":
        row = clip * clip
    elif chart == "both":
        row = (INT16 * INT16 >> 1) + (clip * clip >> 2 * (section["fraction"] - section["slow_fraction"]) + 1)
    else:
        row = INT16 * INT16
    return max(row, 1 << fraction_of(section, chart))


def reach_q(one: dict[str, Any], fixed: list[dict[str, Any]]) -> int:
    """The largest magnitude of any partial sum of a residual, its rounding included; of its own reading, any int16."""
    total: int = abs(one["bias"]) + (1 << one["shift"] >> 1) + abs(one["own"]) * INT16
    for coef, i in one["terms"]:
        total += abs(coef) * largest_integer(fixed[i])
    return total


def _validate_readings(data: Any, model: Model, where: str) -> None:
    limits = {reading["input"]: reading for reading in model.sections.get(HEALTH, {}).get("readings", [])}
    places = readings(model)
    for k, entry in enumerate(take_sized(data, where, len(places))):
        at, name = f"{where}[{k}]", model.inputs[places[k]].name
        take_keys(entry, at, ("stuck", "jump"), ())
        longest = limits[name]["stuck"] if name in limits else 0
        if integer(entry["stuck"], f"{at}.stuck", 0, ROOM - 2) != min(longest, ROOM - 2):
            raise ModelFormatError(f"{at}.stuck is {entry['stuck']}; it must be that of {HEALTH}, {longest}")
        integer(entry["jump"], f"{at}.jump", 0, ENDLESS)
        scale = model.sections[FIXED]["inputs"][places[k]]["scale"]
        farthest = limits[name]["jump"] * abs(scale) if name in limits else 2.0 * ENDLESS
        _near(entry["jump"], farthest, f"{at}.jump", ENDLESS)


def _validate_slow(section: dict[str, Any], detector: dict[str, Any], where: str) -> None:
    fraction = section["fraction"]
    integer(section["slow_fraction"], f"{where}.slow_fraction", 0, fraction)
    first = integer(section["first"], f"{where}.first", 0, 29)
    integer(section["second"], f"{where}.second", 1, 29)
    if detector["chart"] == "cusum":
        integer(section["allowance"], f"{where}.allowance", 0, ROOM >> 2)
        _near(section["allowance"], detector["allowance"] * 2.0**fraction, f"{where}.allowance", ROOM >> 2)
        largest = integer(section["top"], f"{where}.top", 0, ROOM >> 1)
        _near(section["top"], detector["clip"] ** 2 * 2.0**fraction, f"{where}.top", ROOM >> 1)
    else:
        _rate(section["rate"], detector["alpha"], f"{where}.rate")
        largest = section["clip"] << FRACTION
    for k, sensor in enumerate(take_list(section["watched"], f"{where}.watched")):
        slow = integer(sensor.get("slow") if isinstance(sensor, dict) else None, f"{where}.watched[{k}].slow", 1, INT16)
        if ((largest >> first) + 1) * slow + (1 << section["second"] >> 1) >= ROOM:
            raise ModelFormatError(f"{where}.watched[{k}].slow is {slow}; the slow part can reach 2^30")


def _validate_watched(one: Any, fixed: list[dict[str, Any]], slow: bool, most: int, where: str) -> None:
    take_keys(
        one, where, ("bias", "shift", "factor", "own", "terms", "weight", "bound", *(["slow"] if slow else [])), ()
    )
    integer(one["bias"], f"{where}.bias", -ROOM, ROOM)
    integer(one["shift"], f"{where}.shift", 0, 28)
    integer(one["factor"], f"{where}.factor", 1, most)
    integer(one["own"], f"{where}.own", -INT16, INT16)
    integer(one["weight"], f"{where}.weight", 1, 127)
    if number(one["bound"], f"{where}.bound") < 0.0:
        raise ModelFormatError(f"{where}.bound is {shown(one['bound'])}; it must not be negative")
    for i, pair in enumerate(take_list(one["terms"], f"{where}.terms")):
        at = f"{where}.terms[{i}]"
        if len(take_list(pair, at)) != 2:
            raise ModelFormatError(f"{at} is {shown(pair)}; it holds a coefficient and an input")
        integer(pair[0], f"{at}[0]", -INT16, INT16)
        take_index(pair[1], f"{at}[1]", len(fixed), "inputs")
    largest = reach_q(one, fixed)
    if largest >= ROOM:
        raise ModelFormatError(f"{where} can reach {shown(largest)}; fixed point stays below 2^30")


def _rate(data: Any, wanted: float, where: str) -> None:
    if len(take_list(data, where)) != 2:
        raise ModelFormatError(f"{where} is {shown(data)}; it holds a rate and a shift")
    rate = integer(data[0], f"{where}[0]", 1, 32768)
    shift = integer(data[1], f"{where}[1]", 0, 15)
    if not abs(rate * 2.0 ** -(15 + shift) - wanted) <= wanted * 2.0**-9:
        raise ModelFormatError(f"{where} is {data}, and not the {wanted!r} of {DETECTOR}; quantize the model again")


def _near(result: int, wanted: float, where: str, most: int) -> None:
    """Refuse an integer that is not the model's number rounded, or the most there is."""
    if not abs(result - min(wanted, most)) <= 1.0:
        raise ModelFormatError(f"{where} is {result}; the model wants {wanted!r}: quantize it again")
