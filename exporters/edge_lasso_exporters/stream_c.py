"""`NAME_start` and `NAME_step` of a C artifact: rows taken in one after another, as `edge_lasso_runtime.step` says.

The state is a struct that the caller owns: no heap, no libc, no library of mathematics. Only what the model has is
written; tables lie in flash on AVR. ``c:double`` repeats the reference operation by operation; ``c:fixed`` keeps
integers (`edge_lasso_runtime.fixed_stream`), and what concerns readings themselves is in ``NAME_REAL``.
"""

from __future__ import annotations

import re

from edge_lasso_runtime.fixed_stream import FRACTION, NONE, rate_of
from edge_lasso_runtime.model import Model

from . import detector_c
from .c_layout import ROM, Names, c_double, c_float
from .detector_q_c import replay_q_c, step_q_c
from .names import c_comment, identifiers
from .options import Options
from .stateful import KINDS, SHORT, Stateful, sequence
from .stateful_reference import replay, replay_sizes
from .stream_c_text import (
    AVERAGE,
    CATEGORY,
    CHANGED,
    COUNT,
    DELAYS,
    ESTIMATE,
    FIXED_AVERAGE,
    FIXED_COMPLETE,
    FIXED_ESTIMATE,
    FLOOR,
    LOOK,
    MEAN,
    MISSING,
    PUSH,
    REPLAY,
    SAME,
    START,
    STEP,
)

FAULTS = ("OK", "MISSING", "STUCK", "JUMP", "RANGE")


