"""`start` and `step` of a Python artifact, and `step_q` of a detector in integers.

What a row does is printed from the programs (`programs`); here is what stands around it: readings by name, results
with names, self-tests. CPython 3.9 or later and MicroPython, whose integers below 2^30 need no memory.
"""

from __future__ import annotations

from edge_lasso_runtime.fixed_history import NONE
from edge_lasso_runtime.model import Model

from .detector_q import DetectorQ, has_step_q, replayed
from .options import Options
from .programs.layout import layout
from .programs.layout_fixed import layout_fixed
from .programs.layout_q import layout_q
from .programs.nodes import Spec
from .programs.print_python import PrinterPython
from .programs.running import source
from .programs.specialize import specialize
from .stateful import SHORT, Stateful, sequence
from .stateful_reference import replay, replay_sizes
from .step_python_text import NUMBER, REPLAY, REPLAY_Q, SHARES, START, STEP, STEP_Q

LAST_BIT = 29
"""Of a status: MicroPython's small integers end there."""


def printed(program: str, spec: Spec, suffix: str = "", own: str = "") -> PrinterPython:
    """A program, ready to be printed; lists for a row are made anew for each, full of zeros."""
    spec.numbers["FRESH"] = True
    return PrinterPython(
        specialize(source(program), spec, expressions=True),
        spec,
        suffix,
        frozenset(("LIMIT",) if not suffix else ()),
        own,
    )


def step_text(model: Model, options: Options, text: str) -> str:
    """An artifact's text with `start` and `step` behind it; its `selftest` replays a sequence, too."""
    more = StepPython(model, options).text()
    if "def _replay" in more:
        before, _, after = text.rpartition("    return True\n")
        both = " and _replay_q()" if "def _replay_q" in more else ""
        text = f"{before}    return _replay(){both}\n{after}"
    return text + more


class StepPython:
    """The code of an artifact that takes in rows one after another."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model, self.plan = model, Stateful(model, options)
        self.fixed = options.variant == "fixed"
        self.link = model.outputs[0].link
        self.several = len(model.outputs) > 1
        if self.fixed:
            self.printer = printed("step_fixed", layout_fixed(self.plan, LAST_BIT, exponential=True), own="predict(q)")
        else:
            name = "predict" if self.link == "identity" else "linear"
            self.printer = printed("step", layout(self.plan, last_bit=LAST_BIT, own=True), own=f"{name}(row, True)")
        self.integers = None
        if self.fixed and has_step_q(model):
            self.integers = printed("step_q", layout_q(DetectorQ(model), LAST_BIT), "_q")

    @property
    def printers(self) -> dict[str, PrinterPython | None]:
        """Its programs by name."""
        return {"step": self.printer, "step_q": self.integers}

    def text(self) -> str:
        """Everything."""
        plan, printer = self.plan, self.printer
        readings = ", ".join(map(ascii, plan.names)) + "," * (len(plan.names) == 1)
        text = f'\n\nNAN = float("nan")\nREADINGS = ({readings})  # what `step` takes\n'
        text += 'FAULTS = ("", "missing", "stuck", "jump", "out of range")\n'
        if plan.detector:
            names = [ascii(plan.model.inputs[at].name) for at, *_ in plan.watched]
            text += f"WATCHED_NAMES = ({', '.join(names)}{',' * (len(names) == 1)})\n"
        text += printer.source() + START.format(suffix="", state=printer.start("state")) + NUMBER
        text += (SHARES if plan.detector else "") + self.step()
        return text + (self.step_q(self.integers) if self.integers else "") + self.selftest()

    def step(self) -> str:
        """The function `step`."""
        plan, more = self.plan, []
        categorical = any(self.model.inputs[i].categories is not None for i in plan.readings)
        pairs = [f'"value": out["values"]{"" if self.several else "[0]"}']
        pairs += ['"status": "degraded" if wrong else "warming up" if out["warming_up"] else "ok"', '"faults": faults']
        if self.link != "identity":
            more.append('and "linear"' + (', "label"' if self.model.classes is not None else ""))
            pairs.append(f'"linear": out["linear"]{"" if self.several else "[0]"}')
        if self.model.classes is not None:
            pairs.append('"label": CLASSES[out["label"]]')
        if plan.estimate:
            more.append('and "widths": by what factor errors are wider')
            pairs.append('"widths": out["widths"]')
        shares = ""
        if plan.detector:
            more.append('and "score", "alarm", "onset" (an alarm begins), "parts", "shares" (of an alarm)')
            pairs += [
                '"score": out["score"]',
                '"alarm": out["alarm"] == 1',
                '"onset": out["onset"] == 1',
                '"parts": out["parts"]',
            ]
            shares = '    result["shares"] = shares(result) if out["alarm"] else []\n'
        get = "row.get(name)"
        if categorical:
            get = "_category(name, row.get(name)) if name in CATEGORIES else row.get(name)"
        return STEP.format(
            get=get, more="".join(f"\n    {line}" for line in more), out=self.printer.start("out"), shares=shares,
            pairs="\n".join(f"        {pair}," for pair in pairs), count=len(plan.readings),
        )  # fmt: skip

    def step_q(self, printer: PrinterPython) -> str:
        """`start_q`, `readings_q` and `step_q`."""
        q = DetectorQ(self.model)
        text = f"\n\nSCORE_UNIT = {q.section['unit']!r}\nINPUTS_Q = {tuple(q.plan.readings)!r}\n" + printer.source()
        text += START.format(suffix="_q", state=printer.start("state"))
        text += STEP_Q.format(none=NONE, readings=len(q.plan.readings), out=printer.start("out"))
        if len(q.plan.readings) > SHORT:
            return text
        rows, score, total = replayed(q)
        return text + REPLAY_Q.format(rows=tuple(map(tuple, rows)), score=score, total=total)

    def selftest(self) -> str:
        """A sequence to replay; nothing for many readings."""
        plan = self.plan
        if len(plan.readings) > SHORT:
            return ""
        rows = sequence(plan)
        last = replay(self.model, rows, self.fixed)[-1]
        score = "True"
        if plan.detector:
            score = f'abs(result["score"] - {last.score!r}) <= eps * {max(last.score or 0.0, 1.0) * 2.0**20!r}'
        return REPLAY.format(
            rows="\n".join(f"    {tuple(row)!r}," for row in rows), end=tuple(last.linear),
            sizes=tuple(replay_sizes(plan)),
            key="value" if self.link == "identity" else "linear", got="got" if self.several else "(got,)", score=score,
        )  # fmt: skip
