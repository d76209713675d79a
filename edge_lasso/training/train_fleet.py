"""Training from what boards learned, without a row of theirs: what `edge-lasso train --from` does.

Each board is a fold: the model is that of all boards' rows in one table, with folds of whole boards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.paths.sensors import Sensors
from edge_lasso.statistics.boards import read_boards
from edge_lasso.statistics.design import table_inputs
from edge_lasso.statistics.inputs import numeric_inputs
from edge_lasso.training.fit_regression import fit_statistics
from edge_lasso.training.missing import errors_of, with_estimate
from edge_lasso.training.models import provenance, to_model
from edge_lasso.training.outline import update_facts
from edge_lasso.training.train_table import TrainResult, cut_short


def train_fleet(
    files: str | Path | Sequence[str | Path],
    method: TrainOptions | None = None,
    sensors: Sensors | None = None,
    sections: Sequence[str] | None = None,
    seed: int = 0,
) -> TrainResult:
    """Train a model from statistics of boards.

    Parameters
    ----------
    files : path, or sequence of paths
        See `boards.read_boards`.
    method : TrainOptions, optional
    sensors : Sensors, optional
    sections : sequence of {"estimate"}, optional
        Default: what is possible; the others look at rows.
    seed : int
        Written into the model.

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError
        See `boards.read_boards`; sections that look at rows; a constant target.
    """
    for name in sections or ():
        if name != "estimate":
            raise DataError(f"--sections: '{name}' cannot be had from statistics; allowed are estimate, or none")
    boards = read_boards(files)
    design, folds = boards.design, boards.folds
    terms = design.terms
    sensors = sensors or Sensors()
    sensors.check(design.columns, (method or TrainOptions()).method)
    method = sensors.on(method or TrainOptions(), design.columns, terms, design.origins)
    fits = fit_statistics(folds, method, terms)
    about = provenance(fits, folds, method)
    rows = folds.total.rows
    about["data"] = {
        "file": f"{len(boards.facts)} boards", "sha256": "", "rows": rows, "rows_without_target": 0,
        "rows_held_out": 0, "boards": boards.facts,
    }  # fmt: skip
    about["seed"] = seed
    folds.about = update_facts(design, None, method, about)
    folds.about["sections"] = None if sections is None else list(sections)
    inputs = table_inputs(design, numeric_inputs(folds.total, design.numeric, boards.units))
    model = to_model(fits, inputs, design.columns, terms, about, units=boards.units)
    if sections is None or "estimate" in sections:
        model = with_estimate(model, folds, errors_of(fits, model, folds), sections is not None)
    return TrainResult(model, folds, fits, cut_short(fits), None)
