"""Models for the tests of streams."""

import random

from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads


def number(name, column, stream=None, low=-10.0, high=10.0):
    return Input(name, column, 0.5, low, high, stream=stream)


def detecting(drift=True, lags=0):
    """Three sensors that watch each other, with everything on."""
    names = ("a", "b", "c")
    inputs = [number(name, i) for i, name in enumerate(names)]
    if lags:
        inputs.append(number("a.lag", 3, ("lag", "a", lags)))
    outputs = [Output(name, 0.0, (Term(0.5, (Factor((i + 1) % 3),)),)) for i, name in enumerate(names)]
    if lags:
        outputs[1] = outputs[1].replace(terms=(*outputs[1].terms, Term(0.25, (Factor(3),))))
    watched = [
        {"reading": name, "centre": 0.1, "scale": 2.0, "slow": 0.4, "weight": 1.0 + i} for i, name in enumerate(names)
    ]
    sections = {
        "detector/1": {
            "watched": watched, "smoothing": 0.5, "clip": 6.0, "track": 5, "fast": 0.7, "warm_up": 3, "step_seconds": 60.0,
            "threshold": {"score": 2.0, "row_rate": 0.01, "hold": 2},
        },
        "health/1": {"readings": [{"input": name, "stuck": 4, "jump": 8.0} for name in names]},
    }  # fmt: skip
    if drift:
        bins = {"edges": [-1.0, 0.0, 1.0], "parts": [0.25] * 4}
        sections["drift/1"] = {
            "readings": [{"input": name, **bins, "missing": 0.0} for name in names],
            "score": {"edges": [1.0, 2.0], "parts": [0.5, 0.25, 0.25]},
            "page_hinkley": {"mean": 1.0, "deviation": 1.0, "allowance": 0.5, "limit": 50.0},
        }
    return loads(dumps(Model((*names, "a.lag"), tuple(inputs), tuple(outputs), sections=sections)))


def regression():
    """One output of a number, its lag and a category, with an interval."""
    inputs = (
        Input("t", 0, 20.0, -10.0, 50.0), Input("t.lag2", 1, 20.0, -10.0, 50.0, stream=("lag", "t", 2)),
        Input("kind", 2, None, None, None, "", ("red", "green")),
    )  # fmt: skip
    terms = (Term(0.5, (Factor(0),)), Term(0.25, (Factor(1),)), Term(2.0, (Factor(2, 1),)))
    section = {"level": 0.9, "low": [-1.0], "high": [2.0], "rows": {"calibration": 10, "check": 10}}
    model = Model(("t", "t.lag2", "kind"), inputs, (Output("y", 0.125, terms),), sections={"interval/1": section})
    return loads(dumps(model))


def rows(count, seed=0, missing=0.0):
    """Rows of the detector's readings."""
    rng = random.Random(seed)
    return [
        {name: None if rng.random() < missing else round(rng.gauss(0.0, 1.5), 3) for name in "abc"}
        for _ in range(count)
    ]


def delayed(policy):
    """Every kind of derived input."""
    kinds = (("lag", "a", 2), ("difference", "a", 3), ("mean", "b", 4), ("ewma", "b", 5))
    inputs = [number("a", 0), number("b", 1)]
    inputs += [number(kind[0], i + 2, kind, -4.0, 4.0) for i, kind in enumerate(kinds)]
    terms = tuple(Term(0.5 + 0.25 * i, (Factor(i),)) for i in range(len(inputs)))
    output = Output("y", 0.125, terms)
    return loads(dumps(Model(tuple(one.name for one in inputs), tuple(inputs), (output,), policy)))


def with_detector(lags=0, **changes):
    """A detector with something about it changed."""
    model = detecting(lags=lags)
    section = {**model.sections["detector/1"], **changes}
    return loads(dumps(model.replace(sections={**model.sections, "detector/1": section})))


ADJUST = {"eta": 0.01, "floor": 0.5, "cap": 2.0, "freeze": 5, "thaw": 20}
MODELS = {
    "both": with_detector(), "slow": with_detector(fast=0.0), "fixed": with_detector(track=0),
    "plain": with_detector(track=0, fast=0.0), "rows": with_detector(smoothing=1.0),
    "adjusted": with_detector(adjust=ADJUST), "lags": with_detector(lags=2), "delayed": delayed("extrapolate"),
    "clamped": delayed("clamp"), "categories": regression(),
}  # fmt: skip


def faulty(count, width, seed):
    """Rows of which about one in twenty has something about it, in runs of quiet and of noise."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        row = [rng.gauss(0.0, 2.0) for _ in range(width)]
        if i % 200 > 100 and rng.random() < 0.1:
            at = rng.randrange(width)
            row[at] = rng.choice([None, float("nan"), float("inf"), "x", 1e300, 60.0, -9.5, "1.5"])
        if i % 150 > 130:
            row[0] = 1.25
        found.append(row)
    return found
