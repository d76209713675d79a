"""`start` and `step` of a Python artifact: rows taken in one after another, as `edge_lasso_runtime.step` defines it.

Only what the model has is written. CPython 3.9 or later and MicroPython, nothing imported; every operation in the
reference's order, so that binary64 results are equal to the bit. The fixed-point variant keeps integers (see
`edge_lasso_runtime.fixed_stream`).
"""

from __future__ import annotations

from edge_lasso_runtime.fixed_stream import FRACTION, NONE, rate_of
from edge_lasso_runtime.model import Model

from . import detector_python
from .detector_q_python import step_q_python
from .options import Options
from .stateful import KINDS, SHORT, Stateful, sequence

HEALTH = '''

def _look(state, x, faults):
    """Note what is wrong with readings; those that are stuck become missing."""
    last, run = state["last"], state["run"]
    for k, (i, longest, farthest) in enumerate(CHECKS):
        place, _, low, high, {categories} = INPUTS[i]
{skip}        value, before = x[place], last[k]
        if value != value:
            faults[READINGS[k]] = "missing"
            continue
        inside = low <= value <= high
        if not inside:
            faults[READINGS[k]] = "out of range"
        if value != before:
            last[k] = value
            run[k] = 1
            if inside and not -farthest <= value - before <= farthest and before == before:
                faults[READINGS[k]] = "jump"
        elif longest:
            if run[k] <= longest:
                run[k] += 1
            if run[k] > longest:
                faults[READINGS[k]] = "stuck"
                x[place] = MISSING
'''
RANGES = '''

def _look(x, faults):
    """Note what is wrong with readings."""
    for k, i in enumerate(CHECKS):
        place, _, low, high, {categories} = INPUTS[i]
{skip}        if not low <= x[place] <= high:
            faults[READINGS[k]] = "out of range" if x[place] == x[place] else "missing"
'''
CLAMP = """

def _clamp(x):
    for place, _, low, high, categories in INPUTS:
        if not categories:
            x[place] = low if x[place] < low else high if x[place] > high else x[place]
"""
DELAYS = '''

def _delays(state, {x}):
    """Fill in the inputs that are computed from earlier readings, and remember this row's."""
'''
RING = """    rings, heads = state["rings"], state["heads"]
    for to, kind, at, r, length{last} in STREAMS:
        ring, head = rings[r], heads[r]
"""
MEAN = """            total, count = {zero}, 0
            for k in range(length - 1, 0, -1):
                value = ring[head - k]
                if {there}:
                    total = total + value
                    count += 1
            value = {x}[at]
            if {there}:
                total = total + value
                count += 1
            {x}[to] = {mean} if count else {none}
"""
AVERAGES = """    averages = state["averages"]
    for k, (to, at, rate) in enumerate(AVERAGES):
        value, average = x[at], averages[k]
        if value == value:
            average = value if average != average else average + (value - average) * rate
            averages[k] = average
        x[to] = average
"""
FIXED_AVERAGES = """    averages = state["averages"]
    for k, (to, at, rate, shift) in enumerate(AVERAGES):
        value, average = q[at], averages[k]
        if value != {none}:
            if average is None:
                average = value << {fraction}
            else:
                d = (value << {fraction}) - average
                d = rate * (d >> 15) + ((rate * (d & 32767) + 16384) >> 15)
                average = average + ((d + (1 << shift >> 1)) >> shift)
            averages[k] = average
        q[to] = {none} if average is None else (average + {half}) >> {fraction}
"""
PUSH = """    for r, at in enumerate(SOURCES):
        ring, head = rings[r], heads[r]
        ring[head] = {x}[at]
        heads[r] = head + 1 if head + 1 < len(ring) else 0
"""
ESTIMATE = '''

def _at(i, j):
    return INVERSE[i * (i + 1) // 2 + j] if i >= j else INVERSE[j * (j + 1) // 2 + i]


def _solve(a, right):
    b = list(right)
    for j in range(len(b)):
        for i in range(j + 1, len(b)):
            b[i] = b[i] - a[i][j] / a[j][j] * b[j]
    for j in range(len(b) - 1, -1, -1):
        value = b[j]
        for i in range(j + 1, len(b)):
            value = value - a[i][j] * b[i]
        b[j] = value / a[j][j]
    return b


def _root(value):
    found = (value + 1.0) * 0.5
    while True:
        lower = (found + value / found) * 0.5
        if not lower < found:
            return found
        found = lower


def _estimate(x, gone):
    """Replace the missing inputs `gone` by their best linear estimates; how much wider each output's error becomes."""
    a = [[_at(gone[i], gone[j]) for j in range(i + 1)] for i in range(len(gone))]
    for j in range(len(a)):
        for i in range(j + 1, len(a)):
            ratio = a[i][j] / a[j][j]
            for k in range(j + 1, i + 1):
                a[i][k] = a[i][k] - ratio * a[k][j]
    right = []
    for k in gone:
        total = 0.0
        for j, i in enumerate(NUMBERS):
            if j not in gone:
                total = total + _at(k, j) * (x[INPUTS[i][0]] - MEAN[j])
        right.append(total)
    for k, value in zip(gone, _solve(a, right)):
        value = MEAN[k] - value
        place, default = INPUTS[NUMBERS[k]][:2]
        x[place] = value if -LIMIT <= value <= LIMIT else default
    widths = []
    for slope, residual in zip(SLOPES, RESIDUALS):
        weights = [slope[k] for k in gone]
        extra = 0.0
        for w, v in zip(weights, _solve(a, weights)):
            extra = extra + w * v
        widths.append(_root(1.0 + extra / residual) if residual > 0.0 and extra > 0.0 else 1.0)
    return widths
'''
QUANTIZE = '''

def _count(value, i):
    """A reading as the integer that `predict` takes."""
    centre, scale, first, last, _ = STEPS[i]
    return min(max(int(((value - centre) * scale + 0.5) // 1.0), first), last)
'''
SELFTEST = '''

def _replay():
    """Whether a short sequence ends as it must, to the precision of this interpreter's floats."""
    eps = 1.0
    while 1.0 + eps / 2.0 != 1.0:
        eps = eps / 2.0
    state = start()
    for row in SEQUENCE:
        result = step(state, row)
    got = result[{key!r}]
    for value, wanted, size in zip({listed}, SEQUENCE_END, SEQUENCE_SIZES):
        if not abs(value - wanted) <= eps * size:
            return False
    return {score}
'''


