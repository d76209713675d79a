"""The integers of a fixed-point section: scales, coefficients, biases, the shift of the result."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from edge_lasso.compressing.bends import Bend, bend_terms, bends_of, curves
from edge_lasso.compressing.bit_split import Axis, Problem, exponents, product_error, split
from edge_lasso.compressing.centred import Key, expand
from edge_lasso.compressing.derived_bound import grids_of
from edge_lasso.compressing.derived_steps import Span, axis_of, spans, stream_starts
from edge_lasso.compressing.error_bound import bound_output, term_errors, total_error
from edge_lasso.compressing.grid import HALF, ZERO, Grid, to_float32
from edge_lasso.compressing.logistic_table import logistic_link, multiplier_and_shift
from edge_lasso.errors import DataError
from edge_lasso_runtime.fixed_point import INT16, LARGEST_COEF, ROOM, reach
from edge_lasso_runtime.model import Input, Model

CENTRE_BITS = 10
LARGEST_EXPONENT = 120


def fixed_section(model: Model, bits: int, result_bits: int) -> tuple[dict[str, Any], list[str]]:
    """The section of a model, and the inputs that lost all their terms."""
    for feature in model.inputs:
        if feature.categories is not None and len(feature.categories) > INT16:
            raise DataError(
                f"input {feature.name!r} has {len(feature.categories)} categories; fixed point takes {INT16}"
            )
    starts = stream_starts(
        model, [_start(feature, span) for feature, span in zip(model.inputs, spans(model), strict=True)]
    )
    bends = [bends_of(model, output) for output in model.outputs]
    exact = [expand(model, output, [start[0] for start in starts]) for output in model.outputs]
    _check_products(model, starts, exact)
    forms = [False, True] if model.outputs[0].link == "identity" else [False]
    best: tuple[float, dict[str, Any]] | None = None
    for outside in forms:
        section = _integers(model, starts, exact, bends, bits, result_bits, outside)
        cost = max(output["bound"] for output in section["outputs"])
        if best is None or cost < 0.9 * best[0]:
            best = (cost, section)
    assert best is not None
    section = best[1]
    if model.outputs[0].link == "logistic":
        section["link"] = logistic_link(section["outputs"][0]["unit"], section["outputs"][0]["bound"])
    return section, _dropped(model, exact, bends, section)


def _start(one: Input, span: Span) -> tuple[Fraction, int | None, list[float]]:
    """Centre, what to subtract from a sensor's count (raw scale only), and the steps to choose from.

    `span`: what else has to fit 16 bits in the same steps (see `stream_steps`).
    """
    if one.categories is not None or one.stream is not None:
        return ZERO, None, [1.0]
    assert one.low is not None
    assert one.high is not None
    low, high = Fraction(one.low), Fraction(one.high)
    if one.raw is not None:
        scale, offset = Fraction(one.raw[0]), Fraction(one.raw[1])
        if not 2.0**-LARGEST_EXPONENT <= abs(scale) <= 2.0**LARGEST_EXPONENT:
            raise DataError(f"input {one.name!r}: the raw scale {one.raw[0]!r} is out of reach of fixed point")
        counts = sorted(math.floor((end - offset) / scale + HALF) for end in (low, high))
        subtract = 0 if counts[0] >= -INT16 and counts[1] <= INT16 else (counts[0] + counts[1] + 1) // 2
        span.check(one)
        if counts[0] - subtract < -INT16 - 1 + span.spare or counts[1] - subtract > INT16 or abs(subtract) >= ROOM:
            raise DataError(
                f"input {one.name!r}: counts from {counts[0]} to {counts[1]} do not fit 16 bits; "
                "declare a narrower range, or leave out the raw scale so that readings are rescaled"
            )
        return offset + scale * subtract, subtract, [one.raw[0]]
    half = (high - low) / 2
    grain = Fraction(2) ** (math.frexp(float(half))[1] - CENTRE_BITS)
    centre = math.floor((low + half) / grain + HALF) * grain
    powers = exponents(min(float(low - centre), span.low), max(float(high - centre), span.high))
    if not -LARGEST_EXPONENT <= powers[-1] <= powers[0] <= LARGEST_EXPONENT:
        raise DataError(
            f"input {one.name!r}: a range of {one.low!r} to {one.high!r} is out of reach of fixed point; "
            "rescale the input"
        )
    return centre, None, [2.0**-power for power in powers]


def _check_products(
    model: Model, starts: list[tuple[Fraction, int | None, list[float]]], exact: list[dict[Key, Fraction]]
) -> None:
    """Squared counts must stay below 2^30, so a sensor that uses all 65,536 of its counts is one count too wide."""
    for i in sorted({i for monomials in exact for _, factors in monomials if len(factors) == 2 for i in factors}):
        centre, subtract, steps = starts[i]
        if subtract is not None:
            fixed = _input(model.inputs[i], centre, subtract, steps[0])
            if fixed["low"] < -INT16:
                raise DataError(
                    f"input {model.inputs[i].name!r} is a factor of a product and uses all counts of 16 bits; "
                    "declare a range that is one count narrower"
                )


def _integers(
    model: Model,
    starts: list[tuple[Fraction, int | None, list[float]]],
    exact: list[dict[Key, Fraction]],
    bends: list[dict[Bend, Fraction]],
    bits: int,
    result_bits: int,
    outside: bool,
) -> dict[str, Any]:
    """A whole section but the link: search, then exact integers and their proven bounds."""
    axes = [
        Axis(float(Fraction(feature.low) - centre), float(Fraction(feature.high) - centre), tuple(steps))
        if feature.low is not None and feature.high is not None
        else Axis(0.0, 0.0, (1.0,))
        for feature, (centre, _, steps) in zip(model.inputs, starts, strict=True)
    ]
    softmax = model.outputs[0].link == "softmax"
    groups = [list(range(len(exact)))] if softmax else [[m] for m in range(len(exact))]
    places = axis_of(model)
    axes = [axes[i] for i in places]
    problems = [
        _problem(
            axes, [exact[m] for m in group], [bends[m] for m in group], [start[0] for start in starts], outside, places
        )
        for group in groups
    ]
    steps, units = split(axes, problems, bits)
    steps = [steps[i] for i in places]
    inputs = [
        _input(feature, *start[:2], step) for feature, start, step in zip(model.inputs, starts, steps, strict=True)
    ]
    section: dict[str, Any] = {"bits": bits, "inputs": inputs, "outputs": []}
    grids = grids_of(model, inputs)
    outputs: dict[int, dict[str, Any]] = {}
    for group, unit in zip(groups, units, strict=True):
        result = [output_integers(exact[m], grids, unit, bits, outside, bends[m]) for m in group]
        while any(reach(inputs, entry) >= ROOM for entry in result):
            unit = _next_unit(unit)
            result = [output_integers(exact[m], grids, unit, bits, outside, bends[m]) for m in group]
        if result_bits == 16:
            _shift_result(result, inputs)
        outputs.update(zip(group, result, strict=True))
    section["outputs"] = [outputs[m] for m in range(len(exact))]
    for m, output in enumerate(section["outputs"]):
        bound = bound_output(model, section, m)
        output["bound"], output["bound_float32"] = bound.bound, bound.bound_float32
    return section


def _input(one: Input, centre: Fraction, subtract: int | None, step: float) -> dict[str, Any]:
    if one.categories is not None:
        return {"categories": len(one.categories)}
    assert one.low is not None
    assert one.high is not None
    assert one.default is not None
    ends = sorted(_round((Fraction(end) - centre) / Fraction(step)) for end in (one.low, one.high))
    default = _round((Fraction(one.default) - centre) / Fraction(step))
    fixed = {"centre": float(centre), "scale": 1.0 / step, "low": ends[0], "high": ends[1], "default": default}
    if subtract is not None:
        fixed["subtract"] = subtract
    return fixed


def _problem(
    axes: list[Axis], exact: list[dict[Key, Fraction]], bends: list[dict[Bend, Fraction]], centres: list[Fraction],
    outside: bool, places: list[int],
) -> Problem:  # fmt: skip
    """`places`: the axis whose steps an input counts in."""
    linear: list[tuple[int, float, float]] = []
    products: list[tuple[int, int, float]] = []
    owners: tuple[list[int], list[int]] = ([], [])
    constants = []
    span = 0.0
    for m, monomials in enumerate(exact):
        constant = abs(float(monomials[(), ()] - Fraction(to_float32(monomials[(), ()]) if outside else 0.0)))
        indicators: dict[int, float] = {}
        for (when, factors), coef in monomials.items():
            size = abs(float(coef))
            if len(factors) == 2:
                products.append((places[factors[0]], places[factors[1]], float(coef)))
                owners[1].append(m)
            elif factors:
                linear.append((places[factors[0]], float(coef), 1.0))
                owners[0].append(m)
            elif len(when) == 1:
                indicators[when[0][0]] = max(indicators.get(when[0][0], 0.0), size)
            elif when:
                constant += size
            for i in factors:
                size *= axes[i].high - axes[i].low
            span += size if when or factors else 0.0
        for bend, coef in bends[m].items():
            axis, size = axes[places[bend.input]], abs(float(coef))
            if bend.hinge:
                above = axis.high - float(bend.knot - centres[bend.input])
                linear.append((places[bend.input], float(coef), above / max(-axis.low, axis.high)))
                owners[0].append(m)
                span += size * above
            else:
                constant, span = constant + size, span + size
        constants.append(constant + sum(indicators.values()))
    return Problem(linear, products, constants, owners[0] + owners[1], 1.0 / span if span > 0.0 else 1.0)


def output_integers(
    exact: dict[Key, Fraction],
    grids: list[Grid | None],
    unit: float,
    bits: int,
    outside: bool,
    bends: dict[Bend, Fraction] | None = None,
) -> dict[str, Any]:
    """One output's integers for a given unit; the bias centres the error that the terms leave."""
    terms = []
    for (when, factors), value in exact.items():
        term: dict[str, Any] = {"coef": 0, "factors": list(factors)}
        used = [grid for grid in (grids[i] for i in factors) if grid is not None]
        weight = value / Fraction(unit)
        for entry in used:
            weight *= entry.step
        if len(used) == 2:
            term["shift"] = _product_shift(float(weight), used[0].largest, used[1].largest, bits)
            weight *= 2 ** term["shift"]
        term["coef"] = _round(weight)
        if used:
            limit = LARGEST_COEF[bits]
            term["coef"] = max(-limit, min(limit, term["coef"]))
        if when:
            term["when"] = [list(pair) for pair in when]
        if term["coef"] and (when or factors):
            terms.append(term)
    constant = exact[(), ()]
    offset = to_float32(constant) if outside else 0.0
    output = {"unit": unit, "offset": offset, "bias": 0, "shift": 0, "terms": terms, "bound": 0.0, "bound_float32": 0.0}
    linear = {factors[0]: value for (when, factors), value in exact.items() if not when and len(factors) == 1}
    for i, curve in curves(linear, bends or {}, terms, Fraction(unit), grids).items():
        grid = grids[i]
        assert grid is not None
        terms += bend_terms(curve, i, grid, Fraction(unit), LARGEST_COEF[bits])
    low, high = total_error(term_errors(exact, output, grids, bends, agree=True))
    output["bias"] = _round((constant - Fraction(offset) + (low + high) / 2) / Fraction(unit))
    return output


