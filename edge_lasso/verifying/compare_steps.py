"""Comparing an artifact's `step` with the reference, sequence after sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge_lasso.verifying.compare_steps_q import compare_steps_q
from edge_lasso.verifying.float_tolerance import Tolerance, rounded, single
from edge_lasso.verifying.trial_sequences import shortened
from edge_lasso_exporters.options import Options
from edge_lasso_exporters.stateful_reference import replay
from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import shares, watched
from edge_lasso_runtime.interpreter_session import InterpreterSession
from edge_lasso_runtime.sessions import Session
from edge_lasso_runtime.step_result import Step
from edge_lasso_runtime.step_session import Answer
from edge_lasso_runtime.stream import readings

Sequences = Sequence[Sequence[Sequence[float]]]
LINK_ROUNDING = 2.0**-48
PROMISES = {
    "double": "results of step bit for bit: values, faults, widths, score, parts, alarms",
    "float": "results of step within a bound carried along with the reference; alarms where no score is that near",
    "fixed": "integers of step and step_q bit for bit; scores and estimates of step where reals are binary64",
}


def compare_steps(session: Session, model: Model, options: Options, sequences: Sequences) -> tuple[int, list[str]]:
    """Run sequences through an artifact's `step`: to the bit, or (float) within `stream_tolerance`.

    An interpreter that does not read decimals exactly has to give numbers; there is no telling which.

    Returns
    -------
    rows : int
        Compared; 0 where the artifact has no step.
    faults : list of str
        What is wrong; empty when it keeps its promise.
    """
    fixed = options.variant == "fixed"
    if options.variant == "float":
        model, sequences = single(model), rounded(sequences)
    result = session.steps(sequences)
    if result is None:
        return 0, []
    wanted = [replay(model, rows, fixed) for rows in sequences]
    supplied = [list(rows) for rows in sequences]
    if len(result) < sum(map(len, wanted)):  # MicroPython's scripts are short
        wanted, supplied = shortened(wanted, len(result)), shortened(supplied, len(result))
    if len(result) != sum(map(len, wanted)):
        return 0, [f"step gives {len(result)} answers for {sum(map(len, wanted))} rows"]
    exact = not isinstance(session, InterpreterSession) or session.exact
    at = 0
    for number, (rows, steps) in enumerate(zip(supplied, wanted, strict=True)):
        tolerance = Tolerance(model, options) if options.variant == "float" else None
        for t, (row, must) in enumerate(zip(rows, steps, strict=True)):
            answer = result[at]
            at += 1
            if tolerance is not None:
                wrong = tolerance.judge(row, must, answer)
            elif exact:
                wrong = difference(model, must, answer, fixed and session.artifact.target == "c")
            else:
                wrong = "" if all(map(math.isfinite, answer.values)) else f"step gives {answer.values}"
            if wrong:
                return at, [f"{wrong} (sequence {number}, row {t})"]
    return at, compare_steps_q(session, model, sequences) if fixed else []


def difference(model: Model, must: Step, answer: Answer, decoded: bool = False) -> str:
    """The first thing that is not as it must be, to the bit; "" where all is well.

    `decoded`: a softmax in integers has no link in C; its values are the linear predictor.
    """
    if len(answer.linear) != len(must.linear) or answer.linear != must.linear:
        return f"step's linear predictor is {answer.linear}, must be {must.linear}"
    link = model.outputs[0].link
    values = must.linear if decoded and link == "softmax" else must.values
    room = 0.0 if link == "identity" else LINK_ROUNDING
    if not all(abs(a - b) <= room * max(abs(b), 1.0) for a, b in zip(answer.values, values, strict=True)):
        return f"step's value is {answer.values}, must be {values}"
    names = [model.inputs[i].name for i in readings(model)]
    faults = [must.faults.get(name, "") for name in names]
    if answer.faults != faults:
        return f"step's faults are {answer.faults}, must be {faults}"
    if answer.status != must.status:
        return f"step's status is {answer.status!r}, must be {must.status!r}"
    if answer.label is not None and model.classes is not None and model.classes[answer.label] != must.label:
        return f"step's label is {model.classes[answer.label]!r}, must be {must.label!r}"
    if answer.widths and answer.widths != (must.widths or [1.0] * len(must.linear)):
        return f"step's widths are {answer.widths}, must be {must.widths}"
    if must.score is None:
        return ""
    if (answer.score, answer.parts) != (must.score, must.parts):
        return f"the score is {answer.score!r} of {answer.parts}, must be {must.score!r} of {must.parts}"
    if (answer.alarm, answer.onset) != (must.alarm, must.onset):
        return f"alarm and onset are {(answer.alarm, answer.onset)}, must be {(must.alarm, must.onset)}"
    if answer.shares:
        places = watched(model)
        named = [(places[k], share) for k, share in answer.shares]
        if named != shares(must.parts, must.score, places):
            return f"the alarm names {named}, must name {shares(must.parts, must.score, places)}"
    return ""
