"""Logistic lasso of rows in memory: path, cross-validation by log-loss, choice, refit and calibration."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from edge_lasso.errors import DataError
from edge_lasso.paths import select as selection
from edge_lasso.paths.cross_validation import at_positions, budgets, curve
from edge_lasso.paths.logistic import LogisticSolver
from edge_lasso.paths.logistic_rows import FoldRows
from edge_lasso.paths.methods import METHODS, that
from edge_lasso.paths.options import Candidate, TrainOptions, penalty_factors
from edge_lasso.paths.problem import EPS, alpha_values
from edge_lasso.paths.scaling import Scaling, scaling
from edge_lasso.paths.sized import SUBSET
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.workers import one_blas_thread
from edge_lasso.training.calibration import AS_THEY_ARE, calibrate, judged, reliability
from edge_lasso.training.class_odds import ClassOdds
from edge_lasso.training.class_paths import TOLERANCE, FoldPaths
from edge_lasso.training.class_subsets import Competitors, with_subsets

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LogisticFit:
    """A classifier on the columns of its rows, and how it was chosen.

    Parameters
    ----------
    coefs : array, shape (outputs, p + 1)
        On standardized columns, intercepts last, before calibration. One output for two classes, else one a class.
    alpha, gamma : float
        ``gamma`` 1: the lasso; 0: maximum likelihood on the inputs it chose; -1: on the best subset of inputs.
    n_inputs, passes : int
    optimality_gap : float
        Duality gap relative to the loss without inputs; of a refit, its largest gradient relative to the largest alpha.
    cv_error, cv_se, cv_paired_se, cv_null : float
        Held-out log-loss (natural logarithm) of this choice, its standard error, that of the difference to the
        smallest, and the log-loss of a model without inputs.
    fold_errors : array, shape (folds,)
    alphas, gaps, cv_mean : array, shape (m,)
        `gaps`: the duality gap at each alpha, relative to the loss without inputs.
    n_nonzero : array of int, shape (m,)
        Inputs along the path.
    ended : str
        Why the path ended.
    curve : tuple of Candidate
    slope, shift : float
        Calibration: linear predictors are multiplied and (two classes) shifted by this. 1 and 0 where held-out log-loss
        gained nothing.
    calibration : dict
        See `calibration.calibrate`.
    odds : ClassOdds
        The weights of classes are undone in the intercepts; their costs are not, which shift labels.
    """

    coefs: Array
    alpha: float
    gamma: float
    n_inputs: int
    passes: int
    optimality_gap: float
    cv_error: float
    cv_se: float
    cv_paired_se: float
    cv_null: float
    fold_errors: Array
    alphas: Array
    gaps: Array
    cv_mean: Array
    n_nonzero: Array
    ended: str
    curve: tuple[Candidate, ...]
    slope: float
    shift: float
    calibration: dict[str, Any]
    odds: ClassOdds

    @property
    def method(self) -> str:
        """In words."""
        return {1.0: "logistic lasso", SUBSET: "logistic, best subset"}.get(self.gamma, "logistic lasso, refitted")

    def raw(self, scaled: Scaling) -> Array:
        """Coefficients in raw units with odds and calibration folded in, intercepts last (several: of sum zero)."""
        result = self.coefs.copy()
        result[:, :-1] /= scaled.scale
        result[:, -1] += self.odds.undone - result[:, :-1] @ scaled.mean
        result *= self.slope
        result[:, -1] += self.shift + self.odds.label
        if len(result) > 1:
            result[:, -1] -= result[:, -1].mean()
        return result


def outputs_of(classes: int) -> int:
    """One output tells two classes apart; more have one each."""
    return 1 if classes == 2 else classes


def one_hot(codes: Array, classes: int) -> Array:
    """Y of `logistic.Rows`."""
    wanted = 1 if outputs_of(classes) == 1 else np.arange(classes)
    return np.equal(codes[:, None], wanted).astype(np.float64)


def row_reliability(z: Array, codes: Array, classes: Sequence[str], odds: ClassOdds | None = None) -> dict[str, Any]:
    """`calibration.reliability` and `judged` of linear predictors as they are, every row counting the same.

    Parameters
    ----------
    z : array, shape (rows, outputs)
        Shifted by `odds.label`, which is taken back.
    codes : array of int, shape (rows,)
    classes : sequence of str
    odds : ClassOdds, optional
    """
    odds = odds or unweighted(len(classes))
    weight = np.full(len(codes), 1.0 / len(codes))
    rows = [(z - odds.label, one_hot(codes, len(classes)), weight)]
    return {**reliability(rows, AS_THEY_ARE), **judged(rows, classes, odds)}


def unweighted(classes: int) -> ClassOdds:
    """Classes that count and cost the same."""
    return ClassOdds(np.ones(classes), np.ones(classes))


def check_options(options: TrainOptions) -> None:
    """Refuse what classifiers do not do."""
    if not METHODS[options.method].on_rows:
        raise DataError(f"method is '{options.method}'; classification knows {' and '.join(that('on_rows'))}")
    if options.positive or options.signs is not None:
        raise DataError("positive and signs are for regression; leave them out for classification")


@one_blas_thread
def fit_logistic(
    X: Array,
    codes: Array,
    classes: Sequence[str],
    weight: Array,
    plan: FoldPlan,
    options: TrainOptions,
    owners: Sequence[tuple[int, ...]] | None = None,
    odds: ClassOdds | None = None,
) -> tuple[LogisticFit, Scaling]:
    """Train a classifier on rows in memory.

    Parameters
    ----------
    X : array, shape (n, p)
        NaN: missing.
    codes : array of int, shape (n,)
        Positions in `classes`.
    classes : sequence of str
    weight : array, shape (n,)
    plan : FoldPlan
    options : TrainOptions
        `method` "lasso" or "relaxed", `l1_ratio`, `alphas`, `eps`, `select`, `max_inputs`, `refit`, `penalty`,
        `workers`.
    owners : sequence of tuple of int, optional
        The inputs each column reads. Default: every column is an input.
    odds : ClassOdds, optional
        Its weights are in `weight` already, and undone in the result; its costs shift the labels.

    Raises
    ------
    DataError
        One class only; a fold without a class; options that do not go with classification.
    """
    check_options(options)
    check_classes(codes, classes, weight, plan)
    options.check_splits(plan.splits)
    odds = odds or unweighted(len(classes))
    weight = weight / weight.sum()
    scaled = scaling(X, weight, penalty_factors(options.penalty, X.shape[1]))
    rows = FoldRows(X, scaled.apply, one_hot(codes, len(classes)), weight, plan.rows(len(X)))
    path = FoldPaths(rows, plan.splits, options, owners)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the optimality conditions are checked
        ended = path.follow(alpha_values(options.alphas, options.smallest, max(path.top, EPS)))
    sizes = path.sizes(path.coefs[-1])
    chosen, candidates = _candidates(path, sizes, options)
    gammas = np.array([0.0] if options.method == "relaxed" else [1.0, 0.0] if options.refit else [1.0])
    models = Competitors(sizes[chosen], chosen, gammas, *_scored(path, chosen, candidates, gammas))
    if options.max_inputs is not None and options.refit and options.method == "lasso":
        models = with_subsets(path, models, options.max_inputs)
    choice = _choose(path, models, options, len(X))
    index, gamma, errors = int(models.places[choice.index]), float(models.gammas[choice.gamma]), models.errors
    *held, final = (some[choice.index] for some in models.coefs[choice.gamma])
    passes, gap = path.whole.passes, float(path.gaps[index])
    if gamma <= 0.0:
        solver = LogisticSolver(rows.some(path.whole.parts), options.l1_ratio, TOLERANCE, (final, path.top))
        final = solver.refit(final)
        passes, gap = passes + solver.passes, solver.violation
    tests = [rows.some(test) for test in path.tests]
    slope, shift, calibration = calibrate(held, tests, classes, odds)
    null = [rows.losses(fold.coefs[None], test)[0] for fold, test in zip(path.folds, path.tests, strict=True)]
    return LogisticFit(
        coefs=final,
        alpha=float(path.alphas[index]),
        gamma=gamma,
        n_inputs=int(path.sizes(final[None])[0]),
        passes=passes,
        optimality_gap=gap,
        cv_error=choice.mean,
        cv_se=choice.se,
        cv_paired_se=choice.paired_se,
        cv_null=float(np.mean(null)) if null else float("nan"),
        fold_errors=errors[:, choice.index, choice.gamma],
        alphas=path.alphas,
        gaps=path.gaps,
        cv_mean=path.errors.mean(axis=0) if null else np.full(len(path.alphas), np.nan),
        n_nonzero=sizes,
        ended=ended,
        curve=curve(errors, models.sizes, path.alphas[models.places], models.gammas),
        slope=slope,
        shift=shift,
        calibration=calibration,
        odds=odds,
    ), scaled


def check_classes(codes: Array, classes: Sequence[str], weight: Array, plan: FoldPlan) -> None:
    """Refuse rows that a classifier cannot learn from."""
    if len(classes) < 2:
        raise DataError(f"there is one class only ({', '.join(classes) or 'none'}); a classifier needs two or more")
    parts = [np.bincount(codes[rows], weights=weight[rows], minlength=len(classes)) for rows in plan.rows(len(codes))]
    for split, (train, _) in enumerate(plan.splits):
        count = np.sum([parts[i] for i in train], axis=0)
        if not (count > 0.0).all():
            name = classes[int(np.argmin(count))]
            raise DataError(
                f"fold {split + 1} has no training row of class '{name}'; use fewer folds or more rows of it"
            )
    for code, total in enumerate(np.sum(parts, axis=0).tolist()):
        if not total > 0.0:
            raise DataError(f"class '{classes[code]}' has no row with a weight larger than 0; leave its rows out")


def _candidates(path: FoldPaths, sizes: Array, options: TrainOptions) -> tuple[Array, list[Array]]:
    """Positions on the path to choose from, and the coefficients of the folds and of all rows there."""
    if options.max_inputs is None:
        return np.arange(len(sizes)), path.coefs
    at = budgets(sizes, options.max_inputs)
    possible = (at >= 0) & (sizes[at] == np.arange(len(at)))  # else the folds would score a larger model
    if not possible.any():
        raise DataError(f"no alpha gives {options.max_inputs} inputs or fewer; give larger alphas")
    chosen = []
    for coefs, fold in zip(path.coefs, path.folds, strict=False):
        positions = budgets(path.sizes(coefs), options.max_inputs)[possible]
        some = at_positions(coefs, positions)
        some[positions < 0] = fold.coefs
        chosen.append(some)
    return at[possible], [*chosen, path.coefs[-1][at[possible]]]


def _scored(path: FoldPaths, chosen: Array, candidates: list[Array], gammas: Array) -> tuple[list[list[Array]], Array]:
    """For each gamma the candidates' coefficients, and held-out losses of shape (folds, candidates, gammas)."""
    coefs, errors = [], np.full((len(path.folds), len(chosen), len(gammas)), np.inf)
    for g, gamma in enumerate(gammas.tolist()):
        if gamma == 0.0:
            refitted, errors[:, :, g] = path.refits(candidates)
            coefs.append(refitted)
            continue
        coefs.append(candidates)
        for fold, test in enumerate(path.tests):
            errors[fold, :, g] = path.rows.losses(candidates[fold], test)
    return coefs, errors


def _choose(path: FoldPaths, models: Competitors, options: TrainOptions, n: int) -> selection.Choice:
    errors = models.errors
    if options.select not in selection.CRITERIA:
        return selection.choose(errors, models.sizes, options.select, options.max_inputs is not None)
    on_path = np.flatnonzero(models.places >= 0)
    places = models.places[on_path]
    coefs = path.coefs[-1][places]
    freedom = np.count_nonzero(coefs[:, :, :-1], axis=(1, 2)).astype(float)
    likelihood = np.exp(2.0 * path.losses[places])  # the criteria take the logarithm of a residual variance
    value = selection.criterion(likelihood, 0.0, freedom, n, coefs.shape[1] * (coefs.shape[2] - 1), options.select)
    index = int(on_path[np.argmin(np.where(freedom < n - 1, value, np.inf))])
    mean, se = selection.mean_and_error(errors[:, index, 0]) if len(errors) else (np.nan, np.nan)
    return selection.Choice(index, 0, float(mean), float(se), float("nan"))
