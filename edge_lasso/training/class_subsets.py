"""Best subsets of inputs for classifiers: searched on the quadratic at the best point of the path, refitted exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag

from edge_lasso.paths.logistic import Rows
from edge_lasso.paths.problem import EPS, Array, Problem
from edge_lasso.paths.sized import SUBSET
from edge_lasso.paths.subset import SubsetSearch
from edge_lasso.statistics.workers import run
from edge_lasso.training.class_paths import FoldPaths


class Competitors(NamedTuple):
    """Models that compete by size.

    Parameters
    ----------
    sizes, places : array of int, shape (m,)
        Inputs of each, and where it is on the path (-1: it is not).
    gammas : array, shape (v,)
        Variants: of the lasso, and `sized.SUBSET`.
    coefs : list of list of array, shape (m, outputs, p + 1)
        Per variant, of the folds and last of all rows.
    errors : array, shape (folds, m, v)
        Held-out losses; infinite where there is no such model.
    """

    sizes: Array
    places: Array
    gammas: Array
    coefs: list[list[Array]]
    errors: Array


def with_subsets(path: FoldPaths, lasso: Competitors, largest: int) -> Competitors:
    """The best subsets of every size up to a budget beside the lasso's choices.

    Parameters
    ----------
    path : FoldPaths
    lasso : Competitors
    largest : int
    """
    index = int(path.errors.mean(axis=0).argmin()) if len(path.errors) else len(path.alphas) - 1
    trainings = [*path.folds, path.whole]

    def task(i: int) -> dict[int, Array]:
        rows = path.rows.some(trainings[i].parts)
        return best_subsets(rows, path.coefs[i][index], path.coefs[i], path.owners, largest)

    done = run(task, range(len(trainings)), path.options.workers)
    sizes = np.array(sorted(done[-1]), dtype=np.intp)
    if not len(sizes):
        return lasso
    candidates = [np.array([of[max(k for k in of if k <= size)] for size in sizes.tolist()]) for of in done]
    refits, errors = path.refits(candidates)
    every = np.union1d(lasso.sizes, sizes)
    old, new = np.searchsorted(every, lasso.sizes), np.searchsorted(every, sizes)
    places = np.full(len(every), -1)
    places[old] = lasso.places
    joined = np.full((len(path.folds), len(every), len(lasso.gammas) + 1), np.inf)
    joined[:, old, :-1] = lasso.errors
    joined[:, new, -1] = errors
    coefs = [[_spread(one_fold, old, len(every)) for one_fold in variant] for variant in lasso.coefs]
    coefs.append([_spread(one_fold, new, len(every)) for one_fold in refits])
    return Competitors(every, places, np.append(lasso.gammas, SUBSET), coefs, joined)


def _spread(coefs: Array, at: Array, count: int) -> Array:
    spread = np.zeros((count, *coefs.shape[1:]))
    spread[at] = coefs
    return spread


def best_subsets(
    rows: Rows, coefs: Array, along: Array, owners: Sequence[tuple[int, ...]] | None, largest: int
) -> dict[int, Array]:
    """Models of 1, 2, .. inputs that are best for the loss to second order around a model.

    Parameters
    ----------
    rows : Rows
    coefs : array, shape (outputs, p + 1)
        The model; intercepts last.
    along : array, shape (m, outputs, p + 1)
        A path, whose supports start the search.
    owners : sequence of tuple of int, optional
        Inputs that each column reads. Default: each is one.
    largest : int

    Returns
    -------
    dict of int to array, shape (outputs, p + 1)
        By size.
    """
    outputs, width = coefs.shape
    p = width - 1
    point = rows.at(coefs, np.arange(p))
    assert point.curvature is not None
    hessian = block_diag(*(matrix for _, matrix in point.curvature.blocks))
    pull = hessian @ coefs.ravel() - point.gradient.ravel()
    fixed = np.arange(outputs) * width + p  # intercepts are always in: what they explain is taken out
    free = np.setdiff1d(np.arange(outputs * width), fixed)
    out = np.linalg.pinv(hessian[fixed[:, None], fixed], rcond=1e-10, hermitian=True) @ hessian[fixed[:, None], free]
    gram = hessian[free[:, None], free] - hessian[free[:, None], fixed] @ out
    cross = pull[free] - pull[fixed] @ out
    size = np.diagonal(gram)
    constant = size <= 1e-10 * max(float(size.max(initial=0.0)), EPS)
    readers = [(j,) for j in range(p)] if owners is None else list(owners)
    explained = float(cross @ np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ cross)
    problem = Problem(gram, cross, explained + point.loss, np.ones(len(free)), constant, len(free) + largest + 2)
    search = SubsetSearch(problem, None if outputs == 1 and owners is None else readers * outputs)
    starts = [np.flatnonzero(np.tile(used, outputs)) for used in np.any(along[:, :, :-1], axis=1)]
    search.run(largest, {start.tobytes(): start for start in starts}.values())
    models = {}
    for count, support in search.best.items():
        if count:
            models[count] = np.zeros_like(coefs)
            models[count][:, :-1] = support.full().reshape(outputs, p)
            models[count][:, -1] = coefs[:, -1]
    return models
