"""A pass before the statistics, where products and hinges need it: means that fill gaps, and knots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.statistics.design import Design
from edge_lasso.tables.derived_columns import stream_name
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
Progress = Callable[[float, float | None, str], None]
SAMPLE = 8192
"""Rows whose readings say where knots are: a share of rows is then known to .006 (one standard error) at worst."""


def filled(table: Table, design: Design, rows: Survey, progress: Progress | None = None) -> tuple[Design, list[str]]:
    """A design of products or hinges that knows what replaces gaps, and where knots are; see `fill_gaps`."""
    return fill_gaps(table, design, sum_rows(table, design, rows, progress))


def fill_gaps(table: Table, design: Design, sums: Sums) -> tuple[Design, list[str]]:
    """The same, given the sums of the numeric columns; and the columns that have no reading."""
    means = sums.means(design.numeric)
    empty = [name for name, mean in means.items() if np.isnan(mean)]
    knots = {name: knots_of(values, design.hinges) for name, values in zip(means, sums.sample.T, strict=True)}
    design = without(table, design, empty)
    fill = {name: means[name] for name in design.numeric}
    return replace(design, fill=fill, knots={name: knots[name] for name in fill if knots[name]}), empty


def knots_of(values: Array, count: int) -> tuple[float, ...]:
    """Where the hinges of an input begin: readings that part its rows evenly; none where fewer than three differ.

    A hinge at the smallest reading would be the input itself again, one at the largest nothing.

    Parameters
    ----------
    values : array
        Readings; NaN, infinite or beyond 2^100: missing.
    count : int
        How many to have at most: equal ones are one.
    """
    with np.errstate(invalid="ignore"):
        readings = values[np.abs(values) <= READING_LIMIT]
    if not count or not len(readings):
        return ()
    shares = np.arange(1, count + 1) / (count + 1)
    places = np.unique(np.quantile(readings, shares, method="inverted_cdf"))
    return tuple(places[(places > readings.min()) & (places < readings.max())].tolist())


def without(table: Table, design: Design, empty: list[str]) -> Design:
    """The design without columns that have no reading."""
    streams = tuple(stream for stream in design.streams if stream_name(stream) not in set(empty))
    if design.streams and not streams:
        kind, source, length = min(design.streams, key=lambda entry: entry[2])
        raise DataError(
            f"no row has a {kind} of {length} of '{source}': the rows without a gap are too few, or have no reading; "
            "give smaller numbers of rows"
        )
    needed = {source for _, source, _ in streams}
    sources = tuple(name for name in design.sources if name in needed)
    gone = ({*empty} | {*design.sources}) - needed
    columns = tuple(name for name in design.columns if name not in gone)
    if not columns:
        raise DataError(f"no input of {table.title} has a reading in the rows to train on; check the columns")
    return replace(design, columns=columns, streams=streams, sources=sources)


@dataclass(frozen=True)
class Sums:
    """Sums of the readings of numeric columns around a shift, how many there are, and some rows of them.

    Parameters
    ----------
    shift, total, count : array, shape (columns,)
    drawn : array of uint64, shape (rows,)
        Of the sample: rows are drawn by a hash of their rank, so that those of parts are those of the whole.
    sample : array, shape (rows, columns)
        At most `SAMPLE` rows; none where nobody asks for knots.
    """

    shift: Array
    total: Array
    count: Array
    drawn: Array
    sample: Array

    def __add__(self, other: Sums) -> Sums:
        shift = np.where(self.count > 0, self.shift, other.shift)
        moved = sum(entry.total + entry.count * (entry.shift - shift) for entry in (self, other))
        drawn = np.concatenate([self.drawn, other.drawn])
        first = np.argsort(drawn)[:SAMPLE]
        sample = np.concatenate([self.sample, other.sample])[first]
        return Sums(shift, np.asarray(moved), self.count + other.count, drawn[first], sample)

    def means(self, names: Sequence[str]) -> dict[str, float]:
        """Means by name; NaN where there is no reading."""
        with np.errstate(invalid="ignore"):
            return dict(zip(names, (self.shift + self.total / self.count).tolist(), strict=True))


def sum_rows(table: Table, design: Design, rows: Survey, progress: Progress | None = None) -> Sums:
    """Sums of the numeric columns over the rows that are trained on."""
    numeric = tuple(design.numeric)
    plain = replace(design, columns=numeric, targets=(), categories={}, fill={}, knots={}, degree=1)
    zero = np.zeros(len(numeric))
    sums = Sums(zero, zero, zero, np.empty(0, np.uint64), np.empty((0, len(numeric))))
    for numbers, _, rank in kept_blocks(plain.blocks(table, rows.breaks), rows, progress):
        known = (np.abs(numbers) <= READING_LIMIT) & (rank >= 0)[:, None]
        shift = numbers[known.argmax(axis=0), np.arange(len(numeric))] if len(numbers) else sums.shift
        shift = np.where(known.any(axis=0), shift, 0.0)
        total, count = np.where(known, numbers - shift, 0.0).sum(axis=0), known.sum(axis=0)
        used = np.flatnonzero(rank >= 0)[: None if design.hinges else 0]
        drawn = scattered(rank[used])
        first = np.argsort(drawn)[:SAMPLE]
        sums += Sums(shift, total, count, drawn[first], numbers[used[first]])
    return sums


def scattered(rank: Array) -> Array:
    """A number for each rank, no two the same, in no order (the finalizer of splitmix64).

    Rows at equal distances would meet a series at the same hour of every day.
    """
    x = rank.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def kept_blocks(
    blocks: Iterator[tuple[Array, Any]], rows: Survey, progress: Progress | None
) -> Iterator[tuple[Array, Any, Array]]:
    """Blocks with the rank of each row: -1 where it is not trained on."""
    done, started = 0, perf_counter()
    for numbers, rest in blocks:
        rank = rows.rank[done : done + len(numbers)]
        done += len(numbers)
        yield numbers, rest, np.where(rank < rows.kept, rank, -1)
        if progress:
            speed = done / max(perf_counter() - started, 1e-9)
            progress(done, len(rows.rank), f"{done:,} rows, {speed:,.0f} a second")
