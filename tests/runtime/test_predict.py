"""The reference meaning: order of operations, links, labels, and what counts as missing."""

import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso_runtime.model import Factor, Input, Model, Output, Term
from edge_lasso_runtime.predict import clean, label, linear, link, predict

CATEGORIES = ("p", "q", "None", "nan")


def numeric(k, low=-1e9, high=1e9):
    return tuple(Input(f"x{i}", i, 0.5, low, high) for i in range(k))


def model_of(inputs, *outputs, classes=None, policy="extrapolate"):
    return Model(tuple(one.name for one in inputs), inputs, outputs, policy=policy, classes=classes)


finite = st.floats(-1e9, 1e9)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=20), finite)
@settings(max_examples=200)
def test_terms_are_added_one_after_another_from_the_left(pairs, intercept):
    """Bit for bit: no compensation, no reordering, no fused multiply-add."""
    terms = tuple(Term(w, (Factor(i),)) for i, (w, _) in enumerate(pairs))
    model = model_of(numeric(len(pairs)), Output("y", intercept, terms))
    y = intercept
    for w, x in pairs:
        y = y + w * x
    found = predict(model, [x for _, x in pairs]).linear[0]
    assert struct.pack("d", found) == struct.pack("d", y)


def test_cancellation_is_not_compensated():
    model = model_of(numeric(3), Output("y", 0.0, tuple(Term(1.0, (Factor(i),)) for i in range(3))))
    assert predict(model, [1e9, 1e-9, -1e9]).linear == [(1e9 + 1e-9) - 1e9] == [0.0]


def test_factors_multiply_the_coefficient_from_the_left():
    inputs = (*numeric(2), Input("kind", 2, None, None, None, categories=CATEGORIES))
    terms = (Term(0.1, (Factor(0), Factor(1), Factor(0))), Term(0.3, (Factor(2, 1), Factor(1))))
    model = model_of(inputs, Output("y", 0.7, terms))
    assert predict(model, [1.1, 2.3, 1]).linear == [0.7 + 0.1 * 1.1 * 2.3 * 1.1 + 0.3 * 1.0 * 2.3]
    assert predict(model, [1.1, 2.3, 0]).linear == [0.7 + 0.1 * 1.1 * 2.3 * 1.1 + 0.0]


@pytest.mark.parametrize("reading", [None, math.nan, -1, 4, 0.5, 1e300, "p", "x", 2**4000])
def test_an_unknown_index_is_no_category(reading):
    one = Input("kind", 0, None, None, None, categories=CATEGORIES)
    model = model_of((one,), Output("y", 1.0, tuple(Term(1.0, (Factor(0, i),)) for i in range(4))))
    found = predict(model, [reading])
    assert found.linear == [1.0]
    assert found.faults == {"kind": "missing"}


@pytest.mark.parametrize("reading", [None, math.nan, "unheard of"])
def test_a_missing_category_is_not_the_category_none(reading):
    one = Input("kind", 0, None, None, None, categories=CATEGORIES)
    model = model_of((one,), Output("y", 0.0, tuple(Term(1.0 + i, (Factor(0, i),)) for i in range(4))))
    assert predict(model, {"kind": reading}).linear == [0.0]
    assert predict(model, {}).linear == [0.0]
    assert predict(model, {"kind": "None"}).linear == [3.0]


@given(
    st.lists(
        st.none() | st.floats() | st.integers() | st.text(max_size=3) | st.binary(max_size=2), min_size=3, max_size=3
    )
)
@settings(max_examples=300)
def test_no_reading_gives_anything_but_a_finite_number(row):
    inputs = numeric(3, -10.0, 10.0)
    terms = (Term(2.0, (Factor(0), Factor(1))), Term(-1e30, (Factor(2),)))
    for policy in ("extrapolate", "clamp"):
        model = model_of(inputs, Output("y", 0.0, terms), policy=policy)
        found = predict(model, row)
        assert math.isfinite(found.linear[0])
        struct.pack("f", found.linear[0])  # raises if it overflows binary32
        assert found.status == ("degraded" if found.faults else "ok")


def test_the_limit_shrinks_with_large_coefficients_and_products():
    plain = model_of(numeric(1), Output("y", 0.0, (Term(1.0, (Factor(0),)),)))
    assert plain.limit == 2.0**100
    assert predict(plain, [2.0**100]).faults == {"x0": "out of range"}
    assert predict(plain, [math.nextafter(2.0**100, math.inf)]).faults == {"x0": "missing"}
    square = model_of(numeric(1), Output("y", 0.0, (Term(1.0, (Factor(0), Factor(0))),)))
    assert square.limit == 2.0**63
    assert model_of(numeric(1), Output("y", 0.0, (Term(2.0**90, (Factor(0),)),))).limit == 2.0**36
    assert model_of(numeric(1), Output("y", 2.0**126, (Term(2.0**126, (Factor(0),)),))).limit == 1.0


