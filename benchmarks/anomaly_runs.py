"""Runs of Tennessee Eastman, a simulated plant, what a detector makes of them, and the measures of it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import lfilter
from sklearn.metrics import average_precision_score, roc_auc_score

from edge_lasso.detecting.episodes import correlation_time, episodes
from edge_lasso.detecting.following import CAP, ETA, FLOOR, followed
from edge_lasso.detecting.thresholds import limits
from edge_lasso_runtime.model import Input, Model, Output

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "tennessee_eastman"
STATED = 0.01  # part of normal rows in alarm
FAULTS = ("d01", "d05", "d10", "d15", "d16", "d19", "d21")
NORMAL = 160  # rows before the fault
ENTRIES = (160, 300, 400, 500, 600, 700, 800, 960)  # rows of d00_te after which a run is entered
ALPHA, WARM_UP, MINUTES = 0.05, 60, 3


@dataclass
class Result:
    """Scores of a detector: of ``d00_te``, and per entry and fault of the runs; what it costs."""

    name: str
    normal: Any
    runs: Any
    coefs: int = 0
    size: int | None = None
    microseconds: float | None = None
    compiled: int | None = None
    work: int | None = None
    instructions: int | None = None


def load(folder: Path, name: str) -> Any:
    """One run, rows down."""
    with gzip.open(folder / f"{name}.dat.gz", "rt") as lines:
        return np.loadtxt(lines)


def ewma(x: Any, start: Any) -> Any:
    """Moving averages down the rows."""
    start = np.asarray(start, dtype=float)
    return lfilter([ALPHA], [1.0, ALPHA - 1.0], x, axis=0, zi=(1.0 - ALPHA) * start[None])[0]


def volume_under_pr(score: Any, y: Any, longest: int = 40) -> float:
    """VUS-PR (Paparrizos et al. 2022): mean average precision over buffers of 0 to `longest` rows before a fault."""
    onsets, order, values = np.flatnonzero(np.diff(y, prepend=0.0) > 0.0), np.argsort(-score, kind="stable"), []
    for length in range(0, longest + 1, 5):
        soft = y.astype(float)
        for before in range(1, length // 2 + 1):
            at = onsets[onsets >= before] - before
            soft[at] = np.maximum(soft[at], np.sqrt(1.0 - before / length))
        true = np.cumsum(soft[order])
        recall = np.minimum(true / ((y.sum() + soft.sum()) / 2.0), 1.0) * (np.cumsum(y[order]) > 0)
        values.append(float(np.sum(np.diff(recall, prepend=0.0) * true / np.arange(1, len(y) + 1))))
    return float(np.mean(values))


def per_run(measure: Callable[[Any, Any], float], runs: Any, y: Any) -> Any:
    """A measure of every run, entries down, faults across."""
    return np.array([[measure(y, score) for score in entry] for entry in runs])


def line(result: Result, y: Any) -> str:
    """What is reported of a detector."""
    auc = per_run(roc_auc_score, result.runs, y)
    entries = auc.mean(axis=1)
    # a constant's order is that of ties, so that it has no volume
    tied = result.runs.min() == result.runs.max()
    precision = per_run(average_precision_score, result.runs, y).mean()
    volume = float(y.mean()) if tied else per_run(lambda y, score: volume_under_pr(score, y), result.runs, y).mean()
    limit, hold = result.normal[WARM_UP:].max(), correlation_time(result.normal[WARM_UP:])
    days = len(FAULTS) * NORMAL * MINUTES / 1440
    events = np.mean([sum(episodes(score[:NORMAL] > limit, hold) for score in entry) for entry in result.runs])
    low, high = limits(events)
    hits = [np.flatnonzero(score[NORMAL:] > limit) for entry in result.runs for score in entry]
    delays = [hit[0] for hit in hits if len(hit)]
    stated = result.runs > np.quantile(result.normal[WARM_UP:], 1.0 - STATED)
    return (
        f"{result.name:34s}{result.coefs or '':>5} {auc.mean():6.3f} ({entries.min():.3f}-{entries.max():.3f}) "
        + " ".join(f"{value:.3f}" for value in auc.mean(axis=0))
        + f"  {precision:5.3f} {volume:7.3f} {events / days:7.2f} ({low / days:.1f}-{high / days:.1f})"
        f" {len(delays) / len(ENTRIES):7.1f}/{len(FAULTS)} {np.median(delays) if delays else np.nan:6.0f} "
        f"{stated[..., NORMAL:].mean():8.3f} {stated[..., :NORMAL].mean():8.3f} "
        + " ".join(
            f"{'' if number is None else f'{number:,.0f}':>8}"
            for number in (result.size, result.work, result.microseconds, result.compiled, result.instructions)
        )
    )


def counted(model: Model) -> int:
    """Bytes as float32 with one-byte indices, no code; the board's chart keeps two moving averages per sensor."""
    held = sum(feature.stream is not None for feature in model.inputs)
    terms = sum(len(output.terms) for output in model.outputs)
    # coefficient, index | count, intercept with centre, scale, slow scale | history | two averages
    return terms * 5 + len(model.outputs) * (1 + 3 * 4) + held * 4 + len(model.outputs) * 2 * 4


def following(start: float, hold: int, rows: int, scores: Any) -> Any:
    """Rows in alarm where a threshold follows from `start`, as a board's does by default where normal rows drift."""
    adjust = {"eta": ETA, "floor": FLOOR, "cap": CAP, "freeze": max(2 * hold, 10), "thaw": max(rows // 10, 4 * hold)}
    watched = [{"reading": "x", "centre": 0.0, "scale": 1.0, "slow": 1.0, "weight": 1.0}]
    section = {
        "watched": watched, "smoothing": 1.0, "clip": 10.0, "track": 0, "fast": 0.0, "warm_up": 0, "adjust": adjust,
        "threshold": {"score": start, "row_rate": STATED, "hold": hold},
    }  # fmt: skip
    reading = Input("x", 0, 0.0, -1.0, 1.0)
    model = Model(("x",), (reading,), (Output("x", 0.0, ()),), sections={"detector/1": section})
    return followed(model, scores)[0]
