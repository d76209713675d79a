"""Alarm thresholds that mean something: how often normal data would raise an alarm, with the confidence it allows.

Scores follow each other closely (smoothing, slow plants), so single rows are no independent evidence; episodes are.
Rows above a threshold that lie closer together than a correlation time are one episode, and the number of episodes in
a time T is taken as Poisson: N seen give the rate N / T with the interval [chi2(.025, 2 N), chi2(.975, 2 N + 2)] / 2 T
(Garwood 1936); none seen give at most 3 / T at 95 % confidence. That holds for a stationary plant with a short memory;
no guarantee for finite data exists without such assumptions.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from edge_lasso.errors import DataError

Array = npt.NDArray[Any]
ENOUGH = 60
"""Episodes from which on a rate is stated: P(within a factor of 1.5) is then about .95 in simulations."""
CONFIDENCE = 0.95
SECONDS = {"hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 2629800.0, "year": 31557600.0}


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
    kind : {"rate", "limit"}
        "rate": found on normal data, with an interval. "limit": the data are too few for that; at the stated
        confidence the rate is at most what was asked for.
    found, low, high : float
        Rate on the calibration rows, and its interval (of a limit: from 0 to the upper limit), in the unit of `rate`.
    row_rate : float
        Part of the calibration rows above the threshold.
    rows, events, hold : int
        Calibration rows; episodes among them; rows below the threshold that end an episode.
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

    def section(self) -> dict[str, Any]:
        """As the model file has it."""
        return {
            "score": self.score, "row_rate": self.row_rate, "hold": self.hold, "rate": self.rate.value,
            "per": self.rate.per, "kind": self.kind, "low": self.low, "high": self.high, "confidence": CONFIDENCE,
            "rows": self.rows, "events": self.events,
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
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(?:/\s*([a-z]+))?\s*", str(text))
    try:
        value, per = (float(found[1]), found[2] or "row") if found else (math.nan, "row")
    except ValueError:
        value, per = math.nan, "row"
    if not (0.0 < value < (1.0 if per == "row" else math.inf)) or per not in ("row", *SECONDS):
        raise DataError(
            f"alarm rate {text!r}: give a part of the rows between 0 and 1, as 0.001, or alarms per time, as 1/day "
            f"(per {', '.join(SECONDS)})"
        )
    return Rate(value, per)


def correlation_time(scores: Array) -> int:
    """Integrated autocorrelation time of the scores, in rows: how far apart two rows must be to count as two.

    ``1 + 2 sum rho(k)`` up to the first window of 5 times itself (Sokal 1997), at most a twentieth of the rows.
    """
    n = len(scores)
    x = np.minimum(scores, np.quantile(scores, 0.999)) - scores.mean()
    spread = float(x @ x)
    if n < 20 or spread <= 0.0:
        return 1
    size = 1 << (2 * n - 1).bit_length()
    power = np.abs(np.fft.rfft(x, size)) ** 2
    rho = np.fft.irfft(power, size)[: n // 4] / spread
    sums = 2.0 * np.cumsum(rho) - 1.0
    window = np.flatnonzero(np.arange(len(sums)) >= 5.0 * sums)
    at = int(window[0]) if len(window) else len(sums) - 1
    return int(max(1, min(math.ceil(sums[at]), n // 20)))


def episodes(above: Array, hold: int) -> int:
    """Number of episodes: rows above the threshold with at most `hold` rows below it between them are one."""
    at = np.flatnonzero(above)
    return int(np.count_nonzero(np.diff(at) > hold + 1)) + 1 if len(at) else 0


def limits(events: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval of a Poisson mean of which `events` were seen."""
    tail = (1.0 - confidence) / 2.0
    low = float(chi2.ppf(tail, 2 * events)) / 2.0 if events else 0.0
    return low, float(chi2.ppf(1.0 - tail, 2 * events + 2)) / 2.0


