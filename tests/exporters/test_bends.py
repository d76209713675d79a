"""Hinges, steps and the link exp: the same in every target, and refused where there is no such thing."""

import math

import numpy as np
import pyarrow as pa
import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError
from edge_lasso.predicting.column_kernel import ColumnKernel
from edge_lasso.predicting.linear_columns import linear_columns
from edge_lasso.verifying.verify import export
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import Factor, Input, Model, ModelFormatError, Output, Term, loads, predict
from edge_lasso_runtime.explain import explain, term_text
from edge_lasso_runtime.format import dumps

TARGETS = "python,c:double,c:float,js,onnx:float32,onnx:float64,tflite:float32,tflite:float16,sql:sqlite,formula"


def bent(link="identity", outputs=1, policy="extrapolate", stream=False, copies=1):
    """Hinges and steps alone, in products, with a power, next to a category."""
    inputs = [
        Input("a", 0, 2.5, 0.0, 10.0, "V"),
        Input("b", 1, 50.0, -20.0, 100.0),
        Input("c", 2, None, None, None, "", ("red", "blue")),
    ]
    inputs += [Input("a before", 3, 2.5, 0.0, 10.0, stream=("lag", "a", 1))] if stream else []
    hinge, step = Factor(0, hinge=3.3), Factor(1, step=10.1)
    factors = [
        (Factor(0),), (hinge,), (Factor(1, hinge=40.0),), (step,), (Factor(2, 1),), (Factor(1, hinge=20.0), Factor(0)),
        (Factor(0, hinge=1.0), Factor(1, step=0.0)), (hinge, hinge), (Factor(0, hinge=-1.5), Factor(2, 0)),
    ]  # fmt: skip
    factors += [(Factor(3, hinge=5.0),), (Factor(3),)] if stream else []
    coefs = [0.31, -0.7, 0.02, 0.25, 0.4, 0.0011, -0.003, 0.013, 0.21, 0.17, -0.1]
    outputs = [
        Output(
            f"y{m}", 0.5 - m, tuple(Term(c / (1 + m), f) for c, f in zip(coefs, factors * copies, strict=False)), link
        )
        for m in range(outputs)
    ]
    classes = {"logistic": ("no", "yes"), "softmax": ("x", "y", "z")}.get(link)
    return loads(dumps(Model(tuple(i.name for i in inputs), tuple(inputs), tuple(outputs), policy, classes)))


@pytest.mark.needs("cc", "node", "module:formulas")
@pytest.mark.parametrize(("link", "outputs", "policy"), [("identity", 1, "clamp"), ("exp", 2, "extrapolate")])
def test_every_target_computes_what_the_reference_does(tmp_path, link, outputs, policy):
    model = bent(link, outputs, policy)
    artifacts = export(model, TARGETS + ",wasm", tmp_path).artifacts
    wrong = [f"{entry.target}:{entry.variant} {entry.reason}" for entry in artifacts if entry.status == "failed"]
    assert not wrong
    ran = {entry.target for entry in artifacts if entry.status == "passed"}
    assert ran == {"python", "c", "js", "onnx", "tflite", "sql", "formula", "wasm"}


@pytest.mark.needs("promtool", "module:duckdb")
def test_rules_and_views_compute_what_the_reference_does(tmp_path):
    artifacts = export(bent("exp"), "promql,sql:duckdb", tmp_path).artifacts
    assert [(entry.target, entry.status, entry.reason) for entry in artifacts] == [
        ("promql", "passed", ""),
        ("sql", "passed", ""),
    ]


@pytest.mark.needs("cc", "node")
def test_a_model_that_keeps_state_has_them_too(tmp_path):
    artifacts = export(bent("exp", stream=True), "python,c:double,c:float,js", tmp_path).artifacts
    assert not [f"{entry.target}:{entry.variant} {entry.reason}" for entry in artifacts if entry.status == "failed"]


@pytest.mark.parametrize("link", ["logistic", "softmax"])
@pytest.mark.long
def test_classes_of_bent_inputs(tmp_path, link):
    certificate = export(bent(link, 3 if link == "softmax" else 1), "python,onnx,wasm", tmp_path, allow_unverified=True)
    assert not [entry.reason for entry in certificate.artifacts if entry.status == "failed"]


def test_a_long_model_in_python_is_a_table(tmp_path):
    factors = tuple(
        Term(0.01 * (i + 1), (Factor(0, hinge=i / 20.0) if i % 2 else Factor(0, step=i / 20.0),)) for i in range(200)
    )
    model = bent().replace(outputs=(Output("y", 1.0, factors),))
    assert "for place, category, hinge, step in" in registry.render(model, "python", "double")["model.py"].decode()
    certificate = export(model, "python", tmp_path, allow_unverified=True)
    assert not [entry.reason for entry in certificate.artifacts if entry.status == "failed"]


