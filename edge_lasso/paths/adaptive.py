"""The adaptive lasso (Zou 2006): the lasso on columns rescaled by a first estimate of their coefficients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_lasso.paths.cross_validation import Lasso
from edge_lasso.paths.method import Named
from edge_lasso.paths.path import Array
from edge_lasso.paths.problem import Problem

SMALLEST = 1e-4
"""Columns whose first coefficient is a smaller part of the largest stay out."""


def ridge(problem: Problem) -> Array:
    """Ridge coefficients, the penalty chosen by generalized cross-validation (Golub, Heath and Wahba 1979).

    Parameters
    ----------
    problem : Problem
        Its `rows` count the training rows.

    Returns
    -------
    array, shape (p,)
    """
    values, vectors = np.linalg.eigh(problem.gram)
    values = np.maximum(values, 0.0)
    along = vectors.T @ problem.xy
    penalties = values[-1] * np.geomspace(1e-8, 1e2, 41)
    shrunk = along / (values + penalties[:, None])
    residual = problem.yy - 2.0 * shrunk @ along + shrunk**2 @ values
    freedom = (values / (values + penalties[:, None])).sum(axis=1)
    left = 1.0 - (freedom + 1.0) / problem.rows
    score = np.where(left > 1e-6, residual / np.maximum(left, 1e-6) ** 2, np.inf)
    return np.asarray(vectors @ shrunk[int(np.argmin(score))])


def reweighted(problem: Problem) -> Problem:
    """The problem whose lasso is the adaptive lasso: each column is multiplied by its ridge coefficient's size.

    Parameters
    ----------
    problem : Problem
        Of one set of training rows, so that folds weigh by what they know.

    Returns
    -------
    Problem
        On the columns times weights of at most 1: ``scale`` is divided by them.
    """
    first = np.abs(np.where(problem.constant, 0.0, ridge(problem)))
    weight = first / max(float(first.max(initial=0.0)), np.finfo(float).tiny)
    out = problem.constant | (weight < SMALLEST)
    weight = np.where(out, 0.0, weight)
    return replace(
        problem,
        gram=problem.gram * weight * weight[:, None],
        xy=problem.xy * weight,
        scale=problem.scale / np.where(out, 1.0, weight),
        constant=out,
    )


class Adaptive(Named):
    """The adaptive lasso."""

    name = "adaptive lasso"

    def weighted(self, lasso: Lasso) -> Lasso:
        """With weights from ridge regressions, in each fold of its own training rows."""
        own = [reweighted(problem) for problem in lasso.fold_problems]
        folds = []
        for fold, problem in zip(lasso.folds, own, strict=True):
            every = list(fold.problems)
            every[lasso.target] = problem
            folds.append(replace(fold, problems=every))
        return replace(lasso, problem=reweighted(lasso.problem), fold_problems=own, folds=folds)


ADAPTIVE = Adaptive()
