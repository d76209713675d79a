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
