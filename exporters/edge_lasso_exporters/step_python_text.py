"""What stands around the printed programs in Python: templates, filled with `str.format`."""

from __future__ import annotations

START = '''

def start{suffix}():
    """What `step{suffix}` remembers, before the first row: numbers and lists, the caller's to keep."""
    return {state}
'''
NUMBER = '''

def _number(value):
    """A reading as a number; NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return NAN
'''
SHARES = '''

def shares(result):
    """Which sensors make up a score: (name, share), the largest first."""
    score, sums = result["score"], {}
    for name, part in zip(WATCHED_NAMES, result["parts"]):
        if part > 0.0:
            sums[name] = sums.get(name, 0.0) + part
    ordered = sorted([(-part / score, WATCHED_NAMES.index(name)) for name, part in sums.items()])
    return [(WATCHED_NAMES[k], -share) for share, k in ordered]
'''
STEP = '''

def step(state, row):
    """Take in one row, a sequence in the order of READINGS or a mapping, and change `state`.

    Returns a dict: "value", "status" ("ok", "warming up" or "degraded"), "faults" (by name){more}
    """
    if hasattr(row, "get"):
        row = [{get} for name in READINGS]
    if len(row) != {count}:
        raise ValueError("a row has {count} readings, got %d" % len(row))
    try:
        x = list(map(float, row))
    except (TypeError, ValueError, OverflowError):
        x = [_number(value) for value in row]
    out = {out}
    wrong = _step(state, x, out)
    faults = {{READINGS[k]: FAULTS[fault] for k, fault in enumerate(out["faults"]) if fault}} if wrong else {{}}
    result = {{
{pairs}
    }}
{shares}    return result
'''
STEP_Q = '''

def readings_q(row):
    """Readings, in the order of READINGS or by name, as the integers of `step_q`; a missing one is {none}."""
    if hasattr(row, "get"):
        row = [row.get(name) for name in READINGS]
    q = []
    for i, value in zip(INPUTS_Q, row):
        centre, scale = STEPS[i][:2]
        value = _number(value)
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
    out = {out}
    wrong = _step_q(state, q, out)
    faults = {{READINGS[k]: FAULTS[fault] for k, fault in enumerate(out["faults"]) if fault}} if wrong else {{}}
    return {{
        "score": out["score"], "total": out["total"], "parts": out["parts"], "alarm": out["alarm"] == 1,
        "onset": out["onset"] == 1, "status": "degraded" if wrong else "warming up" if out["warming_up"] else "ok",
        "faults": faults,
    }}
'''
REPLAY = '''

SEQUENCE = (
{rows}
)
SEQUENCE_END = {end}
SEQUENCE_SIZES = {sizes}


def _replay():
    """Whether a short sequence ends as it must, to the precision of this interpreter's floats."""
    eps = 1.0
    while 1.0 + eps / 2.0 != 1.0:
        eps = eps / 2.0
    state = start()
    for row in SEQUENCE:
        result = step(state, row)
    got = result["{key}"]
    for value, wanted, size in zip({got}, SEQUENCE_END, SEQUENCE_SIZES):
        if not abs(value - wanted) <= eps * size:
            return False
    return {score}
'''
REPLAY_Q = '''

def _replay_q():
    """Whether a short sequence of integers ends as it must."""
    state = start_q()
    for q in {rows}:
        result = step_q(state, q)
    return (result["score"], result["total"]) == ({score}, {total})
'''
