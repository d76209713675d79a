"""What the accumulated sums of shifted rows say: means and covariances, and the same sums around another shift."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edge_lasso.statistics.moments import Moments

Array = npt.NDArray[Any]


class Sums(NamedTuple):
    """Weighted sums over rows ``z = (X y) - shift`` with a column of ones behind them; missing readings count 0.

    Parameters
    ----------
    gram : array, shape (w, w)
        Upper triangle of ``Z'Z``, the ones at position p + t; w is at least p + t + 1.
    gram_mask : array, shape (w, g)
        ``Z'M`` with the masks of the columns that have gaps.
    mask_mask : array, shape (g, g)
        ``M'M``.
    gaps : array of int, shape (g,)
        Those columns.
    shift : array, shape (p + t,)
    """

    gram: Array
    gram_mask: Array
    mask_mask: Array
    gaps: Array
    shift: Array

    def moments(self, weight: float, rows: int, defaults: Moments | None) -> Moments:
        """Means and covariances with missing readings at the mean of `defaults`, or at their own."""
        size, gaps = len(self.shift), self.gaps
        gram = mirrored(self.gram[:size, :size])
        sums = self.gram[:size, size].copy()
        if len(gaps):
            lost = self.gram_mask[size]
            seen = weight - lost
            own = np.divide(sums[gaps], seen, out=np.zeros(len(gaps)), where=seen > 1e-12 * weight)
            fill = own if defaults is None else (defaults.mean - self.shift)[gaps]
            cross = self.gram_mask[:size] * fill
            gram[:, gaps] += cross
            gram[gaps] += cross.T
            gram[np.ix_(gaps, gaps)] += np.outer(fill, fill) * self.mask_mask
            sums[gaps] += fill * lost
        delta = sums / weight
        second = np.diagonal(gram) / weight
        gram /= weight
        gram -= np.outer(delta, delta)
        diagonal = np.einsum("ii->i", gram)
        np.maximum(diagonal, 0.0, out=diagonal)
        return Moments(weight, rows, self.shift.copy(), delta, gram, second)

    def means(self, weight: float) -> Array:
        """Means of the columns over their observed readings."""
        size = len(self.shift)
        seen = np.full(size, weight)
        seen[self.gaps] -= self.gram_mask[size]
        own = np.divide(self.gram[:size, size], seen, out=np.zeros(size), where=seen > 1e-12 * weight)
        return np.asarray(self.shift + own)

    def opened(self, gaps: Array) -> tuple[Array, Array, Array]:
        """The columns with gaps, these included, and the sums over masks with room for them."""
        union = np.union1d(self.gaps, gaps)
        if len(union) == len(self.gaps):
            return self.gaps, self.gram_mask, self.mask_mask
        at = np.searchsorted(union, self.gaps)
        gram_mask = np.zeros((len(self.gram), len(union)))
        gram_mask[:, at] = self.gram_mask
        mask_mask = np.zeros((len(union), len(union)))
        mask_mask[np.ix_(at, at)] = self.mask_mask
        return union, gram_mask, mask_mask

    def moved(self, d: Array) -> tuple[Array, Array, Array]:
        """The sums around ``shift - d`` (exact in exact arithmetic, gaps included)."""
        size, gaps = len(self.shift), self.gaps
        gram = mirrored(self.gram)
        seen = np.full((size, size), gram[size, size])  # weight of the rows where both are known
        lost = np.zeros(size)
        mask = np.zeros((size, size))  # Z'M with a column for each of the p + t
        if len(gaps):
            lost[gaps] = self.gram_mask[size]
            mask[:, gaps] = self.gram_mask[:size]
            seen -= lost[:, None] + lost
            seen[np.ix_(gaps, gaps)] += self.mask_mask
        sums = gram[:size, size].copy()
        cross = (sums[:, None] - mask) * d
        gram[:size, :size] += cross + cross.T + np.outer(d, d) * seen
        sums += d * (gram[size, size] - lost)
        gram[:size, size] = gram[size, :size] = sums
        gram_mask = self.gram_mask.copy()
        if len(gaps):
            both = np.zeros((size, len(gaps)))
            both[gaps] = self.mask_mask
            gram_mask[:size] += d[:, None] * (lost[gaps] - both)
        return np.asfortranarray(np.triu(gram)), gram_mask, self.mask_mask


def mirrored(gram: Array) -> Array:
    """A symmetric matrix from its upper triangle; the lower one is zero."""
    full = np.ascontiguousarray(gram.T) + gram
    np.einsum("ii->i", full)[:] = np.diagonal(gram)
    return np.ascontiguousarray(full)
