"""Training from a table, in two passes and in bounded memory: what `edge-lasso train` does.

The first pass reads targets, times and categories, and so knows which rows count and which fold each belongs to; the
second adds every row to the statistics of its fold. Rows are never sorted: a fold is a matter of a row's rank in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from edge_lasso.errors import DataError
from edge_lasso.fit import Fit, TrainOptions
from edge_lasso.folds import FoldPlan, FoldStatistics, forward_chain, plan_folds
from edge_lasso.predict_table import linear_rows
from edge_lasso.statistics import Statistics
from edge_lasso.tables import Table, category_codes, open_table
from edge_lasso.terms import numeric_inputs, provenance, term_names, to_model
from edge_lasso.times import Times, parse_times
from edge_lasso.train import fit_statistics
from edge_lasso_runtime.model import Factor, Input, Model

Array = npt.NDArray[Any]
Progress = Callable[[float, float | None, str], None]
MOST_CATEGORIES = 1000
LARGEST_GRAM = 2**31


@dataclass(frozen=True)
class Held:
    """What the model does on rows whose truth is known.

    Parameters
    ----------
    times : array of datetime64, or None
    truth, prediction : array, shape (rows, outputs)
    unseen : bool
        False: the rows may have been trained on.
    """

    times: Array | None
    truth: Array
    prediction: Array
    unseen: bool = True

    def quality(self) -> dict[str, float]:
        """R2, RMSE and mean absolute error of the first output, and the number of rows."""
        error = self.prediction[:, 0] - self.truth[:, 0]
        spread = self.truth[:, 0] - self.truth[:, 0].mean()
        return {
            "rows": float(len(error)),
            "r2": float(1.0 - (error @ error) / (spread @ spread)),
            "rmse": float(np.sqrt(np.mean(error**2))),
            "mae": float(np.mean(np.abs(error))),
        }


@dataclass(frozen=True)
class TrainResult:
    """A trained model and what was seen on the way.

    Parameters
    ----------
    model : Model
    folds : FoldStatistics
        Save them beside the model: pruning, searching and updating read them.
    fits : list of Fit
        One per target.
    notes : list of str
    held : Held or None
        With a `holdout`.
    """

    model: Model
    folds: FoldStatistics
    fits: list[Fit]
    notes: list[str]
    held: Held | None


@dataclass(frozen=True)
class _Rows:
    """What the first pass found."""

    rank: Array  # of each row among those used, in time; -1: not used
    used: int
    kept: int  # of those, how many come before the rows held out
    dropped: int
    times: Times | None
    categories: dict[str, tuple[str, ...]]


def train_table(
    data: Any,
    targets: str | Sequence[str],
    *,
    time: str | None = None,
    inputs: Sequence[str] = (),
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    degree: int = 1,
    cv: int = 5,
    holdout: float = 0.0,
    seed: int = 0,
    options: TrainOptions | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train a model from a table.

    Parameters
    ----------
    data : path or table
        See `tables.open_table`.
    targets : str or sequence of str
        Columns to predict, one output each.
    time : str, optional
        Column of times: folds are forward-chained blocks of the rows in its order, and it is no input.
    inputs, drop : sequence of str, optional
        Columns (or patterns such as ``Dongsi.*``) to use, and to leave out. Default: all but targets and time.
    categorical : sequence of str
        Inputs whose values are categories.
    degree : {1, 2}
        2: squares and products of the numeric inputs compete, too.
    cv : int
        Number of folds; 0: none.
    holdout : float
        Part of the rows (the last ones) that training does not see, to report honest accuracy.
    seed : int
        Written down; this training draws nothing at random.
    options : TrainOptions, optional
    progress : callable, optional
        ``progress(done rows, all rows, text)``.

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError
        See `tables`; too few rows; a constant target; more columns than memory holds.
    """
    table = open_table(data)
    options = options or TrainOptions()
    targets = [targets] if isinstance(targets, str) else list(targets)
    for name in targets:
        table.check(name)
    if degree not in (1, 2):
        raise DataError(f"degree is {degree}; allowed are 1 and 2")
    if not 0.0 <= holdout < 1.0:
        raise DataError(f"holdout is {holdout}; it must be 0 or more and less than 1")
    columns = _columns(table, targets, time, inputs, drop)
    categorical = table.expand(categorical, "--categorical")
    notes = list(table.notes)
    rows = _first_pass(table, targets, time, [name for name in columns if name in categorical], holdout, notes)
    kept = rows.kept
    if kept < 2:
        raise DataError(f"{table.title} has {kept} rows to train on with a target; at least 2 are needed")
    plan = forward_chain(kept, cv) if time is not None and cv else plan_folds(cv, kept)
    folds, columns = _second_pass(table, columns, targets, rows, plan, degree, progress, notes)
    factors = _terms(columns, rows.categories, degree)
    fits = fit_statistics(folds, options, None if len(factors) == len(columns) and not rows.categories else factors)
    about = provenance(fits, folds, options)
    about["data"] = {
        "file": table.title,
        "sha256": table.hash,
        "rows": kept,
        "rows_without_target": rows.dropped,
        "rows_held_out": rows.used - kept,
        **_span(rows, kept),
    }
    about["seed"] = seed
    model = to_model(fits, _inputs(folds.total, columns, rows.categories), columns, factors, about)
    held = _held(table, model, targets, rows, kept) if holdout else None
    if held is not None:
        about["held_out"] = held.quality()
        model = model.replace(provenance=about)
    for fit in fits:
        if fit.constant:
            notes.append(f"{len(fit.constant)} columns do not vary and were left out (first: '{fit.constant[0]}')")
        if fit.dependent:
            notes.append(f"{len(fit.dependent)} columns repeat others and were left out (first: '{fit.dependent[0]}')")
    if rows.dropped:
        notes.append(f"{rows.dropped} rows without a target left out")
    return TrainResult(model, folds, fits, list(dict.fromkeys(notes)), held)


