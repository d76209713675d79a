"""New rows added to the statistics of a training, without the old rows: what `edge-lasso train --update` does.

The new rows become one more fold, so that the result is that of training on old and new rows together with one fold
more. The only thing that is not exact: products and hinges keep the old means in place of missing
readings, and hinges their knots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.statistics.collect import collect_rows
from edge_lasso.statistics.design import table_inputs
from edge_lasso.statistics.first_pass import Progress
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import model_term_names, numeric_inputs
from edge_lasso.statistics.plans import FoldPlan, Splits, plan_folds
from edge_lasso.statistics.statistics import Statistics
from edge_lasso.tables.derived_columns import ModelHistory
from edge_lasso.tables.series import series, with_breaks
from edge_lasso.tables.survey import Survey, survey
from edge_lasso.tables.tables import Table, model_block, model_columns, open_table
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.missing import errors_of
from edge_lasso.training.model_sections import with_sections
from edge_lasso.training.models import provenance, to_model
from edge_lasso.training.outline import design_of, update_facts
from edge_lasso.training.train_table import TrainResult
from edge_lasso_runtime.model import Model

SMALL, LARGE = 0.5, 1.5
"""Parts of the mean size of the folds: fewer new rows are added to the newest fold, unless that became larger."""


def update_table(
    statistics: FoldStatistics,
    data: Any,
    *,
    forget: float = 1.0,
    again: bool = False,
    options: TrainOptions | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train on old statistics and new rows.

    Parameters
    ----------
    statistics : FoldStatistics
        What `train_table` or `update_table` gave, or its file; it is not changed.
    data : path or table
        New rows, with the columns of the old ones. With a column of times: later ones.
    forget : float
        Weight of the old rows, 1 for none forgotten; each update multiplies it. Below 1 the folds are made of the new
        rows, and the old ones only train.
    again : bool
        Count rows of a file that the statistics hold already.
    options : TrainOptions, optional
        Default: those of the first training.
    progress : callable, optional

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError
        The statistics do not say how they were made; rows that are not newer; as `train_table`.
    """
    about = statistics.about
    if "approximation" in about:
        raise DataError("statistics of a classifier hold the loss near its model only; train again on all rows")
    if about.get("task") == "anomaly":
        raise DataError(
            "a detector is not updated: its threshold comes from all rows in order; train again on all rows"
        )
    if "columns" not in about:
        raise DataError(
            "these statistics cannot be updated: they were not made by 'edge-lasso train', or of a table with more "
            "columns than rows; train again on all rows"
        )
    if "robust" in about:
        raise DataError(
            "statistics of --robust hold rows weighed by what was known of all of them; train again on all rows"
        )
    if not 0.0 < forget <= 1.0:
        raise DataError(f"forget is {forget}; it must be larger than 0 and at most 1 (1 forgets nothing)")
    table = open_table(data)
    if not again:
        _check_new(table, about["data"])
    design = design_of(statistics)
    statistics.parts[0].check_names(design.names, design.targets, "the statistics to update")
    rows = survey(table, design.targets, about["time"], list(design.categories), update=True)
    _check_newer(rows, about["data"], about["time"])
    broken: list[str] = []
    if design.streams:
        rows, broken = series(rows, about["time"])
    options = options or TrainOptions(**about["options"])
    plan = plan_folds(len(statistics.splits) if forget < 1.0 else 0, rows.kept)
    new = collect_rows(table, design, rows, plan, progress).parts
    folds = grown(statistics, new[0]) if forget == 1.0 else renewed(statistics, new, forget)
    fits = fit_statistics(folds, options, design.terms)
    result = provenance(fits, folds, options)
    result["seed"] = about["seed"]
    result["data"] = _together(about["data"], table, rows, forget)
    folds.about = update_facts(design, about["time"], options, result)
    inputs = table_inputs(design, numeric_inputs(folds.total, design.numeric))
    model = to_model(fits, inputs, design.columns, design.terms, result)
    rows = with_breaks(rows)
    asked = folds.about["sections"] = about.get("sections", [])
    ordered = about["time"] is not None or bool(design.streams)
    model, told = with_sections(table, model, folds, errors_of(fits, model, folds), rows, asked, ordered, strict=False)
    notes = [*rows.notes, *broken, *told, *_new_categories(rows, design.categories)]
    return TrainResult(model, folds, fits, notes, None)


def grown(statistics: FoldStatistics, new: Statistics) -> FoldStatistics:
    """Fold statistics with new rows: a fold of their own, or added to the newest fold if they are few."""
    parts = [part.copy() for part in statistics.parts]
    splits = statistics.splits
    mean = sum(part.rows for part in parts) / len(parts)
    if not splits or (new.rows < SMALL * mean and parts[-1].rows + new.rows <= LARGE * mean):
        parts[-1] = parts[-1].merge(new)
    else:
        last = len(parts)
        if not statistics.forward:
            splits = tuple(((*train, last), test) for train, test in splits)
        splits = (*splits, (tuple(range(last)), (last,)))
        parts.append(new)
    return _assembled(statistics, parts, splits)


