"""Training a classifier from a table: the path on rows in memory, the model on all of them, however many there are."""

from __future__ import annotations

import warnings
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
from edge_lasso.predicting.predict_table import rows_from
from edge_lasso.statistics.cluster import Pieces, connect
from edge_lasso.statistics.design import Design, table_inputs
from edge_lasso.statistics.first_pass import Progress, fill_gaps, without
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import numeric_input
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.workers import one_blas_thread
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso.training.class_models import class_folds, classifier_model, provenance
from edge_lasso.training.class_odds import ClassOdds, cost_vector
from edge_lasso.training.class_paths import TOLERANCE
from edge_lasso.training.class_rows import ClusterRows, TableRows, Taken, row_codes
from edge_lasso.training.fit_classes import LogisticFit, fit_logistic, row_reliability
from edge_lasso.training.fit_regression import input_owners
from edge_lasso.training.model_sections import with_sections
from edge_lasso.training.options import Training
from edge_lasso.training.outline import (
    choose_columns,
    cluster_path,
    data_facts,
    ordered_folds,
    survey_pieces,
    survey_rows,
)
from edge_lasso.training.results import Shown
from edge_lasso_runtime.model import READING_LIMIT, Input, Model

Array = npt.NDArray[Any]
IN_MEMORY = 2**24
"""Readings that are kept in memory; of a larger table evenly spaced rows choose alpha, and all rows fit the model."""
FEWEST_ROWS = 1000


@dataclass(frozen=True, repr=False)
class ClassesResult(Shown):
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

    def _facts(self) -> str:
        return f"classes {', '.join(self.model.classes or ())}"


