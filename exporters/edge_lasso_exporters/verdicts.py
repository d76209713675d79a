"""The verdict of a first stage (``cascade/1``) in targets: two comparisons, of a number that the target computed.

In fixed point the thresholds are integers: with z = unit * r + offset, z < low where r is less than the first integer
that reaches low, in exact rational arithmetic. In float32 they are farther apart by the proven bound of the predictor.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple

from edge_lasso_runtime import Model
from edge_lasso_runtime.cascade import DETECTOR, KEY
from edge_lasso_runtime.fixed_point import KEY as FIXED

from .options import ExportError, Options

TARGETS = ("python", "c", "js")
LARGEST = 2**31 - 1


class Verdict(NamedTuple):
    """What is compared with what.

    Parameters
    ----------
    low, high : float or int
    below, above : int
        -1 for no, 1 for yes.
    of : str
        What is compared, in words.
    """

    low: Any
    high: Any
    below: int
    above: int
    of: str


def check_target(model: Model, target: str) -> None:
    """Refuse a target that has no verdict.

    Raises
    ------
    ExportError
    """
    if KEY in model.sections and target not in TARGETS:
        raise ExportError(
            f"target '{target}' has no verdict of a first stage ({KEY}); {', '.join(TARGETS)} have; "
            "for this one export the model that edge-lasso cascade was given"
        )


def verdict_of(model: Model, options: Options) -> Verdict | None:
    """The comparisons of a model; None without a section ``cascade/1``.

    Raises
    ------
    ExportError
        A detector in integers, whose score is another.
    """
    section = model.sections.get(KEY)
    if section is None:
        return None
    low, high = float(section["low"]), float(section["high"])
    below = -1 if section["yes"] else 1
    if DETECTOR in model.sections:
        if options.variant == "fixed":
            raise ExportError(
                "variant 'fixed' of a detector has a score of its own, which the thresholds of cascade/1 are not of"
            )
        return Verdict(*_rounded(low, high, options), below, -below, "its score")
    if options.variant == "fixed":
        output = model.sections[FIXED]["outputs"][0]
        unit, offset = Fraction(output["unit"]), Fraction(output["offset"])
        first, last = ceil((Fraction(low) - offset) / unit), floor((Fraction(high) - offset) / unit)
        low_integer, high_integer = (max(-LARGEST, min(LARGEST, end)) for end in (first, last))
        return Verdict(low_integer, high_integer, below, -below, "the integer of `predict`")
    if options.variant == "float":
        from . import dense_bounds  # with numpy, which the other variants do not need
        from .dense import dense

        bound = float(max(dense_bounds.box_bound(dense_bounds.choose(dense(model), "float32"))))
        low, high = low - bound, high + bound
    return Verdict(*_rounded(low, high, options), below, -below, "the linear predictor")


def _rounded(low: float, high: float, options: Options) -> tuple[float, float]:
    """In float32: to numbers of it, outwards."""
    if options.variant != "float":
        return low, high
    import numpy as np

    first, last = np.float32(low), np.float32(high)
    first = first if first <= low else np.nextafter(first, np.float32(-np.inf))
    return float(first), float(last if last >= high else np.nextafter(last, np.float32(np.inf)))


def python_text(model: Model, options: Options) -> str:
    """The function ``verdict`` in Python."""
    verdict = verdict_of(model, options)
    if verdict is None:
        return ""
    return f'''

def verdict(z):
    """What a first stage says of a row whose status is ok, from {verdict.of}: -1 no, 1 yes, 0 go on."""
    if z < {verdict.low!r}:
        return {verdict.below}
    return {verdict.above} if z > {verdict.high!r} else 0
'''


def js_text(model: Model, options: Options) -> str:
    """The function ``verdict`` in JavaScript."""
    verdict = verdict_of(model, options)
    if verdict is None:
        return ""
    return f"""
/** What a first stage says of a row whose status is ok, from {verdict.of}: -1 no, 1 yes, 0 go on. */
export function verdict(z) {{
  return z < {verdict.low!r} ? {verdict.below} : z > {verdict.high!r} ? {verdict.above} : 0;
}}
"""
