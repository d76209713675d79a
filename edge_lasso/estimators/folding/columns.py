"""A column that a pipeline makes: a constant plus coefficients times products of raw inputs.

Numbers are decimals of 60 digits and are rounded to binary64 once, when a model is made of them: scaling and shifting
by what a pipeline learned then costs no digit, however large the offsets are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from typing import Any, NamedTuple

import numpy as np

ZERO, ONE = Decimal(0), Decimal(1)
DIGITS = 60


class Part(NamedTuple):
    """One factor of a term.

    Parameters
    ----------
    input : int
        Position among the raw inputs.
    kind : {"value", "is", "missing", "hinge", "step"}
        The reading itself; 1 where it is the category at `at`, else 0; 1 where it is missing, else 0; what it is above
        the knot, else 0; 1 where it is above the knot, else 0.
    at : int
        Position among the input's categories.
    fill : Decimal, str or None
        What the reading is taken for where it is missing; None as long as nothing imputes it.
    knot : Decimal
        Where a hinge or a step begins.
    """

    input: int
    kind: str = "value"
    at: int = 0
    fill: Any = None
    knot: Decimal = ZERO

    def of(self, reading: Decimal) -> Decimal:
        """What a "value", "hinge" or "step" is for a reading."""
        if self.kind == "value":
            return reading
        return ZERO if reading <= self.knot else ONE if self.kind == "step" else reading - self.knot


NUMBERS = ("value", "hinge", "step")
Terms = Mapping[tuple[Part, ...], Decimal]


@dataclass(frozen=True)
class Column:
    """``constant + sum of coefficient * product of parts``.

    Parameters
    ----------
    constant : Decimal
    terms : mapping
        Sorted tuple of parts to its coefficient.
    holes : frozenset of int
        Inputs without which the column is NaN, because nothing has imputed them yet.
    """

    constant: Decimal = ZERO
    terms: Terms = field(default_factory=dict)
    holes: frozenset[int] = frozenset()

    @property
    def inputs(self) -> set[int]:
        """The raw inputs it is made of."""
        return {part.input for parts in self.terms for part in parts} | self.holes

    def affine(self) -> tuple[Part, Decimal] | None:
        """The reading and its coefficient, where the column is ``constant + coefficient * reading``."""
        if len(self.terms) == 1:
            ((parts, coef),) = self.terms.items()
            if len(parts) == 1 and parts[0].kind == "value":
                return parts[0], coef
        return None

    def raw(self) -> Part | None:
        """The reading, where the column is nothing else."""
        alone = self.affine()
        return alone[0] if alone is not None and alone[1] == ONE and self.constant == ZERO else None


def exact() -> Any:
    """Context in which columns are calculated."""
    return localcontext(Context(prec=DIGITS))


def decimals(values: Any) -> list[Decimal]:
    """Numbers without rounding."""
    return [Decimal(float(value)) for value in np.asarray(values).ravel()]


def combine(weights: Iterable[Decimal], columns: Iterable[Column], constant: Decimal = ZERO) -> Column:
    """``constant + sum of weights * columns``."""
    total, holes = constant, frozenset[int]()
    terms: dict[tuple[Part, ...], Decimal] = {}
    for weight, column in zip(weights, columns, strict=True):
        if weight == ZERO:
            continue
        total += weight * column.constant
        holes |= column.holes
        for parts, coef in column.terms.items():
            terms[parts] = terms.get(parts, ZERO) + weight * coef
    return Column(total, terms, holes)


def scaled(column: Column, factor: Decimal, shift: Decimal = ZERO) -> Column:
    """``factor * column + shift``, as much NaN as the column is."""
    terms = {parts: factor * coef for parts, coef in column.terms.items()}
    return Column(factor * column.constant + shift, terms, column.holes)


def multiply(left: Column, right: Column) -> Column:
    """The product of two columns; an input is one category or none, and a missing reading is its fill."""
    terms: dict[tuple[Part, ...], Decimal] = {}
    constant = ZERO
    for a, x in {**left.terms, (): left.constant}.items():
        for b, y in {**right.terms, (): right.constant}.items():
            parts, factor = _product(a, b)
            if not factor * x * y:
                continue
            if parts:
                terms[parts] = terms.get(parts, ZERO) + factor * x * y
            else:
                constant += factor * x * y
    return Column(constant, terms, left.holes | right.holes)


def _product(a: tuple[Part, ...], b: tuple[Part, ...]) -> tuple[tuple[Part, ...], Decimal]:
    gone = {part.input for part in (*a, *b) if part.kind == "missing"}
    factor = ONE
    parts: list[Part] = []
    for part in sorted((*a, *b), key=order):
        if part.kind in NUMBERS and part.input in gone and isinstance(part.fill, Decimal):
            factor *= part.of(part.fill)
        elif part.kind in ("value", "hinge") or part not in parts:
            if part.kind == "is" and any(other.kind == "is" and other.input == part.input for other in parts):
                return (), ZERO
            if part.kind == "is" and part.input in gone:
                return (), ZERO
            parts.append(part)
    return tuple(parts), factor


def order(part: Part) -> tuple[int, str, int, Decimal, str]:
    """Sorts parts whatever fills them."""
    return part.input, part.kind, part.at, part.knot, str(part.fill)


def filled(column: Column, value: Decimal) -> Column | None:
    """The column with `value` where the reading is missing that it needs; None where it needs more, or bends."""
    if not column.holes:
        return column
    if len(column.holes) > 1 or column.inputs != column.holes:
        return None
    (hole,) = column.holes
    alone = column.affine()
    if alone is not None and alone[1]:
        part = alone[0]._replace(fill=(value - column.constant) / alone[1])
        return Column(column.constant, {(part,): alone[1]})
    if any(part.kind in ("hinge", "step") for parts in column.terms for part in parts):
        return None
    at_zero: Terms = {
        tuple(part._replace(fill=ZERO) if part.kind == "value" else part for part in parts): coef
        for parts, coef in column.terms.items()
    }
    return combine([ONE, value - column.constant], [Column(column.constant, at_zero), missing(hole)])


def missing(place: int) -> Column:
    """1 where the reading is missing, else 0."""
    return Column(ZERO, {(Part(place, "missing"),): ONE})


def table(place: int, values: Sequence[tuple[int, Decimal]], otherwise: Decimal, hole: bool) -> Column:
    """A number for each category of an input, and one for a reading that is missing or none of them."""
    terms: Terms = {(Part(place, "is", at),): value - otherwise for at, value in values if value != otherwise}
    return Column(otherwise, terms, frozenset([place]) if hole else frozenset())
