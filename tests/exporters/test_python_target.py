"""The Python target: bit-equal to the reference on every shape, in every interpreter at hand, with any reading."""

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso_exporters import registry
from edge_lasso_exporters.double_python import LONGEST_LINE, guards
from edge_lasso_exporters.vectors import largest
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, predict
from edge_lasso_runtime.fixed_point import decode, encode, label_q, predict_q, probability_q
from edge_lasso_runtime.predict import clean, linear

GOLDEN = Path(__file__).parent / "golden"
SEEDS = st.integers(0, 2**32)


def source_of(model, variant="double", inputs="selected"):
    return registry.render(model, "python", variant, inputs)["model.py"].decode()


def load(model, variant="double", inputs="selected"):
    scope = {"__name__": "model"}
    exec(compile(source_of(model, variant, inputs), "model.py", "exec"), scope)
    return scope


def as_list(y):
    return y if isinstance(y, list) else [y]


def mapping(model, row):
    found = {}
    for one, x in zip(model.inputs, row, strict=True):
        if not one.categories:
            found[one.name] = x
        elif x in (0.0, 1.0, 2.0):
            found[one.name] = one.categories[int(x)]
    return found


@given(seed=SEEDS, inputs=st.sampled_from(("selected", "all")))
@settings(max_examples=150)
@pytest.mark.long
def test_bit_equal(any_model, odd, widened, seed, inputs):
    model = any_model(seed)
    scope = load(model, inputs=inputs)
    for row in odd(model, seed):
        wanted = predict(model, row)
        given_row = row if inputs == "selected" else widened(model, row)
        assert as_list(scope["linear"](given_row)) == wanted.linear
        assert as_list(scope["predict"](given_row)) == pytest.approx(wanted.values, rel=4 * 2.0**-52, abs=0.0)
        assert "label" not in scope or scope["label"](given_row) == wanted.label
        named = mapping(model, row)
        wanted = predict(model, named)
        value, status = scope["predict_row"](named)
        assert as_list(value) == pytest.approx(wanted.values, rel=4 * 2.0**-52, abs=0.0)
        faults = ", ".join(f"{name} {what}" for name, what in wanted.faults.items())
        assert sorted(status.removeprefix("degraded: ").split(", ")) == sorted((faults or "ok").split(", "))
    assert scope["selftest"]()


@given(seed=SEEDS, inputs=st.sampled_from(("selected", "all")), to=st.sampled_from(("int16", "int8")))
@settings(max_examples=60)
@pytest.mark.long
def test_fixed_point_bit_equal(make, odd, widened, seed, inputs, to):
    link = ("identity", "logistic", "softmax")[seed % 3]
    model = make(
        seed, 4, 3 if link == "softmax" else 1 + seed % 2 * (link == "identity"), link, categories=seed // 3 % 2
    )
    model = quantize(model, to=to)
    section = model.sections["fixed_point/1"]
    scope = load(model, "fixed", inputs)
    for row in odd(model, seed):
        wanted, faults = encode(model, row)
        q, status = scope["encode"](row if inputs == "selected" else widened(model, row))
        assert (q if inputs == "selected" else [q[one.column] for one in model.inputs]) == wanted
        assert (status == "ok") == (not faults)
        r = predict_q(section, wanted)
        assert as_list(scope["predict"](q)) == r
        assert [scope["decode"](value, m) for m, value in enumerate(r)] == decode(section, r)
        assert "label" not in scope or scope["label"](q) == label_q(model, r)
        assert "probability" not in scope or scope["probability"](r[0]) == probability_q(section, r[0])
    assert scope["selftest"]()


def test_a_product_cannot_hide_an_absurd_reading():
    # The result stays small, because the other factor is small: the guard on the result would not notice.
    inputs = (Input("a", 0, 1.0, 0.0, 2.0), Input("b", 1, 1.0, -1.0, 1.0))
    terms = (Term(1.0, (Factor(0), Factor(1))), Term(1.0, (Factor(0),)))
    model = Model(("a", "b"), inputs, (Output("y", 0.0, (terms[0],)),))
    assert guards(model) == ([0.0], [0, 1])
    assert load(model)["predict"]([4.0 * model.limit, 1e-9]) == 1e-9
    cancelling = Model(("a", "b"), inputs, (Output("y", 0.0, terms),))
    assert load(cancelling)["predict"]([4.0 * model.limit, -1.0]) == 0.0


