"""Rows that are there together, taken in column by column: what `step` gives for each, to the bit, for less work.

A loop over one sensor's readings does the same operations in the same order as one over the sensors of a reading, but
without looking up again what belongs to the sensor. That goes as long as nothing is at fault; a batch with a fault in
it is halved until the fault is among a few rows, and those are taken in one by one.
"""

from __future__ import annotations

from .predict import label, link
from .step import finish, step
from .step_result import Step
from .stream import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .step import State

FEW = 8


def steps(model: Model, state: State, rows: Sequence[Sequence[Any]]) -> list[Step]:
    """Take in rows.

    Parameters
    ----------
    model : Model
    state : State
        Changed in place, as `step` does.
    rows : sequence of sequences
        Each as `step` takes it: one reading per input that is not derived.

    Returns
    -------
    list of Step
        One per row. (`State.inputs` is of the last one.)
    """
    if len(rows) >= FEW and state.settled(model):
        columns = _columns(rows, len(state.places))
        ordered = None if columns is None else state.health.step_columns(columns)
        if columns is not None and ordered is not None:
            return _whole(model, state, columns, ordered)
        half = len(rows) // 2
        return steps(model, state, rows[:half]) + steps(model, state, rows[half:])
    return [step(model, state, row)[0] for row in rows]


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[float]] | None:
    """Readings as numbers, a list per input; None unless each is one."""
    if any(len(row) != width for row in rows):
        return None
    try:
        return [list(map(float, column)) for column in zip(*rows)]
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(model: Model, state: State, columns: list[list[float]], ordered: list[list[float]]) -> list[Step]:
    """Rows of readings in order, as columns and those in order of size, which `Health` has seen."""
    count = len(columns[0])
    if state.delays is not None:
        rows = [[MISSING] * len(model.inputs) for _ in range(count)]
        for place, column in zip(state.places, columns):
            for row, value in zip(rows, column):
                row[place] = value
        for row in rows:
            state.delays.step(row)
        columns = list(map(list, zip(*rows)))
        if any(total != total for total in map(sum, columns)):  # a derived input lacks its history
            return [finish(model, state, row, list(row), {}) for row in rows]
    predicted = _sums(state.sums, columns)
    state.inputs = [column[-1] for column in columns]
    if state.drift is not None:
        state.drift.add_columns(dict(zip(state.places, ordered)))
    scored: Any = ((None, []),) * count
    if state.detector is not None:
        scored = state.detector.step_columns(columns, predicted)
    results = []
    for linear, (score, parts) in zip(map(list, zip(*predicted)), scored):
        warm, alarm, onset = state.count(linear[0], score, None)
        status = "ok" if warm else "warming up"
        results.append(
            Step(linear, link(model, linear), label(model, linear), {}, status, None, score, alarm, onset, parts)
        )
    return results


def _sums(sums: Any, columns: list[list[float]]) -> list[list[float]]:
    """What `linear` gives, a list per output."""
    first, rest = sums
    z = [[intercept + coef * value for value in columns[i]] for intercept, coef, i in first]
    for m, terms in rest:
        for coef, i in terms:
            z[m] = [y + coef * value for y, value in zip(z[m], columns[i])]
    return z
