"""How to share bits between readings and coefficients: the search behind fixed point, in plain float64.

What it returns is a proposal (an exponent per input, a unit per output); `quantize` builds the integers from it exactly
and `error_bound` proves their error, so nothing here has to be trusted.

For a given unit of the accumulator the terms' errors are independent, so each input takes the exponent with the
smallest one. The units tried are m * 2^-s with m = 128..255, from the smallest that cannot overflow upwards: the
freedom of m lets many small integer coefficients come out nearly exact at once. Outputs share their inputs' exponents;
several units are found by turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_lasso_runtime.fixed_point import INT16, LARGEST_COEF, ROOM

Floats = NDArray[np.float64]

DEPTH = 15
"""Exponents tried per input: from 16-bit readings down to 1 bit."""
OCTAVES = 6
WORK = 3_000_000
"""Evaluations of a term's error that the choice of units may cost."""
HEADROOM = 0.998
"""Share of the 2^30 that the search uses; rounding the coefficients may need the rest."""
TURNS = 3


@dataclass(frozen=True)
class Axis:
    """A numeric input: its range around the centre, and the steps (values of one count) to choose from."""

    low: float
    high: float
    steps: tuple[float, ...]


@dataclass(frozen=True)
class Problem:
    """Outputs that share a unit, or one output.

    Parameters
    ----------
    linear : list of (axis, coefficient, share)
        All monomials of one input, hinges included, of whose range only a share counts.
    products : list of (axis, axis, coefficient)
    constants : list of float
        Per output, the accumulator's part that no coefficient limit applies to: intercept and indicators.
    owners : list of int
        For each linear monomial, then each product: which of `constants` it belongs to.
    weight : float
        Reciprocal of the span: errors of several problems are added in this unit.
    """

    linear: list[tuple[int, float, float]]
    products: list[tuple[int, int, float]]
    constants: list[float]
    owners: list[int]
    weight: float


def split(axes: list[Axis], problems: list[Problem], bits: int) -> tuple[list[float], list[float]]:
    """Choose each axis's step and each problem's unit.

    Returns
    -------
    steps : list of float
        One of `Axis.steps` per axis.
    units : list of float
        One per problem, m * 2^-s with m from 128 to 255.
    """
    best: tuple[float, list[float], list[float]] | None = None
    in_products = sorted({i for problem in problems for a, b, _ in problem.products for i in (a, b)})
    for back in range(3 if in_products else 1):
        allowed = [range(len(axis.steps)) for axis in axes]
        for i in in_products:
            at = min(back, len(axes[i].steps) - 1)
            allowed[i] = range(at, at + 1)
        result = _by_turns(axes, allowed, problems, bits)
        if best is None or result[0] < best[0]:
            best = result
    assert best is not None
    return best[1], best[2]


def _by_turns(
    axes: list[Axis], allowed: list[range], problems: list[Problem], bits: int
) -> tuple[float, list[float], list[float]]:
    tables = [_Table(axes, allowed, problem, bits) for problem in problems]
    costs = [np.zeros((len(axes), DEPTH + 1)) for _ in problems]
    units = [1.0] * len(problems)
    total, choice = math.inf, np.zeros(len(axes), dtype=int)
    for _ in range(1 if len(problems) == 1 else TURNS):
        for p, table in enumerate(tables):
            others = sum((costs[k] for k in range(len(problems)) if k != p), np.zeros_like(costs[p]))
            total, units[p], choice = table.best(others)
            costs[p] = table.cost(np.array([units[p]]))[0][..., 0]
    return total, [axis.steps[k] for axis, k in zip(axes, choice, strict=True)], units


