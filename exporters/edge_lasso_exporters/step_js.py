"""`start`, `step` and `stepQ` of a JavaScript artifact: what stands around the printed programs."""

from __future__ import annotations

import json

from edge_lasso_runtime.fixed_history import NONE
from edge_lasso_runtime.model import Model

from .detector_q import DetectorQ, has_step_q, replayed
from .js_text import REPLAY, REPLAY_Q, STEP, STEP_Q
from .options import Options
from .programs.layout import layout
from .programs.layout_fixed import layout_fixed
from .programs.layout_q import layout_q
from .programs.nodes import Spec
from .programs.print_js import PrinterJS
from .programs.running import source
from .programs.specialize import specialize
from .stateful import SHORT, Stateful, sequence
from .stateful_reference import replay, replay_sizes

LAST_BIT = 29
"""Of a status: shifts are of 32 bits with a sign."""


def step_text(model: Model, options: Options) -> str:
    """What an artifact gets that takes in rows one after another."""
    plan, fixed = Stateful(model, options), options.variant == "fixed"
    printers = step_printers(model, options)
    printer, integers = printers["step"], printers.get("step_q")
    text = names_text(model, plan) + printer.source()
    text += wrapped(model, plan, printer.start("state"), printer.start("out"))
    return text + (_step_q(model, integers) if integers else "") + replay_text(model, plan, fixed)


def step_printers(model: Model, options: Options) -> dict[str, PrinterJS]:
    """The programs of an artifact by name."""
    plan, fixed = Stateful(model, options), options.variant == "fixed"
    spec = layout_fixed(plan, LAST_BIT, exponential=True) if fixed else layout(plan, last_bit=LAST_BIT)
    printers = {"step": _printed("step_fixed" if fixed else "step", spec, "")}
    if fixed and has_step_q(model):
        printers["step_q"] = _printed("step_q", layout_q(DetectorQ(model), LAST_BIT), "_q")
    return printers


def _printed(program: str, spec: Spec, suffix: str) -> PrinterJS:
    return PrinterJS(
        specialize(source(program), spec, expressions=True), spec, suffix, frozenset(("LIMIT",) if not suffix else ())
    )


def names_text(model: Model, plan: Stateful) -> str:
    """The names that results of `step` have."""
    head = f"\nexport const READINGS = {_safe(plan.names)}; // what `step` takes\n"
    head += 'const FAULTS = ["", "missing", "stuck", "jump", "out of range"];\n'
    if plan.detector:
        head += f"export const WATCHED_NAMES = {_safe([model.inputs[at].name for at, *_ in plan.watched])};\n"
    return head


def wrapped(model: Model, plan: Stateful, state: str, out: str) -> str:
    """`start` and `step` around a function ``stepRow``: `state` and `out` are what these begin with."""
    text = "" if len(model.outputs) > 1 else "[0]"
    more, pairs = [], [f"value: out.values{text}"]
    pairs += ['status: wrong !== 0 ? "degraded" : out.warmingUp === 1 ? "warming up" : "ok"', "faults"]
    if model.outputs[0].link != "identity":
        more.append("linear")
        pairs.append(f"linear: out.linear{text}")
    if model.classes is not None:
        more.append("label")
        pairs.append("label: CLASSES[out.label]")
    if plan.estimate:
        more.append("widths (by what factor errors are wider)")
        pairs.append("widths: out.widths")
    if plan.detector:
        more.append("score, alarm, onset (an alarm begins), parts")
        pairs += ["score: out.score", "alarm: out.alarm === 1", "onset: out.onset === 1", "parts: out.parts"]
    categorical = any(feature.categories is not None for feature in model.inputs)
    return STEP.format(
        state=state, out=out, more="".join(f", {name}" for name in more),
        pairs="\n".join(f"    {pair}," for pair in pairs),
        reading="category(name, row[name])" if categorical else "row[name]",
    )  # fmt: skip


def _step_q(model: Model, printer: PrinterJS) -> str:
    q = DetectorQ(model)
    text = f"\nexport const SCORE_UNIT = {q.section['unit']!r};\nconst INPUTS_Q = {json.dumps(q.plan.readings)};\n"
    text += printer.source() + STEP_Q.format(state=printer.start("state"), out=printer.start("out"), none=NONE)
    if len(q.plan.readings) > SHORT:
        return text
    rows, score, total = replayed(q)
    return text + REPLAY_Q.format(rows=json.dumps(rows), score=score, total=total)


def _safe(names: list[str]) -> str:
    """A literal that cannot end the script that a page puts it in."""
    return json.dumps(names).replace("<", "\\u003c")


def replay_text(model: Model, plan: Stateful, fixed: bool) -> str:
    """The function ``replay``: whether a short sequence ends as it must; nothing where the model reads too much."""
    if len(plan.readings) > SHORT:
        return ""
    rows = sequence(plan)
    last = replay(model, rows, fixed)[-1]
    score = ""
    if plan.detector:
        room = max(last.score or 0.0, 1.0) * 2.0**20
        score = f"\n    && Math.abs(result.score - {last.score!r}) <= Number.EPSILON * {room!r}"
    return REPLAY.format(
        rows=json.dumps(rows), end=json.dumps(list(last.linear)), sizes=json.dumps(list(replay_sizes(plan))),
        key="value" if model.outputs[0].link == "identity" else "linear", score=score,
    )  # fmt: skip
