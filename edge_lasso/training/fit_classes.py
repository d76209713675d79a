"""Logistic lasso of rows in memory: path, cross-validation by log-loss, choice, refit and calibration."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from edge_lasso.errors import DataError
from edge_lasso.paths import select as selection
from edge_lasso.paths.cross_validation import RISEN, at_positions, budgets, curve
from edge_lasso.paths.logistic import Block, LogisticSolver, Rows, duality_gap, linear, losses, null_coefs
from edge_lasso.paths.methods import METHODS, that
from edge_lasso.paths.options import Candidate, TrainOptions, penalty_factors
from edge_lasso.paths.problem import EPS, alpha_values
from edge_lasso.paths.scaling import Scaling, scaling
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.workers import one_blas_thread, run
from edge_lasso.training.calibration import AS_THEY_ARE, calibrate, reliability

Array = npt.NDArray[Any]
STANDS_STILL = 1e-5
"""A path ends, as in glmnet, when five alphas on end explain less than this part of the deviance more."""
BLOCK = 8192
EAGER_UP_TO = 64
"""Columns up to which a curvature costs little more than the pass that it saves."""
TOLERANCE = 1e-9
REFIT_UP_TO = 200
EXPLAINED = 0.99
"""Part of the deviance explained at which a path ends: the classes are all but separated."""


@dataclass(frozen=True)
class LogisticFit:
    """A classifier on the columns of its rows, and how it was chosen.

    Parameters
    ----------
    coefs : array, shape (outputs, p + 1)
        On standardized columns, intercepts last, before calibration. One output for two classes, else one a class.
    alpha, gamma : float
        ``gamma`` 1: the lasso; 0: maximum likelihood on the inputs it chose.
    n_inputs, passes : int
    optimality_gap : float
        Duality gap relative to the loss without inputs; of a refit, its largest gradient relative to the largest alpha.
    cv_error, cv_se, cv_paired_se, cv_null : float
        Held-out log-loss (natural logarithm) of this choice, its standard error, that of the difference to the
        smallest, and the log-loss of a model without inputs.
    fold_errors : array, shape (folds,)
    alphas, cv_mean : array, shape (m,)
    n_nonzero : array of int, shape (m,)
        Inputs along the path.
    ended : str
        Why the path ended.
    curve : tuple of Candidate
    slope, shift : float
        Calibration: linear predictors are multiplied and (two classes) shifted by this. 1 and 0 where held-out log-loss
        gained nothing.
    calibration : dict
        Held-out log-loss, Brier score and expected calibration error before, and after where it was calibrated.
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
    cv_mean: Array
    n_nonzero: Array
    ended: str
    curve: tuple[Candidate, ...]
    slope: float
    shift: float
    calibration: dict[str, Any]

    @property
    def method(self) -> str:
        """In words."""
        return "logistic lasso" if self.gamma else "logistic lasso, refitted"

    def raw(self, scaled: Scaling) -> Array:
        """Coefficients in raw units with the calibration folded in, intercepts last (several: they sum to zero)."""
        found = self.coefs.copy()
        found[:, :-1] /= scaled.scale
        found[:, -1] -= found[:, :-1] @ scaled.mean
        found *= self.slope
        found[:, -1] += self.shift
        if len(found) > 1:
            found[:, -1] -= found[:, -1].mean()
        return found


def outputs_of(classes: int) -> int:
    """One output tells two classes apart; more have one each."""
    return 1 if classes == 2 else classes


def one_hot(codes: Array, classes: int) -> Array:
    """Y of `logistic.Rows`."""
    wanted = 1 if outputs_of(classes) == 1 else np.arange(classes)
    return np.equal(codes[:, None], wanted).astype(np.float64)


def row_reliability(z: Array, codes: Array, classes: int) -> dict[str, float]:
    """`calibration.reliability` of linear predictors as they are, every row counting the same."""
    weight = np.full(len(codes), 1.0 / len(codes))
    return reliability([(z, one_hot(codes, classes), weight)], AS_THEY_ARE)


def check_options(options: TrainOptions) -> None:
    """Refuse what classifiers do not do."""
    if not METHODS[options.method].on_rows:
        raise DataError(f"method is '{options.method}'; classification knows {' and '.join(that('on_rows'))}")
    if options.positive or options.signs is not None:
        raise DataError("positive and signs are for regression; leave them out for classification")


