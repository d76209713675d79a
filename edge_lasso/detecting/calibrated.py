"""From sensor models and rows to a detector: scales, chart and threshold, all from rows that the fit has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.detecting.exchangeable import exchangeable
from edge_lasso.detecting.following import ETA, PIECES, drift_words, drifts, follow, follower
from edge_lasso.detecting.thresholds import Rate, Threshold, TooFewRows, automatic, find_threshold, with_both
from edge_lasso.errors import DataError
from edge_lasso.predicting.scores import Scorer, scores
from edge_lasso_runtime.detector import TRACKS

Array = npt.NDArray[Any]
TAIL, BEYOND = 0.99, 3.0
"""A residual counts in its own scale up to this many times what this part of them stays below."""
LEAST_SLOW = 1e-3
"""Of the slow part of a residual, in units of the residual's scale."""
WARM = 3.0
"""Time constants after which an EWMA has forgotten its start to 5 %."""
BOTH = 0.99
"""Quantile of held-out scores at which the quick and the slow one are set equal."""
LEVELS = (7, 9)
"""`track` where it is decided here: calibration rows are `TIMES` times the 2^track in which it follows."""
TIMES = 8
WANDERS = 0.2
"""Part of a residual's variance that is between the pieces, and is not where its level is tracked."""


@dataclass(frozen=True)
class ChartOptions:
    """How residuals become a score; see `edge_lasso_runtime.detector`.

    Parameters
    ----------
    smoothing : float
        Weight of the newest residual and of the newest evidence in their moving averages; 1: rows by themselves.
    clip : float
        Residuals are cut to this, in units of their scale.
    track : int or None
        Levels of residuals are followed by 2^-track per row; 0: not. None: where the level of one of them wanders in
        the calibration rows, and less so when it is followed.
    adjust : float or None
        Step in which the threshold follows the scores (`following`); 0: it stays. None: it follows where the scores of
        the calibration rows drift.
    """

    smoothing: float = 0.05
    clip: float = 10.0
    track: int | None = None
    adjust: float | None = None

    def check(self) -> None:
        """Refuse what there is not."""
        if not 0.0 < self.smoothing <= 1.0:
            raise DataError(f"smoothing is {self.smoothing!r}; it must be above 0 and at most 1")
        if self.adjust is not None and not 0.0 <= self.adjust <= 1.0:
            raise DataError(f"adjust is {self.adjust!r}; it must be above 0 and at most 1, or 0 for not")
        if not self.clip > 0.0:
            raise DataError(f"clip is {self.clip!r}; it must be positive")
        if self.track is not None and self.track != 0 and not TRACKS[0] <= self.track <= TRACKS[1]:
            raise DataError(
                f"track is {self.track!r}; levels follow within 2^{TRACKS[0]} to 2^{TRACKS[1]} rows: it must be a "
                f"whole number from {TRACKS[0]} to {TRACKS[1]}, or 0 for none"
            )

    @property
    def warm_up(self) -> int:
        """Rows until the moving averages have forgotten their start."""
        return math.ceil(WARM / self.smoothing) if self.smoothing < 1.0 else 0


def parse_track(text: str) -> int | None:
    """Read ``auto``, ``off``, or a number of rows, of which the power of 2 next to it is taken.

    Raises
    ------
    DataError
        It is none of them.
    """
    if text in ("auto", "off"):
        return None if text == "auto" else 0
    least, most = (1 << end for end in TRACKS)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise DataError(f"--track is {text!r}; give auto, off, or a number of rows from {least} to {most:,}, as 512")
    return round(math.log2(int(text)))


def parse_adjust(text: str) -> float | None:
    """Read ``auto``, ``off``, or a step; DataError for anything else."""
    if text in ("auto", "off"):
        return None if text == "auto" else 0.0
    try:
        return float(text)
    except ValueError:
        raise DataError(f"--adjust is {text!r}; give auto, off, or a step above 0 and at most 1, as 0.05") from None


def calibrated(
    names: Sequence[str],
    residuals: Array,
    options: ChartOptions,
    rate: Rate | float | None,
    step_seconds: float | None = None,
    least: Array | float = 0.0,
    weights: Array | None = None,
    memory: int = 0,
) -> tuple[dict[str, Any], Threshold, Array, list[str]]:
    """The section ``detector/1`` from cross-fitted residuals of normal rows.

    Parameters
    ----------
    names : sequence of str
        The reading of each output.
    residuals : array, shape (n, outputs)
        Reading minus prediction of rows when they were held out, in the order of time; NaN where a reading is missing.
    options : ChartOptions
    rate : Rate, float or None
        None: what the data can promise at most (the threshold is the highest score). A number: part of the rows, whose
        order means nothing (`exchangeable`).
    step_seconds : float, optional
    least : array, shape (outputs,), optional
        Scales are no smaller: a reading that repeats another leaves nothing but rounding.
    weights : array, shape (outputs,), optional
        Of the evidence; 1 where there are none.
    memory : int
        Rows that derived inputs look back: the warm-up is no shorter.

    Returns
    -------
    section : dict
    threshold : Threshold
    scores : array
        Of the calibration rows after the warm-up.
    notes : list of str
        That normal data drift, and what follows from it.
    """
    options.check()
    warm_up = max(options.warm_up, memory)
    if len(residuals) <= 2 * warm_up:
        raise DataError(
            f"{len(residuals):,} rows are too few for a chart that takes {warm_up} rows to settle; give more "
            "normal rows, or a larger smoothing"
        )
    weights = np.ones(len(names)) if weights is None else weights

    section = _chart(names, residuals, options, options.track or 0, least, weights, warm_up)
    track = _slowest(len(residuals), LEVELS[0])
    if options.track is None and track:
        follows = _chart(names, residuals, options, track, least, weights, warm_up)
        if _steadied(section, follows, residuals).max() > WANDERS:
            section = follows
    score, parts = (part[warm_up:] for part in scores(residuals, section))
    times = 0.0 if isinstance(rate, float) else drifts(score)
    adjust = options.adjust if options.adjust is not None else ETA if times else 0.0
    if isinstance(rate, float):
        threshold = exchangeable(score, rate)
    elif rate is None:
        threshold = automatic(score, step_seconds)
    else:
        try:
            threshold = follower(score, rate, step_seconds) if adjust else find_threshold(score, rate, step_seconds)
        except TooFewRows as refusal:
            raise DataError(f"{refusal}{_other_cure(names, residuals, section, options)}") from None
    threshold = with_both(threshold, score, step_seconds)
    if adjust:  # what was found where it starts is no statement about where it will be
        threshold = replace(threshold, kind="follows")
    section["threshold"] = threshold.section()
    if step_seconds:
        section["step_seconds"] = step_seconds
    if adjust:
        section["adjust"] = follow(adjust, threshold, len(score), step_seconds)
    notes = [drift_words(section, times, parts)] if times else []
    return section, threshold, score, notes


