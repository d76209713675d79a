"""Artifacts that keep state: every mix of parts, in every language, equal to the reference row after row."""

import json
import math
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.compare_steps import compare_steps
from edge_lasso.verifying.executions import opened, runtimes
from edge_lasso.verifying.trial_sequences import sequences
from edge_lasso_devices.build import WARNINGS
from edge_lasso_devices.cores import open_core
from edge_lasso_devices.cross import cross_build
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import Options
from edge_lasso_runtime import Factor, Input, Model, Output, Term
from edge_lasso_runtime.detector import shares, watched
from edge_lasso_runtime.fixed_stream import start_fixed, step_fixed
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import keeps_state, readings

GOLDEN = Path(__file__).parent / "golden"
SEEDS = st.integers(0, 2**32)


def written(folder, model, target, variant, inputs="selected"):
    files = registry.render(model, target, variant, inputs)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def faults(folder, model, target, variant, inputs, seed, only=""):
    """What is wrong with an artifact in each of its runtimes."""
    files = written(folder, model, target, variant, inputs)
    found = {}
    for runtime in runtimes(target, folder, files):
        if only in runtime.name:
            with opened(runtime) as session:
                rows, wrong = compare_steps(session, model, Options(variant, inputs), sequences(model, seed=seed))
                assert rows > 100
                assert getattr(session, "passed", True), "selftest"
                found[session.runtime] = wrong
    assert found
    return {runtime: wrong for runtime, wrong in found.items() if wrong}


def quantized(model, seed):
    return quantize(model, to=("int16", "int8")[seed % 2])


@pytest.mark.long
@given(seed=SEEDS, variant=st.sampled_from(("double", "fixed")), inputs=st.sampled_from(("selected", "all")))
@settings(max_examples=10)
def test_python_is_bit_equal(tmp_path_factory, stateful_model, seed, variant, inputs):
    model = stateful_model(seed, plain=variant == "fixed")
    if keeps_state(model):
        model = quantized(model, seed) if variant == "fixed" else model
        assert faults(tmp_path_factory.mktemp("a"), model, "python", variant, inputs, seed, "CPython") == {}


@pytest.mark.needs("micropython")
@pytest.mark.parametrize("variant", ["double", "fixed"])
@pytest.mark.parametrize("seed", range(2))
def test_micropython_is_bit_equal(tmp_path, stateful_model, seed, variant):
    some = {
        "detector": seed == 0,
        "streams": 6,
        "estimate": True,
        "health": True,
        "link": "logistic",
        "track": 5,
        "fast": 0.5,
    }
    model = stateful_model(seed, plain=variant == "fixed", **some)
    model = quantized(model, seed) if variant == "fixed" else model
    assert faults(tmp_path, model, "python", variant, "selected", seed, "MicroPython") == {}


@pytest.mark.needs("gcc", "clang")
@given(seed=SEEDS, variant=st.sampled_from(("double", "fixed", "float")), inputs=st.sampled_from(("selected", "all")))
@settings(max_examples=10)
def test_c_is_bit_equal_or_within_its_tolerance(tmp_path_factory, stateful_model, seed, variant, inputs):
    model = stateful_model(seed, plain=variant == "fixed")
    if keeps_state(model):
        model = quantized(model, seed) if variant == "fixed" else model
        only = ("cc", "clang")[seed % 2]
        assert faults(tmp_path_factory.mktemp("a"), model, "c", variant, inputs, seed, only) == {}


@pytest.mark.needs("cc")
def test_a_product_of_large_readings_has_a_smaller_limit(tmp_path):
    """What lies between it and 2^100 is missing, for integers as for binary64."""
    inputs = (
        Input("a", 0, 185.0, 184.0, 186.0, raw=(-1e-4, 185.0)),
        Input("l", 1, 185.0, 184.0, 186.0, stream=("lag", "a", 1)),
    )
    terms = (Term(1.0, (Factor(1),)), Term(1e-3, (Factor(0), Factor(0))))
    model = quantize(Model(("a", "l"), inputs, (Output("y", 0.5, terms),)), to="int16")
    assert model.limit < 2.0**99
    result, _ = step_fixed(model, start_fixed(model), [model.limit * 2.0])
    assert result.faults == {"a": "missing"}
    for target, only in (("python", "CPython"), ("c", "cc")):
        assert faults(tmp_path / target, model, target, "fixed", "selected", 3, only) == {}


