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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_lasso_runtime.model import Factor, Model
from edge_lasso_runtime.predict import clean, linear

Array = NDArray[np.float64]
Rows = Sequence[Sequence[float | None]]


class Bend(NamedTuple):
    """A hinge or a step: ``max(0, x - knot)``, or 1 where ``x > knot``."""

    input: int
    step: bool
    knot: float


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
    bends : tuple of Bend
        The features after those.
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
    bends: tuple[Bend, ...]
    terms: tuple[Term, ...]
    weights: tuple[tuple[Fraction, ...], ...]
    bias: tuple[Fraction, ...]
    sizes: tuple[tuple[Fraction, ...], ...]

    @property
    def width(self) -> int:
        """How many features there are."""
        return len(self.numeric) + len(self.indicators) + len(self.bends)

    def factor(self, feature: int) -> Factor:
        """What a feature is."""
        if feature < len(self.numeric):
            return Factor(self.numeric[feature])
        feature -= len(self.numeric)
        if feature < len(self.indicators):
            return Factor(*self.indicators[feature])
        i, step, knot = self.bends[feature - len(self.indicators)]
        return Factor(i, step=knot) if step else Factor(i, hinge=knot)

    def powers(self) -> list[int]:
        """How many factors of each term grow with their reading."""
        grows = [self.factor(feature).reach(2.0) > 1.0 for feature in range(self.width)]
        return [sum(grows[feature] for feature in term.factors) for term in self.terms]

    def products(self) -> list[tuple[int, list[Term]]]:
        """The terms of two factors and more, by their number of factors."""
        lengths = sorted({len(term.factors) for term in self.terms} - {1})
        return [(n, [term for term in self.terms if len(term.factors) == n]) for n in lengths]

    def largest(self) -> Array:
        """The largest magnitude each term can have with readings up to the model's limit, scale included."""
        reach = [self.factor(feature).reach(self.model.limit) for feature in range(self.width)]
        return np.array([math.prod([term.scale, *(reach[f] for f in term.factors)]) for term in self.terms])

    def ranges(self) -> tuple[Array, Array]:
        """The smallest and the largest value of each term over the declared ranges, scale included."""
        limits = [_range(self, term) for term in self.terms]
        return np.array([low for low, _ in limits]), np.array([high for _, high in limits])


def dense(model: Model) -> Dense:
    """Sort a model's terms into features and a matrix; equal terms are added up."""
    keys: dict[Key, int] = {}
    sums: list[dict[int, Fraction]] = [{} for _ in model.outputs]
    sizes: list[dict[int, Fraction]] = [{} for _ in model.outputs]
    for m, output in enumerate(model.outputs):
        for term in output.terms:
            key = tuple(sorted(map(_part, term.factors)))
            position = keys.setdefault(key, len(keys))
            sums[m][position] = sums[m].get(position, Fraction(0)) + Fraction(term.coef)
            sizes[m][position] = sizes[m].get(position, Fraction(0)) + abs(Fraction(term.coef))
    order = sorted(keys, key=lambda key: (len(key), key))
    numeric = tuple(i for i, feature in enumerate(model.inputs) if feature.categories is None)
    parts = sorted({part for key in order for part in key})
    indicators = tuple((i, at) for i, at, _ in parts if at >= 0)
    bends = tuple(Bend(i, at == STEP, knot) for i, at, knot in parts if at in (STEP, HINGE))
    features = [
        *((i, VALUE, 0.0) for i in numeric), *((i, at, 0.0) for i, at in indicators),
        *((i, STEP if step else HINGE, knot) for i, step, knot in bends),
    ]  # fmt: skip
    position_of = {part: place for place, part in enumerate(features)}
    terms = tuple(_term(model, key, position_of) for key in order)
    weights, magnitudes = (
        tuple(_ordered(row, [keys[key] for key in order], terms) for row in rows) for rows in (sums, sizes)
    )
    bias = tuple(Fraction(output.intercept) for output in model.outputs)
    return Dense(model, numeric, indicators, bends, terms, weights, bias, magnitudes)


Part = tuple[int, int, float]
Key = tuple[Part, ...]
VALUE, HINGE, STEP = -1, -2, -3
"""Where an indicator has its category."""


def _part(factor: Factor) -> Part:
    if factor.category is not None:
        return factor.input, factor.category, 0.0
    if factor.knot is not None:
        return factor.input, HINGE if factor.step is None else STEP, factor.knot
    return factor.input, VALUE, 0.0


def _ordered(values: dict[int, Fraction], positions: list[int], terms: tuple[Term, ...]) -> tuple[Fraction, ...]:
    pairs = zip(positions, terms, strict=True)
    return tuple(values.get(position, Fraction(0)) / Fraction(term.scale) for position, term in pairs)


def _term(model: Model, key: Key, position_of: dict[Part, int]) -> Term:
    sizes = [model.limit + abs(knot) for _, at, knot in key if at in (VALUE, HINGE)]
    room = 126 - sum(math.ceil(math.log2(size)) for size in sizes)
    return Term(tuple(position_of[part] for part in key), 2.0 ** min(0, room) if len(key) > 1 else 1.0)


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
        elif feature >= len(plan.numeric) + len(plan.indicators):
            bend = plan.bends[feature - len(plan.numeric) - len(plan.indicators)]
            entry = plan.model.inputs[bend.input]
            a, b = (_bent(bend, end, bend.knot) ** power for end in (entry.low or 0.0, entry.high or 0.0))
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


def features_of(plan: Dense, x: Array, unit: str = "float64") -> Array:
    """Numeric readings, then indicators, then hinges and steps whose knots are stored as `unit`."""
    hits = [(x[:, i] == category).astype(np.float64) for i, category in plan.indicators]
    knots = [float(np.dtype(unit).type(bend.knot)) for bend in plan.bends]
    bent = [_bent(bend, x[:, bend.input], knot) for bend, knot in zip(plan.bends, knots, strict=True)]
    return np.stack([*(x[:, i] for i in plan.numeric), *hits, *bent], axis=1) if plan.terms else x[:, :0]


def _bent(bend: Bend, x: Any, knot: float) -> Any:
    above = np.where(x > knot, 1.0 if bend.step else x - knot, 0.0)
    return above if np.ndim(x) else float(above)


def products_of(plan: Dense, features: Array, unit: str) -> tuple[Array, Array]:
    """The terms in binary64, and what computing them in `unit` can be off: a hinge takes a difference."""
    u, tiny = UNIT[unit], SMALLEST[unit]
    rounds = np.array([0.0] * (len(plan.numeric) + len(plan.indicators)) + [0.0 if b.step else u for b in plan.bends])
    off = np.abs(features) * rounds[: features.shape[1]] + tiny
    values, errors = np.zeros((len(features), len(plan.terms))), np.zeros((len(features), len(plan.terms)))
    for j, term in enumerate(plan.terms):
        value = features[:, term.factors[0]] * term.scale
        error = off[:, term.factors[0]] * term.scale + tiny * (term.scale != 1.0)
        for factor in term.factors[1:]:
            next_one = features[:, factor]
            error = error * (np.abs(next_one) + off[:, factor]) + np.abs(value) * off[:, factor]
            value = value * next_one
            error = error + u * (np.abs(value) + error) + tiny
        values[:, j], errors[:, j] = value, error
    return values, errors
