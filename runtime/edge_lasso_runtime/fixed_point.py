"""Section ``fixed_point/1``: the model in integers, bit-equal on every board.

`encode` turns readings into small integers (scaling, clamping, defaults), `predict_q` computes with integers alone,
`decode` gives the linear predictor back. For q inside the ranges that the section names, every intermediate value,
in any order of summation, lies strictly between -2^30 and 2^30: no overflow in 32 bits, and MicroPython's small
integers suffice. `validate` proves that for each section it accepts.
"""

from __future__ import annotations

from .checks import number, shown, take_index, take_keys, take_list
from .errors import ModelFormatError
from .fixed_history import validate_streams
from .predict import clean
from .stream import keeps_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .predict import Row

KEY = "fixed_point/1"
ROOM = 1 << 30
INT16 = 32767
LARGEST_COEF = {8: 127, 16: INT16}
KNOTS = 81
ONE = 65536


def encode(model: Model, row: Row) -> tuple[list[int], dict[str, str]]:
    """Turn one row of readings into the model's integers.

    Parameters
    ----------
    model : Model
        With a section ``fixed_point/1``.
    row : sequence or mapping
        As for `predict`.

    Returns
    -------
    q : list of int
        One per input, each fits int16; a categorical input is the index of its category, or -1.
    faults : dict
        Input name to "missing" or "out of range" (then clamped: fixed point always clamps).
    """
    x, faults = clean(model, row, clamp=True)
    q = []
    for feature, fixed, value in zip(model.inputs, model.sections[KEY]["inputs"], x):
        if "categories" in fixed:
            q.append(int(value))
        elif faults.get(feature.name) == "missing":
            q.append(fixed["default"])
        else:
            step = ((value - fixed["centre"]) * fixed["scale"] + 0.5) // 1.0
            q.append(int(min(max(step, fixed["low"]), fixed["high"])))
    return q, faults


def predict_q(section: dict[str, Any], q: Sequence[int]) -> list[int]:
    """The integer linear predictor of each output, for integers as `encode` returns them."""
    result = []
    for output in section["outputs"]:
        total = output["bias"]
        for term in output["terms"]:
            if "over" in term and q[term["over"][0]] <= term["over"][1]:
                continue
            if all(q[i] == category for i, category in term.get("when", ())):
                total += term["coef"] * _product(term, q) + term.get("plus", 0)
        shift = output["shift"]
        result.append(_shift(total, shift))
    return result


def decode(section: dict[str, Any], r: Sequence[int]) -> list[float]:
    """The linear predictor of each output in the target's unit."""
    return [value * output["unit"] + output["offset"] for output, value in zip(section["outputs"], r)]


def probability_q(section: dict[str, Any], r: int) -> int:
    """The probability of the second class as an integer from 1 to 65535 (over 65536), by table.

    Linear interpolation between 81 knots of the logistic function on [0, 10]; `logistic(-z) = 1 - logistic(z)`.
    """
    link = section["link"]
    knots = link["knots"]
    size = abs(r)
    p: int = knots[KNOTS - 1]
    if size < link["limit"]:
        v = _shift((size >> link["first"]) * link["multiplier"], link["second"])
        i, f = v >> 9, v & 511
        if i < KNOTS - 1:
            p = knots[i] + (((knots[i + 1] - knots[i]) * f + 256) >> 9)
    return ONE - p if r < 0 else p


def label_q(model: Model, r: Sequence[int]) -> str | None:
    """The predicted class from the integer linear predictor: its sign, or the first largest."""
    if model.classes is None:
        return None
    if len(r) == 1:
        return model.classes[1 if r[0] > 0 else 0]
    return model.classes[list(r).index(max(r))]


def reach(inputs: list[dict[str, Any]], output: dict[str, Any]) -> int:
    """The largest magnitude that any partial sum of an output can take, in any order, rounding of the shift included.

    Of the terms that depend on one categorical input alone, only those of one category are ever added.
    """
    shift = output["shift"]
    total: int = abs(output["bias"]) + (1 << shift >> 1)
    exclusive: dict[int, dict[int, int]] = {}
    largest = [largest_integer(feature) for feature in inputs]
    for term in output["terms"]:
        size = _bent(term, inputs) if "over" in term else abs(term["coef"]) * _product(term, largest)
        when = term.get("when", ())
        if len(when) == 1:
            sizes = exclusive.setdefault(when[0][0], {})
            sizes[when[0][1]] = sizes.get(when[0][1], 0) + size
        else:
            total += size
    return total + sum(max(sizes.values()) for sizes in exclusive.values())


