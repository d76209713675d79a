"""Section ``interval/1``: split-conformal prediction intervals (Papadopoulos et al. 2002; Lei et al. 2018).

The quantiles of the residuals of rows that training did not see: the interval is the prediction plus ``low`` to plus
``high``, and holds at least ``level`` of new truths if those come as the calibration rows did; at most ``supported``,
as ``effective_rows`` independent rows are what those are worth.
"""

from __future__ import annotations

from .checks import number, shown, take_keys, take_list, take_object
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model
    from .predict import Prediction

KEY = "interval/1"


def interval(model: Model, prediction: Prediction) -> list[tuple[float, float]]:
    """The interval of each output.

    Parameters
    ----------
    model : Model
        With a section ``interval/1``.
    prediction : Prediction
        Of a row whose status is ok; for a degraded one nothing was calibrated.

    Raises
    ------
    ValueError
        For a model without the section.
    """
    section = model.sections.get(KEY)
    if section is None:
        raise ValueError("the model has no interval; train it with --holdout 0.2 --interval 0.9")
    return [(y + low, y + high) for y, low, high in zip(prediction.values, section["low"], section["high"])]


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(section, where, ("level", "low", "high", "rows"), ("coverage", "blocks", "effective_rows", "supported"))
    if model.outputs[0].link != "identity":
        raise ModelFormatError(
            f"{where} does not go with link {model.outputs[0].link!r}; probabilities have no interval"
        )
    if not 0.0 < number(section["level"], f"{where}.level") < 1.0:
        raise ModelFormatError(f"{where}.level is {shown(section['level'])}; it must be between 0 and 1")
    for key in ("low", "high"):
        values = [
            number(entry, f"{where}.{key}[{i}]") for i, entry in enumerate(take_list(section[key], f"{where}.{key}"))
        ]
        if len(values) != len(model.outputs):
            raise ModelFormatError(
                f"{where}.{key} has {len(values)} entries; the model has {len(model.outputs)} outputs"
            )
    for i, (low, high) in enumerate(zip(section["low"], section["high"])):
        if not low <= high:
            raise ModelFormatError(f"{where}: low[{i}] is {low!r}, more than high[{i}], {high!r}")
    rows = take_object(section["rows"], f"{where}.rows")
    take_keys(rows, f"{where}.rows", ("calibration", "check"), ())
    for key in rows:
        if isinstance(rows[key], bool) or not isinstance(rows[key], int) or rows[key] < 0:
            raise ModelFormatError(f"{where}.rows.{key} is {shown(rows[key])}; it must be a number of rows")
    if not number(section.get("effective_rows", 1.0), f"{where}.effective_rows") > 0.0:
        raise ModelFormatError(
            f"{where}.effective_rows is {shown(section['effective_rows'])}; it must be larger than 0"
        )
    if not 0.0 <= number(section.get("supported", 0.0), f"{where}.supported") <= 1.0:
        raise ModelFormatError(f"{where}.supported is {shown(section['supported'])}; it must be between 0 and 1")
    for key in ("coverage", "blocks"):
        for i, entry in enumerate(take_list(section.get(key, []), f"{where}.{key}")):
            if not 0.0 <= number(entry, f"{where}.{key}[{i}]") <= 1.0:
                raise ModelFormatError(f"{where}.{key}[{i}] is {shown(entry)}; it must be between 0 and 1")