def test_clamping_moves_readings_to_the_range_and_says_so():
    model = model_of(numeric(2, 0.0, 1.0), Output("y", 0.0, (Term(1.0, (Factor(0),)), Term(10.0, (Factor(1),)))))
    assert clean(model, [-3.0, 0.25]) == ([-3.0, 0.25], {"x0": "out of range"})
    assert clean(model, [-3.0, 0.25], clamp=True) == ([0.0, 0.25], {"x0": "out of range"})
    assert clean(model.replace(policy="clamp"), [-3.0, 7]) == ([0.0, 1.0], {"x0": "out of range", "x1": "out of range"})
    assert clean(model, [0.0, 1.0])[1] == {}


def test_logistic_does_not_overflow_and_labels_follow_the_sign():
    model = model_of(numeric(1), Output("y", 0.0, (Term(1.0, (Factor(0),)),), "logistic"), classes=("no", "yes"))
    for x in (-1e5, -800.0, -1.5, 0.0, 1e-300, 1.5, 800.0, 1e5):
        found = predict(model, [x])
        assert found.label == ("yes" if x > 0 else "no")
        assert 0.0 <= found.values[0] <= 1.0
        if abs(x) < 700:
            exact = 1 / (1 + math.exp(-x))
            assert abs(found.values[0] - exact) <= 4 * math.ulp(exact)
    assert predict(model, [1e5]).values == [1.0]


def test_softmax_does_not_overflow_and_the_first_largest_wins():
    outputs = tuple(Output(f"c{i}", 0.0, (Term(w, (Factor(0),)),), "softmax") for i, w in enumerate((1.0, 1.0, -2.0)))
    model = model_of(numeric(1), *outputs, classes=("a", "b", "c"))
    assert predict(model, [3.0]).label == "a"
    assert predict(model, [-3.0]).label == "c"
    found = predict(model, [1e6])
    assert found.values == [0.5, 0.5, 0.0]
    assert sum(predict(model, [0.3]).values) == pytest.approx(1.0, abs=1e-15)


def test_prediction_is_the_sum_of_its_parts_and_repeats():
    rng = random.Random(1)
    terms = tuple(Term(rng.gauss(0, 1), (Factor(i),)) for i in range(5))
    model = model_of(numeric(5), Output("y", 0.1, terms, "logistic"), classes=("a", "b"))
    for _ in range(20):
        row = [rng.gauss(0, 3) for _ in range(5)]
        found = predict(model, row)
        x, faults = clean(model, row)
        z = linear(model, x)
        assert (found.linear, found.values, found.label, found.faults) == (z, link(model, z), label(model, z), faults)
        assert predict(model, row) == found
        assert predict(model, dict(zip(model.columns, row, strict=True))) == found


@pytest.mark.parametrize("row", [[], [1.0], [1.0, 2.0, 3.0]])
def test_a_row_of_the_wrong_length_is_refused(row):
    model = model_of(numeric(2), Output("y", 0.0, ()))
    with pytest.raises(ValueError, match=f"a row has 2 values .* got {len(row)}"):
        predict(model, row)


@pytest.mark.parametrize(
    ("factor", "values"),
    [
        (Factor(0, step=2.0), {1.0: 0.0, 2.0: 0.0, math.nextafter(2.0, 3.0): 1.0, 7.0: 1.0}),
        (Factor(0, hinge=2.0), {1.0: 0.0, 2.0: 0.0, 2.5: 0.5, 7.0: 5.0}),
    ],
)
def test_steps_and_hinges_begin_above_their_place(factor, values):
    model = model_of(numeric(1), Output("y", 0.25, (Term(3.0, (factor,)),)))
    for reading, value in values.items():
        assert predict(model, [reading]).linear[0] == 0.25 + 3.0 * value


@pytest.mark.parametrize(
    "reading",
    [None, "warm", [], 10**400, math.nan, math.inf, -math.inf, 2.0**101],
    ids=lambda reading: repr(reading)[:8],
)
@pytest.mark.parametrize("policy", ["extrapolate", "clamp"])
def test_what_is_no_reading_is_missing_whatever_it_is(reading, policy):
    model = model_of(numeric(2), Output("y", 1.0, (Term(2.0, (Factor(0),)), Term(4.0, (Factor(1),)))), policy=policy)
    result = predict(model, [reading, 3.0])
    assert result.faults == {"x0": "missing"}
    assert list(result.linear) == [1.0 + 2.0 * 0.5 + 4.0 * 3.0]


def test_a_probability_is_computed_without_overflow_on_either_side():
    """To the bit: 1 / (1 + exp(-z)) from z = 0 on, exp(z) / (1 + exp(z)) below."""
    output = Output("y", 0.0, (Term(1.0, (Factor(0),)),), "logistic")
    model = Model(("a",), (Input("a", 0, 0.0, -900.0, 900.0),), (output,), classes=("no", "yes"))
    for z in (0.0, *(k / 37 for k in range(1, 74)), 800.0):
        assert predict(model, [z]).values[0] == 1.0 / (1.0 + math.exp(-z))
        assert predict(model, [-z]).values[0] == math.exp(-z) / (1.0 + math.exp(-z))
