"""`NAME_start_q` and `NAME_step_q` of a C artifact: a detector in integers (`edge_lasso_runtime.fixed_detector`).

Only what the model has is written; each column of a table is as narrow as its numbers; what all sensors share is in
the code. Nothing here shares state or code with `NAME_step`, so that a linker keeps the one that is used.
"""

from __future__ import annotations

from edge_lasso_runtime.fixed_detector import PRECISE, WIDE, fraction_of
from edge_lasso_runtime.fixed_point import INT16
from edge_lasso_runtime.fixed_stream import FRACTION
from edge_lasso_runtime.model import Model

from . import detector_q_c_text as text
from .c_layout import Names, c_double
from .detector_q import DetectorQ, has_step_q, replayed, smallest
from .detector_q_streams_c import derive, stream_tables
from .names import c_comment

MOST_BITS = 31


class DetectorQC:
    """The code of a detector in integers.

    Parameters
    ----------
    model : Model
    names : Names
    """

    def __init__(self, model: Model, names: Names) -> None:
        self.model, self.q = model, DetectorQ(model)
        self.words = {"p": names.prefix, "P": names.upper, "L": f"({names.upper}_REAL){c_double(model.limit)}"}
        q = self.q
        self.runs = smallest([q.stuck + 1])
        self.remembers = bool(q.stuck or q.jumps)
        self.hold = q.detector["threshold"]["hold"]
        self.quiet = smallest([self.hold + 1])
        self.rows = smallest([max(q.plan.warm_up, 1)])
        self.shifts = any(rate[1] for rate in self._rates()) or any(one[3] for one in q.averages)

    def _rates(self) -> list[list[int]]:
        section = self.q.section
        return [section["smoothing"], *([section["rate"]] if "rate" in section else [])]

    def header(self) -> str:
        """The declarations."""
        q, section = self.q, self.q.section
        steps = []
        for i in q.plan.readings:
            one, fixed = self.model.inputs[i], q.fixed[i]
            of_count = f", or count - ({fixed['subtract']})" if "subtract" in fixed else ""
            steps.append(
                f"     {c_comment(one.name)}: q = floor((x - {fixed['centre']!r}) * {fixed['scale']!r} + 0.5){of_count}"
                f", {fixed['low']} to {fixed['high']}"
            )
        return text.HEADER.format(
            **self.words, steps="\n".join(steps), bound=_above(max(one["bound"] for one in section["watched"])),
            unit=repr(section["unit"]), state="\n".join(self._state()),
            total="1" if q.largest else "weights of the sensors that had a say",
        )  # fmt: skip

    def _state(self) -> list[str]:
        q, upper = self.q, self.words["P"]
        median = q.detector["median"]
        lines = [f"    int32_t evidence[{upper}_OUTPUTS];"]
        lines += [f"    int32_t up[{upper}_OUTPUTS];"] if q.chart != "residual" else []
        lines += [f"    int32_t down[{upper}_OUTPUTS];"] if q.chart == "cusum" else []
        lines += [f"    int32_t averages[{len(q.averages)}];"] if q.averages else []
        lines += ["    uint32_t onsets; /* alarms that began */", "    uint32_t alarms; /* rows in alarm */"]
        lines.append(f"    {self.quiet} quiet; /* rows since the last alarm, at most {self.hold + 1} */")
        lines += [f"    {self.rows} rows; /* up to the warm-up */"] if q.plan.warm_up else []
        lines += [f"    int16_t last[{upper}_READINGS];"] if self.remembers else []
        lines.append(f"    int16_t memory[{q.size}];")
        if median:
            size = smallest([median])
            lines.append(f"    int16_t sorted[{upper}_OUTPUTS][{median}];")
            lines.append(f"    {size} times[{upper}_OUTPUTS][{median}];")
            lines += [f"    {size} {name}[{upper}_OUTPUTS];" for name in ("counts", "nexts")]
        return [*lines, *([f"    {self.runs} run[{upper}_READINGS];"] if q.stuck else [])]

    def source(self) -> str:
        """The functions."""
        q, words = self.q, self.words
        more = " and 2^shift" if self.shifts else ""
        moved = f"{words['P']}_FLOOR(moved + (int32_t)((UINT32_C(1) << shift) >> 1), shift)" if self.shifts else "moved"
        made = text.MACROS.format(**words) + self._tables()
        made += text.MOVE.format(**words, more=more, parameter=", uint8_t shift" if self.shifts else "", moved=moved)
        made += self._look() + derive(q, words, self.shifts)
        median = q.detector["median"]
        if median:
            made += text.LEVEL.format(**{**words, "I": smallest([median]), "r": "kept"}, median=median, wide=WIDE)
        return made + self._detect() + self._step()

    def _table(self, name: str, columns: dict[str, list[int]]) -> str:
        """A table of structs, its columns in the order of their width; those that the code holds are left out."""
        own = name in ("sensor", "watch")
        kept = {key: values for key, values in columns.items() if not own or self._cell(name, key) == f"one.{key}"}
        if not kept:
            return ""
        kinds = {column: "int32_t" if column == "bias" else smallest(values) for column, values in kept.items()}
        ordered = sorted(kept.items(), key=lambda one: -int("".join(filter(str.isdigit, kinds[one[0]]))))
        members = [f"    {kinds[column]} {column};" for column, _ in ordered]
        rows = [
            "    {" + ", ".join(map(_literal, row)) + "}," for row in zip(*(one[1] for one in ordered), strict=True)
        ]
        return text.TABLE.format(**self.words, name=name, members="\n".join(members), rows="\n".join(rows))

    def _columns(self, table: str) -> dict[str, list[int]]:
        """All numbers per sensor (of readings) or per watched one."""
        q, section = self.q, self.q.section
        if table == "sensor":
            fixed = [q.fixed[i] for i in q.plan.readings]
            columns = {key: [one[key] for one in fixed] for key in ("low", "high")}
            columns.update({key: [one[key] for one in section["readings"]] for key in ("jump", "stuck")})
            return {**columns, "now": q.starts}
        watched = section["watched"]
        columns = {"bias": [one["bias"] + (1 << one["shift"] >> 1) for one in watched], "reading": q.own}
        columns["terms"] = [len(one) for one in q.terms]
        for key in ("own", "factor", "slow", "shift", "weight"):
            columns[key] = [one.get(key, 0) for one in watched]
        return columns

    def _cell(self, table: str, column: str) -> str:
        """How the code has a number: from the table, or itself where all sensors share it."""
        values = self._columns(table)[column]
        if column in ("now", "reading") and values == list(range(len(values))):
            return "k"
        unsigned = "U" if column in ("stuck", "terms", "now", "reading") else ""
        return f"one.{column}" if len(set(values)) > 1 else f"{_literal(values[0])}{unsigned}"

    def _tables(self) -> str:
        q = self.q
        made = self._table("sensor", self._columns("sensor")) + self._table("watch", self._columns("watch"))
        flat = [pair for one in q.terms for pair in one] or [(0, 0)]
        for name, values in (("coefs", [coef for coef, _ in flat]), ("places", [place for _, place in flat])):
            lines = [", ".join(map(str, values[i : i + 16])) for i in range(0, len(values), 16)]
            kind, p, upper = smallest(values), self.words["p"], self.words["P"]
            made += f"\nstatic const {kind} {p}_{name}_q[] {upper}_ROM = {{\n    " + ",\n    ".join(lines) + "};\n"
        if not self._prefix():
            inputs = ", ".join(map(str, q.plan.readings))
            made += f"\nstatic const uint16_t {self.words['p']}_inputs_q[] {self.words['P']}_ROM = {{{inputs}}};\n"
        for name, columns in stream_tables(q):
            made += self._table(name, columns)
        return made

    def _load(self, name: str) -> tuple[str, str]:
        """A variable for a row of a table, and how it is read; nothing where there is no table."""
        p, upper = self.words["p"], self.words["P"]
        if not any(self._cell(name, column) == f"one.{column}" for column in self._columns(name)):
            return "", ""
        return f"        {p}_{name}_q one;\n", f"        {upper}_LOAD(&one, &{p}_{name}_rows[k]);\n"

    def _prefix(self) -> bool:
        return self.q.plan.readings == list(range(len(self.q.plan.readings)))

    def _look(self) -> str:
        q, words = self.q, self.words
        count = len(q.plan.readings)
        health = ""
        if self.remembers:
            health = text.CHANGED.format(
                jump=text.JUMP.format(**words, jump=self._cell("sensor", "jump")) if q.jumps else "",
                first="                state->run[k] = 1U;\n" if q.stuck else "",
                same=self._same() if q.stuck else "",
            )
        return text.LOOK.format(
            **words, readings=count, health=health, load=self._load("sensor"),
            **{column: self._cell("sensor", column) for column in ("low", "high", "now")},
            shift=text.SHIFT.format(last=q.held - 1) if q.held > count else "",
            bit="k" if count <= MOST_BITS else f"((k < {MOST_BITS}U) ? k : {MOST_BITS}U)",
        )  # fmt: skip

    def _same(self) -> str:
        """A reading that has not changed."""
        stuck = self._cell("sensor", "stuck")
        inner = text.SAME.format(**self.words, stuck=stuck)
        if stuck != "one.stuck":
            return f" else {{\n{inner}            }}"
        return f" else if (one.stuck > 0U) {{\n{inner}            }} else {{\n{text.MAY}            }}"

    def _detect(self) -> str:
        q, words, section = self.q, self.words, self.q.section
        flat = [pair for one in q.terms for pair in one] or [(0, 0)]
        coefs, places = smallest([coef for coef, _ in flat]), smallest([place for _, place in flat])
        bits, most = PRECISE[q.detector["median"] > 0]
        cells = {column: self._cell("watch", column) for column in self._columns("watch")}
        weight = cells["weight"]
        cut = section["cut"]
        part = f"(e + {1 << cut >> 1}) >> {cut}" if cut else "e"
        part = part if weight == "1" else f"({part}) * {weight}"
        lines = [f"        e = {part};"] if part != "e" else []
        lines.append("        result->parts[k] = e;")
        if q.largest:
            lines += ["        if ((total == 0) || (e > score)) {", "            score = e;", "            top = k;",
                      "            total = 1;", "        }"]  # fmt: skip
        else:
            lines += ["        score += e;", f"        total += {weight};"]
        largest = ""
        if q.largest:
            largest = (
                f"    for (k = 0; k < {words['P']}_OUTPUTS; k++) {{\n"
                "        result->parts[k] = (k == top) ? score : 0;\n    }\n"
            )
        names = {"residual": "", "cusum": "        int32_t y;\n        int32_t down;\n"}
        made = text.DETECT.format(
            **words, coefs=coefs, places=places, counts=smallest([len(one) for one in q.terms]),
            load=self._load("watch"), cells=cells, most=most, half=1 << bits >> 1, bits=bits,
            read_coef=self._read(coefs), read_place=self._read(places),
            locals=names.get(q.chart, "        int32_t y;\n"),
            clip=section["clip"], chart=self._chart(),
            level=f"        r = {words['p']}_level_q(state, k, r);\n" if q.detector["median"] else "",
            smoothing=self._rate(section["smoothing"]), part="\n".join(lines) + "\n", largest=largest,
        )  # fmt: skip
        return made.replace("    size_t k;\n", "    size_t top = 0;\n    size_t k;\n", 1) if q.largest else made

    def _read(self, kind: str) -> str:
        return f"{self.words['P']}_{'BYTE' if '8' in kind else 'WORD'}"

    def _rate(self, rate: list[int]) -> str:
        return f"{rate[0]}, {rate[1]}U" if self.shifts else str(rate[0])

    def _chart(self) -> str:
        q, words, section = self.q, self.words, self.q.section
        if q.chart == "residual":
            return "        e = r * r;\n"
        if q.chart == "cusum":
            made = text.CUSUM.format(allowance=section["allowance"], top=section["top"])
        else:
            made = text.AVERAGED.format(**words, scale=1 << FRACTION, rate=self._rate(section["rate"]))
        second = section["second"]
        slow = self._cell("watch", "slow")
        made += text.SLOW.format(**words, slow=slow, first=section["first"], half=1 << second >> 1, second=second)
        made += text.SLOW_CUT if q.slow_cut else ""
        if q.chart != "both":
            return made + "        e = y * y;\n"
        aligned = 2 * (section["fraction"] - section["slow_fraction"]) + 1
        return made + f"        e = ((y * y) >> 1) + ((r * r) >> {aligned});\n"

    def _step(self) -> str:
        q, words, section = self.q, self.words, self.q.section
        warm = text.WARM.format(rows=q.plan.warm_up) if q.plan.warm_up else "    result->warming_up = 0U;"
        return text.STEP.format(
            **words, warm=warm, hold=self.hold, start=self._start(), readings=len(q.plan.readings),
            derive=f"    {words['p']}_derive_q(state);\n" if q.derived or q.averages else "",
            limit=f"{section['threshold']}" if q.largest else f"({section['threshold']} * result->total)",
            input="k" if self._prefix() else f"{words['P']}_WORD({words['p']}_inputs_q + k)",
        )  # fmt: skip

    def _start(self) -> str:
        q, upper = self.q, self.words["P"]
        sensor = [f"state->evidence[k] = {1 << fraction_of(q.section, q.chart)};"]
        sensor += ["state->up[k] = 0;"] if q.chart != "residual" else []
        sensor += ["state->down[k] = 0;"] if q.chart == "cusum" else []
        sensor += ["state->counts[k] = 0U;", "state->nexts[k] = 0U;"] if q.detector["median"] else []
        reading = [f"state->last[k] = {upper}_NONE;"] if self.remembers else []
        reading += ["state->run[k] = 0U;"] if q.stuck else []
        loops = [(f"{upper}_OUTPUTS", sensor), (f"{upper}_READINGS", reading)]
        loops.append((f"{q.size}U", [f"state->memory[k] = {upper}_NONE;"]))
        loops += [(f"{len(q.averages)}U", ["state->averages[k] = INT32_MIN;"])] if q.averages else []
        lines = []
        for count, inside in loops:
            if inside:
                lines += [f"    for (k = 0; k < {count}; k++) {{", *(f"        {line}" for line in inside), "    }"]
        lines += ["    state->onsets = 0U;", "    state->alarms = 0U;", f"    state->quiet = {self.hold + 1}U;"]
        lines += ["    state->rows = 0U;"] if q.plan.warm_up else []
        return "\n".join(lines) + "\n"


def replay_q_c(model: Model, names: Names) -> str:
    """The self-test's part: a short sequence of integers that must end in the reference's score."""
    if not has_step_q(model):
        return ""
    rows, score, total = replayed(DetectorQ(model))
    lines = ",\n        ".join("{" + ", ".join(map(str, row)) + "}" for row in rows)
    return text.REPLAY.format(
        p=names.prefix, P=names.upper, count=len(rows), rows=lines, score=_literal(score), total=_literal(total)
    )


def step_q_c(model: Model, names: Names) -> tuple[str, str]:
    """What the header and the source of a fixed-point artifact get; nothing without a section."""
    if not has_step_q(model):
        return "", ""
    made = DetectorQC(model, names)
    return made.header(), made.source()


def _above(value: float) -> str:
    """Three digits, not below the value."""
    short = float(f"{value:.2e}")
    return repr(short if short >= value else float(f"{value * 1.005:.2e}"))


def _literal(value: int) -> str:
    return str(value) if abs(value) <= INT16 else f"INT32_C({value})"
