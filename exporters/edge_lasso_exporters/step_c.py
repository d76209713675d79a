"""``NAME_start`` and ``NAME_step`` of a C artifact, and ``NAME_step_q`` of a detector in integers.

What a row does is printed from the programs (`programs`); here is what stands around it: the header's prose, readings
as integers, self-tests. The state is a struct that the caller owns: no heap, no libc, no library of mathematics.
"""

from __future__ import annotations

from edge_lasso_runtime.model import Model

from .c_layout import MISSING, NO_LIBC, ROM, Names
from .detector_q import DetectorQ, has_step_q, replayed
from .fixed_c_text import without_float
from .names import c_comment, identifiers
from .options import Options
from .programs.layout import layout
from .programs.layout_fixed import layout_fixed
from .programs.layout_q import FAULTS, layout_q
from .programs.nodes import Spec
from .programs.print_c import PrinterC
from .programs.running import source
from .programs.specialize import specialize
from .stateful import SHORT, Stateful, sequence
from .stateful_reference import replay, replay_sizes
from .step_c_text import FLOOR, FLOORED, HEADER_Q, READINGS_Q, READS, REPLAY, REPLAY_Q, SCORE, SIZE


class StepC:
    """What an artifact gets that takes in rows one after another.

    Parameters
    ----------
    model : Model
    options : Options
    names : Names
    """

    def __init__(self, model: Model, options: Options, names: Names) -> None:
        self.model, self.names = model, names
        self.plan = Stateful(model, options)
        self.fixed = options.variant == "fixed"
        self.kind = f"{names.upper}_REAL" if self.fixed else options.variant
        self.there = {fault: f"{names.upper}_{fault}" for fault in FAULTS} | {"PREDICTED": f"{names.upper}_OUTPUTS"}
        if self.fixed and has_step_q(model):
            self.there["NONE"] = f"{names.upper}_NONE"
        program = "step_fixed" if self.fixed else "step"
        spec = layout_fixed(self.plan) if self.fixed else layout(self.plan, options.variant == "float")
        self.printer = self.printed(program, spec, "")
        self.integers = (
            self.printed("step_q", layout_q(DetectorQ(model)), "_q") if self.fixed and has_step_q(model) else None
        )

    def printed(self, program: str, spec: Spec, suffix: str) -> PrinterC:
        """A program, ready to be printed."""
        return PrinterC(specialize(source(program), spec), spec, self.names.prefix, self.kind, suffix, self.there)

    @property
    def printers(self) -> dict[str, PrinterC | None]:
        """Its programs by name."""
        return {"step": self.printer, "step_q": self.integers}

    def number(self, value: float) -> str:
        """A literal of the artifact's type."""
        return self.printer.literal(float(value))

    # The header

    def header(self) -> str:
        """The declarations."""
        plan, upper, printer = self.plan, self.names.upper, self.printer
        lines = [
            "/* Rows taken in one after another. Places in a row of readings: */",
            f"#define {upper}_READINGS {max(len(plan.readings), 1)}",
        ]
        lines += [f"#define {upper}_READ_{field.upper()} {k} /* {c_comment(name)} */"
                  for k, (field, name) in enumerate(zip(identifiers(plan.names), plan.names, strict=True))]  # fmt: skip
        for i, feature in enumerate(self.model.inputs):
            if feature.stream is not None:
                kind, of, length = feature.stream
                lines.append(
                    f"/* Input {plan.places[i]}, {c_comment(feature.name)}: {kind} {length} of {c_comment(of)}. */"
                )
        if plan.warm_up:
            lines.append(f"#define {upper}_WARM_UP {plan.warm_up} /* rows without an alarm */")
        lines += ["", "/* What is wrong with a reading. */"]
        lines += [f"#define {upper}_{fault} {code}U" for fault, code in FAULTS.items()]
        lines += ["", "/* What `step` remembers: the caller's to keep, one for each sequence of rows. */"]
        lines += [f"#ifndef {upper}_NO_FLOAT"] if self.fixed else []
        lines += [printer.struct("state"), f"{printer.struct('out')}", f"{printer.start_signature()};"]
        lines += [
            "/* Take in one row; a reading that is missing is NaN, or beyond the limit.",
            "   Bit k: reading k is at fault (bit 31: any from 31 on). 0: all is well. */",
            f"{printer.signature(printer.functions['step'])};",
            f"size_t {self.names.prefix}_state_size(void);",
            *(["#endif"] if self.fixed else []),
        ]  # fmt: skip
        return "\n".join(lines) + "\n" + self.header_q()

    def header_q(self) -> str:
        """The declarations of `step_q`, with what its integers mean."""
        if self.integers is None:
            return ""
        q, printer, words = DetectorQ(self.model), self.integers, {"p": self.names.prefix, "P": self.names.upper}
        steps = []
        for i in q.plan.readings:
            fixed = q.fixed[i]
            of_count = f", or count - ({fixed['subtract']})" if "subtract" in fixed else ""
            steps.append(
                f"     {c_comment(self.model.inputs[i].name)}: q = floor((x - {fixed['centre']!r}) * {fixed['scale']!r}"
                f" + 0.5){of_count}, {fixed['low']} to {fixed['high']}"
            )
        return HEADER_Q.format(
            **words, steps="\n".join(steps), bound=_above(max(sensor["bound"] for sensor in q.section["watched"])),
            unit=repr(q.section["unit"]), state=printer.struct("state"), result=printer.struct("out"),
            start=printer.start_signature(), step=printer.signature(printer.functions["step"]),
        )  # fmt: skip

    # The source

    def source(self, before: str) -> str:
        """The functions; `before` is the source they stand behind."""
        words = {"p": self.names.prefix, "P": self.names.upper, "T": self.kind, "zero": self.number(0.0)}
        floats = self.printer.source() + SIZE.format(**words, suffix="")
        integers = ""
        if self.integers is not None:
            integers = self.integers.source() + SIZE.format(**words, suffix="_q")
            floats += READINGS_Q.format(
                **words, L=self.number(self.model.limit), half=self.number(0.5), **self.inputs_q()
            )  # fmt: skip
        pieces = ((f"{words['p']}_missing(", MISSING), (f"{words['p']}_floored(", FLOORED))
        floats = "".join(text.format(**words) for name, text in pieces if name in floats) + floats
        head = NO_LIBC + ("" if f"#define {self.names.upper}_ROM" in before else ROM.format(**words))
        pieces = ((f"{words['P']}_READ_", READS), (f"{words['P']}_FLOOR(", FLOOR))
        head += "".join(text.format(**words) for name, text in pieces if name in floats + integers)
        return head + (without_float(words["P"], floats) if self.fixed else floats) + integers

    def inputs_q(self) -> dict[str, str]:
        """Which row of ``NAME_steps`` belongs to reading k, and a table of them where it is needed."""
        readings, upper = self.plan.readings, self.names.upper
        if readings == list(range(len(readings))):
            return {"inputs": "", "input": "k"}
        inside = ", ".join(map(str, readings))
        inputs = f"    static const uint16_t inputs[] {upper}_ROM = {{{inside}}};\n"
        return {"inputs": inputs, "input": f"{upper}_READ_WORD(inputs + k)"}

    def selftest(self) -> str:
        """Sequences that a board replays; nothing for many readings."""
        plan = self.plan
        if len(plan.readings) > SHORT:
            return ""
        rows = sequence(plan)
        last = replay(self.model, rows, self.fixed)[-1]
        missing = self.number(2.0 * self.model.limit)
        table = ",\n        ".join(
            "{" + ", ".join(missing if x is None else self.number(x) for x in row or [0.0]) + "}" for row in rows
        )
        more = ""
        if plan.detector:
            score = last.score or 0.0
            more = SCORE.format(
                T=self.kind, score=self.number(score), room=self.number(max(score, 1.0) * 2.0**20),
                zero=self.number(0.0),
            )  # fmt: skip
        step = f"(sizeof({self.kind}) >= 8U) ? {self.number(2.0**-52)} : {self.number(2.0**-23)}"
        text = REPLAY.format(
            p=self.names.prefix, P=self.names.upper, T=self.kind, zero=self.number(0.0), rows=table, count=len(rows),
            step=self.number(2.0**-23) if self.kind == "float" else step,
            wanted=", ".join(map(self.number, last.linear)),
            sizes=", ".join(map(self.number, replay_sizes(plan))), score=more, L=self.number(self.model.limit),
            z="values" if self.model.outputs[0].link == "identity" else "linear",
        )  # fmt: skip
        if self.fixed:
            text = without_float(self.names.upper, text).lstrip()
        if self.integers is not None:
            integers, wanted, total = replayed(DetectorQ(self.model))
            inside = ",\n        ".join("{" + ", ".join(map(str, row)) + "}" for row in integers)
            text += "\n" + REPLAY_Q.format(
                p=self.names.prefix, P=self.names.upper, count=len(integers), rows=inside,
                score=self.integers.literal(wanted), total=self.integers.literal(total),
            )  # fmt: skip
        return text


