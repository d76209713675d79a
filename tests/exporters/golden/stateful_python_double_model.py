"""A model made by edge-lasso 0.1.0: predict(x), predict_row(mapping), selftest()."""

MODEL_HASH = '1b5263f40bc06b71034b994ebec8384b174855b0fc8a9c76a99c5a7a0d34c4d2'
VERSION = 'edge-lasso 0.1.0'
FEATURES = ('a', 'b', 'a.lag2')
UNITS = ('K', '', '')
OUTPUTS = ('b', 'a')
OUTPUT_UNITS = ('', '')
LIMIT = 1.2676506002282294e+30  # beyond it a reading counts as missing
INPUTS = (  # place in a row, default, low, high, categories
    (0, 1.0, 0.0, 2.0, 0),
    (1, -1.0, -4.0, 0.0, 0),
    (2, 1.0, 0.0, 2.0, 0),
)
SIZES = (22.5, 14.0)
SELF_TEST = (
    ((1.0, -1.0, 1.0), (-1.125, 1.0)),
    ((0.0, -4.0, 0.0), (-1.5, 1.75)),
    ((2.0, 0.0, 2.0), (-0.75, 0.75)),
    ((0.5, -2.0, 1.5), (-1.1875, 1.25)),
    ((0.0, -1.5, 0.5), (-1.4375, 1.125)),
    ((None, -1.0, None), (-1.125, 1.0)),
)


def predict(x, clean=False):
    """Predict one row: numbers in the order of FEATURES; None or NaN is missing."""
    try:
        x0, x1, x2 = x
        y0 = -1.5 + 0.25 * x0 + 0.125 * x2
        y1 = 0.75 + -0.25 * x1
        if clean or (-7.922816251426434e+28 < y0 < 7.922816251426434e+28
            and -1.5845632502852868e+29 < y1 < 1.5845632502852868e+29):
            return [y0, y1]
    except (TypeError, OverflowError):
        pass
    return predict(check(x)[0], True)


linear = predict


def check(x):
    """Readings with what is missing replaced, and what was wrong: a list of texts, empty when all is well."""
    if len(x) != len(FEATURES):
        raise ValueError("a row has %d values, got %d" % (len(FEATURES), len(x)))
    values, faults = list(x), []
    for place, default, low, high, categories in INPUTS:
        try:
            value = float(values[place])
        except (TypeError, ValueError, OverflowError):
            value = 2.0 * LIMIT
        known = -LIMIT <= value <= LIMIT
        if categories:
            if not (known and 0 <= value < categories and value == int(value)):
                value = -1.0
                faults.append(FEATURES[place] + " missing")
        elif not known:
            value = default
            faults.append(FEATURES[place] + " missing")
        elif value < low or value > high:
            faults.append(FEATURES[place] + " out of range")
        values[place] = value
    return values, faults


def predict_row(row):
    """Predict from a mapping of names to readings: (value, status); status is "ok" or says what is wrong."""
    values, faults = check([row.get(name) for name in FEATURES])
    return predict(values, True), "degraded: " + ", ".join(faults) if faults else "ok"


def selftest():
    """Whether this interpreter gives what the model must, to its float's precision (a board can ask at boot)."""
    eps = 1.0
    while 1.0 + eps / 2.0 != 1.0:
        eps = eps / 2.0
    for row, wanted in SELF_TEST:
        z = linear(row)
        for got, value, size in zip(z, wanted, SIZES):
            if not abs(got - value) <= eps * size:
                return False
    return _replay()


MISSING = float("nan")
READINGS = ('a', 'b')  # what `step` takes
CHECKS = (  # input, longest run of equal readings (0: endless), largest change
    (0, 5, 1.0),
    (1, 0, 5.070602400912918e+30),
)
SOURCES = (0,)
STREAMS = (  # place, 0 lag, 1 difference, 2 mean, place of the source, its ring, length
    (2, 0, 0, 0, 2),
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
        "rings": [[MISSING] * 2], "heads": [0] * 1,
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


def _delays(state, x):
    """Fill in the inputs that are computed from earlier readings, and remember this row's."""
    rings, heads = state["rings"], state["heads"]
    for to, kind, at, r, length in STREAMS:
        ring, head = rings[r], heads[r]
        if kind == 0:
            x[to] = ring[head - length]
    for r, at in enumerate(SOURCES):
        ring, head = rings[r], heads[r]
        ring[head] = x[at]
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
    _delays(state, x)
    widths = None
    for i, (place, default, _, _, _) in enumerate(INPUTS):
        if x[place] != x[place]:
            x[place] = default
            widths = widths or [1.0] * 2
            for k in READERS[i]:
                widths[k] = MISSING
    z = predict(x, True)
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


SEQUENCE = (
    (0.2, -2.4),
    (1.2, -3.6),
    (0.6, -1.6),
    (None, -2.8),
    (1.0, -0.7999999999999998),
    (0.4, -2.0),
)
SEQUENCE_END = (-1.275, 1.25)
SEQUENCE_SIZES = (1440.0, 896.0)


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
    return abs(result["score"] - 2.1653652444668112) <= eps * 2270550.026582031