@given(seed=SEEDS)
@settings(max_examples=200)
def test_guards_are_what_the_proof_needs(any_model, seed):
    model = any_model(seed)
    limits, watched = guards(model)
    for i, one in enumerate(model.inputs):
        if one.categories or i in watched:
            continue
        seen = False
        for output, limit in zip(model.outputs, limits, strict=True):
            terms = [term for term in output.terms if any(factor.input == i for factor in term.factors)]
            if limit and len(terms) == 1 and len(terms[0].factors) == 1:
                size = abs(terms[0].coef) * model.limit
                seen = seen or size - largest(model, output) >= 0.7 * size >= limit
        assert seen


@pytest.mark.long
def test_no_guard_slows_down_ordinary_rows(any_model):
    for seed in range(200):
        model = any_model(seed)
        if model.policy == "extrapolate":
            scope = load(model)
            scope["check"] = None  # the slow way
            row = [0.0 if one.categories else one.high for one in model.inputs]
            assert as_list(scope["linear"](row)) == linear(model, row)


class InFloat32(ast.NodeTransformer):
    """Every constant and every `float(...)` in 32 bits, as on most boards' MicroPython."""

    def visit_Constant(self, node):
        if not isinstance(node.value, float):
            return node
        return ast.Call(ast.Name("F", ast.Load()), [node], [])

    def visit_Name(self, node):
        return ast.Name("F", node.ctx) if node.id == "float" else node


@given(seed=SEEDS)
@settings(max_examples=60)
@pytest.mark.long
def test_with_32_bit_floats(any_model, odd, seed):
    model = any_model(seed)
    scope = {"F": np.float32}
    with np.errstate(all="ignore"):
        tree = ast.fix_missing_locations(InFloat32().visit(ast.parse(source_of(model))))
        exec(compile(tree, "model.py", "exec"), scope)
        assert scope["selftest"]()
        for row in odd(model, seed):
            given_row = [None if x is None else np.float32(x) for x in row]
            # the reference on what such a board sees: its readings, ranges and limit are rounded as well
            seen = [None if x is None else float(x) for x in given_row]
            rounded = model.replace(inputs=tuple(
                one.replace(**{key: None if (end := getattr(one, key)) is None else float(np.float32(end))
                               for key in ("low", "high", "default")}) for one in model.inputs))  # fmt: skip
            x, _ = clean(rounded, seen)
            got = as_list(scope["linear"](given_row))
            for value, wanted, output in zip(got, linear(rounded, x), model.outputs, strict=True):
                assert isinstance(value, np.float32)
                size = abs(output.intercept) + sum(
                    abs(term.coef) * math.prod(1.0 if f.category is not None else abs(x[f.input]) for f in term.factors)
                    for term in output.terms
                )
                n = len(output.terms) + 2 * model.degree + 3
                tiny = 2.0**-126 * (1.0 + sum(abs(v) ** (model.degree - 1) for v in x)) * n
                assert abs(float(value) - wanted) <= n * 2.0**-24 / (1 - n * 2.0**-24) * size + tiny


def test_imports_nothing(shapes):
    for model in shapes.values():
        for node in ast.walk(ast.parse(source_of(model))):
            assert not isinstance(node, ast.Import)
            if isinstance(node, ast.ImportFrom):
                assert (node.module, model.outputs[0].link != "identity") == ("math", True)


@pytest.mark.parametrize("variant", ["double", "fixed"])
def test_golden(simple, variant):
    model = quantize(simple, to="int16") if variant == "fixed" else simple
    golden = GOLDEN / f"python_{variant}_model.py"
    assert source_of(model, variant) == golden.read_text(), f"if this change is meant, replace {golden.name}"


@pytest.mark.parametrize("variant", ["double", "fixed"])
def test_no_reading_is_not_a_category_called_none(variant):
    kind = Input("kind", 0, None, None, None, categories=("None", "nan"))
    terms = (Term(5.0, (Factor(0, 0),)), Term(7.0, (Factor(0, 1),)))
    model = Model(("kind",), (kind,), (Output("y", 1.0, terms),))
    scope = load(quantize(model) if variant == "fixed" else model, variant)
    for reading in (None, math.nan):
        assert scope["predict_row"]({"kind": reading}) == (pytest.approx(1.0, abs=1e-6), "degraded: kind missing")
    assert scope["predict_row"]({"kind": "None"}) == (pytest.approx(6.0, abs=1e-6), "ok")


