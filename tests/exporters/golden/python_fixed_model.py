# SPDX-License-Identifier: 0BSD
"""A model made by edge-lasso 0.1.0: predict(x), predict_row(mapping), selftest()."""

MODEL_HASH = '342297de2b1ff8703e7d3d86021aba5d98c3fc6fcebc7781d6fdd73f674eb324'
VERSION = '1.0.0'
FEATURES = ('a', 'b')
UNITS = ('K', '')
OUTPUTS = ('y',)
OUTPUT_UNITS = ('V',)
LIMIT = 1.2676506002282294e+30  # beyond it a reading counts as missing
INPUTS = (  # place in a row, default, low, high, categories
    (0, 1.0, 0.0, 2.2, 0),
    (1, -1.0, -4.4, 0.0, 0),
)
STEPS = (  # centre, steps per unit, smallest, largest, default
    (1.099609375, 16384.0, -18016, 18029, -1632),
    (-2.19921875, 8192.0, -18029, 18016, 9824),
)
SELF_TEST = (
    ([-1632, 9824], 352321536),
    ([-18016, -18029], 140929024),
    ([18029, 18016], 657670144),
    ([-6001, 6001], 288569344),
    ([-18016, 4499], 94791680),
    ([-1632, 9005], 353998848),
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
    q0, q1 = q
    r = 399179776 + 16384 * q0 + -2048 * q1
    return r


def decode(r, output=0):
    """An integer result as the linear predictor in the output's unit."""
    return r * 7.450580596923828e-09 + 0.0


def predict_row(row):
    """Predict from a mapping of names to readings: (value, status); status is "ok" or says what is wrong."""
    q, status = encode([row.get(name) for name in FEATURES])
    return decode(predict(q)), status


def selftest():
    """Whether this interpreter computes the integers that the model must (a board can ask at boot)."""
    for q, wanted in SELF_TEST:
        if predict(q) != wanted:
            return False
    return True