def _chart(
    names: Sequence[str],
    residuals: Array,
    options: ChartOptions,
    track: int,
    least: Array | float,
    weights: Array,
    warm_up: int,
) -> dict[str, Any]:
    """Centres, scales and speeds, such that evidence is about 1 in the mean on the calibration rows."""
    centre = np.nanmedian(residuals, axis=0)
    scale = np.maximum(_deviation(residuals - centre), least)
    watched = [
        {"reading": name, "centre": float(c), "scale": float(s), "slow": 1.0, "weight": float(w)}
        for name, c, s, w in zip(names, centre, scale, weights, strict=True)
    ]
    section: dict[str, Any] = {
        "watched": watched, "smoothing": options.smoothing, "clip": options.clip, "track": track, "fast": 0.0,
        "warm_up": warm_up,
    }  # fmt: skip
    if track:  # a level of its own makes a residual smaller, which its scale is to know
        rest = _deviation(Scorer(section).scaled(residuals)[warm_up:])
        for sensor, value, low in zip(watched, rest, np.broadcast_to(least, len(rest)), strict=True):
            sensor["scale"] = float(max(sensor["scale"] * value, low))
    if options.smoothing == 1.0:
        return section
    scorer = Scorer(section)
    scaled = scorer.scaled(residuals)
    slow = scorer.slowly(scaled)[warm_up:]
    for sensor, value in zip(watched, np.sqrt(np.nanmean(slow**2, axis=0)), strict=True):
        sensor["slow"] = float(max(value, LEAST_SLOW)) if value > 0.0 else 1.0
    known = np.where(np.isnan(scaled), 0.0, 1.0) * weights
    quick = np.nansum(scaled**2 * weights, axis=1) / np.maximum(known.sum(axis=1), 1e-300)
    quantiles = [float(np.quantile(part[warm_up:], BOTH)) for part in (scores(residuals, section)[0], quick)]
    section["fast"] = min(quantiles[0] / quantiles[1], 1.0) if quantiles[1] > 0.0 else 1.0
    return section


def _deviation(values: Array) -> Array:
    """Deviation from 0 of each column, in which what is far beyond the others counts as the end of their tail."""
    size = np.abs(values)
    plain = np.sqrt(np.nanmean(values**2, axis=0))
    most = BEYOND * np.nanquantile(size, TAIL, axis=0)
    cut = np.sqrt(np.nanmean(np.minimum(size, most) ** 2, axis=0))
    return np.where(most > 0.0, cut, np.where(plain > 0.0, plain, 1.0))


def _other_cure(names: Sequence[str], residuals: Array, section: dict[str, Any], options: ChartOptions) -> str:
    """That a level drifts and would not if it were followed, with how; nothing where that is not so."""
    most = _slowest(len(residuals), TRACKS[0])
    if section["track"] or not most:
        return ""
    weights = np.array([sensor["weight"] for sensor in section["watched"]])
    follows = _chart(names, residuals, options, most, 0.0, weights, section["warm_up"])
    steadied = _steadied(section, follows, residuals)
    worst = int(np.argmax(steadied))
    if steadied[worst] <= WANDERS:
        return ""
    return f"; the level of '{names[worst]}' drifts: let levels be followed, too (--track {1 << most})"


def _slowest(rows: int, least: int) -> int:
    """The largest `track`, `least` or more, that so many rows are enough for; 0: none."""
    return max((track for track in range(least, LEVELS[1] + 1) if TIMES << track <= rows), default=0)


def _steadied(stays: dict[str, Any], follows: dict[str, Any], residuals: Array) -> Array:
    """By how much less each residual wanders where its level is followed."""
    before, after = (_wandering(Scorer(chart).scaled(residuals)[chart["warm_up"] :]) for chart in (stays, follows))
    return before - after


def _wandering(scaled: Array) -> Array:
    """The part of each column's variance that is between pieces of the rows."""
    means = np.array([np.nanmean(piece, axis=0) for piece in np.array_split(scaled, PIECES)])
    return np.asarray(np.nanvar(means, axis=0) / np.maximum(np.nanvar(scaled, axis=0), 1e-12))
