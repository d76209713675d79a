"""The bound of a fixed-point model with derived inputs is attacked; integers stay where the proof says."""

import json
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.derived_bound import grids_of
from edge_lasso.compressing.error_bound import analyse
from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError
from edge_lasso_runtime import Factor, Input, Model, ModelFormatError, Output, Term, dumps, loads
from edge_lasso_runtime.fixed_history import FRACTION, NONE, rate_of
from edge_lasso_runtime.fixed_point import KEY
from edge_lasso_runtime.fixed_stream import FixedDelays, start_fixed, step_fixed
from edge_lasso_runtime.step import start, step

LENGTHS = {"lag": (1, 2, 7), "difference": (1, 3), "mean": (2, 3, 8, 50), "ewma": (2, 3, 4, 9, 30, 300)}


def model_of(source, products=False, raw=False):
    """One or two readings at any offset, and inputs derived from them."""
    inputs = []
    for i in range(source.randint(1, 2)):
        middle, half = source.uniform(-1e3, 1e3), 10.0 ** source.uniform(-2, 3)
        low, high = middle - half * source.uniform(0.1, 1.0), middle + half
        inputs.append(Input(f"s{i}", i, source.uniform(low, high), low, high))
        if raw:
            scale = (high - low) / source.randint(100, 30000) * source.choice((-1, 1))
            inputs[-1] = inputs[-1].replace(raw=(scale, source.uniform(low, high)))
    readings = list(inputs)
    for _ in range(source.randint(1, 5)):
        of, kind = source.choice(readings), source.choice(list(LENGTHS))
        length = source.choice(LENGTHS[kind])
        low, high, default = of.low, of.high, of.default
        if kind == "difference":
            part = source.uniform(0.05, 1.0) * (of.high - of.low)
            low, high, default = -part, part * source.uniform(0.2, 1.0), 0.0
        name = f"{of.name}.{kind}{length}"
        if all(one.name != name for one in inputs):
            inputs.append(Input(name, len(inputs), default, low, high, stream=(kind, of.name, length)))
    terms = []
    for i, one in enumerate(inputs):
        size = 10.0 ** source.uniform(-1.0, 1.0) / (one.high - one.low)
        terms.append(Term(size * source.choice((-1, 1)), (Factor(i),)))
    if products:
        a, b = source.randrange(len(inputs)), source.randrange(len(inputs))
        size = max(abs(inputs[a].low), abs(inputs[a].high)) * (inputs[b].high - inputs[b].low)
        terms.append(Term(1.0 / size, (Factor(a), Factor(b))))
    return Model(tuple(one.name for one in inputs), tuple(inputs), (Output("y", 0.5, tuple(terms)),))


def column(source, one, count):
    """Readings that hit ends and edges of cells, stay, jump between the ends, go missing."""
    width, value, found = one.high - one.low, source.uniform(one.low, one.high), []
    while len(found) < count:
        kind, run = source.randrange(7), source.randint(1, 30)
        if kind == 0:
            found += [source.choice((one.low, one.high))] * run
        elif kind == 1:
            found += [one.low if t % 2 else one.high for t in range(run)]
        elif kind == 2:
            found += [None] * source.randint(1, 3)
        elif kind == 3:
            found += [one.low - width, one.high + width]
        elif kind == 4:
            found += [value] * run
        else:
            value = min(max(value + source.gauss(0, 0.1) * width, one.low), one.high)
            found.append(value)
    return found[:count]


@given(
    seed=st.integers(0, 2**32), to=st.sampled_from(("int16", "int8")), shape=st.sampled_from(("", "products", "raw"))
)
@settings(max_examples=60)
@pytest.mark.long
def test_no_row_of_any_sequence_is_further_off_than_proven(seed, to, shape):
    source = random.Random(seed)
    model = quantize(model_of(source, shape == "products", shape == "raw"), to=to, margin=0.0)
    bound = model.sections[KEY]["outputs"][0]["bound"]
    assert analyse(model)[0].bound == bound
    sensors = [one for one in model.inputs if one.stream is None]
    rows = list(zip(*(column(source, one, 300) for one in sensors), strict=True))
    clamped, counting = start(model.replace(policy="clamp")), start_fixed(model)
    for row in rows:
        want, clamped = step(model.replace(policy="clamp"), clamped, row)
        got, counting = step_fixed(model, counting, row)
        assert abs(Fraction(want.linear[0]) - Fraction(got.linear[0])) <= bound
        assert (got.status, got.faults) == (want.status, want.faults)


