"""Section ``cascade/1``: a cheap first stage that decides the clear rows, and says of the others: go on.

A row's score is the linear predictor of a classifier of two classes, or a detector's score. Where the second class is
what is looked for, a score below ``low`` is "no", one above ``high`` is "yes", and what lies between goes on to a
heavier model; where it is the first class (``yes`` is 0), the other way round. A row with a reading at fault goes on,
and one before the warm-up is over: nothing was calibrated for them.
"""

from __future__ import annotations

from .checks import number, shown, take_keys, take_object
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model
    from .predict import Prediction
    from .step_result import Step

KEY = "cascade/1"
DETECTOR = "detector/1"
NO, GO_ON, YES = "no", "go on", "yes"
RATES = ("miss", "false_alarm", "confidence")


def verdict(model: Model, result: Step | Prediction) -> str:
    """What the first stage says of a row: "no", "yes" or "go on".

    Parameters
    ----------
    model : Model
        With a section ``cascade/1``.
    result : Step or Prediction
        Of that row.
    """
    section = model.sections[KEY]
    score = getattr(result, "score", None) if DETECTOR in model.sections else result.linear[0]
    if score is None or result.status != "ok":
        return GO_ON
    if score < section["low"]:
        return NO if section["yes"] else YES
    if score > section["high"]:
        return YES if section["yes"] else NO
    return GO_ON


def check_first(model: Model) -> None:
    """Refuse a model that cannot be a first stage.

    Raises
    ------
    ModelFormatError
    """
    if DETECTOR not in model.sections and (model.classes is None or len(model.outputs) != 1):
        raise ModelFormatError("a first stage is a classifier of two classes, or a detector")


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(section, where, ("yes", "low", "high", *RATES, "rows", "goes_on", "found"), ())
    try:
        check_first(model)
    except ModelFormatError as error:
        raise ModelFormatError(f"{where}: {error}") from None
    low, high = (number(section[key], f"{where}.{key}") for key in ("low", "high"))
    if not low <= high:
        raise ModelFormatError(f"{where}: low is {low!r}, more than high, {high!r}")
    allowed = (1,) if DETECTOR in model.sections else (0, 1)
    if isinstance(section["yes"], bool) or section["yes"] not in allowed:
        raise ModelFormatError(f"{where}.yes is {shown(section['yes'])}; allowed: {', '.join(map(str, allowed))}")
    for key in RATES:
        if not 0.0 < number(section[key], f"{where}.{key}") < 1.0:
            raise ModelFormatError(f"{where}.{key} is {shown(section[key])}; it must be between 0 and 1")
    for part, names in (("rows", ("calibration", "check")), ("goes_on", ("predicted", "found"))):
        take_keys(section[part], f"{where}.{part}", names, ())
        for name in names:
            if number(section[part][name], f"{where}.{part}.{name}") < 0.0:
                raise ModelFormatError(f"{where}.{part}.{name} is {shown(section[part][name])}; it must be 0 or more")
    take_object(section["found"], f"{where}.found")
