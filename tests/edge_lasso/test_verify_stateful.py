"""Verification of models that keep state: sequences are run and counted; an artifact broken on purpose fails."""

import math

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.float_tolerance import Tolerance
from edge_lasso.verifying.trial_sequences import sequences
from edge_lasso.verifying.verify import export
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads

pytestmark = pytest.mark.long

VARIANTS = ["python:double", "python:fixed", "c:double", "c:float", "c:fixed"]


@pytest.fixture(scope="module")
def model():
    """All parts at once."""
    inputs = [Input(f"s{i}", i, 1.0 + i, -10.0, 20.0) for i in range(3)]
    for name, kind, length in (
        ("s0.lag2", "lag", 2),
        ("s1.difference1", "difference", 1),
        ("s1.mean3", "mean", 3),
        ("s2.ewma5", "ewma", 5),
    ):
        low, high, default = (-30.0, 30.0, 0.0) if kind == "difference" else (-10.0, 20.0, 2.0)
        inputs.append(Input(name, len(inputs), default, low, high, stream=(kind, name[:2], length)))
    outputs = (
        Output("s0", 0.5, tuple(Term(0.1 * (i + 1), (Factor(i),)) for i in (1, 2, 3, 4, 5, 6))),
        Output("s2", 0.25, tuple(Term(-0.1 * (i + 1), (Factor(i),)) for i in (0, 1, 3, 4, 5))),
    )
    watch = [
        {"reading": name, "centre": 0.1, "scale": 4.0, "slow": 0.5, "weight": weight}
        for name, weight in (("s0", 1.0), ("s2", 2.0))
    ]
    sections = {
        "health/1": {"readings": [{"input": f"s{i}", "stuck": 3, "jump": 12.0} for i in range(3)]},
        "estimate/1": {
            "mean": [one.default for one in inputs],
            "inverse": [2.0 if i == j else 0.25 for i in range(7) for j in range(i + 1)], "residual": [1.0, 2.0],
        },
        "detector/1": {
            "watched": watch, "smoothing": 0.3, "clip": 8.0, "track": 5, "fast": 0.7, "warm_up": 10, "threshold": {"score": 2.5, "row_rate": 0.01, "hold": 8},
        },
    }  # fmt: skip
    found = Model(tuple(one.name for one in inputs), tuple(inputs), outputs, sections=sections)
    return quantize(loads(dumps(found)), to="int16")


@pytest.mark.slow
def test_every_variant_passes_and_rows_are_counted(model, tmp_path):
    real = [[math.nan if (t + i) % 9 == 0 else math.sin(t * (i + 1)) for i in range(7)] for t in range(60)]
    certificate = export(model, VARIANTS, tmp_path, data=real)
    assert [one.reason for one in certificate.artifacts if one.status == "failed"] == []
    assert set(certificate.verdicts.values()) == {"passed"}
    counted = certificate.rows["sequences"]
    assert counted == sum(map(len, sequences(model, real)))
    for one in certificate.artifacts:
        left_out = sum(certificate.rows.values()) - one.rows
        if one.title == "python:double" and one.status == "passed":
            assert 0 < left_out < 40  # several readings beyond the limit: the promise says so
        elif one.status == "passed":
            assert left_out == 0


@pytest.mark.parametrize("to", ["onnx", "tflite"])
def test_tensor_formats_are_verified_without_a_step(model, tmp_path, to):
    pytest.importorskip("onnx" if to == "onnx" else "flatbuffers")
    certificate = export(model, to, tmp_path)
    assert certificate.status == "passed"
    assert certificate.artifacts[0].rows == sum(certificate.rows.values()) - certificate.rows["sequences"]


