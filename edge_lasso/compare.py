"""Comparing a running artifact with what it must compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_lasso_runtime import Model, predict
from edge_lasso_runtime.predict import link
from edge_lasso_runtime.sessions import Session, self_test

Table = Sequence[Sequence[float]]
DOUBLE, SINGLE = 2.0**-52, 2.0**-23
LINK_ULP = 4.0


@dataclass
class Outcome:
    """How far an artifact was off.

    Parameters
    ----------
    largest_error, largest_ratio : float
        Of the linear predictor; the ratio is error over tolerance, infinite where a tolerance of 0 was missed.
    worst : int or None
        Row with the largest ratio.
    faults : list of str
        What is wrong, in the order found; empty when the artifact keeps its promise.
    """

    largest_error: float
    largest_ratio: float
    worst: int | None
    faults: list[str]


def compare(session: Session, model: Model, plain: Table, rows: Table, values: Table, tolerances: Table) -> Outcome:
    """Compare a session with the reference on rows.

    Parameters
    ----------
    session : Session
    model : Model
    plain : rows in the order of the model's inputs
    rows : the same in the artifact's order of inputs
    values, tolerances : the linear predictor it must give, and how far it may be off, per row and output

    Returns
    -------
    Outcome
    """
    faults = _identity(session, model)
    got = session.linear(rows)
    outcome = differences(got, values, tolerances)
    if outcome.faults:
        outcome.faults[0] += f" (row {outcome.worst})"
    outcome.faults[:0] = faults
    if not outcome.faults:
        outcome.faults += _after_link(session, model, rows, values, tolerances)
    if not outcome.faults:
        outcome.faults += _labels(session, model, rows, got)
    if not outcome.faults:
        outcome.faults += _status(session, model, plain, rows)
    if not outcome.faults:
        outcome.faults += [f"self-test {line}" for line in self_test(session)[1]]
    return outcome


def differences(got: Table, values: Table, tolerances: Table, what: str = "linear predictor") -> Outcome:
    """Largest error and ratio; NaN, infinity and a wrong shape are misses."""
    if len(got) != len(values):
        return Outcome(math.inf, math.inf, None, [f"{len(got)} results for {len(values)} rows"])
    outcome = Outcome(0.0, 0.0, 0 if values else None, [])
    for i, (row, wanted, allowed) in enumerate(zip(got, values, tolerances, strict=True)):
        if len(row) != len(wanted):
            return Outcome(math.inf, math.inf, i, [f"{len(row)} results in a row; there must be {len(wanted)}"])
        for value, expected, tolerance in zip(row, wanted, allowed, strict=True):
            error = abs(value - expected) if math.isfinite(value) else math.inf
            ratio = error / tolerance if tolerance > 0.0 else (0.0 if error == 0.0 else math.inf)
            outcome.largest_error = max(outcome.largest_error, error)
            if ratio > outcome.largest_ratio:
                outcome.largest_ratio, outcome.worst = ratio, i
            if not error <= tolerance and (not outcome.faults or ratio == outcome.largest_ratio):
                text = f"{what} is {value!r}, must be {expected!r} within {tolerance!r}"
                outcome.faults[:] = [text]
    return outcome


def _identity(session: Session, model: Model) -> list[str]:
    from edge_lasso_runtime import model_hash

    wanted = model_hash(model)
    for who, found in (("artifact.json", session.artifact.model_hash), ("the artifact", session.model_hash)):
        if found is not None and found != wanted:
            return [f"made from another model: {who} says {found[:12]}..., the model is {wanted[:12]}..."]
    return []


def _after_link(session: Session, model: Model, rows: Table, values: Table, tolerances: Table) -> list[str]:
    epsilon = DOUBLE if session.artifact.variant in ("double", "float64") else SINGLE
    if session.fixed:
        return []
    wanted, allowed = [], []
    for z, tolerance in zip(values, tolerances, strict=True):
        y = link(model, list(z))
        wanted.append(y)
        allowed.append(_propagated(model, z, tolerance, y, epsilon))
    return differences(session.predict(rows), wanted, allowed, "prediction").faults[:1]


def _propagated(
    model: Model, z: Sequence[float], tolerance: Sequence[float], y: Sequence[float], epsilon: float
) -> list[float]:
    # The link's own rounding is 4 ulp; a probability's ulp is that of 1, where float runtimes approximate exp.
    kind = model.outputs[0].link
    if kind == "identity":
        return [t + LINK_ULP * epsilon * abs(v) * (t > 0.0) for t, v in zip(tolerance, y, strict=True)]
    rounding = LINK_ULP * epsilon
    if kind == "logistic":
        ends = [[link(model, [one - t])[0], link(model, [one + t])[0]] for one, t in zip(z, tolerance, strict=True)]
        return [max(abs(e - v) for e in pair) + rounding for pair, v in zip(ends, y, strict=True)]
    # |dp_i| <= 2 p_i (1 - p_i) max|dz| <= max|dz| / 2
    return [0.5 * max(tolerance) + rounding] * len(y)


def _labels(session: Session, model: Model, rows: Table, got: Table) -> list[str]:
    from edge_lasso_runtime.predict import label

    found = session.labels(rows)
    if found is None:
        return []
    for i, (text, z) in enumerate(zip(found, got, strict=True)):
        wanted = label(model, list(z))
        if text != wanted:
            return [f"label is {text!r}, must be {wanted!r} (row {i})"]
    return []


def _status(session: Session, model: Model, plain: Table, rows: Table) -> list[str]:
    found = session.degraded(rows)
    if found is None:
        return []
    for i, (degraded, row) in enumerate(zip(found, plain, strict=True)):
        wanted = predict(model, row).faults
        if degraded != bool(wanted):
            return [
                f"status is {'degraded' if degraded else 'ok'}, must be the other: {wanted or 'no fault'} (row {i})"
            ]
    return []


def compare_integers(session: Session, model: Model, rows: Table, plain: Table, seed: int) -> list[str]:
    """Fixed point, bit for bit: `encode` on every row, `predict_q` on those integers and on every extreme.

    Returns
    -------
    list of str
        What is wrong; empty when all integers are equal.
    """
    import random

    from edge_lasso_runtime import fixed_point

    section: dict[str, Any] = model.sections[fixed_point.KEY]
    wanted = [fixed_point.encode(model, row)[0] for row in plain]
    got = session.encode(rows)
    where = positions(session, model)
    for i, (q, full) in enumerate(zip(wanted, got, strict=True)):
        found = [full[j] for j in where]
        if found != q:
            return [f"encode gives {found}, must be {q} (row {i})"]
    source = random.Random(seed)
    ranges = [
        (-1, one["categories"] - 1) if "categories" in one else (one["low"], one["high"]) for one in section["inputs"]
    ]
    for _ in range(200):
        wanted.append([source.randint(low, high) for low, high in ranges])
        wanted.append([source.choice(pair) for pair in ranges])
    for i, (low, high) in enumerate(ranges):
        rest = [max(min(0, b), a) for a, b in ranges]
        wanted += [[*rest[:i], value, *rest[i + 1 :]] for value in (low, high, low + (high - low) // 2)]
    width = len(session.artifact.inputs)
    q_rows = []
    for q in wanted:
        full = [0] * width
        for j, value in zip(where, q, strict=True):
            full[j] = value
        q_rows.append(full)
    for q, found in zip(wanted, session.predict_q(q_rows), strict=True):
        expected = fixed_point.predict_q(section, q)
        if list(found) != expected:
            return [f"integer result is {list(found)}, must be {expected} for q = {q}"]
    return []


def positions(session: Session, model: Model) -> list[int]:
    """Where each of the model's inputs stands in the artifact's row."""
    names = session.artifact.inputs
    if names == [one.name for one in model.inputs]:
        return list(range(len(names)))
    return [one.column for one in model.inputs]
