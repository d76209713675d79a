"""Sessions for the SQL artifact: its view over a table of the rows, in the database it is written for.

SQLite comes with Python; DuckDB is a package; PostgreSQL is asked through `psql`.
"""

from __future__ import annotations

from .artifact import Artifact
from .errors import MissingRuntimeError, SessionError
from .sessions import Session, first_line, missing_runtime
from .step_session import FAULTS, STATUS, answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .sessions import Rows
    from .step_session import Answer

ORDER = "edge-lasso row"
HASH = "-- model_hash: "
NOTHING = "\\N"
TIMEOUT = 120.0


def open_session(kind: str, artifact: Artifact, psql: Sequence[str] | None = None) -> Session:
    """See `sessions.load`."""
    import json

    try:
        with open(artifact.path(), encoding="utf-8") as file:
            view = file.read()
        with open(artifact.path(f"{artifact.name}.columns.json"), encoding="utf-8") as file:
            columns = json.load(file)
    except (OSError, ValueError) as error:
        raise SessionError(f"{artifact.path()} cannot be read: {error}") from None
    return SqlSession(artifact, view, columns, _database(artifact.variant, psql))


def _database(variant: str, psql: Sequence[str] | None) -> Database:
    if variant == "postgres":
        return Postgres(psql)
    return _duckdb() if variant == "duckdb" else _sqlite()


def quoted(name: str) -> str:
    """An identifier, whatever it is made of."""
    return '"' + name.replace('"', '""') + '"'


class Database:
    """A connection in this process."""

    number = "REAL"

    def __init__(self, name: str, connection: Any, errors: type[Exception]) -> None:
        self.name = name
        self.connection = connection
        self.errors = errors

    def query(self, table: str, rows: list[list[Any]], view: str, question: str) -> list[Any]:
        """Rows into a table, the view made, one question asked; nothing stays."""
        self.connection.execute(table)
        try:
            if rows:
                self.connection.executemany(f"INSERT INTO readings VALUES ({', '.join('?' * len(rows[0]))})", rows)
            self.connection.execute(view)
            answer: list[Any] = self.connection.execute(question).fetchall()
            return answer
        finally:
            name = question.split(" FROM ")[-1].split(" ORDER BY ")[0]
            self.connection.execute(f"DROP VIEW IF EXISTS {name}")
            self.connection.execute("DROP TABLE readings")

    def close(self) -> None:
        """Let it go."""
        self.connection.close()


def _sqlite() -> Database:
    import sqlite3

    return Database(f"SQLite {sqlite3.sqlite_version}", sqlite3.connect(":memory:"), sqlite3.Error)


def _duckdb() -> Database:
    try:
        import duckdb
    except ImportError as error:
        raise missing_runtime("duckdb", "duckdb", error) from None
    database = Database(f"DuckDB {duckdb.__version__}", duckdb.connect(":memory:"), duckdb.Error)
    database.number = "DOUBLE"
    return database


