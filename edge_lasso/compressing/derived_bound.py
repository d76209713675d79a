"""How far the integer of a derived input can be from the value that it stands for, in steps; proven, in `Fraction`.

Let z be readings in steps from the centre, q the integers, |z - q| <= 1/2 (+ slip, which `error_bound` adds itself).

* ``lag``: the same pair, later: the source's own rounding, nothing else.
* ``difference``: two of them, so |z - q| <= 1; cutting both to a range keeps that, whose ends differ by 1/2 at most:
  |cut(a) - cut'(b)| <= max(|a - b|, |low - low'|, |high - high'|).
* ``mean``: averages of the same rows, 1/2, and the division's rounding, 1/2.
* ``ewma``: with the artifact's rate r' = R 2^-(15 + shift) instead of r = 2 / (span + 1), both starting at the same
  reading: u - u' follows (1 - r') (u - u') + (r - r') (x - u), so |u - u'| <= W |r - r'| / r' for a range of width W.
  Of the same rate, averages differ by 1/2 as readings do. Each step rounds twice, by less than 2^-shift / 2 + 1/2 units
  of 2^-FRACTION, and an error fades by 1 - r' a step: their sum is at most that over r'. The output rounds by 1/2.

Where a value is missing, q is its default rounded: within 1/2. On top, in `slip`, what binary64 loses in the
reference's own differences, means and averages.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from edge_lasso.compressing.grid import HALF, U64, Grid, floor_half, grid
from edge_lasso_runtime.fixed_history import FRACTION, rate_of
from edge_lasso_runtime.model import Input, Model


def grids_of(model: Model, fixed: list[dict[str, Any]]) -> list[Grid | None]:
    """The rounding of every input of a section, derived inputs included."""
    own = [
        None if reading.stream is not None else grid(reading, data)
        for reading, data in zip(model.inputs, fixed, strict=True)
    ]
    if all(reading.stream is None for reading in model.inputs):
        return own
    place = {reading.name: i for i, reading in enumerate(model.inputs)}
    return [
        numeric if reading.stream is None else derived_grid(reading, data, own[place[reading.stream[1]]])
        for reading, data, numeric in zip(model.inputs, fixed, own, strict=True)
    ]


def derived_grid(one: Input, fixed: dict[str, Any], source: Grid | None) -> Grid:
    """The rounding of a derived input, from its source's.

    Raises
    ------
    ValueError
        The section was not made for the range of the input.
    """
    assert one.stream is not None
    assert one.low is not None
    assert one.high is not None
    assert source is not None
    kind, _, length = one.stream
    centre = Fraction(0) if kind == "difference" else source.centre
    ends = sorted(((Fraction(one.low) - centre) / source.step, (Fraction(one.high) - centre) / source.step))
    if (floor_half(ends[0]), floor_half(ends[1])) != (fixed["low"], fixed["high"]):
        raise ValueError(f"section fixed_point/1 was not made for the range of input {one.name!r}")
    size = max(abs(Fraction(one.low)), abs(Fraction(one.high)))
    roundings = {"lag": 0, "difference": 2, "mean": length + 2, "ewma": length + 12}[kind]
    lost = roundings * U64 * (1 + roundings * U64) * source.size / abs(source.step)
    readings = 2 if kind == "difference" else 1
    return replace(
        source, centre=centre, low=ends[0], high=ends[1], q_low=fixed["low"], q_high=fixed["high"], size=size,
        slip=readings * source.slip + lost, slip32=readings * source.slip32 + lost, loose=_loose(kind, length, source),
    )  # fmt: skip


def _loose(kind: str, length: int, source: Grid) -> Fraction | None:
    if kind == "lag":
        return None
    if kind != "ewma":
        return 2 * HALF
    multiplier, shift = rate_of(length)
    rate = Fraction(multiplier, 2 ** (15 + shift))
    other = abs(Fraction(2, length + 1) - rate) / rate * (source.high - source.low)
    settled = (Fraction(1, 2**shift) / 2 + HALF) / rate / 2**FRACTION
    return 2 * HALF + Fraction(other + settled)
