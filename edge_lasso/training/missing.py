"""What it costs when an input is missing, and the few numbers with which a board estimates it from the others.

The section ``estimate/1`` (see `edge_lasso_runtime.estimate`) from training statistics, without looking at a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.paths.options import Fit
from edge_lasso.paths.refit import inverse, least_squares
from edge_lasso.predicting.estimates import full_matrix, growth, lost_with
from edge_lasso.statistics.folds import FoldStatistics, held_out_moments
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.statistics.moments import Moments
from edge_lasso_runtime.estimate import KEY, numeric, slopes
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]
RIDGE = 1e-6
"""Of an input's variance, as noise of its own: sensors that repeat each other still have an inverse, in float32 too."""
MOST_INPUTS = 64
ROWS_PER_INPUT = 4


def cannot_estimate(model: Model, rows: int) -> str:
    """Why a model's missing inputs cannot be estimated from the others; empty when they can."""
    count = len(numeric(model))
    if model.degree > 1 or model.bent:
        return "it has products of inputs" if model.degree > 1 else "it has hinges"
    if not 2 <= count <= MOST_INPUTS:
        return f"it has {count} input{'s' * (count != 1)} of numbers; 2 to {MOST_INPUTS} are possible"
    if rows < ROWS_PER_INPUT * count:
        return f"its {count} inputs were seen in {rows} rows only"
    return ""


def with_estimate(model: Model, folds: FoldStatistics, residual: Sequence[float], strict: bool = False) -> Model:
    """A model that estimates its missing inputs, if it can.

    Parameters
    ----------
    model : Model
    folds : FoldStatistics
        Of the rows it was trained on.
    residual : sequence of float
        Mean squared error of each output on rows not trained on; 0: not known, and errors are never called wider.
    strict : bool
        Raise a `DataError` when it cannot.
    """
    why = cannot_estimate(model, folds.total.rows)
    if why:
        if strict:
            raise DataError(f"the model cannot estimate missing inputs: {why}; leave estimate out of --sections")
        return model.replace(sections={key: section for key, section in model.sections.items() if key != KEY})
    return model.replace(sections={**model.sections, KEY: estimate_section(model, folds, residual)})


def estimate_section(model: Model, folds: FoldStatistics, residual: Sequence[float]) -> dict[str, Any]:
    """Section ``estimate/1``: means, inverse covariance, error, and what each missing input adds to it.

    A reading that derived inputs are computed from is lost together with them. An output among the inputs (whose past
    is one) does not help to estimate others: its own error would come back.
    """
    at = numeric(model)
    inputs = [model.inputs[i] for i in at]
    place = {name: j for j, name in enumerate((*folds.columns, *folds.targets))}
    covariance = covariances(folds.total.moments(), [place[feature.name] for feature in inputs])
    own = [k for k, feature in enumerate(inputs) if feature.name not in folds.columns]
    for k in own:
        alone = covariance[k, k]
        covariance[k], covariance[:, k] = 0.0, 0.0
        covariance[k, k] = alone
    variance = np.diagonal(covariance).copy()
    variance[variance <= 0.0] = 1.0
    ridge = np.diag(variance * (1.0 + RIDGE) - np.diagonal(covariance))
    return _section([feature.default for feature in inputs], inverse(covariance + ridge), model, residual)


def _section(mean: Sequence[Any], precision: Array, model: Model, residual: Sequence[float]) -> dict[str, Any]:
    at = numeric(model)
    weights = np.array(slopes(model, at))
    losses = [growth(precision, w, lost_with(model, at, k)) for w in weights for k in range(len(at))]
    return {
        "mean": list(mean),
        "inverse": [_short(value) for value in precision[np.tril_indices(len(at))]],
        "residual": [_short(value) for value in residual],
        "loss": [_short(value) for value in losses],
    }


def without_inputs(model: Model, before: Model, residual: Sequence[float]) -> Model:
    """A model, made from one with more inputs, that estimates what it still has."""
    section = before.sections[KEY]
    sections = {key: section for key, section in model.sections.items() if key != KEY}
    at, names = numeric(model), [before.inputs[i].name for i in numeric(before)]
    if len(at) < 2:
        return model.replace(sections=sections)
    remaining = [names.index(model.inputs[i].name) for i in at]
    precision = inverse(inverse(full_matrix(section["inverse"], len(names)))[np.ix_(remaining, remaining)])
    result = _section([section["mean"][k] for k in remaining], precision, model, residual)
    return model.replace(sections={**sections, KEY: result})


def covariances(moments: Moments, at: Sequence[int]) -> Array:
    """Covariances of some columns."""
    return np.array(moments.covariance[np.ix_(at, at)])


def held_out_errors(model: Model, folds: FoldStatistics) -> list[float]:
    """Mean squared error of each output: least squares on its terms, on the rows that each fold holds out.

    Of the model as it is on the training rows, where there are no folds.
    """
    place = {name: j for j, name in enumerate(folds.columns)}
    result = []
    for m, names in enumerate(model_term_names(model)):
        columns = np.array([place[name] for name in names], dtype=np.intp)
        target = len(place) + folds.targets.index(model.outputs[m].name)
        pairs = [held_out_moments(folds, split) for split in range(len(folds.splits))]
        total = folds.total.moments()
        coefs = [least_squares(*_normal(train, columns, target))[0] for train, _ in pairs]
        if not pairs:
            pairs, coefs = [(total, total)], [np.array([term.coef for term in model.outputs[m].terms])]
        errors = [
            squared_error(train, test, columns, target, coef) for (train, test), coef in zip(pairs, coefs, strict=True)
        ]
        result.append(float(np.mean(errors)))
    return result


def errors_of(fits: Sequence[Fit], model: Model, folds: FoldStatistics) -> list[float]:
    """Mean squared error of each output as the training states it: cross-validated, if it was."""
    stated = [float(fit.cv_error) for fit in fits]
    return stated if np.isfinite(stated).all() else held_out_errors(model, folds)


def squared_error(train: Moments, test: Moments, columns: Array, target: int, coef: Array) -> float:
    """Of centred coefficients (the intercept makes the training residuals sum to zero)."""
    offset = test.delta - train.delta + (test.shift - train.shift)
    bias = offset[target] - offset[columns] @ coef
    covariance = test.covariance
    quadratic = coef @ covariance[columns[:, None], columns] @ coef
    return float(bias**2 + covariance[target, target] - 2.0 * coef @ covariance[columns, target] + quadratic)


def _normal(moments: Moments, columns: Array, target: int) -> tuple[Array, Array, Array]:
    covariance = moments.covariance
    return covariance[columns[:, None], columns], covariance[columns, target], np.arange(len(columns))


def _short(value: float) -> float:
    """Nine significant digits: far finer than the ridge."""
    return float(f"{value:.9g}")
