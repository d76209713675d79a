"""`start_q` and `step_q` of a Python artifact: a detector in integers, as `edge_lasso_runtime.fixed_detector` says.

For CPython 3.9 or later and MicroPython, whose integers below 2^30 need no memory; nothing is imported.
"""

from __future__ import annotations

from edge_lasso_runtime.fixed_detector import PRECISE, WIDE, fraction_of
from edge_lasso_runtime.fixed_stream import FRACTION, NONE
from edge_lasso_runtime.model import Model

from .detector_q import DetectorQ, has_step_q, replayed
from .stateful import SHORT

MOVE = '''

def _move_q(average, value, rate, shift):
    """An average moved towards a value; between the two in any case."""
    d = value - average
    d = rate * (d >> 15) + ((rate * (d & 32767) + 16384) >> 15)
    return average + ((d + (1 << shift >> 1)) >> shift)
'''
LOOK = '''

def _look_q(state, q, faults):
    """Note what is wrong with integers, and what others may read of them; histories move on by a row."""
    last, run = state["last"], state["run"]
    memory = [{none}] + state["memory"][:{held}] + [{none}] * {derived}
    for k, (low, high, stuck, jump, now) in enumerate(SENSORS_Q):
        value = q[k]
        if value == {none}:
            faults[READINGS[k]] = "missing"
            memory[now] = value
            continue
        kept = low if value < low else high if value > high else value
        if kept != value:
            faults[READINGS[k]] = "out of range"
        before = last[k]
        if value != before:
            last[k] = value
            run[k] = 1
            if kept == value and before != {none} and not -jump <= value - before <= jump:
                faults[READINGS[k]] = "jump"
        elif stuck:
            if run[k] <= stuck:
                run[k] += 1
            if run[k] > stuck:
                faults[READINGS[k]] = "stuck"
                kept = {none}
        memory[now] = kept
    state["memory"] = memory
    return memory
'''
DERIVE = '''

def _derive_q(state, memory):
    """Inputs that are computed from histories."""
{loops}'''
DERIVED = """    for place, mean, now, length, low, high in DERIVED_Q:
        if mean:
            known = [value for value in memory[now : now + length] if value != {none}]
            count = len(known)
            if count:
                memory[place] = (2 * sum(known) + count) // (2 * count)
        elif memory[now] != {none} and memory[now + length] != {none}:
            change = memory[now] - memory[now + length]
            memory[place] = low if change < low else high if change > high else change
"""
AVERAGES = """    averages = state["averages"]
    for k, (place, now, rate, shift) in enumerate(AVERAGES_Q):
        value, average = memory[now], averages[k]
        if value != {none}:
            value = value << {fraction}
            average = value if average is None else _move_q(average, value, rate, shift)
            averages[k] = average
        if average is not None:
            memory[place] = (average + {half}) >> {fraction}
"""
LEVEL = '''

def _level_q(recent, r):
    """A residual without the median of those before it."""
    r = -{wide} if r < -{wide} else {wide} if r > {wide} else r
    ordered, n, level = sorted(recent), len(recent), 0
    if n:
        level = ordered[n // 2] << 3 if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) << 2
    recent.append((r + 4) >> 3)
    if n + 1 > {median}:
        del recent[0]
    return r - level
'''
DETECT = '''

def _detect_q(state, q, memory):
    """Score, weights and parts of a row."""
    evidence, parts, total = state["evidence"], [], 0
{locals}    for k, (own, bias, coef, shift, factor, weight, slow, terms) in enumerate(WATCHED_Q):
        r = q[own]
        known = r != {none}
        r = bias + coef * r
        for coef, place in terms:
            value = memory[place]
            if value == {none}:
                known = False
                break
            r += coef * value
        if not known:
            parts.append(0)
            continue
        r = r >> shift
        r = -{most} if r < -{most} else {most} if r > {most} else r
        r = (r * factor + {round}) >> {bits}
{level}        r = -{clip} if r < -{clip} else {clip} if r > {clip} else r
{chart}        e = _move_q(evidence[k], e, {smoothing})
        evidence[k] = e
        parts.append(((e + {half}) >> {cut}) * weight)
        total += weight
    return {result}
'''
STEP = '''

def start_q():
    """What `step_q` remembers, before the first row: numbers and lists, the caller's to keep."""
    return {{
        "last": [{none}] * {readings}, "run": [0] * {readings}, "memory": [{none}] * {size},
{start}        "evidence": [{one}] * {count}, "rows": 0, "quiet": {quiet}, "onsets": 0, "alarms": 0,
    }}


def readings_q(row):
    """Readings, in the order of READINGS or by name, as the integers of `step_q`; a missing one is {none}."""
    if hasattr(row, "get"):
        row = [row.get(name) for name in READINGS]
    q = []
    for i, value in zip(INPUTS_Q, row):
        centre, scale = STEPS[i][:2]
        try:
            value = float(value)
        except (TypeError, ValueError, OverflowError):
            value = 2.0 * LIMIT
        if -LIMIT <= value <= LIMIT:
            q.append(int(min(max(((value - centre) * scale + 0.5) // 1.0, -32767), 32767)))
        else:
            q.append({none})
    return q


def step_q(state, q):
    """Take in one row of integers, one per reading ({none}: missing), and change `state`; no floating point.

    Returns a dict: "score" (over "total", times SCORE_UNIT: as `step` has it), "parts" (of the score), "alarm",
    "onset" (an alarm begins), "status" ("ok", "warming up" or "degraded"), "faults" (by name). What reads a missing
    integer says nothing; missing ones are not estimated here.
    """
    if len(q) != {readings}:
        raise ValueError("a row has {readings} integers, got %d" % len(q))
    faults = {{}}
    memory = _look_q(state, q, faults)
{derive}    score, total, parts = _detect_q(state, q, memory)
    alarm = onset = False
    warm = state["rows"] >= {warm_up}
    if not warm:
        state["rows"] += 1
    elif score > {limit} if total else state["quiet"] == 0:  # nothing is known: as it was
        alarm, onset = True, state["quiet"] > {hold}
        state["alarms"] += 1
        state["onsets"] += onset
        state["quiet"] = 0
    elif state["quiet"] <= {hold}:
        state["quiet"] += 1
    return {{
        "score": score, "total": total, "parts": parts, "alarm": alarm, "onset": onset, "faults": faults,
        "status": "degraded" if faults else "ok" if warm else "warming up",
    }}
'''
REPLAY = '''

def _replay_q():
    """Whether a short sequence of integers ends as it must."""
    state = start_q()
    for q in {rows}:
        result = step_q(state, q)
    return (result["score"], result["total"]) == ({score}, {total})
'''
CUSUM = """        u = up[k] + r - {allowance}
        d = down[k] - r - {allowance}
        up[k] = u = 0 if u < 0 else {top} if u > {top} else u
        down[k] = d = 0 if d < 0 else {top} if d > {top} else d
        y = u if u > d else d
"""
SLOW = """        y = ((y >> {first}) * slow + {half}) >> {second}
        y = -32767 if y < -32767 else 32767 if y > 32767 else y
        e = {e}
"""


