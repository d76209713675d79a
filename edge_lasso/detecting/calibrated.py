"""From sensor models and rows to a detector: scales, chart and threshold, all from rows that the fit has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.detecting.thresholds import Rate, Threshold, automatic, find_threshold
from edge_lasso.errors import DataError
from edge_lasso.predicting.scores import scaled, scores, slow_part
from edge_lasso_runtime.detector import AGGREGATES, CHARTS, LONGEST_MEDIAN

Array = npt.NDArray[Any]
TO_DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
LEAST_SLOW = 1e-3
"""Of the slow part of a residual, in units of the residual's scale."""
WARM = 3.0
"""Time constants after which an EWMA has forgotten its start to 5 %."""


@dataclass(frozen=True)
class ChartOptions:
    """How residuals become a score; see `edge_lasso_runtime.detector`.

    Parameters
    ----------
    chart : {"both", "residual", "ewma", "cusum"}
    alpha, smoothing : float
        Weight of the newest residual in its EWMA, and of the newest evidence in its own; 1: no smoothing.
    allowance : float
        CUSUM: what a residual may be off, in units of its scale, without adding up.
    clip : float
        Residuals are cut to this, in units of their scale.
    median : int
        Residuals whose median is taken off the next one; 0: none.
    aggregate : {"mean", "max"}
    adjust : float or None
        Step of the online adjustment of the threshold; None: off. It is bounded by a factor of 2 either way.
    """

    chart: str = "both"
    alpha: float = 0.05
    smoothing: float = 0.05
    allowance: float = 0.5
    clip: float = 10.0
    median: int = 0
    aggregate: str = "mean"
    adjust: float | None = None

    def check(self) -> None:
        """Refuse what there is not."""
        for name, value, known in (("chart", self.chart, CHARTS), ("aggregate", self.aggregate, AGGREGATES)):
            if value not in known:
                raise DataError(f"{name} is {value!r}; allowed are {', '.join(known)}")
        for name in ("alpha", "smoothing", "adjust"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value <= 1.0:
                raise DataError(f"{name} is {value!r}; it must be above 0 and at most 1")
        if not (self.allowance >= 0.0 and self.clip > 0.0):
            raise DataError(
                f"allowance is {self.allowance!r} and clip {self.clip!r}; they must not be negative, clip not 0"
            )
        if not 0 <= self.median <= LONGEST_MEDIAN:
            raise DataError(f"median is {self.median!r}; it must be a number of rows from 0 to {LONGEST_MEDIAN}")

    @property
    def warm_up(self) -> int:
        """Rows until the chart has forgotten its start."""
        slowest = min(self.smoothing, self.alpha if self.chart in ("ewma", "both") else 1.0)
        return max(math.ceil(WARM / slowest) if slowest < 1.0 else 0, self.median)


def calibrated(
    names: Sequence[str],
    residuals: Array,
    options: ChartOptions,
    rate: Rate | None,
    step_seconds: float | None = None,
    least: Array | float = 0.0,
) -> tuple[dict[str, Any], Threshold, Array]:
    """The section ``detector/1`` from cross-fitted residuals of normal rows.

    Scales are robust (median absolute deviation), and such that evidence is 1 in the mean over rows and sensors.

    Parameters
    ----------
    names : sequence of str
        The watched readings.
    residuals : array, shape (n, sensors)
        Reading minus prediction of rows when they were held out, in the order of time; NaN where a reading is missing.
    options : ChartOptions
    rate : Rate or None
        None: what the data can promise at most (the threshold is the highest score).
    step_seconds : float, optional
    least : array, shape (sensors,), optional
        Scales are no smaller: a reading that repeats another leaves nothing but rounding.

    Returns
    -------
    section : dict
    threshold : Threshold
    scores : array
        Of the calibration rows after the warm-up.
    """
    options.check()
    centre = np.nanmedian(residuals, axis=0)
    deviation = np.maximum(_robust(residuals - centre), least)
    level = math.sqrt(_mean_square(np.clip((residuals - centre) / deviation, -options.clip, options.clip)))
    scale = np.maximum(deviation * max(level, 1e-12), least)
    watched = [
        {"reading": name, "centre": float(c), "scale": float(s), "slow": 1.0, "weight": 1.0}
        for name, c, s in zip(names, centre, scale, strict=True)
    ]
    section: dict[str, Any] = {
        "watched": watched, "chart": options.chart, "alpha": options.alpha, "allowance": options.allowance,
        "clip": options.clip, "median": options.median, "smoothing": options.smoothing,
        "aggregate": options.aggregate, "warm_up": options.warm_up,
    }  # fmt: skip
    if len(residuals) <= 2 * options.warm_up:
        raise DataError(
            f"{len(residuals):,} rows are too few for a chart that takes {options.warm_up} rows to settle; give more "
            "normal rows, or a larger alpha and smoothing"
        )
    if options.chart != "residual":
        slow = slow_part(scaled(residuals, section), section)[options.warm_up :]
        spread = _robust(slow) if options.chart != "cusum" else np.sqrt(np.nanmean(slow**2, axis=0))
        spread = np.maximum(np.where(spread > 0.0, spread, 1.0), LEAST_SLOW)
        spread *= math.sqrt(max(_mean_square(slow / spread), 1e-12))
        for sensor, value in zip(watched, spread, strict=True):
            sensor["slow"] = float(value)
    score = scores(residuals, section)[0][options.warm_up :]
    threshold = automatic(score, step_seconds) if rate is None else find_threshold(score, rate, step_seconds)
    section["threshold"] = threshold.section()
    if step_seconds:
        section["step_seconds"] = step_seconds
    if options.adjust is not None:
        section["adjust"] = {"eta": options.adjust, "cap": 2.0, "freeze": max(2 * threshold.hold, 10)}
    return section, threshold, score


def _robust(values: Array) -> Array:
    """Deviation from 0 of each column by the median; of columns mostly at rest, the ordinary one."""
    deviation = TO_DEVIATION * np.nanmedian(np.abs(values), axis=0)
    plain = np.sqrt(np.nanmean(values**2, axis=0))
    deviation = np.where(deviation > 1e-3 * plain, deviation, plain)
    return np.where(deviation > 0.0, deviation, 1.0)


def _mean_square(values: Array) -> float:
    return float(np.nanmean(values**2))