def test_a_step_an_ulp_further_on_is_caught(tmp_path, monkeypatch):
    from edge_lasso_exporters import sql_target

    def moved(factor):
        return factor if factor.step is None else factor.replace(step=math.nextafter(factor.step, math.inf))

    factor = sql_target._factor
    monkeypatch.setattr(sql_target, "_factor", lambda model, part, dialect: factor(model, moved(part), dialect))
    assert "must be" in export(bent(), "sql:sqlite", tmp_path).artifacts[0].reason


@pytest.mark.needs("cc")
def test_columns_are_rows_bit_for_bit():
    model = bent("exp", policy="clamp")
    rng = np.random.default_rng(0)
    a, b, c = rng.uniform(-5.0, 15.0, 700), rng.uniform(-50.0, 130.0, 700), rng.integers(-1, 3, 700).astype(float)
    a[:5] = [3.3, math.nextafter(3.3, 9.0), np.nan, 1e300, -0.0]
    b[5:9] = [10.1, math.nextafter(10.1, 99.0), np.nan, 40.0]
    rows = [predict(model, list(row)).linear[0].hex() for row in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)]
    assert [x.hex() for x in linear_columns(model, [a, b, c], 700)[0][0].tolist()] == rows
    kernel = ColumnKernel(model)
    assert [x.hex() for x in kernel([pa.array(x) for x in (a, b, c)], 700)[0][0].tolist()] == rows


@pytest.mark.parametrize(
    ("to", "why"),
    [("tflite:int8", "no integers for hinges"), ("c:fixed", "quantize"), ("python:fixed", "quantize")],
)
def test_targets_without_them_say_so(to, why):
    target, _, variant = to.partition(":")
    with pytest.raises(ExportError, match=why):
        registry.render(bent(), target, variant)


def test_fixed_point_says_so_and_storage_is_proven():
    with pytest.raises(DataError, match=r"takes hinges and steps alone, and 'y0' has max\(0, b - 20\) x a; export a"):
        quantize(bent(), "int16")
    with pytest.raises(DataError, match="no integers for the link exp"):
        quantize(bent("exp").replace(outputs=(Output("y", 0.0, (Term(0.1, (Factor(0),)),), "exp"),)), "int16")
    rounded = quantize(bent(), "float16")
    bound = rounded.provenance["quantized"]["bounds"][0]
    for a in np.linspace(0.0, 10.0, 21).tolist():
        for b in np.linspace(-20.0, 100.0, 13).tolist():
            off = predict(rounded, [a, b, 1.0]).linear[0] - predict(bent(), [a, b, 1.0]).linear[0]
            assert abs(off) <= bound


def test_the_link_exp_ends_where_float32_does():
    model = bent("exp").replace(outputs=(Output("y", 0.0, (Term(10.0, (Factor(0),)),), "exp"),))
    assert predict(model, [1e6, 0.0, 0.0]).values == [math.exp(80.0)]
    assert predict(model, [-1e6, 0.0, 0.0]).values == [math.exp(-80.0)]


def test_an_explanation_adds_up():
    model = bent()
    explained = explain(model, [7.0, 60.0, 1.0])[0]
    total = explained.baseline + sum(part for _, part in explained.contributions)
    assert total == pytest.approx(predict(model, [7.0, 60.0, 1.0]).linear[0], abs=1e-12)
    assert term_text(model, model.outputs[0].terms[6]) == "max(0, a - 1) x (b > 0)"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('{"input": 0, "hinge": 3.3}', '{"input": 0, "hinge": 1e999}', "must be finite"),
        ('{"input": 0, "hinge": 3.3}', '{"input": 0, "hinge": 3.3, "step": 1}', "it must have one"),
        ('{"input": 0, "hinge": 3.3}', '{"input": 0}', "it must have one"),
        ('{"input": 0, "hinge": 3.3}', '{"input": 2, "hinge": 3.3}', "does not go with the categorical input 'c'"),
        ('{"input": 0, "hinge": 3.3}', '{"input": 9, "step": 3.3}', "counted from 0"),
        ('{"input": 0, "hinge": 3.3}', '{"input": 0, "hinge": "x"}', "must be a number"),
        ('"link": "identity"', '"link": "log"', "allowed are identity, logistic, softmax, exp"),
    ],
)
def test_bad_files_are_refused_by_field(old, new, why):
    text = dumps(bent())
    assert old in text
    with pytest.raises(ModelFormatError, match=why):
        loads(text.replace(old, new))


def test_sections_that_reckon_with_slopes_are_refused():
    with pytest.raises(ModelFormatError, match="does not go with hinges and steps"):
        loads(dumps(bent().replace(sections={"estimate/1": {}})))
