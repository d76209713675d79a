"""What a board does with a section, and what it refuses; sections come from `quantize`."""

import copy
import random
import subprocess
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.logistic_table import knots, logistic_link, multiplier_and_shift, table_error
from edge_lasso.compressing.quantize import quantize
from edge_lasso_runtime import fixed_point
from edge_lasso_runtime.errors import ModelFormatError
from edge_lasso_runtime.fixed_point import KEY, decode, encode, predict_q, probability_q, reach, validate
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term

getcontext().prec = 40


def model_of(link="identity"):
    inputs = (
        Input("a", 0, 5.0, 0.0, 10.0),
        Input("b", 1, 1.0, -1.0, 3.0),
        Input("kind", 2, None, None, None, categories=("p", "q", "r")),
        Input("adc", 3, 1.0, 0.0, 3.3, raw=(3.3 / 4095, 0.0)),
    )
    terms = (
        Term(0.5, (Factor(0),)),
        Term(0.25, (Factor(0), Factor(1))),
        Term(2.0, (Factor(2, 1),)),
        Term(-1.0, (Factor(3),)),
    )
    classes = None if link == "identity" else ("no", "yes")
    return Model(("a", "b", "kind", "adc"), inputs, (Output("y", -1.0, terms, link),), classes=classes)


@cache
def quantized(link="identity"):
    return quantize(model_of(link), margin=0.0)


def test_the_integer_semantic_by_hand():
    section = {
        "inputs": [],
        "outputs": [
            {
                "unit": 0.5,
                "offset": 10.0,
                "bias": -7,
                "shift": 2,
                "terms": [
                    {"coef": 3, "factors": [0]},
                    {"coef": 5, "factors": [0, 1], "shift": 3},
                    {"coef": 100, "factors": [], "when": [[2, 1]]},
                    {"coef": -2, "factors": [1], "when": [[2, 0]]},
                ],
            },
            {"unit": 1.0, "offset": 0.0, "bias": 1, "shift": 0, "terms": []},
        ],
    }
    # -7 + 3*-9 + 5*((-9*11 + 4) >> 3) + 100 = 6; (6 + 2) >> 2 = 2
    assert predict_q(section, [-9, 11, 1]) == [2, 1]
    # -7 - 27 - 60 - 22 = -116; -114 >> 2 = -29
    assert predict_q(section, [-9, 11, 0]) == [-29, 1]
    assert decode(section, [-29, 1]) == [-4.5, 1.0]


def test_encode_rounds_halves_upwards_and_keeps_to_the_range():
    model = quantized()
    one = model.sections[KEY]["inputs"][0]
    step = 1.0 / one["scale"]
    for count in (one["low"] + 1, -3, 0, 2):
        assert encode(model, {"a": one["centre"] + (count - 0.5) * step})[0][0] == count
        assert encode(model, {"a": one["centre"] + (count + 0.49) * step})[0][0] == count
    for reading, end in ((-1e18, "low"), (-1.0, "low"), (11.0, "high"), (1e18, "high")):
        q, faults = encode(model, {"a": reading, "b": 1.0, "kind": "q", "adc": 1.0})
        assert q[0] == one[end]
        assert faults == {"a": "out of range"}


def test_encode_takes_categories_and_what_is_missing():
    model = quantized()
    fixed = model.sections[KEY]["inputs"]
    q, faults = encode(model, {"a": None, "b": float("nan"), "kind": "unheard of"})
    assert q == [fixed[0]["default"], fixed[1]["default"], -1, fixed[3]["default"]]
    assert faults == dict.fromkeys(("a", "b", "kind", "adc"), "missing")
    assert encode(model, {"kind": "r"})[0][2] == 2
    assert encode(model, [5.0, 1.0, 1, 3.3])[0][2:] == [1, 4095]


@given(st.data())
@settings(max_examples=100)
def test_products_of_extreme_counts_stay_below_two_to_the_thirty(data):
    a, b = (data.draw(st.integers(-32767, 32767)) for _ in range(2))
    shift = data.draw(st.integers(0, 16))
    inputs = [{"low": min(q, 0), "high": max(q, 0)} for q in (a, b)]
    term = {"coef": 1, "factors": [0, 1], "shift": shift}
    output = {"bias": 0, "shift": 0, "unit": 1.0, "offset": 0.0, "terms": [term]}
    r = predict_q({"outputs": [output]}, [a, b])[0]
    assert abs(r) <= reach(inputs, output) < 2**30
    assert abs(Fraction(a * b, 2**shift) - r) <= Fraction(1, 2)


# --- the logistic table


def logistic(z):
    return 1 / (1 + (-Decimal(z.numerator) / Decimal(z.denominator)).exp())


