"""Comparing a fixed-point artifact with the model's integers, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from edge_lasso.verifying.trial_rows import groups_of, most_rows, with_values
from edge_lasso_runtime import Model
from edge_lasso_runtime.counts import count_ranges, encode_counts
from edge_lasso_runtime.fixed_point import KEY, decode, encode, predict_q, probability_q
from edge_lasso_runtime.predict import link
from edge_lasso_runtime.sessions import Session

Table = Sequence[Sequence[float]]
RANDOM_ROWS = 200


def compare_integers(session: Session, model: Model, plain: Table, rows: Table, exact: bool = True) -> list[str]:
    """`encode` on every row; `predict_q` and `probability_q` on those integers, on extremes and on random ones.

    Where decimals are not read exactly (old MicroPython), `encode` may be one integer off; the others never.

    Returns
    -------
    list of str
        What is wrong; empty when all integers are equal.
    """
    section: dict[str, Any] = model.sections[KEY]
    places = positions(session, model)
    wanted = [encode(model, row)[0] for row in plain]
    for i, (q, full) in enumerate(zip(wanted, session.encode(rows), strict=True)):
        result = [full[j] for j in places]
        if any(abs(a - b) > (not exact) for a, b in zip(result, q, strict=True)):
            return [f"encode gives {result}, must be {q} (row {i})"]
    faults = _compare_counts(session, model, places)
    if faults:
        return faults
    wanted += integer_rows(section)
    q_rows = []
    for q in wanted:
        full = [0] * len(session.artifact.inputs)
        for j, value in zip(places, q, strict=True):
            full[j] = value
        q_rows.append(full)
    results = [list(entry) for entry in session.predict_q(q_rows)]
    for q, result in zip(wanted, results, strict=True):
        expected = predict_q(section, q)
        if result != expected:
            return [f"integer result is {result}, must be {expected} for q = {q}"]
    if "link" not in section:
        return []
    logits = [result[0] for result in results] + [sign * (1 << bit) - 1 for bit in range(30) for sign in (1, -1)]
    probabilities = session.probability_q([[r] for r in logits])
    for r, got in zip(logits, probabilities or (), strict=probabilities is not None):
        if got != probability_q(section, r):
            return [f"probability is {got}, must be {probability_q(section, r)} for the integer {r}"]
    return []


def _compare_counts(session: Session, model: Model, places: list[int]) -> list[str]:
    """`encode_counts`, if the artifact has one: counts inside, outside, at the ends of int32, and missing."""
    rows = count_rows(model)
    full: list[list[int | None]] = [[0] * len(session.artifact.inputs) for _ in rows]
    for line, row in zip(full, rows, strict=True):
        for j, count in zip(places, row, strict=True):
            line[j] = count
    result = session.encode_counts(full)
    if result is None:
        has = any(feature.raw is not None for feature in model.inputs)
        return ["it has no encode_counts, and a sensor delivers counts"] if has else []
    for row, (q, degraded) in zip(rows, result, strict=True):
        wanted, faults = encode_counts(model, row)
        if [q[j] for j in places] != wanted or degraded != bool(faults):
            return [f"encode_counts gives {[q[j] for j in places]}, must be {wanted} for the counts {row}"]
    return []


def count_rows(model: Model, seed: int = 0) -> list[list[int | None]]:
    """Random counts inside and outside their ranges, the ends of int32, and missing ones."""
    source = random.Random(seed)
    ranges = [(low, high) for low, high, _, _ in count_ranges(model)]
    far: tuple[int | None, ...] = (None, 2**31 - 1, 1 - 2**31, 0)
    rows: list[list[int | None]] = [[end for end, _ in ranges], [end for _, end in ranges], [None] * len(ranges)]
    for _ in range(min(RANDOM_ROWS, most_rows(len(ranges)))):
        inside = [source.randint(low, high) for low, high in ranges]
        near = [source.choice((low - 1, low, high, high + 1)) for low, high in ranges]
        rows.append([source.choice((a, a, b, source.choice(far))) for a, b in zip(inside, near, strict=True)])
    return rows


def integer_rows(section: dict[str, Any], seed: int = 0) -> list[list[int]]:
    """Random and extreme integers inside the ranges that the proof covers, and those at knots."""
    source = random.Random(seed)
    ranges = [
        (-1, feature["categories"] - 1) if "categories" in feature else (feature["low"], feature["high"])
        for feature in section["inputs"]
    ]
    rest = [max(min(0, high), low) for low, high in ranges]
    count = min(RANDOM_ROWS, most_rows(len(ranges)))
    rows = [[source.randint(low, high) for low, high in ranges] for _ in range(count)]
    rows += [[source.choice(pair) for pair in ranges] for _ in range(count)]
    lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
    middles = [low + (high - low) // 2 for low, high in ranges]
    rows += [with_values(rest, places, ends) for places in groups_of(len(ranges)) for ends in (lows, highs, middles)]
    knots = {tuple(term["over"]) for output in section["outputs"] for term in output["terms"] if "over" in term}
    for i, knot in sorted(knots)[: most_rows(len(ranges))]:
        rows += [[*rest[:i], min(max(knot + up, lows[i]), highs[i]), *rest[i + 1 :]] for up in (0, 1)]
    return rows


def integer_results(model: Model, plain: Table) -> list[list[int]]:
    """The integers that the model gives for readings."""
    section: dict[str, Any] = model.sections[KEY]
    return [predict_q(section, encode(model, row)[0]) for row in plain]


def fixed_values(session: Session, model: Model, plain: Table) -> list[list[float]] | None:
    """What `session.predict` must give; None where the target has no such function (softmax in C)."""
    section: dict[str, Any] = model.sections[KEY]
    kind = model.outputs[0].link
    if kind == "softmax" and session.artifact.target == "c":
        return None
    results = integer_results(model, plain)
    if kind == "logistic":
        return [[probability_q(section, r[0]) / 65536.0] for r in results]
    return [link(model, decode(section, r)) for r in results]


def positions(session: Session, model: Model) -> list[int]:
    """Where each of the model's inputs stands in the artifact's row."""
    if session.artifact.inputs == [feature.name for feature in model.inputs]:
        return list(range(len(model.inputs)))
    return [feature.column for feature in model.inputs]
