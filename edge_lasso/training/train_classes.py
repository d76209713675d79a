"""Training a classifier from a table: the path on rows in memory, the model on all of them, however many there are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from edge_lasso.errors import DataError
from edge_lasso.paths.logistic import LogisticSolver, Rows
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.scaling import Scaling
from edge_lasso.paths.sensors import Sensors
from edge_lasso.predicting.predict_table import rows_from
from edge_lasso.statistics.cluster import Pieces, connect, survey_on
from edge_lasso.statistics.collect import Design, Progress, fill_gaps, table_inputs, without
from edge_lasso.statistics.folds import FoldPlan, FoldStatistics, forward_chain, one_blas_thread
from edge_lasso.statistics.group_folds import group_folds
from edge_lasso.statistics.inputs import numeric_input
from edge_lasso.tables.derived_columns import stream_name
from edge_lasso.tables.series import Past, check_past, expand, series, with_breaks
from edge_lasso.tables.survey import Survey, survey
from edge_lasso.tables.tables import Table, open_table
from edge_lasso.training.class_models import class_folds, classifier_model, provenance
from edge_lasso.training.class_rows import ClusterRows, TableRows, Taken, row_codes
from edge_lasso.training.fit_classes import TOLERANCE, LogisticFit, fit_logistic, row_reliability
from edge_lasso.training.fit_regression import input_owners
from edge_lasso.training.model_sections import check_sections, with_sections
from edge_lasso.training.train_table import check_folds, check_numbers, cluster_path, data_facts, input_columns
from edge_lasso_runtime.model import READING_LIMIT, Input, Model

Array = npt.NDArray[Any]
IN_MEMORY = 2**24
"""Readings that are kept in memory; of a larger table evenly spaced rows choose alpha, and all rows fit the model."""
FEWEST_ROWS = 1000


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
    past: Sequence[Past] = (),
    sections: Sequence[str] | None = None,
    options: TrainOptions | None = None,
    sensors: Sensors | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
    in_memory: int = IN_MEMORY,
) -> ClassesResult:
    """Train a logistic or multinomial lasso from a table; parameters as of `train_table.train_table`.

    Parameters
    ----------
    data : path or table
    target : str
        Column of labels: text or numbers, each different value a class.
    time, inputs, drop, categorical, degree, cv, gap, group, holdout, seed, past, sections, options, sensors, cluster
        As there. Without `time`, `past` and `group` the folds are stratified.
    progress
        As there.
    class_weight : "balanced" or None
    in_memory : int
        Readings to keep in memory.

    Raises
    ------
    DataError
        See `train_table`; one class only, or more than 100.
    """
    options = options or TrainOptions()
    sensors = sensors or Sensors()
    check_numbers(degree, holdout)
    ordered = time is not None or bool(past)
    check_folds(gap, group, None, ordered, holdout, cv, cluster)
    check_past(past, degree, group, cluster)
    check_sections(sections, cluster)
    if class_weight not in (None, "balanced"):
        raise DataError(f"class_weight is '{class_weight}'; allowed is balanced, or leave it out")
    table = open_table(data)
    columns = [name for name in input_columns(table, [target], time, inputs, drop) if name != group]
    texts = [name for name in columns if name in set(table.expand(categorical, "--categorical"))]
    streams = expand(past, table, [name for name in columns if name not in texts])
    sensors.check([*columns, *map(stream_name, streams)], options.method)
    broken: list[str] = []
    with ExitStack() as opened:
        rows: Survey | Pieces
        source: TableRows | ClusterRows
        if cluster is None:
            rows = survey(table, [], time, [*texts, target], holdout, label=target)
            if streams:
                rows, broken = series(rows, time)
            elif time is not None:
                rows = with_breaks(rows)
            classes = rows.categories[target]
            source = TableRows(table, rows, row_codes(table, target, classes), len(classes), progress)
        else:
            path = cluster_path(data, holdout)
            client = opened.enter_context(connect(cluster))
            rows = survey_on(client, path, [], time, [*texts, target], progress, label=target)
            classes = rows.categories[target]
            source = ClusterRows(client, rows, target, classes, progress)
        design = Design(tuple(columns), (), {name: rows.categories[name] for name in texts}, {})
        design = design.deriving(streams)
        design, empty = _readable(table, design, source, degree)
        terms = design.terms
        options = sensors.on(options, design.columns, terms, design.origins)
        count = min(rows.kept, max(in_memory // len(terms), FEWEST_ROWS))
        chosen = np.unique(np.linspace(0, rows.kept - 1, count).astype(int))
        taken = source.take(design, chosen)
        X, labels = taken.X, taken.labels
        weights = np.ones(len(classes))
        if class_weight:
            weights = taken.counts.sum() / (len(classes) * np.maximum(taken.counts, 1))
        if group is not None and len(chosen) < rows.kept:
            raise DataError("--group needs all rows in memory for classification; use fewer rows or columns")
        if group is not None and isinstance(rows, Survey):
            plan = group_folds(table, rows, group, cv)
        else:
            plan = forward_chain(len(X), cv, gap) if ordered and cv else class_folds(cv, X, labels)
        fit, scaled = fit_logistic(X, labels, classes, weights[labels], plan, options, input_owners(len(terms), terms))
        if len(chosen) < rows.kept:
            fit = _on_all_rows(source.every(design, scaled, weights, float(weights @ taken.counts)), fit, options)
    about = provenance(fit, options, target, rows.kept, plan)
    about["data"] = {**data_facts(table, rows), "rows_that_chose": len(chosen)}
    about["seed"] = seed
    about["options"] = {
        "task": "classification", "time": time, "inputs": list(inputs), "drop": list(drop),
        "categorical": list(categorical), "degree": degree, "costs": dict(sensors.costs), "cv": cv, "gap": gap,
        "past": [[one.kind, one.length, list(one.columns)] for one in past],
        "sections": None if sections is None else list(sections),
        "group": group, "holdout": holdout, "class_weight": class_weight, "eps": options.eps, "refit": options.refit,
    }  # fmt: skip
    found = _inputs(design, scaled.mean, taken)
    model = classifier_model(fit, scaled, found, design.columns, terms, target, classes, about)
    plain = FoldStatistics(design.names, (), FoldPlan(()))
    model, told = with_sections(
        table, model, plain.update(X, np.zeros((len(X), 0)), 0), [0.0] * len(model.outputs), rows, sections, ordered
    )
    folds = _statistics(X, plan, design, target, fit, scaled, weights[labels]) if len(classes) == 2 else None
    if folds is not None:
        about["statistics_hash"] = folds.hash
    if isinstance(source, TableRows) and rows.kept < rows.used:
        about["held_out"] = _held(table, model, source)
    model = model.replace(provenance=about)
    notes = [*rows.notes, *broken, *told, *(f"column '{name}' without a reading left out" for name in empty)]
    if fit.ended.endswith("deviance explained"):
        notes.append("the classes are all but separated by these inputs: probabilities are close to 0 and 1")
    return ClassesResult(model, folds, fit, notes)


def _readable(table: Table, design: Design, source: TableRows | ClusterRows, degree: int) -> tuple[Design, list[str]]:
    """The design without columns that have no reading, and with products."""
    sums = source.sums(design)
    if degree == 2:
        return fill_gaps(table, design, sums)
    empty = [name for name, mean in sums.means(design.numeric).items() if np.isnan(mean)]
    return without(table, design, empty), empty


def _inputs(design: Design, mean: Array, taken: Taken) -> dict[int, Input]:
    names = design.names
    at = [names.index(name) for name in design.numeric]
    low, high = taken.low, taken.high
    return table_inputs(design, [numeric_input(names[j], 0, mean[j], low[j], high[j]) for j in at])


@one_blas_thread
def _on_all_rows(rows: Rows, fit: LogisticFit, options: TrainOptions) -> LogisticFit:
    """The same model fitted to all rows: at its alpha, or by maximum likelihood on its inputs."""
    solver = LogisticSolver(rows, options.l1_ratio, TOLERANCE, (fit.coefs, float(fit.alphas[0])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the optimality conditions are checked
        coefs = solver.refit(fit.coefs) if fit.gamma == 0.0 else solver.solve(fit.alpha)
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


def _held(table: Table, model: Model, source: TableRows) -> dict[str, float]:
    """Quality on the rows held out."""
    rows = source.rows
    _, z, _ = rows_from(table, model, rows.rank, rows.kept, (), rows.breaks)
    label = source.codes[rows.rank >= rows.kept]
    return {"rows": float(len(label)), **row_reliability(z, label, source.classes)}
