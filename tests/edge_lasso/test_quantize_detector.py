"""A detector's integers: within their bound of the exact residual, deterministic, refused with a reason."""

import random
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso.reporting.show_detector import show_detector
from edge_lasso.reporting.show_quantized import show_quantized
from edge_lasso_runtime import Factor, Term, dumps
from edge_lasso_runtime.fixed_detector import KEY, PRECISE, readings_q
from edge_lasso_runtime.fixed_history import NONE
from edge_lasso_runtime.fixed_stream import FixedDelays
from edge_lasso_runtime.stream import Delays, readings

PLAIN = {"detector": True, "categories": False, "policy": "clamp"}


def shown(model, capsys, tmp_path):
    show_quantized(model, tmp_path / "model.json", False)
    found = capsys.readouterr()
    return " ".join((found.out + found.err).split())


@given(seed=st.integers(0, 2**32), to=st.sampled_from(["int16", "int8"]))
@settings(max_examples=40)
@pytest.mark.long
def test_no_residual_is_further_off_than_proven(stateful_model, seed, to):
    model = quantize(stateful_model(seed, **PLAIN), to=to)
    if KEY not in model.sections:
        assert "hardly depends on it" in model.provenance["quantized"]["left_out"]
        return
    section, detector = model.sections[KEY], model.sections["detector/1"]
    source = random.Random(seed)
    place = {one.name: i for i, one in enumerate(model.inputs)}
    slow, fast = Delays(model), FixedDelays(model)
    for _ in range(30):
        row = []
        for i in readings(model):
            one = model.inputs[i]
            row.append(source.choice((one.low, one.high, source.uniform(one.low, one.high))))
        x, q = [float("nan")] * len(model.inputs), [NONE] * len(model.inputs)
        for i, value, integer in zip(readings(model), row, readings_q(model, row), strict=True):
            x[i], q[i] = value, integer
        slow.step(x)
        fast.step(q)
        x = [v if v != v else min(max(v, one.low), one.high) for v, one in zip(x, model.inputs, strict=True)]
        for output, watch, one in zip(model.outputs, detector["watched"], section["watched"], strict=True):
            used = [term.factors[0].input for term in output.terms]
            if any(q[i] == NONE for i in used):
                continue
            own = place[watch["reading"]]
            exact = Fraction(x[own]) - Fraction(output.intercept) - Fraction(watch["centre"])
            exact -= sum(Fraction(term.coef) * Fraction(x[i]) for term, i in zip(output.terms, used, strict=True))
            total = one["bias"] + one["own"] * q[own] + sum(coef * q[i] for coef, i in one["terms"])
            exact /= Fraction(watch["scale"])
            bits, most = PRECISE[detector["track"] > 0]
            v = min(max((total + (1 << one["shift"] >> 1)) >> one["shift"], -most), most)
            found = Fraction((v * one["factor"] + (1 << bits >> 1)) >> bits, 2 ** section["fraction"])
            if abs(exact) <= detector["clip"]:
                assert abs(found - exact) <= one["bound"]
            else:
                assert abs(found) >= Fraction(detector["clip"]) - Fraction(one["bound"])


@pytest.mark.parametrize("share", [0.4, 1e-2, 1e-4])
def test_the_bound_is_near_what_the_steps_of_the_readings_cost(stateful_model, share):
    """Even where a residual's scale is a small share of its sensor's range."""
    model = stateful_model(0, streams=0, track=0, **PLAIN)
    place = {one.name: one for one in model.inputs}
    watched = [
        {**one, "scale": share * (place[one["reading"]].high - place[one["reading"]].low)}
        for one in model.sections["detector/1"]["watched"]
    ]
    model = quantize(with_detector(model, watched=watched), to="int16")
    fixed = model.sections["fixed_point/1"]["inputs"]
    for output, watch, one in zip(
        model.outputs, model.sections["detector/1"]["watched"], model.sections[KEY]["watched"], strict=True
    ):
        own = next(i for i, it in enumerate(model.inputs) if it.name == watch["reading"])
        used = [(1.0, own), *((term.coef, term.factors[0].input) for term in output.terms)]
        steps = sum(abs(coef) / fixed[i]["scale"] for coef, i in used) / watch["scale"] / 2.0
        span = sum(abs(coef) * (model.inputs[i].high - model.inputs[i].low) for coef, i in used) / watch["scale"]
        coefs = len(used) * span * 2.0**-15  # of 16 bits, in a sum of 31
        assert steps <= one["bound"] <= 1.01 * steps + coefs + 2.0**-10  # roundings of 2^-12 and of the factor


def test_the_same_model_gives_the_same_section_and_a_second_time_too(stateful_model):
    model = stateful_model(4, **PLAIN)
    first = quantize(model, to="int16")
    assert dumps(quantize(model, to="int16")) == dumps(first)
    assert quantize(first, to="int16").sections == first.sections
    assert KEY not in quantize(first, to="float32").sections


def with_detector(model, **changes):
    section = {**model.sections["detector/1"], **changes}
    return model.replace(sections={**model.sections, "detector/1": section})


def scaled(model, **changes):
    watched = [{**one, **changes} for one in model.sections["detector/1"]["watched"]]
    return with_detector(model, watched=watched)


def product(model):
    at = next(i for i, one in enumerate(model.inputs) if one.name != model.outputs[0].name)
    first = model.outputs[0].replace(terms=(Term(1e-6, (Factor(at), Factor(at))),))
    return model.replace(outputs=(first, *model.outputs[1:]))


ADJUST = {"eta": 0.1, "floor": 0.5, "cap": 2.0, "freeze": 3, "thaw": 9}


@pytest.mark.parametrize(("change", "reason"), [
    (lambda m: with_detector(m, adjust={**ADJUST, "eta": 1e-8}), "a threshold as slow as .*"),
    (lambda m: with_detector(m, clip=5000.0), "residuals up to 5000.0 times their scale"),
    (lambda m: with_detector(m, smoothing=1e-8), "smoothing as slow as 1e-08"),
    (lambda m: scaled(m, scale=1e-9), "a residual of 's.' that is much smaller than a step of its integer"),
    (lambda m: scaled(m, scale=1e9), "a residual of 's.' that hardly depends on it"),
    (lambda m: scaled(m, slow=1e-6), "slow parts of residuals so small, or so different"),
    (product, "products of readings, as in 's.'"),
])  # fmt: skip
def test_what_integers_cannot_do_is_left_out_and_said(stateful_model, capsys, tmp_path, change, reason):
    model = stateful_model(6, smoothing=0.3, **PLAIN)
    found = quantize(change(model), to="int16")
    assert KEY not in found.sections
    text = shown(found, capsys, tmp_path)
    assert re.search(rf"note: no step_q, a detector in integers alone: it does not go with {reason}", text)


def test_what_quantize_says_of_it(stateful_model, capsys, tmp_path):
    model = quantize(stateful_model(6, **PLAIN), to="int16")
    assert "left_out" not in model.provenance["quantized"]
    text = shown(model, capsys, tmp_path)
    assert "step_q, the detector in integers alone: residuals within 0.0" in text
    show_detector(model, False)
    assert "step_q in integers alone; residuals within 0.0" in " ".join(capsys.readouterr().out.split())