def test_the_table_is_monotone_symmetric_and_its_error_is_exact():
    """Every argument of the table, against decimal arithmetic: the proof does not rest on binary64."""
    section = {"link": {"multiplier": 1, "first": 0, "second": 0, "limit": 2**30, "knots": list(knots())}}
    assert probability_q(section, 0) == 32768
    last, worst = 32768, Decimal(0)
    for v in range(0, 80 * 512 + 1):
        p = probability_q(section, v)
        assert last <= p <= 65535
        assert probability_q(section, -v) == 65536 - p or v == 0
        last = p
        if v % 8 == 0 or v < 2000:
            for z in (Fraction(max(2 * v - 1, 0), 8192), Fraction(2 * v + 1, 8192) + Fraction(1, 2**18)):
                worst = max(worst, abs(Decimal(p) / 65536 - logistic(z)))
    assert float(worst) <= table_error() < 1.3e-4
    assert float(worst) > 0.95 * table_error()


@pytest.mark.parametrize("unit", [2.0**-9, 201 / 128 * 2.0**-8, 255 * 2.0**-12, 129 * 2.0**-18])
def test_every_integer_logit_against_exact_arithmetic(unit):
    section = {"link": logistic_link(unit, 0.0)}
    last, edge = 0, section["link"]["limit"]
    step = max(1, edge // 20_000)
    for r in [*range(0, edge + 2, step), edge - 1, edge, edge + 1, 10 * edge, 2**30 - 1]:
        p = probability_q(section, r)
        assert p >= last or r < edge + 1
        last = p
        exact = logistic(Fraction(unit) * r)
        assert abs(Decimal(p) / 65536 - exact) <= Decimal(section["link"]["bound"])
        if r:
            assert probability_q(section, -r) == 65536 - p


@pytest.mark.parametrize("exponent", range(-40, -5))
def test_the_tables_argument_stays_inside_for_every_unit(exponent):
    for multiplier in (128, 129, 200, 255):
        link = logistic_link(multiplier * 2.0**exponent / 128, 1e-3)
        section = {"link": link}
        argument = ((link["limit"] - 1) >> link["first"]) * link["multiplier"]
        assert argument + (1 << link["second"] >> 1) < 2**30
        assert (argument + (1 << link["second"] >> 1)) >> link["second"] <= 80 * 512
        for r in (link["limit"] - 1, min(link["limit"], 2**30 - 1)):
            exact = logistic(Fraction(multiplier * 2.0**exponent / 128) * r)
            assert abs(Decimal(probability_q(section, r)) / 65536 - exact) <= Decimal(table_error())


def test_units_are_split_exactly():
    rng = random.Random(0)
    for _ in range(200):
        multiplier, shift = rng.randint(128, 255), rng.randint(-5, 40)
        assert multiplier_and_shift(float(Fraction(multiplier) / 2**12 / Fraction(2) ** shift)) == (multiplier, shift)
    with pytest.raises(ValueError, match="more than 8 significant bits"):
        multiplier_and_shift(1.0 + 2.0**-9)


# --- refusing


def refused(section, model):
    with pytest.raises(ModelFormatError) as caught:
        validate(section, model, "s")
    assert "\n" not in str(caught.value)
    return str(caught.value)


CHANGES = [
    (("bits",), 12, "s.bits is 12; allowed are 8, 16"),
    (("bits",), 8, "it must be from -127 to 127"),
    (("extra",), 1, "s.extra is unknown"),
    (("inputs",), [], "s.inputs has 0 entries; it must have 4"),
    (("inputs", 0, "low"), -40000, "must be from -32768 to 32767"),
    (("inputs", 0, "low"), -1, "do not match the input's range 0.0 to 10.0"),
    (("inputs", 0, "low"), 1.0, "it must be a whole number"),
    (("inputs", 0, "low"), True, "it must be a whole number"),
    (("inputs", 0, "default"), 32767, "s.inputs[0].default"),
    (("inputs", 0, "centre"), float("inf"), "it must be finite"),
    (("inputs", 0, "scale"), 0.0, "do not match the input's range"),
    (("inputs", 0, "scale"), 10**400, "it must be finite"),
    (("inputs", 0, "subtract"), 3, "goes with an input that has a raw scale"),
    (("inputs", 2, "categories"), 4, "is not the number of the input's categories"),
    (("inputs", 2), {}, "s.inputs[2].categories is missing"),
    (("outputs",), [], "s.outputs has 0 entries; it must have 1"),
    (("outputs", 0, "unit"), 0.0, "it must be positive"),
    (("outputs", 0, "bound"), -1.0, "must not be negative"),
    (("outputs", 0, "bound"), float("nan"), "s.outputs[0].bound is nan; it must be finite"),
    (("outputs", 0, "bias"), 2**30, "can reach"),
    (("outputs", 0, "bias"), 10**5000, "s.outputs[0].bias"),
    (("outputs", 0, "shift"), 1, "the shifted result must fit int16"),
    (("outputs", 0, "shift"), -1, "must be from 0 to 16"),
    (("outputs", 0, "terms"), {}, "it must be a list"),
    (("outputs", 0, "terms", 0, "coef"), 1 << 20, "must be from -32767 to 32767"),
    (("outputs", 0, "terms", 0, "factors"), [9], "inputs has 4 entries"),
    (("outputs", 0, "terms", 0, "factors"), [2], "uses the categorical input 2 as a number"),
    (("outputs", 0, "terms", 0, "factors"), [0, 0, 0], "fixed point takes at most two"),
    (("outputs", 0, "terms", 0, "factors"), [], "has neither factors nor 'when'"),
    (("outputs", 0, "terms", 0, "factors"), [[0]], "it must be an index into inputs"),
    (("outputs", 0, "terms", 0, "shift"), 3, "shift goes with two factors"),
    (("outputs", 0, "terms", 0, "when"), [[0, 1]], "input 0 is not categorical, or stands twice"),
    (("outputs", 0, "terms", 0, "when"), [[2, 1], [2, 0]], "stands twice"),
    (("outputs", 0, "terms", 0, "when"), [[2, 3]], "its categories has 3 entries"),
    (("outputs", 0, "terms", 0, "when"), [[2]], "it holds pairs of an input and a category"),
    (("outputs", 0, "terms", 0, "when"), 7, "it must be a list"),
    (("link",), {}, "s.link goes with the link 'logistic'"),
]


@pytest.mark.parametrize(("path", "value", "message"), CHANGES, ids=range(len(CHANGES)))
def test_a_changed_section_is_refused_with_the_field(path, value, message):
    model = quantized()
    section = copy.deepcopy(model.sections[KEY])
    validate(section, model, "s")
    at = section
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert message in refused(section, model)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("multiplier", 256, "must be from 1 to 255"),
        ("multiplier", 0, "must be from 1 to 255"),
        ("first", 31, "must be from 0 to 30"),
        ("first", -1, "must be from 0 to 30"),
        ("second", 17, "must be from 0 to 16"),
        ("second", -1, "must be from 0 to 16"),
        ("limit", 0, "must be from 1 to 1073741824"),
        ("limit", 2**30, "exceeds the table or 2^30"),
        ("second", 0, "exceeds the table or 2^30"),
        ("bound", -1.0, "must not be negative"),
        ("knots", [1], "has 1 entries; it must have 81"),
        ("knots", list(range(40000, 39919, -1)), "s.link.knots[1] is 39999; it must be from 40000"),
    ],
)
def test_a_changed_table_is_refused(key, value, message):
    model = quantized("logistic")
    section = copy.deepcopy(model.sections[KEY])
    validate(section, model, "s")
    section["link"][key] = value
    assert message in refused(section, model)
    del section["link"]
    assert "goes with the link 'logistic'" in refused(section, model)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(junk, st.randoms(use_true_random=False), st.sampled_from(["identity", "logistic"]))
