"""Columns with pieces: hinges and steps of one reading, from splines of degree 1, bins, thresholds and clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.columns import ONE, ZERO, Column, Part, combine, decimals, scaled
from edge_lasso.estimators.folding.registry import Fold, step

CURVED = "it is a curve of degree {}, and a model has pieces of degree 1; set degree=1, or use PolynomialFeatures"
COMPUTED = "it takes pieces of a column that an earlier step made of several readings; put it before that step"


def above(column: Column, knot: Decimal, reached: bool = False) -> Column:
    """1 where the column is above the knot (or, `reached`, at it), else 0.

    Raises
    ------
    DataError
        The column is made of several readings.
    """
    part, coef, at = _reading(column, knot)
    place = float(at)
    if reached == (coef > 0):  # the largest number that is still below
        place = math.nextafter(place, -math.inf)
    rises = _bent(column, part._replace(kind="step", knot=Decimal(place)))
    return rises if coef > 0 else scaled(rises, -ONE, ONE)


def hinge(column: Column, knot: Decimal) -> Column:
    """``max(0, column - knot)``.

    Raises
    ------
    DataError
        The column is made of several readings.
    """
    part, coef, at = _reading(column, knot)
    rises = _bent(column, part._replace(kind="hinge", knot=Decimal(float(at))))
    if coef > 0:
        return scaled(rises, coef)
    return combine([ONE, -coef], [scaled(column, ONE, -knot), rises])  # max(0, -u) = max(0, u) - u


def _reading(column: Column, knot: Decimal) -> tuple[Part, Decimal, Decimal]:
    alone = column.affine()
    if alone is None or not alone[1]:
        raise DataError(COMPUTED)
    return *alone, (knot - column.constant) / alone[1]


def _bent(column: Column, part: Part) -> Column:
    return Column(ZERO, {(part,): ONE}, column.holes)


def clipped(column: Column, low: Decimal | None, high: Decimal | None) -> Column:
    """The column within two ends."""
    result = column
    if low is not None:
        result = scaled(hinge(column, low), ONE, low)
    if high is not None:
        result = combine([ONE, -ONE], [result, hinge(column, high)])
    return result


def pieces(column: Column, knots: Sequence[Decimal], values: Sequence[Decimal], straight: bool) -> Column:
    """The curve through points, constant or `straight` beyond the ends.

    Parameters
    ----------
    knots, values : sequence of Decimal
        Two points at least, from left to right.
    """
    slopes = [(b - a) / (y - x) for a, b, x, y in zip(values, values[1:], knots, knots[1:], strict=False)]
    before = slopes[0] if straight else ZERO
    after = slopes[-1] if straight else ZERO
    turns = [b - a for a, b in zip([before, *slopes], [*slopes, after], strict=True)]
    bends = [(turn, knot) for turn, knot in zip(turns, knots, strict=True) if turn]
    weights = [before, *(turn for turn, _ in bends)]
    columns = [scaled(column, ONE, -knots[0]), *(hinge(column, knot) for _, knot in bends)]
    return combine(weights, columns, values[0])


@step("sklearn.preprocessing._polynomial.SplineTransformer")
def spline(transformer: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Of degree 1: hats, one for each knot."""
    if transformer.degree != 1:
        raise fold.refuse(transformer, CURVED.format(transformer.degree))
    kind = transformer.extrapolation
    if kind not in ("constant", "linear", "continue"):
        raise fold.refuse(transformer, f"extrapolation={kind!r} is none of constant, linear, continue")
    if kind == "linear" and len(columns) > 1:  # scikit-learn 1.9 takes other ends from the second column on
        raise fold.refuse(transformer, "extrapolation='linear' is not the same for all columns; use 'continue'")
    if getattr(transformer, "handle_missing", "error") != "error":
        raise fold.refuse(transformer, "it takes a missing reading for zeros; impute before it")
    result = []
    for column, curve in zip(columns, transformer.bsplines_, strict=True):
        knots = decimals(curve.t[1:-1])
        if any(b <= a for a, b in pairwise(knots)):
            raise fold.refuse(transformer, "two of its knots are the same; use fewer, or knots='uniform'")
        fold.readings.learn(column, low=curve.t[1], high=curve.t[-2])
        for j in range(len(knots) - (not transformer.include_bias)):
            values = [ONE if k == j else ZERO for k in range(len(knots))]
            result.append(_told(fold, transformer, pieces, column, knots, values, kind != "constant"))
    return [_whole(column) for column in result]


@step("sklearn.preprocessing._discretization.KBinsDiscretizer")
def bins(transformer: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """The number of the bin, or an indicator for each bin."""
    result = []
    for column, edges in zip(columns, transformer.bin_edges_, strict=True):
        fold.readings.learn(column, low=edges[0], high=edges[-1])
        inner = [_told(fold, transformer, above, column, edge, True) for edge in decimals(edges[1:-1])]
        if transformer.encode == "ordinal":
            result.append(combine([ONE] * len(inner), inner))
            continue
        ends = [Column(ONE), *inner, Column(ZERO)]
        result += [combine([ONE, -ONE], pair) for pair in pairwise(ends)]
    return [_whole(column) for column in result]


@step("sklearn.preprocessing._data.Binarizer")
def binary(transformer: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """1 above a threshold."""
    threshold = Decimal(float(transformer.threshold))
    return [_whole(_told(fold, transformer, above, column, threshold)) for column in columns]


def clip_all(
    transformer: Any, columns: list[Column], low: list[Decimal | None], high: list[Decimal | None], fold: Fold
) -> list[Column]:
    """Columns within their ends, or the error that names the step."""
    return [_told(fold, transformer, clipped, column, a, b) for column, a, b in zip(columns, low, high, strict=True)]


def absolute(transformer: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """The columns' magnitudes: twice what is above zero, less the column."""
    rises = [_told(fold, transformer, hinge, column, ZERO) for column in columns]
    return [combine([Decimal(2), -ONE], pair) for pair in zip(rises, columns, strict=True)]


def _whole(column: Column) -> Column:
    """The column of a step that stops at a missing reading: nothing after it has to impute."""
    return Column(column.constant, column.terms)


def _told(fold: Fold, transformer: Any, function: Any, *arguments: Any) -> Column:
    try:
        column: Column = function(*arguments)
    except DataError as error:
        raise fold.refuse(transformer, str(error)) from None
    return column
