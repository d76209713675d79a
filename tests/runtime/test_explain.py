"""Contributions: they add up to the prediction, and are what their definition says."""

import csv
import io
import itertools
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import regression

from edge_lasso_runtime import Factor, Input, Model, Output, Term, predict, save
from edge_lasso_runtime.explain import explain

INPUTS = (
    Input("a", 0, 1.5, -10.0, 10.0), Input("b", 1, -2.0, -10.0, 10.0), Input("c", 2, 0.25, -10.0, 10.0),
    Input("kind", 3, None, None, None, "", ("red", "green")),
)  # fmt: skip


def model(*terms, link="identity"):
    outputs = (Output("y", 0.75, tuple(Term(coef, factors) for coef, factors in terms), link),)
    classes = ("no", "yes") if link == "logistic" else None
    return Model(("a", "b", "c", "kind"), INPUTS, outputs, classes=classes)


A, B, C, GREEN = Factor(0), Factor(1), Factor(2), Factor(3, 1)
EVERYTHING = ((2.0, (A,)), (-1.0, (A, A)), (0.5, (A, B)), (0.125, (A, B, C)), (3.0, (GREEN,)), (0.5, (GREEN, C)))


@pytest.mark.parametrize("link", ["identity", "logistic"])
@given(
    x=st.tuples(*[st.floats(-10, 10)] * 3, st.sampled_from(["red", "green", "blue"])),
    chosen=st.lists(st.sampled_from(EVERYTHING), max_size=6),
)
def test_contributions_add_up_to_the_prediction(link, x, chosen):
    one = model(*chosen, link=link)
    row = dict(zip(("a", "b", "c", "kind"), x, strict=True))
    (found,) = explain(one, row)
    total = found.baseline + sum(part for _, part in found.contributions)
    assert total == pytest.approx(predict(one, row).linear[0], rel=1e-12, abs=1e-9)
    assert found.baseline == predict(one, {}).linear[0]
    sizes = [abs(part) for _, part in found.contributions]
    assert sizes == sorted(sizes, reverse=True)


def test_plain_terms_are_coefficient_times_deviation():
    (found,) = explain(model((2.0, (A,)), (-3.0, (B,)), (1.0, (A,))), [4.0, -2.0, 0.0, 0])
    assert found.contributions == [("a", 2.0 * (4.0 - 1.5) + 1.0 * (4.0 - 1.5))]
    assert found.baseline == 0.75 + 2.0 * 1.5 + -3.0 * -2.0 + 1.0 * 1.5


def test_a_product_is_divided_evenly_over_all_orders():
    """The Shapley value by its definition: every order of moving the inputs from their means."""
    x, means = {"a": 3.0, "b": 5.0, "c": -4.0}, {"a": 1.5, "b": -2.0, "c": 0.25}
    want = dict.fromkeys("abc", 0.0)
    for order in itertools.permutations("abc"):
        now = dict(means)
        for name in order:
            before = now["a"] * now["b"] * now["c"]
            now[name] = x[name]
            want[name] += 0.5 * (now["a"] * now["b"] * now["c"] - before) / 6.0
    (found,) = explain(model((0.5, (A, B, C))), [3.0, 5.0, -4.0, 0])
    assert dict(found.contributions) == pytest.approx(want, rel=1e-12)


def test_indicators_count_from_none_of_the_categories():
    one = model((3.0, (GREEN,)))
    assert explain(one, {"kind": "green"})[0].contributions == [("kind", 3.0)]
    assert explain(one, {"kind": "red"})[0].contributions == []
    assert explain(one, {"kind": "green", "a": None})[0].baseline == 0.75


@pytest.mark.parametrize("more", [[], ["--interval"]])
def test_on_the_command_line(tmp_path, more):
    save(regression(), tmp_path / "model.json")
    row = {"t": 25.0, "t.lag2": 30.0, "kind": "green"}
    done = subprocess.run(
        [sys.executable, "-m", "edge_lasso_runtime", "predict", str(tmp_path / "model.json"), "-", "--explain", *more],
        input=json.dumps(row), capture_output=True, text=True, check=True,
    )  # fmt: skip
    (cells,) = csv.DictReader(io.StringIO(done.stdout))
    assert {name: float(cells[f"y from {name}"]) for name in row} == {"t": 2.5, "t.lag2": 2.5, "kind": 2.0}
    total = float(cells["y at means"]) + 2.5 + 2.5 + 2.0
    assert total == pytest.approx(float(cells["y"]))
