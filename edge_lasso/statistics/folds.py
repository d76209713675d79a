"""Cross-validation folds as disjoint parts of the rows, and the statistics of each part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.statistics import file
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.rows import check_weight
from edge_lasso.statistics.statistics import Statistics
from edge_lasso.statistics.workers import run
from edge_lasso_runtime.atomic import write_bytes

Array = npt.NDArray[Any]
LARGEST = 2**31
"""Bytes that the Gram matrices of all parts may take."""


class FoldStatistics:
    """Statistics of every part of a `FoldPlan`; training and held-out statistics of a split are sums of parts.

    Parameters
    ----------
    columns, targets : sequence of str
    plan : FoldPlan

    Attributes
    ----------
    about : dict
        JSON-ready data that is saved along: how they were trained.
    model : str
        The hash of the model that they were written with, in a file; else empty.
    """

    def __init__(self, columns: Sequence[str], targets: Sequence[str], plan: FoldPlan) -> None:
        size = 8 * (len(columns) + len(targets) + 1) ** 2
        if plan.parts * size > LARGEST:
            raise DataError(
                f"{plan.parts} parts of {len(columns)} columns need {plan.parts * size / 2**30:.1f} GB of Gram "
                f"matrices, {LARGEST / 2**30:.0f} GB are allowed; use fewer columns, degree 1 or fewer folds"
            )
        self.splits = plan.splits
        self.forward = plan.forward
        self.repeats = plan.repeats
        self.parts = [Statistics(columns, targets) for _ in range(plan.parts)]
        self.about: dict[str, Any] = {}
        self.model = ""
        self._total: Statistics | None = None
        self._total_rows: list[tuple[int, int]] = []

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return self.parts[0].columns

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the columns of y."""
        return self.parts[0].targets

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the names."""
        return self.parts[0].hash

    def update(self, X: Any, y: Any, part: Any, sample_weight: Any = None) -> FoldStatistics:
        """Add rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `Statistics.update`.
        part : int, or array of int, shape (n,)
            The part each row belongs to (`FoldPlan.part_of`); -1: none.
        """
        X, y = np.asarray(X), np.asarray(y)
        if not len(X):
            return self
        self._share_shift(X, y)
        weight = check_weight(sample_weight, len(X))
        if np.ndim(part) == 0:
            self.parts[int(part)].update(X, y, weight)
            return self
        part = np.asarray(part)
        edges = np.flatnonzero(np.diff(part)) + 1
        if len(edges) < 2 * len(self.parts):  # contiguous runs: no copies
            for rows in map(slice, [0, *edges.tolist()], [*edges.tolist(), len(part)]):
                if part[rows.start] >= 0:
                    self.parts[part[rows.start]].update(X[rows], y[rows], None if weight is None else weight[rows])
            return self
        for i in np.unique(part[part >= 0]):
            chosen = np.flatnonzero(part == i)
            self.parts[i].update(X[chosen], y[chosen], None if weight is None else weight[chosen])
        return self

    def merge(self, other: FoldStatistics) -> FoldStatistics:
        """Return the statistics of both sets of rows, part by part (shards of one plan)."""
        if self.splits != other.splits or len(self.parts) != len(other.parts):
            raise DataError("statistics of different folds cannot be merged; collect them with the same folds")
        return self._with([a.merge(b) for a, b in zip(self.parts, other.parts, strict=True)])

    __add__ = merge

    @property
    def total(self) -> Statistics:
        """All rows."""
        rows = [(part.rows, part.dropped) for part in self.parts]
        if self._total is None or self._total_rows != rows:
            self._total, self._total_rows = self._sum(tuple(range(len(self.parts)))), rows
        return self._total

    def training(self, split: int) -> Statistics:
        """The training rows of a split."""
        train, rest = self.splits[split][0], self._outside(split)
        return self._sum(train) if rest is None else self.total - self._sum(rest)

    def held_out(self, split: int) -> Statistics:
        """The held-out rows of a split."""
        return self._sum(self.splits[split][1])

    def joined(self, plan: FoldPlan, owner: Sequence[int]) -> FoldStatistics:
        """The statistics of a coarser plan, given the part that each of these parts is of."""
        result = FoldStatistics(self.columns, self.targets, plan)
        groups = [tuple(i for i, entry in enumerate(owner) if entry == part) for part in range(plan.parts)]
        result.parts = [self._sum(group) for group in groups]
        return result

    def save(self, path: Path | str, about: dict[str, Any] | None = None) -> None:
        """Write one ``.npz`` file; `about` is JSON-ready data to keep with it (default: the attribute)."""
        write_bytes(path, self.to_bytes("", about))

    def to_bytes(self, model: str = "", about: dict[str, Any] | None = None) -> bytes:
        """What `save` writes, sealed to the hash of the model it belongs to, if any."""
        extra = self.about if about is None else about
        about = {"splits": self.splits, "forward": self.forward, "repeats": self.repeats, "extra": extra}
        header = {**self.parts[0].names, "about": about, "model": model}
        return file.dumps(header, [part.to_arrays() for part in self.parts])

    @classmethod
    def load(cls, path: Path | str) -> FoldStatistics:
        """Read a file that `save` (or `Statistics.save`) wrote.

        Raises
        ------
        DataError
            Not such a file, or a damaged one.
        """
        header, arrays = file.load(path)
        parts, about = [Statistics.from_arrays(header, part) for part in arrays], header["about"]
        splits = tuple((tuple(train), tuple(test)) for train, test in about.get("splits", []))
        if any(not 0 <= i < len(parts) for split in splits for side in split for i in side):
            raise DataError(f"{Path(path).name} names folds it does not hold; train again to make a new one")
        result = cls(
            parts[0].columns,
            parts[0].targets,
            FoldPlan(splits, bool(about.get("forward", False)), repeats=int(about.get("repeats", 1))),
        )
        result.parts = parts
        result.about = dict(about.get("extra", {}))
        result.model = header["model"]
        return result

    def _outside(self, split: int) -> tuple[int, ...] | None:
        """The parts to subtract from the total, if they are fewer and a modest share of every column."""
        train = set(self.splits[split][0])
        rest = tuple(i for i in range(len(self.parts)) if i not in train)
        if len(rest) >= len(train) or self.total._gaps.size:
            return None
        away = sum(np.diagonal(self.parts[i]._gram) for i in rest)
        total = np.diagonal(self.total._gram)
        return rest if bool((away <= 0.5 * total).all()) else None

    def _sum(self, parts: tuple[int, ...]) -> Statistics:
        total = self.parts[parts[0]]
        for i in parts[1:]:
            total = total.merge(self.parts[i])
        return total

    def _with(self, parts: list[Statistics]) -> FoldStatistics:
        result = FoldStatistics(self.columns, self.targets, FoldPlan(self.splits, self.forward, repeats=self.repeats))
        result.parts = parts
        result.about = self.about
        return result

    def _share_shift(self, X: Array, y: Array) -> None:
        """Give all parts the shift of the first rows that are seen, so that they add without loss."""
        if all(part._unset.all() for part in self.parts):
            first = self.parts[0]
            first._set_shift(X, y.reshape(len(y), -1))
            for part in self.parts[1:]:
                part._shift, part._unset = first._shift.copy(), first._unset.copy()


def collect(
    X: Any,
    y: Any,
    plan: FoldPlan,
    columns: Sequence[str],
    targets: Sequence[str] = ("y",),
    sample_weight: Any = None,
    workers: int = 1,
) -> FoldStatistics:
    """Statistics of a table in memory, one worker a part and one BLAS thread a worker.

    Rows are read in place (float64 or float32); the result does not depend on the number of workers.
    """
    folds = FoldStatistics(columns, targets, plan)
    X, y = np.asarray(X), np.asarray(y)
    weight = check_weight(sample_weight, len(X))
    if len(X):
        folds._share_shift(X, y)

    def task(job: tuple[Statistics, slice | Array]) -> None:
        part, rows = job
        for chunk in [rows] if isinstance(rows, slice) else np.array_split(rows, len(rows) // 10_000 + 1):
            part.update(X[chunk], y[chunk], None if weight is None else weight[chunk])
        part._flush()
        part._block = None

    run(task, zip(folds.parts, plan.rows(len(X)), strict=True), workers)
    return folds


def held_out_moments(folds: FoldStatistics, split: int) -> tuple[Moments, Moments]:
    """Moments of the training and the held-out rows of a split, gaps filled with the training means."""
    training = folds.training(split).moments()
    return training, folds.held_out(split).moments(training)
