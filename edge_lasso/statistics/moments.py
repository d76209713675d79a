"""Means and covariances: what solvers read of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Moments:
    """Weighted means and covariances after missing readings got their default.

    Parameters
    ----------
    weight : float
        Sum of the sample weights.
    rows : int
    shift : array, shape (p + t,)
        Columns, then targets.
    delta : array, shape (p + t,)
        Mean minus shift.
    covariance : array, shape (p + t, p + t)
        Divided by the weight (ddof = 0).
    second : array, shape (p + t,)
        Mean square around the shift: what the covariance was subtracted from.
    """

    weight: float
    rows: int
    shift: Array
    delta: Array
    covariance: Array
    second: Array

    @property
    def mean(self) -> Array:
        """Absolute means."""
        return np.asarray(self.shift + self.delta)

    def chosen(self, order: Array) -> Moments:
        """The moments of some columns, in this order."""
        return replace(
            self,
            shift=self.shift[order],
            delta=self.delta[order],
            covariance=self.covariance[np.ix_(order, order)],
            second=self.second[order],
        )