def test_api(simple):
    scope = load(simple)
    assert scope["FEATURES"] == ("a", "b")
    assert scope["UNITS"] == ("K", "")
    assert (scope["OUTPUTS"], scope["OUTPUT_UNITS"]) == (("y",), ("V",))
    assert scope["INPUTS"][1] == (1, -1.0, -4.0, 0.0, 0)
    assert scope["MODEL_HASH"] == model_hash(simple)
    assert scope["predict"]([1.0, -2.0]) == scope["linear"]((1, -2)) == 2.75
    assert scope["predict"]([None, float("nan")]) == scope["predict"]([1.0, -1.0])
    assert scope["predict"](["wet", 10**400]) == scope["predict"]([1.0, -1.0])
    assert scope["predict_row"]({"a": 1.0, "b": -2.0}) == (2.75, "ok")
    assert scope["predict_row"]({"a": 9.0}) == (18.625, "degraded: a out of range, b missing")
    assert json.loads(registry.render(simple, "python", "double")["package.json"])["urls"] == [["model.py", "model.py"]]


def test_selftest_finds_a_broken_file(simple):
    scope = {}
    exec(source_of(simple).replace("-0.125", "-0.12501"), scope)
    assert not scope["selftest"]()
    quantized = quantize(simple, to="int16")
    text = source_of(quantized, "fixed")
    line = next(line for line in text.splitlines() if line.startswith("    r = "))
    exec(text.replace(line, line + " + 1"), scope)
    assert not scope["selftest"]()


@pytest.mark.parametrize("variant", ["double", "fixed"])
@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("count", [2, LONGEST_LINE + 1])
def test_a_row_of_the_wrong_width(many_terms, variant, inputs, count):
    model = many_terms(count)
    model = quantize(model, to="int16") if variant == "fixed" else model
    scope = load(model, variant, inputs)
    for width in (0, count - 1, count + 1):
        with pytest.raises(ValueError, match=r"values"):
            scope["predict"]([1] * width)


@pytest.mark.long
@pytest.mark.parametrize("count", [LONGEST_LINE, LONGEST_LINE + 1, 5000])
@pytest.mark.parametrize("products", [False, True])
def test_many_terms(many_terms, widened, count, products):
    model = many_terms(count, products)
    for policy in ("extrapolate", "clamp"):
        model = model.replace(policy=policy)
        scope = load(model)
        for row in ([0.25] * len(model.inputs), [1.5] * len(model.inputs), [None, *[0.5] * (len(model.inputs) - 1)]):
            assert [scope["predict"](row)] == linear(model, clean(model, row)[0])
        assert load(model, inputs="all")["predict"](widened(model, row)) == scope["predict"](row)
    assert ("TERMS" in scope) == (count > LONGEST_LINE)
    assert scope["selftest"]()


@pytest.mark.slow
@pytest.mark.parametrize("count", [LONGEST_LINE + 1, 5000])
def test_many_terms_in_fixed_point(many_terms, count):
    model = quantize(many_terms(count), to="int16")
    scope = load(model, "fixed")
    q = scope["encode"]([0.1 * (i % 10) for i in range(count)])[0]
    assert [scope["predict"](q)] == predict_q(model.sections["fixed_point/1"], q)
    assert scope["selftest"]()


def test_constant_model():
    scope = load(Model(("a",), (), (Output("y", 2.5, ()),)))
    assert scope["predict"]([]) == 2.5
    assert scope["predict_row"]({"a": 1.0}) == (2.5, "ok")


def test_names_cannot_inject_code(nasty, nasty_name):
    model = nasty(nasty_name)
    for variant, one in (("double", model), ("fixed", quantize(model, to="int16"))):
        scope = load(one, variant)
        assert scope["FEATURES"] == tuple(found.name for found in model.inputs)
        assert scope["UNITS"][0] == nasty_name
        assert scope["OUTPUTS"] == (nasty_name,)
        assert scope["CLASSES"] == model.classes
        assert scope["CATEGORIES"] == {"kind": model.inputs[-1].categories}
        assert scope["selftest"]()
        assert source_of(one, variant).isascii()
        assert scope["predict_row"]({nasty_name: 1.0})[1].startswith("degraded: ")
