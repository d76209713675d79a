"""A model's terms around the centres of its inputs, in exact arithmetic.

Fixed point subtracts each input's centre before it scales. `expand` rewrites an output, a polynomial of the readings,
as a polynomial of the centred readings, in `Fraction`: nothing is lost before the error is bounded.
"""

from __future__ import annotations

from fractions import Fraction

from edge_lasso.compressing.bends import parts_of
from edge_lasso.errors import DataError
from edge_lasso_runtime.model import Model, Output, Term

When = tuple[tuple[int, int], ...]
Key = tuple[When, tuple[int, ...]]


def expand(model: Model, output: Output, centres: list[Fraction]) -> dict[Key, Fraction]:
    """Coefficients of the centred monomials, constant included.

    Parameters
    ----------
    model : Model
    output : Output
    centres : list of Fraction
        One per input (ignored for categorical inputs).

    Returns
    -------
    dict
        From (conditions, numeric inputs) to the coefficient. Conditions are pairs (input, category), sorted;
        ``((), ())`` is the constant and always there; other zeros are left out. Of hinges and steps only what is
        straight within the range; the rest is `bends.bends_of`.

    Raises
    ------
    DataError
        For a term with more than two numeric factors.
    """
    result: dict[Key, Fraction] = {((), ()): Fraction(output.intercept)}
    for term in output.terms:
        if len(term.factors) == 1 and term.factors[0].knot is not None:
            i, coef = term.factors[0].input, Fraction(term.coef)
            constant, slope, _ = parts_of(model.inputs[i], term.factors[0])
            _add(result, (), [], coef * constant, centres)
            _add(result, (), [i], coef * slope, centres)
            continue
        conditions = _conditions(term)
        if conditions is None:
            continue
        numeric = sorted(factor.input for factor in term.factors if factor.category is None)
        if len(numeric) > 2:
            names = " * ".join(model.inputs[i].name for i in numeric)
            raise DataError(
                f"fixed point takes products of at most two numeric inputs, and {output.name!r} has {names}; "
                "export a float variant, or train with --degree 2"
            )
        _add(result, conditions, numeric, Fraction(term.coef), centres)
    return {key: value for key, value in result.items() if value or key == ((), ())}


def _add(result: dict[Key, Fraction], when: When, numeric: list[int], coef: Fraction, centres: list[Fraction]) -> None:
    parts: list[tuple[tuple[int, ...], Fraction]] = [((), coef)]
    for i in numeric:
        parts = [part for left, value in parts for part in (((*left, i), value), (left, value * centres[i]))]
    for factors, value in parts:
        result[when, factors] = result.get((when, factors), Fraction(0)) + value


def _conditions(term: Term) -> When | None:
    """The indicators of a term, each once; None where they exclude each other."""
    when: dict[int, int] = {}
    for factor in term.factors:
        if factor.category is not None and when.setdefault(factor.input, factor.category) != factor.category:
            return None
    return tuple(sorted(when.items()))
