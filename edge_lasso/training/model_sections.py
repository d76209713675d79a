"""What travels with a model for a board that reads row after row: estimates, health, drift."""

from __future__ import annotations

from collections.abc import Sequence

from edge_lasso.errors import DataError
from edge_lasso.statistics.beside import HISTOGRAMS
from edge_lasso.statistics.cluster import Pieces
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso.training.missing import with_estimate
from edge_lasso.training.normal_rows import drift_section, health_section, look
from edge_lasso_runtime.model import Model

SECTIONS = ("estimate", "health", "drift")


def check_sections(sections: Sequence[str] | None, cluster: str | None) -> None:
    """Refuse sections that there are not, or not on a cluster."""
    for name in sections or ():
        if name not in SECTIONS:
            raise DataError(f"--sections: '{name}' is unknown; allowed are {', '.join(SECTIONS)}, or none")
        if cluster is not None and name != "estimate":
            raise DataError(f"--sections: '{name}' looks at the rows in order; it does not go with --cluster")


def with_sections(
    table: Table,
    model: Model,
    statistics: FoldStatistics,
    errors: Sequence[float],
    rows: Survey | Pieces,
    sections: Sequence[str] | None,
    ordered: bool,
    strict: bool = True,
) -> tuple[Model, list[str]]:
    """A trained model with what is asked for.

    Parameters
    ----------
    table, rows
        What it was trained on.
    model : Model
    statistics : FoldStatistics
        Of its inputs.
    errors : sequence of float
        Mean squared error of each output on rows not trained on; of a classifier 0.
    sections : sequence of str, optional
        Of `SECTIONS`. None: what is possible, and makes sense.
    ordered : bool
        The rows are said to be in the order of time.
    strict : bool
        What is asked for and impossible is a `DataError`.

    Without an order and a word on sections, what the rows look like goes into the statistics.

    Returns
    -------
    model : Model
    notes : list of str
    """
    regression = model.classes is None
    strict = strict and sections is not None
    looked = [name for name in ("health", "drift") if (ordered if sections is None else name in sections)]
    notes: list[str] = []
    if "health" in looked and isinstance(rows, Survey) and not (rows.times is None or rows.breaks is not None):
        why = "the rows are not in the order of time, one a time; sort the file"
        if strict:
            raise DataError(f"--sections: health compares each reading with the one before, and {why}")
        if sections is not None:
            notes.append(f"no health in the model: {why}")
        looked.remove("health")
    if looked and not model.inputs:
        notes += [f"no {' and '.join(looked)} in the model: it reads nothing"] if sections is not None else []
        looked = []
    if looked and isinstance(rows, Survey):
        seen = look(table, model, rows, truth=regression)
        result = {"health": health_section(seen), "drift": drift_section(seen, errors[0])}
        model = model.replace(sections={**model.sections, **{f"{name}/1": result[name] for name in looked}})
    elif sections is None and model.inputs and isinstance(rows, Survey):  # for `drift`, not for a board
        statistics.about[HISTOGRAMS] = drift_section(look(table, model, rows, truth=regression), errors[0])
    if sections is None or "estimate" in sections:
        model = with_estimate(model, statistics, errors, strict)
    return model, notes
