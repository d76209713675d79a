"""Section ``interval/1``: split-conformal prediction intervals (Papadopoulos et al. 2002; Lei et al. 2018).

The quantiles of the residuals of rows that training did not see: the interval is the prediction plus ``low`` to plus
``high``, and holds at least ``level`` of new truths if those come as the calibration rows did; at most ``supported``,
as ``effective_rows`` independent rows are what those are worth. With a ``slope`` both are ``1 + slope |prediction|``
times as far. With ``adjust``, each end moves with the truths that come (`Reach`).
"""

from __future__ import annotations

from .checks import number, shown, take_keys, take_list, take_object
from .errors import ModelFormatError
from .following import check_adjust, followed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .predict import Prediction
    from .step_result import Step

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
    return between(model, prediction.values)


def between(
    model: Model, values: Sequence[float], widths: Sequence[float] | None = None, reach: Reach | None = None
) -> list[tuple[float, float]]:
    """The interval of each output, `widths` times as wide, with ends where `reach` has moved them.

    Raises
    ------
    ValueError
        For a model without the section.
    """
    section = model.sections.get(KEY)
    if section is None:
        raise ValueError("the model has no interval; train it with --holdout 0.2 --interval 0.9")
    result = []
    for m, y in enumerate(values):
        low, high = section["low"][m], section["high"][m]
        if reach is not None:
            half = (high - low) * 0.5
            low, high = low - half * (reach.factors[m][0] - 1.0), high + half * (reach.factors[m][1] - 1.0)
        wider = (widths[m] if widths else 1.0) * (1.0 + section["slope"][m] * abs(y) if "slope" in section else 1.0)
        result.append((y + low * wider, y + high * wider))
    return result


class Reach:
    """How far from the middle the ends of each interval are, in halves of its width, as truths have moved them.

    Parameters
    ----------
    model : Model
        Whose section ``interval/1`` has ``adjust``.

    Attributes
    ----------
    factors : list of list of float
        Per output, of its low and its high end.
    """

    __slots__ = ("_adjust", "_model", "factors")

    def __init__(self, model: Model) -> None:
        self._model = model
        section = model.sections[KEY]
        adjust = section["adjust"]
        self._adjust = (adjust["eta"], (1.0 - section["level"]) * 0.5, adjust["floor"], adjust["cap"])
        self.factors = [[1.0, 1.0] for _ in model.outputs]

    def ends(self, result: Step) -> list[tuple[float, float]]:
        """The intervals of a row."""
        return between(self._model, result.values, result.widths, self)

    def follow(self, ends: Sequence[tuple[float, float]], truths: Sequence[float | None]) -> None:
        """Take in what was true: each end is left behind by half of what the level leaves out, in the long run."""
        for pair, (low, high), truth in zip(self.factors, ends, truths):
            if truth is not None:
                pair[0] = followed(pair[0], truth < low, *self._adjust)
                pair[1] = followed(pair[1], truth > high, *self._adjust)

    def to_dict(self) -> list[list[float]]:
        """What is remembered, JSON-ready."""
        return self.factors

    def restore(self, data: Any) -> None:
        """Take over what `to_dict` gave; lengths must be right (ValueError)."""
        factors = [[float(value) for value in pair] for pair in data]
        if [len(pair) for pair in factors] != [2] * len(self.factors):
            raise ValueError("the intervals of other outputs")
        self.factors = factors


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    more = ("slope", "half_life", "adjust", "coverage", "blocks", "effective_rows", "supported")
    take_keys(section, where, ("level", "low", "high", "rows"), more)
    if model.outputs[0].link != "identity":
        raise ModelFormatError(
            f"{where} does not go with link {model.outputs[0].link!r}; probabilities have no interval"
        )
    if not 0.0 < number(section["level"], f"{where}.level") < 1.0:
        raise ModelFormatError(f"{where}.level is {shown(section['level'])}; it must be between 0 and 1")
    for key in ("low", "high", "slope")[: 2 + ("slope" in section)]:
        values = [
            number(entry, f"{where}.{key}[{i}]") for i, entry in enumerate(take_list(section[key], f"{where}.{key}"))
        ]
        if len(values) != len(model.outputs):
            raise ModelFormatError(
                f"{where}.{key} has {len(values)} entries; the model has {len(model.outputs)} outputs"
            )
        if key == "slope" and min(values, default=0.0) < 0.0:
            raise ModelFormatError(f"{where}.slope is {shown(section[key])}; no entry may be negative")
    if "adjust" in section:
        check_adjust(section["adjust"], f"{where}.adjust")
    if not number(section.get("half_life", 1.0), f"{where}.half_life") > 0.0:
        raise ModelFormatError(f"{where}.half_life is {shown(section['half_life'])}; it must be larger than 0")
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
