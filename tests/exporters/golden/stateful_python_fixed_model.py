"""A model made by edge-lasso 0.1.0: predict(x), predict_row(mapping), selftest()."""

MODEL_HASH = '1cbe91cf896f83180589185a616514700ceca0117db92546ba0ef9cccea224f8'
VERSION = 'edge-lasso 0.1.0'
FEATURES = ('a', 'b', 'a.lag2')
UNITS = ('K', '', '')
OUTPUTS = ('b', 'a')
OUTPUT_UNITS = ('', '')
LIMIT = 1.2676506002282294e+30  # beyond it a reading counts as missing
INPUTS = (  # place in a row, default, low, high, categories
    (0, 1.0, 0.0, 2.2, 0),
    (1, -1.0, -4.4, 0.0, 0),
    (2, 1.0, 0.0, 2.2, 0),
)
STEPS = (  # centre, steps per unit, smallest, largest, default
    (1.099609375, 16384.0, -18016, 18029, -1632),
    (-2.19921875, 8192.0, -18029, 18016, 9824),
    (1.099609375, 16384.0, -18016, 18029, -1632),
)
SELF_TEST = (
    ([-1632, 9824, -1632], [-603979776, 268435456]),
    ([-18016, -18029, -18016], [-805306368, 496607232]),
    ([18029, 18016, 18029], [-362385408, 201326592]),
    ([-9005, -6, 9018], [-620756992, 348962816]),
    ([-18016, 4499, -9005], [-768397312, 312057856]),
    ([-1632, 9005, -1632], [-603979776, 275144704]),
)


