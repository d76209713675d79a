"""`step_q`, a detector in integers: equal to the reference in every language, without floating point, small."""

import io
import json
import random
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.compare_steps_q import compare_steps_q, random_integers, replay_q
from edge_lasso.verifying.executions import opened, runtimes
from edge_lasso.verifying.trial_sequences import sequences
from edge_lasso_devices.build import WARNINGS, find_compiler
from edge_lasso_devices.cores import open_core
from edge_lasso_devices.cross import cross_build
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term
from edge_lasso_runtime.fixed_detector import KEY, readings_q
from edge_lasso_runtime.stream import readings

STRICT = (*WARNINGS, "-pedantic", "-Wshadow")
PLAIN = {"detector": True, "categories": False}
SEEDS = st.integers(0, 2**32)


def detectors(stateful_model, seed, **only):
    """A quantized detector that has a `step_q`; None where integers cannot do it."""
    model = quantize(stateful_model(seed, plain=True, **{**PLAIN, **only}), to=("int16", "int8")[seed % 2])
    return model if KEY in model.sections else None


def faults(folder, model, target, only, inputs="selected", text=b"", instead=b""):
    """What is wrong with an artifact's step_q, one of whose files may have been changed."""
    files = registry.render(model, target, "fixed", inputs)
    files = {name: data.replace(text, instead) if text else data for name, data in files.items()}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    found = []
    for runtime in runtimes(target, folder, files):
        if only in runtime.name:
            with opened(runtime) as session:
                found.append(compare_steps_q(session, model, sequences(model)))
    assert found
    return [wrong for one in found for wrong in one]


@pytest.mark.long
@given(seed=SEEDS, inputs=st.sampled_from(("selected", "all")))
@settings(max_examples=12)
def test_python_is_equal(tmp_path_factory, stateful_model, seed, inputs):
    model = detectors(stateful_model, seed)
    if model is not None:
        assert faults(tmp_path_factory.mktemp("a"), model, "python", "CPython", inputs) == []


@pytest.mark.needs("micropython")
@pytest.mark.parametrize("seed", range(2))
def test_micropython_is_equal(tmp_path, stateful_model, seed):
    model = detectors(stateful_model, seed, track=(0, 6)[seed], streams=6, fast=0.5, health=True)
    assert faults(tmp_path, model, "python", "MicroPython") == []


@pytest.mark.needs("gcc", "clang")
@given(seed=SEEDS, inputs=st.sampled_from(("selected", "all")))
@settings(max_examples=25)
def test_c_is_equal(tmp_path_factory, stateful_model, seed, inputs):
    model = detectors(stateful_model, seed)
    if model is not None:
        assert faults(tmp_path_factory.mktemp("a"), model, "c", ("cc", "clang")[seed % 2], inputs) == []


@pytest.mark.needs("cc")
@pytest.mark.parametrize("smoothing", [0.2, 1.0])
@pytest.mark.parametrize("fast", [0.0, 0.6])
def test_every_chart(tmp_path, stateful_model, smoothing, fast):
    for n, track in enumerate((0, 5)):
        model = detectors(stateful_model, 2 * n, smoothing=smoothing, fast=fast, track=track, streams=4)
        assert faults(tmp_path / str(n), model, "c", "cc") == []
        assert faults(tmp_path / f"{n}py", model, "python", "CPython") == []


