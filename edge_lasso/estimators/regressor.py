"""scikit-learn estimators over the training engine."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight

from edge_lasso.errors import DataError
from edge_lasso.estimators.deriving import Deriving, inputs_of
from edge_lasso.estimators.onnx_methods import OnnxMethods
from edge_lasso.estimators.tables import target_names
from edge_lasso.paths.methods import METHODS
from edge_lasso.paths.options import Fit, Path, TrainOptions
from edge_lasso.paths.problem import SCREEN_FROM
from edge_lasso.paths.row_path import row_paths
from edge_lasso.statistics.folds import FoldStatistics, collect
from edge_lasso.statistics.plans import FoldPlan, forward_chain, plan_folds
from edge_lasso.statistics.workers import threads
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.leakage import all_but_equal
from edge_lasso.training.models import provenance, to_model
from edge_lasso.training.results import Explains
from edge_lasso.training.robust import reweighed
from edge_lasso_runtime.model import READING_LIMIT, Model

Array = npt.NDArray[Any]


class LassoRegressor(Deriving, Explains, OnnxMethods, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Lasso or elastic net with its inputs chosen by cross-validation, from one pass over the rows.

    Inputs are standardized inside and coefficients given in raw units. A missing reading (NaN) is replaced by the
    training mean, in each fold by that of its own training rows.

    Parameters
    ----------
    method : {"lasso", "relaxed", "adaptive", "omp", "group", "subset"}, default="lasso"
        "relaxed": always least squares on the inputs of the lasso, whole or halfway. "adaptive": the lasso with weights
        from a ridge regression. "omp": orthogonal matching pursuit. "group": inputs of one sensor come together.
        "subset": the best subset of each size, which competes with the lasso where there is a budget.
    l1_ratio : float, default=1.0
        1: lasso; between 0 and 1: elastic net.
    alphas : int or array-like, default=100
        Number of alphas on the path, or the alphas.
    eps : float, default=None
        Smallest alpha as a part of the largest. None: 1e-3, and on from there as long as the held-out error falls.
    cv : int, "time", splitter or iterable, default=5
        A number: contiguous folds as scikit-learn's ``KFold``. "time": five forward-chained blocks (rows in
        the order of time). 0: none, for `select` "aic", "bic", "ebic".
    select : {"auto", "min", "1se", "paired", "knee", "aic", "bic", "ebic"}, default="auto"
        "min": the smallest held-out error. "1se": the fewest inputs within one standard error of it; "paired": within
        one standard error of the difference to it. "auto": the same, and within 1 % of its root; with `max_inputs` as
        many inputs as are worth it.
    max_inputs : int, default=None
        Budget of inputs; every fold finds its own within it.
    refit : bool, default=True
        Let the relaxed lasso compete: least squares on the chosen inputs (gamma 0), and halfway (gamma 0.5).
    positive : bool, default=False
        No negative coefficients; nothing is refitted.
    signs : array-like of {-1, 0, 1} of shape (n_features,), default=None
        1: no negative coefficient for this feature, -1: no positive one.
    penalty : array-like of shape (n_features,), default=None
        Penalty factors: a sensor that costs more is penalized more.
    sensors : array-like of int of shape (n_features,), default=None
        For "group" and "omp": inputs with the same number belong to one sensor and are bought together.
    categorical : sequence of str or int, default=None
        Columns that hold categories, by name or position; their indicators compete, and X may hold words there.
    lags : int or sequence of str, default=None
        Readings of so many rows before compete, too: 3, or ["3:a,b"] for those of some columns. The rows are one series
        in order then, a number of folds is that of forward-chained blocks, and what is predicted begins a series.
    degree : {1, 2}, default=1
        2: squares and products of the columns of numbers compete, too.
    hinges : int, default=0
        Knots of each column of numbers, which part the rows evenly: what it is above each competes, too.
    robust : bool, default=False
        Wild values of the target count less (Huber's loss): rows are weighed by their residuals, fitted again, and so
        on until their scale stays. Of one target.
    tol : float, default=1e-9
    max_iter : int, default=10_000
        Of coordinate descent.
    n_jobs : int, default=None
        Threads, one BLAS thread each; None: 1, -1: all cores. The result does not depend on it.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Raw units. With `categorical`, `lags`, `degree` or `hinges` of the columns that ``design_.names`` names.
    intercept_ : float or array of shape (n_targets,)
    model_ : edge_lasso_runtime.model.Model
        What `prune`, `quantize` and `export` take.
    alpha_, gamma_, method_, n_iter_, optimality_gap_, cv_error_ : float, str, int; lists for several targets
        ``gamma * lasso + (1 - gamma) * refit`` at alpha; sweeps; duality gap relative to the target's variance;
        held-out mean squared error of the choice.
    path_ : Path, or list of Path
        alphas, coefs, cv_mean, cv_se, n_nonzero, ended.
    fit_ : Fit, or list of Fit
    statistics_ : FoldStatistics
        What `prune` reads.
    feature_means_ : array of shape (n_features,)
        Replace missing readings.
    n_features_in_, feature_names_in_

    Examples
    --------
    >>> import numpy as np
    >>> from edge_lasso.estimators.regressor import LassoRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> y = 2.0 * X[:, 1] - X[:, 4] + 0.1 * X[:, 0] ** 2
    >>> LassoRegressor(max_inputs=2).fit(X, y).coef_.nonzero()[0].tolist()
    [1, 4]
    """

    model_: Model

    def __init__(
        self,
        l1_ratio: float = 1.0,
        alphas: Any = 100,
        eps: float | None = None,
        cv: Any = 5,
        select: str = "auto",
        max_inputs: int | None = None,
        refit: bool = True,
        positive: bool = False,
        penalty: Sequence[float] | None = None,
        tol: float = 1e-9,
        max_iter: int = 10_000,
        n_jobs: int | None = None,
        method: str = "lasso",
        sensors: Sequence[int] | None = None,
        signs: Sequence[int] | None = None,
        categorical: Sequence[str | int] | None = None,
        lags: int | Sequence[str] | None = None,
        degree: int = 1,
        hinges: int = 0,
        robust: bool = False,
    ) -> None:
        self.robust = robust
        self.categorical = categorical
        self.lags = lags
        self.degree = degree
        self.hinges = hinges
        self.method = method
        self.signs = signs
        self.l1_ratio = l1_ratio
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.select = select
        self.max_inputs = max_inputs
        self.refit = refit
        self.positive = positive
        self.penalty = penalty
        self.sensors = sensors
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> LassoRegressor:
        """Fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN, infinite or beyond 2^100: missing.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative, not all zero.
        groups : array-like of shape (n_samples,), default=None
            For a `cv` that splits by groups.

        Warns
        -----
        UserWarning
            Columns differ by so little that what is in the difference is not used.

        Raises
        ------
        DataError
            Also `robust` with several targets.
        """
        names = target_names(y)
        X, y = self._checked(X, y, multi_output=True, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        if not np.isfinite(y).all():
            raise DataError("y has missing or infinite values; drop those rows")
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
        if weight is not None and not weight.any():
            raise DataError("sample_weight is zero for every row; at least one must be larger")
        if self.robust and y.ndim > 1:
            raise DataError("robust weighs each row by one target's residual; fit the targets one by one")
        plan = self._plan(X, y, groups)
        X = self._derive(X, plan)
        self._weighed(X, y, plan, weight, names)
        if self.robust:

            def again(weights: Array) -> LassoRegressor:
                return self._weighed(X, y, plan, weights if weight is None else weights * weight, names)

            weighed, rounds = reweighed(self, again, lambda fitted: y - fitted._values(X))[1:]
            self.model_ = self.model_.replace(provenance={**self.model_.provenance, "robust": weighed.to_json(rounds)})
        return self

    def _weighed(self, X: Array, y: Array, plan: FoldPlan, weight: Array | None, names: Any) -> LassoRegressor:
        """Fit columns that are derived already, with these weights of the rows."""
        options = self._of_columns(self._options())
        columns, terms = self.design_.names, self.design_.terms
        targets = ("y",) if y.ndim == 1 else tuple(f"y{j}" for j in range(y.shape[1]))
        targets = _distinct(targets if names is None else names, columns)
        at, supplied = np.arange(len(columns)), None
        if METHODS[options.method].on_rows and len(columns) > max(len(X), SCREEN_FROM):
            supplied = row_paths(X, y.reshape(len(y), -1), plan, weight, options, columns)
            at = supplied[0].columns
        used = X if supplied is None else X[:, at]
        folds = collect(used, y, plan, [columns[j] for j in at], targets, weight, options.workers)
        for lost in all_but_equal(folds):
            warnings.warn(lost, UserWarning, stacklevel=3)
        options = options if supplied is None else options.on_columns(at)
        means = folds.total.means()[: len(at)]
        self.feature_means_: Array = means if supplied is None else supplied[0].whole.scaling.mean
        fits = fit_statistics(folds, options, [terms[j] for j in at], given=supplied)
        about = provenance(fits, folds, options)
        inputs = inputs_of(self.design_, X, self.feature_means_, folds.total)
        self.model_ = to_model(fits, inputs, self.design_.columns, [terms[j] for j in at], about)
        self._finish(fits, folds, at, y.ndim == 1)
        return self

    def _plan(self, X: Any, y: Any, groups: Any) -> FoldPlan:
        ordered = self.lags is not None and isinstance(self.cv, int) and self.cv > 0
        return forward_chain(len(y), self.cv) if ordered else plan_folds(self.cv, len(y), X, y, groups)

    def _options(self) -> TrainOptions:
        return TrainOptions(
            method=self.method,
            l1_ratio=self.l1_ratio,
            alphas=self.alphas,
            eps=self.eps,
            select=self.select,
            max_inputs=self.max_inputs,
            refit=self.refit,
            positive=self.positive,
            signs=self.signs,
            penalty=self.penalty,
            groups=self.sensors,
            tol=self.tol,
            max_iter=self.max_iter,
            workers=threads(self.n_jobs),
        )

    def _finish(self, fits: list[Fit], folds: FoldStatistics, at: Array, single: bool) -> None:
        """Set the fitted attributes; `at` is where the columns of the statistics are among all."""
        self.statistics_ = folds
        width = len(self.design_.terms)
        if len(at) < width:
            fits = [_spread(fit, at, width) for fit in fits]
        coef = np.array([fit.coef for fit in fits])
        intercept = np.array([fit.intercept for fit in fits])

        def each(name: str) -> Any:
            values = [getattr(fit, name) for fit in fits]
            return values[0] if single else values

        self.coef_: Array = coef[0] if single else coef
        self.intercept_: Any = float(intercept[0]) if single else intercept
        self.fit_: Fit | list[Fit] = fits[0] if single else fits
        self.path_: Path | list[Path] = each("path")
        self.alpha_, self.gamma_, self.method_ = each("alpha"), each("gamma"), each("method")
        self.optimality_gap_, self.cv_error_ = each("optimality_gap"), each("cv_error")
        self.n_iter_ = max(fit.n_iter for fit in fits)

    def predict(self, X: Any) -> Array:
        """Predict; a missing reading counts as the training mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
        """
        return self._values(self._derived(X))

    def _values(self, X: Array) -> Array:
        coef = np.atleast_2d(self.coef_)
        used = np.flatnonzero(coef.any(axis=0))
        x = np.asarray(X[:, used], dtype=np.float64)
        known = np.abs(x) <= READING_LIMIT
        if not known.all():
            x = np.where(known, x, self.feature_means_[used])
        values = x @ coef[:, used].T + self.intercept_
        return np.asarray(values[:, 0] if self.coef_.ndim == 1 else values)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags


def _spread(fit: Fit, at: Array, p: int) -> Fit:
    """The same fit among all columns."""
    coef, coefs = np.zeros(p), np.zeros((p, fit.path.coefs.shape[1]))
    coef[at], coefs[at] = fit.coef, fit.path.coefs
    return replace(fit, coef=coef, path=replace(fit.path, coefs=coefs))


def _distinct(targets: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Names for the targets that are not names of columns."""
    taken = set(columns)
    return tuple(name if name not in taken else f"target {name}" for name in targets)
