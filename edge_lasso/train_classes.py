"""Training a classifier from a table: the path on rows in memory, the model on all of them, however many there are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight

from edge_lasso.calibration import reliability
from edge_lasso.classifier import class_folds, classifier_model, provenance
from edge_lasso.collect_table import Design, Progress, filled, kept_blocks, sum_rows, table_inputs, without
from edge_lasso.errors import DataError
from edge_lasso.fit import TrainOptions
from edge_lasso.fit_logistic import TOLERANCE, LogisticFit, Scaling, fit_logistic, one_hot
from edge_lasso.folds import FoldPlan, FoldStatistics, forward_chain, one_blas_thread
from edge_lasso.logistic import Block, LogisticSolver, Rows
from edge_lasso.predict_table import linear_rows
from edge_lasso.row_labels import group_folds
from edge_lasso.sensors import Sensors
from edge_lasso.survey import Survey, survey
from edge_lasso.tables import Table, category_codes, model_block, open_table
from edge_lasso.train import input_owners
from edge_lasso_runtime.model import READING_LIMIT, Input, Model

Array = npt.NDArray[Any]
IN_MEMORY = 2**24
"""Readings that are kept in memory; of a larger table evenly spaced rows choose alpha, and all rows fit the model."""


@dataclass(frozen=True)
class ClassesResult:
    """A trained classifier and what was seen on the way.

    Parameters
    ----------
    model : Model
    folds : FoldStatistics or None
        Of two classes: the rows' working responses and weights at the model, so that pruning knows the loss to second
        order. None for more classes.
    fit : LogisticFit
    notes : list of str
    """

    model: Model
    folds: FoldStatistics | None
    fit: LogisticFit
    notes: list[str]


def train_classes(
    data: Any,
    target: str,
    *,
    time: str | None = None,
    inputs: Sequence[str] = (),
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    degree: int = 1,
    cv: int = 5,
    gap: int = 0,
    group: str | None = None,
    holdout: float = 0.0,
    seed: int = 0,
    class_weight: str | None = None,
    options: TrainOptions | None = None,
    sensors: Sensors | None = None,
    progress: Progress | None = None,
    in_memory: int = IN_MEMORY,
) -> ClassesResult:
    """Train a logistic or multinomial lasso from a table; parameters as of `train_table.train_table`.

    Parameters
    ----------
    data : path or table
    target : str
        Column of labels: text or numbers, each different value a class.
    time, inputs, drop, categorical, degree, cv, gap, group, holdout, seed, options, sensors, progress
        As there. Without `time` and `group` the folds are stratified.
    class_weight : "balanced" or None
    in_memory : int
        Readings to keep in memory.

    Raises
    ------
    DataError
        See `train_table`; one class only, or more than 100.
    """
    from edge_lasso.train_table import check_folds, check_numbers, input_columns

    table = open_table(data)
    options = options or TrainOptions()
    sensors = sensors or Sensors()
    check_numbers(degree, holdout)
    check_folds(gap, group, None, time, holdout, cv, None)
    if class_weight not in (None, "balanced"):
        raise DataError(f"class_weight is '{class_weight}'; allowed is balanced, or leave it out")
    columns = [name for name in input_columns(table, [target], time, inputs, drop) if name != group]
    sensors.check(columns, options.method)
    texts = [name for name in columns if name in set(table.expand(categorical, "--categorical"))]
    rows = survey(table, [], time, [*texts, target], holdout, label=target)
    classes = rows.categories[target]
    design = Design(tuple(columns), (), {name: rows.categories[name] for name in texts}, {})
    design, empty = _readable(table, design, rows, degree, progress)
    codes = _codes(table, target, classes)
    terms = design.terms
    options = sensors.on(options, design.columns, terms)
    chosen = np.unique(np.linspace(0, rows.kept - 1, min(rows.kept, max(in_memory // len(terms), 1000))).astype(int))
    X, low, high = _read(table, design, rows, chosen, progress)
    labels = codes[rows.rows(0, rows.kept)[chosen]]
    weights = np.ones(len(classes))
    if class_weight:
        weights = compute_class_weight(class_weight, classes=np.arange(len(classes)), y=labels)
    plan = _plan(table, rows, X, labels, chosen, time, group, cv, gap)
    owners = input_owners(len(terms), terms)
    fit, scaled = fit_logistic(X, labels, classes, weights[labels], plan, options, owners)
    if len(chosen) < rows.kept:
        everything = _rows_of(table, design, rows, codes, weights, scaled, len(classes), progress)
        fit = _on_all_rows(everything, fit, options)
    about = provenance(fit, options, target, rows.kept, plan)
    about["data"] = {
        "file": table.title, "sha256": table.hash, "rows": rows.kept, "rows_without_target": rows.without_target,
        "rows_held_out": rows.used - rows.kept, "rows_that_chose": len(chosen), **rows.span,
    }  # fmt: skip
    about["seed"] = seed
    about["options"] = {
        "task": "classification", "time": time, "inputs": list(inputs), "drop": list(drop),
        "categorical": list(categorical), "degree": degree, "costs": dict(sensors.costs), "cv": cv, "gap": gap,
        "group": group, "holdout": holdout, "class_weight": class_weight, "eps": options.eps, "refit": options.refit,
    }  # fmt: skip
    found = _inputs(design, scaled.mean, low, high)
    model = classifier_model(fit, scaled, found, design.columns, terms, target, classes, about)
    folds = _statistics(X, plan, design, target, fit, scaled, weights[labels]) if len(classes) == 2 else None
    if folds is not None:
        about["statistics_hash"] = folds.hash
    if rows.kept < rows.used:
        about["held_out"] = _held(table, model, rows, codes, len(classes))
    model = model.replace(provenance=about)
    notes = [*rows.notes, *(f"column '{name}' without a reading left out" for name in empty)]
    if fit.ended.endswith("deviance explained"):
        notes.append("the classes are all but separated by these inputs: probabilities are close to 0 and 1")
    return ClassesResult(model, folds, fit, notes)


def _readable(
    table: Table, design: Design, rows: Survey, degree: int, progress: Progress | None
) -> tuple[Design, list[str]]:
    """The design without columns that have no reading."""
    if degree == 2:
        return filled(table, design, rows, progress)
    means = sum_rows(table, design.numeric, rows, progress).means(design.numeric)
    empty = [name for name, mean in means.items() if np.isnan(mean)]
    return without(table, design, empty), empty


def _codes(table: Table, target: str, classes: Sequence[str]) -> Array:
    """The class of every row of the table, -1 where there is none."""
    found = [category_codes(column, classes) for _, (column,) in table.batches([], [target])]
    return np.asarray(np.nan_to_num(np.concatenate(found), nan=-1.0), dtype=np.int16)


def _read(
    table: Table, design: Design, rows: Survey, chosen: Array, progress: Progress | None
) -> tuple[Array, Array, Array]:
    """The chosen rows, by rank; and the range of each column over all rows trained on."""
    low, high = np.full(len(design.terms), np.inf), np.full(len(design.terms), -np.inf)
    place = np.full(rows.kept, -1)
    place[chosen] = np.arange(len(chosen))
    X = np.empty((len(chosen), len(design.terms)))
    for block, _, rank in kept_blocks(design.blocks(table), rows, progress):
        at = np.where(rank >= 0, place[rank], -1)
        X[at[at >= 0]] = block[at >= 0]
        known = (np.abs(block) <= READING_LIMIT) & (rank >= 0)[:, None]
        low = np.minimum(low, np.where(known, block, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(known, block, -np.inf).max(axis=0, initial=-np.inf))
    return X, low, high


def _plan(
    table: Table, rows: Survey, X: Array, labels: Array, chosen: Array, time: str | None, group: str | None, cv: int,
    gap: int,
) -> FoldPlan:  # fmt: skip
    if group is not None:
        if len(chosen) < rows.kept:
            raise DataError("--group needs all rows in memory for classification; use fewer rows or columns")
        return group_folds(table, rows, group, cv)
    return forward_chain(len(X), cv, gap) if time is not None and cv else class_folds(cv, X, labels)


def _inputs(design: Design, mean: Array, low: Array, high: Array) -> dict[int, Input]:
    names = design.names
    at = [names.index(name) for name in design.numeric]
    middle = np.clip(mean, low, high)
    return table_inputs(design, [Input(names[j], 0, float(middle[j]), float(low[j]), float(high[j])) for j in at])


def _rows_of(
    table: Table, design: Design, rows: Survey, codes: Array, weights: Array, scaled: Scaling, classes: int,
    progress: Progress | None,
) -> Rows:  # fmt: skip
    """All rows trained on, read from the file at every pass."""
    ranked = codes[rows.rows(0, rows.kept)]
    total = float(weights[ranked].sum())

    def blocks() -> Iterator[Block]:
        for X, _, rank in kept_blocks(design.blocks(table), rows, progress):
            used = rank >= 0
            label = ranked[rank[used]]
            yield scaled.apply(X[used].astype(np.float64)), one_hot(label, classes), weights[label] / total

    return Rows(blocks, len(scaled.mean), 1 if classes == 2 else classes, eager=True)


@one_blas_thread
def _on_all_rows(rows: Rows, fit: LogisticFit, options: TrainOptions) -> LogisticFit:
    """The same model fitted to all rows: at its alpha, or by maximum likelihood on its inputs."""
    solver = LogisticSolver(rows, options.l1_ratio, TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the optimality conditions are checked
        if fit.gamma == 0.0:
            coefs = solver.refit(fit.coefs)
        else:
            solver.start(fit.coefs)
            coefs = solver.solve(fit.alpha)
    return replace(fit, coefs=coefs, passes=solver.passes, optimality_gap=solver.violation)


def _statistics(
    X: Array, plan: FoldPlan, design: Design, target: str, fit: LogisticFit, scaled: Scaling, weight: Array
) -> FoldStatistics:
    """Statistics whose least squares are a Newton step: the loss to second order around the model."""
    raw = fit.raw(scaled)
    with np.errstate(invalid="ignore"):
        x = np.where(np.abs(X) <= READING_LIMIT, X, scaled.mean)
    z = x @ raw[0, :-1] + raw[0, -1]
    p = expit(z)
    folds = FoldStatistics(design.names, (target,), plan)
    folds.about = {"approximation": "the loss to second order around the model"}
    folds.update(X, z[:, None], plan.part_of(np.arange(len(X))), np.maximum(weight * p * (1.0 - p), 1e-9))
    return folds


def _held(table: Table, model: Model, rows: Survey, codes: Array, classes: int) -> dict[str, float]:
    """Quality on the rows held out."""
    numeric = [one.name for one in model.inputs if one.categories is None]
    text = [one.name for one in model.inputs if one.categories is not None]
    z, done = [], 0
    for numbers, texts in table.batches(numeric, text):
        rank = rows.rank[done : done + len(numbers)]
        done += len(numbers)
        z.append(linear_rows(model, model_block(model, numbers, texts)[rank >= rows.kept])[0])
    label = codes[rows.rank >= rows.kept]
    weight = np.full(len(label), 1.0 / len(label))
    found = reliability([(np.concatenate(z), one_hot(label, classes), weight)], np.array([1.0, 0.0]))
    return {"rows": float(len(label)), **found}
