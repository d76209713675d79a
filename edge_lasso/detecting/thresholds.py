"""Alarm thresholds that mean something: how often normal data would raise an alarm, with the confidence it allows.

Scores follow each other closely (smoothing, slow plants), so single rows are no independent evidence; episodes are.
Rows above a threshold that lie closer together than a correlation time are one episode, and the number of episodes in a
time T is taken as Poisson: N seen give the rate N / T with the interval [chi2(.025, 2 N), chi2(.975, 2 N + 2)] / 2 T
(Garwood 1936); none seen give at most 3 / T at 95 % confidence. The rows above the threshold are a sum over episodes of
unequal length S, which varies more: as if they came in N' = (rows above) / u episodes of the same length
u = sum S^2 / sum S (compound Poisson, matched in mean and variance).

A threshold chosen on the same rows keeps these intervals: the rate falls as the threshold rises, so that it lies above
the interval's end only where the threshold that has the end as its rate saw at most N.

All of it holds for a stationary plant whose memory, that of the size of its noise included, is short beside the rows (a
20th of them is the longest that is seen); no guarantee for finite data exists without such assumptions. Where the noise
comes in clusters (GARCH, with a memory of 50 to 100 rows) squares hang together for longer, episodes are fewer and
longer, and what is stated holds as it does elsewhere (`test_thresholds`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from edge_lasso.detecting.episodes import MOST, PILOT, correlation_time, episodes, typical_rows
from edge_lasso.errors import DataError

Array = npt.NDArray[Any]
ENOUGH = 30
"""Episodes (of equal length) from which on a rate is stated: its interval ends within a factor of 1.5."""
CONFIDENCE = 0.95
LONGEST_HOLD, LONGEST_ROWS = 3600.0, 60
"""Between two alarms that count as one: an hour (or 3 rows, if these are longer); rows where times are not known."""
SECONDS = {"hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 2629800.0, "year": 31557600.0}


class TooFewRows(DataError):
    """Normal rows that are too few for the promise that is asked for."""


@dataclass(frozen=True)
class Rate:
    """How many false alarms are wanted.

    Parameters
    ----------
    value : float
        Alarm onsets per time, or part of the rows in alarm.
    per : {"row", "hour", "day", "week", "month", "year"}
    """

    value: float
    per: str = "row"

    def __str__(self) -> str:
        return f"{self.value:g} of the rows" if self.per == "row" else f"{self.value:g} per {self.per}"


@dataclass(frozen=True)
class Threshold:
    """A threshold and what is known about its rate of false alarms.

    Parameters
    ----------
    score : float
        Alarm: a score above it.
    rate : Rate
        What was asked for.
    kind : {"rate", "limit", "exchangeable", "follows"}
        "rate": found on normal data, with an interval. "limit": the data are too few for that; at the stated
        confidence the rate is at most what was asked for. "exchangeable": for rows whose order means nothing.
    found, low, high : float
        Rate on the calibration rows, and its interval (of a limit: from 0 to the upper limit), in the unit of `rate`.
    row_rate : float
        Part of the calibration rows above the threshold.
    rows, events, hold : int
        Calibration rows; episodes among them; rows below the threshold that end an episode.
    also : dict, optional
        Of the other figure, rows in alarm or onsets per day: "per", "rate" and "high", its upper limit.
    """

    score: float
    rate: Rate
    kind: str
    found: float
    low: float
    high: float
    row_rate: float
    rows: int
    events: int
    hold: int
    also: dict[str, Any] | None = None

    def section(self) -> dict[str, Any]:
        """As the model file has it."""
        return {
            "score": self.score, "row_rate": self.row_rate, "hold": self.hold, "rate": self.rate.value,
            "per": self.rate.per, "kind": self.kind, "low": self.low, "high": self.high, "confidence": CONFIDENCE,
            "rows": self.rows, "events": self.events, **({"also": self.also} if self.also else {}),
        }  # fmt: skip


def parse_rate(text: str | float | Rate) -> Rate:
    """Read ``0.01`` (part of the rows) or ``2/week`` (alarm onsets per time).

    Raises
    ------
    DataError
        It is neither.
    """
    if isinstance(text, Rate):
        return text
    result = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(?:/\s*([a-z]+))?\s*", str(text))
    try:
        value, per = (float(result[1]), result[2] or "row") if result else (math.nan, "row")
    except ValueError:
        value, per = math.nan, "row"
    if not (0.0 < value < (1.0 if per == "row" else math.inf)) or per not in ("row", *SECONDS):
        raise DataError(
            f"alarm rate {text!r}: give a part of the rows between 0 and 1, as 0.001, or alarms per time, as 1/day "
            f"(per {', '.join(SECONDS)})"
        )
    return Rate(value, per)


def held(scores: Array, step_seconds: float | None) -> int:
    """Rows below the threshold that end an alarm: a correlation time, as long as a person would call that one alarm.

    Where a plant drifts, scores hang together for days; alarms that far apart are two all the same.
    """
    longest = max(round(LONGEST_HOLD / step_seconds), 3) if step_seconds else LONGEST_ROWS
    return min(correlation_time(scores), longest)


def limits(events: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval of a Poisson mean of which `events` were seen: chi2(p, 2 N) / 2 = gammaincinv(N, p)."""
    tail = (1.0 - confidence) / 2.0
    low = float(gammaincinv(events, tail)) if events else 0.0
    return low, float(gammaincinv(events + 1, 1.0 - tail))