class _Table:
    """The errors of one problem's monomials for every step of their axes and any units."""

    def __init__(self, axes: list[Axis], allowed: list[range], problem: Problem, bits: int) -> None:
        self.problem = problem
        self.limit = LARGEST_COEF[bits]
        steps = np.full((len(axes), DEPTH + 1), np.nan)
        for i, (axis, choices) in enumerate(zip(axes, allowed, strict=True)):
            for k in choices:
                steps[i, k] = axis.steps[k]
        lows, highs = np.array([axis.low for axis in axes]), np.array([axis.high for axis in axes])
        self.empty = np.where(np.isnan(steps), np.inf, 0.0)
        ends = np.sort(np.stack([lows[:, None] / steps, highs[:, None] / steps]), axis=0)
        q = np.floor(ends + 0.5)
        self.largest = np.abs(q).max(axis=0)
        self.axis = np.array([i for i, _, _ in problem.linear], dtype=int)
        self.share = np.array([share for *_, share in problem.linear]).reshape(-1, 1)
        self.weight = np.array([w for _, w, _ in problem.linear]).reshape(-1, 1) * steps[self.axis]
        self.points = _points(ends, q)
        self.product = _Products(problem, axes, allowed, self.limit)

    def cost(self, units: Floats) -> tuple[Floats, Floats]:
        """Half-width of the error per axis, step (inf: not possible) and unit; largest |coef * q| per monomial."""
        cost = np.repeat(self.empty[..., None], len(units), axis=2)
        if len(self.axis):
            weight = self.weight[..., None]
            coef = np.rint(weight / units)
            step = coef * units
            least = most = None
            for z, q in self.points:
                error = weight * z[self.axis][..., None] - step * q[self.axis][..., None]
                least = error if least is None else np.minimum(least, error)
                most = error if most is None else np.maximum(most, error)
            assert least is not None
            assert most is not None
            half = np.where(np.abs(coef) <= self.limit, (most - least) / 2, np.inf)
            np.add.at(cost, self.axis, np.where(np.isnan(half), np.inf, half) * self.problem.weight)
            reach = np.abs(coef) * (self.share * self.largest[self.axis])[..., None]
        else:
            reach = np.zeros((0, DEPTH + 1, len(units)))
        return cost, reach

    def best(self, others: Floats) -> tuple[float, float, NDArray[np.intp]]:
        """The smallest total over all units, that unit, and each axis's step."""
        result = (math.inf, 1.0, np.zeros(len(self.empty), dtype=np.intp))
        candidates = self._units()
        chunk = max(1, 400_000 // max(1, len(self.axis) * (DEPTH + 1)))
        for start in range(0, len(candidates), chunk):
            units = candidates[start : start + chunk]
            cost, reach = self.cost(units)
            cost = cost + others[..., None]
            choice = cost.argmin(axis=1)
            total = np.take_along_axis(cost, choice[:, None], axis=1)[:, 0].sum(axis=0)
            owned = np.zeros((len(self.problem.constants), len(units)))
            picked = np.take_along_axis(reach, choice[self.axis][:, None], axis=1)[:, 0]
            np.add.at(owned, np.array(self.problem.owners[: len(self.axis)], dtype=int), picked)
            more, more_reach = self.product.cost(units)
            np.add.at(owned, np.array(self.problem.owners[len(self.axis) :], dtype=int), more_reach)
            owned += np.array(self.problem.constants)[:, None] / units
            total = total + more + units / 2 * self.problem.weight
            total[(owned >= ROOM * HEADROOM).any(axis=0)] = np.inf
            k = int(total.argmin())
            if total[k] < result[0]:
                result = (float(total[k]), float(units[k]), choice[:, k])
        return result

    def _units(self) -> Floats:
        """All m * 2^-s worth trying, smallest first: not overflowing, and some step possible for every term."""
        sizes = np.array(self.problem.constants)
        linear = np.nanmax(np.abs(self.weight) * self.largest[self.axis], axis=1) if len(self.axis) else np.zeros(0)
        owners = np.array(self.problem.owners, dtype=int)
        np.add.at(sizes, owners, np.concatenate([linear, self.product.sizes]))
        least = max(float(sizes.max(initial=0.0)) / (ROOM * HEADROOM), self.product.least)
        if len(self.axis):
            least = max(least, float((np.nanmin(np.abs(self.weight), axis=1) / (self.limit + 0.5)).max()))
        count = max(8, min(128, WORK // (OCTAVES * (DEPTH + 1) * max(1, len(self.axis)))))
        mantissas = np.unique(np.rint(np.linspace(128, 255, count)))
        first = math.frexp(least)[1] - 9 if least > 0.0 else -7
        units: Floats = (mantissas[None] * 2.0 ** (first + np.arange(OCTAVES + 2))[:, None]).ravel()
        return units[(units >= least) & (units <= least * 2.0**OCTAVES)] if least > 0.0 else units


class _Products:
    """The errors of products; their axes have one step only."""

    def __init__(self, problem: Problem, axes: list[Axis], allowed: list[range], limit: int) -> None:
        self.limit = limit
        self.scale = problem.weight
        steps = [axis.steps[choices[0]] for axis, choices in zip(axes, allowed, strict=True)]
        top = [math.floor(max(-axis.low, axis.high) / abs(d) + 0.5) for axis, d in zip(axes, steps, strict=True)]
        self.weight = np.array([w * steps[a] * steps[b] for a, b, w in problem.products])
        self.sum = np.array([float(top[a] + top[b]) for a, b, _ in problem.products])
        self.largest = np.array([float(top[a] * top[b]) for a, b, _ in problem.products])
        self.sizes = np.abs(self.weight) * self.largest
        self.least = float((np.abs(self.weight) / (limit + 0.5)).max(initial=0.0))

    def cost(self, units: Floats) -> tuple[Floats, Floats]:
        """Sum of the bounds, and largest |coef * rescaled product| per product, for each unit."""
        best = np.full((len(self.weight), len(units)), np.inf)
        reach = np.zeros_like(best)
        for shift in range(17):
            entry = (self.weight[:, None], self.largest[:, None], self.sum[:, None])
            size, most = product_error(*entry, shift, units, self.limit)
            better = size < best
            best, reach = np.where(better, size, best), np.where(better, most, reach)
        return best.sum(axis=0) * self.scale, reach


def product_error(
    weight: Floats, largest: Floats, both: Floats, shift: int, units: Floats, limit: int
) -> tuple[Floats, Floats]:
    """Bound of a product's error with a given shift, and the largest |coef * rescaled product|; inf: not possible."""
    coef = np.rint(weight * 2.0**shift / units)
    step = coef * units / 2.0**shift
    half = 2.0**shift / 2 if shift else 0.0
    size = np.abs(weight - step) * largest + np.abs(weight) * (both / 2 + 0.25) + np.abs(step) * half
    possible = (np.abs(coef) <= limit) & (largest + half < ROOM)
    return np.where(possible, size, np.inf), np.abs(coef) * np.floor((largest + half) / 2.0**shift)


def _points(ends: Floats, q: Floats) -> list[tuple[Floats, Floats]]:
    """Where the error of a term can be extreme (`error_bound`): pairs z, q per axis and step."""
    inner = q[0] < q[1]
    after = np.where(inner, q[0] + 0.5, ends[0])
    before = np.where(inner, q[1] - 0.5, ends[1])
    return [
        (ends[0], q[0]),
        (ends[1], q[1]),
        (after, q[0]),
        (after, np.where(inner, q[0] + 1, q[0])),
        (before, q[1]),
        (before, np.where(inner, q[1] - 1, q[1])),
    ]


def exponents(low: float, high: float) -> range:
    """The powers of two that a range may be scaled with: from the largest that keeps q within int16 downwards."""
    top = math.floor(math.log2(INT16 / max(-low, high))) + 1
    while math.floor(max(-low, high) * 2.0**top + 0.5) > INT16:
        top -= 1
    return range(top, top - DEPTH - 1, -1)
