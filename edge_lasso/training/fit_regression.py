"""From statistics to a fit: path, cross-validation, choice and refit, without looking at a row again."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from edge_lasso.errors import DataError
from edge_lasso.paths import select as selection
from edge_lasso.paths.cross_validation import (
    Fold,
    Lasso,
    at_positions,
    budgets,
    curve,
    make_folds,
    relaxed,
)
from edge_lasso.paths.method import Method, method
from edge_lasso.paths.methods import METHODS, that
from edge_lasso.paths.options import (
    Fit,
    Path,
    TrainOptions,
    group_labels,
    penalty_factors,
)
from edge_lasso.paths.problem import deviations, problems
from edge_lasso.paths.row_path import RowPaths
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import Terms
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.workers import run

Array = npt.NDArray[Any]


def fit_statistics(
    folds: FoldStatistics,
    options: TrainOptions | None = None,
    terms: Terms | None = None,
    given: Sequence[RowPaths] | None = None,
) -> list[Fit]:
    """Train one model per target from fold statistics.

    Parameters
    ----------
    folds : FoldStatistics
    options : TrainOptions, optional
    terms : sequence of tuple of Factor, optional
        What each column is made of, where ``Factor.input`` counts the training row's columns: a product or an indicator
        shares its inputs with others. Default: every column is an input.
    given : sequence of RowPaths, optional
        Paths that were solved on the rows, one per target, to choose from.

    Returns
    -------
    list of Fit

    Raises
    ------
    DataError
        No rows, a constant target (also in the training rows of a fold), a column without readings.
    """
    options = options or TrainOptions()
    p = len(folds.columns)
    if given and not METHODS[options.method].on_rows:
        raise DataError(
            f"method {options.method!r} needs a Gram matrix; with paths from rows use {' or '.join(that('on_rows'))}"
        )
    way, groups = method(options.method), group_labels(options.groups, p)
    owners = input_owners(p, terms)
    options.check_splits(folds.splits)
    total = folds.total
    moments = total.moments()
    _check_data(folds, moments)
    deviation, constant = deviations(moments, p)
    penalty = penalty_factors(options.penalty, p)
    scale = deviation * penalty
    twins = (
        _twins(moments, deviation, constant, penalty)
        if options.l1_ratio == 1.0 and way.merges_twins and not given
        else constant & False
    )
    own = options.scale == "fold" or (options.scale == "auto" and folds.forward)

    def one(split: int) -> Fold:
        return make_folds(folds, split, None if own else scale, penalty, twins)

    parts: list[Fold] = run(one, range(len(folds.splits)), options.workers)
    fits = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # slow descent is finished by the active-set solve
        for t, problem in enumerate(problems(moments, p, scale, twins)):
            lasso = Lasso(problem, [fold.problems[t] for fold in parts], parts, t, owners, total.rows, folds.repeats)
            names = (folds.columns, folds.targets[t])
            fits.append(
                _fit(
                    way,
                    way.weighted(lasso),
                    moments,
                    options,
                    names,
                    constant,
                    twins,
                    groups,
                    given[t] if given else None,
                )
            )
    return fits


def _fit(
    way: Method,
    lasso: Lasso,
    moments: Moments,
    options: TrainOptions,
    names: tuple[Any, str],
    constant: Array,
    twins: Array,
    groups: Array,
    given: RowPaths | None,
) -> Fit:
    problem, p = lasso.problem, len(lasso.problem.xy)
    paths = way.paths(lasso, groups, options) if given is None else given.on(lasso)
    alphas, coefs, fold_errors = paths.alphas, paths.coefs[-1], paths.fold_errors
    sizes = lasso.inputs(coefs)
    gammas = way.gammas(options)
    if options.max_inputs is None:
        rows = np.arange(len(alphas))
        candidates = paths.coefs[:-1]
    else:
        at = budgets(sizes, options.max_inputs)
        possible = (at >= 0) & (sizes[at] == np.arange(len(at)))  # else the folds would score a larger model
        rows = at[possible]
        if not len(rows):
            raise DataError(f"no alpha gives {options.max_inputs} inputs or fewer; give larger alphas")
        candidates = []
        for fold_coefs in paths.coefs[:-1]:
            found = budgets(lasso.inputs(fold_coefs), options.max_inputs)[possible]
            candidates.append(at_positions(fold_coefs, found))
    errors = lasso.relaxed_errors(candidates, len(rows), gammas)
    choice = _choose(lasso, coefs, rows, errors, sizes, gammas, options)
    index = int(rows[choice.index])
    alpha = float(alphas[index])

    def gap_of(coef: Array) -> float:
        if given is not None:
            return given.gap(coef / problem.scale, alpha)
        return way.gap(problem, groups, coef, alpha, options)

    optimality = gap_of(coefs[index])
    exact = way.exact(problem, coefs[index], alpha, options)
    if exact is not None and gap_of(exact) <= max(optimality, 1e-14):
        coefs[index], optimality = exact, gap_of(exact)
    gamma = float(gammas[choice.gamma])
    coef, dependent = relaxed(problem, coefs[index], gamma)
    raw = coef / problem.scale
    mean = moments.mean
    t = p + lasso.target
    mean_error, se = (
        selection.mean_and_error(fold_errors, lasso.repeats)
        if len(fold_errors)
        else (np.full(len(alphas), np.nan),) * 2
    )
    raw_path = (coefs / problem.scale).T
    path = Path(
        alphas,
        raw_path,
        mean[t] - mean[:p] @ raw_path,
        mean_error,
        se,
        fold_errors,
        np.count_nonzero(coefs, axis=1),
        sizes,
        paths.ended,
    )
    columns, target = names
    left_out = np.union1d(np.flatnonzero(twins), dependent)
    nulls = [fold.held_out_error(lasso.target, np.zeros((1, p)))[0] for fold in lasso.folds]
    return Fit(
        target=target,
        coef=raw,
        intercept=float(mean[t] - mean[:p] @ raw),
        alpha=alpha,
        gamma=gamma,
        method=way.label(gamma, options),
        n_inputs=int(lasso.inputs(coef[None])[0]),
        n_iter=max(1, paths.n_iter),
        optimality_gap=optimality,
        cv_error=choice.mean,
        cv_se=choice.se,
        cv_paired_se=choice.paired_se,
        cv_null=float(np.mean(nulls)) if nulls else float("nan"),
        fold_errors=errors[:, choice.index, choice.gamma],
        dependent=tuple(columns[i] for i in left_out),
        constant=tuple(columns[i] for i in np.flatnonzero(constant)),
        path=path,
        curve=curve(errors, sizes[rows], alphas[rows], gammas, lasso.repeats),
    )


def _choose(
    lasso: Lasso, coefs: Array, rows: Array, errors: Array, sizes: Array, gammas: Array, options: TrainOptions
) -> selection.Choice:
    if options.select not in selection.CRITERIA:
        price = _costs(lasso, coefs, options) if options.select == "knee" and options.penalty is not None else sizes
        return selection.choose(errors, price[rows], options.select, options.max_inputs is not None, lasso.repeats)
    gamma = len(gammas) - 1  # least squares on the support where that may compete
    residual, freedom = np.zeros(len(rows)), np.zeros(len(rows))
    for i, row in enumerate(rows):
        coef, _ = relaxed(lasso.problem, coefs[row], float(gammas[gamma]))
        active = np.flatnonzero(coef)
        w = coef[active]
        sub = lasso.problem.gram[active[:, None], active]
        residual[i] = lasso.problem.yy - 2.0 * w @ lasso.problem.xy[active] + w @ sub @ w
        freedom[i] = len(active)
    columns = int(np.count_nonzero(~lasso.problem.constant))
    fits = freedom < lasso.rows - 1
    value = selection.criterion(residual, lasso.problem.yy, freedom, lasso.rows, columns, options.select)
    index = int(np.argmin(np.where(fits, value, np.inf)))
    mean, se = selection.mean_and_error(errors[:, index, gamma], lasso.repeats) if len(errors) else (np.nan, np.nan)
    return selection.Choice(index, gamma, float(mean), float(se), float("nan"))


def _costs(lasso: Lasso, coefs: Array, options: TrainOptions) -> Array:
    """What the inputs (or groups of columns) of each coefficient vector cost together."""
    p = coefs.shape[1]
    factors, labels = penalty_factors(options.penalty, p), group_labels(options.groups, p)
    if options.groups is None and lasso.owners is not None:
        price: dict[int, float] = {}
        for factor, owners in zip(factors.tolist(), lasso.owners, strict=True):
            price.update({i: min(factor, price.get(i, factor)) for i in owners})
        return np.array([sum(price[i] for i in {i for j in np.flatnonzero(c) for i in lasso.owners[j]}) for c in coefs])
    of_group = np.zeros(labels.max() + 1)
    np.maximum.at(of_group, labels, factors)
    return np.array([of_group[np.unique(labels[coef != 0.0])].sum() for coef in coefs])


def input_owners(p: int, terms: Terms | None) -> list[tuple[int, ...]] | None:
    """The inputs each column reads; None where every column is an input of its own."""
    if terms is None:
        return None
    if len(terms) != p:
        raise DataError(f"there are {len(terms)} terms for {p} columns of the statistics; give one a column")
    owners = [tuple(sorted({factor.input for factor in term})) for term in terms]
    alone = all(len(one) == 1 for one in owners) and len(set(owners)) == p
    return None if alone else owners


def _check_data(folds: FoldStatistics, moments: Moments) -> None:
    p = len(folds.columns)
    total = folds.total
    empty = np.flatnonzero(~np.isfinite(total.low[:p]))
    if len(empty):
        name = total.columns[empty[0]]
        raise DataError(f"column {name!r} has no readings in the {total.rows} training rows; leave it out")
    targets = deviations(moments.chosen(np.arange(p, p + len(folds.targets))), len(folds.targets))[1]
    if targets.any():
        name = folds.targets[int(np.flatnonzero(targets)[0])]
        raise DataError(f"target {name!r} is constant in the {total.rows} training rows; there is nothing to learn")


def _twins(moments: Moments, deviation: Array, constant: Array, penalty: Array) -> Array:
    """Columns that carry exactly what an earlier (or cheaper) one carries: the lasso needs only one of them."""
    p = len(deviation)
    correlation = moments.covariance[:p, :p] / deviation / deviation[:, None]
    same = np.abs(correlation) >= 1.0 - 4e-14
    same[constant] = False
    twins = np.zeros(p, dtype=bool)
    np.fill_diagonal(same, False)
    for j in np.flatnonzero(same.any(axis=1)):
        others = np.flatnonzero(same[j] & ~twins)
        better = (penalty[others] < penalty[j]) | ((penalty[others] == penalty[j]) & (others < j))
        twins[j] = bool(better.any())
    return twins
