"""The reference meaning of a model: what every artifact has to reproduce.

binary64; terms added one after another from the left with plain ``+`` (newer Pythons compensate inside `sum`).
"""

from __future__ import annotations

from .model import EXP_ROOM, Factor, Input, Model, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Row = Sequence[Any] | Mapping[str, Any]


class Prediction(Record):
    """What one row gives.

    Parameters
    ----------
    linear : list of float
        The linear predictor per output.
    values : list of float
        After the link: the prediction, or the probability of each class (one per output; binary: of the second class).
    label : str or None
        The predicted class of a classifier, from the linear predictor.
    faults : dict
        Input name to "missing" or "out of range".
    """

    __slots__ = ("faults", "label", "linear", "values")

    def __init__(self, linear: list[float], values: list[float], label: str | None, faults: dict[str, str]) -> None:
        self.linear = linear
        self.values = values
        self.label = label
        self.faults = faults

    @property
    def status(self) -> str:
        """``ok``, or ``degraded`` when a reading was missing or out of range."""
        return "degraded" if self.faults else "ok"


def predict(model: Model, row: Row) -> Prediction:
    """Predict one row.

    Parameters
    ----------
    model : Model
    row : sequence or mapping
        A sequence holds one number (or None) per input, in the order of `Model.inputs`; a categorical
        input is the index of its category. A mapping goes from input name to reading; a categorical reading
        is the category itself; names it lacks are missing, names the model does not know are ignored.

    Returns
    -------
    Prediction

    Raises
    ------
    ValueError
        For a sequence of the wrong length.
    """
    x, faults = clean(model, row)
    z = linear(model, x)
    return Prediction(z, link(model, z), label(model, z), faults)


def clean(model: Model, row: Row, clamp: bool | None = None) -> tuple[list[float], dict[str, str]]:
    """Replace what is missing, clamp where the policy says so (or `clamp`), and name the inputs at fault.

    Returns
    -------
    x : list of float
        One finite number per input; a categorical input without a known category is -1.
    faults : dict
        Input name to "missing" or "out of range".
    """
    if hasattr(row, "keys"):
        readings = [_reading(row, feature) for feature in model.inputs]
    elif len(row) == len(model.inputs):
        readings = row  # type: ignore[assignment]
    else:
        raise ValueError(f"a row has {len(model.inputs)} values (the model's inputs in order), got {len(row)}")
    limit = model.limit
    if clamp is None:
        clamp = model.policy == "clamp"
    x: list[float] = []
    faults: dict[str, str] = {}
    for feature, reading in zip(model.inputs, readings):
        try:
            value = float(reading)
        except (TypeError, ValueError, OverflowError):
            value = limit * 2.0
        known = -limit <= value <= limit
        if feature.categories is not None:
            if not (known and value == int(value) and 0 <= value < len(feature.categories)):
                value = -1.0
                faults[feature.name] = "missing"
        elif not known:
            value = feature.default  # type: ignore[assignment]
            faults[feature.name] = "missing"
        elif value < feature.low or value > feature.high:  # type: ignore[operator]
            faults[feature.name] = "out of range"
            if clamp:
                value = min(max(value, feature.low), feature.high)  # type: ignore[type-var,assignment]
        x.append(value)
    return x, faults


def linear(model: Model, x: list[float]) -> list[float]:
    """The linear predictor of each output for a clean row."""
    result = []
    for output in model.outputs:
        y = output.intercept
        for term in output.terms:
            product = term.coef
            for factor in term.factors:
                product = product * factor_value(factor, x)
            y = y + product
        result.append(y)
    return result


def link(model: Model, z: list[float]) -> list[float]:
    """Apply each output's link to its linear predictor."""
    kind = model.outputs[0].link
    if kind == "identity":
        return list(z)
    from math import exp

    if kind == "logistic":
        return [_logistic(value, exp) for value in z]
    if kind == "exp":
        return [exp(min(max(value, -EXP_ROOM), EXP_ROOM)) for value in z]
    top = max(z)
    weights = [exp(value - top) for value in z]
    total = 0.0
    for weight in weights:
        total = total + weight
    return [weight / total for weight in weights]


def label(model: Model, z: list[float]) -> str | None:
    """The predicted class: the sign of a binary linear predictor, the first largest of several."""
    if model.classes is None:
        return None
    if len(z) == 1:
        return model.classes[1 if z[0] > 0.0 else 0]
    return model.classes[z.index(max(z))]


def _logistic(z: float, exp: Callable[[float], float]) -> float:
    if z >= 0.0:
        return 1.0 / (1.0 + exp(-z))
    e = exp(z)
    return e / (1.0 + e)


def predicted(model: Model) -> list[int]:
    """The outputs that are predictions, by position: all but a sensor's usual level beside its model in a detector."""
    every = range(len(model.outputs))
    if "detector/1" not in model.sections:
        return list(every)
    names = [sensor["reading"] for sensor in model.sections["detector/1"]["watched"]]
    return [k for k in every if model.outputs[k].terms or names[k] not in names[:k]]


def factor_value(factor: Factor, x: list[float]) -> float:
    """What a factor multiplies with."""
    value = x[factor.input]
    if factor.category is not None:
        return 1.0 if value == factor.category else 0.0
    if factor.hinge is not None:
        return value - factor.hinge if value > factor.hinge else 0.0
    if factor.step is not None:
        return 1.0 if value > factor.step else 0.0
    return value


def _reading(row: Any, one: Input) -> Any:
    reading = row.get(one.name)
    if one.categories is None:
        return reading
    if reading is None or reading != reading:
        return -1
    return one.categories.index(str(reading)) if str(reading) in one.categories else -1
