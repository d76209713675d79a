"""Training on a Dask cluster: workers read files and row groups where they are and return matrices, never rows.

Two rounds, as on one machine: pieces say how many rows count and which times and categories they hold; then every
piece adds its rows to the statistics of their folds, which are merged in a fixed tree. A piece that is lost with its
worker is computed again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.statistics.collect import Collected, check_size, collect_rows
from edge_lasso.statistics.design import Design, table_inputs
from edge_lasso.statistics.first_pass import Progress, Sums, fill_gaps, sum_rows, without
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import numeric_inputs
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.tables.described import counted
from edge_lasso.tables.survey import Scan, Survey, count_kept, no_times, scan, sorted_categories
from edge_lasso.tables.tables import Table, split_table
from edge_lasso.tables.times import NOT_A_TIME, repeats, time_text, without_time

PIECE_ROWS = 2**18
ANSWER_WITHIN = "10s"


@dataclass(frozen=True)
class Piece:
    """A part of a table, and what the first round found in it.

    Parameters
    ----------
    table : Table
    time : str or None
    rows, used, without_target, without_time, repeated : int
    example : tuple of (int, str), or None
        The first row without a time, and what it says instead.
    first, last : int
        Times of the first and the last row that have one, in microseconds.
    span : tuple of int
        Those of the rows used.
    ordered : bool
    categories : dict
    label : str or None
        The categorical column that holds classes to predict.
    """

    table: Table
    time: str | None
    rows: int
    used: int
    without_target: int
    without_time: int
    repeated: int
    example: tuple[int, str] | None
    first: int
    last: int
    span: tuple[int, ...]
    ordered: bool
    categories: dict[str, set[str]]
    label: str | None = None


@dataclass(frozen=True)
class Pieces:
    """All pieces of a table, in order, and what they come to.

    Parameters
    ----------
    pieces : list of Piece
    used, kept, without_target : int
    categories : dict
    notes : list of str
    span : dict
        First and last time.
    """

    pieces: list[Piece]
    used: int
    kept: int
    without_target: int
    categories: dict[str, tuple[str, ...]]
    notes: list[str]
    span: dict[str, str]


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """A client of a cluster.

    Parameters
    ----------
    address : str
        Of a scheduler, such as ``tcp://10.0.0.5:8786``; "local" starts one here, with a worker a core.

    Raises
    ------
    DataError
        Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise DataError("--cluster needs Dask; install it with: pip install 'edge-lasso[cluster]'") from None
    if address == "local":
        count = os.cpu_count() or 1
        with (
            LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=ANSWER_WITHIN)
    except (OSError, ValueError):
        raise DataError(
            f"--cluster: no Dask scheduler answers at '{address}'; give an address such as tcp://HOST:8786, or local"
        ) from None
    with client:
        yield client


def survey_on(
    client: Any,
    path: Path,
    targets: Sequence[str],
    time: str | None,
    categorical: Sequence[str],
    progress: Progress | None = None,
    label: str | None = None,
) -> Pieces:
    """The first round: which rows count.

    Raises
    ------
    DataError
        As `survey.survey`; or the pieces are not in the order of time.
    """
    tables = split_table(path, PIECE_ROWS)
    jobs = [
        client.submit(_look, table, tuple(targets), time, tuple(categorical), label, pure=False) for table in tables
    ]
    pieces: list[Piece] = _wait(client, jobs, jobs, "surveyed", progress)
    title = path.name
    used, rows = sum(entry.used for entry in pieces), sum(entry.rows for entry in pieces)
    lost = sum(entry.without_target for entry in pieces)
    if not rows:
        raise DataError(f"{title} has no rows; there is nothing to learn from")
    if lost == rows:
        raise DataError(f"target '{label or targets[0]}' has no readings in the {rows} rows of {title}")
    notes, span = _times(pieces, time) if time else ([], {})
    if lost:
        notes.append(f"{counted(lost, 'row')} without a target left out")
    values: dict[str, set[str]] = {
        name: set().union(*(entry.categories[name] for entry in pieces)) for name in categorical
    }
    remaining = count_kept(tables[0], used)
    return Pieces(pieces, used, remaining, lost, sorted_categories(values), notes, span)


def collect_on(
    client: Any, rows: Pieces, design: Design, plan: FoldPlan, progress: Progress | None = None
) -> Collected:
    """The second round: statistics of every fold; see `collect_table.collect_table`.

    Parameters
    ----------
    client : distributed.Client
    rows : Pieces
    design, plan, progress
        As for `collect_table`.
    """
    check_size(design, plan)
    table = rows.pieces[0].table
    empty: list[str] = []
    if design.curved:
        design, empty = fill_gaps(table, design, sums_on(client, rows, design, progress))
    folds = _collect_on(client, rows, design, plan, progress)
    if not design.curved:
        seen = dict(zip(folds.columns, np.isfinite(folds.total.low), strict=False))
        empty = [name for name in design.numeric if not seen[name]]
        if empty:
            design = without(table, design, empty)
            folds = _collect_on(client, rows, design, plan, progress)
    numbers = numeric_inputs(folds.total, design.numeric)
    return Collected(folds, design, design.terms, table_inputs(design, numbers), empty)


def _collect_on(client: Any, rows: Pieces, design: Design, plan: FoldPlan, progress: Progress | None) -> FoldStatistics:
    fold_statistics: FoldStatistics = reduce_on(client, rows, _collect, (design, plan), "collected", progress)
    return fold_statistics