class Parts:
    """Rows in memory, part by part."""

    def __init__(self, Z: Array, Y: Array, weight: Array, plan: FoldPlan) -> None:
        self.parts = [(Z[rows], Y[rows], weight[rows]) for rows in plan.rows(len(Z))]
        self.columns, self.outputs = Z.shape[1], Y.shape[1]

    def some(self, parts: Sequence[int]) -> Rows:
        """The rows of some parts; their weights sum to 1."""
        chosen = [self.parts[i] for i in parts]
        total = sum(float(weight.sum()) for _, _, weight in chosen)

        def blocks() -> Iterator[Block]:
            for Z, Y, weight in chosen:
                for start in range(0, len(Z), BLOCK):
                    at = slice(start, start + BLOCK)
                    yield Z[at], Y[at], weight[at] / total

        return Rows(blocks, self.columns, self.outputs, eager=self.columns <= EAGER_UP_TO)


@one_blas_thread
def fit_logistic(
    X: Array,
    codes: Array,
    classes: Sequence[str],
    weight: Array,
    plan: FoldPlan,
    options: TrainOptions,
    owners: Sequence[tuple[int, ...]] | None = None,
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

    Raises
    ------
    DataError
        One class only; a fold without a class; options that do not go with classification.
    """
    check_options(options)
    check_classes(codes, classes, weight, plan)
    options.check_splits(plan.splits)
    weight = weight / weight.sum()
    scaled = scaling(X, weight, penalty_factors(options.penalty, X.shape[1]))
    parts = Parts(scaled.apply(X), one_hot(codes, len(classes)), weight, plan)
    whole = parts.some(range(plan.parts))
    solvers = [LogisticSolver(parts.some(train), options.l1_ratio, TOLERANCE) for train, _ in plan.splits]
    solvers.append(LogisticSolver(whole, options.l1_ratio, TOLERANCE))
    tests = [parts.some(test) for _, test in plan.splits]
    path = _Path(solvers, tests, owners)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the optimality conditions are checked
        ended = path.follow(alpha_values(options.alphas, options.eps, max(solvers[-1].top, EPS)), options)
    sizes = path.sizes(path.coefs[-1])
    rows, candidates = _candidates(path, sizes, options)
    gammas = np.array([0.0] if options.method == "relaxed" else [1.0, 0.0] if options.refit else [1.0])
    errors, held = path.scored(candidates, len(rows), gammas, options.workers)
    choice = _choose(path, errors, sizes, rows, gammas, options, len(X))
    index, gamma = int(rows[choice.index]), float(gammas[choice.gamma])
    coefs = path.coefs[-1][index]
    alpha = float(path.alphas[index])
    if gamma == 0.0:
        coefs = solvers[-1].refit(coefs)
        gap = solvers[-1].violation
    else:
        gap = duality_gap(whole, coefs, alpha, options.l1_ratio)
    slope, shift, calibration = calibrate([one[choice.index][choice.gamma] for one in held], tests)
    return LogisticFit(
        coefs=coefs,
        alpha=alpha,
        gamma=gamma,
        n_inputs=int(path.sizes(coefs[None])[0]),
        passes=solvers[-1].passes,
        optimality_gap=gap,
        cv_error=choice.mean,
        cv_se=choice.se,
        cv_paired_se=choice.paired_se,
        cv_null=float(np.mean([_loss(test, null_coefs(s.rows)) for test, s in zip(tests, solvers, strict=False)]))
        if tests
        else float("nan"),
        fold_errors=errors[:, choice.index, choice.gamma],
        alphas=np.array(path.alphas),
        cv_mean=path.errors.mean(axis=0) if tests else np.full(len(path.alphas), np.nan),
        n_nonzero=sizes,
        ended=ended,
        curve=curve(errors, sizes[rows], np.array(path.alphas)[rows], gammas),
        slope=slope,
        shift=shift,
        calibration=calibration,
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


class _Path:
    """The paths of the folds and of all rows, in step."""

    def __init__(self, solvers: list[LogisticSolver], tests: list[Rows], owners: Any) -> None:
        self.solvers, self.tests, self.owners = solvers, tests, owners
        self.alphas: list[float] = []
        self.coefs: list[Array] = [np.zeros((0, *solver.coefs.shape)) for solver in solvers]
        self.errors = np.zeros((len(tests), 0))
        self.losses: list[float] = []

    def sizes(self, coefs: Array) -> Array:
        """Inputs used by each of several models, shape (m, outputs, p + 1)."""
        used: Array = np.any(coefs[:, :, :-1], axis=1)
        if self.owners is None:
            return np.asarray(used.sum(axis=1))
        return np.array([len({i for j in np.flatnonzero(one) for i in self.owners[j]}) for one in used], dtype=np.int64)

    def follow(self, alphas: Array, options: TrainOptions) -> str:
        """Solve for decreasing alphas until that leads nowhere; returns why it ended."""
        null = self.solvers[-1].loss
        for alpha in alphas.tolist():
            found = run(lambda solver, alpha=alpha: solver.solve(alpha), self.solvers, options.workers)
            self.alphas.append(alpha)
            self.losses.append(self.solvers[-1].loss)
            self.coefs = [np.append(old, new[None], axis=0) for old, new in zip(self.coefs, found, strict=True)]
            scored = [_loss(test, coefs) for test, coefs in zip(self.tests, found, strict=False)]
            self.errors = np.append(self.errors, np.array(scored).reshape(-1, 1), axis=1)
            past = len(self.alphas) - 1 - self.errors.argmin(axis=1)
            least: Array = self.errors.min(axis=1, initial=np.inf)
            if self.tests and np.logical_and(past >= 10, self.errors[:, -1] > RISEN * least).all():
                return "held-out loss past its minimum on every fold"
            if self.losses[-1] < (1.0 - EXPLAINED) * null:
                return f"{EXPLAINED} of the deviance explained"
            if len(self.losses) > 5 and self.losses[-6] - self.losses[-1] < 5.0 * STANDS_STILL * null:
                return "the deviance explained stands still"
            if options.max_inputs and all(self.sizes(one[-1:])[0] > 2 * options.max_inputs + 10 for one in self.coefs):
                return "past the input budget"
        return "last alpha"

    def scored(
        self, candidates: list[Array], count: int, gammas: Array, workers: int
    ) -> tuple[Array, list[list[list[Array]]]]:
        """Held-out losses, shape (folds, candidates, gammas), and the coefficients they are of."""

        def one(fold: int) -> tuple[Array, list[list[Array]]]:
            solver, test = self.solvers[fold], self.tests[fold]
            errors, held = np.full((len(candidates[fold]), len(gammas)), np.inf), []
            refit: tuple[bytes, Array] | None = None
            for i, coefs in enumerate(candidates[fold]):
                support = coefs[:, :-1].any(axis=0)
                made = []
                for g, gamma in enumerate(gammas.tolist()):
                    if gamma == 0.0:
                        if support.sum() > REFIT_UP_TO:
                            made.append(coefs)
                            continue
                        if refit is None or refit[0] != support.tobytes():
                            refit = (support.tobytes(), solver.refit(coefs))
                    made.append(refit[1] if gamma == 0.0 and refit is not None else coefs)
                    errors[i, g] = _loss(test, made[-1])
                held.append(made)
            return errors, held

        found = run(one, range(len(self.tests)), workers)
        return np.array([errors for errors, _ in found]).reshape(len(found), count, len(gammas)), [
            held for _, held in found
        ]


def _loss(rows: Rows, coefs: Array) -> float:
    return sum(float(weight @ losses(linear(Z, coefs), Y)) for Z, Y, weight in rows.blocks())


def _candidates(path: _Path, sizes: Array, options: TrainOptions) -> tuple[Array, list[Array]]:
    if options.max_inputs is None:
        return np.arange(len(sizes)), path.coefs[:-1]
    at = budgets(sizes, options.max_inputs)
    possible = (at >= 0) & (sizes[at] == np.arange(len(at)))  # else the folds would score a larger model
    if not possible.any():
        raise DataError(f"no alpha gives {options.max_inputs} inputs or fewer; give larger alphas")
    chosen = []
    for coefs, solver in zip(path.coefs[:-1], path.solvers, strict=False):
        positions = budgets(path.sizes(coefs), options.max_inputs)[possible]
        found = at_positions(coefs, positions)
        found[positions < 0] = null_coefs(solver.rows)
        chosen.append(found)
    return at[possible], chosen


def _choose(
    path: _Path, errors: Array, sizes: Array, rows: Array, gammas: Array, options: TrainOptions, n: int
) -> selection.Choice:
    if options.select not in selection.CRITERIA:
        return selection.choose(errors, sizes[rows], options.select, options.max_inputs is not None)
    coefs = path.coefs[-1][rows]
    freedom = np.count_nonzero(coefs[:, :, :-1], axis=(1, 2)).astype(float)
    likelihood = np.exp(2.0 * np.array(path.losses)[rows])  # the criteria take the logarithm of a residual variance
    value = selection.criterion(likelihood, 0.0, freedom, n, coefs.shape[1] * (coefs.shape[2] - 1), options.select)
    index = int(np.argmin(np.where(freedom < n - 1, value, np.inf)))
    mean, se = selection.mean_and_error(errors[:, index, 0]) if len(errors) else (np.nan, np.nan)
    return selection.Choice(index, 0, float(mean), float(se), float("nan"))