def with_step(model: Model, options: Options, names: Names, files: dict[str, bytes]) -> dict[str, bytes]:
    """An artifact's files with `start` and `step` added; its self-test replays a sequence, too."""
    step_c = StepC(model, options, names)
    p, upper = names.prefix, names.upper
    header, source = files[f"{p}.h"].decode(), files[f"{p}.c"].decode()
    header = header.replace("no heap, no state.", "no heap; rows one after another: the caller owns the state.", 1)
    before, mark, after = header.rpartition(f"#ifdef {upper}_SELFTEST\n")
    header = f"{before}{step_c.header()}{mark}{after}"
    before, mark, after = source.rpartition(f"\n#ifdef {upper}_SELFTEST\n")
    body, replays = step_c.source(before), step_c.selftest()
    missing = MISSING.format(T=step_c.kind, p=p).strip() + "\n"
    if f"{p}_missing(" in body or replays:
        after = after.replace(missing, "", 1)
    if replays and f"{p}_missing(" not in body:
        replays = (without_float(upper, missing) if step_c.fixed else missing).lstrip() + "\n" + replays
    if replays:
        both = f"{p}_replay(0) && {p}_replay(1)"
        if step_c.fixed:
            call = f"    if (!({both})) {{\n        return 0;\n    }}"
            calls = without_float(upper, call).lstrip()
            both = f"{p}_replay_q()" if step_c.integers is not None else "1"
        else:
            calls = ""
        ahead, end, _ = after.rpartition("    return 1;\n")
        after = ahead + calls + end.replace("1", both) + "}\n#endif\n"
    source = f"{before}{body}{mark}{replays}{after}"
    return {**files, f"{p}.h": header.encode(), f"{p}.c": source.encode()}


def _above(value: float) -> str:
    """Three digits, not below the value."""
    short = float(f"{value:.2e}")
    return repr(short if short >= value else float(f"{value * 1.005:.2e}"))
