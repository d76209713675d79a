"""The inputs and terms that a statistics file speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_lasso.errors import DataError
from edge_lasso.statistics.statistics import Statistics
from edge_lasso_runtime.model import Factor, Input, Model

Terms = Sequence[tuple[Factor, ...]]


def term_names(
    columns: Sequence[str], terms: Terms, categories: Mapping[int, Sequence[str]] | None = None
) -> tuple[str, ...]:
    """Canonical names of terms: ``a``, ``a * b``, ``a * a``, ``c = red``.

    Parameters
    ----------
    columns : sequence of str
        What ``Factor.input`` counts.
    terms : sequence of tuple of Factor
    categories : mapping, optional
        The categories of a column, by its position.
    """

    def task(factor: Factor) -> str:
        name = columns[factor.input]
        if factor.knot is not None:
            return f"max(0, {name} - {factor.knot!r})" if factor.step is None else f"({name} > {factor.knot!r})"
        return name if factor.category is None else f"{name} = {(categories or {})[factor.input][factor.category]}"

    return tuple(" * ".join(sorted(task(factor) for factor in term)) for term in terms)


def model_term_names(model: Model) -> list[list[str]]:
    """The name of each term of each output: where to find it among the columns of the statistics."""
    names = [feature.name for feature in model.inputs]
    categories = {i: feature.categories for i, feature in enumerate(model.inputs) if feature.categories is not None}
    return [list(term_names(names, [term.factors for term in output.terms], categories)) for output in model.outputs]


def numeric_input(name: str, column: int, mean: float, low: float, high: float, unit: str = "") -> Input:
    """An `Input` of numbers: its training mean is the default, and lies within the range whatever the rounding."""
    return Input(name, column, min(max(float(mean), float(low)), float(high)), float(low), float(high), unit)


def numeric_inputs(
    statistics: Statistics, columns: Sequence[str], units: Mapping[str, str] | None = None
) -> list[Input]:
    """An `Input` for each numeric column: its training mean as the default, its range in training.

    Parameters
    ----------
    statistics : Statistics
        Has a column (or a target) of each name.
    columns : sequence of str
        The training row; position i becomes ``Input.column`` i.
    units : mapping of str to str, optional
    """
    where = {name: j for j, name in enumerate((*statistics.columns, *statistics.targets))}
    mean = statistics.means()
    inputs = []
    for i, name in enumerate(columns):
        if name not in where:
            raise DataError(f"column {name!r} is not in the statistics; collect it as a column of its own")
        j = where[name]
        unit = (units or {}).get(name, "")
        inputs.append(numeric_input(name, i, mean[j], statistics.low[j], statistics.high[j], unit))
    return inputs