BREAKS = [
    ("python:double", b"head - 2 if head >= 2", b"head - 1 if head >= 2", "linear predictor"),
    ("python:double", b"if value == value:\n            total", b"if True:\n            total", "linear predictor"),
    ("python:double", b"if run[k] > 3:\n", b"if run[k] > 4:\n", "linear predictor"),
    (
        "python:double",
        b"value = number_mean - right[i]",
        b"value = number_mean - right[i] * 1.0000001",
        "linear predictor",
    ),
    ("python:double", b"(-part / score, WATCHED", b"(part / score, WATCHED", "alarm names"),
    ("python:double", b"hit and quiet > HOLD else", b"hit and quiet > HOLD - 1 else", "alarm and onset"),
    ("python:double", b'state["rows"] < WARM_UP:', b'state["rows"] < WARM_UP - 1:', "status"),
    ("python:fixed", b"(2 * total + count) // (2 * count)", b"(2 * total) // (2 * count)", "linear predictor"),
    ("c:double", b"(head >= length) ?", b"(head > length) ?", "linear predictor"),
    ("c:double", b"result->widths[k] = model_root(", b"result->widths[k] = 1.0000001 * model_root(", "widths"),
    ("c:double", b"state->evidence[k] = 1.0;", b"state->evidence[k] = 0.0;", "score"),
    ("python:double", b"= evidence[k] * watch_weight", b"= evidence[k] * watch_weight * 1.001", "score"),
    ("c:double", b"if (!(total > 0.0)) {", b"if (total < 0.0) {", "score"),
    ("c:double", b"(UINT32_C(1) << k)", b"(UINT32_C(2) << k)", "status"),
    ("c:fixed", b"% (2 * count)) < 0)", b"% (2 * count)) > 0)", "linear predictor"),
    ("c:fixed", b"(int32_t)q[1] - old;", b"old - (int32_t)q[1];", "linear predictor"),
    ("python:fixed", b"known = r != NONE_Q", b"known = True", "step_q's score"),
    ("python:fixed", b"fault = STUCK_Q", b"fault = OK_Q", "step_q's"),
    ("python:fixed", b"change = abs(change)", b"change = -change", "step_q's fault of s"),
    ("python:fixed", b"rate * (d & 32767) + 16384", b"rate * (d & 32767)", "step_q's"),
    ("python:fixed", b'hit = state["quiet"] == 0', b"hit = False", "step_q's alarm"),
    (
        "python:fixed",
        b'out["score"] = score\n    out["total"]',
        b'out["score"] = score + 1\n    out["total"]',
        "step_q's score",
    ),
    ("c:fixed", b"state->memory[i] = state->memory[i - 1];", b"state->memory[i] = state->memory[i];", "step_q's"),
    ("c:fixed", b"(state->quiet > MODEL_HOLD_Q)", b"(state->quiet > 0)", "step_q's onset"),
    ("c:fixed", b"cut = MODEL_NONE;", b"cut = value;", "step_q's"),
    ("c:fixed", b"score += e;", b"score += e + 1;", "step_q's score"),
    (
        "c:fixed",
        b"result->parts[k] = 0;\n        state->quick",
        b"result->parts[k] = 1;\n        state->quick",
        "step_q's part of s",
    ),
    ("c:float", b"state->averages[0] = value;", b"state->averages[0] = value * 1.001f;", "linear predictor"),
    ("c:float", b"- state->evidence[k]) * MODEL_SMOOTHING)", b"- state->evidence[k]) * 0.301f)", "score"),
]


@pytest.mark.usefixtures("one_runtime_each")
@pytest.mark.parametrize(("to", "text", "instead", "reason"), BREAKS)
def test_what_step_does_wrong_is_noticed(monkeypatch, model, tmp_path, to, text, instead, reason):
    module = registry.target(to.split(":")[0])
    real = module.render

    def render(found, options):
        files = real(found, options)
        assert any(text in data for data in files.values())
        return {name: data.replace(text, instead) for name, data in files.items()}

    monkeypatch.setattr(module, "render", render)
    certificate = export(model, to, tmp_path)
    assert certificate.status == "failed"
    reasons = [one.reason for one in certificate.artifacts if one.reason]
    assert any(reason in one or "selftest" in one for one in reasons), reasons


def test_sequences_hold_what_sensors_do_wrong(model):
    calm, troubled, absurd, short = sequences(model)
    assert all(x == x for row in calm for x in row)
    assert any(x != x for row in troubled for x in row)
    assert any(all(x != x for x in row) for row in troubled)
    assert any(abs(x) == math.inf for row in absurd for x in row)
    repeats = sum(a[0] == b[0] == c[0] for a, b, c in zip(absurd, absurd[1:], absurd[2:], strict=False))
    assert repeats > 3
    assert len(short) == 40
    assert sequences(model, seed=1)[0] != calm
    assert sequences(model, seed=0)[1][:5] == troubled[:5]


def test_the_tolerance_of_float_is_small_against_what_it_judges(model):
    """On calm rows: a millionth or so of the outputs' range."""
    from edge_lasso_exporters.options import Options
    from edge_lasso_exporters.stateful_reference import replay

    tolerance = Tolerance(model, Options("float"))
    rooms = []
    for row, must in zip(sequences(model)[0], replay(model, sequences(model)[0], False), strict=True):
        raw = [*row, *[math.nan] * 4]
        x, errors, _ = tolerance._inputs(raw, must)
        rooms.append(max(tolerance._moved(x, errors)))
    assert max(rooms) < 1e-4
