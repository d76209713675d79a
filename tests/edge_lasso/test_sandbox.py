"""Verifying survives its subject: what crashes, loops or grows ends its own process, and the certificate says so."""

import json
from pathlib import Path

import pytest

from edge_lasso.verifying.verify import export, verify
from edge_lasso_devices.build import build
from edge_lasso_runtime import Factor, Input, Model, Output, SessionError, Term
from edge_lasso_runtime.__main__ import main as board
from edge_lasso_runtime.apart import ApartSession
from edge_lasso_runtime.c_session import SUFFIXES
from edge_lasso_runtime.sessions import load as open_here

pytestmark = pytest.mark.needs("cc")


@pytest.fixture
def model():
    inputs = tuple(Input(name, i, 1.0, 0.0, 2.0) for i, name in enumerate("ab"))
    return Model(("a", "b"), inputs, (Output("y", 0.5, (Term(2.0, (Factor(0),)), Term(-1.0, (Factor(1),)))),))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("*(volatile int *)0 = 1;", "crashed (SIGSEGV)"),
        ("extern void abort(void); abort();", "crashed (SIGABRT)"),
        ("extern void _exit(int); _exit(7);", "crashed (exit status 7)"),
    ],
)
def test_a_crash_is_a_line_in_the_certificate(model, tmp_path, harm, said):
    export(model, "c", tmp_path)
    source = tmp_path / "c-double" / "model.c"
    text = source.read_text()
    place = text.index("{", text.index("model_linear(const"))
    source.write_text(text[: place + 1] + harm + text[place + 1 :])
    certificate = verify(model, tmp_path, run_foreign=True)
    assert certificate.status == "failed"
    assert all(said in execution.reason for execution in certificate.artifacts), certificate.artifacts


def harmed(model, folder, harm, **limits):
    """The artifact with harm in its linear predictor, in a process apart."""
    export(model, "c", folder)
    source = folder / "c-double" / "model.c"
    text = source.read_text()
    place = text.index("{", text.index("model_linear(const"))
    files = {"model.c": (text[: place + 1] + harm + text[place + 1 :]).encode()}
    files["model.h"] = (folder / "c-double" / "model.h").read_bytes()
    [(name, data)] = build(files).items()
    library = folder / name
    library.write_bytes(data)
    return ApartSession("c", folder / "c-double", {"library": str(library)}, **limits)


def test_an_endless_loop_ends(model, tmp_path):
    session = harmed(model, tmp_path, "for (volatile int i = 0; ; ) i = 1 - i;", seconds=3.0)
    with session, pytest.raises(SessionError, match="timed out: no answer within 3 s"):
        session.linear([[1.0, 2.0]])


def test_what_it_prints_is_no_answer_and_what_it_writes_is_short(model, tmp_path):
    harm = (
        "extern int puts(const char *); extern void *fopen(const char *, const char *); extern int fputc(int, void *); extern int fclose(void *);"
        'puts("[\\"ok\\", [[1.0]]]"); { void *f = fopen("out", "w"); for (int i = 0; i < 3 << 20; i++) fputc(46, f); fclose(f); }'
    )
    with harmed(model, tmp_path, harm) as session:
        assert session.linear([[1.0, 2.0]]) == [[0.5]]
        (written,) = Path(session._away.name).iterdir()
        assert written.stat().st_size == 2**20


def test_the_same_answers_as_in_this_process(model, tmp_path):
    rows = [[1.0, 2.0], [float("nan"), 0.1], [1e300, -5.0]]
    with harmed(model, tmp_path, "") as session:
        first = [session.linear(rows), session.predict(rows), session.degraded(rows), session.labels(rows)]
        library = next(path for path in tmp_path.iterdir() if path.suffix in SUFFIXES)
        with open_here("c", tmp_path / "c-double", library=library) as here:
            assert first == [here.linear(rows), here.predict(rows), here.degraded(rows), here.labels(rows)]
        with pytest.raises(SessionError, match="row 0 has 1 values"):
            session.linear([[1.0]])


@pytest.mark.parametrize("name", ["../x", "a b", "a;b", "", "1x", "größe"])
def test_a_name_that_is_no_name_is_refused(model, tmp_path, name):
    export(model, "python", tmp_path)
    path = tmp_path / "python-double" / "artifact.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "name": name}))
    with pytest.raises(SessionError, match="name"):
        verify(model, tmp_path)


def test_foreign_is_no_passed(model, tmp_path):
    """Something added that changes no answer: refused, or executed when asked for, and then called what it is."""
    export(model, "python", tmp_path)
    source = tmp_path / "python-double" / "model.py"
    source.write_text(source.read_text() + "\n# and more\n")
    refused = verify(model, tmp_path)
    assert refused.status == "failed"
    assert "it differs in model.py; nothing was executed" in refused.artifacts[0].reason
    executed = verify(model, tmp_path, run_foreign=True)
    assert {entry.status for entry in executed.artifacts} <= {"foreign", "not_executed"}
    assert (executed.status, executed.verdicts) == ("foreign", {"python:double": "foreign"})


