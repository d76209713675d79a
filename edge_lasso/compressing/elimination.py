"""Backward elimination of a model's inputs, and the best subsets of them, for all its outputs together.

With H the inverse Gram matrix of the terms in use and b their least squares, losing the terms J raises the mean squared
error by ``b_J' (H_JJ)^-1 b_J`` after the others are refitted (Hassibi and Stork 1992; exact here). Where all are
refitted, the search for best subsets (`paths.subset`) goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg import block_diag

from edge_lasso.paths.problem import Array, Problem
from edge_lasso.paths.refit import independent, inverse
from edge_lasso.paths.subset import SubsetSearch
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.workers import one_blas_thread
from edge_lasso_runtime.model import Model

REFACTOR_EVERY = 20
SEARCH_UP_TO = 40
"""Inputs up to which subsets of every size are searched; of more, those of the size asked for."""


@dataclass(frozen=True)
class Step:
    """The model's state after some inputs were dropped.

    Parameters
    ----------
    inputs : tuple of int
        Positions in the model's inputs that are left.
    coefs : list of array
        Per output: coefficients on its terms, raw units, 0 for dropped ones.
    cost : float
        Relative increase (in parts of the target's variance, summed over outputs) that the last drop brought.
    """

    inputs: tuple[int, ...]
    coefs: list[Array]
    cost: float


@dataclass(frozen=True)
class Block:
    """Where an output's terms are in the statistics, and the inputs each reads."""

    columns: Array
    target: int
    readers: tuple[tuple[int, ...], ...]

    def terms_of(self, position: int) -> Array:
        """Positions of the terms that read an input."""
        return np.array([j for j, inputs in enumerate(self.readers) if position in inputs], dtype=np.intp)


class State:
    """Inverse Gram and coefficients of the terms still in, of one output."""

    def __init__(self, moments: Moments, block: Block, start: Array, refit: bool) -> None:
        self.covariance = moments.covariance[block.columns[:, None], block.columns]
        self.xy = moments.covariance[block.columns, block.target]
        self.yy = float(moments.covariance[block.target, block.target])
        self.left = independent(self.covariance) if len(start) else np.zeros(0, dtype=np.intp)
        self.count = len(start)
        self.refit = refit
        self._factor()
        if not refit:
            self.b = self._carry(start)

    def _factor(self) -> None:
        if len(self.left):
            self.inverse = inverse(self.covariance[self.left[:, None], self.left])
            if self.refit:
                self.b = self.inverse @ self.xy[self.left]
        else:
            self.inverse, self.b = np.zeros((0, 0)), np.zeros(0)

    def _carry(self, start: Array) -> Array:
        """The coefficients with what the dependent terms carried moved to the others: the same prediction."""
        dropped = np.setdiff1d(np.arange(self.count), self.left)
        moved = self.inverse @ (self.covariance[self.left[:, None], dropped] @ start[dropped])
        return np.asarray(start[self.left] + moved)

    def cost(self, terms: Array) -> float:
        """Rise of the mean squared error (or, keeping the shrinkage, change of the prediction) without these terms."""
        at = np.flatnonzero(np.isin(self.left, terms))
        if not len(at):
            return 0.0
        return float(self.b[at] @ np.linalg.solve(self.inverse[at[:, None], at], self.b[at]))

    def drop(self, terms: Array, factor: bool) -> None:
        """Leave terms out, the others refitted; `factor`: from the Gram matrix anew."""
        at = np.flatnonzero(np.isin(self.left, terms))
        keep = np.setdiff1d(np.arange(len(self.left)), at)
        if not len(at):
            return
        moved = np.linalg.solve(self.inverse[at[:, None], at], np.c_[self.b[at], self.inverse[at]])
        b = self.b - self.inverse[:, at] @ moved[:, 0]
        self.b = b[keep]
        self.inverse = (self.inverse - self.inverse[:, at] @ moved[:, 1:])[keep[:, None], keep]
        self.left = self.left[keep]
        if factor:
            remaining = self.b
            self._factor()
            if not self.refit:
                self.b = remaining

    def coefs(self) -> Array:
        """Of all terms, 0 for those left out."""
        full = np.zeros(self.count)
        full[self.left] = self.b
        return full


def eliminate(model: Model, blocks: Sequence[Block], moments: Moments, refit: bool) -> Iterator[Step]:
    """Drop one input after another, down to none."""
    states = [
        State(moments, block, np.array([term.coef for term in output.terms]), refit)
        for block, output in zip(blocks, model.outputs, strict=True)
    ]
    read = {i for block in blocks for inputs in block.readers for i in inputs}
    left = sorted(read)  # an input that only others are computed from goes with the last of them
    yield Step(tuple(left), [state.coefs() for state in states], 0.0)
    terms = [[block.terms_of(i) for i in range(len(model.inputs))] for block in blocks]
    for count in range(len(left)):
        costs = [
            sum(state.cost(of[i]) / (state.yy or 1.0) for state, of in zip(states, terms, strict=True)) for i in left
        ]
        position = int(np.argmin(costs))
        gone = left.pop(position)
        for state, of in zip(states, terms, strict=True):
            state.drop(of[gone], (count + 1) % REFACTOR_EVERY == 0)
        yield Step(tuple(left), [state.coefs() for state in states], costs[position])


@one_blas_thread
def smaller(
    model: Model, blocks: Sequence[Block], moments: Moments, refit: bool, max_inputs: int | None = None
) -> list[Step]:
    """The model with fewer and fewer inputs, down to none.

    Parameters
    ----------
    model : Model
    blocks : sequence of Block
        One per output.
    moments : Moments
        Of the training rows.
    refit : bool
    max_inputs : int, optional
        Larger ones are only passed through.
    """
    steps = list(eliminate(model, blocks, moments, refit))
    most = len(steps[0].inputs) - 1
    if not refit or most < 1 or (max_inputs is None and most > SEARCH_UP_TO):
        return steps
    problem, owners = side_by_side(blocks, moments)
    alone = all(len(inputs) == 1 for inputs in owners) and len(set(owners)) == len(owners)
    search = SubsetSearch(problem, None if alone else owners)
    largest = most if max_inputs is None else min(max_inputs, most)
    start = next(step for step in steps if len(step.inputs) <= max(SEARCH_UP_TO, largest))
    chosen = set(start.inputs)
    columns = np.array([j for j, inputs in enumerate(owners) if chosen.issuperset(inputs)], dtype=np.intp)
    search.run(largest, [columns])
    edges = np.cumsum([0, *(len(block.columns) for block in blocks)])
    better = []
    for step in steps:
        value = search.best.get(len(step.inputs))
        if value is None or len(step.inputs) > largest:
            better.append(step)
            continue
        whole = value.full()
        coefs = [whole[a:b] for a, b in pairwise(edges)]
        inputs = sorted({owners[j][0] for j in value.chosen.tolist()}) if alone else value.chosen.tolist()
        better.append(Step(tuple(inputs), coefs, step.cost))
    return better


def side_by_side(blocks: Sequence[Block], moments: Moments) -> tuple[Problem, list[tuple[int, ...]]]:
    """One problem whose columns are the terms of all outputs, and the inputs that each reads.

    Its residual is the sum of theirs, in parts of the targets' variances: inputs are chosen for all outputs together.
    """
    grams, crosses = [], []
    for block in blocks:
        variance = float(moments.covariance[block.target, block.target]) or 1.0
        grams.append(moments.covariance[block.columns[:, None], block.columns] / variance)
        crosses.append(moments.covariance[block.columns, block.target] / variance)
    gram = block_diag(*grams)
    constant = np.diagonal(gram) <= 0.0
    owners = [inputs for block in blocks for inputs in block.readers]
    cross, scale = np.concatenate(crosses), np.ones(len(gram))
    return Problem(gram, cross, float(len(blocks)), scale, constant, moments.rows), owners