def sums_on(client: Any, rows: Pieces, design: Design, progress: Progress | None = None) -> Sums:
    """Sums of the numeric columns."""
    sums: Sums = reduce_on(client, rows, _sums, (design,), "means", progress)
    return sums


def reduce_on(
    client: Any, rows: Pieces, work: Any, arguments: tuple[Any, ...], what: str, progress: Progress | None
) -> Any:
    """The sum over all pieces of ``work(piece, rank of its first row, *arguments)``."""
    jobs = map_on(client, rows, work, arguments)
    return _wait(client, jobs, [_tree(client, jobs)], what, progress)[0]


def map_on(client: Any, rows: Pieces, work: Any, arguments: tuple[Any, ...]) -> list[Any]:
    """Futures of ``work(piece, rank of its first row, *arguments)``, in the order of the pieces."""
    starts = np.cumsum([0, *(piece.used for piece in rows.pieces)]).tolist()
    return [
        client.submit(work, piece, start, *arguments, pure=False)
        for piece, start in zip(rows.pieces, starts, strict=False)
    ]


def _tree(client: Any, jobs: Sequence[Any]) -> Any:
    """Merge neighbours, then neighbours of those, always in the same order."""
    while len(jobs) > 1:
        jobs = [
            client.submit(_add, *jobs[i : i + 2], pure=False) if i + 1 < len(jobs) else jobs[i]
            for i in range(0, len(jobs), 2)
        ]
    return jobs[0]


def _wait(client: Any, jobs: Sequence[Any], wanted: Sequence[Any], what: str, progress: Progress | None) -> list[Any]:
    """Results, telling how many jobs are done."""
    from distributed import KilledWorker

    started = perf_counter()
    while progress and not all(entry.done() for entry in wanted):
        done = sum(job.done() for job in jobs)
        progress(done, len(jobs), f"{done} of {len(jobs)} pieces {what}, {perf_counter() - started:.0f} s")
        _pause(wanted)
    try:
        return list(client.gather(list(wanted)))
    except KilledWorker as error:
        raise DataError(
            f"--cluster: workers died on the same piece again and again ({error}); give them memory"
        ) from None


def _pause(wanted: Sequence[Any]) -> None:
    from distributed import wait

    try:
        wait(list(wanted), timeout=0.5)
    except TimeoutError:
        return


def _look(
    table: Table, targets: Sequence[str], time: str | None, categorical: Sequence[str], label: str | None
) -> Piece:
    result = scan(table, targets, time, categorical, label)
    used = _used(result)
    rows, lost = len(used), int((~result.has_target).sum())
    if time is None:
        return Piece(table, None, rows, int(used.sum()), lost, 0, 0, None, 0, 0, (), True, result.categories, label)
    times = np.concatenate([np.empty(0, dtype=np.int64), *result.times])
    known = times[times != NOT_A_TIME]
    steps = np.diff(known)
    example = result.examples[0] if result.examples else None
    ends = (int(known[0]), int(known[-1])) if len(known) else (0, 0)
    span = tuple(times[used][[0, -1]].tolist()) if used.any() else ()
    return Piece(
        table, time, rows, int(used.sum()), lost, rows - len(known), int((steps == 0).sum()), example, *ends, span,
        bool((steps >= 0).all()), result.categories, label,
    )  # fmt: skip


def _used(result: Scan) -> Any:
    """Rows with targets and, where asked for, a time."""
    if not result.times:
        return result.has_target
    return result.has_target & (np.concatenate(result.times) != NOT_A_TIME)


def _times(pieces: Sequence[Piece], name: str) -> tuple[list[str], dict[str, str]]:
    """What is to be said of the times of all pieces."""
    dated = [entry for entry in pieces if entry.without_time < entry.rows]
    strange = next((entry for entry in pieces if entry.example), None)
    if not dated:
        assert strange is not None
        assert strange.example is not None
        raise no_times(name, strange.example[1])
    if not all(row.ordered for row in dated) or any(a.last > b.first for a, b in pairwise(dated)):
        raise DataError(f"--cluster needs rows in the order of '{name}'; sort them, or train without --cluster")
    notes = []
    if strange is not None and strange.example is not None:
        before = sum(entry.rows for entry in pieces[: pieces.index(strange)])
        row, text = strange.example
        lost = sum(entry.without_time for entry in pieces)
        notes.append(without_time(lost, name, before + row, text))
    repeated = sum(row.repeated for row in dated) + sum(a.last == b.first for a, b in pairwise(dated))
    if repeated:
        notes.append(f"{repeats(repeated, name)}; all are used")
    spans = [row.span for row in dated if row.span]
    return notes, {"from": time_text(spans[0][0]), "to": time_text(spans[-1][1])}


def piece_survey(piece: Piece, design: Design, start: int) -> Survey:
    """Ranks of the rows of a piece."""
    used = _used(scan(piece.table, design.targets, piece.time, [piece.label] if piece.label else (), piece.label))
    rank = np.where(used, start + np.cumsum(used) - 1, -1)
    return Survey(rank, piece.used, start + piece.used, piece.without_target, None, design.categories)


def _sums(piece: Piece, start: int, design: Design) -> Sums:
    return sum_rows(piece.table, design, piece_survey(piece, design, start))


def _collect(piece: Piece, start: int, design: Design, plan: FoldPlan) -> FoldStatistics:
    return collect_rows(piece.table, design, piece_survey(piece, design, start), plan, None)


def _add(a: Any, b: Any) -> Any:
    return a + b
