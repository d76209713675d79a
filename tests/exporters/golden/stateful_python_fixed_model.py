# SPDX-License-Identifier: 0BSD
"""A model made by edge-lasso 0.1.0: predict(x), predict_row(mapping), selftest()."""

MODEL_HASH = '8a7e26303cc8d90b2a29e3636af6dc9cf429e126298e88ddeaccdecfa0e33506'
VERSION = '1.0.0'
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


NAN = float("nan")
READINGS = ('a', 'b')  # what `step` takes
FAULTS = ("", "missing", "stuck", "jump", "out of range")
WATCHED_NAMES = ('b', 'a')
OK = 0
RANGE = 4
MISSING = 1
JUMP = 3
STUCK = 2
NONE = -32768
PREDICTED = 2
STRAY = 3.0
SETTLING = 0.125
TRACK = 0.03125
CLIP = 8.0
SMOOTHING = 0.25
FAST = 0.7
HOLD = 3
ENDLESS = 1073741824
WARM_UP = 10
SENSORS = (  # low, high, jump, stuck
    (0.0, 2.2, 1.0, 5),
    (-4.4, 0.0, 5.070602400912918e+30, 0),
)
READERS = (  # output
    0,
    1,
    0,
)
WATCHED = (  # reading
    1, 0,
)
GRIDS = (  # centre, scale, first, last
    (1.099609375, 16384.0, -18016.0, 18029.0),
    (-2.19921875, 8192.0, -18029.0, 18016.0),
)
NUMERICS = (  # otherwise
    -1632,
    9824,
    -1632,
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
            row[k] = sensor_low if value < sensor_low else sensor_high if value > sensor_high else value
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


def _counted(value, centre, scale, first, last):
    """A reading inside its range as an integer."""
    steps = (value - centre) * scale + 0.5
    steps = first if steps < first else last if steps > last else steps
    return int(steps // 1.0)


def _counts(q, row):
    """All readings as integers."""
    for k, (grid_centre, grid_scale, grid_first, grid_last) in enumerate(GRIDS):
        value = row[k]
        if value == value:
            q[k] = _counted(value, grid_centre, grid_scale, grid_first, grid_last)
        else:
            q[k] = NONE


def _delays(state, q):
    """Fill in the inputs that are computed from earlier integers, and remember this row's."""
    heads = state["heads"]
    rings = state["rings"]
    head = heads[0]
    q[2] = rings[head - 2 if head >= 2 else head]
    head = heads[0]
    if head >= 2:
        head = 0
    rings[head] = q[0]
    heads[0] = head + 1


def _complete(blind, q):
    """Put an integer for what is missing, and note which predictions read it, if any is."""
    gone = False
    for k in range(3):
        if q[k] == NONE:
            gone = True
    if gone:
        for k, reader_output in enumerate(READERS):
            if q[k] == NONE:
                blind[reader_output] = 1
        for k, grid_otherwise in enumerate(NUMERICS):
            if q[k] == NONE:
                q[k] = grid_otherwise


def _add_terms(q, r, out):
    """The sums of integers, and what they stand for."""
    values = out["values"]
    r[:] = predict(q)
    for k in range(PREDICTED):
        values[k] = decode(r[k], k)


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
    """Take in one row of readings."""
    row = [NAN] * 3
    blind = [0] * 2
    quick = [0.0] * 2
    q = [0] * 3
    r = [0] * 2
    status = _look(state, x, row, out)
    _counts(q, row)
    _delays(state, q)
    _complete(blind, q)
    _add_terms(q, r, out)
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
        "last": [NAN] * 2, "rings": [-32768] * 2, "slow": [0.0] * 2, "level": [0.0] * 2, "evidence": [1.0] *
        2, "threshold": 4.0, "quiet": 1073741824, "onsets": 0, "alarms": 0, "rows": 0, "run": [0] * 2,
        "heads": [0] * 1
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


SCORE_UNIT = 7.62939453125e-06
INPUTS_Q = (0, 1)
NONE_Q = -32768
OK_Q = 0
MISSING_Q = 1
RANGE_Q = 4
JUMP_Q = 3
STUCK_Q = 2
WIDE_Q = 262136
TRACK_Q = 5
STRAY_Q = 12288
SETTLING_Q = 4
HIGHEST_Q = 8388352
SMOOTHING_Q = 8192
MOST_Q = 524287
HALF_Q = 1024
BITS_Q = 11
CLIP_Q = 32767
SCALE_Q = 8192
FIRST_Q = 11
HALF_SECOND_Q = 16384
SECOND_Q = 15
ALIGN_Q = 7
HALF_CUT_Q = 1
CUT_Q = 1
QUICK_SHIFT_Q = 15
WARM_UP_Q = 10
THRESHOLD_Q = 524288
HOLD_Q = 3
SENSORS_Q = (  # low, high, jump, stuck, now
    (-18016, 18029, 16384, 5, 0),
    (-18029, 18016, 65535, 0, 3),
)
WATCHED_Q = (  # bias, reading, own, factor, shift, terms
    (-108102336, 1, 11872, 1413, 13, ((-1484, 0), (-742, 2))),
    (-39076288, 0, 11916, 1408, 14, ((5958, 3),)),
)


def _look_q(state, q, out):
    """Note what is wrong with the integers; take over what others may read of them. Histories move on by a row."""
    faults = out["faults"]
    last = state["last"]
    memory = state["memory"]
    run = state["run"]
    status = 0
    memory[1:4] = memory[:3]
    for k, (sensor_low, sensor_high, sensor_jump, sensor_stuck, sensor_now) in enumerate(SENSORS_Q):
        value = q[k]
        cut = NONE_Q
        fault = OK_Q
        if value == NONE_Q:
            fault = MISSING_Q
        else:
            cut = sensor_low if value < sensor_low else sensor_high if value > sensor_high else value
            if cut != value:
                fault = RANGE_Q
            before = last[k]
            if value != before:
                change = value - before
                change = abs(change)
                if change > sensor_jump and fault == OK_Q and before != NONE_Q:
                    fault = JUMP_Q
                last[k] = value
                run[k] = 1
            elif sensor_stuck > 0:
                if run[k] <= sensor_stuck:
                    run[k] += 1
                if run[k] > sensor_stuck:
                    fault = STUCK_Q
                    cut = NONE_Q
        memory[sensor_now] = cut
        faults[k] = fault
        if fault != OK_Q:
            status = status | (1 << k)
    return status


def _tracked_q(state, out, k, r):
    """A residual without the level that it had so far, which is remembered times 2^TRACK."""
    level = state["level"]
    r = (-WIDE_Q if r < -WIDE_Q else WIDE_Q if r > WIDE_Q else r) - (level[k] >> TRACK_Q)
    d = -STRAY_Q if r < -STRAY_Q else STRAY_Q if r > STRAY_Q else r
    if out["warming_up"] != 0:
        d *= SETTLING_Q
    level[k] = -HIGHEST_Q if level[k] + d < -HIGHEST_Q else HIGHEST_Q if level[k] + d > HIGHEST_Q else level[k] + d
    return r


def _move_q(average, value):
    """An average moved towards a value by rate / 2^(15 + shift) of the way, rounded; between the two in any case."""
    d = value - average
    moved = SMOOTHING_Q * (d >> 15) + ((SMOOTHING_Q * (d & 32767) + 16384) >> 15)
    return average + moved


def _detect_q(state, q, out):
    """The score of a row over the weights of the sensors that had a say, and what each contributes."""
    parts = out["parts"]
    evidence = state["evidence"]
    memory = state["memory"]
    quick = state["quick"]
    slow = state["slow"]
    score = 0
    total = 0
    sudden = 0
    for k, (watch_bias, watch_reading, watch_own, watch_factor, watch_shift, watch_terms) in enumerate(WATCHED_Q):
        r = q[watch_reading]
        known = r != NONE_Q
        r = watch_bias + watch_own * r
        for term_coef, term_place in watch_terms:
            x = memory[term_place]
            if x == NONE_Q:
                known = False
            else:
                r += term_coef * x
        parts[k] = 0
        quick[k] = 0
        if not known:  # its evidence stays as it was
            continue
        r = r >> watch_shift
        r = -MOST_Q if r < -MOST_Q else MOST_Q if r > MOST_Q else r
        r = (r * watch_factor + HALF_Q) >> BITS_Q
        r = _tracked_q(state, out, k, r)
        r = -CLIP_Q if r < -CLIP_Q else CLIP_Q if r > CLIP_Q else r
        # What a residual says: of itself, and of its moving average in units of its own.
        y = _move_q(slow[k], r * SCALE_Q)
        slow[k] = y
        y = ((y >> FIRST_Q) * 4096 + HALF_SECOND_Q) >> SECOND_Q
        e = ((y * y) >> 1) + ((r * r) >> ALIGN_Q)
        e = _move_q(evidence[k], e)
        evidence[k] = e
        e = (e + HALF_CUT_Q) >> CUT_Q
        parts[k] = e
        score += e
        total += 1
        quick[k] = r
        sudden += ((r * r) >> QUICK_SHIFT_Q) * 179
    if sudden > score:
        score = sudden
        for k in range(2):
            r = quick[k]
            parts[k] = ((r * r) >> QUICK_SHIFT_Q) * 179
    out["score"] = score
    out["total"] = total


def _step_q(state, q, out):
    """Take in one row of integers."""
    status = _look_q(state, q, out)
    out["warming_up"] = 0
    if state["rows"] < WARM_UP_Q:
        state["rows"] += 1
        out["warming_up"] = 1
    _detect_q(state, q, out)
    out["alarm"] = 0
    out["onset"] = 0
    if out["warming_up"] != 0:
        return status
    # While no sensor has a say, an alarm neither ends nor begins.
    hit = state["quiet"] == 0
    if out["total"] != 0:
        limit = THRESHOLD_Q
        hit = out["score"] > limit * out["total"]
    if hit:
        out["alarm"] = 1
        out["onset"] = 1 if state["quiet"] > HOLD_Q else 0
        state["alarms"] += 1
        state["onsets"] += out["onset"]
        state["quiet"] = 0
    elif state["quiet"] <= HOLD_Q:
        state["quiet"] += 1
    return status


def start_q():
    """What `step_q` remembers, before the first row: numbers and lists, the caller's to keep."""
    return {
        "evidence": [262144] * 2, "slow": [0] * 2, "level": [0] * 2, "quick": [0] * 2, "onsets": 0,
        "alarms": 0, "quiet": 4, "rows": 0, "last": [-32768] * 2, "memory": [-32768] * 4, "run": [0] * 2
    }


def readings_q(row):
    """Readings, in the order of READINGS or by name, as the integers of `step_q`; a missing one is -32768."""
    if hasattr(row, "get"):
        row = [row.get(name) for name in READINGS]
    q = []
    for i, value in zip(INPUTS_Q, row):
        centre, scale = STEPS[i][:2]
        value = _number(value)
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
    out = {
        "score": 0, "total": 0, "parts": [0] * 2, "alarm": 0, "onset": 0, "warming_up": 0, "faults": [0] * 2
    }
    wrong = _step_q(state, q, out)
    faults = {READINGS[k]: FAULTS[fault] for k, fault in enumerate(out["faults"]) if fault} if wrong else {}
    return {
        "score": out["score"], "total": out["total"], "parts": out["parts"], "alarm": out["alarm"] == 1,
        "onset": out["onset"] == 1, "status": "degraded" if wrong else "warming up" if out["warming_up"] else "ok",
        "faults": faults,
    }


def _replay_q():
    """Whether a short sequence of integers ends as it must."""
    state = start_q()
    for q in ((-14412, -3611), (3611, -14424), (-7203, 3598), (-32768, -7215), (6, 10807), (-10807, -6)):
        result = step_q(state, q)
    return (result["score"], result["total"]) == (319331, 1)


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
    got = result["value"]
    for value, wanted, size in zip(got, SEQUENCE_END, SEQUENCE_SIZES):
        if not abs(value - wanted) <= eps * size:
            return False
    return abs(result["score"] - 2.4365630823031785) <= eps * 2554921.5705891377