def step_q_python(model: Model) -> str:
    """What a fixed-point artifact gets; nothing without a section."""
    if not has_step_q(model):
        return ""
    q = DetectorQ(model)
    section, detector = q.section, q.detector
    derived = q.size - q.held
    words = {"none": NONE, "held": q.held - 1, "derived": derived}
    made = "\n".join(["", "", *_tables(q)]) + "\n" + MOVE + LOOK.format(**words)
    if derived:
        loops = DERIVED.format(**words) if q.derived else ""
        loops += AVERAGES.format(**words, fraction=FRACTION, half=1 << FRACTION >> 1) if q.averages else ""
        made += DERIVE.format(loops=loops)
    if detector["median"]:
        made += LEVEL.format(wide=WIDE, median=detector["median"])
    kept = {"residual": [], "cusum": ["up", "down"]}.get(q.chart, ["up"])
    rate, shift = section["smoothing"]
    largest = "max(parts), min(total, 1), [part if k == parts.index(max(parts)) else 0 for k, part in enumerate(parts)]"
    bits, most = PRECISE[detector["median"] > 0]
    made += DETECT.format(
        most=most, bits=bits, round=1 << bits >> 1,
        none=NONE, clip=section["clip"], chart=_chart(q), smoothing=f"{rate}, {shift}", cut=section["cut"],
        locals="".join(f'    {one} = state["{one}"]\n' for one in kept), half=1 << section["cut"] >> 1,
        level='        r = _level_q(state["recent"][k], r)\n' if detector["median"] else "",
        result=largest if q.largest else "sum(parts), total, parts",
    )  # fmt: skip
    count, readings = len(q.own), len(q.plan.readings)
    start = [f'"{one}": [0] * {count}' for one in kept]
    start += [f'"recent": [[] for _ in range({count})]'] if detector["median"] else []
    start += [f'"averages": [None] * {len(q.averages)}'] if q.averages else []
    hold, limit = detector["threshold"]["hold"], section["threshold"]
    rows, score, total = replayed(q)
    replay = REPLAY.format(rows=tuple(map(tuple, rows)), score=score, total=total) if readings <= SHORT else ""
    made += STEP.format(
        none=NONE, readings=readings, size=q.size, count=count, one=1 << fraction_of(section, q.chart), hold=hold,
        start=f"        {', '.join(start)},\n" if start else "", quiet=hold + 1, warm_up=q.plan.warm_up,
        derive="    _derive_q(state, memory)\n" if derived else "", limit=limit if q.largest else f"{limit} * total",
    )  # fmt: skip
    return made + replay


