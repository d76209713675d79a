"""Bad input for every target: thousands of terms, coefficients that underflow, names and units that are no identifiers."""

import json
import math
import subprocess

import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.trial_rows import trial_rows
from edge_lasso.verifying.verify import export
from edge_lasso_devices.build import find_compiler
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import Options
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash
from edge_lasso_runtime.predict import clean, linear
from edge_lasso_runtime.sessions import load, self_test

TENSORS = [(target, variant) for target in ("onnx", "tflite") for variant in registry.target(target).VARIANTS]


@pytest.mark.needs("module:onnxruntime", "module:ai_edge_litert")
@pytest.mark.parametrize(("target", "variant"), TENSORS)
def test_five_thousand_terms(many_terms, write, ratio_of, target, variant):
    model = many_terms(5000)
    rows = [[0.1 * ((i * k) % 11) for i in range(5000)] for k in (1, 3, 7)]
    with load(target, write(model, target, variant)) as session:
        found = session.linear(rows)
    assert ratio_of(found, registry.target(target), model, Options(variant), rows) <= 1.0


def test_the_rows_of_a_wide_model_are_few_and_see_every_coefficient(many_terms):
    model = many_terms(5000)
    by_kind = trial_rows(model)
    rows = [row for found in by_kind.values() for row in found]
    assert len(rows) < 700
    last = model.outputs[0].terms[4321]
    wrong = model.replace(outputs=(model.outputs[0].replace(terms=tuple(
        one.replace(coef=one.coef * 1.0001) if one is last else one for one in model.outputs[0].terms)),))  # fmt: skip
    alone = next(row for row in by_kind["alone"] if row[4321])
    assert sum(x != 0.0 for x in alone) < 100
    a, b = (linear(one, clean(one, alone)[0])[0] for one in (model, wrong))
    assert abs(a - b) > 1e-7 * sum(abs(term.coef * x) for term, x in zip(model.outputs[0].terms, alone, strict=True))
    for kind in ("edges", "missing", "huge"):
        assert any(row[4321] != model.inputs[4321].default for row in by_kind[kind])


def underflowing():
    """Coefficients beside 1 that float32, float16 and int8 cannot hold; one matters, because its readings are huge."""
    inputs = [Input(name, i, 0.5, 0.0, 1.0) for i, name in enumerate("abc")] + [Input("d", 3, 1e20, 0.0, 1e25)]
    terms = [Term(coef, (Factor(i),)) for i, coef in enumerate((1.0, 1e-300, 1e-42, 1e-26))]
    return Model(("a", "b", "c", "d"), tuple(inputs), (Output("y", 1.0, tuple(terms)),))


@pytest.mark.needs("cc", "module:onnxruntime", "module:ai_edge_litert")
def test_coefficients_that_underflow_stay_within_what_is_promised(tmp_path):
    model = underflowing()
    every = "python:double,python:pyz,c:double,c:float,onnx:float32,onnx:float64,tflite:float32,tflite:float16,tflite:dynamic,tflite:int8"
    certificate = export(model, every, tmp_path / "out")
    executed = [entry for entry in certificate.artifacts if entry.status != "not_executed"]
    assert {entry.status for entry in executed} == {"passed"}, [entry.reason for entry in certificate.artifacts]
    assert {entry.title for entry in executed} == set(every.split(","))
    for entry in executed:
        assert entry.largest_error <= entry.promised["bound"]


@pytest.mark.long
def test_in_fixed_point_they_are_left_out_and_named(tmp_path):
    for to in ("int16", "int8"):
        made = quantize(underflowing(), to=to)
        assert set(made.provenance["quantized"]["dropped"]) == {"y: b", "y: c"}
        assert export(made, "python,c", tmp_path / to).status == "passed"


HOSTILE = ("*/ int x; /*", 'a"b\\', "new\nline", "größe µ", "int", "日本", "\\", "\r\u2028\0")


@pytest.mark.needs("module:onnxruntime", "module:ai_edge_litert")
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_names_in_tensor_formats(nasty, write, name):
    model = nasty(name)
    for target in ("onnx", "tflite"):
        with load(target, write(model, target, "float32")) as session:
            assert self_test(session)[1] == []
            assert session.artifact.inputs[0] == name
    read = schema.ModelT.InitFromPackedBuf(registry.render(model, "tflite", "float32")["model.tflite"], 0)
    (entry,) = [one for one in read.metadata if one.name == b"edge_lasso"]
    facts = json.loads(bytes(read.buffers[entry.buffer].data))
    assert json.loads(facts["inputs"])[0]["name"] == json.loads(facts["inputs"])[0]["unit"] == name
    assert json.loads(facts["classes"])[0] == name


@pytest.mark.needs("cc")
@pytest.mark.parametrize("variant", ["double", "float", "fixed"])
def test_the_c_code_tells_its_version(tmp_path, simple, variant):
    model = quantize(simple, to="int16") if variant == "fixed" else simple
    for name, data in registry.render(model, "c", variant).items():
        if name.endswith((".c", ".h")) and "/" not in name:
            (tmp_path / name).write_bytes(data)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "model.h"\nint main(void) { return puts(MODEL_VERSION "\\n" MODEL_HASH) < 0; }\n'
    )
    subprocess.run([*find_compiler(), "-std=c99", "main.c", "model.c", "-o", "run"], cwd=tmp_path, check=True)
    told = subprocess.run([tmp_path / "run"], capture_output=True, text=True, check=True).stdout.split("\n")
    assert told[:2] == ["1.0.0", model_hash(model)]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_coefficient_that_is_no_number_never_reaches_a_target(bad, tmp_path):
    from edge_lasso_runtime import ModelFormatError, save

    model = underflowing()
    output = model.outputs[0]
    wrong = model.replace(outputs=(output.replace(terms=(Term(bad, (Factor(0),)), *output.terms[1:])),))
    with pytest.raises(ModelFormatError, match="must be finite"):
        save(wrong, tmp_path / "model.json")