@pytest.mark.needs("gcc", "clang")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning(tmp_path, stateful_model, compiler):
    for seed in range(8):
        smoothing, track = (0.2, 0.9, 1.0)[seed % 3], (0, 9)[seed % 2]
        model = detectors(stateful_model, seed, smoothing=smoothing, track=track, fast=seed % 4 / 3, streams=seed)
        for name, data in registry.render(model, "c", "fixed").items():
            if name.startswith("model."):
                (tmp_path / name).write_bytes(data)
        command = [compiler, "-std=c99", *STRICT, "-O2", "-c", "model.c", "-o", "model.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


CORES = [pytest.param(name, marks=pytest.mark.needs(f"core:{name}")) for name in ("cortex-m0plus", "avr")]
HARNESS = """
#include "model.h"
int32_t run(const int16_t *q, int32_t *y);
static model_state_q state;
static model_result_q result;
int32_t run(const int16_t *q, int32_t *y)
{{
    int32_t status = 0;
    int i;
    int k;
    model_start_q(&state);
    for (i = 0; i < {rows}; i++) {{
        status += (int32_t)(model_step_q(&state, q, &result) != 0U);
        q += MODEL_READINGS;
        *y++ = result.score;
        *y++ = result.total;
        *y++ = result.alarm;
        *y++ = result.onset;
        *y++ = result.warming_up;
        for (k = 0; k < MODEL_OUTPUTS; k++) {{
            *y++ = result.parts[k];
        }}
        for (k = 0; k < MODEL_READINGS; k++) {{
            *y++ = result.faults[k];
        }}
    }}
    return status;
}}
"""
FLOATING = ("sf", "df", "aeabi_f", "aeabi_d", "div", "mod")


def functions(elf):
    """The names of an image's functions."""
    from elftools.elf.elffile import ELFFile

    table = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab")
    return {
        one.name for one in table.iter_symbols() if one["st_info"]["type"] in ("STT_FUNC", "STT_NOTYPE") and one.name
    }


@pytest.mark.parametrize("name", CORES)
@pytest.mark.parametrize("seed", [4, 5])
def test_on_a_microcontroller_it_is_equal_and_links_no_floating_point(stateful_model, name, seed):
    track, fast = ((0, 0.0), (8, 0.5))[seed - 4]
    model = detectors(
        stateful_model, seed, smoothing=0.2, track=track, fast=fast, kind="lag", streams=4, health=True, warm_up=0
    )
    inside = [one for one in (model.sections["fixed_point/1"]["inputs"][i] for i in readings(model))]
    source = random.Random(seed)
    rows = random_integers(model)[:6]
    rows += [[source.randint(one["low"], one["high"]) // 4 for one in inside] for _ in range(12)]
    core = open_core(name)
    files = {key: data for key, data in registry.render(model, "c", "fixed").items() if key in ("model.c", "model.h")}
    image = cross_build({**files, "run.c": HARNESS.format(rows=len(rows)).encode()}, core.target, ["run"])
    assert "model_step_q" in functions(image.elf)
    others = [one for one in functions(image.elf) if not one.startswith("model_")]
    assert [one for one in others if any(word in one for word in FLOATING)] == []
    wanted = replay_q(model, rows)
    width = len(wanted[0])
    packed = struct.pack(f"<{sum(map(len, rows))}h", *(value for row in rows for value in row))
    called = core.call(image, "run", [packed, bytes(4 * width * len(rows))])
    found = struct.unpack(f"<{width * len(rows)}i", called.memory[1])
    for t, must in enumerate(wanted):
        got = list(found[t * width : (t + 1) * width])
        got[4] = int(got[4] and not any(got[-len(rows[0]) :]))
        assert got == must
    assert called.value == sum(any(must[-len(rows[0]) :]) for must in wanted)
    assert any(must[2] for must in wanted)


@pytest.mark.needs("cc")
@pytest.mark.parametrize("target", ["python", "c"])
def test_readings_become_the_reference_s_integers(tmp_path, stateful_model, target):
    import ctypes
    import math

    model = detectors(stateful_model, 3, streams=2, health=True)
    rows = [row for one in sequences(model) for row in one]
    wanted = [readings_q(model, row) for row in rows]
    files = registry.render(model, target, "fixed")
    if target == "python":
        scope = {}
        exec(files["model.py"].decode(), scope)
        assert [scope["readings_q"](row) for row in rows] == wanted
        named = dict(zip(scope["READINGS"], rows[0], strict=True))
        assert scope["readings_q"](named) == wanted[0]
        assert scope["readings_q"](["text"] * len(rows[0])) == [-32768] * len(rows[0])
        return
    for name, data in files.items():
        if name.startswith("model."):
            (tmp_path / name).write_bytes(data)
    subprocess.run(
        [*find_compiler(), "-std=c99", "-O2", "-fPIC", "-shared", "-o", "m.so", "model.c"], cwd=tmp_path, check=True
    )
    function = ctypes.CDLL(tmp_path / "m.so").model_readings_q
    q = (ctypes.c_int16 * len(rows[0]))()
    for row, must in zip(rows, wanted, strict=True):
        function((ctypes.c_double * len(row))(*row), q)
        assert list(q) == must
    assert any(math.isnan(x) for row in rows for x in row)


@pytest.mark.long
def test_an_artifact_says_whether_it_has_one(stateful_model):
    model = detectors(stateful_model, 3)
    assert json.loads(registry.render(model, "c", "fixed")["artifact.json"])["step"]["integers"] is True
    for target, variant in (("c", "double"), ("python", "double")):
        files = registry.render(model, target, variant)
        assert "integers" not in json.loads(files["artifact.json"])["step"]
        assert b"step_q" not in b"".join(files.values())
    older = model.replace(sections={key: value for key, value in model.sections.items() if key != KEY})
    files = registry.render(older, "python", "fixed")
    assert "integers" not in json.loads(files["artifact.json"])["step"]
    assert b"step_q" not in b"".join(files.values())


@pytest.mark.parametrize("target", ["python", "c"])
@pytest.mark.needs("cc")
def test_an_artifact_without_one_is_noticed(tmp_path, stateful_model, target):
    model = detectors(stateful_model, 3)
    only = {"python": "CPython", "c": "cc"}[target]
    wrong = faults(tmp_path, model, target, only, text=b'"integers": true', instead=b'"integers": false')
    assert wrong == ["it has no step_q, but its model has one"]


@pytest.mark.long
def test_python_api(stateful_model):
    model, scope = detectors(stateful_model, 3, streams=2), {}
    exec(registry.render(model, "python", "fixed")["model.py"].decode(), scope)
    state = scope["start_q"]()
    result = scope["step_q"](state, [0] * len(scope["READINGS"]))
    assert sorted(result) == ["alarm", "faults", "onset", "parts", "score", "status", "total"]
    assert scope["SCORE_UNIT"] == model.sections[KEY]["unit"]
    sizes = []
    for row in random_integers(model):
        scope["step_q"](state, row)
        sizes.append(sum(len(one) for one in state.values() if isinstance(one, list)))
    assert len(set(sizes[-50:])) == 1
    with pytest.raises(ValueError, match=f"a row has {len(scope['READINGS'])} integers, got 9"):
        scope["step_q"](state, [0] * 9)


def large(sensors=40, lags=9):
    """More readings than bits of a status, more places than a byte counts, long runs and holds."""
    names = [f"s{i}" for i in range(sensors)]
    inputs = [Input(name, i, 20.0, 0.0, 40.0) for i, name in enumerate(names)]
    for name in names:
        inputs.append(Input(f"{name}.lag{lags}", len(inputs), 20.0, 0.0, 40.0, stream=("lag", name, lags)))
    outputs, watched = [], []
    for i, name in enumerate(names):
        others = [(i + 1) % sensors, (i + 2) % sensors, sensors + (i + 3) % sensors]
        outputs.append(Output(name, 0.0, tuple(Term(0.3, (Factor(at),)) for at in others[: 1 + i % 3])))
        watched.append({"reading": name, "centre": 0.0, "scale": 1.0 + 0.1 * i, "slow": 0.3, "weight": 1.0 + i % 4})
    outputs.append(Output("s0.usual", 20.0, ()))  # no term among many
    watched.append({"reading": "s0", "centre": 0.0, "scale": 5.0, "slow": 0.3, "weight": 0.5})
    sections = {
        "detector/1": {
            "watched": watched, "smoothing": 0.02, "clip": 9.0, "track": 5, "fast": 0.7, "warm_up": 300, "threshold": {"score": 30.0, "row_rate": 0.01, "hold": 300},
        },
        "health/1": {"readings": [{"input": name, "stuck": 300, "jump": 10.0} for name in names[::2]]},
    }  # fmt: skip
    columns = tuple(one.name for one in inputs)
    return quantize(Model(columns, tuple(inputs), tuple(outputs), sections=sections), to="int16")


@pytest.mark.needs("gcc", "clang")
@pytest.mark.parametrize("only", ["cc", "clang"])
def test_a_large_detector(tmp_path, only):
    model = large()
    source = registry.render(model, "c", "fixed")["model.c"]
    assert b"static const uint16_t model_watched_terms_q_place[]" in source
    assert b"((i < 31U) ? i : 31U)" in source
    assert faults(tmp_path, model, "c", only) == []
    assert faults(tmp_path / "python", model, "python", "CPython") == [] if only == "cc" else True


@pytest.mark.needs("cc")
def test_sensors_that_deliver_counts(tmp_path):
    """q is the count less what the header names; the sections know counts alone."""
    model = quantize(large(4, 2), to="int16", raw={"s0": (0.01, -5.0), "s2": (-0.02, 100.0)})
    assert KEY in model.sections
    subtract = model.sections["fixed_point/1"]["inputs"][2]["subtract"]
    header = registry.render(model, "c", "fixed")["model.h"].decode()
    assert (
        f"s2: q = floor((x - {model.sections['fixed_point/1']['inputs'][2]['centre']!r}) * -50.0 + 0.5), or count - "
        in header
    )
    assert readings_q(model, [20.0, 20.0, 100.0 - 0.02 * 4321, 20.0])[2] == 4321 - subtract
    assert faults(tmp_path, model, "c", "cc") == []
    assert faults(tmp_path / "python", model, "python", "CPython") == []