def _tables(q: DetectorQ) -> list[str]:
    section = q.section
    lines = [
        f"SCORE_UNIT = {section['unit']!r}",
        f"INPUTS_Q = {tuple(q.plan.readings)!r}",
        "SENSORS_Q = (  # smallest and largest integer, longest run (0: endless), largest change, place in the memory",
    ]
    for i, limits, now in zip(q.plan.readings, section["readings"], q.starts, strict=True):
        lines.append(f"    {(q.fixed[i]['low'], q.fixed[i]['high'], limits['stuck'], limits['jump'], now)!r},")
    lines += [")", "WATCHED_Q = (  # reading, bias, coefficient, shift, factor, weight, slow, (coefficient, place)s"]
    for own, one, terms in zip(q.own, section["watched"], q.terms, strict=True):
        bias = one["bias"] + (1 << one["shift"] >> 1)
        row = (own, bias, one["own"], one["shift"], one["factor"], one["weight"], one.get("slow", 0), tuple(terms))
        lines.append(f"    {row!r},")
    lines.append(")")
    if q.derived:
        lines.append("DERIVED_Q = (  # place, 1 mean or 0 difference, place of the source, length, ends")
        lines += [f"    {(place, int(kind == 'mean'), *rest)!r}," for place, kind, *rest in q.derived] + [")"]
    if q.averages:
        lines.append("AVERAGES_Q = (  # place, place of the source, rate, shift")
        lines += [f"    {one!r}," for one in q.averages] + [")"]
    return lines


def _chart(q: DetectorQ) -> str:
    section = q.section
    if q.chart == "residual":
        return "        e = r * r\n"
    if q.chart == "cusum":
        made = CUSUM.format(allowance=section["allowance"], top=section["top"])
    else:
        rate, shift = section["rate"]
        made = f"        up[k] = y = _move_q(up[k], r << {FRACTION}, {rate}, {shift})\n"
    aligned = 2 * (section["fraction"] - section.get("slow_fraction", 0)) + 1
    e = f"(y * y >> 1) + (r * r >> {aligned})" if q.chart == "both" else "y * y"
    second = section["second"]
    return made + SLOW.format(first=section["first"], half=1 << second >> 1, second=second, e=e)
