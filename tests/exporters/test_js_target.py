"""The JavaScript target: run in node, equal to the reference to the bit; integers too."""

from pathlib import Path

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying import executions
from edge_lasso.verifying.certificate import NOT_EXECUTED, PASSED
from edge_lasso.verifying.compare_steps import compare_steps
from edge_lasso.verifying.trial_sequences import sequences
from edge_lasso.verifying.verify import export
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import Options
from edge_lasso_runtime.fixed_detector import KEY

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.needs("node")
@pytest.mark.parametrize("name", ["plain", "clamp", "softmax", "everything"])
@pytest.mark.parametrize("inputs", ["selected", "all"])
def test_every_shape(tmp_path, shapes, name, inputs):
    (found,) = export(shapes[name], "js:double", tmp_path / "a", inputs=inputs).artifacts
    assert (found.status, found.largest_error) == (PASSED, 0.0), found.reason


@pytest.mark.needs("node")
@pytest.mark.parametrize("name", ["plain", "logistic"])
def test_integers(tmp_path, shapes, name):
    (found,) = export(quantize(shapes[name], to="int16"), "js", tmp_path / "a").artifacts
    assert (found.variant, found.status) == ("fixed", PASSED), found.reason


@pytest.mark.needs("node")
@pytest.mark.parametrize("variant", ["double", "fixed"])
@pytest.mark.parametrize("seed", range(4))
def test_rows_one_after_another(tmp_path, stateful_model, variant, seed):
    some = {"detector": True, "track": seed % 2 * 5, "streams": 6, "health": True}
    model = stateful_model(seed, plain=True, categories=False, **some)
    model = quantize(model, to="int16") if variant == "fixed" else model
    assert variant == "double" or KEY in model.sections
    files = registry.render(model, "js", variant)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (runtime,) = executions.runtimes("js", tmp_path, files)
    with executions.opened(runtime) as session:
        rows, wrong = compare_steps(session, model, Options(variant), sequences(model, seed=seed))
        assert session.passed, "selftest"
    assert rows > 100
    assert wrong == []


@pytest.mark.parametrize("variant", ["double", "fixed"])
def test_golden(small_detector, variant):
    model = quantize(small_detector, to="int16") if variant == "fixed" else small_detector
    golden = GOLDEN / f"stateful_js_{variant}_model.mjs"
    text = registry.render(model, "js", variant)["model.mjs"].decode()
    assert text == golden.read_text(), f"if this change is meant, replace {golden.name}"


def test_without_node_it_is_not_executed(small_detector, tmp_path, monkeypatch):
    monkeypatch.setattr(executions, "find_node", lambda: None)
    (found,) = export(small_detector, "js", tmp_path / "a").artifacts
    assert found.status == NOT_EXECUTED
    assert found.reason.startswith("there is no Node.js here; install it with: ")
    assert not (tmp_path / "a").exists()


def test_it_is_meant_where_it_is_named():
    assert "js" in registry.modules()
    assert "js" not in registry.usual()