def _product_shift(weight: float, a: int, b: int, bits: int) -> int:
    """The shift with the smallest bound; `weight` is in units per squared count."""
    import numpy as np

    def size(shift: int) -> float:
        args = (np.array([weight]), np.array([float(a * b)]), np.array([float(a + b)]))
        return float(product_error(*args, shift, np.array([1.0]), LARGEST_COEF[bits])[0][0])

    return min(range(17), key=size)


def _shift_result(outputs: list[dict[str, Any]], inputs: list[dict[str, Any]]) -> None:
    """Add the smallest shift after which every result fits int16."""
    shift = 0
    for output in outputs:
        while reach(inputs, {**output, "shift": shift}) >> shift > INT16:
            shift += 1
    for output in outputs:
        output["shift"] = shift
        output["unit"] *= 2.0**shift


def _dropped(
    model: Model, exact: list[dict[Key, Fraction]], bends: list[dict[Bend, Fraction]], section: dict[str, Any]
) -> list[str]:
    """Terms whose coefficient rounded to 0: their whole contribution, below one step, is part of the bound."""
    names = []
    for output, monomials, own, fixed in zip(model.outputs, exact, bends, section["outputs"], strict=True):
        remaining = [term for term in fixed["terms"] if "over" in term]
        if len(remaining) < len(own):
            names.append(f"{output.name}: {len(own) - len(remaining)} of {len(own)} hinges and steps")
        terms = {
            (tuple(map(tuple, term.get("when", ()))), tuple(term["factors"]))
            for term in fixed["terms"]
            if "over" not in term
        }
        for when, factors in monomials:
            if (when or factors) and (when, factors) not in terms:
                parts = [model.inputs[i].name for i in factors] + [
                    f"{model.inputs[i].name}={model.inputs[i].categories[category]}"  # type: ignore[index]
                    for i, category in when
                ]
                names.append(f"{output.name}: {' * '.join(parts)}")
    return names


def _next_unit(unit: float) -> float:
    multiplier, _ = multiplier_and_shift(unit)
    return unit * (multiplier + 1) / multiplier


def _round(value: Fraction) -> int:
    return math.floor(value + HALF)
