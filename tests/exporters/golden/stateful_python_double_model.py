# SPDX-License-Identifier: 0BSD
"""A model made by edge-lasso 0.1.0: predict(x), predict_row(mapping), selftest()."""

MODEL_HASH = '508b07e8e0d56f5e37e7b90c9643ea15fbad6fdef211c8f95411cc2ac34af7e3'
VERSION = '1.0.0'
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


NAN = float("nan")
READINGS = ('a', 'b')  # what `step` takes
FAULTS = ("", "missing", "stuck", "jump", "out of range")
WATCHED_NAMES = ('b', 'a')
OK = 0
RANGE = 4
MISSING = 1
JUMP = 3
STUCK = 2
STRAY = 3.0
SETTLING = 0.125
TRACK = 0.03125
CLIP = 8.0
SMOOTHING = 0.25
PREDICTED = 2
FAST = 0.7
HOLD = 3
ENDLESS = 1073741824
WARM_UP = 10
SENSORS = (  # low, high, jump, stuck
    (0.0, 2.0, 1.0, 5),
    (-4.0, 0.0, 5.070602400912918e+30, 0),
)
DEFAULTS = (  # otherwise
    1.0, -1.0, 1.0,
)
READERS = (  # output
    0,
    1,
    0,
)
WATCHED = (  # reading
    1, 0,
)


def _look(state, x, row, out):
    """Note what is wrong with readings; those that are stuck become missing."""
    faults = out["faults"]
    last = state["last"]
    run = state["run"]
    status = 0
    for k, (sensor_low, sensor_high, sensor_jump, sensor_stuck) in enumerate(SENSORS):
        value = x[k]
        fault = OK
        if not sensor_low <= value <= sensor_high:
            fault = RANGE if -LIMIT <= value <= LIMIT else MISSING
        if fault == MISSING:
            row[k] = NAN
        else:
            row[k] = value
            before = last[k]
            if value != before:
                change = value - before
                if not -sensor_jump <= change <= sensor_jump and fault == OK and before == before:
                    fault = JUMP
                last[k] = value
                run[k] = 1
            elif sensor_stuck > 0:
                if run[k] <= sensor_stuck:
                    run[k] += 1
                if run[k] > sensor_stuck:
                    fault = STUCK
                    row[k] = NAN
        faults[k] = fault
        if fault != OK:
            status = status | (1 << k)
    return status


def _delays(state, row):
    """Fill in the inputs that are computed from earlier readings, and remember this row's."""
    heads = state["heads"]
    rings = state["rings"]
    head = heads[0]
    row[2] = rings[head - 2 if head >= 2 else head]
    head = heads[0]
    if head >= 2:
        head = 0
    rings[head] = row[0]
    heads[0] = head + 1


def _complete(blind, row):
    """Put the default for what is missing and note which predictions read it, if any is; cut where asked."""
    gone = False
    for k in range(3):
        value = row[k]
        if value != value:
            gone = True
    if gone:
        for k, reader_output in enumerate(READERS):
            if row[k] != row[k]:
                blind[reader_output] = 1
        for k, number_otherwise in enumerate(DEFAULTS):
            if row[k] != row[k]:
                row[k] = number_otherwise


def _add_terms(row, out):
    """The linear predictor of each output, terms added one after another."""
    values = out["values"]
    values[:] = predict(row, True)


def _tracked(state, out, k, r):
    """A residual without the level that it had so far."""
    level_ = state["level"]
    level = level_[k]
    r -= level
    level_[k] = level + (-STRAY if r < -STRAY else STRAY if r > STRAY else r) * (SETTLING if out["warming_up"] != 0 else TRACK)
    return r


def _detect(state, x, blind, quick, out):
    """The score of a row, and what each sensor contributes."""
    faults = out["faults"]
    parts = out["parts"]
    values = out["values"]
    evidence = state["evidence"]
    slow = state["slow"]
    total = 0.0
    for k, watch_reading in enumerate(WATCHED):
        parts[k] = 0.0
        quick[k] = 0.0
        if faults[watch_reading] == MISSING:
            continue
        if blind[k] != 0:
            continue
        r = (x[watch_reading] - values[k]) * 2.0
        r = _tracked(state, out, k, r)
        r = -CLIP if r < -CLIP else CLIP if r > CLIP else r
        q = r * r
        quick[k] = q
        z = slow[k] + (r - slow[k]) * SMOOTHING
        slow[k] = z
        z *= 4.0
        q = (q + z * z) * 0.5
        e = evidence[k] + (q - evidence[k]) * SMOOTHING
        evidence[k] = e
        parts[k] = e
        total += 1.0
    if not total > 0.0:  # nothing is known: the evidence that there is
        for k in range(2):
            parts[k] = evidence[k]
            total += 1.0
    score = 0.0
    for k in range(PREDICTED):
        parts[k] = parts[k] / total
        score += parts[k]
    sudden = 0.0
    for k in range(PREDICTED):
        quick[k] = quick[k] / total * FAST
        sudden += quick[k]
    if sudden > score:
        score = sudden
        for k in range(PREDICTED):
            parts[k] = quick[k]
    out["score"] = score


