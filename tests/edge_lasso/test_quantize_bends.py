"""Hinges and steps in fixed point: the bound is attacked at knots and at the edges of counts, and the targets compared."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.error_bound import analyse
from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError
from edge_lasso.verifying.verify import export
from edge_lasso_runtime import Factor, Input, Model, ModelFormatError, Output, Term, dumps, loads, predict
from edge_lasso_runtime.counts import encode_counts
from edge_lasso_runtime.fixed_point import KEY, ROOM, decode, encode, predict_q, validate


def one_input(terms, low=-3.0, high=7.0, intercept=1.5, **changes):
    reading = Input("x", 0, (low + high) / 2, low, high, **changes)
    return Model(("x",), (reading,), (Output("y", intercept, tuple(terms)),), policy="clamp")


def hinge(coef, knot, i=0):
    return Term(coef, (Factor(i, hinge=knot),))


def step(coef, knot, i=0):
    return Term(coef, (Factor(i, step=knot),))


@st.composite
def bent_models(draw, steps=True):
    """One to three inputs of any range, each with a line, up to four hinges and perhaps a step, knots beyond too."""
    inputs, terms = [], []
    size = st.floats(-1.0, 1.0).map(lambda x: x * 2.0 ** round(12 * x))
    for i in range(draw(st.integers(1, 3))):
        low = draw(st.floats(-100.0, 100.0))
        high = low + 10.0 ** draw(st.floats(-2.0, 3.0))
        inputs.append(Input(f"x{i}", i, (low + high) / 2, low, high))
        knot = st.floats(-0.2, 1.2).map(lambda part, low=low, high=high: low + part * (high - low))
        terms += [Term(draw(size), (Factor(i),))] if draw(st.booleans()) else []
        terms += [hinge(draw(size), draw(knot), i) for _ in range(draw(st.integers(0, 4)))]
        terms += [step(draw(size), draw(knot), i)] if steps and draw(st.booleans()) else []
    terms = [term for term in terms if term.coef] or [hinge(1.0, inputs[0].default)]
    model = Model(tuple(i.name for i in inputs), tuple(inputs), (Output("y", draw(size), tuple(terms)),), "clamp")
    return loads(dumps(model))


def at_knots(model, section, rng, count):
    """Readings at knots, at the edges of counts next to thresholds, and at the ends, each a little off."""
    rows = rng.uniform([i.low for i in model.inputs], [i.high for i in model.inputs], (count, len(model.inputs)))
    thresholds = [term["over"] for term in section["outputs"][0]["terms"] if "over" in term]
    for row in rows:
        for i, fixed in enumerate(section["inputs"]):
            counts = [count for place, count in thresholds if place == i] + [fixed["low"], fixed["high"] - 1]
            edge = rng.choice(counts) + rng.integers(-1, 2) + 0.5
            value = edge / fixed["scale"] + fixed["centre"]
            value += rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(-14, -3) / fixed["scale"]
            knots = [f.knot for t in model.outputs[0].terms for f in t.factors if f.input == i and f.knot is not None]
            if knots and rng.random() < 0.5:
                value = math.nextafter(rng.choice(knots), rng.choice([-math.inf, 0.0, math.inf]))
            row[i] = min(max(value, model.inputs[i].low), model.inputs[i].high)
    return rows.tolist()


def largest_error(model, fixed, rows):
    section = fixed.sections[KEY]
    return max(
        abs(decode(section, predict_q(section, encode(fixed, row)[0]))[0] - predict(model, row).linear[0])
        for row in rows
    )


@given(bent_models(), st.sampled_from(["int8", "int16"]), st.sampled_from([16, 32]), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
@pytest.mark.long
def test_no_row_breaks_the_bound(model, precision, result_bits, seed):
    fixed = quantize(model, precision, margin=0.0, result_bits=result_bits)
    rows = at_knots(model, fixed.sections[KEY], np.random.default_rng(seed), 200)
    assert largest_error(model, fixed, rows) <= analyse(fixed)[0].bound
    validate(fixed.sections[KEY], fixed, KEY)


@pytest.mark.parametrize("precision", ["int8", "int16"])
@pytest.mark.long
def test_the_bound_is_reached(precision):
    """It is exact where inputs are alone: a looser one would refuse what holds."""
    model = one_input([Term(0.31, (Factor(0),)), hinge(-0.77, -1.3), hinge(1.9, 0.123), hinge(0.4, 5.5)])
    fixed = quantize(model, precision, margin=0.0)
    section = fixed.sections[KEY]
    grid = section["inputs"][0]
    edges = [(q + 0.5) / grid["scale"] + grid["centre"] for q in range(grid["low"], grid["high"])]
    rows = [[math.nextafter(x, way)] for x in edges for way in (-math.inf, math.inf)] + [[-3.0], [7.0]]
    assert 0.999 < largest_error(model, fixed, rows) / analyse(fixed)[0].bound <= 1.0


def test_a_knot_costs_no_more_than_a_reading():
    straight = analyse(quantize(one_input([Term(2.0, (Factor(0),))]), "int16"))[0].bound
    bent = analyse(quantize(one_input([Term(1.0, (Factor(0),)), hinge(1.0, 0.1234567)]), "int16"))[0].bound
    assert bent < 1.3 * straight


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=20, deadline=None)
def test_nothing_overflows_in_any_order(seed, small):
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.uniform(-3.0, 7.0, 5)).tolist()
    terms = [Term(float(rng.normal()), (Factor(0),)), *(hinge(float(rng.normal()) * 10, k) for k in knots[:4])]
    fixed = quantize(one_input([*terms, step(float(rng.normal()), knots[4])]), "int8" if small else "int16")
    section = fixed.sections[KEY]
    output, grid = section["outputs"][0], section["inputs"][0]
    ends = {grid["low"], grid["high"], *(t["over"][1] + up for t in output["terms"] if "over" in t for up in (0, 1))}
    for q in ends:
        parts = [output["bias"]]
        for term in output["terms"]:
            if "over" not in term or q > term["over"][1]:
                product = term["coef"] * (q if term["factors"] else 1)
                assert abs(product) < ROOM
                parts.append(product + term.get("plus", 0))
        for order in itertools.islice(itertools.permutations(parts), 200):
            assert max(abs(total) for total in itertools.accumulate(order)) < ROOM
        assert predict_q(section, [q]) == [sum(parts) >> output["shift"]]


@pytest.mark.parametrize(("scale", "offset"), [(0.0008, 0.0), (-0.25, 3.0), (3, -7)])
def test_counts_see_knots_exactly(scale, offset):
    """A sensor that delivers counts is on the side of a knot that the model puts it on, steps between counts included."""
    low, high = sorted((offset + scale * 10, offset + scale * 4000))
    model = one_input(
        [Term(0.5, (Factor(0),)), hinge(1.25, offset + scale * 700), step(100.0, offset + scale * 1200.5)], low, high
    )
    fixed = quantize(model, "int16", margin=0.0, raw={"x": (scale, offset)})
    section, bound = fixed.sections[KEY], analyse(fixed)[0]
    assert bound.bound >= 100.0  # of any reading: within half a count of the step
    assert bound.bound_counts < 0.1 * (high - low) / 1000.0
    for count in [*range(10, 4000, 97), 699, 700, 701, 1200, 1201]:
        value = decode(section, predict_q(section, encode_counts(fixed, [count])[0]))[0]
        wanted = predict(model, [offset + scale * count]).linear[0]
        assert abs(value - wanted) <= bound.bound_counts


def test_a_step_does_not_move_what_is_far_from_it():
    model = one_input([Term(0.5, (Factor(0),)), step(100.0, 2.0)])
    fixed = quantize(model, "int16", margin=0.0)
    rows = [[x] for x in np.linspace(-3.0, 7.0, 501).tolist() if abs(x - 2.0) > 0.01]
    assert largest_error(model, fixed, rows) < 0.01
    assert 100.0 <= analyse(fixed)[0].bound < 100.1


@pytest.mark.parametrize("knot", [-50.0, -3.0, 7.0, 50.0])
def test_a_knot_outside_the_range_is_a_line_or_nothing(knot):
    model = one_input([Term(0.5, (Factor(0),)), hinge(2.0, knot), step(3.0, knot)])
    fixed = quantize(model, "int16", margin=0.0)
    assert not any("over" in term for term in fixed.sections[KEY]["outputs"][0]["terms"]) or knot == -3.0
    rows = [[x] for x in np.linspace(-3.0, 7.0, 201).tolist()]
    assert largest_error(model, fixed, rows) <= analyse(fixed)[0].bound


def test_what_fixed_point_cannot_do_is_said_in_one_line():
    term = Term(1.0, (Factor(0, hinge=0.0), Factor(0)))
    with pytest.raises(
        DataError, match=r"^fixed point takes hinges and steps alone, and 'y' has max\(0, x - 0\) x x; "
    ):
        quantize(one_input([term]), "int16")


def several(link="identity", outputs=1):
    """Two readings with hinges and a step, and a category."""
    inputs = (
        Input("a", 0, 2.5, 0.0, 10.0), Input("b", 1, 50.0, -20.0, 100.0),
        Input("c", 2, None, None, None, "", ("red", "blue")),
    )  # fmt: skip
    factors = [(Factor(0),), (Factor(0, hinge=3.3),), (Factor(1, hinge=40.0),), (Factor(1, hinge=71.3),),
               (Factor(1, step=10.1),), (Factor(2, 1),), (Factor(0), Factor(0))]  # fmt: skip
    coefs = [0.31, -0.7, 0.02, -0.05, 0.25, 0.4, 0.01]
    classes = {"logistic": ("no", "yes"), "softmax": ("x", "y", "z")}.get(link)
    made = [
        Output(f"y{m}", 0.5 - m, tuple(Term(c / (1 + m), f) for c, f in zip(coefs, factors, strict=True)), link)
        for m in range(outputs)
    ]
    return Model(tuple(i.name for i in inputs), inputs, tuple(made), "clamp", classes)


def ran(certificate):
    """Targets that passed, and why others failed; runtimes that are not here are not spoken of."""
    failed = [f"{entry.target} {entry.reason}" for entry in certificate.artifacts if entry.status == "failed"]
    return {entry.target for entry in certificate.artifacts if entry.status == "passed"}, failed


@pytest.mark.needs("cc", "node")
@pytest.mark.parametrize(("link", "outputs"), [("identity", 1), ("identity", 2), ("logistic", 1), ("softmax", 3)])
@pytest.mark.parametrize("bits", ["int16", "int8"])
def test_every_target_computes_the_same_integers(tmp_path, link, outputs, bits):
    for raw, targets in (({"b": (0.5, -20.0)}, {"python", "c"}), (None, {"python", "c", "js"})):
        fixed = loads(dumps(quantize(several(link, outputs), bits, raw=raw)))
        to = ",".join(f"{target}:fixed" for target in sorted(targets))
        assert ran(export(fixed, to, tmp_path, allow_unverified=True)) == (targets, [])


@pytest.mark.needs("cc")
@pytest.mark.parametrize("inputs", ["selected", "all"])
def test_long_sums_keep_their_hinges(tmp_path, inputs):
    terms = [hinge(0.01 * (i + 1) * (-1) ** i, -2.9 + 0.09 * i) for i in range(100)]
    fixed = quantize(one_input([Term(1.0, (Factor(0),)), *terms]), "int16")
    certificate = export(fixed, "python:fixed,c:fixed", tmp_path, inputs=inputs, allow_unverified=True)
    assert ran(certificate) == ({"python", "c"}, [])


@pytest.mark.needs("cc", "node")
def test_a_threshold_that_is_one_off_is_caught(tmp_path, monkeypatch):
    from edge_lasso_exporters import fixed_c_sums, fixed_python

    def moved(term):
        return {**term, "over": [term["over"][0], term["over"][1] + 1]} if "over" in term else term

    c, python = fixed_c_sums._other, fixed_python._term
    monkeypatch.setattr(fixed_c_sums, "_other", lambda names, term: c(names, moved(term)))
    monkeypatch.setattr(fixed_python, "_term", lambda term: python(moved(term)))
    certificate = export(quantize(several(), "int16"), "python:fixed,c:fixed", tmp_path, allow_unverified=True)
    assert not ran(certificate)[0]
    assert {reason.split()[0] for reason in ran(certificate)[1]} == {"python", "c"}


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.update(over=[0]), "over has 1 entries; it must have 2"),
    (lambda t: t.update(over=[9, 0]), "over is 9; inputs has 3 entries, counted from 0"),
    (lambda t: t.update(over=[2, 0]), "input 2 is categorical"),
    (lambda t: t.update(over=[0, 40000]), "it must be from -32768 to 32767"),
    (lambda t: t.update(over=[0, 1.5]), "it must be a whole number"),
    (lambda t: t.update(over=[1, 0]), "over goes with its own input as the factor, or with none"),
    (lambda t: t.update(when=[[2, 0]]), "over goes with its own input as the factor, or with none, and not with 'when'"),
    (lambda t: t.pop("plus"), "plus goes with 'over' and a factor, and only with them"),
    (lambda t: t.pop("over"), "plus goes with 'over' and a factor, and only with them"),
    (lambda t: t.update(factors=[]), "plus goes with 'over' and a factor, and only with them"),
    (lambda t: t.update(plus=2**31), "plus is 2147483648; it must be from"),
    (lambda t: t.update(plus=ROOM - 1), "fixed point stays below 2\\^30"),
    (lambda t: t.update(coef=32768), "coef is 32768; it must be from -32767 to 32767"),
], ids=itertools.count())  # fmt: skip
def test_a_tampered_section_is_refused_with_the_field(change, message):
    data = json.loads(dumps(quantize(several(), "int16")))
    terms = data["sections"][KEY]["outputs"][0]["terms"]
    change(next(term for term in terms if term.get("over", [None])[0] == 0))
    with pytest.raises(ModelFormatError, match=message):
        loads(json.dumps(data))


def test_bounds_of_bits_and_margins_go_on_holding():
    model = several()
    for bits, raw in itertools.product(("int8", "int16"), (None, {"b": (-0.5, 100.0)})):
        fixed = quantize(model, bits, raw=raw)
        rng = np.random.default_rng(0)
        rows = [
            [*row, float(rng.integers(-1, 2))] for row in rng.uniform([0.0, -20.0], [10.0, 100.0], (300, 2)).tolist()
        ]
        assert largest_error(model.replace(inputs=fixed.inputs), fixed, rows) <= analyse(fixed)[0].bound
    assert Fraction(analyse(fixed)[0].bound_counts) < Fraction(analyse(fixed)[0].bound)
