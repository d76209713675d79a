"""Hinges and steps in fixed point: on each side of a knot a line of integers, and how far that can be off.

Of one input, everything that is no product is a function of its reading alone, z in steps from the centre: a line, with
bends and jumps at knots k. In integers a bend is ``coef * q + plus`` where q > floor(k): `plus` takes in what rounding
the knot and the slope would lose, so that a knot costs nothing beyond what rounding the reading costs. A step is a
constant there; a reading nearer to its knot than a count can end up on the other side, so its height is in the bound,
unless the sensor delivers counts and none is at the knot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from edge_lasso.compressing.grid import HALF, ZERO, Grid, floor_half
from edge_lasso.errors import DataError
from edge_lasso_runtime.explain import term_text
from edge_lasso_runtime.model import Factor, Input, Model, Output

Interval = tuple[Fraction, Fraction]


class Bend(NamedTuple):
    """A hinge or a step of an input, upwards in its integers (so that of a negative raw scale is seen from below)."""

    input: int
    knot: Fraction
    hinge: bool


class Parts(NamedTuple):
    """``constant + slope * reading + bend * Bend``: what a hinge or step is within the input's range."""

    constant: Fraction
    slope: int
    bend: int


def parts_of(reading: Input, factor: Factor) -> Parts:
    """A hinge or step within the range of its input: beyond its ends no knot matters."""
    assert factor.knot is not None
    assert reading.low is not None
    assert reading.high is not None
    hinge, knot = factor.hinge is not None, Fraction(factor.knot)
    if factor.knot >= reading.high:
        return Parts(ZERO, 0, 0)
    below = factor.knot <= reading.low if hinge else factor.knot < reading.low
    if below or (reading.raw is not None and reading.raw[0] < 0.0):
        return Parts(-knot if hinge else Fraction(1), int(hinge), 0 if below else 1 if hinge else -1)
    return Parts(ZERO, 0, 1)


def bends_of(model: Model, output: Output) -> dict[Bend, Fraction]:
    """The hinges and steps that matter, in raw units.

    Raises
    ------
    DataError
        One is multiplied by something else.
    """
    result: dict[Bend, Fraction] = {}
    for term in output.terms:
        if all(factor.knot is None for factor in term.factors):
            continue
        if len(term.factors) > 1:
            raise DataError(
                f"fixed point takes hinges and steps alone, and {output.name!r} has {term_text(model, term)}; "
                "export a float variant"
            )
        factor = term.factors[0]
        assert factor.knot is not None
        sign = parts_of(model.inputs[factor.input], factor).bend
        if sign:
            bend = Bend(factor.input, Fraction(factor.knot), factor.hinge is not None)
            result[bend] = result.get(bend, ZERO) + sign * Fraction(term.coef)
    return {bend: coef for bend, coef in sorted(result.items()) if coef}


@dataclass(frozen=True)
class Curve:
    """What the model and the integers make of one input, both in the output's unit, from steps.

    Parameters
    ----------
    slope : Fraction
        Of the model, per step, below all knots.
    hinges, steps : list of (knot, slope or height)
    line : Fraction
        Of the integers, per count.
    over : list of (count, slope, constant)
        What the integers add above a count.
    """

    slope: Fraction
    hinges: list[tuple[Fraction, Fraction]]
    steps: list[tuple[Fraction, Fraction]]
    line: Fraction
    over: list[tuple[int, Fraction, Fraction]]

    def integers(self, q: Fraction | int) -> Fraction:
        """What the integers say."""
        return self.line * q + sum((s * q + p for count, s, p in self.over if q > count), ZERO)

    def bent(self, z: Fraction) -> Fraction:
        """What the model says, without its steps."""
        return self.slope * z + sum((w * max(ZERO, z - k) for k, w in self.hinges), ZERO)

    def jumps(self, z: Fraction, slip: Fraction) -> Interval:
        """What its steps add: within `slip` of a knot, perhaps, perhaps not."""
        low = high = ZERO
        for k, v in self.steps:
            near = abs(z - k) <= slip
            low += min(v, ZERO) if near else v if z > k else ZERO
            high += max(v, ZERO) if near else v if z > k else ZERO
        return low, high

    def error(self, grid: Grid, agree: bool = False) -> Interval:
        """Extremes of model less integers over the range.

        Between knots the model is a line of z, the integers one of q: within a cell the error is a line of z, and at
        the edges of cells one of q. So the extremes are in the first and last cells, which the range cuts, and in
        those at which a knot is.
        `agree`: as if no reading ended up on the other side of a step.
        """
        half = grid.loose if grid.loose is not None else ZERO if grid.whole else HALF
        slip = max(grid.slip, grid.slip32)
        knots = [k for k, _ in (*self.hinges, *self.steps)]
        cells = {end + up for end in (grid.q_low, grid.q_high) for up in (-1, 0, 1)}
        cells |= {count + up for count, _, _ in self.over for up in (0, 1)}
        cells |= {math.floor(k + s * (half + e)) + up for k in knots for s in (-1, 1) for e in (ZERO, slip)
                  for up in (0, 1)}  # fmt: skip
        values = []
        for q in cells:
            if not grid.q_low <= q <= grid.q_high:
                continue
            here = self.integers(q)
            for z in self._places(grid, q, half, knots):
                if agree:
                    jump = sum((v for k, v in self.steps if q > math.floor(k)), ZERO)
                    values.append(self.bent(z) + jump - here)
                else:
                    values += [self.bent(z) + jump - here for jump in self.jumps(z, slip)]
        return min(values), max(values)

    def _places(self, grid: Grid, q: int, half: Fraction, knots: Iterable[Fraction]) -> Iterator[Fraction]:
        """Where in a cell an extreme can be: its ends within the range, and knots."""
        low, high = q - half, q + half
        if grid.loose is None:
            low = grid.low if q == grid.q_low else max(low, grid.low)
            high = grid.high if q == grid.q_high else min(high, grid.high)
        yield from (low, high)
        if grid.whole:
            yield Fraction(q)
        yield from (k for k in knots if low < k < high)

    def span(self, grid: Grid) -> Interval:
        """Extremes of the model over the range."""
        places = [grid.low, grid.high, *(k for k, _ in (*self.hinges, *self.steps) if grid.low < k < grid.high)]
        values = [self.bent(z) + jump for z in places for jump in self.jumps(z, ZERO)]
        return min(values), max(values)


