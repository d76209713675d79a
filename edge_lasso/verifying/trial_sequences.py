"""Sequences to try an artifact's `step` on: walks inside the ranges, gaps, stuck sensors, spikes, silence, restarts."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from edge_lasso_runtime.health import KEY as HEALTH
from edge_lasso_runtime.model import Input, Model
from edge_lasso_runtime.stream import readings, warm_up

LONGEST = 1500
SHORTEST = 150
Rows = list[list[float]]


def sequences(model: Model, real: Sequence[Sequence[float]] | None = None, seed: int = 0) -> list[Rows]:
    """Make the sequences; each is run from a start.

    Parameters
    ----------
    model : Model
        One that keeps state.
    real : rows in the order of the model's inputs, one after another in time, NaN where a reading is missing
    seed : int

    Returns
    -------
    list of list of list of float
        Rows in the order of the readings: calm, troubled, absurd, and what is real of them.
    """
    length = min(max(3 * warm_up(model) + 60, SHORTEST), LONGEST)
    source = random.Random(seed)
    numbers = [_walk(model, source, length, trouble) for trouble in (0.0, 0.03, 0.3)]
    numbers.append(_walk(model, source, 40, 0.1))
    if real:
        places = readings(model)
        numbers.append([[row[i] for i in places] for row in real[:LONGEST]])
    return numbers


def shortened(sequences: list[Any], count: int) -> list[Any]:
    """Each sequence cut to the same length, as many rows as there are answers."""
    longest = max(map(len, sequences))
    for length in range(longest, -1, -1):
        cut = [sequence[:length] for sequence in sequences]
        if sum(map(len, cut)) <= count:
            return cut
    return []


def _walk(model: Model, source: random.Random, length: int, trouble: float) -> Rows:
    limits = {reading["input"]: reading["stuck"] for reading in model.sections.get(HEALTH, {}).get("readings", [])}
    columns = [
        _column(model, model.inputs[i], source, length, trouble, limits.get(model.inputs[i].name, 0))
        for i in readings(model)
    ]
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(length)]
    away = 0  # rows left in which no sensor says anything
    for t, row in enumerate(rows):
        away = source.randint(1, 8) if not away and source.random() < trouble / 4 else max(away - 1, 0)
        if away:
            rows[t] = [math.nan] * len(row)
    return rows


def _column(model: Model, one: Input, source: random.Random, length: int, trouble: float, stuck: int) -> list[float]:
    if one.categories is not None:
        known = [float(i) for i in range(len(one.categories))]
        odd = [-1.0, 1.5, math.nan, float(len(known))]
        return [
            source.choice(odd) if source.random() < trouble or not known else source.choice(known)
            for _ in range(length)
        ]
    assert one.low is not None
    assert one.high is not None
    low, high = one.low, one.high
    width, limit = high - low, model.limit
    absurd = (math.nan, math.inf, -math.inf, limit, -limit, 1.5 * limit, 1e300)
    value = low + width * source.random()
    values: list[float] = []
    while len(values) < length:
        value = min(max(value + width * source.gauss(0.0, 0.05), low), high)
        if source.random() >= trouble:
            values.append(value)
            continue
        kind = source.randrange(5)
        run = source.randint(1, 4)
        if kind == 0:
            values += [math.nan] * run
        elif kind == 1:
            values += [value] * (run + min(stuck, 200))
        elif kind == 2:
            values.append(source.choice((low - 0.3 * width, high + 0.3 * width, low, high)))
        elif kind == 3:
            values.append(source.choice(absurd))
        else:
            value = low + width * source.random()
            values.append(value)
    return values[:length]