def _decide(state, out):
    """Whether a score is an alarm, and whether it begins one; the threshold moves where that is asked for."""
    hit = out["score"] > state["threshold"]
    quiet = state["quiet"]
    out["alarm"] = 1 if hit else 0
    out["onset"] = 1 if hit and quiet > HOLD else 0
    if hit:
        state["alarms"] += 1
        state["onsets"] += out["onset"]
        quiet = (-ENDLESS if quiet < -ENDLESS else 0 if quiet > 0 else quiet) - 1
    else:
        quiet = (0 if quiet < 0 else ENDLESS if quiet > ENDLESS else quiet) + 1
    state["quiet"] = quiet


def _step(state, x, out):
    """Take in one row."""
    row = [NAN] * 3
    blind = [0] * 2
    quick = [0.0] * 2
    status = _look(state, x, row, out)
    _delays(state, row)
    _complete(blind, row)
    _add_terms(row, out)
    out["warming_up"] = 0
    if state["rows"] < WARM_UP:
        state["rows"] += 1
        out["warming_up"] = 1
    _detect(state, x, blind, quick, out)
    out["alarm"] = 0
    out["onset"] = 0
    if out["warming_up"] == 0:
        _decide(state, out)
    return status


def start():
    """What `step` remembers, before the first row: numbers and lists, the caller's to keep."""
    return {
        "last": [NAN] * 2, "rings": [NAN] * 2, "slow": [0.0] * 2, "level": [0.0] * 2, "evidence": [1.0] * 2,
        "threshold": 4.0, "quiet": 1073741824, "onsets": 0, "alarms": 0, "rows": 0, "run": [0] * 2, "heads":
        [0] * 1
    }


def _number(value):
    """A reading as a number; NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return NAN


def shares(result):
    """Which sensors make up a score: (name, share), the largest first."""
    score, sums = result["score"], {}
    for name, part in zip(WATCHED_NAMES, result["parts"]):
        if part > 0.0:
            sums[name] = sums.get(name, 0.0) + part
    ordered = sorted([(-part / score, WATCHED_NAMES.index(name)) for name, part in sums.items()])
    return [(WATCHED_NAMES[k], -share) for share, k in ordered]


def step(state, row):
    """Take in one row, a sequence in the order of READINGS or a mapping, and change `state`.

    Returns a dict: "value", "status" ("ok", "warming up" or "degraded"), "faults" (by name)
    and "score", "alarm", "onset" (an alarm begins), "parts", "shares" (of an alarm)
    """
    if hasattr(row, "get"):
        row = [row.get(name) for name in READINGS]
    if len(row) != 2:
        raise ValueError("a row has 2 readings, got %d" % len(row))
    try:
        x = list(map(float, row))
    except (TypeError, ValueError, OverflowError):
        x = [_number(value) for value in row]
    out = {
        "values": [0.0] * 2, "score": 0.0, "parts": [0.0] * 2, "alarm": 0, "onset": 0, "warming_up": 0,
        "faults": [0] * 2
    }
    wrong = _step(state, x, out)
    faults = {READINGS[k]: FAULTS[fault] for k, fault in enumerate(out["faults"]) if fault} if wrong else {}
    result = {
        "value": out["values"],
        "status": "degraded" if wrong else "warming up" if out["warming_up"] else "ok",
        "faults": faults,
        "score": out["score"],
        "alarm": out["alarm"] == 1,
        "onset": out["onset"] == 1,
        "parts": out["parts"],
    }
    result["shares"] = shares(result) if out["alarm"] else []
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
    got = result["value"]
    for value, wanted, size in zip(got, SEQUENCE_END, SEQUENCE_SIZES):
        if not abs(value - wanted) <= eps * size:
            return False
    return abs(result["score"] - 2.5023116911947723) <= eps * 2623863.9839062495
