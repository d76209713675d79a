"""Sensors' counts: into the integers with one subtraction that no int32 count can make overflow, in every target."""

import ctypes
import functools
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso.compressing.raw_counts import parse_raw, with_raw
from edge_lasso.errors import DataError
from edge_lasso.verifying.compare_integers import count_rows
from edge_lasso.verifying.verify import export
from edge_lasso_devices.build import WARNINGS
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term
from edge_lasso_runtime.counts import count_ranges, encode_counts
from edge_lasso_runtime.fixed_point import KEY, decode, encode, predict_q
from edge_lasso_runtime.predict import linear

COMPILERS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("gcc", "clang")]
FAR = (2**31 - 1, -(2**31) + 1, 2**30, -(2**30), 0)


@functools.cache
def sensors(subtracted=0, width=4095, scale=3.3 / 4095):
    """An ADC, a falling thermistor, an input without counts and a category."""
    low, high = sorted((scale * subtracted, scale * (subtracted + width)))
    inputs = (
        Input("adc", 0, low + 0.4 * (high - low), low, high, "V", raw=(scale, 0.0)),
        Input("ntc", 2, 20.0, -40.0, 85.0, raw=(-0.00390625, 100.0)),
        Input("x", 3, 0.5, 0.0, 1.0),
        Input("kind", 4, None, None, None, categories=("a", "b", "c")),
    )
    terms = tuple(
        Term(w, (f,)) for w, f in ((1.7, Factor(0)), (-0.4, Factor(1)), (0.3, Factor(2)), (1.0, Factor(3, 1)))
    )
    model = Model(("adc", "no", "ntc", "x", "kind"), inputs, (Output("y", 2.0, terms),))
    return quantize(model, to="int16", margin=0.0)


CASES = [
    (0, 4095),
    (0, 65534),
    (2**29, 65534),
    (-(2**29), 65534),
    (2**30 - 70000, 65534),
    (-(2**30) + 2, 65534),
    (-5, 10),
]


