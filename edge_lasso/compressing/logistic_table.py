"""The logistic function as 81 integers, with its error proven over every integer logit.

Knots at 0, 1/8, .., 10 in units of 2^-16, linear interpolation, `logistic(-z) = 1 - logistic(z)`. The function is
concave there, so chords lie below it; lifting each knot by h^2/16 |second derivative| halves the error. Monotone.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso_runtime.fixed_point import KNOTS, ONE, ROOM, probability_q

STEP = 8
FRACTION_BITS = 12
LARGEST_SHIFT = 14


@cache
def knots() -> tuple[int, ...]:
    """The table (decimal arithmetic: the same integers on every machine)."""
    result = []
    with localcontext() as context:
        context.prec = 40
        for i in range(KNOTS):
            p = 1 / (1 + (-Decimal(i) / STEP).exp())
            bend = p * (1 - p) * (2 * p - 1)
            result.append(min(round(ONE * (p + bend / (16 * STEP**2))), ONE - 1))
    return tuple(result)


def logistic_link(unit: float, bound: float) -> dict[str, Any]:
    """The section's entry ``link`` for an integer logit.

    Parameters
    ----------
    unit : float
        Value of one step of the logit: m * 2^-s with m from 128 to 255.
    bound : float
        Proven bound of the logit.

    Raises
    ------
    DataError
        When one step of the logit is too coarse for the table.
    """
    multiplier, shift = multiplier_and_shift(unit)
    if shift < 0:
        raise DataError(
            f"the logit takes values in steps of {unit!r}, too coarse for probabilities in fixed point; "
            "export a float variant"
        )
    second = min(shift, LARGEST_SHIFT)
    first = shift - second
    top = (((KNOTS - 1) << 9) + 1 << second) - 1 - (1 << second >> 1)
    limit = min((top // multiplier + 1) << first, ROOM)
    return {
        "multiplier": multiplier,
        "first": first,
        "second": second,
        "limit": limit,
        "knots": list(knots()),
        "bound": bound / 4.0 + table_error(),
    }


def multiplier_and_shift(unit: float) -> tuple[int, int]:
    """Write ``unit * 2^12 = multiplier / 2^shift`` with a multiplier from 128 to 255."""
    value = Fraction(unit) * 2**FRACTION_BITS
    shift = 0
    while value < 128:
        value, shift = value * 2, shift + 1
    while value >= 256:
        value, shift = value / 2, shift - 1
    if value.denominator != 1:
        raise ValueError(f"unit {unit!r} has more than 8 significant bits")
    return int(value), shift


@cache
def table_error() -> float:
    """Largest |table - logistic| over all logits.

    Every integer logit falls on one of the 40,961 arguments v of the table; the logits that do lie between
    v - 1/2 and v + 1/2 + 2^-6 (in 2^-12; the last part is what the first shift cuts off), and the logistic function is
    monotone, so both ends suffice. 1e-12 covers binary64 here and in the reference.
    """
    link = {"multiplier": 1, "first": 0, "second": 0, "limit": ROOM, "knots": list(knots())}
    last = (KNOTS - 1) << 9
    v = np.arange(last + 1)
    p = np.array([probability_q({"link": link}, int(entry)) for entry in v]) / ONE
    ends = [np.maximum(v - 0.5, 0.0), v + 0.5 + 2.0**-6]
    worst = max(float(np.abs(p - 1.0 / (1.0 + np.exp(-end * 2.0**-FRACTION_BITS))).max()) for end in ends)
    return max(worst, 1.0 - knots()[-1] / ONE) + 1e-12
