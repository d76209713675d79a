"""Verification: every target passes as it is, and fails when it is broken on purpose."""

import json
import math
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edge_lasso.commands.main import main
from edge_lasso.compressing.quantize import quantize
from edge_lasso.errors import DataError, ExportError, SessionError
from edge_lasso.verifying.certificate import CERTIFICATE, Certificate, Execution, from_json
from edge_lasso.verifying.compare_integers import integer_rows
from edge_lasso.verifying.compare_rows import differences
from edge_lasso.verifying.materials import BILL, CARD
from edge_lasso.verifying.trial_rows import VALUES, trial_rows
from edge_lasso.verifying.verify import export, verify
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term, format, model_hash, save

pytestmark = pytest.mark.long

BUILT = {"esphome:float"}  # takes half a minute each: `tests/exporters/test_esphome_target.py` breaks one
PACKAGES = {"sql:duckdb": "duckdb", "formula:csv": "formulas"}
VARIANTS = [
    name
    for name in (f"{target}:{variant}" for target in registry.modules() for variant in registry.target(target).VARIANTS)
    if name not in BUILT
    and (name not in PACKAGES or os.environ.get("EDGE_LASSO_REQUIRE") == "all" or find_spec(PACKAGES[name]) is not None)
]
PROGRAMS = {"promql:rules": "promtool", "sql:postgres": "psql"}  # C compilers and node come with the machine


def variants(*left_out):
    """As parameters of a test, which say what program each needs."""
    return [
        pytest.param(name, marks=pytest.mark.needs(PROGRAMS[name])) if name in PROGRAMS else name
        for name in VARIANTS
        if name not in left_out
    ]


def model(policy="extrapolate"):
    """Weights and contributions over three orders of magnitude."""
    inputs = tuple(Input(f"s{i}", 2 * i, 3.0 + i, -5.0, 20.0 * (i + 1), "V") for i in range(5))
    coefs = (0.5, -0.25, 0.003, 1.75, -0.04)
    terms = tuple(Term(coef, (Factor(i),)) for i, coef in enumerate(coefs))
    return Model(
        tuple(f"s{i // 2}" if i % 2 == 0 else f"u{i}" for i in range(10)), inputs, (Output("y", 1.25, terms),), policy
    )


@pytest.fixture(scope="module")
def quantized():
    return quantize(model(), "int16")


def swapped(found):
    """Two inputs change places."""
    (output,) = found.outputs
    a, b, *rest = output.terms
    return found.replace(
        outputs=(output.replace(terms=(a.replace(factors=b.factors), b.replace(factors=a.factors), *rest)),)
    )


def without_intercept(found):
    """The intercept is left out."""
    (output,) = found.outputs
    return found.replace(outputs=(output.replace(intercept=0.0),))


def off_by_one_percent(found, which):
    """One weight is 1 % off."""
    (output,) = found.outputs
    terms = tuple(t.replace(coef=1.01 * t.coef) if i == which else t for i, t in enumerate(output.terms))
    return found.replace(outputs=(output.replace(terms=terms),))


def largest_weight_off(found):
    return off_by_one_percent(found, 3)


def smallest_contribution_off(found):
    return off_by_one_percent(found, 2)


def broken(monkeypatch, target, break_model):
    """The target's module renders another model, under the right model's hash."""
    module = registry.target(target)
    real = module.render

    def render(found, options):
        wrong = break_model(found)
        if "fixed_point/1" in found.sections:
            wrong = quantize(wrong.replace(sections={}), "int16")
        old, new = model_hash(wrong).encode(), model_hash(found).encode()
        assert old != new
        return {name: data.replace(old, new) for name, data in real(wrong, options).items()}

    monkeypatch.setattr(module, "render", render)


@pytest.mark.parametrize("to", variants())
@pytest.mark.parametrize("fault", [swapped, without_intercept, largest_weight_off])
def test_an_exporter_broken_on_purpose_fails(monkeypatch, tmp_path, quantized, to, fault):
    broken(monkeypatch, to.split(":")[0], fault)
    certificate = export(quantized, to, tmp_path / "out", inputs="all")
    assert certificate.status == "failed"
    assert all(one.status == "failed" for one in certificate.artifacts if one.status != "not_executed")
    assert all(one.reason for one in certificate.artifacts)
    assert not (tmp_path / "out").exists()


