"""The worst case of a fixed-point model, proven: exact rational arithmetic over the whole box, nothing sampled.

For a term of one input the error of rounding coefficient and reading is a sawtooth under linear envelopes, so its
supremum and infimum are among at most six points (`_sawtooth`). Inputs vary independently, so for models whose terms
are single inputs the sums of these are the exact extremes; products and their factors share readings, so there the sum
is an upper bound. On top comes what binary64 (or binary32) loses in `encode` and `decode`, and in the reference itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from edge_lasso.compressing.bends import Bend, Curve, bends_of, curves
from edge_lasso.compressing.centred import Key, expand
from edge_lasso.compressing.derived_bound import grids_of
from edge_lasso.compressing.grid import HALF, U32, U64, ZERO, Grid
from edge_lasso_runtime.fixed_point import KEY, reach
from edge_lasso_runtime.model import Model, Output

Interval = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class OutputBound:
    """What is known about one output's error, in the unit of its linear predictor.

    Parameters
    ----------
    bound : float
        Largest |decoded - clamped reference| over the ranges, with `encode` and `decode` in binary64.
    bound_float32 : float
        The same with both in binary32.
    bound_counts : float
        The same where inputs with a raw scale deliver whole counts (see `encode_counts`): no half step is lost there.
        `bound` where there is none.
    span : float
        Width of the output's range over the box.
    shares : dict
        Part of `bound` that each input (or product, as "a * b") and the "intercept" is responsible for; what is left
        to 1 is floating-point rounding. (With categorical inputs they can sum to more: one category holds at a time.)
    """

    bound: float
    bound_float32: float
    bound_counts: float
    span: float
    shares: dict[str, float]

    @property
    def effective_bits(self) -> float:
        """``log2(span / bound)``: how many bits of the output's range can be trusted."""
        return math.log2(self.span / self.bound) if self.span > 0.0 and self.bound > 0.0 else 0.0


def analyse(model: Model) -> list[OutputBound]:
    """The proven error of each output of a model with a section ``fixed_point/1``.

    Returns
    -------
    list of OutputBound
        One per output.
    """
    return [bound_output(model, model.sections[KEY], m) for m in range(len(model.outputs))]


def bound_output(model: Model, section: dict[str, Any], m: int) -> OutputBound:
    """The proven error of output `m` for a section (see the module's text)."""
    grids = grids_of(model, section["inputs"])
    output, fixed = model.outputs[m], section["outputs"][m]
    exact = expand(model, output, [grid.centre if grid else ZERO for grid in grids])
    bends = bends_of(model, output)
    counted = [
        grid.counted() if grid and reading.raw is not None else grid
        for grid, reading in zip(grids, model.inputs, strict=True)
    ]
    intervals = term_errors(exact, fixed, grids, bends)
    constant, reference = _constant(exact, fixed), reference_rounding(output, grids)
    largest = (reach(section["inputs"], fixed) >> fixed["shift"]) * Fraction(fixed["unit"])
    decoded, decoded32 = (_decode_rounding(fixed, largest, unit) for unit in (U64, U32))
    worst = _worst(intervals, constant, fixed) + reference
    bound, bound32 = (
        worst + slips(exact, grids, single, bends) + off for single, off in ((False, decoded), (True, decoded32))
    )
    counts = bound
    if counted != grids:
        worst = _worst(term_errors(exact, fixed, counted, bends), constant, fixed) + reference
        counts = worst + slips(exact, counted, False, bends) + decoded
    return OutputBound(
        round_up(bound),
        round_up(bound32),
        round_up(counts),
        float(_span(exact, bends, grids)),
        _shares(model, intervals, abs(constant), bound),
    )


def _worst(intervals: dict[Key, Interval], constant: Fraction, fixed: dict[str, Any]) -> Fraction:
    """The largest error of the integers' sum, its last rounding included."""
    low, high = total_error(intervals)
    rounding = Fraction(fixed["unit"]) / 2 if fixed["shift"] else ZERO
    return max(abs(low + constant), abs(high + constant)) + rounding


