"""Comparing a running artifact with what it must compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_lasso.verifying.compare_integers import compare_integers, fixed_values, integer_results
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.fixed_point import label_q
from edge_lasso_runtime.interpreter_session import InterpreterSession
from edge_lasso_runtime.predict import clean, label, link
from edge_lasso_runtime.sessions import Session, self_test

Table = Sequence[Sequence[float]]
DOUBLE, SINGLE = 2.0**-52, 2.0**-23
LINK_ULP = 4.0
# One step of an integer graph's probabilities, where its output is an integer.
LINK_STEP = {"int8": 2.0**-8, "int8io": 2.0**-8, "int16x8": 2.0**-15}


@dataclass
class Outcome:
    """How far an artifact was off.

    Parameters
    ----------
    largest_error : float
        Of the linear predictor, over rows without a reading outside its range.
    largest_ratio : float
        Error over tolerance, over all rows; infinite where a tolerance of 0 was missed.
    worst : int or None
        Row with the largest ratio.
    faults : list of str
        What is wrong; empty when the artifact keeps its promise.
    """

    largest_error: float
    largest_ratio: float
    worst: int | None
    faults: list[str]


def compare(session: Session, model: Model, plain: Table, rows: Table, values: Table, tolerances: Table) -> Outcome:
    """Compare a session with the reference on rows.

    The linear predictor first; then, as far as that is right, integers, predictions, labels, status and self-tests.

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
    got = session.linear(rows)
    inside = [session.fixed or _inside(model, row) for row in plain]
    exact = not isinstance(session, InterpreterSession) or session.exact
    if isinstance(session, InterpreterSession) and not exact:
        tolerances = _widened(model, plain, tolerances, session.epsilon)
    outcome = differences(got, values, tolerances, inside)
    outcome.faults[:0] = _identity(session, model)
    checks: tuple[Callable[[], list[str]], ...] = (
        lambda: compare_integers(session, model, plain, rows, exact) if session.fixed else [],
        lambda: _after_link(session, model, plain, rows, values, tolerances) if exact or not session.fixed else [],
        lambda: _labels(session, model, plain, rows, got) if exact or not session.fixed else [],
        lambda: _status(session, model, plain, rows, exact),
        lambda: _self_tests(session),
    )
    for check in checks:
        if not outcome.faults:
            outcome.faults += check()
    return outcome


def differences(
    got: Table, values: Table, tolerances: Table, inside: Sequence[bool] | None = None, what: str = "linear predictor"
) -> Outcome:
    """Largest error (of rows `inside`) and ratio, and the worst miss; NaN, infinity and a wrong shape are misses."""
    if len(got) != len(values):
        return Outcome(math.inf, math.inf, None, [f"{len(got)} results for {len(values)} rows"])
    outcome = Outcome(0.0, 0.0, 0 if values else None, [])
    for i, (row, wanted, allowed) in enumerate(zip(got, values, tolerances, strict=True)):
        if len(row) != len(wanted):
            return Outcome(math.inf, math.inf, i, [f"{len(row)} results in a row; there must be {len(wanted)}"])
        for value, expected, tolerance in zip(row, wanted, allowed, strict=True):
            error = abs(value - expected) if math.isfinite(value) else math.inf
            ratio = error / tolerance if tolerance > 0.0 else (0.0 if error == 0.0 else math.inf)
            if inside is None or inside[i]:
                outcome.largest_error = max(outcome.largest_error, error)
            worst = ratio > outcome.largest_ratio
            if worst:
                outcome.largest_ratio, outcome.worst = ratio, i
            if not error <= tolerance and (worst or not outcome.faults):
                outcome.faults[:] = [f"{what} is {value!r}, must be {expected!r} within {tolerance!r} (row {i})"]
    return outcome


def _inside(model: Model, row: Sequence[float]) -> bool:
    """Whether no finite reading is outside its range (or next to a category without being one)."""
    for feature, x in zip(model.inputs, row, strict=True):
        if math.isfinite(x) and (
            x != int(x) if feature.low is None or feature.high is None else not feature.low <= x <= feature.high
        ):
            return False
    return True


def _identity(session: Session, model: Model) -> list[str]:
    wanted = model_hash(model)
    for who, result in (("artifact.json", session.artifact.model_hash), ("the artifact", session.model_hash)):
        if result is not None and result != wanted:
            return [f"made from another model: {who} says {result[:12]}..., the model is {wanted[:12]}..."]
    return []


def _widened(model: Model, plain: Table, tolerances: Table, epsilon: float) -> list[list[float]]:
    """Constants and readings off by an ulp each, then every product and sum rounded: any order of operations."""
    widened = []
    for row, allowed in zip(plain, tolerances, strict=True):
        x, _ = clean(model, row)
        line = []
        near = [abs(reading) * 8.0 * epsilon for reading in x]
        for output, tolerance in zip(model.outputs, allowed, strict=True):
            size, factors = abs(output.intercept), 0
            for term in output.terms:
                value = abs(term.coef)
                for factor in term.factors:
                    value *= factor.reach(abs(x[factor.input]))
                size, factors = size + value, max(factors, len(term.factors))
                if any(f.step is not None and abs(x[f.input] - f.step) <= near[f.input] for f in term.factors):
                    tolerance += value  # an ulp decides whether the reading is above it
            line.append(tolerance + epsilon * (len(output.terms) + 3 * factors + 3) * size)
        widened.append(line)
    return widened