@pytest.mark.needs("cc")
@pytest.mark.parametrize("smoothing", [0.2, 1.0])
@pytest.mark.parametrize("fast", [0.0, 0.6])
def test_every_chart(tmp_path, stateful_model, smoothing, fast):
    model = stateful_model(3, detector=True, smoothing=smoothing, fast=fast, track=5, adjust=True, streams=4)
    assert faults(tmp_path, model, "c", "double", "selected", 1, "cc") == {}
    assert faults(tmp_path, model, "c", "float", "selected", 1, "cc") == {}
    assert faults(tmp_path, model, "python", "double", "selected", 1, "CPython") == {}


@pytest.mark.needs("cc")
@pytest.mark.parametrize("length", [300, 2000])
@pytest.mark.parametrize("kind", ["lag", "difference", "mean", "ewma"])
def test_long_histories(tmp_path, kind, length):
    low, high, default = (-20.0, 20.0, 0.0) if kind == "difference" else (-10.0, 10.0, 1.0)
    inputs = (Input("a", 0, 1.0, -10.0, 10.0), Input("d", 1, default, low, high, stream=(kind, "a", length)))
    model = Model(("a", "d"), inputs, (Output("y", 0.5, (Term(0.3, (Factor(0),)), Term(0.7, (Factor(1),)))),))
    for variant, found in (("double", model), ("fixed", quantize(model, to="int16"))):
        folder = tmp_path / variant
        assert faults(folder, found, "c", variant, "selected", 1, "cc") == {}
        assert faults(folder / "python", found, "python", variant, "selected", 1, "CPython") == {}


@pytest.mark.needs("gcc", "clang")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning_and_tests_itself(tmp_path, stateful_model, compiler):
    for seed in range(4):
        for variant in ("double", "float", "fixed"):
            model = stateful_model(seed, plain=True, streams=6, estimate=True, detector=seed % 2 == 0)
            written(tmp_path, quantize(model, to="int16"), "c", variant)
            (tmp_path / "main.c").write_text(
                '#include "model.h"\nint main(void) { return model_selftest() == 1 ? 0 : 1; }\n'
            )
            command = [
                compiler,
                "-std=c99",
                *WARNINGS,
                "-O2",
                "-ffp-contract=off",
                "-DMODEL_SELFTEST",
                "main.c",
                "model.c",
                "-o",
                "run",
                "-lm",
            ]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert subprocess.run([tmp_path / "run"], check=False).returncode == 0


@pytest.mark.parametrize(("target", "variant", "file"), [
    ("python", "double", "model.py"), ("c", "double", "model.c"), ("c", "double", "model.h"), ("c", "fixed", "model.c"),
    ("c", "fixed", "model.h"), ("python", "fixed", "model.py"),
])  # fmt: skip
def test_golden(small_detector, target, variant, file):
    model = quantize(small_detector, to="int16") if variant == "fixed" else small_detector
    text = registry.render(model, target, variant)[file].decode()
    golden = GOLDEN / f"stateful_{target}_{variant}_{file}"
    assert text == golden.read_text(), f"if this change is meant, replace {golden.name}"


def test_a_model_without_state_has_none_of_it(simple):
    for target, variant in (("python", "double"), ("c", "double")):
        files = registry.render(simple, target, variant)
        assert b"step" not in b"".join(data for name, data in files.items() if name.startswith("model."))
        assert "step" not in json.loads(files["artifact.json"])


def test_python_api(small_detector):
    model, scope = small_detector, {}
    exec(registry.render(model, "python", "double")["model.py"].decode(), scope)
    assert "import" not in registry.render(model, "python", "double")["model.py"].decode()
    state, reference = scope["start"](), start(model)
    assert scope["READINGS"] == ("a", "b")
    rows = [{"a": 1.0 + 0.01 * t, "b": -1.0} for t in range(12)] + [
        {"a": 1.9, "b": None},
        {"a": "text"},
        *[{"a": 0.0, "b": -4.0}] * 3,
    ]
    for row in rows:
        result = scope["step"](state, row)
        want, reference = step(model, reference, row)
        assert result["value"] == want.linear
        assert (result["status"], result["faults"]) == (want.status, want.faults)
        assert (result["score"], result["parts"], result["alarm"]) == (want.score, want.parts, want.alarm)
        assert result["shares"] == (shares(want.parts, want.score, watched(model)) if want.alarm else [])
    assert want.alarm
    assert result["onset"] == want.onset
    assert (state["onsets"], state["alarms"]) == (reference.detector.onsets, reference.detector.alarms)
    with pytest.raises(ValueError, match="a row has 2 readings, got 3"):
        scope["step"](state, [1.0, 2.0, 3.0])


