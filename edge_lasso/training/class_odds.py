"""What a class weighed in training, and what it costs to miss one: shifts of linear predictors, and what they bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ClassOdds:
    """Odds that training changed, and odds that labels are to change.

    Parameters
    ----------
    weights : array, shape (classes,)
        What a row of each class counted in training.
    costs : array, shape (classes,)
        What it costs to take a row of each class for another.
    """

    weights: Array
    costs: Array

    @property
    def undone(self) -> Array:
        """Shift of the linear predictors, shape (outputs,), after which they are those of the classes as they come."""
        return _of_outputs(-np.log(self.weights))

    @property
    def label(self) -> Array:
        """Shift, shape (outputs,), after which sign and largest are the labels of least expected cost."""
        return _of_outputs(np.log(self.costs))

    @property
    def threshold(self) -> float | None:
        """Of two classes: how probable the second has to be for its label."""
        return float(self.costs[0] / self.costs.sum()) if len(self.costs) == 2 else None

    @property
    def priced(self) -> bool:
        """Whether costs change labels."""
        return bool((self.costs != self.costs[0]).any())


def _of_outputs(logs: Array) -> Array:
    return logs[1:] - logs[:1] if len(logs) == 2 else logs - logs.mean()


def miss_costs(texts: Sequence[str] | None) -> dict[str, float]:
    """Costs from ``CLASS=NUMBER`` as typed."""
    costs = {}
    for text in texts or ():
        name, _, amount = text.rpartition("=")
        try:
            costs[name.strip()] = float(amount)
        except ValueError:
            raise DataError(f"--miss-cost {text!r} is not CLASS=NUMBER; for example: --miss-cost fault=20") from None
    return costs


def cost_vector(costs: dict[str, float], classes: Sequence[str]) -> Array:
    """The cost of missing each class; 1 where none is named."""
    for name, cost in costs.items():
        if name not in classes:
            raise DataError(f"--miss-cost: there is no class '{name}'; the classes are {', '.join(classes)}")
        if not 0.0 < cost < np.inf:
            raise DataError(f"--miss-cost: {name}={cost:g}; a cost is a number larger than 0")
    return np.array([costs.get(name, 1.0) for name in classes])


def decisions(probability: Array, truth: Array, weight: Array, classes: Sequence[str], costs: Array) -> dict[str, Any]:
    """What labels of least expected cost miss and cost, beside those of the most probable class and of one class.

    Parameters
    ----------
    probability, truth : array, shape (rows, classes)
    weight : array, shape (rows,)
        Sums to 1.
    classes : sequence of str
    costs : array, shape (classes,)
    """
    code = truth.argmax(axis=1)
    paid = weight * costs[code]
    cheapest, likely = (probability * costs).argmax(axis=1), probability.argmax(axis=1)
    missed = {
        name: float(weight[(code == c) & (cheapest != c)].sum() / max(float(weight[code == c].sum()), 1e-300))
        for c, name in enumerate(classes)
    }
    always = [float(paid[code != c].sum()) for c in range(len(classes))]
    return {
        "missed": missed,
        "called": {name: float(weight[cheapest == c].sum()) for c, name in enumerate(classes)},
        "cost_per_row": float(paid[cheapest != code].sum()),
        "cost_per_row_of_the_most_probable": float(paid[likely != code].sum()),
        "cost_per_row_of_one_class": min(always),
    }