def _constant(exact: dict[Key, Fraction], fixed: dict[str, Any]) -> Fraction:
    unit = Fraction(fixed["unit"]) / 2 ** fixed["shift"]
    value: Fraction = exact[(), ()] - Fraction(fixed["bias"]) * unit - Fraction(fixed["offset"])
    return value


def term_errors(
    exact: dict[Key, Fraction],
    fixed: dict[str, Any],
    grids: list[Grid | None],
    bends: dict[Bend, Fraction] | None = None,
    agree: bool = False,
) -> dict[Key, Interval]:
    """Range of ``exact - integer`` for each monomial but the constant, over its own inputs.

    An input's hinges and steps are one with its line. `agree`: see `Curve.error`.
    """
    unit = Fraction(fixed["unit"]) / 2 ** fixed["shift"]
    terms = {
        (tuple((i, category) for i, category in term.get("when", ())), tuple(term["factors"])): term
        for term in fixed["terms"]
        if "over" not in term
    }
    assert len(terms) == sum("over" not in term for term in fixed["terms"])
    assert terms.keys() <= exact.keys()
    result = {}
    for key, coef in exact.items():
        if key == ((), ()):
            continue
        term = terms.get(key, {"coef": 0, "shift": 0})
        used = [grid for grid in (grids[i] for i in key[1]) if grid is not None]
        step = unit * term["coef"]
        if not used:
            interval = (coef - step, coef - step)
        elif len(used) == 1:
            interval = _sawtooth(coef * used[0].step, step, used[0])
        else:
            size = _product_error(coef, step, term["shift"], used[0], used[1])
            interval = (-size, size)
        result[key] = interval
    for i, curve in _curves(exact, bends or {}, fixed["terms"], unit, grids).items():
        grid = grids[i]
        assert grid is not None
        result[(), (i,)] = curve.error(grid, agree)
    return result


def _curves(
    exact: dict[Key, Fraction], bends: dict[Bend, Fraction], terms: list[Any], unit: Fraction, grids: list[Grid | None]
) -> dict[int, Curve]:
    linear = {factors[0]: coef for (when, factors), coef in exact.items() if not when and len(factors) == 1}
    return curves(linear, bends, terms, unit, grids)


def _sawtooth(weight: Fraction, step: Fraction, one: Grid) -> Interval:
    """Extremes of ``weight * z - step * floor(z + 1/2)`` for z in the grid's range.

    Within a cell (constant q) the error is linear in z; the values at the upper ends of the cells are linear in q, and
    so are those at the lower ends. So the extremes are at both ends of the range, or at the inner edge of the first or
    the last cell, seen from either side. Whole counts are in the middle of their cells, but at the ends. Of a derived
    input only |z - q| <= loose is known: a band, linear in both.
    """
    first, last = one.q_low, one.q_high
    if one.loose is not None:
        values = [weight * (q + end) - step * q for q in (first, last) for end in (one.loose, -one.loose)]
        return min(values), max(values)
    points = [(one.low, first), (one.high, last)]
    if one.whole:
        points += [(Fraction(first), first), (Fraction(last), last)]
    elif first < last:
        points += [(first + HALF, first), (first + HALF, first + 1), (last - HALF, last), (last - HALF, last - 1)]
    values = [weight * z - step * q for z, q in points]
    return min(values), max(values)


def _product_error(coef: Fraction, step: Fraction, shift: int, a: Grid, b: Grid) -> Fraction:
    """Bound on ``weight * za * zb - step * round(qa * qb / 2^shift)`` with |z - q| <= `off`."""
    weight = coef * a.step * b.step
    step = step / 2**shift
    inputs = abs(weight) * (a.largest * b.off + b.largest * a.off + a.off * b.off)
    rescale = abs(step) * 2**shift / 2 if shift else ZERO
    return abs(weight - step) * a.largest * b.largest + inputs + rescale


