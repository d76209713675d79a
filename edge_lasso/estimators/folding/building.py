"""From what an estimator's outputs are made of to a model: one default for each input, binary64 coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.columns import NUMBERS, ONE, ZERO, Column, Part, combine, multiply, order, table
from edge_lasso.estimators.folding.ranges import Range
from edge_lasso.estimators.folding.readings import Readings
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

SAME = Decimal("1e-12")


def one_default(outputs: list[Column], readings: Readings) -> tuple[list[Column], dict[int, Decimal]]:
    """The outputs with one fill for each number, and no part that asks whether a reading is missing.

    Where several values stand for the same missing reading, or an indicator counts, the one default is taken that gives
    what they give together, if there is one.

    Returns
    -------
    outputs : list of Column
    defaults : dict
        Of the numbers that are imputed.

    Raises
    ------
    DataError
        No single default does what the pipeline does.
    """
    parts = {part for column in outputs for term in column.terms for part in term}
    fills: dict[int, Decimal] = {}
    for part in sorted(parts, key=order):
        if part.kind in NUMBERS and isinstance(part.fill, str):
            raise DataError(f"input '{readings.names[part.input]}' reaches the estimator as text; encode it")
        if part.kind in NUMBERS and part.fill is not None:
            fills.setdefault(part.input, part.fill)
    plain = {part: _plain(part, fills, readings) for part in parts}
    outputs = [_substitute(column, plain) for column in outputs]
    for place in sorted({part.input for column in outputs for term in column.terms for part in term}):
        gaps = [column.terms.get((Part(place, "missing"),), ZERO) for column in outputs]
        if any(Part(place, "missing") in term for column in outputs for term in column.terms):
            fills[place] = _default(place, outputs, gaps, fills.get(place), readings)
    terms = [
        {term: coef for term, coef in column.terms.items() if all(part.kind != "missing" for part in term)}
        for column in outputs
    ]
    return [Column(column.constant, term) for column, term in zip(outputs, terms, strict=True)], fills


def _plain(part: Part, fills: Mapping[int, Decimal], readings: Readings) -> Column:
    place, known = part.input, readings.values[part.input]
    if known:
        if part.kind == "missing":
            return table(place, [(at, ZERO) for at in range(len(known))], ONE, False)
        if part.kind in NUMBERS:
            try:
                numbers = [(at, part.of(Decimal(float(value)))) for at, value in enumerate(known)]
            except (TypeError, ValueError):
                raise DataError(f"input '{readings.names[place]}' is used as a number and as text; encode it") from None
            return table(place, numbers, part.of(part.fill) if part.fill is not None else ZERO, False)
        return Column(terms={(part,): ONE})
    if part.kind not in NUMBERS:
        return Column(terms={(part,): ONE})
    fill = fills.get(place)
    value = Column(terms={(part._replace(fill=fill),): ONE})
    if part.fill is None or part.fill == fill or fill is None:
        return value
    return combine([ONE, part.of(part.fill) - part.of(fill)], [value, Column(terms={(Part(place, "missing"),): ONE})])


def _substitute(column: Column, plain: Mapping[Part, Column]) -> Column:
    if all(len(plain[part].terms) == 1 and (part,) in plain[part].terms for term in column.terms for part in term):
        return column
    weights, products = [], []
    for term, coef in column.terms.items():
        product = Column(ONE)
        for part in term:
            product = multiply(product, plain[part])
        weights.append(coef)
        products.append(product)
    return combine(weights, products, column.constant)


def _default(
    place: int, outputs: list[Column], gaps: list[Decimal], fill: Decimal | None, readings: Readings
) -> Decimal:
    """The reading at which every output is what it is without the reading."""
    name = readings.names[place]
    values: list[Decimal] = []
    for column, gap in zip(outputs, gaps, strict=True):
        others = {term: coef for term, coef in column.terms.items() if any(part.input == place for part in term)}
        others.pop((Part(place, "missing"),), None)
        slope = others.pop((Part(place, fill=fill),), ZERO)
        if others or (gap and not slope):
            raise DataError(
                f"input '{name}': no reading predicts what the pipeline predicts where it is missing (an indicator or "
                "a second imputer counts); leave add_indicator out"
            )
        if slope:
            values.append((fill or ZERO) + gap / slope)
    size = max(abs(value) for value in values)
    if max(values) - min(values) > SAME * max(size, SAME):
        raise DataError(
            f"input '{name}': its outputs would each need another default where it is missing; leave add_indicator out"
        )
    return values[0]


def build(
    outputs: list[Column],
    readings: Readings,
    ranges: Sequence[Range | None],
    names: Sequence[str],
    link: str,
    classes: tuple[str, ...] | None,
    about: Mapping[str, Any],
) -> Model:
    """A model of outputs that `one_default` returned; `ranges` has the inputs they read."""
    remaining = [{term: float(coef) for term, coef in column.terms.items() if float(coef) != 0.0} for column in outputs]
    used = sorted({part.input for terms in remaining for term in terms for part in term})
    position = {place: i for i, place in enumerate(used)}
    inputs = []
    for place in used:
        span = ranges[place]
        if readings.categories[place]:
            inputs.append(Input(readings.names[place], place, None, None, None, "", tuple(readings.categories[place])))
        else:
            assert span is not None
            inputs.append(Input(readings.names[place], place, span.default, span.low, span.high))

    def factor(part: Part) -> Factor:
        place, knot = position[part.input], float(part.knot)
        if part.kind == "hinge":
            return Factor(place, hinge=knot)
        if part.kind == "step":
            return Factor(place, step=knot)
        return Factor(place, part.at if part.kind == "is" else None)

    return Model(
        tuple(readings.names),
        tuple(inputs),
        tuple(
            Output(
                name,
                float(column.constant),
                tuple(
                    Term(terms[term], tuple(map(factor, term)))
                    for term in sorted(terms, key=lambda entry: (entry[0].input, len(entry), list(map(order, entry))))
                ),
                link,
            )
            for name, column, terms in zip(names, outputs, remaining, strict=True)
        ),
        classes=classes,
        provenance=dict(about),
    )