def _bent(term: dict[str, Any], inputs: list[dict[str, Any]]) -> int:
    """The largest magnitude of what holds above a count alone: a line, largest at an end, or a step."""
    i, count = term["over"]
    if inputs[i]["high"] <= count:
        return 0
    largest = 0
    for q in (max(count + 1, inputs[i]["low"]), inputs[i]["high"]):
        largest = max(largest, abs(term["coef"] * (q if term["factors"] else 1) + term.get("plus", 0)))
    return largest


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model, with the proof that nothing overflows.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    link = model.outputs[0].link
    take_keys(section, where, ("bits", "inputs", "outputs"), ("link",))
    bits = section["bits"]
    if not isinstance(bits, int) or bits not in LARGEST_COEF:
        raise ModelFormatError(f"{where}.bits is {shown(bits)}; allowed are 8, 16")
    inputs = take_sized(section["inputs"], f"{where}.inputs", len(model.inputs))
    for i, feature in enumerate(inputs):
        _validate_input(feature, model.inputs[i], f"{where}.inputs[{i}]")
    if keeps_state(model):
        validate_streams(inputs, model, f"{where}.inputs")
    for i, output in enumerate(take_sized(section["outputs"], f"{where}.outputs", len(model.outputs))):
        _validate_output(output, inputs, bits, link, f"{where}.outputs[{i}]")
    if link == "softmax" and len({(output["unit"], output["shift"]) for output in section["outputs"]}) > 1:
        raise ModelFormatError(f"{where}.outputs of a softmax must share unit and shift")
    if ("link" in section) != (link == "logistic"):
        raise ModelFormatError(f"{where}.link goes with the link 'logistic', and only with it")
    if link == "logistic":
        _validate_link(section["link"], section["outputs"][0], f"{where}.link")


def _validate_input(data: Any, one: Any, where: str) -> None:
    if one.categories is not None:
        take_keys(data, where, ("categories",), ())
        if integer(data["categories"], f"{where}.categories", 0, INT16) != len(one.categories):
            raise ModelFormatError(f"{where}.categories is not the number of the input's categories")
        return
    take_keys(data, where, ("centre", "scale", "low", "high", "default"), ("subtract",))
    low = integer(data["low"], f"{where}.low", -INT16 - 1, INT16)
    high = integer(data["high"], f"{where}.high", low, INT16)
    integer(data["default"], f"{where}.default", low, high)
    if ("subtract" in data) != (one.raw is not None):
        raise ModelFormatError(f"{where}.subtract goes with an input that has a raw scale, and only with it")
    if one.raw is not None:
        integer(data["subtract"], f"{where}.subtract", -ROOM, ROOM)
    centre, scale = number(data["centre"], f"{where}.centre"), number(data["scale"], f"{where}.scale")
    ends = sorted(((one.low - centre) * scale, (one.high - centre) * scale))
    if not (abs(ends[0] - low) <= 1.0 and abs(ends[1] - high) <= 1.0):
        raise ModelFormatError(f"{where}.low and high do not match the input's range {one.low!r} to {one.high!r}")


def _validate_output(data: Any, inputs: list[dict[str, Any]], bits: int, link: str, where: str) -> None:
    take_keys(data, where, ("unit", "offset", "bias", "shift", "terms", "bound", "bound_float32"), ())
    if number(data["unit"], f"{where}.unit") <= 0.0:
        raise ModelFormatError(f"{where}.unit is {shown(data['unit'])}; it must be positive")
    for key in ("bound", "bound_float32"):
        if number(data[key], f"{where}.{key}") < 0.0:
            raise ModelFormatError(f"{where}.{key} is {shown(data[key])}; it must not be negative")
    if number(data["offset"], f"{where}.offset") != 0.0 and link != "identity":
        raise ModelFormatError(f"{where}.offset must be 0 with link {link!r}")
    integer(data["bias"], f"{where}.bias", -ROOM, ROOM)
    shift = integer(data["shift"], f"{where}.shift", 0, 16)
    for i, term in enumerate(take_list(data["terms"], f"{where}.terms")):
        _validate_term(term, inputs, bits, f"{where}.terms[{i}]")
    largest = reach(inputs, data)
    if largest >= ROOM:
        raise ModelFormatError(f"{where} can reach {shown(largest)}; fixed point stays below 2^30")
    if shift and largest >> shift > INT16:
        raise ModelFormatError(f"{where}.shift is {shift}; the shifted result must fit int16")


