# SPDX-License-Identifier: 0BSD
"""A model made by edge-lasso 0.1.0: predict(x), predict_row(mapping), selftest()."""

MODEL_HASH = '8610d1a680e7dc6b62ebc182c23d02d110b38ce62002ea52be0623e214698029'
VERSION = '1.0.0'
FEATURES = ('a', 'b')
UNITS = ('K', '')
OUTPUTS = ('y',)
OUTPUT_UNITS = ('V',)
LIMIT = 1.2676506002282294e+30  # beyond it a reading counts as missing
INPUTS = (  # place in a row, default, low, high, categories
    (0, 1.0, 0.0, 2.0, 0),
    (1, -1.0, -4.0, 0.0, 0),
)
SIZES = (50.0,)
SELF_TEST = (
    ((1.0, -1.0), (2.625,)),
    ((0.0, -4.0), (1.0,)),
    ((2.0, 0.0), (4.5,)),
    ((0.6666666666666666, -1.3333333333333335), (2.0,)),
    ((0.0, -1.5), (0.6875,)),
    ((None, -1.0), (2.625,)),
)


def predict(x, clean=False):
    """Predict one row: numbers in the order of FEATURES; None or NaN is missing."""
    try:
        x0, x1 = x
        y = 0.5 + 2.0 * x0 + -0.125 * x1
        if -7.922816251426434e+28 < y < 7.922816251426434e+28 or clean:
            return y
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
        for got, value, size in zip((z,), wanted, SIZES):
            if not abs(got - value) <= eps * size:
                return False
    return True
