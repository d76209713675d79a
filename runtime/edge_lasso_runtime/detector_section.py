"""Checking a section ``detector/1`` (see `detector`): it fits its model."""

from __future__ import annotations

from .checks import number, shown, take_keys, take_list
from .detector import TRACKS
from .errors import ModelFormatError
from .following import check_adjust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(
        section,
        where,
        ("watched", "smoothing", "clip", "track", "fast", "warm_up", "threshold"),
        ("adjust", "step_seconds"),
    )
    if model.outputs[0].link != "identity":
        raise ModelFormatError(f"{where} does not go with link {model.outputs[0].link!r}; a detector predicts readings")
    _validate_watched(section["watched"], model, f"{where}.watched")
    if not 0.0 < number(section["smoothing"], f"{where}.smoothing") <= 1.0:
        raise ModelFormatError(f"{where}.smoothing is {shown(section['smoothing'])}; it must be above 0 and at most 1")
    if not 0.0 <= number(section["fast"], f"{where}.fast") <= 1.0:
        raise ModelFormatError(f"{where}.fast is {shown(section['fast'])}; it must be from 0 to 1")
    if "step_seconds" in section and not number(section["step_seconds"], f"{where}.step_seconds") > 0.0:
        raise ModelFormatError(f"{where}.step_seconds is {shown(section['step_seconds'])}; it must be positive")
    if number(section["clip"], f"{where}.clip") < 0.0:
        raise ModelFormatError(f"{where}.clip is {shown(section['clip'])}; it must not be negative")
    if section["track"] != 0 or isinstance(section["track"], bool):
        _whole(section["track"], f"{where}.track", *TRACKS)
    _whole(section["warm_up"], f"{where}.warm_up", 0, 1 << 30)
    limit = section["threshold"]
    at = f"{where}.threshold"
    take_keys(
        limit,
        at,
        ("score", "row_rate", "hold"),
        ("rate", "per", "low", "high", "confidence", "rows", "events", "days", "kind", "also"),
    )
    if number(limit["score"], f"{at}.score") < 0.0:
        raise ModelFormatError(f"{at}.score is {shown(limit['score'])}; it must not be negative")
    if not 0.0 < number(limit["row_rate"], f"{at}.row_rate") < 1.0:
        raise ModelFormatError(f"{at}.row_rate is {shown(limit['row_rate'])}; it must be between 0 and 1")
    _whole(limit["hold"], f"{at}.hold", 0, 1 << 30)
    if section.get("adjust") is not None:
        at = f"{where}.adjust"
        check_adjust(section["adjust"], at, ("freeze", "thaw"))
        freeze = _whole(section["adjust"]["freeze"], f"{at}.freeze", 1, 1 << 29)
        _whole(section["adjust"]["thaw"], f"{at}.thaw", freeze, 1 << 29)


def _validate_watched(data: Any, model: Model, where: str) -> None:
    if len(take_list(data, where)) != len(model.outputs):
        raise ModelFormatError(f"{where} has {len(data)} entries; the model has {len(model.outputs)} outputs")
    known = {
        feature.name: i
        for i, feature in enumerate(model.inputs)
        if feature.stream is None and feature.categories is None
    }
    for i, chunk in enumerate(data):
        at = f"{where}[{i}]"
        take_keys(chunk, at, ("reading", "centre", "scale", "slow", "weight"), ())
        if chunk["reading"] not in known:
            raise ModelFormatError(
                f"{at}.reading is {shown(chunk['reading'])}; it must be an input that is a reading of numbers"
            )
        own = known[chunk["reading"]]
        if any(factor.input == own for term in model.outputs[i].terms for factor in term.factors):
            raise ModelFormatError(f"outputs[{i}] predicts {chunk['reading']!r} from its own present")
        number(chunk["centre"], f"{at}.centre")
        for key in ("scale", "slow", "weight"):
            if not number(chunk[key], f"{at}.{key}") > 0.0:
                raise ModelFormatError(f"{at}.{key} is {shown(chunk[key])}; it must be positive")


def _whole(data: Any, where: str, low: int, high: int) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or not low <= data <= high:
        raise ModelFormatError(f"{where} is {shown(data)}; it must be a whole number from {low} to {high}")
    return data
