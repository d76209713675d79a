"""Models from fitted scikit-learn pipelines: scaling and imputing are folded into raw sensor units, in binary64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    QuantileRegressor,
    Ridge,
    RidgeCV,
    SGDRegressor,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from edge_lasso.errors import DataError
from edge_lasso.estimators.classifier import LassoClassifier
from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso.training.models import versions
from edge_lasso_runtime.format import from_dict, to_dict
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

Array = npt.NDArray[Any]
REGRESSORS = (
    Lasso, LassoCV, LassoLars, LassoLarsCV, LassoLarsIC, ElasticNet, ElasticNetCV, Ridge, RidgeCV, LinearRegression,
    MultiTaskLasso, MultiTaskLassoCV, MultiTaskElasticNet, MultiTaskElasticNetCV, OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV, Lars, LarsCV, BayesianRidge, ARDRegression, HuberRegressor, QuantileRegressor,
    SGDRegressor, LassoRegressor,
)  # fmt: skip
CLASSIFIERS = (LogisticRegression, LogisticRegressionCV, LassoClassifier)
DEVIATIONS = 4.0


@dataclass
class _Steps:
    """What the transformers do to a column: ``scaled = (x - shift) * factor``, a gap is `fill` in raw units."""

    shift: Array
    factor: Array
    fill: Array
    mean: Array
    low: Array
    high: Array
    kept: Array  # positions of the columns that are left (an imputer drops empty ones)


def from_sklearn(
    estimator: Any,
    X: Any = None,
    feature_names: Sequence[str] | None = None,
    target_names: str | Sequence[str] | None = None,
) -> Model:
    """Turn a fitted linear estimator, or a pipeline that ends in one, into a model.

    Parameters
    ----------
    estimator : fitted estimator
        Lasso, ElasticNet, Ridge, LinearRegression, their CV forms, other linear regressors of scikit-learn,
        LassoRegressor, LogisticRegression (two or more classes), LassoClassifier, or a ``Pipeline`` of SimpleImputer,
        StandardScaler and MinMaxScaler before one of them.
    X : array or DataFrame, shape (rows, features), optional
        Training rows: give the ranges, and the defaults where no imputer does. Without them, ranges come from a
        MinMaxScaler, or are four standard deviations around a StandardScaler's mean (the provenance says so).
    feature_names : sequence of str, optional
    target_names : str or sequence of str, optional
        Default: the estimator's `feature_names_in_`, else ``x0``, ``x1``, ...; ``y``, or ``y0``, ``y1``, ...

    Returns
    -------
    Model
        Inputs with a coefficient that is not zero only.

    Raises
    ------
    DataError
        Not fitted; a step that cannot be folded; nothing that tells the ranges.
    """
    steps = list(estimator.steps) if isinstance(estimator, Pipeline) else [("estimator", estimator)]
    last = steps[-1][1]
    if not isinstance(last, (*REGRESSORS, *CLASSIFIERS)):
        raise DataError(
            f"step '{steps[-1][0]}' is {type(last).__name__}; the last step must be Lasso, ElasticNet, Ridge, "
            "LinearRegression, a CV form of them, another linear regressor of scikit-learn, LogisticRegression, "
            "LassoRegressor or LassoClassifier"
        )
    for name, step in steps:
        try:
            if step not in (None, "passthrough"):
                check_is_fitted(step)
        except NotFittedError:
            raise DataError(f"step '{name}' ({type(step).__name__}) is not fitted; call fit first") from None
    width = int(getattr(steps[0][1], "n_features_in_", last.n_features_in_))
    names = _names(estimator, steps, feature_names, width)
    folded = _fold(steps[:-1], width)
    if isinstance(last, LassoRegressor | LassoClassifier):
        _fill(folded, last.feature_means_)
        for one in last.model_.inputs:
            j = folded.kept[one.column]
            ends = np.array([one.low, one.high]) / folded.factor[j] + folded.shift[j]
            folded.low[j], folded.high[j] = ends.min(), ends.max()
    coef = np.atleast_2d(np.asarray(last.coef_, dtype=np.float64))
    intercept = np.broadcast_to(np.asarray(last.intercept_, dtype=np.float64).ravel(), (len(coef),))
    if np.shape(last.coef_)[-1] != len(folded.kept):
        raise DataError(f"the estimator has {np.shape(last.coef_)[-1]} coefficients for {len(folded.kept)} columns")
    weights = np.zeros((len(coef), width))
    weights[:, folded.kept] = coef * folded.factor[folded.kept]
    constants = intercept - weights @ np.where(np.isfinite(folded.shift), folded.shift, 0.0)
    used = np.flatnonzero(weights.any(axis=0))
    low, high, default, source = _ranges(folded, _checked(X, names, width), used)
    link, classes, outputs = _outputs(last, weights, target_names)
    inputs = tuple(
        Input(names[j], int(j), float(np.clip(default[j], low[j], high[j])), float(low[j]), float(high[j]))
        for j in used
    )
    made = tuple(
        Output(name, float(constants[m]), tuple(
            Term(float(weights[m, j]), (Factor(i),)) for i, j in enumerate(used) if weights[m, j] != 0.0
        ), link)
        for m, name in enumerate(outputs)
    )  # fmt: skip
    ours = isinstance(last, LassoRegressor | LassoClassifier)
    solver = f"{'edge-lasso' if ours else 'scikit-learn'} {type(last).__name__}"
    about = {"solver": solver, "ranges": source, "versions": versions()}
    return from_dict(to_dict(Model(tuple(names), inputs, made, classes=classes, provenance=about)))


def _names(estimator: Any, steps: Any, given: Sequence[str] | None, width: int) -> list[str]:
    found = given
    if found is None:
        found = getattr(estimator, "feature_names_in_", None)
    if found is None:
        found = getattr(steps[0][1], "feature_names_in_", None)
    names = [f"x{j}" for j in range(width)] if found is None else [str(name) for name in found]
    if len(names) != width or len(set(names)) != width:
        raise DataError(f"feature_names has {len(names)} names; there must be {width} different ones")
    return names


def _fold(steps: Any, width: int) -> _Steps:
    nan = np.full(width, np.nan)
    folded = _Steps(np.zeros(width), np.ones(width), nan.copy(), nan.copy(), nan.copy(), nan.copy(), np.arange(width))
    for name, step in steps:
        kept = folded.kept
        if step is None or step == "passthrough":
            continue
        if isinstance(step, SimpleImputer):
            if step.add_indicator or not (isinstance(step.missing_values, float) and np.isnan(step.missing_values)):
                raise DataError(
                    f"step '{name}': only SimpleImputer(missing_values=nan, add_indicator=False) can be folded"
                )
            values = np.asarray(step.statistics_, dtype=np.float64)
            empty = np.isnan(values)
            if empty.any() and not step.keep_empty_features:
                folded.kept = kept = kept[~empty]
                values = values[~empty]
            _fill(folded, values)
        elif isinstance(step, StandardScaler):
            shift = np.asarray(step.mean_) if step.with_mean else np.zeros(len(kept))
            factor = np.ones(len(kept)) if step.scale_ is None else 1.0 / np.asarray(step.scale_)
            if step.mean_ is not None:
                mean = step.mean_ / folded.factor[kept] + folded.shift[kept]
                folded.mean[kept] = mean
                if step.var_ is not None:
                    reach = DEVIATIONS * np.sqrt(step.var_) / np.abs(folded.factor[kept])
                    known = np.isfinite(folded.low[kept])  # a MinMaxScaler before saw the range itself
                    folded.low[kept] = np.where(known, folded.low[kept], mean - reach)
                    folded.high[kept] = np.where(known, folded.high[kept], mean + reach)
            _chain(folded, shift, factor)
        elif isinstance(step, MinMaxScaler):
            if step.clip:
                raise DataError(f"step '{name}': MinMaxScaler(clip=True) cannot be folded; set clip=False")
            ends = np.stack([step.data_min_, step.data_max_]) / folded.factor[kept] + folded.shift[kept]
            folded.low[kept], folded.high[kept] = ends.min(axis=0), ends.max(axis=0)
            _chain(folded, -np.asarray(step.min_) / step.scale_, np.asarray(step.scale_))
        else:
            raise DataError(
                f"step '{name}' is {type(step).__name__}; allowed before the estimator are SimpleImputer, "
                "StandardScaler and MinMaxScaler"
            )
    return folded


def _fill(folded: _Steps, values: Array) -> None:
    """What replaces a gap at this step, unless an earlier step filled it."""
    kept = folded.kept
    first = np.isnan(folded.fill[kept])
    folded.fill[kept] = np.where(first, values / folded.factor[kept] + folded.shift[kept], folded.fill[kept])


def _chain(folded: _Steps, shift: Array, factor: Array) -> None:
    """Apply ``(z - shift) * factor`` after what is there: z = (x - s) * f."""
    kept = folded.kept
    folded.shift[kept] += shift / folded.factor[kept]
    folded.factor[kept] *= factor


def _checked(X: Any, names: Sequence[str], width: int) -> Array | None:
    """Training rows as numbers, in the order the estimator knows."""
    if X is None:
        return None
    given = getattr(X, "columns", None)
    if given is not None and set(map(str, given)) == set(names):
        X = X[list(names)]
    try:
        rows = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("X has values that are no numbers; give the rows that the estimator was fitted on") from None
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise DataError(f"X has the shape {rows.shape}; the estimator was fitted on {width} columns")
    return rows


def _ranges(folded: _Steps, rows: Array | None, used: Array) -> tuple[Array, Array, Array, str]:
    default = np.where(np.isnan(folded.fill), folded.mean, folded.fill)
    if rows is not None:
        rows = np.where(np.isfinite(rows), rows, np.nan)
        seen = ~np.isnan(rows)
        count = np.maximum(seen.sum(axis=0), 1)
        mean = np.where(seen, rows, 0.0).sum(axis=0) / count
        low, high = np.where(seen, rows, np.inf).min(axis=0), np.where(seen, rows, -np.inf).max(axis=0)
        default = np.where(np.isnan(folded.fill), mean, folded.fill)
        low, high = np.minimum(low, default), np.maximum(high, default)
        return low, high, default, "training rows"
    default = np.where(np.isnan(default), (folded.low + folded.high) / 2.0, default)
    low, high = np.fmin(folded.low, default), np.fmax(folded.high, default)
    if np.isnan(folded.low[used]).any():
        raise DataError("nothing tells the ranges of the inputs; pass the training rows as X")
    return low, high, default, "scalers (a StandardScaler's: four standard deviations around the mean)"


def _outputs(
    last: Any, weights: Array, given: str | Sequence[str] | None
) -> tuple[str, tuple[str, ...] | None, tuple[str, ...]]:
    count = len(weights)
    link, classes = "identity", None
    default = ("y",) if count == 1 else tuple(f"y{m}" for m in range(count))
    if isinstance(last, CLASSIFIERS):
        classes = tuple(str(name) for name in last.classes_)
        link = "logistic" if count == 1 else "softmax"
        default = ("y",) if count == 1 else tuple(f"y = {name}" for name in classes)
        one_vs_rest = str(getattr(last, "multi_class", "auto")) == "ovr" or getattr(last, "solver", "") == "liblinear"
        if count > 1 and one_vs_rest:
            raise DataError(
                "one-vs-rest LogisticRegression cannot be folded; fit it with another solver or multi_class"
            )
    names = default if given is None else (given,) if isinstance(given, str) else tuple(given)
    if len(names) != count:
        raise DataError(f"target_names has {len(names)} names; there must be {count}")
    return link, classes, names
