"""Polynomials: products of columns."""

from __future__ import annotations

from math import comb
from typing import Any

from edge_lasso.estimators.folding.columns import ONE, Column, multiply
from edge_lasso.estimators.folding.registry import REFUSED, Fold, step

LARGEST_DEGREE = 8
LARGEST = 200_000

REFUSED.update(
    PolynomialCountSketch="its sketch has a term for each product of all readings; use PolynomialFeatures",
)


@step("sklearn.preprocessing._polynomial.PolynomialFeatures")
def polynomial(features: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Each power is a product of columns."""
    highest = int(features.powers_.sum(axis=1).max(initial=0))
    if highest > LARGEST_DEGREE:
        raise fold.refuse(features, f"its degree is {highest}; a term of a model has 1 to {LARGEST_DEGREE} factors")
    width = max((len(column.terms) for column in columns), default=0)
    if len(features.powers_) * comb(width + highest, highest) > LARGEST:
        raise fold.refuse(
            features, f"products of columns that have up to {width} terms each are too many; put it before that step"
        )
    result = []
    for powers in features.powers_:
        product = Column(ONE)
        for column, power in zip(columns, powers.tolist(), strict=True):
            for _ in range(power):
                product = multiply(product, column)
        result.append(product)
    return result
