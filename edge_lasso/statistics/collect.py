"""The second pass over a table to train on: every row is added to the statistics of its fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.statistics.design import Design, table_inputs
from edge_lasso.statistics.first_pass import Progress, filled, kept_blocks, without
from edge_lasso.statistics.folds import LARGEST, FoldStatistics
from edge_lasso.statistics.inputs import numeric_inputs
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.workers import run
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso_runtime.model import Factor, Input

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Collected:
    """What fitting needs of a table.

    Parameters
    ----------
    folds : FoldStatistics
    design : Design
        Without the columns that have no reading, with what fills gaps and with knots.
    terms : list of tuple of Factor
        What the columns of the statistics are.
    inputs : dict
        An `Input` for each column of the training row that a term may read, by its position.
    empty : list of str
        The columns without a reading.
    """

    folds: FoldStatistics
    design: Design
    terms: list[tuple[Factor, ...]]
    inputs: dict[int, Input]
    empty: list[str]


def collect_table(
    table: Table,
    design: Design,
    rows: Survey,
    plan: FoldPlan,
    progress: Progress | None = None,
    weight: Array | None = None,
) -> Collected:
    """Fold statistics of a table.

    Parameters
    ----------
    table : Table
    design : Design
    rows : Survey
    plan : FoldPlan
        Of the rows kept, by rank.
    progress : callable, optional
        ``progress(done rows, all rows, text)``.
    weight : array, shape (rows kept,), optional
        What each row counts, by rank.

    Raises
    ------
    DataError
        The statistics would be too large, or no column has a reading.
    """
    check_size(design, plan)
    design, empty = filled(table, design, rows, progress) if design.curved else (design, [])
    folds = collect_rows(table, design, rows, plan, progress, weight)
    if not design.curved:
        seen = dict(zip(folds.columns, np.isfinite(folds.total.low), strict=False))
        empty = [name for name in design.numeric if not seen.get(name, True)]
        if empty:
            design = without(table, design, empty)
            folds = collect_rows(table, design, rows, plan, progress, weight)
    numbers = numeric_inputs(folds.total, design.numeric)
    return Collected(folds, design, design.terms, table_inputs(design, numbers), empty)


def check_size(design: Design, plan: FoldPlan) -> None:
    """Refuse statistics larger than memory before any is taken."""
    size = 8 * (design.width + len(design.targets) + 1) ** 2 * plan.parts
    if size > LARGEST:
        less = (", or fewer --hinges" if design.hinges else "") + (", or --degree 1" if design.degree > 1 else "")
        raise DataError(
            f"the statistics of {design.size_text()} take {size / 1e9:.1f} GB in {plan.parts} parts, allowed are "
            f"{LARGEST / 1e9:.1f} GB; choose fewer inputs with --inputs or --drop, fewer folds with --cv{less}"
        )


def collect_rows(
    table: Table,
    design: Design,
    rows: Survey,
    plan: FoldPlan,
    progress: Progress | None,
    weight: Array | None = None,
) -> FoldStatistics:
    """Statistics of the rows, fold by fold; `weight`: what each counts, by rank."""
    folds = FoldStatistics(design.names, design.targets, plan)

    def work(_: None) -> None:
        for X, y, rank in kept_blocks(design.blocks(table, rows.breaks), rows, progress):
            used = rank >= 0  # what is not trained on leaves no trace, not even in the shift
            if not used.any():
                continue
            if not used.all():
                X, y, rank = X[used], y[used], rank[used]
            folds.update(X, y, plan.part_of(rank), None if weight is None else weight[rank])

    run(work, [None])  # one BLAS thread: the same bytes on any number of cores
    return folds