def _columns(
    table: Table, targets: Sequence[str], time: str | None, inputs: Sequence[str], drop: Sequence[str]
) -> list[str]:
    if time is not None:
        table.check(time, "--time")
    chosen = table.expand(inputs, "--inputs") if inputs else list(table.columns)
    away = {*table.expand(drop, "--drop"), *targets, *([time] if time else [])}
    if any("the first column has no name" in note for note in table.notes) and "row" not in inputs:
        away.add("row")
    columns = [name for name in chosen if name not in away]
    if not columns:
        raise DataError(f"no inputs are left; {table.title} has the columns {', '.join(table.columns)[:200]}")
    return columns


def _first_pass(
    table: Table,
    targets: Sequence[str],
    time: str | None,
    categorical: Sequence[str],
    holdout: float,
    notes: list[str],
) -> _Rows:
    text = [*([time] if time else []), *categorical]
    known, columns = [], [[] for _ in text]  # type: list[Array], list[list[pa.Array]]
    for numbers, texts in table.batches(targets, text):
        known.append(np.asarray(np.isfinite(numbers).all(axis=1)))
        for kept, column in zip(columns, texts, strict=True):
            kept.append(column)
    has_target = np.concatenate([np.empty(0, dtype=bool), *known])
    if not len(has_target):
        raise DataError(f"{table.title} has no rows; there is nothing to learn from")
    if not has_target.any():
        raise DataError(f"target '{targets[0]}' has no readings in the {len(has_target)} rows of {table.title}")
    times, order = None, np.arange(len(has_target))
    if time:
        times = parse_times(pa.chunked_array(columns.pop(0)), time)
        if not times.known.any():
            raise DataError(f"--time: no value of column '{time}' is a time (ISO 8601, or seconds since 1970)")
        notes += times.notes
        order = np.flatnonzero(times.known)
        order = order[np.argsort(times.microseconds[order], kind="stable")]
    index = order[has_target[order]]
    rank = np.full(len(has_target), -1, dtype=np.int64)
    rank[index] = np.arange(len(index))
    categories = {name: _categories(name, kept) for name, kept in zip(categorical, columns, strict=True)}
    return _Rows(rank, len(index), int(len(index) * (1.0 - holdout)), int((~has_target).sum()), times, categories)


def _categories(name: str, columns: list[pa.Array]) -> tuple[str, ...]:
    values = {str(value) for column in columns for value in column.unique().to_pylist() if value is not None}
    if not 1 <= len(values) <= MOST_CATEGORIES:
        raise DataError(f"--categorical: column '{name}' has {len(values)} values; allowed are 1 to {MOST_CATEGORIES}")
    return tuple(sorted(values))


def _terms(columns: Sequence[str], categories: dict[str, tuple[str, ...]], degree: int) -> list[tuple[Factor, ...]]:
    terms: list[tuple[Factor, ...]] = []
    numeric = []
    for i, name in enumerate(columns):
        if name in categories:
            terms += [(Factor(i, c),) for c in range(len(categories[name]))]
        else:
            terms.append((Factor(i),))
            numeric.append(i)
    if degree == 2:
        terms += [(Factor(i), Factor(j)) for at, i in enumerate(numeric) for j in numeric[at:]]
    return terms


def _second_pass(
    table: Table,
    columns: list[str],
    targets: Sequence[str],
    rows: _Rows,
    plan: FoldPlan,
    degree: int,
    progress: Progress | None,
    notes: list[str],
) -> tuple[FoldStatistics, list[str]]:
    """Fold statistics of every term; columns without a reading in the training rows are left out."""
    size = 8 * (len(_terms(columns, rows.categories, degree)) + len(targets) + 1) ** 2 * plan.parts
    if size > LARGEST_GRAM:
        raise DataError(
            f"{len(columns)} inputs with degree {degree} make statistics of {size / 1e9:.1f} GB "
            f"(allowed: {LARGEST_GRAM / 1e9:.1f} GB); choose fewer with --inputs or --drop, or --degree 1"
        )
    fill = None
    if degree == 2:
        numeric = [name for name in columns if name not in rows.categories]
        first, _ = _collect(table, columns, targets, rows, plan, 1, None, progress)
        means = dict(zip(first.columns, first.total.moments().mean, strict=False))
        fill = np.array([means[name] for name in numeric])
    folds, empty = _collect(table, columns, targets, rows, plan, degree, fill, progress)
    if not empty:
        return folds, columns
    notes.append(f"{len(empty)} columns without a reading left out (first: '{empty[0]}')")
    columns = [name for name in columns if name not in empty]
    if not columns:
        raise DataError(f"no input of {table.title} has a reading in the {plan_rows(plan)} training rows")
    return _second_pass(table, columns, targets, rows, plan, degree, progress, notes)