class StreamPython:
    """The code behind an artifact that keeps state."""

    def __init__(self, model: Model, options: Options) -> None:
        self.plan = Stateful(model, options)
        self.model = model
        self.fixed = options.variant == "fixed"
        self.link = model.outputs[0].link
        self.several = len(model.outputs) > 1
        self.categorical = any(model.inputs[i].categories is not None for i in self.plan.readings)

    def text(self) -> str:
        """Everything: tables, `start`, `step` and what they call."""
        plan = self.plan
        text = "\n".join(["", "", *self._tables()]) + "\n"
        text += self._start()
        skip = "        if categories:\n            continue\n" if self.categorical else ""
        words = {"categories": "categories" if self.categorical else "_", "skip": skip}
        text += (HEALTH if plan.limits else RANGES).format(**words)
        clamps = self.model.policy == "clamp" or self.fixed
        text += CLAMP if clamps else ""
        text += QUANTIZE if self.fixed else ""
        text += self._delays() if plan.streams else ""
        text += ESTIMATE if plan.estimate else ""
        text += detector_python.functions(plan) if plan.detector else ""
        return text + self._step() + (step_q_python(self.model) if self.fixed else "") + self._selftest()

    def _tables(self) -> list[str]:
        plan, places = self.plan, self.plan.places
        lines = ['MISSING = float("nan")', f"READINGS = {_tuple(map(ascii, plan.names))}  # what `step` takes"]
        if plan.limits:
            lines.append("CHECKS = (  # input, longest run of equal readings (0: endless), largest change")
            for i in plan.readings:
                stuck, jump = plan.limits.get(i, (0, 4.0 * self.model.limit))
                lines.append(f"    ({i}, {stuck}, {float(jump)!r}),")
            lines.append(")")
        else:
            lines.append(f"CHECKS = {_tuple(map(str, plan.readings))}  # which inputs they are")
        if plan.derived:
            lines.append(f"SOURCES = {_tuple(str(places[i]) for i, _ in plan.sources)}")
            last = ", input" if self.fixed else ""
            lines.append(
                f"STREAMS = (  # place, 0 lag, 1 difference, 2 mean, place of the source, its ring, length{last}"
            )
            for i, kind, at, ring, length in plan.derived:
                end = f", {i}" if self.fixed else ""
                lines.append(f"    ({places[i]}, {KINDS.index(kind)}, {places[at]}, {ring}, {length}{end}),")
            lines.append(")")
        if plan.averages:
            lines.append(f"AVERAGES = (  # place, place of the source, rate{', shift' if self.fixed else ''}")
            for i, at, span in plan.averages:
                rate = ", ".join(map(str, rate_of(span))) if self.fixed else repr(2.0 / (span + 1))
                lines.append(f"    ({places[i]}, {places[at]}, {rate}),")
            lines.append(")")
        if plan.estimate:
            lines.append(f"NUMBERS = {_tuple(map(str, plan.numeric))}")
            lines.append(f"MEAN = {_tuple(repr(float(one)) for one in plan.estimate['mean'])}")
            lines.append("INVERSE = (  # of the inputs' covariance, row by row")
            flat = [float(one) for one in plan.estimate["inverse"]]
            lines += [f"    {', '.join(map(repr, flat[i * (i + 1) // 2 : (i + 1) * (i + 2) // 2]))},"
                      for i in range(len(plan.numeric))]  # fmt: skip
            lines += [")", f"RESIDUALS = {_tuple(repr(float(one)) for one in plan.estimate['residual'])}", "SLOPES = ("]
            lines += [f"    {_tuple(map(repr, one))}," for one in plan.slopes] + [")"]
        return lines + (detector_python.tables(plan) if plan.detector else [])

    def _start(self) -> str:
        plan = self.plan
        count = len(plan.readings)
        none = NONE if self.fixed else "MISSING"
        lines = []
        if plan.warm_up:
            lines.append('        "rows": 0,')
        if plan.limits:
            lines.append(f'        "last": [MISSING] * {count}, "run": [0] * {count},')
        if plan.derived:
            sizes = ", ".join(f"[{none}] * {size}" for _, size in plan.sources)
            lines.append(f'        "rings": [{sizes}], "heads": [0] * {len(plan.sources)},')
        if plan.averages:
            lines.append(f'        "averages": [{None if self.fixed else "MISSING"}] * {len(plan.averages)},')
        lines += detector_python.start_lines(plan) if plan.detector else []
        doc = '    """What `step` remembers, before the first row: numbers and lists, the caller\'s to keep."""'
        return "\n".join(["", "", "def start():", doc, "    return {", *lines, "    }"]) + "\n"

    def _delays(self) -> str:
        plan, x = self.plan, "q" if self.fixed else "x"
        kinds = [kind for kind in KINDS if any(one[1] == kind for one in plan.derived)]
        old = "ring[head - length]"
        bodies = {"lag": f"            {x}[to] = {old}\n"}
        if self.fixed:
            bodies["difference"] = (
                f"            old, value = {old}, q[at]\n            {x}[to] = {NONE}\n"
                f"            if old != {NONE} and value != {NONE}:\n"
                "                _, _, first, last, _ = STEPS[i]\n"
                "                q[to] = min(max(value - old, first), last)\n"
            )
        else:
            bodies["difference"] = (
                f"            change = x[at] - {old}\n"
                "            x[to] = change if -LIMIT <= change <= LIMIT else MISSING\n"
            )
        there = f"value != {NONE}" if self.fixed else "value == value"
        mean = "(2 * total + count) // (2 * count)" if self.fixed else "total / count"
        bodies["mean"] = MEAN.format(
            x=x, zero="0" if self.fixed else "0.0", there=there, mean=mean, none=NONE if self.fixed else "MISSING"
        )
        text = DELAYS.format(x=x)
        if plan.derived:
            text += RING.format(last=", i" if self.fixed else "")
            for n, kind in enumerate(kinds):
                last = n == len(kinds) - 1
                word = "else" if last and n else f"{'elif' if n else 'if'} kind == {KINDS.index(kind)}"
                text += f"        {word}:\n" + bodies[kind]
        if plan.averages:
            text += (
                FIXED_AVERAGES.format(none=NONE, fraction=FRACTION, half=1 << FRACTION >> 1) if self.fixed else AVERAGES
            )
        return text + (PUSH.format(x=x) if plan.derived else "")

    def _step(self) -> str:
        plan = self.plan
        keys = '"value", "status" ("ok", "warming up" or "degraded"), "faults" (by name)'
        more = [
            'and "linear", "label"' if self.link != "identity" else "",
            'and "widths": by what factor errors are wider' if plan.estimate else "",
            'and "score", "alarm", "onset" (an alarm begins), "parts", "shares" (of an alarm)' if plan.detector else "",
        ]
        lines = [
            "", "", "def step(state, row):",
            '    """Take in one row, a sequence in the order of READINGS or a mapping, and change `state`.',
            "", f"    Returns a dict: {keys}", *[f"    {one}" for one in more if one], '    """',
        ]  # fmt: skip
        get = "[row.get(name) for name in READINGS]"
        if self.categorical:
            get = "[_category(name, row.get(name)) if name in CATEGORIES else row.get(name) for name in READINGS]"
        lines += [
            '    if hasattr(row, "get"):', f"        row = {get}",
            "    if len(row) != len(READINGS):",
            '        raise ValueError("a row has %d readings, got %d" % (len(READINGS), len(row)))',
            f"    x, faults = [MISSING] * {plan.width}, {{}}",
            *self._read(),
        ]  # fmt: skip
        if plan.detector:
            lines.append("    raw = list(x)")
        lines.append("    _look(state, x, faults)" if plan.limits else "    _look(x, faults)")
        lines += self._fixed_middle() if self.fixed else self._middle()
        lines += self._end()
        return "\n".join(lines) + "\n"

    def _read(self) -> list[str]:
        check = "(i, _, _)" if self.plan.limits else "i"
        rows = f"    for k, ({check}, value) in enumerate(zip(CHECKS, row)):"
        lines = [
            rows if self.categorical else f"    for {check}, value in zip(CHECKS, row):",
            f"        place, _, _, _, {'categories' if self.categorical else '_'} = INPUTS[i]", "        try:",
            "            value = float(value)", "        except (TypeError, ValueError, OverflowError):",
            "            value = 2.0 * LIMIT",
        ]  # fmt: skip
        if self.categorical:
            lines += [
                "        if categories:", "            x[place] = -1.0",
                "            if 0 <= value < categories and value == int(value):", "                x[place] = value",
                "            else:", '                faults[READINGS[k]] = "missing"', "            continue",
            ]  # fmt: skip
        return [*lines, "        if -LIMIT <= value <= LIMIT:", "            x[place] = value"]

    def _middle(self) -> list[str]:
        plan, clamps = self.plan, self.model.policy == "clamp"
        lines = ["    _clamp(x)"] if clamps and plan.streams else []
        lines += ["    _delays(state, x)"] if plan.streams else []
        if plan.estimate:
            lines += [
                "    gone = [k for k, i in enumerate(NUMBERS) if x[INPUTS[i][0]] != x[INPUTS[i][0]]]",
                "    widths = _estimate(x, gone) if gone else None",
            ]
        elif plan.reads:
            lines += [
                "    widths = None", "    for i, (place, default, _, _, _) in enumerate(INPUTS):",
                "        if x[place] != x[place]:", "            x[place] = default", *self._blind(),
            ]  # fmt: skip
        else:
            lines += [
                "    for place, default, _, _, _ in INPUTS:", "        if x[place] != x[place]:",
                "            x[place] = default",
            ]  # fmt: skip
        lines += ["    _clamp(x)"] if clamps else []
        name = "predict" if self.link == "identity" else "linear"
        return [*lines, f"    z = {name}(x, True)"]

    def _fixed_middle(self) -> list[str]:
        plan = self.plan
        lines = ["    _clamp(x)", f"    q = [0] * {plan.width}", "    for i, one in enumerate(INPUTS):",
                 "        value = x[one[0]]"]  # fmt: skip
        if self.categorical:
            lines += ["        if one[4]:", "            q[one[0]] = int(value)", "            continue"]
        lines.append(f"        q[one[0]] = _count(value, i) if value == value else {NONE}")
        lines += ["    _delays(state, q)"] if plan.streams else []
        if plan.estimate:
            lines += [
                f"    gone = [k for k, i in enumerate(NUMBERS) if q[INPUTS[i][0]] == {NONE}]",
                "    widths = None", "    if gone:",
                "        for i in NUMBERS:",
                "            x[INPUTS[i][0]] = q[INPUTS[i][0]] / STEPS[i][1] + STEPS[i][0]",
                "        widths = _estimate(x, gone)", "        _clamp(x)",
                "        for k in gone:",
                "            place = INPUTS[NUMBERS[k]][0]",
                "            q[place] = _count(x[place], NUMBERS[k])",
            ]  # fmt: skip
        else:
            lines += ["    widths = None"] if plan.reads else []
            lines += ["    for i, one in enumerate(INPUTS):", f"        if q[one[0]] == {NONE}:",
                      "            q[one[0]] = STEPS[i][4]"]  # fmt: skip
            lines += self._blind() if plan.reads else []
        lines.append("    r = predict(q)")
        z = "[decode(one, m) for m, one in enumerate(r)]" if self.several else "decode(r)"
        return [*lines, f"    z = {z}"]

    def _blind(self) -> list[str]:
        """What reads the default of input i says nothing."""
        return [
            f"            widths = widths or [1.0] * {len(self.model.outputs)}", "            for k in READERS[i]:",
            "                widths[k] = MISSING",
        ]  # fmt: skip

    def _end(self) -> list[str]:
        plan, link = self.plan, self.link
        lines = []
        if plan.warm_up:
            lines += [
                f'    warm = state["rows"] >= {plan.warm_up}', "    if not warm:", '        state["rows"] += 1',
            ]  # fmt: skip
        if plan.detector:
            arguments = (
                f"state, raw, {'z' if self.several else '[z]'}, {'widths' if plan.estimate or plan.reads else None}"
            )
            lines.append(f"    score, parts = _detect({arguments})")
            decide = "_decide(state, score)"
            lines.append(f"    alarm, onset = {decide}{' if warm else (False, False)' if plan.warm_up else ''}")
        value, label = "z", ""
        if link != "identity" and self.fixed:
            value = "probability(r) / 65536" if link == "logistic" else "_link(z)"
            label = "CLASSES[1 if r > 0 else 0]" if link == "logistic" else "CLASSES[r.index(max(r))]"
        elif link != "identity":
            value = "_link(z)"
            label = "CLASSES[1 if z > 0.0 else 0]" if link == "logistic" else "CLASSES[z.index(max(z))]"
        status = '"degraded" if faults else "ok"' + (' if warm else "warming up"' if plan.warm_up else "")
        pairs = [f'"value": {value}', f'"status": {status}', '"faults": faults']
        pairs += ['"linear": z', f'"label": {label}'] if label else []
        pairs += ['"widths": widths'] if plan.estimate else []
        pairs += ['"score": score', '"alarm": alarm', '"onset": onset', '"parts": parts'] if plan.detector else []
        lines += ["    result = {", *(f"        {one}," for one in pairs), "    }"]
        if plan.detector:
            lines.append('    result["shares"] = shares(result) if alarm else []')
        return [*lines, "    return result"]

    def _selftest(self) -> str:
        from .stateful_reference import replay, replay_sizes

        plan = self.plan
        if len(plan.readings) > SHORT:
            return ""
        rows = sequence(plan)
        last = replay(self.model, rows, self.fixed)[-1]
        lines = ["", "", "SEQUENCE = ("] + [f"    {_tuple(map(repr, row))}," for row in rows] + [")"]
        lines.append(f"SEQUENCE_END = {_tuple(map(repr, last.linear))}")
        lines.append(f"SEQUENCE_SIZES = {_tuple(map(repr, replay_sizes(plan)))}")
        score = "True"
        if plan.detector:
            score = f'abs(result["score"] - {last.score!r}) <= eps * {max(last.score or 0.0, 1.0) * 2.0**20!r}'
        key = "value" if self.link == "identity" else "linear"
        return (
            "\n".join(lines) + "\n" + SELFTEST.format(key=key, listed="got" if self.several else "(got,)", score=score)
        )


def stream_text(model: Model, options: Options, text: str) -> str:
    """An artifact's text with `start` and `step` behind it; its `selftest` replays a sequence, too."""
    more = StreamPython(model, options).text()
    if "def _replay" in more:
        before, _, after = text.rpartition("    return True\n")
        both = " and _replay_q()" if "def _replay_q" in more else ""
        text = f"{before}    return _replay(){both}\n{after}"
    return text + more


def _tuple(items: object) -> str:
    texts = list(items)  # type: ignore[call-overload]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