class StreamC:
    """The code behind an artifact that keeps state."""

    def __init__(self, model: Model, options: Options, names: Names) -> None:
        self.model, self.names = model, names
        self.plan = Stateful(model, options)
        self.fixed = options.variant == "fixed"
        self.kind = f"{names.upper}_REAL" if self.fixed else options.variant
        self.link = model.outputs[0].link
        self.several = len(model.outputs) > 1
        limits = self.plan.limits.values()
        self.stuck = max((stuck for stuck, _ in limits), default=0)
        self.jumps = bool(self.plan.limits)
        self.remembers = bool(self.stuck or self.jumps)
        self.fields = identifiers(self.plan.names)
        self.slots = sum(size for _, size in self.plan.sources)
        self.index = "uint16_t" if self.slots < 1 << 16 else "uint32_t"
        self.run = "uint16_t" if self.stuck < 65535 else "uint32_t"
        self.words = {
            "T": self.kind, "p": names.prefix, "P": names.upper, "L": self.number(model.limit),
            "zero": self.number(0.0), "one": self.number(1.0), "none": str(NONE), "I": self.index,
            "R": "int16_t" if self.fixed else self.kind, "r": "q" if self.fixed else "x",
        }  # fmt: skip

    def number(self, value: float) -> str:
        """A literal of the artifact's type."""
        if self.fixed:
            return f"({self.kind}){c_double(float(value))}"
        return c_float(float(value)) if self.kind == "float" else c_double(float(value))

    def header(self) -> str:
        """The declarations."""
        plan, p, upper, kind = self.plan, self.names.prefix, self.names.upper, self.kind
        lines = [
            "/* Rows taken in one after another. Places in a row of readings: */",
            f"#define {upper}_READINGS {max(len(plan.readings), 1)}",
        ]
        lines += [f"#define {upper}_READ_{field.upper()} {k} /* {c_comment(name)} */"
                  for k, (field, name) in enumerate(zip(self.fields, plan.names, strict=True))]  # fmt: skip
        for i, one in enumerate(self.model.inputs):
            if one.stream is not None:
                kind_, of, length = one.stream
                lines.append(
                    f"/* Input {plan.places[i]}, {c_comment(one.name)}: {kind_} {length} of {c_comment(of)}. */"
                )
        if plan.warm_up:
            lines.append(f"#define {upper}_WARM_UP {plan.warm_up}U /* rows without an alarm */")
        lines += ["", "/* What is wrong with a reading. */"]
        lines += [f"#define {upper}_{fault} {code}U" for code, fault in enumerate(FAULTS)]
        lines += [
            "",
            "/* What `step` remembers: the caller's to keep, one for each sequence of rows. */",
            "typedef struct {",
        ]
        lines += [*self._state(), f"}} {p}_state;", "", "typedef struct {"]
        lines += [*self._result(), f"}} {p}_result;", "", f"void {p}_start({p}_state *state);"]
        lines += [
            "/* Take in one row; a reading that is missing is NaN, or beyond the limit.",
            "   Bit k: reading k is at fault (bit 31: any from 31 on). 0: all is well. */",
            f"uint32_t {p}_step({p}_state *state, const {kind} x[{upper}_READINGS], {p}_result *result);",
            f"size_t {p}_state_size(void);",
        ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def _state(self) -> list[str]:
        plan, upper, kind = self.plan, self.names.upper, self.kind
        stored = self.words["R"]
        lines = [f"    {kind} last[{upper}_READINGS];"] if self.remembers else []
        if plan.averages:
            lines.append(f"    {'int32_t' if self.fixed else kind} averages[{len(plan.averages)}];")
        lines += [f"    {stored} rings[{self.slots}];"] if plan.derived else []
        if plan.detector:
            lines += detector_c.state_fields(plan, kind, upper)
        if plan.estimate:
            k = len(plan.numeric)
            lines += [
                f"    {kind} factor[{k * (k + 1) // 2}]; /* scratch */",
                f"    {kind} right[{k}];",
                f"    uint16_t gone[{k}];",
            ]
        lines += ["    uint32_t rows; /* up to the warm-up */"] if plan.warm_up else []
        lines += [f"    {self.run} run[{upper}_READINGS];"] if self.stuck else []
        lines += [f"    {self.index} heads[{len(plan.sources)}];"] if plan.derived else []
        return lines or ["    uint8_t nothing;"]

    def _result(self) -> list[str]:
        plan, upper, kind = self.plan, self.names.upper, self.kind
        lines = [f"    {kind} values[{upper}_OUTPUTS];"]
        if self.link != "identity":
            lines.append(f"    {kind} linear[{upper}_OUTPUTS];")
        lines += (
            [f"    {kind} widths[{upper}_OUTPUTS]; /* by what factor errors are wider: estimates */"]
            if plan.estimate
            else []
        )
        if plan.detector:
            lines += [
                f"    {kind} score;",
                f"    {kind} parts[{upper}_OUTPUTS]; /* of the score, per watched reading */",
            ]
        lines += ["    int32_t label;"] if self.model.classes is not None else []
        lines += ["    uint8_t alarm;", "    uint8_t onset; /* an alarm begins */"] if plan.detector else []
        return [*lines, "    uint8_t warming_up;", f"    uint8_t faults[{upper}_READINGS];"]

    def source(self, before: str) -> str:
        """The functions; `before` is the source they stand behind."""
        plan, words = self.plan, self.words
        text = "" if f"#define {self.names.upper}_ROM" in before else ROM.format(P=self.names.upper)
        text += MISSING.format(**words) if self._needs_missing() else ""
        if self.fixed:
            text += COUNT.format(**words) + (FLOOR.format(**words) if plan.averages else "")
        text += self._look()
        text += self._delays() if plan.streams else ""
        text += self._estimate() if plan.estimate else ""
        text += self._fixed_complete() if self.fixed else ""
        text += detector_c.blind(plan, words, NONE if self.fixed else None)
        if plan.detector:
            text += detector_c.functions(plan, words, self.number, "values")
        return text + self._start() + self._step()

    def _needs_missing(self) -> bool:
        return not self.fixed or self.remembers or bool(self.plan.estimate)

    def _look(self) -> str:
        plan, inputs = self.plan, self.model.inputs
        members, rows = [], []
        for i in plan.readings:
            one = inputs[i]
            stuck, jump = plan.limits.get(i, (0, 4.0 * self.model.limit))
            cells = [] if self.fixed else [self.number(one.low or 0.0), self.number(one.high or 0.0)]
            cells += [self.number(float(jump))] if self.jumps else []
            cells += [f"{stuck}U"] if self.stuck else []
            cells.append(f"{i if self.fixed else plan.places[i]}U")
            cells += [] if self.fixed else [f"{len(one.categories or ())}U"]
            rows.append(f"    {{{', '.join(cells)}}},")
        members += [] if self.fixed else [f"    {self.kind} low;", f"    {self.kind} high;"]
        members += [f"    {self.kind} jump;"] if self.jumps else []
        members += [f"    {self.run} stuck;"] if self.stuck else []
        members.append(f"    uint16_t {'input' if self.fixed else 'place'};")
        members += [] if self.fixed else ["    uint16_t categories;"]
        return self._look_text("\n".join(members), "\n".join(rows or ["    {0}"]))

    def _look_text(self, members: str, rows: str) -> str:
        plan, words, inputs = self.plan, self.words, self.model.inputs
        p, upper = words["p"], words["P"]
        categorical = any(inputs[i].categories is not None for i in plan.readings)
        place = "step.place" if self.fixed else "check.place"
        none = str(NONE) if self.fixed else f"{p}_missing({words['zero']})"
        load = f"        {upper}_LOAD(&check, &{p}_checks[k]);"
        if self.fixed:
            load = f"        {p}_grid step;\n{load}\n        {upper}_LOAD(&step, &{p}_steps[check.input]);"
        category = ""
        if categorical:
            category = CATEGORY.format(
                **words, place=place, cast="(int16_t)" if self.fixed else "",
                is_category=f"step.scale == {words['zero']}" if self.fixed else "check.categories > 0U",
                last="step.high" if self.fixed else f"({self.kind})(check.categories - 1U)",
            ).replace(": -1;", ": -1;" if self.fixed else f": -{words['one']};")  # fmt: skip
        kept = f"            q[step.place] = {p}_count(&step, value);\n"
        if not self.fixed:
            kept = "            x[check.place] = value;\n"
            if self.model.policy == "clamp" and plan.streams:
                cut = "(value < check.low) ? check.low : ((value > check.high) ? check.high : value)"
                kept = f"            x[check.place] = {cut};\n"
        health = ""
        if self.remembers:
            first = "                state->run[k] = 1U;\n" if self.stuck else ""
            health = (
                CHANGED.format(**words, first=first)
                + (SAME.format(**{**words, "none": none}, place=place) if self.stuck else "")
                + "\n"
            )
        state = f"{p}_state *state, "
        nothing = "" if self.remembers else "    (void)state;\n"
        if not plan.readings:
            nothing += "    (void)given;\n"
        low, high = ("step.low", "step.high") if self.fixed else ("check.low", "check.high")
        return LOOK.format(
            **{**words, "none": none}, members=members, rows=rows, state=state, count=len(plan.readings), load=load,
            place=place,
            category=category, low=low, high=high, keep=kept, health=health, nothing=nothing,
        )  # fmt: skip

    def _delays(self) -> str:
        plan, words, places = self.plan, self.words, self.plan.places
        kinds = [kind for kind in KINDS if any(one[1] == kind for one in plan.derived)]
        text, body = "", ""
        if plan.derived:
            start, rows = 0, []
            for i, size in plan.sources:
                rows.append(f"    {{{start}U, {size}U, {places[i]}U}},")
                start += size
            streams = [
                f"    {{{places[i]}U, {places[at]}U, {ring}U, {i}U, {length}U, {KINDS.index(kind)}U}},"
                for i, kind, at, ring, length in plan.derived
            ]
            text += DELAYS[0].format(**words, sources="\n".join(rows), streams="\n".join(streams))
            if self.fixed:
                change = [
                    f"{words['p']}_grid step;", f"{words['P']}_LOAD(&step, &{words['p']}_steps[one.input]);",
                    f"if ((old == {NONE}) || (now == {NONE})) {{", f"    q[one.to] = {NONE};", "} else {",
                    "    old = now - old;",
                    "    old = (old < step.first) ? step.first : ((old > step.last) ? step.last : old);",
                    "    q[one.to] = (int16_t)old;", "}",
                ]  # fmt: skip
            else:
                known = f"(old >= -{words['L']}) && (old <= {words['L']})"
                missing = f"{words['p']}_missing({words['zero']})"
                change = ["old = now - old;", f"x[one.to] = ({known}) ? old : {missing};"]
            lag = f"{words['r']}[one.to] = {'(int16_t)' if self.fixed else ''}old;"
            mean = MEAN[self.fixed].format(**words)
            branches = {"lag": [lag], "difference": change}
            inner = ""
            for n, kind in enumerate(kinds):
                last = n == len(kinds) - 1
                head = "else {" if last and n else f"{'else ' if n else ''}if (one.kind == {KINDS.index(kind)}U) {{"
                inner += f"        {head}\n" if not n else f" {head}\n"
                inner += mean if kind == "mean" else "".join(f"            {line}\n" for line in branches[kind])
                inner += "        }"
            if len(kinds) == 1:
                lines = mean if kinds[0] == "mean" else "".join(f"            {line}\n" for line in branches[kinds[0]])
                inner = lines.replace("\n    ", "\n").removeprefix("    ").rstrip("\n")
            held = "int32_t" if self.fixed else self.kind
            olds = any(kind != "mean" for kind in kinds)
            nows = any(kind != "lag" for kind in kinds)
            body += DELAYS[1].format(
                **words, count=len(plan.derived), inner=inner, V="int32_t" if self.fixed else self.kind,
                old=DELAYS[3].format(V=held) if olds else "",
                now=f"        const {held} now = {words['r']}[one.at];\n" if nows else "",
            )  # fmt: skip
        if plan.averages:
            if self.fixed:
                rows = [
                    f"    {{{places[i]}U, {places[at]}U, {rate_of(span)[0]}, {rate_of(span)[1]}U}},"
                    for i, at, span in plan.averages
                ]
                text += FIXED_AVERAGE[0].format(**words, rows="\n".join(rows))
                body += FIXED_AVERAGE[1].format(
                    **words, count=len(rows), fraction=FRACTION, half=1 << FRACTION >> 1, scale=1 << FRACTION
                )
            else:
                rows = [
                    f"    {{{self.number(2.0 / (span + 1))}, {places[i]}U, {places[at]}U}},"
                    for i, at, span in plan.averages
                ]
                text += AVERAGE[0].format(**words, rows="\n".join(rows))
                body += AVERAGE[1].format(**words, count=len(rows))
        body += PUSH.format(**words, count=len(plan.sources)) if plan.derived else ""
        return text + DELAYS[2].format(**words, body=body)

    def _estimate(self) -> str:
        plan = self.plan
        section = plan.estimate or {}
        inputs = [self.model.inputs[i] for i in plan.numeric]
        rows = [
            f"    {{{self.number(mean)}, {self.number(one.default or 0.0)}, {plan.places[i]}U}},"
            for i, mean, one in zip(plan.numeric, section["mean"], inputs, strict=True)
        ]
        flat = [value for row in plan.slopes for value in row]
        return ESTIMATE.format(
            **self.words, rows="\n".join(rows), count=len(plan.numeric), half=self.number(0.5),
            inverse=self._table(section["inverse"]), slopes=self._table(flat),
            residuals=self._table(section["residual"]),
        )  # fmt: skip

    def _table(self, values: list[float]) -> str:
        texts = [self.number(float(value)) for value in values]
        return ",\n".join("    " + ", ".join(texts[i : i + 4]) for i in range(0, len(texts), 4))

    def _fixed_complete(self) -> str:
        if self.plan.estimate:
            return FIXED_ESTIMATE.format(**self.words, inputs=len(self.model.inputs))
        return FIXED_COMPLETE.format(**self.words, inputs=len(self.model.inputs))

    def _start(self) -> str:
        plan, words = self.plan, self.words
        p, zero = words["p"], words["zero"]
        loops: list[tuple[str, list[str]]] = []
        lines: list[str] = []
        reading = [f"        state->last[k] = {p}_missing({zero});"] if self.remembers else []
        reading += ["        state->run[k] = 0U;"] if self.stuck else []
        loops.append((f"{words['P']}_READINGS", reading))
        empty = str(NONE) if self.fixed else f"{p}_missing({zero})"
        if plan.derived:
            loops.append((f"{self.slots}U", [f"        state->rings[k] = {empty};"]))
            loops.append((f"{len(plan.sources)}U", ["        state->heads[k] = 0U;"]))
        if plan.averages:
            empty = "INT32_MIN" if self.fixed else f"{p}_missing({zero})"
            loops.append((f"{len(plan.averages)}U", [f"        state->averages[k] = {empty};"]))
        if plan.detector:
            each, lines = detector_c.start_lines(plan, self.number)
            loops.append((f"{words['P']}_OUTPUTS", each))
        lines += ["    state->rows = 0U;"] if plan.warm_up else []
        body = [
            line
            for count, inside in loops
            if inside
            for line in (f"    for (k = 0; k < {count}; k++) {{", *inside, "    }")
        ]
        body = ["    size_t k;", *body] if body else body
        body += lines
        return START.format(**words, body="\n".join(body or ["    (void)state;"]))

    def _step(self) -> str:
        plan, words, model = self.plan, self.words, self.model
        p, upper = words["p"], words["P"]
        lines = []
        z = "values" if self.link == "identity" else "linear"
        if self.fixed:
            lines += [
                f"    int16_t q[{upper}_INPUTS];",
                "    uint32_t status;",
                *([f"    int32_t r[{upper}_OUTPUTS];"] if self.several else ["    int32_t r;"]),
            ]
            lines += ["    int m;"] if self.several else []
            lines.append(f"    status = {p}_look(state, x, q, result);")
            lines += [f"    {p}_delays(state, q);"] if plan.streams else []
            lines += [f"    {p}_note(state, q);"] if plan.reads else []
            lines.append(f"    {p}_complete({'state, q, result' if plan.estimate else 'q'});")
            if self.several:
                lines += [f"    {p}_predict(q, r);", f"    for (m = 0; m < {upper}_OUTPUTS; m++) {{",
                          f"        result->{z}[m] = {p}_decode(r[m], m);", "    }"]  # fmt: skip
            else:
                lines += [f"    r = {p}_predict(q);", f"    result->{z}[0] = {p}_decode(r);"]
            if self.link == "logistic":
                lines.append(f"    result->values[0] = ({self.kind}){p}_probability(r) / {self.number(65536.0)};")
            elif self.link == "softmax":
                lines += [
                    f"    for (m = 0; m < {upper}_OUTPUTS; m++) {{",
                    "        result->values[m] = result->linear[m];",
                    "    }",
                ]
            lines += [f"    result->label = {p}_label(q);"] if model.classes is not None else []
        else:
            lines += [f"    {self.kind} row[{upper}_INPUTS];", "    uint32_t status;"]
            lines += ["    int m;"] if self.link == "softmax" else []
            lines.append(f"    status = {p}_look(state, x, row, result);")
            lines += [f"    {p}_delays(state, row);"] if plan.streams else []
            lines += [f"    {p}_note(state, row);"] if plan.reads else []
            lines += [f"    {p}_estimate(state, row, result);"] if plan.estimate else []
            lines.append(
                f"    {p}_linear(row, result->{z});" if self.several else f"    result->{z}[0] = {p}_linear(row);"
            )
            if self.link == "logistic":
                lines.append(f"    result->values[0] = {p}_link(result->linear[0]);")
                lines.append(f"    result->label = (result->linear[0] > {words['zero']}) ? 1 : 0;")
            elif self.link == "softmax":
                best = "(result->linear[m] > result->linear[result->label]) ? m : result->label"
                lines += [
                    "    result->label = 0;", f"    for (m = 0; m < {upper}_OUTPUTS; m++) {{",
                    "        result->values[m] = result->linear[m];", f"        result->label = {best};", "    }",
                    f"    {p}_link(result->values);",
                ]  # fmt: skip
        if plan.warm_up:
            lines += [
                f"    result->warming_up = (uint8_t)((state->rows < {plan.warm_up}U) ? 1 : 0);",
                "    state->rows += result->warming_up;",
            ]
        else:
            lines.append("    result->warming_up = 0U;")
        if plan.detector:
            lines += [f"    {p}_detect(state, x, result);", "    result->alarm = 0U;", "    result->onset = 0U;"]
            decide = f"{p}_decide(state, result);"
            lines += (
                ["    if (result->warming_up == 0U) {", f"        {decide}", "    }"]
                if plan.warm_up
                else [f"    {decide}"]
            )
        return STEP.format(**words, body="\n".join(lines))

    def selftest(self) -> str:
        """A sequence that a board replays; nothing for many readings."""
        plan = self.plan
        if len(plan.readings) > SHORT:
            return ""
        rows = sequence(plan)
        last = replay(self.model, rows, self.fixed)[-1]
        missing = self.number(2.0 * self.model.limit)
        table = ",\n        ".join(
            "{" + ", ".join(missing if x is None else self.number(x) for x in row or [0.0]) + "}" for row in rows
        )
        score = ""
        if plan.detector:
            room = self.number(max(last.score or 0.0, 1.0) * 2.0**20)
            score = (
                f"    error = result.score - {self.number(last.score or 0.0)};\n"
                f"    error = (error < {self.words['zero']}) ? -error : error;\n"
                f"    if (!(error <= (step * {room}))) {{\n        return 0;\n    }}\n"
            )
        if self.kind == "float":
            step = self.number(2.0**-23)
        else:
            step = f"(sizeof({self.kind}) >= 8U) ? {self.number(2.0**-52)} : {self.number(2.0**-23)}"
        return REPLAY.format(
            **self.words, rows=table, count=len(rows), step=step, score=score,
            wanted=", ".join(map(self.number, last.linear)),
            sizes=", ".join(map(self.number, replay_sizes(plan))), z="values" if self.link == "identity" else "linear",
        )  # fmt: skip


def with_step(model: Model, options: Options, names: Names, files: dict[str, bytes]) -> dict[str, bytes]:
    """An artifact's files with `start` and `step` added; its self-test replays a sequence, too."""
    made = StreamC(model, options, names)
    p, upper = names.prefix, names.upper
    header, source = files[f"{p}.h"].decode(), files[f"{p}.c"].decode()
    header = header.replace("no heap, no state.", "no heap; rows one after another: the caller owns the state.", 1)
    before, mark, after = header.rpartition(f"#ifdef {upper}_SELFTEST\n")
    declared, defined = step_q_c(model, names) if made.fixed else ("", "")
    header = f"{before}{made.header()}{declared}{mark}{after}"
    before, mark, after = source.rpartition(f"\n#ifdef {upper}_SELFTEST\nint ")
    replays = made.selftest()
    if replays:
        more = replay_q_c(model, names) if made.fixed else ""
        both = f"({p}_replay() && {p}_replay_q()) ? 1 : 0" if more else f"{p}_replay()"
        after = after.replace("    return 1;\n}\n#endif", f"    return {both};\n}}\n#endif")
        replays += f"\n{more}" if more else ""
        mark = f"\n#ifdef {upper}_SELFTEST\n{replays}\nint "
    before = re.sub(rf"\b{p}_step\b", f"{p}_grid", before)  # fixed point has a type of that name
    source = f"{before}{made.source(before)}{defined}{mark}{after}"
    return {**files, f"{p}.h": header.encode(), f"{p}.c": source.encode()}