def renewed(statistics: FoldStatistics, new: Sequence[Statistics], forget: float) -> FoldStatistics:
    """Fold statistics in which old rows weigh less and only train: the choice is validated on the folds of the new."""
    parts = [_sum(statistics.parts).scaled(forget), *new]
    if not statistics.splits:
        return _assembled(statistics, [_sum(parts)], ())
    everyone = range(len(parts))
    splits = tuple(
        (tuple(j for j in everyone if j < i or (j > i and not statistics.forward)), (i,)) for i in everyone[1:]
    )
    return _assembled(statistics, parts, splits)


def _sum(parts: Sequence[Statistics]) -> Statistics:
    total = parts[0]
    for part in parts[1:]:
        total = total.merge(part)
    return total


def _assembled(statistics: FoldStatistics, parts: list[Statistics], splits: Splits) -> FoldStatistics:
    folds = FoldStatistics(statistics.columns, statistics.targets, FoldPlan(splits, statistics.forward))
    folds.parts = parts
    return folds


def _check_new(table: Table, old: dict[str, Any]) -> None:
    """Refuse a file whose rows were counted: most often the update had worked, and is repeated."""
    digest = table.hash
    if digest and digest in [part.get("sha256") for part in (old, *old.get("updates", []))]:
        raise DataError(
            f"the rows of {table.title} are in these statistics already (a file with the same hash was counted); "
            "give new rows, or say --again to count them again"
        )


def _check_newer(rows: Survey, old: dict[str, Any], time: str | None) -> None:
    start = rows.span.get("from", "")
    if time and start < old["to"]:
        raise DataError(
            f"the new rows begin at {start}, before the old ones end at {old['to']}; updates need later rows, "
            "train on old and new rows together"
        )


def _together(old: dict[str, Any], table: Table, rows: Survey, forget: float) -> dict[str, Any]:
    """Provenance of old and new data."""
    new = {"file": table.title, "sha256": table.hash, "rows": rows.kept, "weight_of_old": forget, **rows.span}
    return {
        **old,
        "rows": old["rows"] + rows.kept,
        "rows_without_target": old["rows_without_target"] + rows.without_target,
        **({"to": rows.span["to"]} if rows.span else {}),
        "updates": [*old.get("updates", []), new],
    }


def _new_categories(rows: Survey, categories: dict[str, tuple[str, ...]]) -> list[str]:
    notes = []
    for name, category in rows.categories.items():
        new = [value for value in category if value not in categories[name]]
        if new:
            notes.append(
                f"column '{name}' has {len(new)} new categories (first: '{new[0]}'), which count as missing; "
                "train again on all rows to use them"
            )
    return notes


@dataclass(frozen=True)
class Comparison:
    """Two models, and both on the same rows.

    Parameters
    ----------
    entered, left : list of str
        Terms that only the new, or only the old model has.
    coefficients : dict
        Old and new coefficient of every term they share.
    rows : int
    old_rmse, new_rmse : float
        Of the first output, on the given rows. The new model was trained on them, the old one was not.
    """

    entered: list[str]
    left: list[str]
    coefficients: dict[str, tuple[float, float]]
    rows: int
    old_rmse: float
    new_rmse: float

    @property
    def percent_worse(self) -> float:
        """By how much the new model's squared error is larger, in percent of the old one's (negative: smaller)."""
        if self.old_rmse == 0.0:
            return 0.0 if self.new_rmse == 0.0 else float("inf")
        return 100.0 * ((self.new_rmse / self.old_rmse) ** 2 - 1.0)

    def to_json(self) -> dict[str, Any]:
        """Return it as a dictionary of JSON values."""
        worse = self.percent_worse
        return {**vars(self), "percent_worse": worse if np.isfinite(worse) else None}


def compare(old: Model, new: Model, data: Any) -> Comparison:
    """Compare a model with the one that is to replace it, on rows with a known target.

    Parameters
    ----------
    old, new : Model
        Of the same targets.
    data : path or table

    Raises
    ------
    DataError
        Other targets, or no row with a known target.
    """
    target = new.outputs[0].name
    if [output.name for output in old.outputs] != [output.name for output in new.outputs]:
        raise DataError(
            f"the old model predicts '{old.outputs[0].name}' and the new one '{target}'; compare like with like"
        )
    table = open_table(data)
    errors = [_squares(table, entry, target) for entry in (old, new)]
    count = errors[0][1]
    if not count:
        raise DataError(f"no row of {table.title} has a value of '{target}'; there is nothing to compare on")
    before, after = _coefficients(old), _coefficients(new)
    return Comparison(
        [name for name in after if name not in before],
        [name for name in before if name not in after],
        {name: (before[name], after[name]) for name in before if name in after},
        count,
        *(float(np.sqrt(total / count)) for total, _ in errors),
    )


def _coefficients(model: Model) -> dict[str, float]:
    return dict(zip(model_term_names(model)[0], [term.coef for term in model.outputs[0].terms], strict=True))


def _squares(table: Table, model: Model, target: str) -> tuple[float, int]:
    numeric, text = model_columns(model)
    history = ModelHistory(model)
    total, count = 0.0, 0
    for numbers, texts in table.batches([*numeric, target], text):
        truth = numbers[:, -1].astype(np.float64)
        known = np.isfinite(truth)
        predicted = linear_rows(model, model_block(model, numbers[:, :-1], texts, history))[0][:, 0]
        total += float(np.sum((predicted - truth)[known] ** 2))
        count += int(known.sum())
    return total, count
