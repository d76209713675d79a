"""A fit that a few wild values of the target do not move: rows weighed by their residuals from the fit before.

Training minimizes squares, which one wild value in fifty decides. With Huber's loss (1964) a residual beyond `TUNING`
standard deviations counts as if it were weighed down to there: reweighted least squares, a few passes over the rows,
each of which yields the same statistics as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edge_lasso.paths.options import Fit
from edge_lasso.paths.problem import deviations
from edge_lasso.statistics.collect import Collected
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.first_pass import Progress, kept_blocks
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.tables.survey import Survey
from edge_lasso.tables.tables import Table
from edge_lasso_runtime.model import READING_LIMIT

Array = npt.NDArray[Any]
Fitted = TypeVar("Fitted")
TUNING = 1.345
"""Of the scale: 95 % as efficient as least squares where errors are normal (Huber 1981)."""
ROUNDS = 6
SETTLED = 0.01
"""Rounds end when the scale changes by no more than this part."""
NORMAL = 0.6745
"""Median absolute deviation of a normal error."""
FEW = 30
DECISIVE = 0.5
"""Leverage of a row from which it is told, where there are `FEW` rows or more."""
ALONE = 1.0 + 1e-6
"""No leverage is larger (squares that were weighed or filled may make it seem so)."""
WILD = 6.0
"""Residuals beyond so many scales are no chance."""


@dataclass(frozen=True)
class Weighed:
    """What rows count.

    Parameters
    ----------
    weight : array, shape (n,)
        By rank; at most 1.
    scale : float
        Deviation of the residuals, from their median absolute value; 0 where most are zero.
    """

    weight: Array
    scale: float

    def to_json(self, rounds: int) -> dict[str, Any]:
        """For the model's provenance."""
        return {
            "loss": "huber", "tuning": TUNING, "scale": self.scale, "rounds": rounds,
            "weighed_down": float(np.mean(self.weight < 1.0)), "mean_weight": float(self.weight.mean()),
        }  # fmt: skip


def huber(residual: Array) -> Weighed:
    """Weights of Huber's loss.

    Parameters
    ----------
    residual : array, shape (n,)
    """
    scale = float(np.median(np.abs(residual))) / NORMAL
    if not scale > 0.0:
        return Weighed(np.ones(len(residual)), 0.0)
    return Weighed(np.minimum(1.0, TUNING * scale / np.maximum(np.abs(residual), 1e-300)), scale)


def reweighed(
    first: Fitted, fit: Callable[[Array], Fitted], residual: Callable[[Fitted], Array]
) -> tuple[Fitted, Weighed, int]:
    """Fits with rows weighed by the residuals of the one before, until their scale stays; also weights and rounds.

    Parameters
    ----------
    first : the fit with all rows counting the same
    fit, residual : callable
        What rows of these weights give; truth minus prediction of what was fitted.
    """
    fitted, scale, rounds = first, np.inf, 0
    while rounds < ROUNDS:
        weighed = huber(residual(fitted))
        fitted, rounds = fit(weighed.weight), rounds + 1
        if abs(weighed.scale - scale) <= SETTLED * weighed.scale:
            break
        scale = weighed.scale
    return fitted, weighed, rounds


def residuals(table: Table, collected: Collected, rows: Survey, fit: Fit, progress: Progress | None) -> Array:
    """Truth minus fit of the rows trained on, by rank; gaps count as the means that the statistics know."""
    used = np.flatnonzero(fit.coef)
    mean, coef = collected.folds.total.means()[used], fit.coef[used]
    result = np.zeros(rows.kept)
    design: Design = collected.design
    for X, y, rank in kept_blocks(design.blocks(table, rows.breaks), rows, progress):
        trained = rank >= 0
        x = np.asarray(X[trained][:, used], dtype=np.float64)
        with np.errstate(invalid="ignore"):
            x = np.where(np.abs(x) <= READING_LIMIT, x, mean)
        result[rank[trained]] = np.asarray(y)[trained].reshape(len(x), -1)[:, 0] - fit.intercept - x @ coef
    return result


def words(about: dict[str, Any]) -> str:
    """What was done, from `Weighed.to_json`."""
    return (
        f"rows count by Huber's loss (residuals have a scale of {about['scale']:.4g}): {about['weighed_down']:.1%} of "
        "them count less, in the errors of cross-validation, too"
    )


def decisive_rows(folds: FoldStatistics) -> list[str]:
    """A note on columns most of whose variance is one row's, which then all but decides what they are worth.

    The largest leverage of a row that a column has by itself is known from the statistics: the square of its farthest
    value from the mean, over the sum of all squares.
    """
    total, p = folds.total, len(folds.columns)
    if total.rows < FEW:
        return []
    moments = total.moments()
    far = np.maximum(total.high[:p] - moments.mean[:p], moments.mean[:p] - total.low[:p])
    squares = np.diagonal(moments.covariance)[:p] * moments.weight
    share = np.where(deviations(moments, p)[1], 0.0, far**2 / np.where(squares > 0.0, squares, 1.0))
    decided = np.flatnonzero((share > DECISIVE) & (share < ALONE))
    if not len(decided):
        return []
    j = decided[share[decided].argmax()]
    return [
        f"one row has {share[j]:.0%} of the variance of '{folds.columns[j]}', and all but decides what it is worth; "
        f"look at the reading that is {far[j]:.4g} from the mean"
        + (f" ({len(decided) - 1} more columns are like that)" if len(decided) > 1 else "")
    ]


def wild_values(residual: Array) -> str | None:
    """What to say where few rows have most of the squared error; None: they have not."""
    size = np.abs(residual)
    scale = float(np.median(size)) / NORMAL
    wild = size > WILD * scale
    share = float(np.mean(wild))
    if not scale > 0.0 or not 0.0 < share <= 0.1 or (residual[wild] ** 2).sum() <= 0.5 * (residual**2).sum():
        return None
    return (
        f"{share:.1%} of the rows held out err by more than {WILD:g} times the usual {scale:.4g}, and have most of the "
        "squared error; a few such rows can decide a fit: --robust weighs them down"
    )
