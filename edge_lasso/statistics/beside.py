"""A model file and the statistics beside it: written together, sealed to each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.atomic import Together, together
from edge_lasso_runtime.format import file_text
from edge_lasso_runtime.unfinished import settle

HISTOGRAMS = "drift"
"""What statistics say of the rows trained on, where the model has no section ``drift/1``."""


def statistics_file(model: Path) -> Path:
    """Where the statistics of a model file are: beside it."""
    return model.with_name(f"{model.name.removesuffix('.json')}.stats.npz")


def load_statistics(path: Path, model: Model, missing_ok: bool = False) -> FoldStatistics | None:
    """The training statistics beside a model file.

    Parameters
    ----------
    path : Path
        The model file.
    model : Model
        What is in it.
    missing_ok : bool
        Return None when there are none.

    Raises
    ------
    DataError
        There are none, or they were written with another model.
    """
    settle(path)
    beside = statistics_file(path)
    if not beside.exists():
        if missing_ok:
            return None
        raise DataError(f"{beside.name} is not beside {path.name}; train writes both, keep them together")
    statistics = FoldStatistics.load(beside)
    if statistics.model not in ("", model_hash(model)):
        raise DataError(
            f"{beside.name} was written with another model ({statistics.model[:12]}...) than {path.name} "
            f"({model_hash(model)[:12]}...); put back the pair that belongs together, or train again"
        )
    return statistics


def histograms(statistics: FoldStatistics | None, model: Model) -> dict[str, Any] | None:
    """A section ``drift/1`` for a model that may have none, from its statistics; None: they have none either."""
    section = None if statistics is None else statistics.about.get(HISTOGRAMS)
    if section is None:
        return None
    names = {feature.name for feature in model.inputs}
    readings = [reading for reading in section["readings"] if reading["input"] in names]
    if len(readings) < len(section["readings"]):  # it was pruned since, and predicts something else
        return {"readings": readings}
    return {**section, "readings": readings}


def save_both(model: Model, statistics: FoldStatistics | None, path: Path, files: Together | None = None) -> None:
    """Write a model and its statistics (None: it has none), or neither.

    Parameters
    ----------
    model : Model
    statistics : FoldStatistics or None
    path : Path
        The model file.
    files : Together, optional
        What they are to be part of; of the model file's folder.
    """
    if files is None:
        with together(path.parent) as files:
            return save_both(model, statistics, path, files)
    files.write(path.name, file_text(model).encode())
    if statistics is not None:
        files.write(statistics_file(path).name, statistics.to_bytes(model_hash(model)))
