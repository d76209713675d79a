"""The second pass over a table to train on: every row is added to the statistics of its fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import LARGEST, FoldStatistics
from edge_lasso.statistics.inputs import numeric_inputs, term_names
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.workers import run
from edge_lasso.tables.derived_columns import History, Stream, stream_name
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table, category_codes
from edge_lasso_runtime.model import READING_LIMIT, Factor, Input

Array = npt.NDArray[Any]
Progress = Callable[[float, float | None, str], None]


@dataclass(frozen=True)
class Design:
    """From columns of a table to the columns of the Gram matrix.

    Parameters
    ----------
    columns : tuple of str
        The training row: what a `Factor` counts.
    targets : tuple of str
    categories : dict
        Of the categorical columns.
    fill : dict
        With degree 2: what replaces a missing reading before products are made, by column. Without: empty.
    streams : tuple of Stream
        Columns computed from earlier rows: their names are the last of `columns`. See `deriving`.
    sources : tuple of str
        Columns that only these are computed from (a target's own past): no terms of their own.
    """

    columns: tuple[str, ...]
    targets: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    fill: dict[str, float]
    streams: tuple[Stream, ...] = ()
    sources: tuple[str, ...] = ()

    def deriving(self, streams: Sequence[Stream]) -> Design:
        """The design with columns computed from earlier rows; a source that is no column becomes one, without a term.

        Raises
        ------
        DataError
            A column has such a name already.
        """
        sources = tuple(dict.fromkeys(source for _, source, _ in streams if source not in self.columns))
        names = tuple(map(stream_name, streams))
        for name in names:
            if name in self.columns or name in self.targets:
                raise DataError(f"column '{name}' has the name of an input computed from earlier rows; rename it")
        return replace(self, columns=(*self.columns, *sources, *names), streams=tuple(streams), sources=sources)

    @property
    def derived(self) -> dict[str, Stream]:
        """The columns that are computed from earlier rows."""
        return {stream_name(stream): stream for stream in self.streams}

    @property
    def origins(self) -> dict[str, str]:
        """What each of these columns is computed from."""
        return {stream_name(stream): stream[1] for stream in self.streams}

    @property
    def numeric(self) -> list[str]:
        """The columns that are numbers."""
        return [name for name in self.columns if name not in self.categories]

    @property
    def read(self) -> list[str]:
        """The columns of numbers that the table has."""
        derived = self.derived
        return [name for name in self.numeric if name not in derived]

    @property
    def terms(self) -> list[tuple[Factor, ...]]:
        """What each column of the Gram matrix is: columns and indicators, then products."""
        terms: list[tuple[Factor, ...]] = []
        for i, name in enumerate(self.columns):
            if name in self.categories:
                terms += [(Factor(i, c),) for c in range(len(self.categories[name]))]
            elif name not in self.sources:
                terms.append((Factor(i),))
        if self.fill:
            numbers = [i for i, name in enumerate(self.columns) if name not in self.categories]
            terms += [(Factor(i), Factor(j)) for at, i in enumerate(numbers) for j in numbers[at:]]
        return terms

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the Gram matrix."""
        categories = {i: self.categories[name] for i, name in enumerate(self.columns) if name in self.categories}
        return term_names(self.columns, self.terms, categories)

    def blocks(self, table: Table, breaks: Array | None = None) -> Iterator[tuple[Array, Array]]:
        """Columns of the Gram matrix, and targets, batch by batch.

        Parameters
        ----------
        table : Table
        breaks : array of int, optional
            Numbers of the rows before which history ends.
        """
        numeric, text = self.read, [name for name in self.columns if name in self.categories]
        fill = np.array([self.fill[name] for name in numeric]) if self.fill else None
        history = History(self.streams, numeric, breaks) if self.streams else None
        own = [name not in self.sources for name in numeric]
        for numbers, texts in table.batches([*numeric, *self.targets], text):
            x, y = numbers[:, : len(numeric)], numbers[:, len(numeric) :]
            if history is not None:
                x = np.concatenate([x[:, own], history.step(x)], axis=1)
            if fill is not None:
                with np.errstate(invalid="ignore"):
                    x = np.where(np.abs(x) <= READING_LIMIT, x, fill)
            if fill is None and not text:
                yield x, y
                continue
            number, category = iter(range(x.shape[1])), iter(zip(text, texts, strict=True))
            parts = []
            for name in self.columns:
                if name in self.categories:
                    parts.append(self._indicators(*next(category)))
                elif name not in self.sources:
                    j = next(number)
                    parts.append(x[:, j : j + 1])
            if fill is not None:
                parts += [x[:, j : j + 1] * x[:, j:] for j in range(len(numeric))]
            yield np.concatenate(parts, axis=1), y

    def _indicators(self, name: str, column: Any) -> Array:
        codes = category_codes(column, self.categories[name])
        return np.equal(codes[:, None], np.arange(len(self.categories[name]))).astype(np.float64)

    def width(self, degree: int) -> int:
        """Number of columns of the Gram matrix, without making them."""
        numbers = len(self.columns) - len(self.categories) - len(self.sources)
        products = numbers * (numbers + 1) // 2 if degree == 2 else 0
        return numbers + sum(map(len, self.categories.values())) + products


@dataclass(frozen=True)
class Collected:
    """What fitting needs of a table.

    Parameters
    ----------
    folds : FoldStatistics
    design : Design
        Without the columns that have no reading, and with products.
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
    degree: int = 1,
    progress: Progress | None = None,
    weight: Array | None = None,
) -> Collected:
    """Fold statistics of a table.

    Parameters
    ----------
    table : Table
    design : Design
        Of degree 1.
    rows : Survey
    plan : FoldPlan
        Of the rows kept, by rank.
    degree : {1, 2}
    progress : callable, optional
        ``progress(done rows, all rows, text)``.
    weight : array, shape (rows kept,), optional
        What each row counts, by rank.

    Raises
    ------
    DataError
        The statistics would be too large, or no column has a reading.
    """
    check_size(design, plan, degree)
    design, empty = filled(table, design, rows, progress) if degree == 2 else (design, [])
    folds = collect_rows(table, design, rows, plan, progress, weight)
    if degree == 1:
        seen = dict(zip(folds.columns, np.isfinite(folds.total.low), strict=False))
        empty = [name for name in design.numeric if not seen.get(name, True)]
        if empty:
            design = without(table, design, empty)
            folds = collect_rows(table, design, rows, plan, progress, weight)
    numbers = numeric_inputs(folds.total, design.numeric)
    return Collected(folds, design, design.terms, table_inputs(design, numbers), empty)


def filled(table: Table, design: Design, rows: Survey, progress: Progress | None = None) -> tuple[Design, list[str]]:
    """A design of degree 2, which knows what replaces gaps; and the columns that have no reading."""
    return fill_gaps(table, design, sum_rows(table, design, rows, progress))


def fill_gaps(table: Table, design: Design, sums: Sums) -> tuple[Design, list[str]]:
    """A design of degree 2, given the sums of its numeric columns."""
    means = sums.means(design.numeric)
    empty = [name for name, mean in means.items() if np.isnan(mean)]
    design = without(table, design, empty)
    return replace(design, fill={name: means[name] for name in design.numeric}), empty


def check_size(design: Design, plan: FoldPlan, degree: int) -> None:
    """Refuse statistics larger than memory before any is taken."""
    width = design.width(degree)
    size = 8 * (width + len(design.targets) + 1) ** 2 * plan.parts
    if size > LARGEST:
        raise DataError(
            f"the statistics of {width:,} columns ({len(design.columns):,} inputs, degree {degree}) take "
            f"{size / 1e9:.1f} GB in {plan.parts} parts, allowed are {LARGEST / 1e9:.1f} GB; choose fewer inputs with "
            "--inputs or --drop, fewer folds with --cv" + (", or --degree 1" if degree == 2 else "")
        )


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


@dataclass(frozen=True)
class Sums:
    """Sums of the readings of numeric columns around a shift, and how many there are."""

    shift: Array
    total: Array
    count: Array

    def __add__(self, other: Sums) -> Sums:
        shift = np.where(self.count > 0, self.shift, other.shift)
        moved = sum(entry.total + entry.count * (entry.shift - shift) for entry in (self, other))
        return Sums(shift, np.asarray(moved), self.count + other.count)

    def means(self, names: Sequence[str]) -> dict[str, float]:
        """Means by name; NaN where there is no reading."""
        with np.errstate(invalid="ignore"):
            return dict(zip(names, (self.shift + self.total / self.count).tolist(), strict=True))


def sum_rows(table: Table, design: Design, rows: Survey, progress: Progress | None = None) -> Sums:
    """Sums of the numeric columns over the rows that are trained on."""
    numeric = tuple(design.numeric)
    blocks = replace(design, columns=numeric, targets=(), categories={}, fill={}).blocks(table, rows.breaks)
    sums = Sums(*np.zeros((3, len(numeric))))
    for numbers, _, rank in kept_blocks(blocks, rows, progress):
        known = (np.abs(numbers) <= READING_LIMIT) & (rank >= 0)[:, None]
        shift = numbers[known.argmax(axis=0), np.arange(len(numeric))] if len(numbers) else sums.shift
        shift = np.where(known.any(axis=0), shift, 0.0)
        sums += Sums(shift, np.where(known, numbers - shift, 0.0).sum(axis=0), known.sum(axis=0))
    return sums


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


def table_inputs(design: Design, numbers: Sequence[Input]) -> dict[int, Input]:
    """An `Input` for each column of the training row, given those of the numeric ones."""
    numeric = iter(numbers)
    derived = design.derived
    inputs = {}
    for i, name in enumerate(design.columns):
        if name in design.categories:
            inputs[i] = Input(name, i, None, None, None, categories=design.categories[name])
        else:
            entry = next(numeric)
            inputs[i] = entry.replace(column=i, default=design.fill.get(name, entry.default), stream=derived.get(name))
    return inputs