@settings(max_examples=300)
def test_junk_anywhere_ends_in_the_named_error_or_a_safe_section(value, rng, link):
    """Whatever is accepted computes without overflow at the corners."""
    model = quantized(link)
    section = copy.deepcopy(model.sections[KEY])
    at = section
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = rng.choice(keys)
        if not isinstance(at[key], (dict, list)) or not at[key] or rng.random() < 0.2:
            break
        at = at[key]
    at[key] = value
    try:
        validate(section, model, "s")
    except ModelFormatError:
        return
    for output in section["outputs"]:
        assert reach(section["inputs"], output) < 2**30
    for _ in range(5):
        q = [
            rng.randint(-1, one["categories"] - 1) if "categories" in one else rng.choice([one["low"], one["high"]])
            for one in section["inputs"]
        ]
        for r in predict_q(section, q):
            assert abs(r) < 2**30
            if link == "logistic":
                assert 0 < probability_q(section, r) < 65536


def test_importing_costs_no_heavy_modules():
    heavy = "dataclasses, typing, re, inspect, enum, argparse, fractions, decimal, numpy"
    code = (
        "import sys, json\nbefore = set(sys.modules)\nimport edge_lasso_runtime.fixed_point\n"
        f"print([m for m in '{heavy}'.split(', ') if m in sys.modules and m not in before])"
    )
    source = str(fixed_point.__file__).rsplit("edge_lasso_runtime", 1)[0]
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {source!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"


def test_the_tables_argument_may_use_all_the_room_there_is():
    """Rounded up, the largest argument is the last number below 2^30; one more is refused."""
    model = quantized("logistic")
    section = copy.deepcopy(model.sections[KEY])
    section["link"].update(multiplier=1, first=0, second=16, limit=2**30 - 2**15)
    validate(section, model, "s")
    section["link"]["limit"] += 1
    assert "exceeds the table or 2^30" in refused(section, model)


def test_a_result_may_be_shifted_as_far_as_there_is():
    model = quantized()
    section = copy.deepcopy(model.sections[KEY])
    section["outputs"][0]["shift"] = 0
    most = reach(section["inputs"], section["outputs"][0])
    section["outputs"][0]["shift"] = 16
    assert reach(section["inputs"], section["outputs"][0]) == most + 2**15  # what rounding adds
    validate(section, model, "s")
    section["outputs"][0]["shift"] = 17
    assert "must be from 0 to 16" in refused(section, model)
