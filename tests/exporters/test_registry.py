"""The registry: targets by name, what every artifact carries, and precise refusals."""

import json
import math
import subprocess
import sys

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso_exporters import GENERATOR, registry
from edge_lasso_exporters import vectors as vectors_of
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_exporters.vectors import largest, self_test, self_test_sizes, wide
from edge_lasso_runtime import dumps, loads, model_hash
from edge_lasso_runtime.predict import clean, linear

VARIANTS = [(target, variant) for target in registry.modules() for variant in registry.target(target).VARIANTS]


def test_parse(simple):
    assert registry.parse("python, c:float", simple) == [("python", "double"), ("c", "float")]
    assert registry.parse("c:double,c", simple) == [("c", "double")]
    assert registry.parse("python,c,onnx", quantize(simple, to="int16")) == [
        ("python", "fixed"), ("c", "fixed"), ("onnx", "float32"),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [
    ("pyton", "target 'pyton' is unknown; there are python, c, js, onnx, tflite, sql, wasm, formula, promql, homeassistant, esphome, the nearest is 'python'"),
    ("c:half", "target 'c' has no variant 'half'; it has double, float, fixed"),
    ("", "no target is named; there are python, c, js, onnx, tflite, sql, wasm, formula, promql, homeassistant, esphome"),
    (",", "no target is named; there are python, c, js, onnx, tflite, sql, wasm, formula, promql, homeassistant, esphome"),
])  # fmt: skip
def test_parse_refuses(simple, text, message):
    with pytest.raises(ExportError) as caught:
        registry.parse(text, simple)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["my model", "class", "../x", "math"])
def test_a_name_that_cannot_be_used(simple, name):
    with pytest.raises(ExportError, match=r"cannot name a C and Python file .* choose another with --name"):
        registry.render(simple, "c", "double", name=name)


@pytest.mark.parametrize(
    ("target", "package", "extra"), [("onnx", "onnx", "onnx"), ("tflite", "flatbuffers", "tflite")]
)
def test_a_missing_extra_is_named(target, package, extra):
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from edge_lasso_exporters import registry\n"
        "from edge_lasso_exporters.options import ExportError\n"
        f"try:\n    registry.target({target!r})\nexcept ExportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (
        done.stdout.strip() == f"target '{target}' needs {package}; install it with: pip install 'edge-lasso[{extra}]'"
    )


def test_targets_are_imported_when_asked_for():
    script = (
        "import sys\nfrom edge_lasso_exporters import registry\nregistry.target('python')\n"
        "assert not {'onnx', 'flatbuffers', 'numpy', 'edge_lasso_exporters.c_target'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.needs("module:onnx", "module:flatbuffers")
@pytest.mark.parametrize(("target", "variant"), VARIANTS)
@pytest.mark.parametrize("inputs", ["selected", "all"])
def test_every_artifact(simple, target, variant, inputs):
    if (target, inputs) == ("esphome", "all"):
        with pytest.raises(ExportError, match="takes a source for each input of the model; use --inputs selected"):
            registry.render(simple, target, variant, inputs)
        return
    model = quantize(simple, to="int16") if variant == "fixed" else simple
    files = registry.render(model, target, variant, inputs, "pm25")
    again = registry.render(loads(dumps(model)), target, variant, inputs, "pm25")
    assert files == again
    described = json.loads(files["artifact.json"])
    assert described["format"] == "edge-lasso-artifact/1"
    assert described["entry"] == next(iter(files))
    assert (described["target"], described["variant"], described["name"]) == (target, variant, "pm25")
    assert described["inputs"] == (["a", "b"] if inputs == "selected" else ["a", "x", "b"])
    assert (described["outputs"], described["generator"]) == (["y"], GENERATOR)
    assert described["model_hash"] == model_hash(model)
    assert any(model_hash(model).encode() in data for name, data in files.items() if name != "artifact.json")
    assert len(described["self_test"]) >= 5
    module = registry.target(target)
    options = Options(variant, inputs, "pm25")
    assert isinstance(module.promise(model, options)["text"], str)
    for vector in described["self_test"]:
        assert described["handles_missing"] or None not in vector["row"]
        row = [math.nan if x is None else x for x in vector["row"]]
        values, tolerances = module.expected(model, options, [row])
        assert values[0] == vector["linear"]
        assert tolerances[0] == pytest.approx(vector["tolerance"], rel=1e-12)


def test_self_test_vectors_tell_inputs_apart(shapes):
    for model in shapes.values():
        vectors = self_test(model)
        assert any(None in row for row, _ in vectors)
        for row, value in vectors:
            assert value == linear(model, clean(model, row)[0])
            for got, size in zip(value, self_test_sizes(model), strict=True):
                assert abs(got) <= size
        for (row, value), (full, same) in zip(vectors, vectors_of.test_rows(model, "all"), strict=True):
            assert (full, same) == (wide(model, row), value)
        # an exchange of two inputs, or the loss of one, changes some answer
        for i in range(len(model.inputs)):
            changed = [[*row[:i], None, *row[i + 1 :]] for row, _ in vectors]
            found = [linear(model, clean(model, row)[0]) for row in changed]
            assert found != [value for _, value in vectors] or not any(
                factor.input == i for output in model.outputs for term in output.terms for factor in term.factors
            )


def test_largest_is_a_bound(any_model, odd):
    for seed in range(100):
        model = any_model(seed)
        for row in odd(model, seed):
            x, faults = clean(model, row)
            if "out of range" not in faults.values():
                for value, output in zip(linear(model, x), model.outputs, strict=True):
                    assert abs(value) <= largest(model, output) * (1 + 2.0**-40)
