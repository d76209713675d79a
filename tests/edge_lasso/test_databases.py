"""Queries of databases as tables: a real DuckDB file, a real PostgreSQL server; refusals tell no password."""

import os
import subprocess

import numpy as np
import pyarrow as pa
import pytest

import edge_lasso
from edge_lasso.errors import DataError
from edge_lasso.tables.tables import open_table
from edge_lasso.verifying.postgres import psql

NAN = np.nan


def columns(table, names):
    return np.concatenate([numbers for numbers, _ in table.batches(names)])


@pytest.fixture(scope="module")
def server():
    command = psql()
    if command is None or "-h" not in command:
        assert os.environ.get("EDGE_LASSO_REQUIRE") != "all", "no PostgreSQL here"
        pytest.skip("no PostgreSQL here")
    rows = "SELECT now() + i * interval '1 min' AS t, i::float8 AS a, (2 * i + 1)::numeric AS y, i % 2 = 0 AS b"
    text = f"""
        CREATE TABLE readings (t timestamptz, a float8, n numeric, b boolean, w text);
        INSERT INTO readings VALUES ('2024-05-31 13:00+02', 1.5, 2.25, true, 'x'), ('2024-05-31 14:00+02', NULL, 3, false, NULL);
        CREATE TABLE plant AS {rows} FROM generate_series(1, 60) AS i;
    """
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)
    return f"postgresql://postgres@/postgres?host={command[command.index('-h') + 1]}"


@pytest.mark.needs("psql", "module:adbc_driver_postgresql")
def test_a_server(server):
    table = open_table(f"{server}?SELECT * FROM readings ORDER BY t")
    assert (table.title, table.columns, table.files) == ("postgres", ("t", "a", "n", "b", "w"), ())
    np.testing.assert_array_equal(columns(table, ["a", "n", "b"]), [[1.5, 2.25, 1], [NAN, 3, 0]])
    result = edge_lasso.train(f"{server}?\n  WITH p AS (SELECT * FROM plant) SELECT * FROM p", "y", time="t")
    assert result.model.outputs[0].terms[0].coef == pytest.approx(2.0, rel=1e-3)
    assert result.model.provenance["data"]["file"] == "postgres"


@pytest.mark.needs("psql", "module:adbc_driver_postgresql")
def test_what_a_server_refuses(server):
    for address, message in (
        (f"{server}?SELECT x FROM readings", 'postgres: column "x" does not exist; the query was: SELECT x FROM readings'),
        (f"{server}?SELECT * FROM readings WHERE a > 9", "postgres: the query gives no rows"),
        ("postgresql://u:secret@127.0.0.1:1/plant?SELECT 1", 'plant: [libpq] Failed to connect: connection to server at "127'),
        ("postgresql://u:secret@127.0.0.1/plant", "127.0.0.1/plant names no query; for example: 'postgresql://USER@HOST"),
    ):  # fmt: skip
        with pytest.raises(DataError) as error:
            open_table(address)
        assert str(error.value).startswith(message)
        assert "secret" not in str(error.value)


@pytest.mark.needs("module:duckdb")
def test_a_file_of_duckdb(tmp_path):
    import duckdb

    path = tmp_path / "plant.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE r AS SELECT 1.5 AS a, 2::DECIMAL(8, 2) AS n, true AS b UNION ALL SELECT NULL, 3, false"
        )
    table = open_table(f"duckdb:///{path}?SELECT * FROM r ORDER BY n")
    assert (table.title, table.files) == ("plant.duckdb", (path,))
    np.testing.assert_array_equal(columns(table, ["a", "n", "b"]), [[1.5, 2, 1], [NAN, 3, 0]])
    for query, message in (
        ("SELECT x FROM r", 'Referenced column "x" not found'), ("DELETE FROM r", "read-only mode"),
        ("SELECT * FROM r WHERE a > 9", "the query gives no rows"), ("", "names no query"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=message):
            open_table(f"duckdb:///{path}?{query}")
    with pytest.raises(DataError, match=r"gone does not exist; the address of a database is duckdb:///FILE\?QUERY"):
        open_table(f"duckdb:///{path}.gone?SELECT 1")


def test_types_of_a_database_are_read_as_text():
    from edge_lasso.tables.databases import plain

    storage = pa.array(["1.5", None])
    table = plain(pa.table({"n": pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "numeric", "db"), storage)}))
    np.testing.assert_array_equal(columns(open_table(table), ["n"]), [[1.5], [NAN]])