# An integer graph has one step for all weights; 1 % of the least important one stays below it.
COARSE = {"tflite:dynamic", "tflite:int8", "tflite:int8io", "tflite:int16x8"}


@pytest.mark.usefixtures("one_runtime_each")
@pytest.mark.parametrize("to", variants(*COARSE))
@pytest.mark.parametrize("policy", ["extrapolate", "clamp"])
def test_one_percent_of_the_least_important_weight_is_seen(monkeypatch, tmp_path, to, policy):
    found = quantize(model(policy), "int16")
    broken(monkeypatch, to.split(":")[0], smallest_contribution_off)
    assert export(found, to, tmp_path / "out").status == "failed"


# What these read has limits of its own, or takes its time: some rows are left out, and the certificate counts them.
PARTIAL = {"sql:postgres", "formula:csv", "promql:rules"}


@pytest.mark.needs(*PROGRAMS.values())
@pytest.mark.parametrize(("policy", "inputs"), [("extrapolate", "all"), ("clamp", "selected")])
def test_every_target_passes_as_it_is(tmp_path, policy, inputs):
    found = quantize(model(policy), "int16")
    certificate = export(found, VARIANTS, tmp_path, inputs=inputs, data=[[1.0, 2.0, math.nan, 4.0, 5.0]] * 3)
    assert [one.reason for one in certificate.artifacts if one.status == "failed"] == []
    assert set(certificate.verdicts.values()) == {"passed"}
    assert set(certificate.verdicts) == set(VARIANTS)
    assert certificate.rows["real"] == 3
    for one in certificate.artifacts:
        if one.status == "passed":
            left_out = sum(certificate.rows.values()) - one.rows
            if one.title == "python:double" and policy == "extrapolate":
                assert 0 < left_out < 30  # several readings beyond the limit: the promise says so
            elif one.title in PARTIAL:
                assert one.rows > 100
            else:
                assert left_out == 0
            assert 0.0 <= one.largest_ratio <= 1.0
            assert one.promised["bound"] is None or one.largest_error <= one.promised["bound"]
            assert one.runtime
    data = json.loads((tmp_path / CERTIFICATE).read_text())
    assert from_json(data) == certificate
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [CERTIFICATE, BILL, CARD, *(v.replace(":", "-") for v in VARIANTS)]
    )
    again = verify(found, tmp_path)
    assert again.status == "passed"
    assert again.verdicts == certificate.verdicts


def classifier(link, classes):
    count = 1 if link == "logistic" else len(classes)
    inputs = tuple(Input(f"s{i}", i, 0.5, -2.0, 3.0) for i in range(3))
    outputs = tuple(
        Output(f"y{m}", 0.25 - m, tuple(Term((-1.0) ** (i + m) * (0.5 + i), (Factor(i),)) for i in range(3)), link)
        for m in range(count)
    )
    return Model(("s0", "s1", "s2"), inputs, outputs, classes=classes)


def mixed_terms():
    inputs = (
        Input("t", 0, 20.0, -10.0, 50.0),
        Input("kind", 1, None, None, None, "", ("x", "y", "z")),
        Input("u", 2, 1.0, 0.0, 2.0),
    )
    terms = (
        Term(0.5, (Factor(0),)),
        Term(-2.0, (Factor(1, 0),)),
        Term(3.25, (Factor(1, 2),)),
        Term(0.1, (Factor(0), Factor(2))),
        Term(0.01, (Factor(2), Factor(2), Factor(2))),
    )
    return Model(("t", "kind", "u"), inputs, (Output("y", 0.3, terms),))


