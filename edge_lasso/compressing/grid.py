"""The grids that inputs are rounded to: what every bound is reckoned over."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from edge_lasso_runtime.model import Input

ZERO = Fraction(0)
HALF = Fraction(1, 2)
U64 = Fraction(1, 2**53)
U32 = Fraction(1, 2**24)
TINY = Fraction(1, 2**126)
"""More than what flushing subnormal numbers to zero can cost in one operation (binary32; binary64 a fortiori)."""


@dataclass(frozen=True)
class Grid:
    """One numeric input's rounding: ``z = (x - centre) / step`` runs from `low` to `high`, q from `q_low` to `q_high`.

    `slip` and `slip32`: how far, in steps, floating-point arithmetic can move z (binary64, binary32).
    `size`: the largest magnitude of a reading. `loose`: None where q is z rounded; else the largest |z - q| of a
    derived input, whose q comes from other integers (`stream_bound`). `whole`: between the ends z is whole, as a sensor
    delivers counts.
    """

    centre: Fraction
    step: Fraction
    low: Fraction
    high: Fraction
    q_low: int
    q_high: int
    slip: Fraction
    slip32: Fraction
    size: Fraction
    loose: Fraction | None = None
    whole: bool = False

    @property
    def off(self) -> Fraction:
        """The largest |z - q|; of whole counts only where the range ends between two."""
        if self.loose is not None:
            return self.loose
        return max(abs(self.low - self.q_low), abs(self.high - self.q_high)) if self.whole else HALF

    def counted(self) -> Grid:
        """The same for whole counts, which are far from where rounding would choose between two.

        What is left is the rounding of the reading itself, ``scale * count + offset`` in binary64.
        """
        if self.slip >= HALF or self.slip32 >= HALF or self.loose is not None:
            return self
        read = 4 * U64 * self.size / abs(self.step)
        return replace(self, whole=True, slip=read, slip32=read)

    @property
    def largest(self) -> int:
        """The largest |q|."""
        return max(-self.q_low, self.q_high, 0)


def grid(one: Input, fixed: dict[str, Any]) -> Grid | None:
    """The rounding of one input; None for a categorical one."""
    if one.categories is not None:
        return None
    assert one.low is not None
    assert one.high is not None
    if one.raw is None:
        centre, step = Fraction(fixed["centre"]), 1 / Fraction(fixed["scale"])
    else:
        step = Fraction(one.raw[0])
        centre = Fraction(one.raw[1]) + step * fixed["subtract"]
    ends = sorted(((Fraction(one.low) - centre) / step, (Fraction(one.high) - centre) / step))
    size = max(abs(Fraction(one.low)), abs(Fraction(one.high)))
    slips = [slip(one, centre, step, fixed, unit, convert) for unit, convert in ((U64, float), (U32, to_float32))]
    slips[1] += size * U32 / abs(step) * (1 + 16 * U32)
    if (math.floor(ends[0] + HALF), math.floor(ends[1] + HALF)) != (fixed["low"], fixed["high"]):
        raise ValueError(f"section fixed_point/1 was not made for the range of input {one.name!r}")
    return Grid(centre, step, ends[0], ends[1], fixed["low"], fixed["high"], slips[0], slips[1], size)


def slip(one: Input, centre: Fraction, step: Fraction, fixed: dict[str, Any], unit: Fraction, convert: Any) -> Fraction:
    """How far ``(x - centre) * scale + 0.5``, three rounded operations on rounded constants, can be from exact."""
    board_centre, board_scale = Fraction(convert(fixed["centre"])), Fraction(convert(fixed["scale"]))
    assert one.low is not None
    assert one.high is not None
    width = max(abs(Fraction(one.low) - board_centre), abs(Fraction(one.high) - board_centre))
    constants = width * abs(board_scale - 1 / step) + abs(board_centre - centre) / abs(step)
    top = width * abs(board_scale) * (1 + unit) ** 3
    return constants + 3 * top * unit + unit + TINY


def floor_half(value: Fraction) -> int:
    """Rounded to the nearest, halves upwards."""
    return math.floor(value + HALF)


def to_float32(value: float | Fraction) -> float:
    """The nearest binary32 number."""
    return float(np.float32(float(value)))
