"""Verifying survives its subject: what crashes, loops or grows ends its own process, and the certificate says so."""

import json
from pathlib import Path

import pytest

from edge_lasso.verifying.verify import export, verify
from edge_lasso_devices.build import build
from edge_lasso_runtime import Factor, Input, Model, Output, SessionError, Term
from edge_lasso_runtime.apart import ApartSession
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
        library = next(path for path in tmp_path.iterdir() if path.is_file() and path.suffix != ".json")
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
