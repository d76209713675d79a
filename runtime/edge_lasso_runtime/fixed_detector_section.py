"""Checking a section ``fixed_detector/1``: it is whole, and it fits its model.

Its integers are those of `detector/1`, `health/1` and `fixed_point/1`, rounded; a section that was made for other
thresholds or limits is refused. That nothing it computes reaches 2^30 is proven of what is printed from it, before that
is exported (`edge_lasso_exporters.proofs`); here integers have all the room they need.
"""

from __future__ import annotations

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
    detector = model.sections[DETECTOR]
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
        _validate_watched(entry, len(model.inputs), chart != "residual", 1 << PRECISE[detector["median"] > 0][0], at)
        weights = max(weights, entry["weight"]) if detector["aggregate"] == "max" else weights + entry["weight"]
    cut = integer(section["cut"], f"{where}.cut", 0, 29)
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
    if detector["chart"] not in EXTRA:
        return f"the chart {detector['chart']!r}"
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
    integer(section["first"], f"{where}.first", 0, 29)
    integer(section["second"], f"{where}.second", 1, 29)
    if detector["chart"] == "cusum":
        integer(section["allowance"], f"{where}.allowance", 0, ROOM >> 2)
        _near(section["allowance"], detector["allowance"] * 2.0**fraction, f"{where}.allowance", ROOM >> 2)
        integer(section["top"], f"{where}.top", 0, ROOM >> 1)
        _near(section["top"], detector["clip"] ** 2 * 2.0**fraction, f"{where}.top", ROOM >> 1)
    else:
        _rate(section["rate"], detector["alpha"], f"{where}.rate")
    for k, sensor in enumerate(take_list(section["watched"], f"{where}.watched")):
        integer(sensor.get("slow") if isinstance(sensor, dict) else None, f"{where}.watched[{k}].slow", 1, INT16)


def _validate_watched(sensor: Any, inputs: int, slow: bool, most: int, where: str) -> None:
    take_keys(
        sensor, where, ("bias", "shift", "factor", "own", "terms", "weight", "bound", *(["slow"] if slow else [])), ()
    )
    integer(sensor["bias"], f"{where}.bias", -ROOM, ROOM)
    integer(sensor["shift"], f"{where}.shift", 0, 28)
    integer(sensor["factor"], f"{where}.factor", 1, most)
    integer(sensor["own"], f"{where}.own", -INT16, INT16)
    integer(sensor["weight"], f"{where}.weight", 1, 127)
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
