"""Whether normal data is alike from piece to piece, and a threshold that follows where it is not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from edge_lasso.detecting.episodes import correlation_time, typical_rows
from edge_lasso.detecting.thresholds import SECONDS, Rate, Threshold, automatic, find_threshold
from edge_lasso.errors import DataError
from edge_lasso_runtime.detector import Detector
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]
PIECES = 10
"""Of the calibration rows, one after another."""
PART = 0.05
"""Of the rows, with the highest scores, that are counted in each piece."""
SURE, TIMES, GROWS = 1e-3, 3.0, 1.5
"""Drift: counts this unlikely if all pieces were alike, and one of them this many times the mean; or a straight line
through them this unlikely to rise or fall, and its higher end this many times the mean."""
ETA, FLOOR, CAP = 0.05, 0.5, 16.0
"""Step of a threshold that follows, and its ends as factors of where it starts."""


def drifts(scores: Array) -> float:
    """How many times the mean one piece of the rows has of the highest scores; 0 where that may be chance.

    Rows above the quantile come in episodes of unequal length; as if in episodes of equal length u (`typical_rows`),
    their number in a piece has u times its mean as variance, so that ``sum (n - m)^2 / (m u)`` is about chi2; of its
    degrees of freedom one is the slope of a line, which finds what grows smoothly. That length is one of scores in
    units of their piece's mean: where they drift, all of them hang together.
    """
    if len(scores) < 2 * PIECES:
        return 0.0
    above = scores > np.quantile(scores, 1.0 - PART)
    counts = np.array([piece.sum() for piece in np.array_split(above, PIECES)], dtype=np.float64)
    mean = counts.mean()
    if not mean > 0.0:
        return 0.0
    local = np.concatenate([piece / max(piece.mean(), 1e-300) for piece in np.array_split(scores, PIECES)])
    unit, _ = typical_rows(local, PART, correlation_time(local))
    unlikely = chdtrc(PIECES - 1, ((counts - mean) ** 2).sum() / (mean * unit))
    worst = float(counts.max() / mean)
    place = np.arange(PIECES) - (PIECES - 1) / 2.0
    slope = place @ counts / (place @ place)
    end = 1.0 + abs(slope) * place[-1] / mean
    grows = chdtrc(1, slope**2 * (place @ place) / (mean * unit)) < SURE and end > GROWS
    return worst if grows or (unlikely < SURE and worst > TIMES) else 0.0


def follow(step: float, threshold: Threshold, rows: int, step_seconds: float | None) -> dict[str, Any]:
    """How a threshold follows: frozen from a while after an alarm's beginning up to a day, or a tenth of the rows."""
    freeze = max(2 * threshold.hold, 10)
    longest = round(SECONDS["day"] / step_seconds) if step_seconds else rows // 10
    return {"eta": step, "floor": FLOOR, "cap": CAP, "freeze": freeze, "thaw": max(longest, 2 * freeze)}


def follower(scores: Array, rate: Rate, step_seconds: float | None) -> Threshold:
    """Where a threshold starts that is to follow: also of rows too few for a promise that it could keep unmoved."""
    try:
        return find_threshold(scores, rate, step_seconds)
    except DataError:
        if rate.per != "row" and not step_seconds:
            raise
    result = automatic(scores)
    part = rate.value
    if rate.per != "row":
        unit, _ = typical_rows(scores, PART, result.hold)
        part = rate.value * unit * (step_seconds or 0.0) / SECONDS[rate.per]
    part = min(max(part, 1e-5), 0.5)
    return replace(result, rate=rate, kind="follows", high=part, row_rate=part)


def followed(model: Model, scores: Array) -> tuple[Array, Array]:
    """Rows in alarm and those that begin one, as a board decides; `scores` begin after the warm-up."""
    detector = Detector(model)
    decisions = np.array([detector.decide(score) for score in scores.tolist()], dtype=bool).reshape(-1, 2)
    return decisions[:, 0], decisions[:, 1]


def most_in_alarm(section: dict[str, Any], rows: int) -> float:
    """The part of so many rows that can be in alarm at most while a threshold follows, whatever their scores do.

    The identity of `Detector.decide`, with the threshold at its upper end; rows in which it is frozen come on top.
    """
    adjust, rate = section["adjust"], section["threshold"]["row_rate"]
    return float(min(rate + math.log(adjust["cap"]) / (adjust["eta"] * rows), 1.0))


def drift_words(section: dict[str, Any], times: float, parts: Array) -> str:
    """That the scores of normal rows drift, by which sensors, and what is done or can be."""
    adjust = section.get("adjust")
    remedy = (
        f"the threshold follows them in steps of {adjust['eta']:g}, down to {adjust['floor']:g} and up to "
        f"{adjust['cap']:g} times its start: a fault that lasts becomes usual after {adjust['thaw']:,} rows"
        if adjust
        else "a threshold that stays cannot keep its promise: give --adjust auto, or more normal rows"
    )
    return (
        f"normal rows drift: one tenth of them has {times:.1f} times its part of the highest scores, most by "
        f"{', '.join(wanders(section, parts))}; {remedy}"
    )


def wanders(section: dict[str, Any], parts: Array) -> list[str]:
    """The sensors whose evidence differs most between the pieces, the first three."""
    names = [sensor["reading"] for sensor in section["watched"]]
    means = np.array([piece.mean(axis=0) for piece in np.array_split(parts, PIECES)])
    order = np.argsort(-(means.max(axis=0) - np.median(means, axis=0)), kind="stable")
    return list(dict.fromkeys(names[k] for k in order))[:3]
