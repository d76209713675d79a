"""Models of 0, 1, 2, .. inputs that compete for a budget: from a path, and the best subsets of their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_lasso.paths.branch_and_bound import prove
from edge_lasso.paths.cross_validation import Lasso, at_positions, budgets, relaxed
from edge_lasso.paths.options import TrainOptions, group_labels, penalty_factors, sign_constraints
from edge_lasso.paths.problem import Array, Problem
from edge_lasso.paths.refit import least_squares
from edge_lasso.paths.subset import SubsetSearch
from edge_lasso.statistics.workers import run

SUBSET = -1.0
"""Stands among the gammas for the best subset."""
WORK = 1.5e9
"""Floating-point operations (about) that proving the best subset may take."""


@dataclass(frozen=True)
class Sized:
    """The candidates.

    Parameters
    ----------
    sizes : array of int, shape (m,)
        Inputs of each candidate.
    rows : array of int, shape (m,)
        Where each is on the path; -1: the path has none of this size.
    variants : array, shape (v,)
        Gammas of the relaxed lasso; `SUBSET`: the best subset.
    errors : array, shape (folds, m, v)
        Held-out errors, each fold with its own inputs; infinite where there is no such candidate.
    subsets : array, shape (m, p)
        Least squares on the best subsets.
    """

    sizes: Array
    rows: Array
    variants: Array
    errors: Array
    subsets: Array

    def coef(self, problem: Problem, path: Array, index: int, variant: int) -> tuple[Array, Array]:
        """Standardized coefficients of a candidate, and the columns of it that depend on others."""
        if self.variants[variant] == SUBSET:
            return self.subsets[index].copy(), np.zeros(0, dtype=np.intp)
        return relaxed(problem, at_positions(path, self.rows[[index]])[0], float(self.variants[variant]))

    def exists(self, index: int, variant: int) -> bool:
        """Whether there is such a candidate."""
        if self.variants[variant] == SUBSET:
            return bool(index == 0 or self.subsets[index].any())
        return bool(self.rows[index] >= 0)


def of_path(lasso: Lasso, coefs: Sequence[Array], gammas: Array) -> Sized:
    """Every point of a path as a candidate."""
    count = len(coefs[-1])
    errors = lasso.relaxed_errors(coefs[:-1], count, gammas)
    return Sized(lasso.inputs(coefs[-1]), np.arange(count), gammas, errors, np.zeros((count, 0)))


def searches(lasso: Lasso, options: TrainOptions) -> list[SubsetSearch]:
    """A search on the problem of each fold, and on that of all rows.

    Units are groups where there are such, else inputs; a dearer one has to explain more.
    """
    p = len(lasso.problem.xy)
    owners = lasso.owners
    if options.groups is not None:
        owners = [(int(group),) for group in group_labels(options.groups, p)]
    costs = None
    if options.penalty is not None:
        factors = penalty_factors(options.penalty, p)
        costs = factors if owners is None else _unit_costs(factors, owners)
    signs = sign_constraints(options, p)
    return [SubsetSearch(problem, owners, signs, costs) for problem in [*lasso.fold_problems, lasso.problem]]


def _unit_costs(factors: Array, owners: Sequence[tuple[int, ...]]) -> Array:
    """What a unit costs: its cheapest column (a product costs what its dearest input does)."""
    costs = np.full(1 + max(unit for units in owners for unit in units), np.inf)
    for factor, units in zip(factors.tolist(), owners, strict=True):
        costs[list(units)] = np.minimum(costs[list(units)], factor)
    return np.where(np.isfinite(costs), costs, 1.0)


def sized(
    lasso: Lasso,
    coefs: Sequence[Array],
    gammas: Array,
    searches: Sequence[SubsetSearch],
    largest: int,
    workers: int = 1,
) -> Sized:
    """The candidates of every size.

    Parameters
    ----------
    lasso : Lasso
    coefs : sequence of array, shape (alphas, p)
        Paths of the folds and of all rows.
    gammas : array
        Of the relaxed lasso; none: the path only starts the searches.
    searches : sequence of SubsetSearch
        On the problems of the folds and of all rows; none: subsets do not compete.
    largest : int
    workers : int
    """
    p = len(lasso.problem.xy)
    rows, errors = _scored(lasso, coefs, gammas, largest)
    stacks = [np.zeros((1, p)) for _ in coefs]
    at = np.full(largest + 1, -1)
    if searches:
        jobs = list(zip(searches, coefs, strict=True))
        run(lambda job: job[0].run(largest, supports(job[1])), jobs, workers)
        stacks = [np.array([search.best[size].full() for size in sorted(search.best)]) for search in searches]
        at, more = _scored(lasso, stacks, np.ones(1), largest)
        errors = np.concatenate([errors, more], axis=2)
    variants = np.append(gammas, [SUBSET] * bool(searches))
    subsets = at_positions(stacks[-1], at)
    keep = (rows >= 0) & bool(len(gammas)) | (at >= 0)
    return Sized(np.flatnonzero(keep), rows[keep], variants, errors[:, keep], subsets[keep])


def _scored(lasso: Lasso, coefs: Sequence[Array], gammas: Array, largest: int) -> tuple[Array, Array]:
    """Positions of the sizes (-1: there is none) and their held-out errors; of each fold, its own of no larger size."""
    sizes = lasso.inputs(coefs[-1])
    at = budgets(sizes, largest)
    possible = (at >= 0) & (sizes[at] == np.arange(len(at)))  # else the folds would score a larger model
    errors = np.full((len(coefs) - 1, largest + 1, len(gammas)), np.inf)
    if len(gammas):
        result = [at_positions(coef, budgets(lasso.inputs(coef), largest)[possible]) for coef in coefs[:-1]]
        errors[:, possible] = lasso.relaxed_errors(result, int(possible.sum()), gammas)
    return np.where(possible, at, -1), errors


def supports(coefs: Array) -> list[Array]:
    """The different supports along a path."""
    return list({columns.tobytes(): columns for columns in map(np.flatnonzero, coefs)}.values())


def on_support(lasso: Lasso, coefs: Sequence[Array]) -> Lasso:
    """The same with the columns alone that each path ever uses, which is all that is known where rows are few."""
    every = [*lasso.fold_problems, lasso.problem]
    own = [replace(each, constant=each.constant | ~path.any(axis=0)) for each, path in zip(every, coefs, strict=True)]
    return replace(lasso, problem=own[-1], fold_problems=own[:-1])


def proven(search: SubsetSearch, coef: Array, work: float = WORK) -> tuple[Array, float]:
    """The best subset of the size of a model, and how much smaller its residual could be (part of the variance).

    Parameters
    ----------
    search : SubsetSearch
        Where each column is a unit, without sign and cost, subsets are searched until there is no better one. Or else
        least squares on all columns says how much better one could be.
    coef : array, shape (p,)
        Least squares on the best subset known.
    work : float
        See `branch_and_bound.prove`.
    """
    problem, columns = search.units.problem, np.flatnonzero(coef)
    if search.units.alone and search.signs is None and search.costs is None:
        proof = run(lambda _: prove(problem, columns, work), [None])[0]
        best = np.zeros_like(coef)
        best[proof.columns] = least_squares(problem.gram, problem.xy, proof.columns)[0]
        return best, max(proof.residual - proof.bound, 0.0) / problem.yy
    usable = np.flatnonzero(~problem.constant)
    full, _ = least_squares(problem.gram, problem.xy, usable)
    return coef, max(float(full @ problem.xy[usable]) - float(coef @ problem.xy), 0.0) / problem.yy
