"""Recording rules: bit-equal in Prometheus' own test tool, whatever the readings are called."""

import subprocess
from pathlib import Path

import pytest

from edge_lasso import export
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import Factor, Input, Model, Output, Term
from edge_lasso_runtime.promql_session import samples

GOLDEN = Path(__file__).parent / "golden" / "promql_rules_model.rules.yml"


def small():
    inputs = (Input("temperature", 0, 20.5, -10.0, 40.0), Input("valve", 1, None, None, None, categories=('o"pen\\',)))
    terms = (Term(0.1, (Factor(0),)), Term(2.0, (Factor(1, 0),)))
    return Model(("temperature", "valve"), inputs, (Output("flow", -1.0, terms, "logistic"),), classes=("no", "yes"))


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("which", ["two outputs", "clamp", "logistic", "softmax", "constant"])
def test_runs_in_promtool(tmp_path, hostile, which, inputs):
    certificate = export(hostile[which], "promql", tmp_path / "out", inputs=inputs)
    (execution,) = certificate.artifacts
    assert execution.status == "passed", execution.reason
    assert execution.largest_error == 0.0


@pytest.mark.needs("promtool")
def test_golden(tmp_path):
    rules = registry.render(small(), "promql", "rules")["model.rules.yml"]
    assert rules == GOLDEN.read_bytes()
    (tmp_path / "rules.yml").write_bytes(rules)
    done = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)
    assert "5 rules found" in done.stdout, done.stderr


def test_state_is_refused():
    reading = Input("a", 0, 0.0, -1.0, 1.0)
    lag = Input("a (1 before)", 1, 0.0, -1.0, 1.0, stream=("lag", "a", 1))
    lagged = Model(("a", "a (1 before)"), (reading, lag), (Output("y", 0.0, (Term(1.0, (Factor(1),)),)),))
    with pytest.raises(ExportError, match="a recording rule keeps no state; train without lags, or export python or c"):
        registry.render(lagged, "promql", "rules")


def test_samples():
    line = '{__name__="a:linear", output="y\\"x, {"} 2.5E+00, {__name__="a:linear", output="z"} NaN'
    found = samples(line)
    assert found['y"x, {'] == 2.5
    assert list(found) == ['y"x, {', "z"]
