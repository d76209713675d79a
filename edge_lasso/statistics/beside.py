"""A model file and the statistics beside it: written together, sealed to each other."""

from __future__ import annotations

from pathlib import Path

from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.atomic import Together, together
from edge_lasso_runtime.format import file_text
from edge_lasso_runtime.unfinished import settle


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
