"""SQL views: bit-equal in three databases, whatever the columns are called."""

import os
import random
import sqlite3
from pathlib import Path

import pytest

from edge_lasso import export
from edge_lasso_exporters import registry, sql_rows
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


def remembers(policy="extrapolate", link="identity", kind="mean", sections=None):
    """A lag, a difference and two means of readings whose names are no words of SQL."""
    a, b = Input("a 'x\"", 0, 1.0, 0.0, 2.0), Input("b", 1, -1.0, -4.0, 0.0)
    streams = [("l", "lag", a, 2), ("d", "difference", b, 1), ("m", kind, b, 3), ("n", "mean", a, 4)]
    inputs = [a, b, Input("kind", 2, None, None, None, categories=("off'", "on"))]
    for place, (name, of, source, length) in enumerate(streams, 3):
        inputs.append(Input(name, place, 0.1, -1.0, 1.0, stream=(of, source.name, length)))
    terms = [Term((k + 1) / 7, (Factor(k),)) for k in (0, 1, 3, 4, 5, 6)] + [Term(0.3, (Factor(2, 1),))]
    classes = None if link == "identity" else ("no", "it's")
    columns = tuple(entry.name for entry in inputs)
    outputs = (Output("y", 0.1, tuple(terms), link),)
    return Model(columns, tuple(inputs), outputs, policy, classes, sections=sections or {})


@pytest.mark.long
@pytest.mark.parametrize("which", [{}, {"policy": "clamp"}, {"link": "logistic"}], ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_one_after_another(tmp_path, variant, which):
    (execution,) = export(remembers(**which), f"sql:{variant}", tmp_path / "out", allow_unverified=True).artifacts
    if execution.status == "not_executed":
        assert variant == "postgres"
        assert os.environ.get("EDGE_LASSO_REQUIRE") != "all", execution.reason
        pytest.skip(execution.reason)
    assert (execution.status, execution.reason) == ("passed", "")
    assert execution.promised["step"].startswith("results of step bit for bit")
    assert execution.rows > 800


def test_a_sum_in_another_order_is_noticed(tmp_path, monkeypatch):
    """The mean as the engine's own aggregate gives it."""
    real = sql_rows.derived

    def derived(model, dialect, table):
        text = real(model, dialect, table)
        (line,) = (line for line in text.splitlines() if line.endswith('AS "n",'))
        mean = '    avg("a \'x""") OVER (ORDER BY "time" ROWS 3 PRECEDING) * (1.0 + 1e-15) AS "n",'
        return text.replace(line, mean)

    monkeypatch.setattr("edge_lasso_exporters.sql_target.derived", derived)
    (execution,) = export(remembers(), "sql:sqlite", tmp_path / "out").artifacts
    assert execution.status == "failed"
    assert "step's linear predictor" in execution.reason


@pytest.mark.parametrize(("more", "named"), [
    ({"kind": "ewma"}, "m (ewma)"),
    ({"sections": {"health/1": {"readings": [{"input": "b", "stuck": 3, "jump": 1.0}]}}}, "health/1"),
])  # fmt: skip
def test_what_sql_cannot_remember_is_named(more, named):
    files = registry.render(remembers(**more), "sql", "sqlite")
    assert "model.rows.sql" not in files
    last = files["model.sql"].decode().splitlines()[-1]
    assert last.startswith(f"-- SQL has no state for {named}: the caller's part")
    assert b'"caller"' in files["artifact.json"]
    assert b'"step"' not in files["artifact.json"]
