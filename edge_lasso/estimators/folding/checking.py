"""Whether a model predicts what its estimator predicts: compared on rows, always."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.readings import Readings, is_missing
from edge_lasso.estimators.folding.registry import Head
from edge_lasso.estimators.folding.rows import Rows, model_rows
from edge_lasso.predicting.linear_columns import factor_column
from edge_lasso.predicting.predict_table import class_codes, linear_rows, link_rows
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]
GIVEN, DRAWN = 2000, 400
MISSING = 0.1
CLOSE = 1e-9
ROUNDED = 4.0 * 2.0**-53
WORST = 1e-5
"""Rounding, as a part of a standard deviation, with which a model is refused."""
OTHER = "it computes something else than a linear model of its kind, so there is no model of it"


@dataclass(frozen=True)
class Agreement:
    """What was compared.

    Parameters
    ----------
    rows : int
    largest : float
        Difference, in standard deviations of a regressor's predictions, or of a probability.
    of : {"predictions", "probabilities", "labels"}
    """

    rows: int
    largest: float
    of: str


def drawn_rows(readings: Readings, rows: Rows | None, framed: Any, seed: int = 0) -> Rows:
    """Rows that mix what each input was: the columns of the rows given, shuffled, or values inside what was learned.

    Parameters
    ----------
    readings : Readings
    rows : Rows, optional
    framed : list of str or None
        The names, where the estimator was fitted on a table with names.
    seed : int
    """
    rng = np.random.default_rng(seed)
    columns: list[Any] = []
    for place, known in enumerate(readings.values):
        if rows is not None:
            values = rows.column(place)
            there = np.array([place in readings.gaps or not is_missing(value) for value in values.tolist()])
            values = rng.choice(values[there] if there.any() else np.zeros(1), DRAWN)
        elif known:
            values = np.array([known[k] for k in rng.integers(len(known), size=DRAWN)], dtype=object)
        else:
            low, high, mean = readings.low[place], readings.high[place], readings.mean[place]
            values = (
                rng.uniform(low, high, DRAWN) if low is not None and high is not None else np.full(DRAWN, mean or 0.0)
            )
        if place in readings.gaps:
            gone = rng.random(DRAWN) < MISSING
            values = np.where(gone, np.nan, values) if values.dtype.kind == "f" else _with_gaps(values, gone)
        columns.append(values)
    if framed is not None and (rows is None or rows.framed):
        return Rows(_frame(dict(zip(framed, columns, strict=True)), rows))
    kinds = {column.dtype.kind for column in columns}
    block = np.empty((DRAWN, len(columns)), dtype=np.float64 if kinds <= set("fiub") else object)
    for place, column in enumerate(columns):
        block[:, place] = column
    return Rows(block)


def _with_gaps(values: Array, gone: Array) -> Array:
    values = values.astype(object) if values.dtype.kind not in "f" else values
    values[gone] = np.nan
    return values


def _frame(columns: dict[str, Any], rows: Rows | None) -> Any:
    if rows is None or hasattr(rows.table, "iloc"):
        try:
            import pandas as pd
        except ImportError:  # then it was fitted on a frame of polars
            pass
        else:
            return pd.DataFrame(columns)
    import polars as pl

    return pl.DataFrame({name: values.tolist() for name, values in columns.items()})


def complete(rows: Rows, readings: Readings) -> Array:
    """Rows that lack nothing but what a step replaces: its estimator takes no others."""
    whole = np.ones(len(rows), dtype=bool)
    for place in set(range(len(readings.names))) - readings.gaps:
        values = rows.column(place)
        whole &= ~np.array([is_missing(value) for value in values.tolist()], dtype=bool)
        if values.dtype.kind == "f":
            whole &= np.isfinite(values)
    return whole


def check(estimator: Any, model: Model, head: Head, readings: Readings, rows: Rows, origin: str) -> Agreement:
    """Compare a model with its estimator on rows.

    Raises
    ------
    DataError
        They disagree; or rounding alone could make them.
    """
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(GIVEN, len(rows))).astype(int))
    chosen = chosen[complete(Rows(rows.take(chosen)), readings)]
    if not len(chosen):
        return Agreement(0, 0.0, "predictions")
    some = Rows(rows.take(chosen))
    block = model_rows(some, model, readings)
    linear = linear_rows(model, block)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            predicted = np.asarray(estimator.predict(some.table))
            probable = head.probabilities and hasattr(estimator, "predict_proba")
            probabilities = np.asarray(estimator.predict_proba(some.table)) if probable else None
        except (ValueError, TypeError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{_kind(estimator)} cannot predict {origin} ({reason}); pass the training rows as X"
            ) from error
    reach = _magnitudes(model, block)
    if head.classes is None:
        wanted = predicted.reshape(len(chosen), -1)
        spread = wanted.std(axis=0)
        mine = link_rows(model, linear)
        reach = reach * (mine if head.link == "exp" else 1.0)  # what the link makes of a rounding
        difference = np.abs(mine - wanted)
        tolerance = CLOSE * spread + ROUNDED * reach
        flat = spread <= 8.0 * ROUNDED * np.abs(wanted).max(axis=0)  # rounding of a constant is no spread
        unit = np.where(flat, np.maximum(np.abs(wanted).max(axis=0), np.finfo(float).tiny), spread)
        _compare(estimator, mine, wanted, difference, tolerance, "", origin)
        _steady(ROUNDED * reach / unit)
        return Agreement(len(chosen), float((difference / unit).max(initial=0.0)), "predictions")
    _steady(ROUNDED * reach)
    tolerance = CLOSE + ROUNDED * reach.max(axis=1, keepdims=True)
    _same_labels(estimator, linear, predicted, head, tolerance, origin)
    if probabilities is None:
        return Agreement(len(chosen), 0.0, "labels")
    mine = link_rows(model, linear)
    mine = np.append(1.0 - mine, mine, axis=1) if mine.shape[1] == 1 else mine
    difference = np.abs(mine - probabilities)
    _compare(estimator, mine, probabilities, difference, tolerance, " as a probability", origin)
    return Agreement(len(chosen), float(difference.max(initial=0.0)), "probabilities")


def _kind(estimator: Any) -> str:
    return type(estimator).__name__


def _magnitudes(model: Model, block: Array) -> Array:
    """``|intercept| + sum |coef * product of factors|``, shape (rows, outputs)."""
    values = []
    for feature, x in zip(model.inputs, block.T, strict=True):
        values.append(
            x if feature.categories is not None else np.where(np.isfinite(x), np.abs(x), abs(feature.default or 0.0))
        )
    total = np.empty((len(block), len(model.outputs)))
    for m, output in enumerate(model.outputs):
        size = np.full(len(block), abs(output.intercept))
        for term in output.terms:
            product: Any = abs(term.coef)
            for factor in term.factors:
                x = values[factor.input]
                product = product * (x + abs(factor.hinge) if factor.hinge is not None else factor_column(factor, x))
            size = size + product
        total[:, m] = size
    return total


def _compare(
    estimator: Any, mine: Array, wanted: Array, difference: Array, tolerance: Array, what: str, origin: str
) -> None:
    if mine.shape != wanted.shape:
        raise DataError(f"{_kind(estimator)} predicts {wanted.shape[1]} values a row{what}, its model {mine.shape[1]}")
    bad = ~(difference <= tolerance)
    if bad.any():
        row, m = np.argwhere(bad)[int(np.argmax(np.where(np.isnan(difference), np.inf, difference)[bad]))]
        raise DataError(
            f"{_kind(estimator)} predicts {wanted[row, m]:.9g}{what} for row {row} of {origin}, its coefficients "
            f"{mine[row, m]:.9g}; {OTHER}"
        )


def _same_labels(estimator: Any, linear: Array, predicted: Array, head: Head, tolerance: Array, origin: str) -> None:
    if predicted.ndim != 1:
        raise DataError(f"{_kind(estimator)} predicts {predicted.shape[1]} labels a row; a model names one class")
    codes = class_codes(linear)
    assert head.classes is not None
    labels = np.asarray(head.classes)[codes]
    ordered = np.sort(np.abs(linear) if linear.shape[1] == 1 else linear, axis=1)
    margin = ordered[:, 0] if linear.shape[1] == 1 else ordered[:, -1] - ordered[:, -2]
    bad = np.flatnonzero((labels != predicted) & (margin > 2.0 * tolerance[:, 0]))
    if len(bad):
        raise DataError(
            f"{_kind(estimator)} predicts {str(predicted[bad[0]])!r} for row {bad[0]} of {origin}, its "
            f"scores say {str(labels[bad[0]])!r}; {OTHER}"
        )


def _steady(rounding: Array) -> None:
    worst = float(rounding.max(initial=0.0))
    if worst > WORST:
        raise DataError(
            f"rounding alone could move a prediction by {worst:.1g} of a standard deviation (allowed: {WORST:g}): its "
            "terms are much larger than their sum; take offsets off the readings before the table, or use fewer powers"
        )
