"""A table with more columns than rows: its few rows are read into memory, and the path is solved on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.problem import SCREEN_FROM
from edge_lasso.paths.row_path import RowPaths, row_paths
from edge_lasso.statistics.collect import Collected
from edge_lasso.statistics.design import Design, table_inputs
from edge_lasso.statistics.first_pass import Progress, filled, kept_blocks, without
from edge_lasso.statistics.folds import LARGEST, collect
from edge_lasso.statistics.inputs import numeric_input
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso_runtime.model import READING_LIMIT, Input

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class CollectedWide(Collected):
    """What fitting needs of a wide table.

    Parameters
    ----------
    folds, design, terms, inputs, empty
        As in `Collected`, of the columns that were ever active.
    paths : list of RowPaths
        One per target.
    options : TrainOptions
        Of those columns.
    """

    paths: list[RowPaths]
    options: TrainOptions


def is_wide(design: Design, rows: Survey) -> bool:
    """Whether there are more columns than rows (and more than a Gram matrix is quick with)."""
    return design.width > max(rows.kept, SCREEN_FROM)


def collect_wide(
    table: Table,
    design: Design,
    rows: Survey,
    plan: FoldPlan,
    options: TrainOptions,
    progress: Progress | None = None,
) -> CollectedWide:
    """Solve the path on the rows; see `collect_table.collect_table`."""
    size = 8 * rows.kept * design.width * (len(plan.splits) + 2)
    if size > LARGEST:
        raise DataError(
            f"{rows.kept:,} rows of {design.size_text()} take {size / 1e9:.1f} GB, "
            f"allowed are {LARGEST / 1e9:.1f} GB; choose fewer inputs with --inputs or --drop"
        )
    empty: list[str] = []
    if design.curved:
        design, empty = filled(table, design, rows, progress)
    X, y = _read(table, design, rows, progress)
    if not design.curved:
        seen = dict(zip(design.names, np.asarray(_seen(X).any(axis=0)).tolist(), strict=True))
        empty = [name for name in design.numeric if not seen[name]]
        X = X[:, [name not in set(empty) for name in design.names]]
        design = without(table, design, empty)
    names, terms = design.names, design.terms
    paths = row_paths(X, y, plan, None, options, names)
    at = paths[0].columns
    folds = collect(X[:, at], y, plan, [names[j] for j in at], design.targets, workers=options.workers)
    inputs = table_inputs(design, _numeric(X, names, design.numeric))
    return CollectedWide(folds, design, [terms[j] for j in at], inputs, empty, list(paths), options.on_columns(at))


def _read(table: Table, design: Design, rows: Survey, progress: Progress | None) -> tuple[Array, Array]:
    X, y = np.empty((rows.kept, len(design.terms))), np.empty((rows.kept, len(design.targets)))
    for block, targets, rank in kept_blocks(design.blocks(table), rows, progress):
        used = rank >= 0
        X[rank[used]], y[rank[used]] = block[used], targets[used]
    return X, y


def _seen(X: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(X) <= READING_LIMIT)


def _numeric(X: Array, names: Sequence[str], numeric: Sequence[str]) -> list[Input]:
    where = {name: j for j, name in enumerate(names)}
    inputs = []
    for name in numeric:
        x = X[:, where[name]]
        x = x[_seen(x)]
        inputs.append(numeric_input(name, 0, x.mean(), x.min(), x.max()))
    return inputs
