"""Spreadsheets: formulas within their bound where they are calculated, names that are no formulas."""

import csv
import io
import json
from pathlib import Path

import pytest

from edge_lasso import export
from edge_lasso_exporters import registry
from edge_lasso_exporters.formula_target import column
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import Factor, Input, Model, Output, Term

pytestmark = pytest.mark.needs("module:formulas")
GOLDEN = Path(__file__).parent / "golden" / "formula_csv_model.csv"


@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("which", ["two outputs", "clamp", "logistic", "softmax", "constant"])
def test_is_calculated_within_its_bound(tmp_path, hostile, which, inputs):
    certificate = export(hostile[which], "formula", tmp_path / "out", inputs=inputs)
    (execution,) = certificate.artifacts
    assert execution.status == "passed", execution.reason


def small(names=("temperature", "valve"), words=("open", 'ajar "a bit"')):
    inputs = (Input(names[0], 0, 20.5, -10.0, 40.0), Input(names[1], 1, None, None, None, categories=words))
    terms = (Term(0.1, (Factor(0),)), Term(2.0, (Factor(1, 1),)))
    return Model(names, inputs, (Output("flow", -1.0, terms),))


def test_golden():
    assert registry.render(small(), "formula", "csv")["model.csv"] == GOLDEN.read_bytes()


def test_the_sheet_has_its_names_over_its_formulas():
    files = registry.render(small(), "formula", "csv")
    names, cells = csv.reader(io.StringIO(files["model.csv"].decode()))
    assert names == ["temperature", "valve", "flow", "model status"]
    assert cells[:2] == ["", ""]
    described = json.loads(files["model.cells.json"])
    assert cells[2:] == [described["linear"][0], described["status"]]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-x", "@SUM(1)", "\tx"])
def test_a_name_that_would_be_a_formula(name):
    with pytest.raises(ExportError, match=r"a spreadsheet would take the name .* for a formula; rename it"):
        registry.render(small((name, "valve")), "formula", "csv")


def test_what_a_spreadsheet_cannot_hold():
    with pytest.raises(ExportError, match="is longer than a spreadsheet's 255 characters"):
        registry.render(small(words=("a", "b" * 256)), "formula", "csv")
    columns = tuple(f"s{i}" for i in range(200))
    inputs = tuple(Input(name, i, 0.123456789, -1.0, 1.0) for i, name in enumerate(columns))
    wide = Model(columns, inputs, (Output("y", 0.0, tuple(Term(0.1, (Factor(i),)) for i in range(200))),))
    with pytest.raises(
        ExportError, match=r"the formula of 'y' has 1\d,\d+ characters, a spreadsheet takes 8,192; prune"
    ):
        registry.render(wide, "formula", "csv")


def test_columns():
    assert [column(place) for place in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