@given(seed=st.integers(0, 2**32), span=st.integers(2, 100_000))
@settings(max_examples=60)
@pytest.mark.long
def test_an_average_in_integers_stays_within_its_band(seed, span):
    """Against exact rational arithmetic, for readings that are pushed the same way for long."""
    source = random.Random(seed)
    low, high = -32767.0, 32767.0
    inputs = (Input("a", 0, 0.0, low, high, raw=(1.0, 0.0)), Input("e", 1, 0.0, low, high, stream=("ewma", "a", span)))
    model = quantize(Model(("a", "e"), inputs, (Output("y", 0.0, (Term(1.0, (Factor(1),)),)),)), margin=0.0)
    grids = grids_of(model, model.sections[KEY]["inputs"])
    delays, exact = FixedDelays(model), None
    multiplier, shift = rate_of(span)
    assert 2**14 <= multiplier < 2**15
    assert abs(Fraction(multiplier, 2 ** (15 + shift)) * (span + 1) / 2 - 1) <= Fraction(1, 2**14)
    value = source.uniform(low, high)
    for t in range(400):
        if t % source.randint(1, 200) == 0:
            value = source.choice((low, high, source.uniform(low, high)))
        q = [math.floor(value + 0.5), NONE]
        delays.step(q)
        exact = Fraction(value) if exact is None else exact + (Fraction(value) - exact) * Fraction(2, span + 1)
        assert abs(exact - q[1]) <= grids[1].loose
        assert abs(delays.averages[0]) <= 32767 << FRACTION
        exact = exact.limit_denominator(10**30)


@pytest.mark.parametrize("span", [2, 3, 4, 5, 30, 1000, 100_000])
def test_no_intermediate_value_of_an_average_reaches_two_to_the_thirty(span):
    rate, shift = rate_of(span)
    top = 32767 << FRACTION
    for value in (-32767, -1, 0, 1, 32767):
        for average in (-top, -1, 0, 1, 12345, top):
            d = (value << FRACTION) - average
            parts = [d, rate * (d >> 15), rate * (d & 32767) + 16384]
            moved = parts[1] + (parts[2] >> 15)
            parts += [moved + (1 << shift >> 1), average + ((moved + (1 << shift >> 1)) >> shift)]
            assert max(map(abs, parts)) < 2**30
            assert min(average, value << FRACTION) <= parts[-1] <= max(average, value << FRACTION)


def test_what_derived_inputs_share_is_checked_in_a_file():
    model = quantize(model_of(random.Random(1)), to="int16")
    assert loads(dumps(model)) == model
    derived = next(i for i, one in enumerate(model.inputs) if one.stream is not None)
    for key, value, message in (
        ("scale", 1.000001, "it must be that of"),
        ("centre", 0.125, "it must be"),
    ):
        data = json.loads(dumps(model))
        fixed = data["sections"][KEY]["inputs"][derived]
        fixed[key] = fixed[key] * value if key == "scale" else fixed[key] + value / fixed["scale"]
        with pytest.raises(ModelFormatError, match=message):
            loads(json.dumps(data))


def plain(stream, **more):
    low, high = more.pop("ends", (0.0, 1.0))
    inputs = (Input("a", 0, 0.5, 0.0, 1.0, **more), Input("d", 1, 0.5 * (low + high), low, high, stream=stream))
    return Model(("a", "d"), inputs, (Output("y", 0.0, (Term(1.0, (Factor(0),)), Term(1.0, (Factor(1),)))),))


@pytest.mark.parametrize(
    ("model", "ranges", "message"),
    [
        (plain(("mean", "a", 20_000)), {}, "takes means of at most 16383 readings, not 20000"),
        (
            plain(("lag", "a", 1)),
            {"d": (0.0, 2.0)},
            "a range is declared for 'd', which is computed from 'a' and has its range",
        ),
        (plain(("lag", "a", 1)), {"a": (0.6, 2.0)}, "does not hold its default 0.5"),
        (plain(("difference", "a", 1), ends=(-1.0, 1.0), raw=(1e-5, 0.0)), {}, "do not fit 16 bits"),
        (plain(("lag", "a", 1), raw=(1.0 / 65535.0, 32768.0 / 65535.0)), {}, "do not fit 16 bits"),
    ],
)
def test_what_fixed_point_cannot_stream_is_refused(model, ranges, message):
    with pytest.raises(DataError, match=message):
        quantize(model, to="int16", ranges=ranges, margin=0.0)


def test_bounds_of_differences_may_be_declared():
    model = quantize(plain(("difference", "a", 1), ends=(-0.2, 0.2)), ranges={"d": (-0.05, 0.05)}, margin=0.0)
    assert (model.inputs[1].low, model.inputs[1].high) == (-0.05, 0.05)
