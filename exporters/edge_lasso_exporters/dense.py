"""A model as the tensor formats (ONNX, TFLite) see it: clean readings, terms, one matrix.

Both formats emit the same steps: take the columns that are read, replace what is missing, clamp where the policy says
so, compare categories, multiply, one matrix product. `dense_bounds.py` proves how far these steps can be off.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge_lasso_runtime.model import Model
from edge_lasso_runtime.predict import clean, linear

Array = NDArray[np.float64]
Rows = Sequence[Sequence[float | None]]


@dataclass(frozen=True)
class Term:
    """A product of features; `scale` (a power of two) goes to the first one, so that the product fits float32."""

    factors: tuple[int, ...]
    scale: float


@dataclass(frozen=True)
class Dense:
    """What the outputs are linear in.

    Parameters
    ----------
    model : Model
    numeric : tuple of int
        Positions in `Model.inputs`: the first features.
    indicators : tuple of (input, category)
        The features after them.
    terms : tuple of Term
        Single features first, then products by their number of factors.
    weights : tuple of tuple of Fraction
        Exact, one row per output.
    bias : tuple of Fraction
    sizes : tuple of tuple of Fraction
        Like `weights`, magnitudes added up: what the reference, which adds equal terms one by one, rounds.
    """

    model: Model
    numeric: tuple[int, ...]
    indicators: tuple[tuple[int, int], ...]
    terms: tuple[Term, ...]
    weights: tuple[tuple[Fraction, ...], ...]
    bias: tuple[Fraction, ...]
    sizes: tuple[tuple[Fraction, ...], ...]

    def products(self) -> list[tuple[int, list[Term]]]:
        """The terms of two factors and more, by their number of factors."""
        lengths = sorted({len(term.factors) for term in self.terms} - {1})
        return [(n, [term for term in self.terms if len(term.factors) == n]) for n in lengths]

    def largest(self) -> Array:
        """The largest magnitude each term can have with readings up to the model's limit, scale included."""
        powers = [sum(1 for f in term.factors if f < len(self.numeric)) for term in self.terms]
        sizes = [t.scale * self.model.limit**power for t, power in zip(self.terms, powers, strict=True)]
        return np.array(sizes)

    def ranges(self) -> tuple[Array, Array]:
        """The smallest and the largest value of each term over the declared ranges, scale included."""
        limits = [_range(self, term) for term in self.terms]
        return np.array([low for low, _ in limits]), np.array([high for _, high in limits])


def dense(model: Model) -> Dense:
    """Sort a model's terms into features and a matrix; equal terms are added up."""
    keys: dict[tuple[tuple[int, int], ...], int] = {}
    sums: list[dict[int, Fraction]] = [{} for _ in model.outputs]
    sizes: list[dict[int, Fraction]] = [{} for _ in model.outputs]
    for m, output in enumerate(model.outputs):
        for term in output.terms:
            key = tuple(sorted((f.input, -1 if f.category is None else f.category) for f in term.factors))
            position = keys.setdefault(key, len(keys))
            sums[m][position] = sums[m].get(position, Fraction(0)) + Fraction(term.coef)
            sizes[m][position] = sizes[m].get(position, Fraction(0)) + abs(Fraction(term.coef))
    order = sorted(keys, key=lambda key: (len(key), key))
    numeric = tuple(i for i, feature in enumerate(model.inputs) if feature.categories is None)
    indicators = tuple(sorted({pair for key in order for pair in key if pair[1] >= 0}))
    position_of = {(i, -1): place for place, i in enumerate(numeric)}
    position_of.update({pair: len(numeric) + place for place, pair in enumerate(indicators)})
    terms = tuple(_term(model, key, position_of) for key in order)
    weights, magnitudes = (
        tuple(_ordered(row, [keys[key] for key in order], terms) for row in rows) for rows in (sums, sizes)
    )
    bias = tuple(Fraction(output.intercept) for output in model.outputs)
    return Dense(model, numeric, indicators, terms, weights, bias, magnitudes)


