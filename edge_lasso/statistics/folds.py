"""Cross-validation folds as disjoint parts of the rows, and the statistics of each part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, wraps
from itertools import pairwise
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from edge_lasso.errors import DataError
from edge_lasso.statistics import file
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.rows import check_weight
from edge_lasso.statistics.statistics import Statistics

Array = npt.NDArray[Any]
P = ParamSpec("P")
R = TypeVar("R")
Splits = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
BLOCKS_PER_FOLD = 8
LARGEST = 2**31
"""Bytes that the Gram matrices of all parts may take."""


@dataclass(frozen=True)
class FoldPlan:
    """Which rows form which part, and which parts train and test in each split.

    Parameters
    ----------
    splits : tuple of (training parts, held-out parts)
        Empty: no cross-validation.
    forward : bool
        Forward-chained in time: training rows always come before held-out rows.
    bounds : array, or None
        Part i holds the rows from ``bounds[i]`` to ``bounds[i + 1]``.
    assignment : array, or None
        The part of each row, where parts are not contiguous; -1: in none.
    repeats : int
        How often the rows were divided: every row is held out so many times.
    """

    splits: Splits
    forward: bool = False
    bounds: Array | None = None
    assignment: Array | None = None
    repeats: int = 1

    @property
    def parts(self) -> int:
        """Number of parts."""
        if self.bounds is not None:
            return len(self.bounds) - 1
        return 1 + max((part for split in self.splits for side in split for part in side), default=0)

    def rows(self, n: int) -> list[slice | Array]:
        """The rows of each part, of n."""
        if self.bounds is not None:
            return [slice(int(a), int(b)) for a, b in pairwise(self.bounds)]
        if self.assignment is None:
            return [slice(0, n)]
        order = np.argsort(self.assignment, kind="stable")
        edges = np.searchsorted(self.assignment[order], np.arange(self.parts + 1))
        return [order[a:b] for a, b in pairwise(edges)]

    def part_of(self, index: Array) -> Array:
        """The part of each row number."""
        if self.bounds is not None:
            return np.asarray(np.searchsorted(self.bounds, index, side="right") - 1)
        return np.zeros(len(index), dtype=np.intp) if self.assignment is None else self.assignment[index]


def kfold(n: int, k: int = 5) -> FoldPlan:
    """K contiguous folds, as scikit-learn's ``KFold(k)``."""
    _enough(n, k, k)
    sizes = np.full(k, n // k)
    sizes[: n % k] += 1
    everyone = range(k)
    splits: Splits = tuple((tuple(j for j in everyone if j != i), (i,)) for i in everyone)
    return FoldPlan(splits, bounds=np.concatenate([[0], np.cumsum(sizes)]))


def blocked(n: int, k: int = 5, gap: int = 0) -> FoldPlan:
    """K contiguous blocks, with `gap` rows left out of training on both sides of the held-out one."""
    _enough(n, k * (2 * gap + 1), k)
    starts = np.arange(k + 1) * n // k
    bounds = np.unique(np.concatenate([starts, starts[:-1] + gap, starts[1:] - gap]))
    block = np.searchsorted(starts, bounds[:-1], side="right") - 1
    splits = []
    for i in range(k):
        near = ((block == i - 1) & (bounds[1:] > starts[i] - gap)) | (
            (block == i + 1) & (bounds[:-1] < starts[i + 1] + gap)
        )
        away = np.flatnonzero((block != i) & ~near)
        splits.append((tuple(away.tolist()), tuple(np.flatnonzero(block == i).tolist())))
    return FoldPlan(tuple(splits), bounds=bounds)


def repeated_kfold(n: int, k: int, repeats: int, seed: int = 0) -> FoldPlan:
    """K folds of neighbouring blocks, dealt out anew `repeats` times; the first time the folds are contiguous.

    Statistics are kept per block, so that a repetition costs paths but no rows.
    """
    if repeats < 1:
        raise DataError(f"repeat is {repeats}; it must be 1 or more")
    if repeats == 1:
        return kfold(n, k)
    blocks = k * BLOCKS_PER_FOLD
    _enough(n, blocks, k)
    rng = np.random.default_rng(seed)
    splits = []
    for i in range(repeats):
        order = np.arange(blocks) if i == 0 else rng.permutation(blocks)
        for fold in np.split(order, k):
            rest = np.setdiff1d(np.arange(blocks), fold)
            splits.append((tuple(rest.tolist()), tuple(np.sort(fold).tolist())))
    return FoldPlan(tuple(splits), bounds=np.arange(blocks + 1) * n // blocks, repeats=repeats)


def forward_chain(n: int, k: int = 5, gap: int = 0) -> FoldPlan:
    """Forward-chained blocks, as scikit-learn's ``TimeSeriesSplit(k, gap=gap)``: rows are in the order of time."""
    _enough(n, k + 1, k)
    size = n // (k + 1)
    first = n - k * size
    if gap < 0 or gap >= first:
        raise DataError(f"gap is {gap}; it must be 0 to {first - 1}, less than the first block of {first} rows")
    starts = [0, *range(first, n, size)]  # of the k + 1 blocks
    ends = [*starts[1:], n]
    if gap == 0:
        chain: Splits = tuple((tuple(range(i + 1)), (i + 1,)) for i in range(k))
        return FoldPlan(chain, True, bounds=np.array([*starts, n]))
    bounds = sorted({0, n, *starts, *(end - gap for end in ends[:-1])})
    cut = np.array(bounds)
    splits = tuple(
        (
            tuple(int(i) for i in np.flatnonzero(cut[1:] <= starts[j] - gap)),
            tuple(int(i) for i in np.flatnonzero((cut[:-1] >= starts[j]) & (cut[1:] <= ends[j]))),
        )
        for j in range(1, k + 1)
    )
    return FoldPlan(splits, True, bounds=cut)


def plan_folds(cv: Any, n: int, X: Any = None, y: Any = None, groups: Any = None) -> FoldPlan:
    """Make a plan of n rows.

    Parameters
    ----------
    cv : int, "time", None, scikit-learn splitter, or iterable of (training rows, held-out rows)
        A number: contiguous folds (``KFold``). "time": five forward-chained blocks. 0: no cross-validation. None: 5.
    n : int
    X, y, groups : optional
        For splitters that look at them.

    Raises
    ------
    DataError
        Fewer rows than folds; splits that cannot be used.
    """
    cv = 5 if cv is None else cv
    if isinstance(cv, str):
        if cv != "time":
            raise DataError(f"cv is {cv!r}; allowed are a number, 'time', a scikit-learn splitter or a list of splits")
        return forward_chain(n)
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        return FoldPlan(()) if cv == 0 else kfold(n, int(cv))
    from sklearn.model_selection import BaseCrossValidator, TimeSeriesSplit, check_cv

    if isinstance(cv, TimeSeriesSplit) and cv.max_train_size is None and cv.test_size is None:
        return forward_chain(n, cv.n_splits, cv.gap)
    if not isinstance(cv, BaseCrossValidator) and not hasattr(cv, "split"):
        cv = check_cv(cv)
    try:
        found = cv.split(np.empty((n, 1)) if X is None else X, y, groups)
        pairs = [(_row_numbers(train, n), _row_numbers(test, n)) for train, test in found]
    except ValueError as error:
        raise DataError(f"cv cannot split {n} rows: {error}") from None
    return _from_pairs(pairs, n, isinstance(cv, TimeSeriesSplit))


def _enough(n: int, blocks: int, k: int) -> None:
    if k < 2:
        raise DataError(f"cv is {k}; cross-validation needs 2 folds or more (0 switches it off)")
    if n < blocks:
        raise DataError(f"{n} rows are too few for cv={k}, which needs {blocks} or more; give fewer folds or more rows")


def _row_numbers(rows: Any, n: int) -> Array:
    """One side of a split as row numbers."""
    index = np.asarray(rows)
    index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp)
    if len(index) and not (index.min() >= 0 and index.max() < n):
        raise ValueError(f"a split names row {index.max()}")
    return index


def _from_pairs(pairs: Sequence[tuple[Array, Array]], n: int, forward: bool) -> FoldPlan:
    """Rows that play the same role in every split form a part."""
    part = np.zeros(n, dtype=np.int64)
    for train, test in pairs:
        role = np.zeros(n, dtype=np.int64)
        role[train] = 1
        if role[test].any():
            raise DataError("cv has a split whose held-out rows are also training rows")
        role[test] = 2
        if not ((role == 1).any() and (role == 2).any()):
            raise DataError("cv has a split without training rows or without held-out rows")
        part = np.unique(part * 3 + role, return_inverse=True)[1].reshape(n)
    splits = []
    for train, test in pairs:
        splits.append((tuple(np.unique(part[train]).tolist()), tuple(np.unique(part[test]).tolist())))
    return FoldPlan(tuple(splits), forward, assignment=part)


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
        groups = [tuple(i for i, one in enumerate(owner) if one == part) for part in range(plan.parts)]
        result.parts = [self._sum(group) for group in groups]
        return result

    def save(self, path: Path | str, about: dict[str, Any] | None = None) -> None:
        """Write one ``.npz`` file; `about` is JSON-ready data to keep with it (default: the attribute)."""
        extra = self.about if about is None else about
        about = {"splits": self.splits, "forward": self.forward, "repeats": self.repeats, "extra": extra}
        file.save(path, {**self.parts[0].names, "about": about}, [part.to_arrays() for part in self.parts])

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

    def one(job: tuple[Statistics, slice | Array]) -> None:
        part, rows = job
        for chunk in [rows] if isinstance(rows, slice) else np.array_split(rows, len(rows) // 10_000 + 1):
            part.update(X[chunk], y[chunk], None if weight is None else weight[chunk])
        part._flush()
        part._block = None

    run(one, zip(folds.parts, plan.rows(len(X)), strict=True), workers)
    return folds


def run(work: Any, jobs: Iterable[Any], workers: int = 1) -> list[Any]:
    """Map over jobs in threads, each with one BLAS thread (NumPy, BLAS and scikit-learn release the lock)."""
    with _threads().limit(limits=1):
        if workers <= 1:
            return [work(job) for job in jobs]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(work, jobs))


def threads(n_jobs: int | None) -> int:
    """Workers that scikit-learn's `n_jobs` stands for: None is one, -1 every core, -2 all but one."""
    jobs = 1 if n_jobs is None else n_jobs
    return jobs if jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + jobs)


def one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """The same function with one BLAS thread: the same bytes on any number of cores."""

    @wraps(function)
    def alone(*arguments: P.args, **options: P.kwargs) -> R:
        with _threads().limit(limits=1):
            return function(*arguments, **options)

    return alone


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def held_out_moments(folds: FoldStatistics, split: int) -> tuple[Moments, Moments]:
    """Moments of the training and the held-out rows of a split, gaps filled with the training means."""
    training = folds.training(split).moments()
    return training, folds.held_out(split).moments(training)
