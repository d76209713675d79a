"""What the prover takes for granted, asserted: a test for every lemma."""

import random
from fractions import Fraction
from types import SimpleNamespace

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso_exporters.options import Options
from edge_lasso_exporters.programs.layout_fixed import layout_fixed
from edge_lasso_exporters.programs.lemmas import LEMMAS
from edge_lasso_exporters.programs.running import memory, runnable
from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime.fixed_detector import move
from edge_lasso_runtime.fixed_point import predict_q


def average(draw, _):
    a, value = (draw.choice((draw.randrange(2**30), draw.randrange(9), 2**30 - 1, 0)) for _ in range(2))
    rate, shift = draw.choice((1, 2**15, draw.randint(1, 2**15))), draw.randrange(16)
    moved = move(a, value, (rate, shift))
    assert min(a, value) <= moved <= max(a, value)
    assert abs(moved - a - Fraction(rate, 2 ** (15 + shift)) * (value - a)) <= 1


def mean(draw, _):
    low = draw.randint(-32767, 32767)
    values = [draw.randint(low, 32767) for _ in range(draw.randint(1, 40))]
    rounded = (2 * sum(values) + len(values)) // (2 * len(values))
    assert min(values) <= rounded <= max(values)
    assert abs(rounded - Fraction(sum(values), len(values))) <= Fraction(1, 2)


def whole(draw, stateful_model):
    """What becomes an integer in a fixed-point `step` fits 16 bits, whatever the readings are."""
    model = quantize(stateful_model(draw.randrange(40), plain=True, detector=False, streams=4), to="int16")
    spec = layout_fixed(Stateful(model, Options("fixed")))
    run = runnable("step_fixed", spec, sums=lambda q, r: None, decoded=lambda r, k: 0.0, probability=lambda r: 0.0)
    state, work = memory(spec, "state"), memory(spec, "work")
    for _ in range(20):
        odd = (float("nan"), float("inf"), -float("inf"), 1e300, -0.0, 2.0, draw.uniform(-1e3, 1e3), 1e-320)
        row = [draw.choice(odd) for _ in Stateful(model, Options("fixed")).readings]
        run(state, SimpleNamespace(x=row), work, memory(spec, "out"))
        assert all(-32768 <= value <= 32767 for value in work.q)


def sums(draw, stateful_model):
    model = quantize(stateful_model(draw.randrange(40), plain=True, detector=False, streams=4), to="int16")
    section = model.sections["fixed_point/1"]
    ends = [(0, entry["categories"] - 1) if "categories" in entry else (entry["low"], entry["high"]) for entry in section["inputs"]]  # fmt: skip
    for _ in range(20):
        assert all(abs(value) < 2**30 for value in predict_q(section, [draw.choice(pair) for pair in ends]))


TESTS = {
    "average": (average, 300),
    "mean": (mean, 200),
    "whole": (whole, 6),
    "sums": (sums, 4),
}


@pytest.mark.parametrize("name", LEMMAS)
def test_every_lemma(name, stateful_model):
    holds, times = TESTS[name]
    for seed in range(times):
        holds(random.Random(seed), stateful_model)