def train_classes(
    data: Any,
    target: str,
    training: Training | None = None,
    *,
    class_weight: str | None = None,
    miss_cost: dict[str, float] | None = None,
    in_memory: int = IN_MEMORY,
    progress: Progress | None = None,
) -> ClassesResult:
    """Train a logistic or multinomial lasso from a table.

    Parameters
    ----------
    data : path or table
    target : str
        Column of labels: text or numbers, each different value a class.
    training : Training, optional
        Without times, past and groups the folds are stratified; `TrustOptions` are for regression.
    class_weight : "balanced" or None
        Inputs and coefficients are chosen as if every class were equally common; probabilities are of the classes as
        they come.
    miss_cost : dict of str to float, optional
        What it costs to take a row of a class for another; 1 for the others. Labels are those of least expected cost:
        the intercepts, and with them what the model says is probable, are shifted by the logarithms of the costs.
    in_memory : int
        Readings to keep in memory.
    progress : callable, optional
        See `train_table`.

    Raises
    ------
    DataError
        See `train_table`; one class only, or more than 100.
    """
    training = training or Training()
    if class_weight not in (None, "balanced"):
        raise DataError(f"class_weight is '{class_weight}'; allowed is balanced, or leave it out")
    columns = choose_columns(data, [target], training, labels=True)
    table = columns.table
    rows: Survey | Pieces
    broken: list[str] = []
    with ExitStack() as opened:
        source: TableRows | ClusterRows
        if training.cluster is None:
            rows, broken = surveyed, _ = survey_rows(columns, training, target)
            classes = rows.categories[target]
            source = TableRows(table, surveyed, row_codes(table, target, classes), len(classes), progress)
        else:
            path = cluster_path(data, training.rows.holdout)
            client = opened.enter_context(connect(training.cluster))
            rows = pieces = survey_pieces(columns, training, client, path, progress, target)
            classes = rows.categories[target]
            source = ClusterRows(client, pieces, target, classes, progress)
        design, empty = _readable(table, columns.design(rows, ()), source)
        terms = design.terms
        options = training.sensors.on(training.method, design.columns, terms, design.origins)
        count = min(rows.kept, max(in_memory // len(terms), FEWEST_ROWS))
        chosen = np.unique(np.linspace(0, rows.kept - 1, count).astype(int))
        taken = source.take(design, chosen)
        X, labels = taken.X, taken.labels
        weights = np.ones(len(classes))
        if class_weight:
            weights = taken.counts.sum() / (len(classes) * np.maximum(taken.counts, 1))
        odds = ClassOdds(weights, cost_vector(miss_cost or {}, classes))
        if training.folds.group is not None and len(chosen) < rows.kept:
            raise DataError("--group needs all rows in memory for classification; use fewer rows or columns")
        plan = ordered_folds(columns, rows, training, len(X)) or class_folds(training.folds.cv, X, labels)
        owners = input_owners(len(terms), terms)
        fit, scaled = fit_logistic(X, labels, classes, weights[labels], plan, options, owners, odds)
        if len(chosen) < rows.kept:
            fit = _on_all_rows(source.every(design, scaled, weights, float(weights @ taken.counts)), fit, options)
    about = provenance(fit, options, target, rows.kept, plan)
    about["data"] = {**data_facts(table, rows), "rows_that_chose": len(chosen)}
    about["seed"] = training.seed
    about["options"] = {"task": "classification", "class_weight": class_weight, **training.to_json()}
    if odds.priced:
        costs = dict(zip(classes, odds.costs.tolist(), strict=True))
        about["labels"] = {"miss_cost": costs, "shift": odds.label.tolist(), "threshold": odds.threshold}
    inputs = _inputs(design, scaled.mean, taken)
    model = classifier_model(fit, scaled, inputs, design.columns, terms, target, classes, about)
    sums = FoldStatistics(design.names, (), FoldPlan(())).update(X, np.zeros((len(X), 0)), 0)
    errors = [0.0] * len(model.outputs)
    model, told = with_sections(table, model, sums, errors, rows, training.sections, training.ordered)
    folds = _statistics(X, plan, design, target, fit, scaled, weights[labels]) if len(classes) == 2 else None
    if folds is not None:
        about["statistics_hash"] = folds.hash
        folds.about |= sums.about
    if isinstance(source, TableRows) and rows.kept < rows.used:
        about["held_out"] = _held(table, model, source, odds)
    model = model.replace(provenance=about)
    notes = [*columns.notes(training), *rows.notes, *broken, *told]
    notes += [f"column '{name}' without a reading left out" for name in empty]
    if class_weight and not odds.priced:
        rare = int(weights.argmax())
        even = f"--miss-cost {classes[rare]}={weights[rare] / weights.min():.0f}"
        notes.append(
            "labels are the most probable class of the data as they come; to be told sooner of a rare one, say what a "
            f"miss costs: {even} calls all classes as if they were equally common"
        )
    if fit.ended.endswith("deviance explained"):
        notes.append("the classes are all but separated by these inputs: probabilities are close to 0 and 1")
    return ClassesResult(model, folds, fit, notes)


def _readable(table: Table, design: Design, source: TableRows | ClusterRows) -> tuple[Design, list[str]]:
    """The design without columns that have no reading, and with products and hinges."""
    sums = source.sums(design)
    if design.curved:
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
        coefs = solver.refit(fit.coefs) if fit.gamma <= 0.0 else solver.solve(fit.alpha)
    return replace(fit, coefs=coefs, passes=solver.passes, optimality_gap=solver.violation)


def _statistics(
    X: Array, plan: FoldPlan, design: Design, target: str, fit: LogisticFit, scaled: Scaling, weight: Array
) -> FoldStatistics:
    """Statistics whose least squares are a Newton step: the loss to second order around the model."""
    raw = fit.raw(scaled)
    with np.errstate(invalid="ignore"):
        x = np.where(np.abs(X) <= READING_LIMIT, X, scaled.mean)
    z = x @ raw[0, :-1] + raw[0, -1]
    p = expit(z - float(fit.odds.label[0]))
    folds = FoldStatistics(design.names, (target,), plan)
    folds.about = {"approximation": "the loss to second order around the model"}
    folds.update(X, z[:, None], plan.part_of(np.arange(len(X))), np.maximum(weight * p * (1.0 - p), 1e-9))
    return folds


def _held(table: Table, model: Model, source: TableRows, odds: ClassOdds) -> dict[str, Any]:
    """Quality on the rows held out."""
    rows = source.rows
    _, z, _ = rows_from(table, model, rows.rank, rows.kept, (), rows.breaks)
    label = source.codes[rows.rank >= rows.kept]
    return {"rows": float(len(label)), **row_reliability(z, label, model.classes or (), odds)}
