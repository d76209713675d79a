"""SQL views: bit-equal in three databases, whatever the columns are called."""

import os
import random
import sqlite3
from pathlib import Path

import pytest

from edge_lasso import export
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_exporters.sql_target import Dialect, smallest
from edge_lasso_runtime import Factor, Input, Model, Output, Term

GOLDEN = Path(__file__).parent / "golden" / "sql_sqlite_model.sql"
NEEDS = {"duckdb": "module:duckdb", "postgres": "psql"}
VARIANTS = ["sqlite", *(pytest.param(name, marks=pytest.mark.needs(tool)) for name, tool in NEEDS.items())]


@pytest.mark.long
@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("which", ["two outputs", "clamp", "logistic", "softmax", "constant"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_runs_in_its_database(tmp_path, hostile, variant, which, inputs):
    certificate = export(hostile[which], f"sql:{variant}", tmp_path / "out", inputs=inputs, allow_unverified=True)
    (execution,) = certificate.artifacts
    if execution.status == "not_executed":
        assert variant == "postgres"
        assert os.environ.get("EDGE_LASSO_REQUIRE") != "all", execution.reason
        pytest.skip(execution.reason)
    assert execution.status == "passed", execution.reason
    assert execution.largest_error == 0.0


def test_numbers_are_read_back_as_they_are():
    """SQLite reads some decimals an ulp off; what is written is exact."""
    source = random.Random(2)
    values = [source.uniform(-1, 1) * 10.0 ** source.randint(-300, 290) for _ in range(3000)]
    values += [0.0, 1.0, -1.0, 0.1, 1 / 3, 2.0**100, 5e-324, 1.7976931348623157e308, 2.0**53, 2.0**-1022]
    database = sqlite3.connect(":memory:")
    number = Dialect("sqlite").number
    assert [database.execute(f"SELECT {number(value)}").fetchone()[0] for value in values] == values


def test_golden():
    inputs = (Input("temperature", 0, 20.5, -10.0, 40.0), Input("valve", 1, None, None, None, categories=("open",)))
    terms = (Term(0.1, (Factor(0),)), Term(2.0, (Factor(1, 0),)))
    small = Model(("temperature", "valve"), inputs, (Output("flow", -1.0, terms),))
    assert registry.render(small, "sql", "sqlite")["model.sql"].decode() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "A"), "'A' would stand for two columns in SQL, where case does not count; rename one"),
        (("a", "y"), "'y' would stand for two columns in SQL"),
        (("a", "n" * 64), "cannot name a column in SQL (at most 63 bytes, no NUL)"),
        (("a", "b\0"), "cannot name a column in SQL (at most 63 bytes, no NUL)"),
    ],
)
def test_names_that_sql_cannot_have(names, message):
    inputs = tuple(Input(name, i, 0.0, -1.0, 1.0) for i, name in enumerate(names))
    found = Model(names, inputs, (Output("y", 0.0, tuple(Term(1.0, (Factor(i),)) for i in range(2))),))
    with pytest.raises(ExportError) as caught:
        registry.render(found, "sql", "duckdb")
    assert message in str(caught.value)


def test_coefficients_that_would_underflow(hostile):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0),)
    tiny = Model(("a",), inputs, (Output("y", 0.0, (Term(1e-300, (Factor(0),)),)),))
    with pytest.raises(
        ExportError, match="a coefficient is 1e-300; products with it would underflow, where PostgreSQL"
    ):
        registry.render(tiny, "sql", "postgres")
    assert smallest(hostile["clamp"]) < 2.0**-400