@pytest.mark.parametrize("case", CASES)
def test_a_count_is_its_value(case):
    model = sensors(*case)
    section = model.sections[KEY]
    adc = model.inputs[0]
    lowest, highest, first, _ = count_ranges(model)[0]
    for count in (lowest, lowest + 1, (lowest + highest) // 2, highest):
        value = min(max(adc.raw[0] * count + adc.raw[1], adc.low), adc.high)
        q, faults = encode_counts(model, [count, 12800, 0, 1])
        assert (q[0], faults) == (count - lowest + first, {})
        assert abs(q[0] - encode(model, [value, 50.0, 0.5, 1])[0][0]) <= (
            abs(lowest) >= 2**28
        )  # float rounding of value
        ntc = -0.00390625 * 12800 + 100.0
        x = section["inputs"][2]["centre"] + 0 / section["inputs"][2]["scale"]
        exact = linear(model, [value, ntc, x, 1.0])[0]
        slip = 2.0**-40 * (abs(adc.low) + abs(adc.high))
        assert abs(decode(section, predict_q(section, q))[0] - exact) <= section["outputs"][0]["bound"] + slip


@given(low=st.integers(-(2**30), 2**30), width=st.integers(1, 65535), count=st.integers(-(2**31), 2**31 - 1))
@settings(max_examples=60)
def test_no_count_can_overflow(low, width, count):
    try:
        model = sensors(low, width, 1.0)
    except DataError:  # more counts than fit 16 bits once centred
        return
    lowest, highest, first, missing = count_ranges(model)[0]
    # what C computes: a comparison with two int32 constants, then a difference of two numbers between them
    assert -(2**31) < lowest <= highest < 2**31
    assert 0 <= highest - lowest <= 65535
    assert -32768 <= first <= first + highest - lowest <= 32767
    assert first <= missing <= first + highest - lowest
    q, faults = encode_counts(model, [count, 0, 0, 0])
    assert -32768 <= q[0] <= 32767
    assert ("adc" in faults) == (not lowest <= count <= highest)
    encoded, _ = encode(model, [min(max(float(count), model.inputs[0].low), model.inputs[0].high), 50.0, 0.5, 0])
    assert q[0] == encoded[0]


def test_what_is_missing_or_outside():
    model = sensors()
    default = model.sections[KEY]["inputs"][0]["default"]
    for gap in (None, float("nan"), float("inf"), "12", 1.5):
        q, faults = encode_counts(model, [gap, 12800, 0, gap])
        assert (q[0], q[3]) == (default, -1)
        assert faults == {"adc": "missing", "kind": "missing"}
    q, faults = encode_counts(model, {"adc": 9999, "ntc": -5, "x": 10**6, "kind": 3})
    lowest = [one[0] for one in count_ranges(model)]
    assert q == [4095, 3840 - 3840 + count_ranges(model)[1][2], model.sections[KEY]["inputs"][2]["high"], -1]
    assert lowest[1] == 3840
    assert faults == {"adc": "out of range", "ntc": "out of range", "x": "out of range", "kind": "missing"}
    with pytest.raises(ValueError, match=r"a row has 4 counts \(the model's inputs in order\), got 3"):
        encode_counts(model, [1, 2, 3])


@pytest.mark.needs("cc")
@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("case", [CASES[0], CASES[4], CASES[5]])
def test_every_artifact_is_compared(tmp_path, case, inputs):
    certificate = export(sensors(*case), "python,c", tmp_path / "out", inputs=inputs)
    executed = [entry for entry in certificate.artifacts if entry.status != "not_executed"]
    assert {entry.target for entry in executed} == {"python", "c"}
    assert {entry.status for entry in executed} == {"passed"}, [entry.reason for entry in executed]


@pytest.mark.needs("cc")
def test_verify_notices_a_wrong_subtraction(tmp_path, monkeypatch):
    from edge_lasso_exporters import fixed_counts

    monkeypatch.setattr(fixed_counts, "C", fixed_counts.C.replace("- range->lowest)", "- range->lowest + 1)"))
    monkeypatch.setattr(fixed_counts, "PYTHON", fixed_counts.PYTHON.replace("count - lowest +", "count - lowest + 1 +"))
    certificate = export(sensors(), "python,c", tmp_path / "out")
    executed = [entry for entry in certificate.artifacts if entry.status != "not_executed"]
    assert {entry.target for entry in executed} == {"python", "c"}
    assert all(entry.status == "failed" for entry in executed)
    assert all(entry.reason.startswith("encode_counts gives ") for entry in executed)


def sources(model, inputs="selected"):
    files = registry.render(model, "c", "fixed", inputs)
    return {name: data for name, data in files.items() if name.endswith((".c", ".h")) and "/" not in name}


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("case", CASES)
def test_no_warning_and_nothing_undefined(tmp_path, compiler, case, inputs):
    model = sensors(*case)
    for name, data in sources(model, inputs).items():
        (tmp_path / name).write_bytes(data)
    flags = ["-std=c99", *WARNINGS, "-fsanitize=undefined", "-fno-sanitize-recover", "-fPIC", "-shared", "-o", "m.so"]
    if compiler == "clang":
        flags = ["-std=c99", *WARNINGS, "-ftrapv", "-fPIC", "-shared", "-o", "m.so"]
    subprocess.run([compiler, *flags, "model.c"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "m.so"))
    width = len(model.inputs) if inputs == "selected" else len(model.columns)
    places = [i if inputs == "selected" else one.column for i, one in enumerate(model.inputs)]
    rows = [*count_rows(model), *([far] * 4 for far in FAR)]
    for row in rows:
        counts = (ctypes.c_int32 * width)(*[7] * width)
        q = (ctypes.c_int16 * width)()
        for place, count in zip(places, row, strict=True):
            counts[place] = -(2**31) if count is None else count
        status = library.model_encode_counts(counts, q)
        wanted, faults = encode_counts(model, row)
        assert [q[place] for place in places] == wanted
        assert status == sum(1 << i for i, one in enumerate(model.inputs) if one.name in faults)


@pytest.mark.needs("core:avr")
def test_on_avr():
    from edge_lasso_devices.cores import open_core
    from edge_lasso_devices.cross import cross_build

    for case in (CASES[0], CASES[4]):
        model = sensors(*case)
        image = cross_build(sources(model), "avr", ["model_encode_counts", "model_predict"])
        core = open_core("avr")
        for row in [*count_rows(model)[:6], [FAR[0]] * 4, [FAR[1]] * 4]:
            counts = struct.pack("<4i", *(-(2**31) if count is None else count for count in row))
            done = core.call(image, "model_encode_counts", [counts, bytes(8)], "int32")
            wanted, faults = encode_counts(model, row)
            assert list(struct.unpack("<4h", done.memory[1])) == wanted
            assert done.value == sum(1 << i for i, one in enumerate(model.inputs) if one.name in faults)
            assert done.cycles < 1500


def test_models_without_counts_get_nothing(simple):
    model = quantize(simple, to="int16")
    for target in ("python", "c"):
        assert b"encode_counts" not in b"".join(registry.render(model, target, "fixed").values())


@pytest.mark.parametrize(("text", "raw"), [
    ("adc=0.5:-40", ("adc", (0.5, -40.0))), ("adc=1e-3", ("adc", (1e-3, 0.0))), ("a=b=2:1", ("a=b", (2.0, 1.0))),
])  # fmt: skip
def test_a_raw_scale_is_read_from_text(text, raw):
    assert parse_raw(text) == raw


@pytest.mark.parametrize("text", ["", "adc", "adc=", "=1:2", "adc=a:b", "adc=1:2:3"])
def test_what_is_no_raw_scale_is_refused(text):
    with pytest.raises(DataError, match=r"is not NAME=SCALE:OFFSET, as in voltage=0\.000806:0"):
        parse_raw(text)


@pytest.mark.parametrize(("raw", "message"), [
    ({"adk": (1.0, 0.0)}, "'adk', which is not an input of the model; the nearest is 'adc'"),
    ({"kind": (1.0, 0.0)}, "'kind', which is categorical; categories have no counts"),
    ({"adc": (0.0, 1.0)}, "the raw scale of 'adc' is 0.0:1.0; both must be finite, and SCALE other than 0"),
    ({"adc": (1.0, float("inf"))}, "the raw scale of 'adc' is 1.0:inf"),
])  # fmt: skip
def test_a_raw_scale_that_cannot_be(raw, message):
    with pytest.raises(DataError) as caught:
        with_raw(sensors(), raw)
    assert message in str(caught.value)


def test_declared_when_quantizing():
    model = sensors()
    plain = model.replace(inputs=tuple(one.replace(raw=None) for one in model.inputs), sections={}, provenance={})
    raw = {one.name: one.raw for one in model.inputs if one.raw}
    assert quantize(plain, to="int16", margin=0.0, raw=raw).sections == model.sections
    assert quantize(model, to="int8").inputs[0].raw == model.inputs[0].raw
    with pytest.raises(DataError, match=r"a raw scale goes with fixed point \(int16, int8\), not with float16"):
        quantize(plain, to="float16", raw=raw)