def _validate_term(data: Any, inputs: list[dict[str, Any]], bits: int, where: str) -> None:
    take_keys(data, where, ("coef", "factors"), ("shift", "when", "over", "plus"))
    factors = take_list(data["factors"], f"{where}.factors")
    if len(factors) > 2:
        raise ModelFormatError(f"{where}.factors has {len(factors)} entries; fixed point takes at most two")
    for i in factors:
        if "categories" in inputs[take_index(i, f"{where}.factors", len(inputs), "inputs")]:
            raise ModelFormatError(f"{where}.factors uses the categorical input {i} as a number")
    limit = LARGEST_COEF[bits] if factors else ROOM
    integer(data["coef"], f"{where}.coef", -limit, limit)
    if ("shift" in data) != (len(factors) == 2):
        raise ModelFormatError(f"{where}.shift goes with two factors, and only with them")
    if factors and len(factors) == 2:
        shift = integer(data["shift"], f"{where}.shift", 0, 16)
        if largest_integer(inputs[factors[0]]) * largest_integer(inputs[factors[1]]) + (1 << shift >> 1) >= ROOM:
            raise ModelFormatError(f"{where}: the product of its factors does not stay below 2^30")
    seen = set()
    for pair in take_list(data.get("when", []), f"{where}.when"):
        if len(take_list(pair, f"{where}.when")) != 2:
            raise ModelFormatError(f"{where}.when is {shown(pair)}; it holds pairs of an input and a category")
        i = take_index(pair[0], f"{where}.when", len(inputs), "inputs")
        if "categories" not in inputs[i] or i in seen:
            raise ModelFormatError(f"{where}.when: input {i} is not categorical, or stands twice")
        seen.add(i)
        take_index(pair[1], f"{where}.when", inputs[i]["categories"], "its categories")
    if "over" in data:
        _validate_over(data, inputs, where)
    elif "plus" in data:
        raise ModelFormatError(f"{where}.plus goes with 'over' and a factor, and only with them")
    elif not factors and not seen:
        raise ModelFormatError(f"{where} has neither factors nor 'when'; a constant belongs into the bias")


def _validate_over(data: Any, inputs: list[dict[str, Any]], where: str) -> None:
    i, count = take_sized(data["over"], f"{where}.over", 2)
    if "categories" in inputs[take_index(i, f"{where}.over", len(inputs), "inputs")]:
        raise ModelFormatError(f"{where}.over: input {i} is categorical")
    integer(count, f"{where}.over", -INT16 - 1, INT16)
    if data["factors"] not in ([], [i]) or "when" in data:
        raise ModelFormatError(f"{where}.over goes with its own input as the factor, or with none, and not with 'when'")
    if ("plus" in data) != (data["factors"] == [i]):
        raise ModelFormatError(f"{where}.plus goes with 'over' and a factor, and only with them")
    integer(data.get("plus", 0), f"{where}.plus", -ROOM, ROOM)


def _validate_link(data: Any, output: dict[str, Any], where: str) -> None:
    take_keys(data, where, ("multiplier", "first", "second", "limit", "knots", "bound"), ())
    multiplier = integer(data["multiplier"], f"{where}.multiplier", 1, 255)
    first = integer(data["first"], f"{where}.first", 0, 30)
    second = integer(data["second"], f"{where}.second", 0, 16)
    limit = integer(data["limit"], f"{where}.limit", 1, ROOM)
    top = ((limit - 1) >> first) * multiplier
    if top + (1 << second >> 1) >= ROOM or _shift(top, second) > (KNOTS - 1) << 9:
        raise ModelFormatError(f"{where}: the table's argument exceeds the table or 2^30")
    if number(data["bound"], f"{where}.bound") < 0.0:
        raise ModelFormatError(f"{where}.bound is {shown(data['bound'])}; it must not be negative")
    last = ONE // 2
    for i, knot in enumerate(take_sized(data["knots"], f"{where}.knots", KNOTS)):
        last = integer(knot, f"{where}.knots[{i}]", last, ONE - 1)


def integer(data: Any, where: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`, or the error that names the field."""
    if isinstance(data, bool) or not isinstance(data, int):
        raise ModelFormatError(f"{where} is {shown(data)}; it must be a whole number")
    if not low <= data <= high:
        raise ModelFormatError(f"{where} is {shown(data)}; it must be from {low} to {high}")
    return data


def take_sized(data: Any, where: str, size: int) -> list[Any]:
    """A list of so many entries, or the error that names the field."""
    if len(take_list(data, where)) != size:
        raise ModelFormatError(f"{where} has {len(data)} entries; it must have {size}")
    return [chunk for chunk in data]


def largest_integer(one: dict[str, Any]) -> int:
    """The largest magnitude that an input's integer can have."""
    return 0 if "categories" in one else max(-one["low"], one["high"], 0)


def _product(term: dict[str, Any], q: Sequence[int]) -> int:
    factors: list[int] = term["factors"]
    if not factors:
        return 1
    if len(factors) == 1:
        return q[factors[0]]
    return _shift(q[factors[0]] * q[factors[1]], term["shift"])


def _shift(value: int, shift: int) -> int:
    """Divide by 2^shift, rounded to the nearest, halves upwards."""
    return (value + (1 << shift >> 1)) >> shift