def plan_rows(plan: FoldPlan) -> int:
    """The rows a plan of contiguous parts covers."""
    return int(plan.bounds[-1]) if plan.bounds is not None else 0


def _collect(
    table: Table,
    columns: Sequence[str],
    targets: Sequence[str],
    rows: _Rows,
    plan: FoldPlan,
    degree: int,
    fill: Array | None,
    progress: Progress | None,
) -> tuple[FoldStatistics, list[str]]:
    terms = _terms(columns, rows.categories, degree)
    names = {i: rows.categories[name] for i, name in enumerate(columns) if name in rows.categories}
    folds = FoldStatistics(term_names(columns, terms, names), targets, plan)
    last = plan_rows(plan) if plan.bounds is not None else rows.used
    done = 0
    for X, y in _blocks(table, columns, targets, rows, degree, fill):
        rank = rows.rank[done : done + len(X)]
        done += len(X)
        used = (rank >= 0) & (rank < last)
        part = np.where(used, plan.part_of(np.where(used, rank, 0)), -1)
        folds.update(X, y, part)
        if progress:
            progress(done, len(rows.rank), f"{done:,} rows")
    low = folds.total.low
    where = {name: j for j, name in enumerate(folds.columns)}
    empty = [name for name in columns if name in where and not np.isfinite(low[where[name]])]
    return folds, empty


def _blocks(
    table: Table, columns: Sequence[str], targets: Sequence[str], rows: _Rows, degree: int, fill: Array | None
) -> Iterator[tuple[Array, Array]]:
    """Gram columns and targets, batch by batch."""
    numeric = [name for name in columns if name not in rows.categories]
    text = [name for name in columns if name in rows.categories]
    for numbers, texts in table.batches([*numeric, *targets], text):
        x, y = numbers[:, : len(numeric)], numbers[:, len(numeric) :]
        if degree == 1 and not text:
            yield x, y
            continue
        if fill is not None:
            x = np.where(np.isnan(x), fill, x)
        parts = []
        at = 0
        for name in columns:
            if name in rows.categories:
                codes = category_codes(texts[text.index(name)], rows.categories[name])
                parts.append((codes[:, None] == np.arange(len(rows.categories[name]))).astype(np.float64))
            else:
                parts.append(x[:, at : at + 1])
                at += 1
        if degree == 2:
            parts += [x[:, i : i + 1] * x[:, i:] for i in range(x.shape[1])]
        yield np.concatenate(parts, axis=1), y


def _inputs(total: Statistics, columns: Sequence[str], categories: dict[str, tuple[str, ...]]) -> list[Input]:
    numeric = iter(numeric_inputs(total, [name for name in columns if name not in categories]))
    inputs = []
    for i, name in enumerate(columns):
        if name in categories:
            inputs.append(Input(name, i, None, None, None, categories=categories[name]))
        else:
            inputs.append(next(numeric).replace(column=i))
    return inputs


def _span(rows: _Rows, kept: int) -> dict[str, str]:
    if rows.times is None:
        return {}
    order = np.argsort(np.where(rows.rank < 0, len(rows.rank), rows.rank), kind="stable")
    return {"from": rows.times.text(int(order[0])), "to": rows.times.text(int(order[kept - 1]))}


def _held(table: Table, model: Model, targets: Sequence[str], rows: _Rows, kept: int) -> Held:
    numeric = [one.name for one in model.inputs if one.categories is None]
    text = [one.name for one in model.inputs if one.categories is not None]
    truth, predicted, ranks = [], [], []
    done = 0
    for numbers, texts in table.batches([*numeric, *targets], text):
        rank = rows.rank[done : done + len(numbers)]
        done += len(numbers)
        chosen = rank >= kept
        block = np.empty((len(numbers), len(model.inputs)))
        for i, one in enumerate(model.inputs):
            if one.categories is None:
                block[:, i] = numbers[:, numeric.index(one.name)]
            else:
                block[:, i] = category_codes(texts[text.index(one.name)], one.categories)
        truth.append(numbers[chosen, len(numeric) :])
        predicted.append(linear_rows(model, block[chosen])[0])
        ranks.append(rank[chosen])
    order = np.argsort(np.concatenate(ranks))
    times = None
    if rows.times is not None:
        index = np.argsort(np.where(rows.rank < 0, len(rows.rank), rows.rank), kind="stable")[kept : rows.used]
        times = rows.times.microseconds[index].astype("datetime64[us]")
    return Held(times, np.concatenate(truth)[order], np.concatenate(predicted)[order])
