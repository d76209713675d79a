"""Checking a section ``fixed_detector/1``: it is whole, and it fits its model.

Its integers are those of `detector/1`, `health/1` and `fixed_point/1`, rounded; a section that was made for other
thresholds or limits is refused. That nothing it computes reaches 2^30 is proven of what is printed from it, before that
is exported (`edge_lasso_exporters.proofs`); here integers have all the room they need.
"""

from __future__ import annotations

from math import expm1

from .checks import number, shown, take_index, take_keys, take_list
from .detector import KEY as DETECTOR
from .errors import ModelFormatError
from .fixed_detector import ENDLESS, PRECISE, fraction_of
from .fixed_point import INT16, ROOM, integer, take_sized
from .fixed_point import KEY as FIXED
from .health import KEY as HEALTH
from .stream import readings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

FRACTIONS = (4, 12)
SLOW = ("slow_fraction", "first", "second")
FAST = 8
"""Bits of what a quick part is multiplied by, beside those of its weight."""
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
    detector = model.sections[DETECTOR]
    what = refused(model)
    if what:
        raise ModelFormatError(f"{where} does not go with {what}")
    smooth, quick, adjust = detector["smoothing"] < 1.0, detector["fast"] > 0.0, detector.get("adjust")
    common = ("fraction", "clip", "readings", "watched", "smoothing", "cut", "unit", "threshold")
    take_keys(
        section,
        where,
        (*common, *(SLOW if smooth else ()), *(["quick"] if quick else ()), *(["follow"] if adjust else ())),
        (),
    )
    fraction = integer(section["fraction"], f"{where}.fraction", *FRACTIONS)
    integer(section["clip"], f"{where}.clip", 0, INT16)
    _near(section["clip"], detector["clip"] * 2.0**fraction, f"{where}.clip", INT16)
    _rate(section["smoothing"], detector["smoothing"], f"{where}.smoothing")
    _validate_readings(section["readings"], model, f"{where}.readings")
    if smooth:
        _validate_slow(section, where)
    weights = 0
    for k, entry in enumerate(take_sized(section["watched"], f"{where}.watched", len(model.outputs))):
        at = f"{where}.watched[{k}]"
        keys = [key for key, has in (("slow", smooth), ("fast", quick)) if has]
        _validate_watched(entry, len(model.inputs), keys, 1 << PRECISE[detector["track"] > 0][0], at)
        weights += entry["weight"]
    cut = integer(section["cut"], f"{where}.cut", 0, 29)
    unit = number(section["unit"], f"{where}.unit")
    scale = 2.0 ** (cut - fraction_of(section))
    if not abs(unit - scale) <= 1e-9 * scale:
        raise ModelFormatError(f"{where}.unit is {unit!r}; it must be {scale!r}")
    if quick:
        _validate_quick(section, detector, where)
    room = (ROOM - 1) // weights
    integer(section["threshold"], f"{where}.threshold", 0, room)
    _near(section["threshold"], detector["threshold"]["score"] / unit, f"{where}.threshold", room)
    if adjust:
        _validate_follow(section, detector, room, f"{where}.follow")


def refused(model: Model) -> str:
    """What of a model integers alone cannot do, in words; "" for nothing."""
    detector = model.sections[DETECTOR]
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


def quick_shift(section: dict[str, Any]) -> int:
    """By how much a squared residual is shifted, so that its product with ``fast`` counts as a part does."""
    return int(2 * section["fraction"] - fraction_of(section) + section["cut"] + FAST)


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


def _validate_slow(section: dict[str, Any], where: str) -> None:
    fraction = section["fraction"]
    integer(section["slow_fraction"], f"{where}.slow_fraction", 0, fraction)
    integer(section["first"], f"{where}.first", 0, 29)
    integer(section["second"], f"{where}.second", 1, 29)
    for k, sensor in enumerate(take_list(section["watched"], f"{where}.watched")):
        integer(sensor.get("slow") if isinstance(sensor, dict) else None, f"{where}.watched[{k}].slow", 1, INT16)


def _validate_quick(section: dict[str, Any], detector: dict[str, Any], where: str) -> None:
    if integer(section["quick"], f"{where}.quick", 0, 60) != quick_shift(section):
        raise ModelFormatError(f"{where}.quick is {section['quick']}; it must be {quick_shift(section)}")
    for k, sensor in enumerate(section["watched"]):
        most = sensor["weight"] << FAST
        _near(sensor["fast"], detector["fast"] * most, f"{where}.watched[{k}].fast", most)


def _validate_follow(section: dict[str, Any], detector: dict[str, Any], room: int, where: str) -> None:
    follow, adjust = section["follow"], detector["adjust"]
    take_keys(follow, where, ("bits", "start", "least", "most", "up", "down"), ())
    scale = 1 << integer(follow["bits"], f"{where}.bits", 0, 28)
    unit, score = section["unit"], detector["threshold"]["score"]
    largest = min((ROOM >> 1) - 1, room * scale)
    for key, part in (("start", 1.0), ("least", adjust["floor"]), ("most", adjust["cap"])):
        value = integer(follow[key], f"{where}.{key}", 0, largest)
        if abs(value - min(score * part / unit * scale, largest)) > 1.0 + scale:
            raise ModelFormatError(f"{where}.{key} is {value}; the model wants another: quantize it again")
    up, down = follow_rates(adjust["eta"], detector["threshold"]["row_rate"])
    _rate(follow["up"], up, f"{where}.up")
    _rate(follow["down"], down, f"{where}.down")


def follow_rates(eta: float, rate: float) -> tuple[float, float]:
    """By which part a threshold that follows rises in a row in alarm, and falls in another."""
    return min(expm1(eta * (1.0 - rate)), 1.0), -expm1(-eta * rate)


def _validate_watched(sensor: Any, inputs: int, keys: list[str], most: int, where: str) -> None:
    take_keys(sensor, where, ("bias", "shift", "factor", "own", "terms", "weight", "bound", *keys), ())
    integer(sensor["bias"], f"{where}.bias", -ROOM, ROOM)
    integer(sensor["shift"], f"{where}.shift", 0, 28)
    integer(sensor["factor"], f"{where}.factor", 1, most)
    integer(sensor["own"], f"{where}.own", -INT16, INT16)
    integer(sensor["weight"], f"{where}.weight", 1, 127)
    if "fast" in keys:
        integer(sensor["fast"], f"{where}.fast", 0, sensor["weight"] << FAST)
    if number(sensor["bound"], f"{where}.bound") < 0.0:
        raise ModelFormatError(f"{where}.bound is {shown(sensor['bound'])}; it must not be negative")
    for i, pair in enumerate(take_list(sensor["terms"], f"{where}.terms")):
        at = f"{where}.terms[{i}]"
        if len(take_list(pair, at)) != 2:
            raise ModelFormatError(f"{at} is {shown(pair)}; it holds a coefficient and an input")
        integer(pair[0], f"{at}[0]", -INT16, INT16)
        take_index(pair[1], f"{at}[1]", inputs, "inputs")


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