def test_another_version_is_named(model, tmp_path):
    export(model, "python", tmp_path)
    for path in (tmp_path / "python-double").iterdir():
        path.write_text(path.read_text().replace("edge-lasso 0.1.0", "edge-lasso 9.9.9\u202e"))
    certificate = verify(model, tmp_path)
    assert certificate.status == "not_executed"
    [entry] = certificate.artifacts
    assert entry.reason.startswith(
        "made by edge-lasso 9.9.9\\u202e, and this is edge-lasso 0.1.0: export it again; nothing"
    )


# what grows beyond the memory that is allowed, ends its interpreter, writes too much: at the start of a file
PYTHON = {
    "grows": "x = [b'x' * 2**26 for _ in range(64)]\n",
    "ends": "import os\nos._exit(3)\n",
    "writes": "open('PLACE', 'w').write('x' * 2**22)\n",
}
JAVASCRIPT = {
    "grows": "const x = []; for (let i = 0; i < 64; i++) x.push(new Uint8Array(2 ** 26).fill(1));\n",
    "ends": "process.abort();\n",
    "writes": "import { writeFileSync } from 'node:fs'; writeFileSync('PLACE', 'x'.repeat(2 ** 22));\n",
}


@pytest.mark.usefixtures("one_runtime_each")
@pytest.mark.parametrize("harm", ["grows", "ends", "writes"])
@pytest.mark.parametrize(
    ("target", "entry", "harms"),
    [
        ("python", "model.py", PYTHON),
        pytest.param("js", "model.mjs", JAVASCRIPT, marks=pytest.mark.needs("node")),
        pytest.param("wasm", "model.mjs", JAVASCRIPT, marks=pytest.mark.needs("node")),
    ],
)
def test_every_interpreter_has_limits(model, tmp_path, monkeypatch, target, entry, harms, harm):
    monkeypatch.setattr("edge_lasso_runtime.apart.MEMORY", 700 * 2**20)
    [folder] = _exported(model, target, tmp_path)
    source = folder / entry
    source.write_text(harms[harm].replace("PLACE", str(tmp_path / "written")) + source.read_text())
    certificate = verify(model, folder, run_foreign=True)
    assert certificate.status == "failed", certificate.artifacts
    if harm == "writes":
        assert (tmp_path / "written").stat().st_size <= 2**20


def _exported(model, target, folder):
    assert export(model, target, folder).status == "passed"
    return [path for path in folder.iterdir() if path.is_dir()]


@pytest.mark.needs("node", "micropython")
def test_micropython_has_limits(model, tmp_path, monkeypatch):
    monkeypatch.setattr("edge_lasso_runtime.interpreter_session.TIMEOUT", 3.0)
    [folder] = _exported(model, "python", tmp_path)
    source = folder / "model.py"
    source.write_text(
        "import sys\nif sys.implementation.name == 'micropython':\n    while True:\n        pass\n" + source.read_text()
    )
    certificate = verify(model, folder, run_foreign=True)
    status = {entry.runtime.split()[0]: (entry.status, entry.reason) for entry in certificate.artifacts}
    assert status["CPython"][0] == "foreign"
    assert status["MicroPython"][0] == "failed"
    assert "timed out: MicroPython did not answer within 3 s" in status["MicroPython"][1]


def test_a_database_has_limits(model, tmp_path):
    """What asks a database for more than it may have ends that process alone."""
    [folder] = _exported(model, "sql:sqlite", tmp_path)
    view = folder / "model.sql"
    endless = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n)"
    view.write_text(view.read_text().replace('FROM "readings";', f'FROM "readings" WHERE {endless} > 0;'))
    with ApartSession("sql", folder, {}, seconds=3.0) as session, pytest.raises(SessionError, match="timed out"):
        session.linear([[1.0, 2.0]])


def test_strings_are_not_executed_unasked(tmp_path, capsys):
    marker = tmp_path / "executed"
    parts = {"imports": f"open({str(marker)!r}, 'w')", "loading": "pass", "function": "abs", "argument": "1"}
    path = tmp_path / "x.stages.json"
    path.write_text(json.dumps({"target": "t", "variant": "v", "file": "x.stages.json", **parts}))
    assert board(["probe", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"edge_lasso_runtime: error: {path} holds strings to execute; with --strings they are, with your rights\n"
    )
    assert not marker.exists()
    assert board(["probe", str(path), "--strings", "--seconds", "0.2", "--json"]) == 0
    assert marker.exists()