def total_error(intervals: dict[Key, Interval]) -> Interval:
    """Sum over independent inputs; of one categorical input's categories, at most one holds."""
    low = high = ZERO
    exclusive: dict[int, dict[int, Interval]] = {}
    for (when, _), (least, most) in intervals.items():
        if len(when) == 1:
            categories = exclusive.setdefault(when[0][0], {})
            before = categories.get(when[0][1], (ZERO, ZERO))
            categories[when[0][1]] = (before[0] + least, before[1] + most)
        elif when:
            low, high = low + min(least, ZERO), high + max(most, ZERO)
        else:
            low, high = low + least, high + most
    for categories in exclusive.values():
        low += min(ZERO, *(category[0] for category in categories.values()))
        high += max(ZERO, *(category[1] for category in categories.values()))
    return low, high


def slips(
    exact: dict[Key, Fraction], grids: list[Grid | None], single: bool, bends: dict[Bend, Fraction] | None = None
) -> Fraction:
    """What it costs that floating-point arithmetic may pick the neighbouring q near the edge of a cell."""
    total = ZERO
    hinges = [(((), (bend.input,)), coef) for bend, coef in (bends or {}).items() if bend.hinge]
    for (_, factors), coef in (*exact.items(), *hinges):
        used = [grid for grid in (grids[i] for i in factors) if grid is not None]
        for k, entry in enumerate(used):
            slip = entry.slip32 if single else entry.slip
            others = [other for j, other in enumerate(used) if j != k]
            scale = abs(coef * entry.step)
            for other in others:
                scale *= abs(other.step) * (other.largest + 1 + (other.loose or 0))
            total += scale * slip
    return total


def reference_rounding(output: Output, grids: list[Grid | None]) -> Fraction:
    """How far the binary64 reference can be from its exact value on the box."""
    total = abs(Fraction(output.intercept))
    depth = len(output.terms)
    for term in output.terms:
        size = abs(Fraction(term.coef))
        for factor in term.factors:
            grid = grids[factor.input]
            if factor.category is None and grid is not None:
                size *= Fraction(1) if factor.step is not None else grid.size + abs(Fraction(factor.hinge or 0.0))
        total += size
    depth += max((len(term.factors) for term in output.terms), default=0)
    depth += any(factor.hinge is not None for term in output.terms for factor in term.factors)
    return depth * U64 / (1 - depth * U64) * total + depth * Fraction(1, 2**1000)


def _decode_rounding(fixed: dict[str, Any], largest: Fraction, unit: Fraction) -> Fraction:
    """Rounding of ``r * unit + offset``; r * unit is exact in binary64 (r < 2^30, unit has 8 significant bits)."""
    offset = abs(Fraction(fixed["offset"]))
    significant = Fraction(fixed["unit"]).numerator.bit_length()
    product = largest * (2 * unit + unit**2) if unit == U32 or significant > 22 else ZERO
    return product + ((largest + product + offset) * 2 * unit if offset else ZERO)


def _span(exact: dict[Key, Fraction], bends: dict[Bend, Fraction], grids: list[Grid | None]) -> Fraction:
    ranges: dict[Key, Interval] = {}
    for (when, factors), coef in exact.items():
        if (when, factors) == ((), ()):
            continue
        ends = [coef]
        for grid in (grids[i] for i in factors):
            assert grid is not None
            ends = [end * z * grid.step for end in ends for z in (grid.low, grid.high)]
        ranges[when, factors] = (min(ends), max(ends))
    for i, curve in _curves(exact, bends, [], Fraction(1), grids).items():
        grid = grids[i]
        assert grid is not None
        ranges[(), (i,)] = curve.span(grid)
    low, high = total_error(ranges)
    return high - low


def _shares(model: Model, intervals: dict[Key, Interval], constant: Fraction, bound: Fraction) -> dict[str, float]:
    if not bound:
        return {}
    shares: dict[str, Fraction] = {"intercept": constant}
    for (when, factors), (low, high) in intervals.items():
        name = " * ".join(model.inputs[i].name for i in sorted({*(i for i, _ in when), *factors}))
        shares[name] = shares.get(name, ZERO) + (high - low) / 2
    return {name: float(share / bound) for name, share in shares.items() if share}


def round_up(value: Fraction) -> float:
    """The smallest binary64 number that is at least `value`."""
    result = float(value)
    return result if Fraction(result) >= value else math.nextafter(result, math.inf)