class Postgres(Database):
    """A server, asked through psql."""

    number = "DOUBLE PRECISION"

    def __init__(self, psql: Sequence[str] | None) -> None:
        if not psql:
            raise MissingRuntimeError(
                "there is no PostgreSQL server here (initdb and pg_ctl of a local installation, or PGHOST)"
            )
        self.command = [*psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        super().__init__("PostgreSQL " + self._run("SHOW server_version;\n").split()[0], None, SessionError)

    def query(self, table: str, rows: list[list[Any]], view: str, question: str) -> list[Any]:
        """In one transaction that is rolled back; in a schema of its own, whatever tables the server has."""
        lines = ["\t".join(map(_copied, row)) for row in rows]
        script = [
            "BEGIN;",
            "SET LOCAL search_path TO pg_temp;",
            f"{table};",
            "COPY readings FROM STDIN;",
            *lines,
            "\\.",
            view,
        ]
        script += [f"COPY ({question}) TO STDOUT;", "ROLLBACK;"]
        answers = self._run("\n".join(script) + "\n").splitlines()
        return [[None if cell == NOTHING else _plain(cell) for cell in line.split("\t")] for line in answers]

    def _run(self, script: str) -> str:
        import subprocess

        try:
            done = subprocess.run(
                self.command, input=script, capture_output=True, text=True, encoding="utf-8", timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise SessionError(f"timed out: PostgreSQL did not answer within {TIMEOUT:g} s") from None
        if done.returncode:
            raise SessionError(
                f"PostgreSQL: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no answer'}"
            )
        return done.stdout

    def close(self) -> None:
        """The server stays."""


ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _copied(value: Any) -> str:
    """A value as COPY reads it."""
    if value is None:
        return NOTHING
    return "".join(ESCAPES.get(letter, letter) for letter in value) if isinstance(value, str) else repr(value)


def _plain(cell: str) -> str:
    parts = cell.split("\\\\")
    for name, letter in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r")):
        parts = [part.replace(name, letter) for part in parts]
    return "\\".join(parts)


class SqlSession(Session):
    """A view in a database."""

    def __init__(self, artifact: Artifact, view: str, columns: dict[str, Any], database: Database) -> None:
        stated = next((line[len(HASH) :] for line in view.splitlines() if line.startswith(HASH)), None)
        super().__init__(artifact, database.name, stated)
        self.view = view
        self.columns = columns
        self.database = database

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return [[float(value) for value in row] for row in self._ask(rows, self.columns["linear"])]

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link."""
        return [[float(value) for value in row] for row in self._ask(rows, self.columns["values"])]

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The label's column."""
        if self.columns["label"] is None:
            return None
        return [str(row[0]) for row in self._ask(rows, [self.columns["label"]])]

    def degraded(self, rows: Rows) -> list[bool] | None:
        """The status's column."""
        return [row[0] != "ok" for row in self._ask(rows, [self.columns["status"]])]

    def steps(self, sequences: Sequence[Rows]) -> list[Answer] | None:
        """Sequences of readings as tables of the view of rows; None where there is none."""
        about = self.artifact.step
        if about is None:
            return None
        with open(self.artifact.path(f"{self.artifact.name}.rows.sql"), encoding="utf-8") as file:
            view = file.read()
        parts = [[self.columns["status"]], self.columns["values"]]
        parts += [self.columns["linear"]] if about["linear"] else []
        parts += [[self.columns["label"]]] if about["label"] else []
        names = [name for part in parts for name in part]
        lines = []
        for rows in sequences:
            title = f"{self.artifact.name} rows"
            for said, *numbers in self._table(rows, about["readings"], names, view, title, "time"):
                head, _, wrong = said.partition(": ")
                faults = [[fault for fault in FAULTS if f"{name} {fault}" in wrong.split(", ")]
                          for name in about["readings"]]  # fmt: skip
                line = [STATUS.index(head), *(FAULTS.index(own[0]) if own else 0 for own in faults)]
                if about["label"]:
                    numbers[-1] = self.columns["classes"].index(numbers[-1])
                lines.append([*map(float, line), *map(float, numbers)])
        return answers(lines, self.artifact)

    def close(self) -> None:
        """Let the database go."""
        self.database.close()

    def _ask(self, rows: Rows, names: Sequence[str]) -> list[Any]:
        self._check(rows)
        return self._table(rows, self.artifact.inputs, names, self.view, self.artifact.name, ORDER)

    def _table(
        self, rows: Rows, inputs: list[str], names: Sequence[str], view: str, title: str, order: str
    ) -> list[Any]:
        categories = [self.columns["categories"][name] for name in inputs]
        kinds = [self.database.number if known is None else "TEXT" for known in categories]
        table = ", ".join(f"{quoted(name)} {kind}" for name, kind in zip(inputs, kinds))
        supplied = [[k, *map(_reading, row, categories)] for k, row in enumerate(rows)]
        wanted = ", ".join(map(quoted, names))
        question = f"SELECT {wanted} FROM {quoted(title)} ORDER BY {quoted(order)}"
        create = f"CREATE TABLE readings ({quoted(order)} INTEGER{', ' if table else ''}{table})"
        try:
            return self.database.query(create, supplied, view, question)
        except self.database.errors as error:
            raise SessionError(f"{self.runtime} cannot run {self.artifact.entry}: {first_line(error)}") from None


def _reading(value: float, categories: list[str] | None) -> Any:
    """A number, or the word that its place stands for; None where it is missing."""
    if categories is None:
        return None if value != value else value
    known = value == value and abs(value) < len(categories) and value == int(value) and value >= 0
    return categories[int(value)] if known else None
