"""What follows what comes, in one number: a detector's threshold, the ends of a prediction interval."""

from __future__ import annotations

from .checks import number, shown, take_keys
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def followed(value: float, hit: bool, eta: float, rate: float, low: float, high: float) -> float:
    """Where a bound is after a row: farther by a factor of exp(eta (1 - rate)) if it was passed, else exp(-eta rate).

    Between its ends: over T rows the part that passes it is the rate to within ln(end / start) / (eta T), whatever
    comes (Angelopoulos et al. 2023).
    """
    from math import exp

    moved = value * exp(eta * ((1.0 if hit else 0.0) - rate))
    return low if moved < low else high if moved > high else moved


def check_adjust(adjust: Any, at: str, more: Sequence[str] = ()) -> None:
    """Check what a section says of following: the step ``eta``, and the ends as factors of the start.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(adjust, at, ("eta", "floor", "cap", *more), ())
    for key in ("eta", "floor"):
        if not 0.0 < number(adjust[key], f"{at}.{key}") <= 1.0:
            raise ModelFormatError(f"{at}.{key} is {shown(adjust[key])}; it must be above 0 and at most 1")
    if number(adjust["cap"], f"{at}.cap") < 1.0:
        raise ModelFormatError(f"{at}.cap is {shown(adjust['cap'])}; it must be at least 1")
