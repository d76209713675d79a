"""Integers that stand for earlier readings: what they count in, and what a section may say of them."""

from __future__ import annotations

from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

NONE = -32768
FRACTION = 13
LONGEST_MEAN = 16383


def rate_of(span: int) -> tuple[int, int]:
    """The rate 2 / (span + 1) of a moving average as (rate, shift): rate * 2^-(15 + shift), rate from 2^14 to 2^15."""
    shift = 0
    while (2 << 15 + shift) < (span + 1) << 14:
        shift += 1
    return min(((4 << 15 + shift) + span + 1) // (2 * (span + 1)), 32767), shift


def validate_streams(fixed: list[dict[str, Any]], model: Model, where: str) -> None:
    """Check the inputs of a section ``fixed_point/1`` whose model keeps state.

    Raises
    ------
    ModelFormatError
        Naming the field: a derived input must count in its source's steps, from its centre (a difference: from 0), and
        no integer may be `NONE`.
    """
    place = {feature.name: i for i, feature in enumerate(model.inputs)}
    for i, (feature, data) in enumerate(zip(model.inputs, fixed)):
        if "categories" in data:
            continue
        if data["low"] <= NONE:
            raise ModelFormatError(
                f"{where}[{i}].low is {data['low']}; in a model that keeps state {NONE} means missing"
            )
        if feature.stream is None:
            continue
        kind, source, length = feature.stream
        own = fixed[place[source]]
        if data["scale"] != own["scale"]:
            raise ModelFormatError(f"{where}[{i}].scale is {data['scale']!r}; it must be that of {source!r}")
        centre = 0.0 if kind == "difference" else own["centre"]
        if data["centre"] != centre:
            raise ModelFormatError(f"{where}[{i}].centre is {data['centre']!r}; it must be {centre!r}")
        if kind != "difference" and (data["low"], data["high"]) != (own["low"], own["high"]):
            raise ModelFormatError(f"{where}[{i}].low and high must be those of {source!r}")
        if kind == "mean" and length > LONGEST_MEAN:
            raise ModelFormatError(
                f"{where}[{i}]: fixed point takes means of at most {LONGEST_MEAN} readings, not {length}"
            )