def curves(
    linear: dict[int, Fraction], bends: dict[Bend, Fraction], terms: list[dict[str, Any]], unit: Fraction,
    grids: list[Grid | None],
) -> dict[int, Curve]:  # fmt: skip
    """The curve of each input that has bends.

    Parameters
    ----------
    linear : dict
        Coefficients of inputs alone, in raw units.
    bends : dict
    terms : list of dict
        Of the section.
    unit : Fraction
        What one of the integer sum means.
    grids : list of Grid
    """
    result = {}
    for i in sorted({bend.input for bend in bends}):
        grid = grids[i]
        assert grid is not None
        own = [(bend, (bend.knot - grid.centre) / grid.step, coef) for bend, coef in bends.items() if bend.input == i]
        own.sort(key=lambda entry: entry[1])
        line = sum(term["coef"] for term in terms if term["factors"] == [i] and not {"when", "over"} & term.keys())
        result[i] = Curve(
            linear.get(i, ZERO) * grid.step,
            [(k, coef * abs(grid.step)) for bend, k, coef in own if bend.hinge],
            [(k, coef) for bend, k, coef in own if not bend.hinge],
            line * unit,
            [_over(term, unit) for term in terms if term.get("over", [None])[0] == i],
        )
    return result


def _over(term: dict[str, Any], unit: Fraction) -> tuple[int, Fraction, Fraction]:
    slope, constant = (term["coef"], term["plus"]) if term["factors"] else (0, term["coef"])
    return term["over"][1], slope * unit, constant * unit


def bend_terms(curve: Curve, i: int, grid: Grid, unit: Fraction, limit: int) -> list[dict[str, Any]]:
    """The integers of an input's hinges and steps, given those of its line (`Curve.over` is empty).

    What rounding took from one slope the next one gets, so that no slope is off by more than half a unit; the constant
    puts the error in the middle of a piece where it is in the middle of the first.
    """
    terms: list[dict[str, Any]] = []
    rest = (curve.slope - curve.line) / unit
    ends = [*(k for k, _ in curve.hinges), grid.high]
    middle = (grid.low + ends[0]) / 2
    first = curve.bent(middle) - curve.integers(middle)
    for (k, w), end in zip(curve.hinges, ends[1:], strict=True):
        coef = max(-limit, min(limit, floor_half(w / unit + rest)))
        rest += w / unit - coef
        middle = (k + end) / 2
        lost = curve.bent(middle) - first - curve.integers(middle) - coef * unit * middle
        plus = floor_half(lost / unit)
        if coef or plus:
            terms.append({"coef": coef, "factors": [i], "over": [i, math.floor(k)], "plus": plus})
            curve.over.append(_over(terms[-1], unit))
    for k, v in curve.steps:
        if height := floor_half(v / unit):
            terms.append({"coef": height, "factors": [], "over": [i, math.floor(k)]})
    return terms
