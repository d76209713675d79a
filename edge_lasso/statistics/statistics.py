"""Mergeable training statistics: everything that training, pruning and refitting need to know of the rows.

For rows ``[X y]``, shifted by one vector near their means, and a column of ones: the weighted Gram matrix, its products
with the masks of missing readings, and ranges and counts. A missing reading adds nothing until a default is chosen,
so that each training set can use its own mean, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso.statistics import file
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.rows import FOLD, check_weight, extremes, numbers, shifts_of, widen
from edge_lasso.statistics.sums import Sums
from edge_lasso_runtime.atomic import write_bytes
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]


class Statistics:
    """Accumulated statistics of rows; `update` adds rows, `merge` adds statistics, ``-`` removes them.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns of X, which may be products or indicators of a table's columns.
    targets : sequence of str
        Names of the columns of y.
    shift : array, optional
        Subtracted from every row before anything is squared. Default: the mean of the first rows.

    Attributes
    ----------
    rows, dropped : int
        Rows used; rows left out because a target was missing.
    low, high : array, shape (p + t,)
        Range of the readings seen (infinite and reversed where there were none). ``-`` leaves it as it was.
    missing : array of int, shape (p,)
        Missing readings per column.
    """

    def __init__(self, columns: Sequence[str], targets: Sequence[str] = ("y",), shift: Array | None = None) -> None:
        self.columns = tuple(columns)
        self.targets = tuple(targets)
        names = self.columns + self.targets
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"column {twice!r} stands twice; every column and target needs a name of its own")
        p, size = len(self.columns), len(names)
        self.rows = 0
        self.dropped = 0
        self.missing = np.zeros(p, dtype=np.int64)
        self.low = np.full(size, np.inf)
        self.high = np.full(size, -np.inf)
        self._size = size
        self._width = -(-(size + 1) // FOLD) * FOLD  # a multiple of 8 doubles: aligned rows
        self._shift = np.zeros(size)
        self._unset = np.ones(size, dtype=bool)
        if shift is not None:
            self._shift[:] = shift
            self._unset[:] = False
        self._gram = np.zeros((self._width, self._width), order="F")
        self._gaps = np.zeros(0, dtype=np.intp)
        self._gram_mask = np.zeros((self._width, 0))
        self._mask_mask = np.zeros((0, 0))
        self._block: Array | None = None
        self._mask: Array | None = None
        self._filled = 0

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the names: statistics with different hashes do not belong together."""
        return file.names_hash(self.columns, self.targets)

    @property
    def weight(self) -> float:
        """Sum of the sample weights of the rows used."""
        self._flush()
        return float(self._gram[self._size, self._size])

    def update(self, X: Any, y: Any, sample_weight: Any = None) -> Statistics:
        """Add rows.

        Parameters
        ----------
        X : array, shape (n, p)
            float64 or float32 is read in place. NaN, infinite or larger than 2^100: missing.
        y : array, shape (n,) or (n, t)
            A row whose target is missing is dropped and counted.
        sample_weight : array, shape (n,), optional
            Not negative. A row of weight 0 is ignored.

        Returns
        -------
        Statistics
            Itself.

        Raises
        ------
        DataError
            Shapes that do not fit; negative or non-finite weights.
        """
        X = numbers(X, "X")
        y = numbers(y, "y")
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        p, t = len(self.columns), len(self.targets)
        if X.ndim != 2 or X.shape[1] != p or y.shape != (len(X), t):
            raise DataError(f"X has shape {X.shape} and y {y.shape}; needed are (n, {p}) and (n, {t})")
        weight = check_weight(sample_weight, len(X))
        known = (np.abs(y) <= READING_LIMIT).all(axis=1)
        self.dropped += int(len(known) - np.count_nonzero(known))
        if weight is not None:
            known &= weight > 0.0
        step = self._rows_per_block()
        start = 0
        while start < len(X):
            rows = slice(start, min(start + step - self._filled, len(X)))
            start = rows.stop
            if known[rows].all():
                self._put(X[rows], y[rows], None if weight is None else weight[rows])
            elif known[rows].any():
                chosen = np.flatnonzero(known[rows]) + rows.start
                self._put(X[chosen], y[chosen], None if weight is None else weight[chosen])
        return self

    def merge(self, other: Statistics) -> Statistics:
        """Return the statistics of both sets of rows.

        Raises
        ------
        DataError
            The names differ.
        """
        return self._combine(other, 1.0)

    __add__ = merge

    def __sub__(self, other: Statistics) -> Statistics:
        """Return the statistics without the rows of `other`, which must be part of these."""
        if other.rows > self.rows:
            raise DataError(f"cannot remove {other.rows} rows from statistics of {self.rows} rows")
        return self._combine(other, -1.0)

    def copy(self) -> Statistics:
        """Return an independent copy."""
        return self._combine(Statistics(self.columns, self.targets, self._shift), 1.0)

    def scaled(self, factor: float) -> Statistics:
        """Return the statistics with every weight multiplied by a factor larger than 0; rows count as before."""
        result = self.copy()
        for sums in (result._gram, result._gram_mask, result._mask_mask):
            sums *= factor
        return result

    def check_names(self, columns: Sequence[str], targets: Sequence[str], who: str = "the statistics") -> None:
        """Raise a `DataError` naming the first difference, if the names are not these."""
        what = file.name_difference((*self.columns, "|", *self.targets), (*columns, "|", *targets))
        if what:
            raise DataError(
                f"{who} belong to other columns: {what}; train again, or give the file made with this model"
            )

    def moments(self, defaults: Moments | None = None) -> Moments:
        """Means and covariances, with missing readings at their default.

        Parameters
        ----------
        defaults : Moments, optional
            Use the means of these (the training rows of a fold). Default: the own means of the observed readings.

        Raises
        ------
        DataError
            There are no rows.
        """
        self._flush()
        if self.rows == 0 or self.weight <= 0.0:
            raise DataError("there are no rows with a known target; check the target column and the weights")
        return self._sums.moments(self.weight, self.rows, defaults)

    def means(self) -> Array:
        """Means of the p columns over their observed readings, and of the targets."""
        self._flush()
        return self._sums.means(self.weight)

    def save(self, path: Path | str) -> None:
        """Write one ``.npz`` file (no pickle), whole or not at all."""
        write_bytes(path, file.dumps({**self.names, "about": {}}, [self.to_arrays()]))

    @classmethod
    def load(cls, path: Path | str) -> Statistics:
        """Read a file that `save` wrote, of one or several folds, which are merged.

        Raises
        ------
        DataError
            Not such a file, or a damaged one.
        """
        header, parts = file.load(path)
        total = cls.from_arrays(header, parts[0])
        for part in parts[1:]:
            total = total.merge(cls.from_arrays(header, part))
        return total

    @property
    def names(self) -> dict[str, Any]:
        """Columns, targets and their hash, as a statistics file begins."""
        return {"columns": self.columns, "targets": self.targets, "hash": self.hash}

    def to_arrays(self) -> list[Array]:
        """Everything accumulated, in the order of `file.ARRAYS`."""
        self._flush()
        counts = np.array([self.rows, self.dropped], dtype=np.int64)
        keep = slice(self._size + 1)
        gram = np.ascontiguousarray(self._gram[keep, keep])
        sums = [gram, self._gram_mask[keep], self._mask_mask, self._gaps]
        return [*sums, self._shift, self._unset, self.low, self.high, self.missing, counts]

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Sequence[Array]) -> Statistics:
        """What `to_arrays` gave, under the names of a file's header."""
        part = cls(header["columns"], header["targets"])
        gram, gram_mask, mask_mask, gaps, shift, unset, low, high, missing, counts = arrays
        keep = slice(part._size + 1)
        part._gram[keep, keep] = gram
        part._gaps = gaps.astype(np.intp)
        part._gram_mask = np.zeros((part._width, len(gaps)))
        part._gram_mask[keep] = gram_mask
        part._mask_mask = mask_mask
        part._shift, part._unset, part.low, part.high, part.missing = shift, unset, low, high, missing
        part.rows, part.dropped = int(counts[0]), int(counts[1])
        return part

    @property
    def _sums(self) -> Sums:
        return Sums(self._gram, self._gram_mask, self._mask_mask, self._gaps, self._shift)

    def _rows_per_block(self) -> int:
        return 2000 if self._width <= 512 else 1000

    def _put(self, X: Array, y: Array, weight: Array | None) -> None:
        """Shift rows into the block; note ranges and what is missing."""
        if self._unset.any():
            self._set_shift(X, y)
        if self._block is None:
            self._block = np.zeros((self._rows_per_block(), self._width))
            self._block[:, self._size] = 1.0
        p, size, n = len(self.columns), self._size, len(X)
        z = self._block[self._filled : self._filled + n]
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(X, self._shift[:p], out=z[:, :p])
            np.subtract(y, self._shift[p:], out=z[:, p:size])
            ends = [np.concatenate(pair).astype(np.float64) for pair in zip(extremes(X), extremes(y), strict=True)]
            low, high = (end - self._shift for end in ends)
        bad = np.flatnonzero(~(np.maximum(-low, high)[:p] < READING_LIMIT / 4))
        for j in bad:
            self._put_gaps(z, X, int(j), low, high)
        if len(bad):
            new = np.flatnonzero((low < self.low - self._shift) | (high > self.high - self._shift))
            widen(self.low, self.high, new, X, y)
        else:
            np.minimum(self.low, ends[0], out=self.low)
            np.maximum(self.high, ends[1], out=self.high)
        if weight is not None:
            root = np.sqrt(weight)[:, None]
            z[:, :size] *= root
            z[:, size] = root[:, 0]
        self.rows += n
        self._filled += n
        if self._filled == len(self._block):
            self._flush()

    def _set_shift(self, X: Array, y: Array) -> None:
        """Take the shift of columns that have none yet; all that was added of them so far is gaps, that is zero."""
        shifts = np.concatenate([shifts_of(X), shifts_of(y)])
        new = self._unset & ~np.isnan(shifts)
        self._shift[new], self._unset[new] = shifts[new], False

    def _put_gaps(self, z: Array, X: Array, j: int, low: Array, high: Array) -> None:
        raw = np.asarray(X[:, j], dtype=np.float64)
        gap = ~(np.abs(raw) <= READING_LIMIT)
        z[:, j] = np.where(gap, 0.0, raw - self._shift[j]) if not gap.all() else 0.0
        seen = z[~gap, j]
        low[j], high[j] = (seen.min(), seen.max()) if len(seen) else (np.inf, -np.inf)
        if gap.any():
            if self._mask is None:
                assert self._block is not None
                self._mask = np.zeros((len(self._block), len(self.columns)), dtype=bool)
            self._mask[self._filled : self._filled + len(z), j] = gap
            self.missing[j] += int(np.count_nonzero(gap))

    def _flush(self) -> None:
        """Add the block to the sums."""
        if not self._filled:
            return
        from scipy.linalg.blas import dsyrk  # a fifth of a second, which reading statistics does not need

        assert self._block is not None
        z = self._block[: self._filled]
        self._gram = dsyrk(1.0, z.T, beta=1.0, c=self._gram, overwrite_c=1)
        if self._mask is not None:
            mask = self._mask[: self._filled]
            gaps = np.flatnonzero(mask.any(axis=0))
            m = mask[:, gaps] * z[:, self._size, None]
            self._gaps, self._gram_mask, self._mask_mask = self._sums.opened(gaps)
            at = np.searchsorted(self._gaps, gaps)
            self._gram_mask[:, at] += z.T @ m
            self._mask_mask[np.ix_(at, at)] += m.T @ m
            self._mask = None
        self._block[: self._filled, self._size] = 1.0
        self._filled = 0

    def _combine(self, other: Statistics, sign: float) -> Statistics:
        other.check_names(self.columns, self.targets, "the statistics to combine")
        self._flush()
        other._flush()
        shift = np.where(self._unset, other._shift, self._shift)
        result = Statistics(self.columns, self.targets)
        result._shift = shift
        result._unset = self._unset & other._unset
        for part, factor in ((self, 1.0), (other, sign)):
            gram, gram_mask, mask_mask = part._about(shift)
            result._gram += gram if factor == 1.0 else factor * gram
            if len(part._gaps):
                result._gaps, result._gram_mask, result._mask_mask = result._sums.opened(part._gaps)
                at = np.searchsorted(result._gaps, part._gaps)
                result._gram_mask[:, at] += factor * gram_mask
                result._mask_mask[np.ix_(at, at)] += factor * mask_mask
        plus = sign > 0
        result.rows = self.rows + other.rows if plus else self.rows - other.rows
        result.dropped = self.dropped + other.dropped if plus else self.dropped - other.dropped
        result.missing = self.missing + other.missing if plus else self.missing - other.missing
        result.low = np.minimum(self.low, other.low) if plus else self.low.copy()
        result.high = np.maximum(self.high, other.high) if plus else self.high.copy()
        return result

    def _about(self, shift: Array) -> tuple[Array, Array, Array]:
        """The sums around another shift."""
        d = np.where(self._unset, 0.0, self._shift - shift)
        if not d.any():
            return self._gram, self._gram_mask, self._mask_mask
        return self._sums.moved(d)
