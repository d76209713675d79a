"""Coefficients that are exact in float16 or float32, with the bound of what rounding them changed."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from edge_lasso.compressing.error_bound import round_up
from edge_lasso.compressing.grid import U64, ZERO
from edge_lasso.errors import DataError
from edge_lasso_runtime.explain import term_text
from edge_lasso_runtime.model import Factor, Model, Output, Term

FLOATS = ("float16", "float32")


def round_coefficients(model: Model, precision: str) -> tuple[Model, list[float]]:
    """Round every coefficient to `precision` and every intercept to binary32.

    The intercept first takes up the middle of what the coefficients lost, so that only half the width of that remains:
    ``bound = sum |w - w'| * (high - low) / 2`` plus rounding, for terms of single inputs.

    Returns
    -------
    model : Model
    bounds : list of float
        Per output, the largest change of the linear predictor within the ranges (readings clamped), exact arithmetic
        rounded up, including the rounding of both models' binary64 predictions.

    Raises
    ------
    DataError
        For a coefficient that overflows the precision, or becomes 0 in it.
    """
    results = [_round_output(model, output, precision) for output in model.outputs]
    return model.replace(outputs=tuple(output for output, _ in results)), [bound for _, bound in results]


def _round_output(model: Model, output: Output, precision: str) -> tuple[Output, float]:
    low = high = size = ZERO
    terms = []
    for term in output.terms:
        with np.errstate(over="ignore"):
            coef = float(np.dtype(precision).type(term.coef))
        name = term_text(model, term)
        if not math.isfinite(coef):
            raise DataError(f"the coefficient {term.coef!r} of {name} overflows {precision}; use float32 or int16")
        if coef == 0.0 and term.coef != 0.0:
            raise DataError(f"the coefficient {term.coef!r} of {name} becomes 0 in {precision}; use float32 or int16")
        least, most = _product_range(model, term.factors)
        lost = Fraction(term.coef) - Fraction(coef)
        low += min(lost * least, lost * most)
        high += max(lost * least, lost * most)
        size += max(abs(Fraction(term.coef)), abs(Fraction(coef))) * max(abs(least), abs(most))
        terms.append(Term(coef, term.factors))
    wanted = Fraction(output.intercept) + (low + high) / 2
    intercept = float(np.float32(float(wanted)))
    constant = Fraction(output.intercept) - Fraction(intercept)
    depth = len(terms) + max((len(term.factors) for term in terms), default=0)
    size += max(abs(Fraction(output.intercept)), abs(Fraction(intercept)))
    rounding = 2 * depth * U64 / (1 - depth * U64) * size
    bound = max(abs(low + constant), abs(high + constant)) + rounding
    return output.replace(intercept=intercept, terms=tuple(terms)), round_up(bound)


def _product_range(model: Model, factors: tuple[Factor, ...]) -> tuple[Fraction, Fraction]:
    """Interval that holds the product of a term's factors (a repeated factor is treated as independent)."""
    least = most = Fraction(1)
    for factor in factors:
        feature = model.inputs[factor.input]
        ends = (ZERO, Fraction(1))
        if factor.category is None and factor.step is None:
            assert feature.low is not None
            assert feature.high is not None
            ends = (Fraction(feature.low), Fraction(feature.high))
        if factor.hinge is not None:
            ends = (max(ZERO, ends[0] - Fraction(factor.hinge)), max(ZERO, ends[1] - Fraction(factor.hinge)))
        values = [a * b for a in (least, most) for b in ends]
        least, most = min(values), max(values)
    return least, most
