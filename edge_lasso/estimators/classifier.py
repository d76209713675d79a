"""`LassoClassifier`: the logistic lasso as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from edge_lasso.errors import DataError
from edge_lasso.estimators.deriving import Deriving, inputs_of
from edge_lasso.estimators.onnx_methods import OnnxMethods
from edge_lasso.estimators.tables import target_names
from edge_lasso.paths.logistic import linear, probabilities
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.predict_table import class_codes
from edge_lasso.statistics.plans import forward_chain
from edge_lasso.statistics.workers import threads
from edge_lasso.training.class_models import class_folds, classifier_model, provenance
from edge_lasso.training.fit_classes import fit_logistic
from edge_lasso.training.fit_regression import input_owners
from edge_lasso.training.results import Explains
from edge_lasso_runtime.model import READING_LIMIT, Model

Array = npt.NDArray[Any]


class LassoClassifier(Deriving, Explains, OnnxMethods, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Sparse logistic (two classes) or multinomial regression for small boards.

    Inputs are standardized inside and coefficients given in raw units; the intercept is not penalized; probabilities
    are calibrated on held-out rows where that helps. A missing reading (NaN) is replaced by the training mean.

    Parameters
    ----------
    l1_ratio : float, default=1.0
        1: lasso; less: elastic net.
    alphas : int or array-like, default=100
    eps : float, default=1e-2
        Smallest alpha as a part of the largest.
    cv : int, "time", splitter or iterable, default=5
        A number: stratified folds, no more than the rarest class has rows. "time": five forward-chained blocks.
    select : {"auto", "min", "1se", "paired", "knee", "aic", "bic", "ebic"}, default="auto"
        By held-out log-loss; see `LassoRegressor`.
    max_inputs : int, default=None
    refit : bool, default=True
        Let maximum likelihood on the chosen inputs compete.
    penalty : array-like of shape (n_features,), default=None
        Penalty factors: a sensor that costs more is penalized more.
    class_weight : "balanced", mapping or None, default=None
    categorical, lags, degree, hinges
        As `LassoRegressor` has them.
    n_jobs : int, default=None
        Threads, one BLAS thread each; None: 1, -1: all cores.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
    coef_ : array of shape (1 or n_classes, n_features)
        Raw units.
    intercept_ : array of shape (1 or n_classes,)
    model_ : edge_lasso_runtime.model.Model
    fit_ : LogisticFit
    alpha_, optimality_gap_, cv_error_, n_iter_ : float, float, float, int
        `cv_error_` is the held-out log-loss, `n_iter_` the number of passes over the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from edge_lasso.estimators.classifier import LassoClassifier
    >>> X = np.random.default_rng(0).normal(size=(300, 6))
    >>> y = np.where(X[:, 2] + 0.3 * X[:, 0] > 0.2, "on", "off")
    >>> LassoClassifier(max_inputs=2).fit(X, y).coef_.any(axis=0).nonzero()[0].tolist()
    [0, 2]
    """

    model_: Model

    def __init__(
        self,
        l1_ratio: float = 1.0,
        alphas: Any = 100,
        eps: float = 1e-2,
        cv: Any = 5,
        select: str = "auto",
        max_inputs: int | None = None,
        refit: bool = True,
        penalty: Sequence[float] | None = None,
        class_weight: str | Mapping[Any, float] | None = None,
        n_jobs: int | None = None,
        categorical: Sequence[str | int] | None = None,
        lags: int | Sequence[str] | None = None,
        degree: int = 1,
        hinges: int = 0,
    ) -> None:
        self.categorical = categorical
        self.lags = lags
        self.degree = degree
        self.hinges = hinges
        self.l1_ratio = l1_ratio
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.select = select
        self.max_inputs = max_inputs
        self.refit = refit
        self.penalty = penalty
        self.class_weight = class_weight
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> LassoClassifier:
        """Fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN, infinite or beyond 2^100: missing.
        y : array-like of shape (n_samples,)
            Labels of any kind.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative, not all zero.
        groups : array-like of shape (n_samples,), default=None
            For a `cv` that splits by groups.
        """
        names_of_y = target_names(y)
        X, y = self._checked(X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        names = [str(name) for name in self.classes_]
        if len(names) < 2:
            raise DataError(f"there is one class only ({names[0]}); a classifier needs two or more")
        X = self._derive(X)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        weight = weight * compute_sample_weight(self.class_weight, y)
        options = self._of_columns(self._options())
        ordered = self.lags is not None and isinstance(self.cv, int) and self.cv > 0
        plan = forward_chain(len(X), self.cv) if ordered else class_folds(self.cv, X, codes, groups)
        terms = self.design_.terms
        owners = input_owners(len(terms), terms)
        fit, scaled = fit_logistic(np.asarray(X, dtype=np.float64), codes, names, weight, plan, options, owners)
        inputs = inputs_of(self.design_, X, scaled.mean)
        target = "y" if names_of_y is None or len(names_of_y) != 1 else names_of_y[0]
        about = provenance(fit, options, target, len(X), plan)
        self.model_ = classifier_model(fit, scaled, inputs, self.design_.columns, terms, target, names, about)
        raw = fit.raw(scaled)
        self.coef_: Array = raw[:, :-1]
        self.intercept_: Array = raw[:, -1]
        self.feature_means_: Array = scaled.mean
        self.fit_ = fit
        self.alpha_, self.optimality_gap_, self.cv_error_ = fit.alpha, fit.optimality_gap, fit.cv_error
        self.n_iter_ = max(1, fit.passes)
        return self

    def _options(self) -> TrainOptions:
        return TrainOptions(
            l1_ratio=self.l1_ratio,
            alphas=self.alphas,
            eps=self.eps,
            select=self.select,
            max_inputs=self.max_inputs,
            refit=self.refit,
            penalty=self.penalty,
            workers=threads(self.n_jobs),
        )

    def _linear(self, X: Any) -> Array:
        x = np.asarray(self._derived(X), dtype=np.float64)
        x = np.where(np.abs(x) <= READING_LIMIT, x, self.feature_means_)
        return linear(x, np.append(self.coef_, self.intercept_[:, None], axis=1))

    def decision_function(self, X: Any) -> Array:
        """Linear predictor, shape (n_samples,) for two classes, else (n_samples, n_classes)."""
        z = self._linear(X)
        return z[:, 0] if z.shape[1] == 1 else z

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class, shape (n_samples, n_classes)."""
        p = probabilities(self._linear(X))
        return np.append(1.0 - p, p, axis=1) if p.shape[1] == 1 else p

    def predict(self, X: Any) -> Array:
        """The more probable class, shape (n_samples,)."""
        codes = class_codes(self._linear(X))
        return np.asarray(self.classes_[codes])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags
