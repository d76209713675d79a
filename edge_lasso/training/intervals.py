"""Prediction intervals from rows that training did not see, and how many truths they hold on others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError

Array = npt.NDArray[Any]
BLOCKS = 5


def check_level(level: float, holdout: float) -> None:
    """Refuse a level that is no part, and one without rows to calibrate on."""
    if not 0.0 < level < 1.0:
        raise DataError(f"--interval is {level:g}; it is the part of truths to hold, between 0 and 1, for example 0.9")
    if not holdout:
        raise DataError("--interval is calibrated on rows that training has not seen; give --holdout, for example 0.2")


def rows_needed(level: float) -> int:
    """The fewest calibration rows with which the quantiles of `level` exist."""
    return math.ceil(2.0 / (1.0 - level) - 1.0 - 1e-9)


def conformal(residual: Array, level: float) -> dict[str, Any]:
    """Section ``interval/1``, from truth minus prediction on held-out rows.

    The first half calibrates, the second says how many truths the interval holds; rows are in the order of time where
    there is one, so that neighbours, which err alike, do not sit on both sides. With exchangeable rows coverage is at
    least `level` on average (Lei et al. 2018, theorem 2.2: ranks of n + 1 rows); rows in time are not exchangeable, so
    the coverage found is stated, also for each of `BLOCKS` blocks of the second half.

    Parameters
    ----------
    residual : array, shape (rows, outputs)
    level : float

    Raises
    ------
    DataError
        Too few rows for the level.
    """
    half = len(residual) // 2
    needed = rows_needed(level)
    if half < needed:
        raise DataError(
            f"--interval {level:g} needs {2 * needed} held-out rows (half to calibrate, half to check), there are "
            f"{len(residual)}; hold out more with --holdout, or ask for less"
        )
    tail = (1.0 - level) / 2.0
    rank = math.floor((half + 1) * tail + 1e-9)  # of n + 1 equally likely places, so many lie below, and above
    ordered = np.sort(residual[:half], axis=0)
    low, high = ordered[rank - 1], ordered[half - rank]
    held = (residual[half:] >= low) & (residual[half:] <= high)
    return {
        "level": level,
        "low": low.tolist(),
        "high": high.tolist(),
        "rows": {"calibration": half, "check": len(held)},
        "coverage": held.mean(axis=0).tolist(),
        "blocks": [float(block[:, 0].mean()) for block in np.array_split(held, BLOCKS) if len(block)],
    }