def encode(x):
    """Readings, in the order of FEATURES, as the integers that `predict` takes: (q, status)."""
    if len(x) != len(FEATURES):
        raise ValueError("a row has %d values, got %d" % (len(FEATURES), len(x)))
    q, faults = [0] * len(FEATURES), []
    for (place, _, low, high, categories), (centre, scale, first, last, default) in zip(INPUTS, STEPS):
        try:
            value = float(x[place])
        except (TypeError, ValueError, OverflowError):
            value = 2.0 * LIMIT
        known = -LIMIT <= value <= LIMIT
        if categories:
            known = known and 0 <= value < categories and value == int(value)
            q[place] = int(value) if known else -1
        elif known:
            if value < low or value > high:
                faults.append(FEATURES[place] + " out of range")
                value = low if value < low else high
            q[place] = min(max(int(((value - centre) * scale + 0.5) // 1.0), first), last)
        else:
            q[place] = default
        if not known:
            faults.append(FEATURES[place] + " missing")
    return q, "degraded: " + ", ".join(faults) if faults else "ok"


def predict(q):
    """The integer result for integer inputs; `decode` gives the linear predictor."""
    q0, q1, q2 = q
    r0 = -583925760 + 8192 * q0 + 4096 * q2
    r1 = 348913664 + -8192 * q1
    return [r0, r1]


def decode(r, output=0):
    """An integer result as the linear predictor in the output's unit."""
    unit, offset = ((1.862645149230957e-09, 0.0), (3.725290298461914e-09, 0.0))[output]
    return r * unit + offset


def predict_row(row):
    """Predict from a mapping of names to readings: (value, status); status is "ok" or says what is wrong."""
    q, status = encode([row.get(name) for name in FEATURES])
    return [decode(r, i) for i, r in enumerate(predict(q))], status


def selftest():
    """Whether this interpreter computes the integers that the model must (a board can ask at boot)."""
    for q, wanted in SELF_TEST:
        if predict(q) != wanted:
            return False
    return _replay() and _replay_q()


MISSING = float("nan")
READINGS = ('a', 'b')  # what `step` takes
CHECKS = (  # input, longest run of equal readings (0: endless), largest change
    (0, 5, 1.0),
    (1, 0, 5.070602400912918e+30),
)
SOURCES = (0,)
STREAMS = (  # place, 0 lag, 1 difference, 2 mean, place of the source, its ring, length, input
    (2, 0, 0, 0, 2, 2),
)
WATCHED_NAMES = ('b', 'a',)
WATCHED = (  # place, centre, 1 / scale, 1 / slow, weight
    (1, 0.0, 2.0, 4.0, 1.0),
    (0, 0.0, 2.0, 4.0, 1.0),
)
READERS = (  # per input, the predictions that read it
    (0,), (1,), (0,),
)


def start():
    """What `step` remembers, before the first row: numbers and lists, the caller's to keep."""
    return {
        "rows": 0,
        "last": [MISSING] * 2, "run": [0] * 2,
        "rings": [[-32768] * 2], "heads": [0] * 1,
        "up": [0.0] * 2,
        "evidence": [1.0] * 2,
        "threshold": 4.0,
        "quiet": 1073741824, "onsets": 0, "alarms": 0,
    }


def _look(state, x, faults):
    """Note what is wrong with readings; those that are stuck become missing."""
    last, run = state["last"], state["run"]
    for k, (i, longest, farthest) in enumerate(CHECKS):
        place, _, low, high, _ = INPUTS[i]
        value, before = x[place], last[k]
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


def _clamp(x):
    for place, _, low, high, categories in INPUTS:
        if not categories:
            x[place] = low if x[place] < low else high if x[place] > high else x[place]


def _count(value, i):
    """A reading as the integer that `predict` takes."""
    centre, scale, first, last, _ = STEPS[i]
    return min(max(int(((value - centre) * scale + 0.5) // 1.0), first), last)


def _delays(state, q):
    """Fill in the inputs that are computed from earlier readings, and remember this row's."""
    rings, heads = state["rings"], state["heads"]
    for to, kind, at, r, length, i in STREAMS:
        ring, head = rings[r], heads[r]
        if kind == 0:
            q[to] = ring[head - length]
    for r, at in enumerate(SOURCES):
        ring, head = rings[r], heads[r]
        ring[head] = q[at]
        heads[r] = head + 1 if head + 1 < len(ring) else 0


def _detect(state, raw, predicted, widths):
    """Score and parts of a row."""
    evidence, up = state["evidence"], state["up"]
    parts, total = [], 0.0
    for k, (place, centre, factor, slow, weight) in enumerate(WATCHED):
        r = (raw[place] - predicted[k] - centre) * factor
        if widths is not None:
            r = r / widths[k]
        if r != r:
            parts.append(0.0)
            continue
        r = 8.0 if r > 8.0 else -8.0 if r < -8.0 else r
        z = up[k] + (r - up[k]) * 0.125
        up[k] = z
        z = z * slow
        q = (r * r + z * z) * 0.5
        e = evidence[k] + (q - evidence[k]) * 0.25
        evidence[k] = e
        parts.append(e * weight)
        total = total + weight
    if not total > 0.0:  # nothing is known: the evidence that there is
        for k, watched in enumerate(WATCHED):
            parts[k] = evidence[k] * watched[4]
            total = total + watched[4]
    score = 0.0
    if total > 0.0:
        for k, part in enumerate(parts):
            parts[k] = part / total
            score = score + parts[k]
    return score, parts


def _decide(state, score):
    """Whether a score is an alarm, and whether it begins one."""
    quiet = state["quiet"]
    hit = score > state["threshold"]
    onset = hit and quiet > 3
    if hit:
        state["alarms"] += 1
        state["onsets"] += onset
        state["quiet"] = (quiet - 1 if quiet > -1073741824 else quiet) if quiet < 0 else -1
    else:
        state["quiet"] = 1 if quiet < 0 else quiet + 1 if quiet <= 1073741824 else quiet
    return hit, onset


def shares(result):
    """Which sensors make up a score: (name, share), the largest first."""
    score, found = result["score"], []
    if score > 0.0:
        found = [(-part / score, k) for k, part in enumerate(result["parts"]) if part > 0.0]
    return [(WATCHED_NAMES[k], -share) for share, k in sorted(found)]


def step(state, row):
    """Take in one row, a sequence in the order of READINGS or a mapping, and change `state`.

    Returns a dict: "value", "status" ("ok", "warming up" or "degraded"), "faults" (by name)
    and "score", "alarm", "onset" (an alarm begins), "parts", "shares" (of an alarm)
    """
    if hasattr(row, "get"):
        row = [row.get(name) for name in READINGS]
    if len(row) != len(READINGS):
        raise ValueError("a row has %d readings, got %d" % (len(READINGS), len(row)))
    x, faults = [MISSING] * 3, {}
    for (i, _, _), value in zip(CHECKS, row):
        place, _, _, _, _ = INPUTS[i]
        try:
            value = float(value)
        except (TypeError, ValueError, OverflowError):
            value = 2.0 * LIMIT
        if -LIMIT <= value <= LIMIT:
            x[place] = value
    raw = list(x)
    _look(state, x, faults)
    _clamp(x)
    q = [0] * 3
    for i, one in enumerate(INPUTS):
        value = x[one[0]]
        q[one[0]] = _count(value, i) if value == value else -32768
    _delays(state, q)
    widths = None
    for i, one in enumerate(INPUTS):
        if q[one[0]] == -32768:
            q[one[0]] = STEPS[i][4]
            widths = widths or [1.0] * 2
            for k in READERS[i]:
                widths[k] = MISSING
    r = predict(q)
    z = [decode(one, m) for m, one in enumerate(r)]
    warm = state["rows"] >= 10
    if not warm:
        state["rows"] += 1
    score, parts = _detect(state, raw, z, widths)
    alarm, onset = _decide(state, score) if warm else (False, False)
    result = {
        "value": z,
        "status": "degraded" if faults else "ok" if warm else "warming up",
        "faults": faults,
        "score": score,
        "alarm": alarm,
        "onset": onset,
        "parts": parts,
    }
    result["shares"] = shares(result) if alarm else []
    return result


SCORE_UNIT = 7.62939453125e-06
INPUTS_Q = (0, 1)
SENSORS_Q = (  # smallest and largest integer, longest run (0: endless), largest change, place in the memory
    (-18016, 18029, 5, 16384, 0),
    (-18029, 18016, 0, 65535, 3),
)
WATCHED_Q = (  # reading, bias, coefficient, shift, factor, weight, slow, (coefficient, place)s
    (1, -108102336, 11872, 13, 11305, 1, 4096, ((-1484, 0), (-742, 2))),
    (0, -39076288, 11916, 14, 11264, 1, 4096, ((5958, 3),)),
)


def _move_q(average, value, rate, shift):
    """An average moved towards a value; between the two in any case."""
    d = value - average
    d = rate * (d >> 15) + ((rate * (d & 32767) + 16384) >> 15)
    return average + ((d + (1 << shift >> 1)) >> shift)


def _look_q(state, q, faults):
    """Note what is wrong with integers, and what others may read of them; histories move on by a row."""
    last, run = state["last"], state["run"]
    memory = [-32768] + state["memory"][:3] + [-32768] * 0
    for k, (low, high, stuck, jump, now) in enumerate(SENSORS_Q):
        value = q[k]
        if value == -32768:
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
            if kept == value and before != -32768 and not -jump <= value - before <= jump:
                faults[READINGS[k]] = "jump"
        elif stuck:
            if run[k] <= stuck:
                run[k] += 1
            if run[k] > stuck:
                faults[READINGS[k]] = "stuck"
                kept = -32768
        memory[now] = kept
    state["memory"] = memory
    return memory


def _detect_q(state, q, memory):
    """Score, weights and parts of a row."""
    evidence, parts, total = state["evidence"], [], 0
    up = state["up"]
    for k, (own, bias, coef, shift, factor, weight, slow, terms) in enumerate(WATCHED_Q):
        r = q[own]
        known = r != -32768
        r = bias + coef * r
        for coef, place in terms:
            value = memory[place]
            if value == -32768:
                known = False
                break
            r += coef * value
        if not known:
            parts.append(0)
            continue
        r = r >> shift
        r = -65535 if r < -65535 else 65535 if r > 65535 else r
        r = (r * factor + 8192) >> 14
        r = -32767 if r < -32767 else 32767 if r > 32767 else r
        up[k] = y = _move_q(up[k], r << 13, 4096, 0)
        y = ((y >> 11) * slow + 16384) >> 15
        y = -32767 if y < -32767 else 32767 if y > 32767 else y
        e = (y * y >> 1) + (r * r >> 7)
        e = _move_q(evidence[k], e, 8192, 0)
        evidence[k] = e
        parts.append(((e + 1) >> 1) * weight)
        total += weight
    return sum(parts), total, parts


def start_q():
    """What `step_q` remembers, before the first row: numbers and lists, the caller's to keep."""
    return {
        "last": [-32768] * 2, "run": [0] * 2, "memory": [-32768] * 4,
        "up": [0] * 2,
        "evidence": [262144] * 2, "rows": 0, "quiet": 4, "onsets": 0, "alarms": 0,
    }


def readings_q(row):
    """Readings, in the order of READINGS or by name, as the integers of `step_q`; a missing one is -32768."""
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
            q.append(-32768)
    return q


def step_q(state, q):
    """Take in one row of integers, one per reading (-32768: missing), and change `state`; no floating point.

    Returns a dict: "score" (over "total", times SCORE_UNIT: as `step` has it), "parts" (of the score), "alarm",
    "onset" (an alarm begins), "status" ("ok", "warming up" or "degraded"), "faults" (by name). What reads a missing
    integer says nothing; missing ones are not estimated here.
    """
    if len(q) != 2:
        raise ValueError("a row has 2 integers, got %d" % len(q))
    faults = {}
    memory = _look_q(state, q, faults)
    score, total, parts = _detect_q(state, q, memory)
    alarm = onset = False
    warm = state["rows"] >= 10
    if not warm:
        state["rows"] += 1
    elif score > 524288 * total if total else state["quiet"] == 0:  # nothing is known: as it was
        alarm, onset = True, state["quiet"] > 3
        state["alarms"] += 1
        state["onsets"] += onset
        state["quiet"] = 0
    elif state["quiet"] <= 3:
        state["quiet"] += 1
    return {
        "score": score, "total": total, "parts": parts, "alarm": alarm, "onset": onset, "faults": faults,
        "status": "degraded" if faults else "ok" if warm else "warming up",
    }


def _replay_q():
    """Whether a short sequence of integers ends as it must."""
    state = start_q()
    for q in ((-14412, -3611), (3611, -14424), (-7203, 3598), (-32768, -7215), (6, 10807), (-10807, -6)):
        result = step_q(state, q)
    return (result["score"], result["total"]) == (277578, 1)


SEQUENCE = (
    (0.22000000000000003, -2.64),
    (1.32, -3.9600000000000004),
    (0.66, -1.7600000000000002),
    (None, -3.08),
    (1.1, -0.8799999999999999),
    (0.44000000000000006, -2.2),
)
SEQUENCE_END = (-1.2649993896484375, 1.29998779296875)
SEQUENCE_SIZES = (1487.9999999999998, 947.2)


def _replay():
    """Whether a short sequence ends as it must, to the precision of this interpreter's floats."""
    eps = 1.0
    while 1.0 + eps / 2.0 != 1.0:
        eps = eps / 2.0
    state = start()
    for row in SEQUENCE:
        result = step(state, row)
    got = result['value']
    for value, wanted, size in zip(got, SEQUENCE_END, SEQUENCE_SIZES):
        if not abs(value - wanted) <= eps * size:
            return False
    return abs(result["score"] - 2.117684556994105) <= eps * 2220553.202034651
