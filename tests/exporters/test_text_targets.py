"""The Python and C targets: every shape of model, executed and compared with the reference."""

import random
import subprocess
from pathlib import Path

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.verify import export
from edge_lasso_devices.build import WARNINGS
from edge_lasso_exporters import registry
from edge_lasso_exporters.names import c_comment, c_string, identifier, identifiers
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import Factor, Input, Model, Output, Term, loads, model_hash, predict

GOLDEN = Path(__file__).parent / "golden"


def random_model(seed, link="identity", policy="extrapolate", rich=True):
    """A model with weights over fifteen decades, products, categories and several outputs."""
    source = random.Random(seed)
    count = source.randint(1, 12)
    inputs = []
    for i in range(count):
        if rich and source.random() < 0.2:
            inputs.append(Input(f"c{i}", 2 * i, None, None, None, categories=("red", "green", "blue")))
            continue
        middle, half = source.uniform(-1e3, 1e3), 10.0 ** source.uniform(-2, 4)
        inputs.append(Input(f"s {i}", 2 * i, middle, middle - half, middle + half, unit="ug/m3"))
    columns = tuple(inputs[i // 2].name if i % 2 == 0 else f"other{i}" for i in range(2 * count))

    def factor(i):
        return Factor(i, None if inputs[i].categories is None else source.randrange(3))

    def output(name):
        order = [(i,) for i in range(count)]
        if rich:
            order += [(source.randrange(count), source.randrange(count)) for _ in range(source.randint(0, 3))]
        terms = tuple(
            Term(
                source.choice((-1, 1)) * 10.0 ** source.uniform(-9, 3 if link == "identity" else -3),
                tuple(map(factor, one)),
            )
            for one in order
        )
        return Output(name, source.uniform(-100, 100), terms, link)

    several = link == "softmax" or (rich and link == "identity" and source.random() < 0.3)
    outputs = tuple(output(f"y{m}") for m in range(3 if several else 1))
    classes = None if link == "identity" else ("no", "yes", "perhaps")[: max(2, len(outputs))]
    return Model(columns, tuple(inputs), outputs, policy, classes)


def verdicts(model, to, out, **options):
    certificate = export(model, to, out, **options)
    return {
        f"{one.target}:{one.variant} {one.runtime}": f"{one.status} {one.reason}".strip()
        for one in certificate.artifacts
        if one.status != "passed" and "no MicroPython" not in one.reason
    }


@pytest.mark.needs("cc")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("link", ["identity", "logistic", "softmax"])
def test_random_models(tmp_path, seed, link):
    model = random_model(seed, link, policy=("extrapolate", "clamp")[seed % 2])
    inputs = ("selected", "all")[seed // 2 % 2]
    assert verdicts(model, "python,c:double,c:float", tmp_path, inputs=inputs, seed=seed) == {}


@pytest.mark.needs("cc")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("link", "rich"), [("identity", True), ("identity", False), ("logistic", False), ("softmax", True)]
)
def test_random_fixed_point(tmp_path, seed, link, rich):
    model = quantize(random_model(100 + seed, link, rich=rich), to=("int16", "int8")[seed % 2])
    inputs = ("selected", "all")[seed // 2 % 2]
    assert verdicts(model, "python:fixed,c:fixed", tmp_path, inputs=inputs, seed=seed) == {}


@pytest.mark.needs("cc")
def test_a_constant_model(tmp_path):
    model = Model(("a",), (), (Output("y", 2.5, ()),))
    assert verdicts(model, "python,c:double,c:float", tmp_path) == {}


@pytest.mark.slow
@pytest.mark.needs("cc")
def test_hundreds_of_terms(tmp_path):
    source = random.Random(5)
    inputs = tuple(Input(f"s{i}", i, 0.5, 0.0, 1.0) for i in range(300))
    terms = tuple(Term(source.uniform(-1, 1), (Factor(i),)) for i in range(300))
    model = Model(tuple(one.name for one in inputs), inputs, (Output("y", 1.0, terms),))
    assert verdicts(model, "python,c:double,c:float", tmp_path) == {}


def simple(**changes):
    inputs = (Input("a", 0, 1.0, 0.0, 2.0, "K"), Input("b", 2, -1.0, -4.0, 0.0))
    terms = (Term(2.0, (Factor(0),)), Term(-0.125, (Factor(1),)))
    return Model(("a", "x", "b"), inputs, (Output("y", 0.5, terms, unit="V"),)).replace(**changes)


@pytest.mark.parametrize(("target", "variant", "file"), [
    ("python", "double", "model.py"), ("python", "fixed", "model.py"), ("c", "double", "model.c"), ("c", "double", "model.h"),
    ("c", "float", "model.c"), ("c", "fixed", "model.c"), ("c", "fixed", "model.h"),
])  # fmt: skip
def test_golden(target, variant, file):
    model = quantize(simple(), to="int16") if variant == "fixed" else simple()
    text = registry.render(model, target, variant)[file].decode()
    golden = GOLDEN / f"{target}_{variant}_{file}"
    assert text == golden.read_text(), f"if this change is meant, replace {golden.name}"


def test_rendering_is_deterministic():
    model = random_model(3)
    for target, variant in (("python", "double"), ("c", "double"), ("c", "float")):
        assert registry.render(model, target, variant) == registry.render(model, target, variant)


HOSTILE = ("*/ int x; /*", 'a"b\\', "new\nline", "??/", "größe µ", "int", "7up", "a b", "a_b", "/* nested", "*/")


@pytest.mark.needs("cc")
def test_names_cannot_inject_code(tmp_path):
    """Names of inputs, outputs and units, some of which become the same identifier."""
    inputs = tuple(Input(name, i, 1.0, 0.0, 2.0, unit=name) for i, name in enumerate(HOSTILE))
    outputs = [
        Output(name, 0.5, (Term(2.0, (Factor(i),)), Term(3.0, (Factor((i + 1) % len(HOSTILE)),))), unit=name)
        for i, name in enumerate(HOSTILE)
    ]
    model = Model(HOSTILE, inputs, tuple(outputs))
    assert verdicts(model, "python,c:double,c:float", tmp_path) == {}
    fixed = quantize(model, to="int16")
    assert verdicts(fixed, "python:fixed,c:fixed", tmp_path) == {}


def test_identifiers():
    found = identifiers(["Dongsi.PM2.5", "Dongsi PM2.5", "int", "größe", "7up", "", "日本", "lambda", "default"])
    assert found == [
        "dongsi_pm2_5",
        "dongsi_pm2_5_2",
        "int_",
        "groesse",
        "n7up",
        "input_",
        "input__2",
        "lambda_",
        "default_",
    ]
    assert identifier("x" * 500) == "x" * 60


def test_comment_and_string_are_safe():
    assert "*/" not in c_comment("a */ b")
    assert "\n" not in c_comment("a\nb")
    assert c_string('a"b\\?\n') == '"a\\042b\\134\\077\\012"'


@pytest.mark.needs("cc")
@pytest.mark.parametrize(
    "compiler", [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("gcc", "clang", "g++")]
)
@pytest.mark.parametrize("seed", range(2))
def test_compiles_without_a_warning(tmp_path, compiler, seed):
    model = quantize(random_model(seed), to="int16")
    for variant in ("double", "float", "fixed"):
        folder = tmp_path / variant
        folder.mkdir()
        for name in ("model.c", "model.h"):
            (folder / name).write_bytes(registry.render(model, "c", variant)[name])
        if compiler == "g++":
            (folder / "use.cpp").write_text('#include "model.h"\nint main() { return 0; }\n')
            command = ["g++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "use.cpp"]
        else:
            command = [compiler, "-std=c99", *WARNINGS, "-DMODEL_SELFTEST", "-c", "model.c"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("variant", ["double", "float", "fixed"])
def test_c_selftest(notices_a_broken_sum, variant):
    model = quantize(random_model(1), to="int16")
    rendered = registry.render(model, "c", variant)
    notices_a_broken_sum({name: rendered[name] for name in ("model.c", "model.h")}, "gcc", "-ffp-contract=off")


def test_python_artifact_on_every_interpreter(tmp_path, cpython):
    model = random_model(7)
    files = registry.render(model, "python", "double")
    (tmp_path / "model.py").write_bytes(files["model.py"])
    script = "import model; assert model.selftest(); print(repr(model.predict([None] * len(model.FEATURES))))"
    done = subprocess.run(
        [cpython, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {script}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wanted = predict(model, [None] * len(model.inputs)).linear
    assert done.stdout.strip() == repr(wanted if len(wanted) > 1 else wanted[0])


def test_python_artifact_api(tmp_path):
    scope = {}
    exec(registry.render(simple(), "python", "double")["model.py"].decode(), scope)
    assert scope["FEATURES"] == ("a", "b")
    assert scope["MODEL_HASH"] == model_hash(simple())
    assert scope["predict"]([1.0, -2.0]) == 2.75
    assert scope["predict"]([None, float("nan")]) == scope["predict"]([1.0, -1.0])
    assert scope["predict"]([float("inf"), 1e300]) == scope["predict"]([1.0, -1.0])
    assert scope["predict_row"]({"a": 1.0, "b": -2.0}) == (2.75, "ok")
    assert scope["predict_row"]({"a": 9.0}) == (18.625, "degraded: a out of range, b missing")
    with pytest.raises(ValueError, match="2"):
        scope["predict"]([1.0])
    assert scope["selftest"]()


def test_parse():
    assert registry.parse("python, c:float", simple()) == [("python", "double"), ("c", "float")]
    assert registry.parse("python,c", quantize(simple(), to="int16")) == [("python", "fixed"), ("c", "fixed")]


@pytest.mark.parametrize(("text", "message"), [
    ("pyton", "target 'pyton' is unknown; there are python, c, js, onnx, tflite, sql, wasm, formula, promql, homeassistant, esphome, the nearest is 'python'"),
    ("c:half", "target 'c' has no variant 'half'; it has double, float, fixed"),
    ("", "no target is named; there are python, c, js, onnx, tflite, sql, wasm, formula, promql, homeassistant, esphome"),
])  # fmt: skip
def test_parse_refuses(text, message):
    with pytest.raises(ExportError) as caught:
        registry.parse(text, simple())
    assert str(caught.value) == message


def test_fixed_needs_a_quantized_model():
    with pytest.raises(ExportError, match="needs a quantized model"):
        registry.render(simple(), "c", "fixed")


def test_name_must_be_an_identifier():
    with pytest.raises(ExportError, match="cannot name a C and Python file"):
        registry.render(simple(), "c", "double", name="my model")


def test_model_survives_its_file():
    from edge_lasso_runtime import dumps

    model = random_model(11)
    assert loads(dumps(model)) == model
