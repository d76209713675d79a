"""The course that every training from a table takes: columns, rows, folds; and what is written down of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.statistics.cluster import Pieces, survey_on
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.first_pass import Progress
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.group_folds import group_folds
from edge_lasso.statistics.plans import FoldPlan, forward_chain
from edge_lasso.tables.derived_columns import Stream, stream_name
from edge_lasso.tables.series import expand, own_past, series, with_breaks
from edge_lasso.tables.survey import Survey, survey
from edge_lasso.tables.tables import Table, open_table
from edge_lasso.training.options import Training, plain


@dataclass(frozen=True)
class Columns:
    """A table, and what is read of it.

    Parameters
    ----------
    table : Table
    targets : tuple of str
    inputs : tuple of str
        Columns that compete, in the table's order.
    texts : tuple of str
        Those that hold categories.
    streams : tuple of Stream
        Inputs computed from earlier rows.
    degree, hinges : int
        See `Design`.
    """

    table: Table
    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    texts: tuple[str, ...]
    streams: tuple[Stream, ...]
    degree: int = 1
    hinges: int = 0

    def design(self, rows: Survey | Pieces, targets: Sequence[str]) -> Design:
        """The columns that statistics are kept of."""
        categories = {name: rows.categories[name] for name in self.texts}
        design = Design(self.inputs, tuple(targets), categories, degree=self.degree, hinges=self.hinges)
        return design.deriving(self.streams)

    def notes(self, training: Training) -> list[str]:
        """What to say of how the table was read, and of columns without a name, which count rows."""
        named = {*training.rows.inputs, *self.targets, *training.rows.drop, training.rows.time}
        counts = "has no name in the file; it seems to count the rows and is no input unless --inputs names it"
        counting = [f"column '{name}' {counts}" for name in self.table.row_numbers if name not in named]
        return [*counting, *self.table.notes]


def choose_columns(data: Any, targets: Sequence[str], training: Training, labels: bool = False) -> Columns:
    """Open a table and say what is read of it.

    Parameters
    ----------
    data : path or table
        See `tables.open_table`.
    targets : sequence of str
    training : Training
    labels : bool
        The target holds classes, which have no past.

    Raises
    ------
    DataError
        A column that is not there, or cannot be what it is named for.
    """
    table, chosen = open_table(data), training.rows
    own = [] if labels else own_past(targets, chosen.inputs, training.past)
    if not targets:
        raise DataError("no target is given; name the column to predict with --target")
    targets = [table.check(name) for name in targets]
    if chosen.time is not None and table.check(chosen.time, "--time") in targets:
        raise DataError(f"--time: '{chosen.time}' is a target; the column of times must be another one")
    inputs = readable_columns(table, training, bool(own), targets)
    categorical = set(table.expand(chosen.categorical, "--categorical"))
    for name in () if labels else targets:
        if name in categorical:
            raise DataError(f"--categorical: '{name}' is a target; a target of a regression must hold numbers")
    texts = [name for name in inputs if name in categorical]
    streams = expand(training.past, table, [name for name in inputs if name not in categorical], own)
    training.sensors.check([*inputs, *map(stream_name, streams)], training.method.method)
    return Columns(table, tuple(targets), tuple(inputs), tuple(texts), streams, chosen.degree, chosen.hinges)


def readable_columns(table: Table, training: Training, none: bool = False, targets: Sequence[str] = ()) -> list[str]:
    """All columns that may be read: not those of time, groups and targets, nor row numbers; `none`: maybe none."""
    chosen = training.rows
    if chosen.time is not None:
        table.check(chosen.time, "--time")
    named = table.expand(chosen.inputs, "--inputs") if chosen.inputs else list(table.columns)
    away = {*table.expand(chosen.drop, "--drop"), *targets, chosen.time}
    away |= {name for name in table.row_numbers if name not in chosen.inputs}
    columns = [name for name in named if name not in away]
    if not columns and not none:
        past = (
            f"; the target's own past is allowed by --lags 3:{targets[0]}" if len(targets) == 1 and chosen.time else ""
        )
        raise DataError(f"no inputs are left; {table.title} has the columns {', '.join(table.columns)[:200]}{past}")
    return [name for name in columns if name != training.folds.group]


def survey_rows(columns: Columns, training: Training, label: str | None = None) -> tuple[Survey, list[str]]:
    """Look at the rows: which count, in which order, what categories they hold; and what to say of their order.

    Parameters
    ----------
    columns : Columns
    training : Training
    label : str, optional
        The target, if it holds classes.
    """
    time = training.rows.time
    rows = survey(columns.table, *_surveyed(columns, time, label), training.rows.holdout, label=label)
    if columns.streams:
        return series(rows, time)
    return (with_breaks(rows) if time is not None else rows), []


def survey_pieces(
    columns: Columns, training: Training, client: Any, path: Path, progress: Progress | None, label: str | None = None
) -> Pieces:
    """The same by the workers of a cluster, which read `path`."""
    return survey_on(client, path, *_surveyed(columns, training.rows.time, label), progress, label=label)


def _surveyed(columns: Columns, time: str | None, label: str | None) -> tuple[list[str], str | None, list[str]]:
    if label is None:
        return list(columns.targets), time, list(columns.texts)
    return [], time, [*columns.texts, label]


def ordered_folds(columns: Columns, rows: Survey | Pieces, training: Training, count: int) -> FoldPlan | None:
    """Folds that groups or time ask for; None: rows may be dealt out freely."""
    folds = training.folds
    if folds.group is not None and isinstance(rows, Survey):
        return group_folds(columns.table, rows, folds.group, folds.cv)
    return forward_chain(count, folds.cv, folds.gap) if training.ordered and folds.cv else None


def cluster_path(data: Any, holdout: float) -> Path:
    """Where the workers of a cluster find the data."""
    if not isinstance(data, str | Path):
        raise DataError("--cluster reads files, which every worker can see; give a path")
    if holdout:
        raise DataError("--cluster and --holdout do not go together; keep the last rows in a file of their own")
    return Path(data).resolve()


def data_facts(table: Table, rows: Survey | Pieces) -> dict[str, Any]:
    """Which file, and which of its rows; JSON-ready."""
    return {
        "file": table.title,
        "sha256": table.hash,
        "rows": rows.kept,
        "rows_without_target": rows.without_target,
        "rows_held_out": rows.used - rows.kept,
        **rows.span,
    }


def update_facts(design: Design, time: str | None, method: Any, about: dict[str, Any]) -> dict[str, Any]:
    """What a later update has to know, JSON-ready; it is kept with the statistics."""
    options = {**vars(method), "alphas": plain(method.alphas), "penalty": plain(method.penalty)}
    del options["workers"]
    return {
        "columns": list(design.columns),
        "categories": {name: list(values) for name, values in design.categories.items()},
        "fill": design.fill,
        "streams": [list(stream) for stream in design.streams],
        "degree": design.degree,
        "hinges": design.hinges,
        "knots": {name: list(places) for name, places in design.knots.items()},
        "time": time,
        "options": options,
        "seed": about["seed"],
        "data": about["data"],
    }


def design_of(statistics: FoldStatistics) -> Design:
    """What the columns of statistics are, from what `update_facts` noted."""
    about = statistics.about
    categories = {name: tuple(values) for name, values in about["categories"].items()}
    streams = tuple((kind, source, length) for kind, source, length in about.get("streams", ()))
    derived = {stream_name(stream) for stream in streams}
    names = set(statistics.columns)
    sources = {source for _, source, _ in streams if source not in names}
    columns = tuple(name for name in about["columns"] if name not in derived | sources)
    knots = {name: tuple(places) for name, places in about.get("knots", {}).items()}
    curves = about["fill"], about["degree"], about.get("hinges", 0), knots
    return Design(columns, statistics.targets, categories, *curves).deriving(streams)
