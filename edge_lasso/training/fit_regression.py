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
    sign_constraints,
)
from edge_lasso.paths.problem import deviations, problems
from edge_lasso.paths.row_path import RowPaths
from edge_lasso.paths.sized import SUBSET, Sized, of_path, on_support, proven, sized
from edge_lasso.paths.twins import twin_columns
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
        twin_columns(moments, deviation, constant, penalty, sign_constraints(options, p))
        if options.l1_ratio == 1.0 and way.merges_twins and not given
        else constant & False
    )
    own = options.scale == "fold" or (options.scale == "auto" and folds.forward)

    def task(split: int) -> Fold:
        return make_folds(folds, split, None if own else scale, penalty, twins)

    parts: list[Fold] = run(task, range(len(folds.splits)), options.workers)
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
    gammas, largest = way.gammas(options), way.largest(lasso, options)
    searches = way.searches(lasso if given is None else on_support(lasso, paths.coefs), options)
    candidates = (
        of_path(lasso, paths.coefs, gammas)
        if largest is None
        else sized(lasso, paths.coefs, gammas, searches, largest, options.workers)
    )
    if not len(candidates.sizes):
        raise DataError(f"no alpha gives {largest} inputs or fewer; give larger alphas")
    columns = int(np.count_nonzero(~problem.constant if given is None else ~given.whole.scaling.constant))
    choice = _choose(lasso, coefs, candidates, options, columns)
    variant, row = float(candidates.variants[choice.gamma]), int(candidates.rows[choice.index])
    if variant == SUBSET:
        coef, optimality = proven(searches[-1], candidates.subsets[choice.index])
        alpha = float(np.abs(problem.xy - coef @ problem.gram).max())
        dependent = np.zeros(0, dtype=np.intp)
    else:
        alpha = float(alphas[row])

        def gap_of(coef: Array) -> float:
            if given is not None:
                return given.gap(coef / problem.scale, alpha)
            return way.gap(problem, groups, coef, alpha, options)

        optimality = gap_of(coefs[row])
        exact = way.exact(problem, coefs[row], alpha, options)
        if exact is not None and gap_of(exact) <= max(optimality, 1e-14):
            coefs[row], optimality = exact, gap_of(exact)
        coef, dependent = relaxed(problem, coefs[row], variant)
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
    all_columns, target = names
    left_out = np.union1d(np.flatnonzero(twins), dependent)
    nulls = [fold.held_out_error(lasso.target, np.zeros((1, p)))[0] for fold in lasso.folds]
    return Fit(
        target=target,
        coef=raw,
        intercept=float(mean[t] - mean[:p] @ raw),
        alpha=alpha,
        gamma=max(variant, 0.0),
        method=way.label(variant, options),
        n_inputs=int(lasso.inputs(coef[None])[0]),
        n_iter=max(1, paths.n_iter),
        optimality_gap=optimality,
        cv_error=choice.mean,
        cv_se=choice.se,
        cv_paired_se=choice.paired_se,
        cv_null=float(np.mean(nulls)) if nulls else float("nan"),
        fold_errors=candidates.errors[:, choice.index, choice.gamma],
        dependent=tuple(all_columns[i] for i in left_out),
        constant=tuple(all_columns[i] for i in np.flatnonzero(constant)),
        path=path,
        curve=curve(candidates.errors, candidates.sizes, alphas[candidates.rows], candidates.variants, lasso.repeats),
    )


def _choose(lasso: Lasso, coefs: Array, candidates: Sized, options: TrainOptions, columns: int) -> selection.Choice:
    errors, sizes = candidates.errors, candidates.sizes
    if options.select not in selection.CRITERIA:
        if options.select == "knee" and options.penalty is not None:
            best = errors.mean(axis=0).argmin(axis=1)
            priced = [candidates.coef(lasso.problem, coefs, i, int(v))[0] for i, v in enumerate(best)]
            sizes = _costs(lasso, np.array(priced), options)
        choice = selection.choose(errors, sizes, options.select, options.max_inputs is not None, lasso.repeats)
        many = lasso.rows >= selection.MANY and options.max_inputs is not None
        if options.select == "auto" and many and SUBSET in candidates.variants:
            value = _criteria(lasso, coefs, candidates, "ebic", columns)[:, -1]
            choice = selection.filled(choice, errors, value, len(candidates.variants) - 1, lasso.repeats)
        return choice
    value = _criteria(lasso, coefs, candidates, options.select, columns)
    index, variant = (int(i) for i in np.unravel_index(int(np.argmin(value)), value.shape))
    mean, se = selection.mean_and_error(errors[:, index, variant], lasso.repeats) if len(errors) else (np.nan, np.nan)
    return selection.Choice(index, variant, float(mean), float(se), float("nan"))


def _criteria(lasso: Lasso, coefs: Array, candidates: Sized, rule: str, columns: int) -> Array:
    """An information criterion of the candidates that are least squares (where none is, the lasso), else infinite."""
    sizes = candidates.sizes
    free = np.flatnonzero(candidates.variants == candidates.variants.min(initial=1.0, where=candidates.variants >= 0.0))
    free = np.union1d(free, np.flatnonzero(candidates.variants == SUBSET))  # least squares, where that may compete
    residual, freedom = np.full((2, len(sizes), len(candidates.variants)), np.inf)
    for i in range(len(sizes)):
        for v in free.tolist():
            if candidates.exists(i, v):
                coef, _ = candidates.coef(lasso.problem, coefs, i, v)
                active = np.flatnonzero(coef)
                w = coef[active]
                sub = lasso.problem.gram[active[:, None], active]
                residual[i, v] = lasso.problem.yy - 2.0 * w @ lasso.problem.xy[active] + w @ sub @ w
                freedom[i, v] = len(active)
    value = np.full(freedom.shape, np.inf)
    fits = freedom <= selection.most_freedom(lasso.rows, columns)
    value[fits] = selection.criterion(residual[fits], lasso.problem.yy, freedom[fits], lasso.rows, columns, rule)
    return value


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
    alone = all(len(owner) == 1 for owner in owners) and len(set(owners)) == p
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
