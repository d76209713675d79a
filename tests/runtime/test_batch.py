"""Rows taken in together give what they give one after another, to the bit."""

import random

import pytest
from streams import detecting, number, regression

from edge_lasso_runtime import Factor, Model, Output, Term, batch, dumps, loads
from edge_lasso_runtime.step import start, step

pytestmark = pytest.mark.long


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


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("most", [3, 12, 100])
def test_together_is_one_after_another(name, most, monkeypatch):
    model = MODELS[name]
    together, alone = start(model), start(model)
    rows = faulty(1500, len(together.places), most)
    single = []
    monkeypatch.setattr(batch, "step", lambda *given: single.append(given) or step(*given))
    rng = random.Random(most)
    at = 0
    while at < len(rows):
        part = rows[at : at + rng.randint(1, most)]
        found = batch.steps(model, together, part)
        assert list(map(repr, found)) == [repr(step(model, alone, row)[0]) for row in part]
        assert together.to_dict() == alone.to_dict()
        assert repr(together.inputs) == repr(alone.inputs)
        at += len(part)
    whole = name in ("clamped", "categories") or most < batch.FEW
    assert len(single) == len(rows) if whole else 0 < len(single) < 0.8 * len(rows)


def test_a_row_of_another_length_is_refused():
    model = MODELS["both"]
    state = start(model)
    batch.steps(model, state, [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]] * 10)
    with pytest.raises(ValueError, match="a row has 3 readings"):
        batch.steps(model, state, [[0.0, 1.0, 2.0]] * 10 + [[0.0, 1.0]] + [[0.0, 1.0, 2.0]] * 9)