def upper_limit(events: int, confidence: float = CONFIDENCE) -> float:
    """One-sided upper limit of a Poisson mean of which `events` were seen."""
    return float(chi2.ppf(confidence, 2 * events + 2)) / 2.0


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
        Too few rows even for an upper limit: the message says how many it would take.
    """
    n = len(scores)
    if rate.per != "row" and not step_seconds:
        raise DataError(f"an alarm rate of {rate} needs to know the time between rows; name their column with --time")
    hold = correlation_time(scores)
    if rate.per == "row":
        found = _row_threshold(scores, rate, hold)
    else:
        assert step_seconds is not None
        found = _onset_threshold(scores, rate, hold, n * step_seconds / SECONDS[rate.per])
    if found is None:
        raise DataError(_too_few(scores, rate, hold, step_seconds))
    return found


def found_rate(
    scores: Array, threshold: float, rate: Rate, hold: int, step_seconds: float | None = None
) -> tuple[float, float, float, int]:
    """The rate of alarms on some rows in the unit of `rate`, its interval, and the number of episodes."""
    above = scores > threshold
    events = episodes(above, hold)
    low, high = limits(events)
    if rate.per == "row":
        run = float(above.sum()) / events if events else float(max(hold, 1))
        return float(above.mean()), low * run / len(scores), min(high * run / len(scores), 1.0), events
    assert step_seconds is not None
    time = len(scores) * step_seconds / SECONDS[rate.per]
    return events / time, low / time, high / time, events


def automatic(scores: Array, step_seconds: float | None = None) -> Threshold:
    """The highest score, and what it promises at most: per day where the time between rows is known, else per row."""
    n, hold = len(scores), correlation_time(scores)
    score = float(scores.max())
    if step_seconds:
        rate = Rate(upper_limit(0) / (n * step_seconds / SECONDS["day"]), "day")
    else:
        rate = Rate(min(upper_limit(0) * hold / n, 0.5))
    return Threshold(score, rate, "limit", 0.0, 0.0, rate.value, 0.5 / n, n, 0, hold)


def _row_threshold(scores: Array, rate: Rate, hold: int) -> Threshold | None:
    n = len(scores)
    score = _quantile(scores, rate.value)
    above = scores > score
    events, part = episodes(above, hold), float(above.mean())
    if events >= ENOUGH:
        low, high = limits(events)
        return Threshold(score, rate, "rate", part, part * low / events, part * high / events, part, n, events, hold)

    def limit(score: float) -> tuple[float, int]:
        above = scores > score
        events = episodes(above, hold)
        run = float(above.sum()) / events if events else float(hold)
        return upper_limit(events) * run / n, events

    return _limited(scores, rate, hold, limit)


def _onset_threshold(scores: Array, rate: Rate, hold: int, time: float) -> Threshold | None:
    wanted = rate.value * time
    if wanted >= ENOUGH:
        score = _lowest(scores, lambda score: episodes(scores > score, hold) <= wanted)
        above = scores > score
        events = episodes(above, hold)
        low, high = limits(events)
        part = max(float(above.mean()), 1.0 / len(scores))
        return Threshold(score, rate, "rate", events / time, low / time, high / time, part, len(scores), events, hold)

    def limit(score: float) -> tuple[float, int]:
        events = episodes(scores > score, hold)
        return upper_limit(events) / time, events

    return _limited(scores, rate, hold, limit)


def _limited(scores: Array, rate: Rate, hold: int, limit: Any) -> Threshold | None:
    """The lowest threshold whose upper limit is at most the rate; None where even the highest score does not do."""
    top = float(scores.max())
    if limit(top)[0] > rate.value:
        return None
    score = _lowest(scores, lambda score: limit(score)[0] <= rate.value)
    high, events = limit(score)
    above = float((scores > score).mean())
    n = len(scores)
    found = above if rate.per == "row" else rate.value * events / max(upper_limit(events), 1e-300) * (high / rate.value)
    return Threshold(score, rate, "limit", found, 0.0, high, max(above, 0.5 / n), n, events, hold)


def _quantile(scores: Array, part: float) -> float:
    """The lowest score that at most this part of the scores is above."""
    ordered = np.sort(scores)
    return float(ordered[max(len(ordered) - 1 - math.floor(part * len(ordered)), 0)])


def _lowest(scores: Array, fits: Any) -> float:
    """The lowest score from which on `fits` holds at every tried threshold; it holds at the largest."""
    ordered = np.unique(scores)
    low, high = -1, len(ordered) - 1  # fits at high
    while high - low > 1:
        middle = (low + high) // 2
        if fits(float(ordered[middle])):
            high = middle
        else:
            low = middle
    return float(ordered[high])


def _too_few(scores: Array, rate: Rate, hold: int, step_seconds: float | None) -> str:
    n = len(scores)
    if rate.per == "row":
        some = scores > np.quantile(scores, 0.99)
        run = max(float(some.sum()) / max(episodes(some, hold), 1), 1.0)
        least, wanted = upper_limit(0) * max(hold, 1) / rate.value, ENOUGH * run / rate.value
    else:
        assert step_seconds is not None
        per_row = SECONDS[rate.per] / step_seconds / rate.value
        least, wanted = upper_limit(0) * per_row, ENOUGH * per_row
    return (
        f"{n:,} normal rows are too few for an alarm rate of {rate}: an upper limit at {CONFIDENCE:.0%} confidence "
        f"takes {_rows(least)} rows, a rate known to a factor of 1.5 {_rows(wanted)}; give more normal rows, or allow "
        "more alarms"
    )


def _rows(value: float) -> str:
    digits = max(0, 2 - len(str(int(value))))
    return f"{int(float(f'{value:.2g}')):,}" if not digits else f"{math.ceil(value)}"
