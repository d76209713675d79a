"""Pictures of a scored stream: the score over time, who it came from, and the scores that normal rows have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_lasso.reporting.charts import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH, Axes, ticks
from edge_lasso.reporting.facts import number

Array = npt.NDArray[Any]
LEFT = 76
PIXELS = WIDTH - LEFT - RIGHT
STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600)
"""Seconds between ticks of time, up to two weeks."""
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
WIDE = 6.0
"""A logarithmic axis where the largest score is so many times the threshold."""
SHADES = (0.14, 0.28, 0.42, 0.58, 0.78, 1.0)
ROW = 19
LONGEST_NAME = 16


def levels(sensors: int) -> list[float]:
    """Shares from which on a cell has its next shade: the first is above what each would have if all had the same."""
    first = min(max(0.03, 1.5 / max(sensors, 1)), 0.8)
    return [round(float(share), 2) for share in np.geomspace(first, max(0.6, (1.0 + first) / 2.0), len(SHADES))]


def moment(seconds: float, unit: Literal["m", "s"] = "s") -> str:
    """A time, to the minute or second."""
    text = str(np.datetime_as_string(np.datetime64(round(seconds), "s"), unit=unit))
    return text.replace("T", " ")


def time_marks(low: float, high: float, count: int = 6) -> list[tuple[float, str]]:
    """Round times between two, and short words for them."""
    span = max(high - low, 1e-6)
    if span < 4:
        return [(value, f"{value - math.floor(low):.3g} s") for value in ticks(low, high, count)]
    step = next((step for step in STEPS if span / step <= count), None)
    if step is not None and span / 86400 <= 14 * count:
        first = math.ceil(low / step) * step
        result = [float(first + k * step) for k in range(int((high - first) / step) + 1)]
        return [(value, _short(value, step)) for value in result]
    months = next((months for months in MONTHS if span / 2629800 / months <= count), MONTHS[-1])
    first_month = np.datetime64(math.floor(low), "s").astype("datetime64[M]").astype(int)
    found_months = []
    for month in range(-(-first_month // months) * months, first_month + 12 * 400, months):
        value = float(np.datetime64(month, "M").astype("datetime64[s]").astype(int))
        if value > high:
            break
        if value >= low:
            words = str(np.datetime64(month, "M")) if months < 12 else str(np.datetime64(month, "M"))[:4]
            found_months.append((value, words))
    return found_months


def _short(seconds: float, step: int) -> str:
    text = moment(seconds)
    if step >= 86400 or seconds % 86400 == 0:
        return text[5:10]
    return text[11:16] if step >= 60 else text[11:19]


class Span:
    """The horizontal axis that the pictures of one table share: times, or numbers of rows.

    Parameters
    ----------
    x : array
        Rising.
    timed : bool
        Seconds since 1970; or else row numbers.
    breaks : array of int
        Rows before which there is a gap.
    """

    def __init__(self, x: Array, timed: bool, breaks: Array) -> None:
        low, high = (float(x[0]), float(x[-1])) if len(x) else (0.0, 1.0)
        self.ends = (low, high) if high > low else (low - 0.5, low + 0.5)
        self.x, self.timed, self.breaks = x, timed, breaks
        self.marks = time_marks(*self.ends) if timed else None
        self.label = f"UTC, {moment(low, 'm')} to {moment(high, 'm')}" if timed else "row"

    def columns(self, pixels: int) -> Array:
        """In which pixel column each row is."""
        low, high = self.ends
        return np.minimum((self.x - low) / (high - low) * pixels, pixels - 1).astype(np.intp)


def score_axis(scores: Array, threshold: float) -> tuple[float, float, bool]:
    """Ends of an axis for scores, and whether it is logarithmic."""
    known = scores[np.isfinite(scores) & (scores > 0.0)]
    top = max(float(known.max(initial=0.0)), threshold, 1e-12)
    if top <= WIDE * threshold or threshold <= 0.0:
        return 0.0, top * 1.08, False
    low = float(np.quantile(known, 0.001)) if len(known) else threshold
    low = min(max(low, threshold * 1e-3, top * 1e-6), threshold / 2.0)
    return low * 0.8, top * 1.25, True


def timeline(span: Span, scores: Array, thresholds: Array, hits: Array, onsets: Sequence[int]) -> str:
    """The score over time: least and largest of each pixel column, the threshold, and where the alarms are."""
    low, high, log = score_axis(scores, float(thresholds[0]))
    axes = Axes(
        span.ends, (low, high), span.label, "score" + (" (logarithmic)" if log else ""), "Score over time",
        f"{len(onsets)} alarms begin where the score rises above the dashed line; they are shaded.",
        log_y=log, left=LEFT, marks=span.marks,
    )  # fmt: skip
    _shade(axes, span, hits, onsets)
    column = span.columns(PIXELS)
    piece = np.searchsorted(span.breaks, np.arange(len(scores)), side="right")
    new = np.flatnonzero((np.diff(column, prepend=-1) != 0) | (np.diff(piece, prepend=-1) != 0))
    least, most = np.minimum.reduceat(scores, new), np.maximum.reduceat(scores, new)
    x, part = span.x[new], piece[new]
    for entry in np.split(np.arange(len(new)), np.flatnonzero(np.diff(part)) + 1):
        _envelope(axes, x[entry], least[entry], most[entry])
    _limit(axes, span, new, thresholds, (least, most))
    return axes.svg()


def _shade(axes: Axes, span: Span, hits: Array, onsets: Sequence[int]) -> None:
    """Alarms: shaded, at least 2 units wide so that they can be seen; where they begin, a mark at the top."""
    at = np.flatnonzero(hits)
    bottom = axes.height - BOTTOM
    if len(at):
        pixels = np.unique(span.columns(PIXELS)[at])
        near = np.split(pixels, np.flatnonzero(np.diff(pixels) > 1) + 1)
        shapes = [
            f"M{axes.left + run[0]} {TOP}h{run[-1] - run[0] + 1.5:g}V{bottom}H{axes.left + run[0]}z" for run in near
        ]
        axes.parts.append(f'<path class="alarm" d="{"".join(shapes)}"/>')
    places = sorted({round(axes.px(float(span.x[row]))) for row in onsets})
    marks = [f"M{place - 5} {TOP - 10}h10l-5 9z" for place in places]
    if marks:
        axes.parts.append(f'<path class="onset" d="{"".join(marks)}"/>')


def _envelope(axes: Axes, x: Array, least: Array, most: Array) -> None:
    if len(x) == 1:
        axes.dot(float(x[0]), float(most[0]), "other", radius=1.5)
        return
    if (most > least).any():
        axes.band(x, least, most)
    axes.line(x, most, "line")


def _limit(axes: Axes, span: Span, new: Array, thresholds: Array, curve: tuple[Array, Array]) -> None:
    """The threshold: a line, or a curve where the board moves it; its label where the score leaves most room."""
    still = float(thresholds.min()) == float(thresholds.max())
    x = span.ends if still else span.x[new]
    axes.line(list(x), [float(thresholds[0])] * 2 if still else thresholds[new], "limit")
    words = f"alarm above {number(float(thresholds[0]), 3)}"
    left, right = span.ends
    reach = (right - left) * 11.0 * len(words) / PIXELS
    places = [(left, "start", left, left + reach), (right, "end", right - reach, right)]
    middle = (left + right) / 2.0
    places.append((middle, "middle", middle - reach / 2.0, middle + reach / 2.0))
    best = (-1.0, left, "start", -7.0)
    for at, anchor, low, high in places:
        inside = (span.x[new] >= low) & (span.x[new] <= high)
        for dy in (-7.0, 19.0):
            y = axes.py(float(thresholds[0])) + dy - 5.0
            if TOP < y < axes.height - BOTTOM - 8.0:
                tops, ends = ([axes.py(v) for v in some[inside].tolist()] for some in reversed(curve))
                room = min((max(a - y, y - b, 0.0) for a, b in zip(tops, ends, strict=True)), default=99.0)
                best = max(best, (min(room, 40.0), at, anchor, dy), key=lambda entry: entry[0])
    _, at, anchor, dy = best
    axes.text(at, float(thresholds[0]), words, anchor, dy)


def heat_map(span: Span, names: Sequence[str], shares: Array, steps: Sequence[float], hits: Array) -> str:
    """Each sensor's share of the score over time, darker where larger; below them when there was an alarm.

    Parameters
    ----------
    span : Span
    names : sequence of str
    shares : array, shape (bins, sensors)
        Over equal steps of the span; NaN where there is no row.
    steps : sequence of float
        Shares from which on a cell has its next shade.
    hits : array of bool
    """
    words = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    left = round(18 + 9.6 * max(len(word) for word in [*words, "alarm"]))
    height = TOP + BOTTOM + ROW * (len(names) + 1) + 6
    axes = Axes(
        span.ends, (0.0, 1.0), span.label, "", "Who caused the score",
        f"A row for each of {len(names)} sensors; darker cells: a larger share of the score. Largest first.",
        height=height, left=left, marks=span.marks,
    )  # fmt: skip
    axes.parts = [part for part in axes.parts if 'class="grid"' not in part]
    level = np.digitize(np.nan_to_num(shares), steps)
    edges = np.linspace(left, WIDTH - RIGHT, len(shares) + 1)
    for shade, dark in enumerate(SHADES, 1):
        shapes = []
        for k in range(len(names)):
            on = np.flatnonzero(level[:, k] == shade)
            for run in np.split(on, np.flatnonzero(np.diff(on) > 1) + 1):
                if len(run):
                    a, b = edges[run[0]], edges[run[-1] + 1]
                    shapes.append(f"M{a:.1f} {TOP + ROW * k}h{b - a:.1f}v{ROW - 2}h-{b - a:.1f}z")
        if shapes:
            axes.parts.append(f'<path class="cell" fill-opacity="{dark}" d="{"".join(shapes)}"/>')
    for k, (name, word) in enumerate(zip(names, words, strict=True)):
        axes.parts.append(
            f'<text class="tick" x="{left - 8}" y="{TOP + ROW * k + 14}" text-anchor="end">{escape(word)}'
            f"<title>{escape(name)}</title></text>"
        )
    bottom = TOP + ROW * len(names) + 5
    axes.parts.append(
        f'<text class="tick" x="{left - 8}" y="{bottom + 13}" text-anchor="end">alarm</text>'
        f'<path class="rest" d="M{left} {bottom + 8.5}H{WIDTH - RIGHT}"/>'
    )
    pixels = np.unique(span.columns(WIDTH - RIGHT - left)[np.flatnonzero(hits)])
    runs = np.split(pixels, np.flatnonzero(np.diff(pixels) > 1) + 1) if len(pixels) else []
    shapes = [f"M{left + run[0]} {bottom}h{run[-1] - run[0] + 1.5:g}v{ROW - 2}H{left + run[0]}z" for run in runs]
    if shapes:
        axes.parts.append(f'<path class="onset" d="{"".join(shapes)}"/>')
    return axes.svg()


def survival(normal: tuple[Array, Array], threshold: float, here: tuple[Array, Array] | None) -> str:
    """Part of the rows that reach a score: of normal rows held out and of the table given.

    Parameters
    ----------
    normal, here : (scores, parts)
    threshold : float
    """
    curves = [normal] if here is None else [normal, here]
    scores = np.concatenate([entry for entry, _ in curves])
    least = min(float(parts.min()) for _, parts in curves)
    low, high, log = score_axis(scores, threshold)
    axes = Axes(
        (low, high), (0.8 * least, 1.0), "score" + (" (logarithmic)" if log else ""),
        "part of the rows", "Scores of normal rows",
        f"The part of the rows that reach a score falls as the score rises; the threshold is {threshold:.3g}.",
        log_x=log, log_y=True, left=LEFT,
    )  # fmt: skip
    for (x, parts), kind in zip(curves, ("line", "warm"), strict=False):
        inside = x >= low
        axes.line(np.minimum(x[inside], high), parts[inside], kind)
    axes.parts.append(f'<path class="limit" d="M{axes.px(threshold):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
    right = axes.px(threshold) > WIDTH * 0.62
    axes.text(
        threshold,
        0.8 * least,
        f"alarm above {number(threshold, 3)}\u2002" if right else f"\u2002alarm above {number(threshold, 3)}",
        "end" if right else "start",
        -10.0,
    )
    return axes.svg()