def upper_limit(events: float, confidence: float = CONFIDENCE) -> float:
    """One-sided upper limit of a Poisson mean of which `events` were seen."""
    return float(gammaincinv(events + 1, confidence))


def find_threshold(scores: Array, rate: Rate, step_seconds: float | None = None) -> Threshold:
    """Choose the threshold from scores of normal rows that the fit has not seen, in the order of time.

    Parameters
    ----------
    scores : array, shape (n,)
    rate : Rate
    step_seconds : float, optional
        From one row to the next; needed for a rate per time.

    Raises
    ------
    DataError
        Too few rows even for an upper limit: the message says how many it would take. More alarms are asked for than
        the scores have episodes.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not len(scores) or not np.isfinite(scores).all():
        raise DataError(f"a threshold needs finite scores of normal rows; there are {np.isfinite(scores).sum():,}")
    if rate.per == "row":
        return _row_threshold(scores, rate, step_seconds)
    if not step_seconds:
        raise DataError(f"an alarm rate of {rate} needs to know the time between rows; name their column with --time")
    return _onset_threshold(scores, rate, step_seconds)


def automatic(scores: Array, step_seconds: float | None = None) -> Threshold:
    """The highest score, and what it promises at most: per day where the time between rows is known, else per row."""
    n, apart = len(scores), correlation_time(scores)
    score, most = float(scores.max()), upper_limit(0)
    if step_seconds:
        rate = Rate(most * SECONDS["day"] / (n * step_seconds), "day")
    else:
        rate = Rate(min(most * typical_rows(scores, 1.0 / n, apart)[0] / n, 0.5))
    return Threshold(score, rate, "limit", 0.0, 0.0, rate.value, 0.5 / n, n, 0, held(scores, step_seconds))


def with_both(threshold: Threshold, scores: Array, step_seconds: float | None) -> Threshold:
    """The threshold with the other figure: onsets say little where an alarm lasts, rows little where it is short."""
    per = "row" if threshold.rate.per != "row" else "day"
    if per == "day" and not step_seconds:
        return threshold
    value, _, high, events = found_rate(scores, threshold.score, Rate(0.5, per), threshold.hold, step_seconds)
    if not events:  # as of none seen: 3, each as long as those of the highest scores
        apart = correlation_time(scores)
        days = len(scores) * (step_seconds or 0.0) / SECONDS["day"]
        rows = typical_rows(scores, 1.0 / len(scores), apart)[0]
        high = upper_limit(0) * rows / len(scores) if per == "row" else upper_limit(0) / days
    return replace(threshold, also={"per": per, "rate": value, "high": min(high, 1.0) if per == "row" else high})


def found_rate(
    scores: Array, threshold: float, rate: Rate, hold: int, step_seconds: float | None = None
) -> tuple[float, float, float, int]:
    """The rate of alarms on some rows in the unit of `rate`, its interval, and the number of episodes."""
    n, above = len(scores), scores > threshold
    events = episodes(above, hold)
    if rate.per != "row":
        assert step_seconds is not None
        time = n * step_seconds / SECONDS[rate.per]
        low, high = limits(events)
        return events / time, low / time, high / time, events
    result = float(above.mean())
    unit, _ = typical_rows(scores, max(result, 1.0 / n), hold)
    low, high = (min(end * unit / n, 1.0) for end in limits(result * n / unit))
    return result, low, high, events


def _row_threshold(scores: Array, rate: Rate, step_seconds: float | None) -> Threshold:
    n, apart = len(scores), correlation_time(scores)
    unit, seen = typical_rows(scores, rate.value, apart)
    wanted = rate.value * n / unit
    if upper_limit(0) > wanted:  # what is said to suffice allows for a length known from few
        likely = unit * (1.0 + 2.0 / math.sqrt(seen))
        raise _too_few(n, rate, max(likely / rate.value, n * PILOT / seen / upper_limit(0)))
    if wanted >= ENOUGH:
        kind, part = "rate", rate.value
    else:  # so few that the upper limit is the rate asked for
        kind, part = "limit", unit * _seen_at_most(wanted) / n
    ordered = np.sort(scores)
    score = float(ordered[max(n - 1 - math.floor(part * n), 0)])
    above = scores > score
    result = float(above.mean())
    low, high = (end * unit / n for end in limits(result * n / unit))
    if kind == "limit":
        low, high = 0.0, upper_limit(result * n / unit) * unit / n
    hold = held(scores, step_seconds)
    events = episodes(above, hold)
    return Threshold(score, rate, kind, result, low, high, max(result, 0.5 / n), n, events, hold)


def _onset_threshold(scores: Array, rate: Rate, step_seconds: float) -> Threshold:
    n, hold, rows_per_unit = len(scores), held(scores, step_seconds), SECONDS[rate.per] / step_seconds
    time = n / rows_per_unit
    wanted = rate.value * time
    if upper_limit(0) > wanted:
        raise _too_few(n, rate, rows_per_unit / rate.value)
    kind = "rate" if wanted >= ENOUGH else "limit"
    most = wanted if kind == "rate" else _seen_at_most(wanted)
    score = _lowest(scores, hold, most)
    above = scores > score
    if score == scores.min() or above.mean() > MOST:
        peak = max(episodes(scores > entry, hold) for entry in np.quantile(scores, np.linspace(0.5, 1.0, 51)))
        raise DataError(
            f"an alarm rate of {rate} cannot be: the score is not above any threshold more often than "
            f"{peak / time:.3g} times per {rate.per}; allow fewer alarms"
        )
    events = episodes(above, hold)
    low, high = limits(events)
    if kind == "limit":
        low, high = 0.0, upper_limit(events)
    row_rate = max(float(above.mean()), 0.5 / n)
    return Threshold(score, rate, kind, events / time, low / time, high / time, row_rate, n, events, hold)


def _seen_at_most(limit: float) -> float:
    """The number of events whose `upper_limit` is this."""
    from scipy.optimize import brentq  # a tenth of a second, which a threshold that is only shown does not need

    return float(brentq(lambda k: upper_limit(k) - limit, 0.0, limit))


def _lowest(scores: Array, hold: int, most: float) -> float:
    """The lowest score such that no threshold from it on has more than `most` episodes.

    Episodes grow together as the threshold falls, so that their number rises and falls again: it is followed from the
    top, in steps, and halved only within the first step that is too much.
    """
    ordered = np.unique(scores)
    fits = len(ordered) - 1
    while fits:
        step = max(1, (len(ordered) - fits) // 8)
        below = max(fits - step, 0)
        if episodes(scores > ordered[below], hold) > most:
            while fits - below > 1:
                middle = (fits + below) // 2
                if episodes(scores > ordered[middle], hold) > most:
                    below = middle
                else:
                    fits = middle
            break
        fits = below
    return float(ordered[fits])


def _too_few(n: int, rate: Rate, rows_per_event: float) -> TooFewRows:
    least, enough = (f"{_two_digits(rows_per_event * events):,}" for events in (upper_limit(0), ENOUGH))
    return TooFewRows(
        f"{n:,} normal rows are too few for an alarm rate of {rate}: an upper limit at {CONFIDENCE:.0%} confidence "
        f"takes about {least} rows, a rate known to a factor of 1.5 about {enough}; give more normal rows, allow "
        f"more alarms, or let the threshold follow (--adjust 0.05)"
    )


def _two_digits(value: float) -> int:
    """Rounded up to two digits."""
    unit = int(10 ** max(0, math.floor(math.log10(value)) - 1))
    return math.ceil(value / unit) * unit
