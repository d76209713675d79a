"""Which rows are held out when: folds as plans, before any statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError

Array = npt.NDArray[Any]

Splits = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
BLOCKS_PER_FOLD = 8


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
        result = cv.split(np.empty((n, 1)) if X is None else X, y, groups)
        pairs = [(_row_numbers(train, n), _row_numbers(test, n)) for train, test in result]
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