def _ordered(values: dict[int, Fraction], positions: list[int], terms: tuple[Term, ...]) -> tuple[Fraction, ...]:
    pairs = zip(positions, terms, strict=True)
    return tuple(values.get(position, Fraction(0)) / Fraction(term.scale) for position, term in pairs)


def _term(model: Model, key: tuple[tuple[int, int], ...], position_of: dict[tuple[int, int], int]) -> Term:
    powers = sum(1 for _, category in key if category < 0)
    room = 126 - powers * int(math.log2(model.limit))
    return Term(tuple(position_of[pair] for pair in key), 2.0 ** min(0, room) if len(key) > 1 else 1.0)


def _range(plan: Dense, term: Term) -> tuple[float, float]:
    low = high = term.scale
    for feature, power in Counter(term.factors).items():
        a, b = 0.0, 1.0
        if feature < len(plan.numeric):
            entry = plan.model.inputs[plan.numeric[feature]]
            assert entry.low is not None
            assert entry.high is not None
            ends = (entry.low**power, entry.high**power)
            a, b = min(ends), max(ends)
            if power % 2 == 0 and entry.low < 0.0 < entry.high:
                a = 0.0
        corners = (low * a, low * b, high * a, high * b)
        low, high = min(corners), max(corners)
    return low, high


UNIT = {"float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}
SMALLEST = {"float16": 2.0**-14, "float32": 2.0**-126, "float64": 2.0**-1022}


def read(model: Model, rows: Rows, inputs: str) -> Array:
    """Rows of an artifact as an array over `Model.inputs`, NaN where a reading is missing."""
    width = len(model.inputs) if inputs == "selected" else len(model.columns)
    data = [[math.nan if x is None else float(x) for x in row] for row in rows]
    table = np.array(data, dtype=np.float64).reshape(len(data), width)
    return table if inputs == "selected" else table[:, [feature.column for feature in model.inputs]]


def rounded(model: Model, given: Array, unit: str) -> Array:
    """The readings as the graph has them after cleaning: rounded to its type, exact from there on."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = given.astype(unit).astype(np.float64)
    for i, feature in enumerate(model.inputs):
        if feature.categories is not None:
            continue
        x[:, i] = np.where(np.abs(x[:, i]) <= model.limit, x[:, i], float(np.dtype(unit).type(feature.default)))
        if model.policy == "clamp":
            x[:, i] = np.clip(x[:, i], np.dtype(unit).type(feature.low), np.dtype(unit).type(feature.high))
    return x


def reference(model: Model, rows: Rows, inputs: str) -> list[list[float]]:
    """The linear predictor of the reference for rows in the artifact's order."""
    return [linear(model, clean(model, row.tolist())[0]) for row in read(model, rows, inputs)]


def features_of(plan: Dense, x: Array) -> Array:
    """Numeric readings, then indicators."""
    hits = [(x[:, i] == category).astype(np.float64) for i, category in plan.indicators]
    return np.stack([*(x[:, i] for i in plan.numeric), *hits], axis=1) if plan.terms else x[:, :0]


def products_of(plan: Dense, features: Array, unit: str) -> tuple[Array, Array]:
    """The terms in binary64, and what computing them in `unit` can be off."""
    u, tiny = UNIT[unit], SMALLEST[unit]
    values, errors = np.zeros((len(features), len(plan.terms))), np.zeros((len(features), len(plan.terms)))
    for j, term in enumerate(plan.terms):
        value = features[:, term.factors[0]] * term.scale
        error = np.full(len(features), tiny)
        for factor in term.factors[1:]:
            next_one = features[:, factor]
            error = error * (np.abs(next_one) + tiny) + np.abs(value) * tiny
            value = value * next_one
            error = error + u * (np.abs(value) + error) + tiny
        values[:, j], errors[:, j] = value, error
    return values, errors
