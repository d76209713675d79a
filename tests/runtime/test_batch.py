"""Rows taken in together give what they give one after another, to the bit."""

import random

import pytest
from streams import MODELS, faulty

from edge_lasso_runtime import batch
from edge_lasso_runtime.step import start, step

pytestmark = pytest.mark.long


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