def _after_link(
    session: Session, model: Model, plain: Table, rows: Table, values: Table, tolerances: Table
) -> list[str]:
    if session.fixed:
        wanted = fixed_values(session, model, plain)
        if wanted is None:
            return []
        allowed = [[LINK_ULP * DOUBLE * max(abs(v), 1.0) for v in row] for row in wanted]
    else:
        variant = session.artifact.variant
        epsilon = DOUBLE if variant in ("double", "float64") else SINGLE
        epsilon = max(epsilon, getattr(session, "epsilon", 0.0))
        step = LINK_STEP.get(variant, 0.0)
        wanted = [link(model, list(z)) for z in values]
        allowed = [
            _propagated(model, z, tolerance, y, LINK_ULP * epsilon + 2.0 * step)
            for z, tolerance, y in zip(values, tolerances, wanted, strict=True)
        ]
    faults = differences(session.predict(rows), wanted, allowed, what="prediction").faults
    named = session.by_name(rows) if isinstance(session, InterpreterSession) else None
    if named is not None and not faults:
        faults = differences(named, wanted, allowed, what="predict_row").faults
    return faults


def _propagated(
    model: Model, z: Sequence[float], tolerance: Sequence[float], y: Sequence[float], rounding: float
) -> list[float]:
    # The link's own rounding: 4 ulp; a probability's ulp is that of 1, because float runtimes approximate exp.
    kind = model.outputs[0].link
    if kind == "identity":
        return [t + (rounding * abs(v) if t > 0.0 else 0.0) for t, v in zip(tolerance, y, strict=True)]
    if kind == "logistic":
        ends = [link(model, [z[0] - tolerance[0]])[0], link(model, [z[0] + tolerance[0]])[0]]
        return [max(abs(end - y[0]) for end in ends) + rounding]
    if kind == "exp":
        highs = link(model, [value + t for value, t in zip(z, tolerance, strict=True)])
        lows = link(model, [value - t for value, t in zip(z, tolerance, strict=True)])
        return [max(high - v, v - low) + rounding * high for low, high, v in zip(lows, highs, y, strict=True)]
    # |dp_i| <= 2 p_i (1 - p_i) max|dz| <= max|dz| / 2
    return [0.5 * max(tolerance) + rounding] * len(y)


def _labels(session: Session, model: Model, plain: Table, rows: Table, got: Table) -> list[str]:
    if model.classes is None:
        return []
    result = session.labels(rows)
    if result is None:
        return []
    if session.fixed:
        wanted = [label_q(model, r) for r in integer_results(model, plain)]
    else:
        wanted = [label(model, list(z)) for z in got]
    for i, (entry, must) in enumerate(zip(result, wanted, strict=True)):
        text = model.classes[entry] if isinstance(entry, int) else entry
        if text != must:
            return [f"label is {text!r}, must be {must!r} (row {i})"]
    return []


def _status(session: Session, model: Model, plain: Table, rows: Table, exact: bool) -> list[str]:
    result = session.degraded(rows)
    if result is None:
        return []
    sure = [exact or not _at_an_edge(model, row) for row in plain]
    if session.artifact.variant == "float":
        # It sees readings and ranges rounded to float32, so a reading next to its range's end may lie on it.
        model = model.replace(
            inputs=tuple(
                feature.replace(low=_single(feature.low), high=_single(feature.high)) for feature in model.inputs
            )
        )
        plain = [[float(_single(x) or 0.0) for x in row] for row in plain]
    for i, (degraded, row) in enumerate(zip(result, plain, strict=True)):
        _, wanted = clean(model, row)
        if sure[i] and degraded != bool(wanted):
            return [f"status is {'degraded' if degraded else 'ok'}, but there is {wanted or 'no fault'} (row {i})"]
    return []


def _at_an_edge(model: Model, row: Sequence[float]) -> bool:
    """Whether a reading is so near an end of its range that an end read an ulp off decides."""
    return any(
        end is not None and math.isfinite(x) and abs(x - end) <= 2.0**-20 * max(abs(end), 2.0**-100)
        for feature, x in zip(model.inputs, row, strict=True)
        for end in (feature.low, feature.high, model.limit, -model.limit)
    )


def _single(value: float | None) -> float | None:
    with np.errstate(over="ignore"):
        return None if value is None else float(np.float32(value))


def _self_tests(session: Session) -> list[str]:
    """The artifact's own `selftest()`, and the vectors in artifact.json (once: in CPython, not in MicroPython too)."""
    if isinstance(session, InterpreterSession):
        if not session.passed:
            return ["the artifact's own selftest() fails"]
        if session.runtime.startswith("MicroPython"):
            return []
    return [f"self-test {line}" for line in self_test(session)[1]]