def test_state_of_python_does_not_grow(stateful_model):
    model = stateful_model(5, detector=True, streams=6, track=5, estimate=True)
    scope = {}
    exec(registry.render(model, "python", "double")["model.py"].decode(), scope)
    state = scope["start"]()
    lengths = []
    for row in sequences(model, seed=1)[1]:
        scope["step"](state, row)
        lengths.append(
            sum(
                len(one) if not isinstance(one[0] if one else 0, list) else sum(map(len, one))
                for one in state.values()
                if isinstance(one, list)
            )
        )
    assert len(set(lengths[-50:])) == 1


ABOUT = {"lag": {"kind": "lag", "of": "a", "length": 2}}


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("onnx", marks=pytest.mark.needs("module:onnx")),
        pytest.param("tflite", marks=pytest.mark.needs("module:flatbuffers")),
    ],
)
@pytest.mark.parametrize("inputs", ["selected", "all"])
def test_tensor_formats_say_what_the_caller_has_to_do(small_detector, target, inputs):
    files = registry.render(small_detector, target, "float32", inputs)
    about = json.loads(files["artifact.json"])
    assert about["inputs"] == ["a", "b", "a.lag2"]
    assert about["streams"] == {"a.lag2": ABOUT["lag"]}
    assert about["caller"] == ["streams", "health/1", "detector/1"]
    assert "step" not in about
    if target == "onnx":
        import onnx

        facts = {one.key: one.value for one in onnx.load_from_string(files["model.onnx"]).metadata_props}
        assert json.loads(facts["caller"]) == about["caller"]
        assert [one.get("stream") for one in json.loads(facts["inputs"])] == [None, None, ABOUT["lag"]]


CORES = [pytest.param(name, marks=pytest.mark.needs(f"core:{name}")) for name in ("cortex-m0plus", "avr")]
HARNESS = """
#include "model.h"
#define ROWS {rows}
int32_t run(const {real} *x, {out} *y);
static model_state state;
static model_result result;
int32_t run(const {real} *x, {out} *y)
{{
    int32_t status = 0;
    int i;
    model_start(&state);
    for (i = 0; i < ROWS; i++) {{
        status += (int32_t)model_step(&state, x + (i * MODEL_READINGS), &result);
        y[i] = {value};
    }}
    return status;
}}
"""


@pytest.mark.parametrize("name", CORES)
def test_fixed_point_is_bit_equal_on_a_microcontroller(name):
    """The integers of a stream, on an emulated board whose readings and limits are binary32 (AVR) or binary64."""
    inputs = (
        Input("a", 0, 0.0, -8.0, 8.0), Input("l", 1, 0.0, -8.0, 8.0, stream=("lag", "a", 3)),
        Input("d", 2, 0.0, -4.0, 4.0, stream=("difference", "a", 2)), Input("m", 3, 0.0, -8.0, 8.0, stream=("mean", "a", 5)),
        Input("e", 4, 0.0, -8.0, 8.0, stream=("ewma", "a", 9)),
    )  # fmt: skip
    terms = tuple(Term(0.25 + 0.125 * i, (Factor(i),)) for i in range(5))
    model = quantize(Model(tuple("almde"[i] for i in range(5)), inputs, (Output("y", 0.5, terms),)), to="int16")
    rows = [
        [math.nan if x is None else round(x * 256) / 256]
        for x in [*(3.0 * math.sin(t) for t in range(40)), None, 10.0, 1.0, 1.0]
    ]
    rows = [[1e38 if x != x else x for x in row] for row in rows]
    core = open_core(name)
    files = {
        file: data for file, data in registry.render(model, "c", "fixed").items() if file in ("model.c", "model.h")
    }
    real = "double" if name != "avr" else "float"
    source = HARNESS.format(rows=len(rows), real=real, out="float", value="(float)result.values[0]")
    image = cross_build({**files, "run.c": source.encode()}, core.target, ["run"], {"MODEL_REAL": real})
    form = f"<{len(rows)}{'d' if real == 'double' else 'f'}"
    packed = struct.pack(form, *(row[0] for row in rows))
    called = core.call(image, "run", [packed, bytes(4 * len(rows))])
    found = struct.unpack(f"<{len(rows)}f", called.memory[1])
    state = start_fixed(model)
    for row, got in zip(rows, found, strict=True):
        want, state = step_fixed(model, state, row)
        assert got == struct.unpack("<f", struct.pack("<f", want.linear[0]))[0]
    assert called.value == 2


def test_readings_of_a_step_are_named(small_detector):
    model = small_detector
    about = json.loads(registry.render(model, "c", "double")["artifact.json"])["step"]
    assert about == {"readings": ["a", "b"], "linear": False, "label": False, "estimate": False, "detector": True}
    assert [model.inputs[i].name for i in readings(model)] == about["readings"]