SHAPES = {
    "binary": classifier("logistic", ("no", "yes")),
    "softmax": classifier("softmax", ("a", "b", "c")),
    "integers": classifier("softmax", ("0", "1", "2")),
    "terms": mixed_terms(),
    "two outputs": Model(
        ("a",), (Input("a", 0, 0.0, -1.0, 1.0),), (Output("y", 1.0, (Term(2.0, (Factor(0),)),)), Output("z", 0.5, ()))
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_model(tmp_path, shape):
    certificate = export(SHAPES[shape], "python,c,c:float,onnx,onnx:float64,tflite,tflite:float16", tmp_path)
    assert [one.reason for one in certificate.artifacts if one.status == "failed"] == []
    assert certificate.status == "passed"


def test_a_constant_model_without_inputs(tmp_path):
    constant = Model(("a",), (), (Output("y", 4.5, ()),))
    assert export(constant, "python,c,c:float,onnx", tmp_path).status == "passed"


def wrong_link(monkeypatch, target, text, instead):
    module = registry.target(target)
    real = module.render

    def render(found, options):
        files = real(found, options)
        assert any(text in data for data in files.values())
        return {name: data.replace(text, instead) for name, data in files.items()}

    monkeypatch.setattr(module, "render", render)


@pytest.mark.usefixtures("one_runtime_each")
@pytest.mark.parametrize(
    ("target", "text", "instead", "reason"),
    [
        ("python", b"return 1.0 / (1.0 + exp(-z))", b"return 1.0 / (1.0001 + exp(-z))", "prediction is"),
        ("python", b"CLASSES[1 if linear(x) > 0.0", b"CLASSES[1 if linear(x) > 0.1", "label is"),
        ("python", b"elif value < low or value > high:", b"elif False:", "status is ok"),
        ("c", b"z = (double)exp(z);", b"z = (double)exp(z) * 1.0001;", "prediction is"),
        ("c", b"> 0.0) ? 1 : 0", b"> 0.1) ? 1 : 0", "label is"),
        ("c", b"UINT32_C(2)", b"UINT32_C(0)", "status is ok"),
    ],
)
def test_what_comes_after_the_linear_predictor_is_checked_too(monkeypatch, tmp_path, target, text, instead, reason):
    wrong_link(monkeypatch, target, text, instead)
    certificate = export(SHAPES["binary"], target, tmp_path)
    assert certificate.status == "failed"
    assert reason in certificate.artifacts[0].reason


@pytest.mark.usefixtures("one_runtime_each")
@pytest.mark.parametrize(
    ("target", "text", "instead", "reason"),
    [
        ("python", b"+ 0.5) // 1.0", b"+ 0.49) // 1.0", "encode gives"),
        ("c", b"(MODEL_REAL)0.5;", b"(MODEL_REAL)0.49;", "encode gives"),
    ],
)
def test_fixed_point_is_compared_bit_for_bit(monkeypatch, tmp_path, quantized, target, text, instead, reason):
    wrong_link(monkeypatch, target, text, instead)
    certificate = export(quantized, f"{target}:fixed", tmp_path)
    assert certificate.status == "failed"
    assert reason in certificate.artifacts[0].reason


@pytest.mark.usefixtures("one_runtime_each")
def test_an_artifact_of_another_model_is_refused_by_hash(tmp_path):
    export(model(), "python,c", tmp_path)
    other = without_intercept(model())
    certificate = verify(other, [tmp_path / "python-double", tmp_path / "c-double"])
    assert certificate.status == "failed"
    assert all("made from another model" in one.reason for one in certificate.artifacts)
    # artifact.json alone says the right thing
    about = json.loads((tmp_path / "python-double" / "artifact.json").read_text())
    about["model_hash"] = model_hash(other)
    (tmp_path / "python-double" / "artifact.json").write_text(json.dumps(about))
    assert verify(other, tmp_path / "python-double").status == "failed"


@pytest.mark.usefixtures("one_runtime_each")
def test_a_file_changed_by_hand_is_noticed(tmp_path):
    export(model(), "python", tmp_path)
    path = tmp_path / "python-double" / "model.py"
    path.write_text(path.read_text().replace("1.25 +", "1.2500000000000002 +"))
    certificate = verify(model(), tmp_path)
    assert certificate.status == "failed"
    assert (
        "it is not what this model renders to: it differs in model.py; nothing was executed"
        in certificate.artifacts[0].reason
    )
    certificate = verify(model(), tmp_path, run_foreign=True)
    assert certificate.status == "failed"
    assert "linear predictor is" in certificate.artifacts[0].reason


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [("more.py", "", "holds also more.py"), ("__pycache__/model.pyc", "", "holds also __pycache__/model.pyc"),
     ("model.py", None, "lacks model.py"), ("artifact.json", "generator", "made by edge-lasso 0.0.1")],
)  # fmt: skip
def test_what_the_model_does_not_render_to_is_not_executed(tmp_path, name, text, what):
    export(model(), "python", tmp_path)
    folder = tmp_path / "python-double"
    witness = tmp_path / "witness"
    path = folder / name
    if text is None:
        path.unlink()
    elif text == "generator":
        about = json.loads(path.read_text())
        path.write_text(json.dumps({**about, "generator": "edge-lasso 0.0.1"}))
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for source in folder.glob("*.py"):
        source.write_text(source.read_text() + f"\nopen({str(witness)!r}, 'w')\n")
    certificate = verify(model(), tmp_path)
    assert certificate.status == ("not_executed" if text == "generator" else "failed")
    assert not witness.exists()
    assert what in certificate.artifacts[0].reason


@pytest.mark.usefixtures("one_runtime_each")
def test_what_failed_leaves_what_was_there_before(monkeypatch, tmp_path):
    export(model(), "python,c", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    broken(monkeypatch, "python", swapped)
    assert export(model(), "python", tmp_path).status == "failed"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("one_runtime_each")
def test_one_that_failed_does_not_stop_the_others(monkeypatch, tmp_path):
    broken(monkeypatch, "c", swapped)
    certificate = export(model(), "python,c", tmp_path)
    assert certificate.verdicts == {"python:double": "passed", "c:double": "failed"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [BILL, CARD, CERTIFICATE, "python-double"]
    assert json.loads((tmp_path / CERTIFICATE).read_text())["status"] == "failed"


@pytest.mark.usefixtures("one_runtime_each")
def test_a_later_export_keeps_the_earlier_entries_of_the_same_model(tmp_path):
    export(model(), "python", tmp_path)
    export(model(), "c", tmp_path)
    data = json.loads((tmp_path / CERTIFICATE).read_text())
    assert {one["target"] for one in data["artifacts"]} == {"python", "c"}
    export(without_intercept(model()), "c:float", tmp_path)
    data = json.loads((tmp_path / CERTIFICATE).read_text())
    assert {one["variant"] for one in data["artifacts"]} == {"float"}


def test_without_a_compiler_c_is_not_executed(monkeypatch, tmp_path):
    monkeypatch.setattr("edge_lasso.verifying.executions.find_compiler", lambda: None)
    monkeypatch.setattr("edge_lasso.verifying.executions.shutil.which", lambda name: None)
    certificate = export(model(), "c", tmp_path / "out")
    (one,) = certificate.artifacts
    assert (one.status, one.runtime, certificate.status) == ("not_executed", "C compiler", "not_executed")
    assert "no C compiler here" in one.reason
    assert not (tmp_path / "out").exists()
    assert export(model(), "c", tmp_path / "out", allow_unverified=True).status == "not_executed"
    assert (tmp_path / "out" / "c-double" / "model.c").exists()


def test_without_micropython_the_python_artifact_is_still_verified(monkeypatch, tmp_path):
    monkeypatch.setattr("edge_lasso.verifying.executions.find_micropython", lambda: None)
    certificate = export(model(), "python", tmp_path)
    assert [one.status for one in certificate.artifacts] == ["passed", "not_executed"]
    assert certificate.status == "passed"


def test_verify_without_artifacts_renders_every_target(tmp_path):
    certificate = verify(model())
    assert set(certificate.verdicts) >= {"python:double", "c:double", "onnx:float32", "tflite:float32"}
    assert certificate.status == "passed"


@pytest.mark.usefixtures("one_runtime_each")
def test_nothing_is_left_of_an_export_that_is_interrupted(monkeypatch, tmp_path):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        sys.modules["edge_lasso.verifying.verify"], "compare", interrupt
    )  # the package's name is the function
    with pytest.raises(KeyboardInterrupt):
        export(model(), "python", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(KeyboardInterrupt):
        export(model(), "python", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_bad_requests(tmp_path):
    with pytest.raises(ExportError, match=r"target 'pyton' is unknown; .* the nearest is 'python'"):
        export(model(), "pyton", tmp_path / "out")
    with pytest.raises(ExportError, match="inputs is 'some'; allowed are 'selected' and 'all'"):
        export(model(), "python", tmp_path / "out", inputs="some")
    with pytest.raises(ExportError, match="needs a quantized model"):
        export(model(), "python:fixed", tmp_path / "out")
    with pytest.raises(DataError, match=r"rows have the shape \(1, 2\); the model has 5 inputs"):
        export(model(), "python", tmp_path / "out", data=[[1.0, 2.0]])
    with pytest.raises(SessionError, match=r"has no artifact\.json"):
        verify(model(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        export(model(), "python", tmp_path / "file")


@pytest.mark.usefixtures("one_runtime_each")
def test_the_date_can_be_fixed(monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    first = export(model(), "python", tmp_path).to_json()
    assert first["date"] == "1970-01-02T00:00:00Z"
    assert export(model(), "python", tmp_path).to_json() == first


def test_nan_infinity_and_wrong_shapes_never_pass():
    for got in ([[math.nan]], [[math.inf]], [[1.0, 1.0]], [], [[1.5]]):
        assert differences(got, [[1.0]], [[0.25]]).faults
    assert not differences([[1.25]], [[1.0]], [[0.25]]).faults
    assert differences([[1.0]], [[1.0]], [[math.nan]]).faults
    exact = differences([[1.0], [2.0]], [[1.0], [2.0]], [[0.0], [0.0]])
    assert (exact.largest_error, exact.largest_ratio, exact.faults) == (0.0, 0.0, [])
    assert differences([[1.0 + 2**-52]], [[1.0]], [[0.0]]).largest_ratio == math.inf


@pytest.mark.parametrize("statuses", [["passed"], ["passed", "not_executed"], ["not_executed"], ["passed", "failed"]])
def test_an_artifact_passes_if_it_ran_somewhere_and_failed_nowhere(statuses):
    rows = tuple(Execution("c", "double", {}, status, "gcc") for status in statuses)
    expected = "failed" if "failed" in statuses else "passed" if "passed" in statuses else "not_executed"
    assert Certificate("h", "d", {}, rows).status == expected


def test_trial_rows_cover_what_boards_meet():
    found = trial_rows(mixed_terms(), real=[[1.0, 2.0, 3.0]])
    assert list(found) == ["real", "random", "edges", "alone", "missing", "huge", "mixed"]
    rows = np.array([row for rows in found.values() for row in rows])
    limit = mixed_terms().limit
    assert np.isnan(rows).any(axis=0).all()
    assert np.isinf(rows).any(axis=0).all()
    assert (rows == limit).any(axis=0).all()
    assert (rows > limit).any(axis=0).all()
    assert {0.0, 1.0, 2.0, -1.0, 0.5} <= set(rows[:, 1])
    assert trial_rows(mixed_terms(), seed=1)["random"] != found["random"]
    assert trial_rows(mixed_terms())["random"] == found["random"]


def test_a_table_gives_the_real_rows(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("u,kind,t\n1.5,y,20\n,z,\n0.5,other,-3\n")
    assert export(mixed_terms(), "python", tmp_path / "out", data=path).rows["real"] == 3
    save(mixed_terms(), tmp_path / "model.json")
    assert verify(format.load(tmp_path / "model.json"), Path(tmp_path, "out"), data=path).status == "passed"


def test_a_folder_that_cannot_be_written(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):  # root may write anywhere
            return
        with pytest.raises(PermissionError):
            export(model(), "python", folder / "out")
    finally:
        folder.chmod(0o700)


def test_rows_of_integers_do_not_grow_with_the_square_of_the_inputs():
    for count in (3, 200, 5000):
        ranges = {"inputs": [{"low": -5, "high": 9 + i % 3} for i in range(count)], "outputs": []}
        rows = integer_rows(ranges)
        assert len(rows) * count <= 6 * VALUES
        for i in (0, count // 2, count - 1):
            assert {row[i] for row in rows} >= {-5, 9 + i % 3, 0}


def test_missing_readings_may_be_left_to_the_caller(tmp_path, capsys):
    save(model(), tmp_path / "model.json")
    command = ["export", str(tmp_path / "model.json"), "--leave-missing", "--out", str(tmp_path / "out"), "--to"]
    assert main([*command, "onnx,tflite"]) == 0
    for folder in ("onnx-float32", "tflite-float32"):
        described = json.loads((tmp_path / "out" / folder / "artifact.json").read_text())
        assert described["handles_missing"] is False
        assert "replaced by the caller" in (tmp_path / "out" / folder / "README.md").read_text()
    assert verify(model(), tmp_path / "out").status == "passed"
    capsys.readouterr()
    assert main([*command, "c"]) == 2
    said = "edge-lasso: error: c:double replaces missing readings itself; --leave-missing is for onnx and tflite\n"
    assert capsys.readouterr().err == said
