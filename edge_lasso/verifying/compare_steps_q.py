"""Comparing an artifact's `step_q`, a detector in integers, with the reference: every integer of every row."""

from __future__ import annotations

import random
from collections.abc import Sequence

from edge_lasso.verifying.trial_sequences import shortened
from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import watched
from edge_lasso_runtime.fixed_detector import KEY, readings_q, start_q, step_q
from edge_lasso_runtime.fixed_history import NONE
from edge_lasso_runtime.fixed_point import INT16
from edge_lasso_runtime.sessions import Session
from edge_lasso_runtime.step_session import FAULTS
from edge_lasso_runtime.stream import readings

FIELDS = ("score", "total", "alarm", "onset", "warming up")
RANDOM_ROWS = 200
REPEATED = 0.3
ENDS = (NONE, -INT16, INT16, 0)


def compare_steps_q(session: Session, model: Model, sequences: Sequence[Sequence[Sequence[float]]]) -> list[str]:
    """Run the integers of sequences of readings, and integers at random, through an artifact's `step_q`.

    Returns
    -------
    list of str
        What is wrong; empty when all integers are equal, or neither the model nor the artifact has a `step_q`.
    """
    rows = [[readings_q(model, row) for row in sequence] for sequence in sequences] if KEY in model.sections else []
    rows.append(random_integers(model))
    result = session.steps_q(rows)
    if (result is None) != (KEY not in model.sections):
        return [
            "it has no step_q, but its model has one" if result is None else "it has a step_q, but its model has none"
        ]
    if result is None:
        return []
    wanted = [replay_q(model, row) for row in rows]
    if len(result) < sum(map(len, wanted)):  # MicroPython's scripts are short
        wanted = shortened(wanted, len(result))
    if len(result) != sum(map(len, wanted)):
        return [f"step_q gives {len(result)} answers for {sum(map(len, wanted))} rows"]
    at = 0
    for number, entry in enumerate(wanted):
        for t, must in enumerate(entry):
            if result[at] != must:
                return [f"{_difference(model, must, result[at])} (sequence {number}, row {t})"]
            at += 1
    return []


def replay_q(model: Model, rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """The reference's answer to each row of integers, from a start, as `Session.steps_q` gives them."""
    names = [model.inputs[i].name for i in readings(model)]
    state, outcome = start_q(model), []
    for row in rows:
        result, state = step_q(model, state, row)
        warms = result.warming_up and not result.faults
        head = [result.score, result.total, int(result.alarm), int(result.onset), int(warms)]
        outcome.append([*head, *result.parts, *(FAULTS.index(result.faults.get(name, "")) for name in names)])
    return outcome


def random_integers(model: Model, seed: int = 0) -> list[list[int]]:
    """Rows of integers of any size, the ends of int16 and missing ones among them; some twice and more."""
    source = random.Random(seed)
    count = len(readings(model))
    rows: list[list[int]] = []
    row = [0] * count
    for _ in range(RANDOM_ROWS):
        row = [
            value if source.random() < REPEATED
            else source.choice(ENDS) if source.random() < REPEATED
            else source.randint(-INT16, INT16)
            for value in row
        ]  # fmt: skip
        rows.append(row)
    return rows


def _difference(model: Model, must: Sequence[int], got: Sequence[int]) -> str:
    if len(got) != len(must):
        return f"step_q gives {len(got)} numbers, must give {len(must)}"
    names = [*FIELDS, *(f"part of {name}" for name in watched(model))]
    names += [f"fault of {model.inputs[i].name}" for i in readings(model)]
    name, a, b = next(entry for entry in zip(names, got, must, strict=True) if entry[1] != entry[2])
    return f"step_q's {name} is {a}, must be {b}"
