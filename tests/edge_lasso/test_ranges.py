"""Ranges from text and from data, and what clamping to them costs."""

import math

import numpy as np
import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.compressing.ranges import parse_range, quantile_ranges, saturation
from edge_lasso.errors import DataError
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term
from edge_lasso_runtime.predict import predict

KIND = Input("kind", 2, None, None, None, categories=("p", "q"))


def model_of():
    inputs = (Input("a", 0, 5.0, 0.0, 10.0), Input("b", 1, 0.0, -1.0, 1.0), KIND)
    terms = (Term(2.0, (Factor(0),)), Term(1.0, (Factor(0), Factor(1))), Term(3.0, (Factor(2, 1),)))
    return Model(("a", "b", "kind"), inputs, (Output("y", 1.0, terms), Output("z", 0.0, terms[:1])))


@pytest.mark.parametrize(
    ("text", "range_"),
    [
        ("t=-40:85", ("t", (-40.0, 85.0))),
        ("PM2.5=0:1e3", ("PM2.5", (0.0, 1000.0))),
        ("a=b=0:1", ("a=b", (0.0, 1.0))),
    ],
)
def test_a_range_is_read_from_text(text, range_):
    assert parse_range(text) == range_


@pytest.mark.parametrize("text", ["", "t", "t=", "0:5", "t=5", "=0:5", ":"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(DataError, match="is not NAME=LOW:HIGH, as in temperature=-40:85"):
        parse_range(text)


@pytest.mark.parametrize("text", ["t=a:b", "t=0:", "t=1:2:3"])
def test_ends_that_are_no_numbers_are_refused(text):
    with pytest.raises(DataError, match="is not LOW:HIGH with two numbers, as in t=0:500"):
        parse_range(text)


def test_a_range_of_a_category_is_refused():
    with pytest.raises(DataError, match="'kind', which is categorical"):
        quantize(model_of(), ranges={"kind": (0, 1)})


def test_a_training_range_without_width_asks_for_a_declared_one():
    model = model_of()
    still = model.inputs[0].replace(low=5.0, high=5.0)
    model = model.replace(inputs=(still, *model.inputs[1:]))
    with pytest.raises(DataError, match=r"the range 5.0 to 5.0 of input 'a' is empty; declare one .* like a=0:100"):
        quantize(model)
    assert quantize(model, ranges={"a": (0, 10)}).inputs[0].low == 0.0


def test_quantiles_give_ranges_that_hold_the_default():
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(20.0, 1.0, 5000), np.full(5000, 0.5), rng.integers(0, 2, 5000)])
    rows[0, 0], rows[1, 0] = 1e9, math.nan
    found = quantile_ranges(model_of(), rows, 0.01, 0.99)
    assert set(found) == {"a", "b"}
    assert found["a"][0] == 5.0
    assert 22.0 < found["a"][1] < 23.0
    assert found["b"] == (0.0, 0.5)
    assert quantize(model_of(), ranges=found).inputs[0].high == found["a"][1]


def test_quantiles_leave_lags_and_means_the_range_of_their_reading():
    inputs = [Input("a", 0, 5.0, 0.0, 9.0)]
    inputs += [
        Input(f"a.{kind}2", j + 1, default, low, 9.0, stream=(kind, "a", 2))
        for j, (kind, default, low) in enumerate((("lag", 5.0, 0.0), ("mean", 5.0, 0.0), ("difference", 0.0, -9.0)))
    ]
    terms = tuple(Term(1.0, (Factor(j),)) for j in range(4))
    model = Model(tuple(one.name for one in inputs), tuple(inputs), (Output("y", 0.0, terms),))
    found = quantile_ranges(model, np.random.default_rng(0).uniform(1.0, 8.0, (500, 4)))
    assert set(found) == {"a", "a.difference2"}
    made = quantize(model, ranges=found)
    assert [one.high for one in made.inputs[:3]] == [found["a"][1]] * 3


def test_saturation_is_counted_and_priced():
    rows = [[5.0, 0.0, 1], [12.0, 0.5, 0], [-1.0, 3.0, math.nan], [math.nan, -9.0, 7], [1e200, 0.0, 0]]
    found = saturation(model_of(), rows)
    assert found.rows == 5
    assert found.below == {"a": 1, "b": 1}
    assert found.above == {"a": 1, "b": 1}
    assert found.missing == {"a": 2, "b": 0, "kind": 2}
    assert found.rows_affected == 3
    free = [predict(model_of(), row).linear for row in rows]
    clamped = [predict(model_of().replace(policy="clamp"), row).linear for row in rows]
    for m in range(2):
        changes = [abs(a[m] - b[m]) for a, b in zip(free, clamped, strict=True)]
        assert found.largest[m] == pytest.approx(max(changes), rel=1e-12)
        assert found.rms[m] == pytest.approx(math.sqrt(sum(c * c for c in changes) / 5), rel=1e-12)


def test_saturation_of_nothing_is_nothing():
    found = saturation(model_of(), np.empty((0, 3)))
    assert (found.rows, found.rows_affected, found.largest, found.rms) == (0, 0, [0.0, 0.0], [0.0, 0.0])
    with pytest.raises(DataError, match=r"rows have shape \(2, 2\); expected \(n, 3\)"):
        saturation(model_of(), np.zeros((2, 2)))
