"""A fast stream, compiled: every result, count and snapshot as Python has it, and no library that is not our own."""

import json
import os
import random
import shutil
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import MODELS, detecting, faulty, regression

from edge_lasso_runtime import Factor, Model, Output, Term, compiled, dumps, loads
from edge_lasso_runtime import score as scoring
from edge_lasso_runtime.compiled import Compiled, NotCompiled
from edge_lasso_runtime.keeper import Keeper
from edge_lasso_runtime.results import Results
from edge_lasso_runtime.step import start, step

pytestmark = pytest.mark.needs("cc")
FIT = [name for name in MODELS if name not in ("lags", "delayed", "clamped", "categories")]


def plain(policy="extrapolate"):
    """Outputs without a detector."""
    model = detecting()
    outputs = (*model.outputs, Output("more", 0.25, (Term(0.5, (Factor(0),)), Term(-0.125, (Factor(2),)))))
    sections = {key: model.sections[key] for key in ("health/1", "drift/1")}
    return loads(dumps(Model(model.columns, model.inputs, outputs, policy, sections=sections)))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_LASSO_CACHE", str(folder))
        yield folder


@pytest.mark.parametrize("name", [*FIT, "outputs", "clamp"])
def test_rows_give_what_they_give_one_after_another(name):
    model = plain("clamp" if name == "clamp" else "extrapolate") if name in ("outputs", "clamp") else MODELS[name]
    library = compiled.compiled(model)
    together, alone = start(model), start(model)
    rng = random.Random(5)
    rows, at, refused = faulty(1500, len(together.places), 3), 0, 0
    while at < len(rows):
        part = rows[at : at + rng.randint(1, 100)]
        expected = [step(model, alone, row)[0] for row in part]
        if library.fill(part):
            assert list(map(repr, library.steps(together, len(part)))) == list(map(repr, expected))
        else:
            refused += 1
            for row in part:
                step(model, together, row)
        assert repr(together.to_dict()) == repr(alone.to_dict())
        assert repr(together.inputs) == repr(alone.inputs)
        at += len(part)
    assert 0 < refused < 20


@pytest.mark.parametrize("name", ["lags", "delayed", "categories"])
def test_what_looks_back_or_reads_categories_stays_in_python(name):
    assert compiled.compiled(MODELS[name]) is None
    assert compiled.compiled(regression()) is None


NUMBER = st.one_of(
    st.floats(-9.0, 9.0).map(repr), st.floats().map(repr), st.integers(-(10**25), 10**25).map(str),
    st.from_regex(r"-?[0-9]{0,25}\.?[0-9]{0,30}([eE][-+]?[0-9]{1,3})?", fullmatch=True), st.sampled_from(["-0", "00", "1_0", ""]),
)  # fmt: skip


@pytest.fixture(scope="module")
def library():
    return compiled.compiled(MODELS["both"])


@settings(max_examples=400, deadline=None)
@given(cells=st.lists(NUMBER, min_size=3, max_size=3))
def test_a_number_is_read_as_python_reads_it_or_left(library, cells):
    """As CSV by `float`, as JSON by `json`."""
    forms = [(",".join(cells), (b"", b",", [0, 1, 2]), lambda: list(map(float, cells)))]
    text = '{{"a": {}, "b": {},"c":{}}}'.format(*cells)
    forms += [(text, (b'"a"\0"b"\0"c"\0', b"", [0, 1, 2]), lambda: list(map(float, json.loads(text).values())))]
    for line, form, read in forms:
        if library.scan([line.encode()], form):
            assert list(map(repr, library.rows(1)[0])) == list(map(repr, read()))


@pytest.mark.parametrize("line", [
    b'{"a": 1, "b": 2, "c": 3, "d": 4}', b'{"a": 1, "b": 2}', b'{"a": 1, "b": 2, "c": 3', b'{"a": 1, "c": 2, "b": 3}', b'{"a": 1 "b": 2, "c": 3}',
    b'{"a": 1, "b": 2, "c": 3}}', b'{"a": 1, "b": "2", "c": 3}', b'{"a": null, "b": 2, "c": 3}', b'{"a": 1, "b": 2, "c": NaN}', b"", b"{", b'{"a": 01, "b": 2, "c": 3}',
    b'{"a":1,"b":2,"c":3} x', b'{"a" 1,"b":2,"c":3}', b'{"ab":1,"b":2,"c":3}', b'{"a":-,"b":2,"c":3}', b'{"a":1.,"b":2,"c":3}', b'{"a":1\0,"b":2,"c":3}',
])  # fmt: skip
def test_another_line_is_left_to_python(library, line):
    assert library.scan([b'{"a":1,"b":-2.5,"c": 3e1 }\r', line], (b'"a"\0"b"\0"c"\0', b"", [0, 1, 2])) == 1
    assert library.rows(1)[0] == [1.0, -2.5, 30.0]


def stream(model, lines, pieces, monkeypatch, fast):
    """Lines through `Scorer`; what it wrote, and its state."""
    monkeypatch.setattr(scoring, "CROWD", 1 if fast else 10**9)
    monkeypatch.setattr(scoring, "PATIENCE", 1)
    keeper = Keeper(model, None)
    scorer = scoring.Scorer(model, keeper, Results(model), None, None)
    out, at = "", 0
    for size in pieces:
        out += scorer.take(lines[at : at + size])
        at += size
    assert (scorer._compiled is not None) == fast
    return out, repr(keeper.state.to_dict()), scorer.readings.lines, scorer.readings.unreadable


def messy(kind, count):
    """Rows as lines, one in fifteen of them odd, in runs of quiet and of noise."""
    rng = random.Random(count)
    lines = [] if kind == "json" else [b"b,more,a,c" if kind == "csv" else b"b;more;a;c"]
    for row in faulty(count, 3, 3):
        a, b, c = (value if isinstance(value, float) and abs(value) < 1e9 else None for value in row)
        if kind == "json":
            names = ["b", "more", "a", "c"] if rng.random() < 0.98 else ["c", "a", "b"]
            text = json.dumps({name: {"a": a, "b": b, "c": c, "more": "x, y"}[name] for name in names})
            lines.append((text if rng.random() < 0.98 else rng.choice(["", text[:-4], "[1]", text + "\r"])).encode())
            continue
        cells = ["" if value is None else repr(value) for value in (b, 7, a, c)]
        if rng.random() < 0.03:
            cells[rng.randrange(4)] = rng.choice(
                ["x", "nan", "1,5", " 2.5", "+3", "1e2", '"4"', "9" * 40, "-0", "1_0", "\u00e9"]
            )
        lines.append((";" if kind == "semicolons" else ",").join(cells).encode())
    return lines


@pytest.mark.parametrize("kind", ["csv", "semicolons", "json"])
@pytest.mark.parametrize("model", [detecting(), plain()], ids=["detector", "outputs"])
def test_a_stream_says_the_same_compiled(kind, model, monkeypatch, capfd):
    lines = messy(kind, 3000)
    pieces = [random.Random(1).randint(1, 300) for _ in range(200)]
    slow = stream(model, lines, pieces, monkeypatch, False)
    said = capfd.readouterr().err
    assert stream(model, lines, pieces, monkeypatch, True) == slow
    assert capfd.readouterr().err == said
    assert slow[0].count("\n") > 2500


def test_a_library_that_computes_something_else_is_not_used(cache, monkeypatch):
    model = MODELS["slow"]
    assert isinstance(compiled.compiled(model), Compiled)
    real = compiled._library
    monkeypatch.setattr(
        compiled, "_library", lambda text: real(text.replace("q + s * s", "q + s * s * 1.0000000000000003"))
    )
    with pytest.raises(NotCompiled, match="computes something else"):
        compiled.compiled(model)


@pytest.mark.parametrize("spoil", ["file", "link", "folder", "above"])
def test_what_others_could_have_written_is_not_loaded(spoil, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path / "a" / "cache"))
    model = MODELS["slow"]
    compiled.compiled(model)
    [path] = (tmp_path / "a" / "cache" / "streams").glob("*.so")
    assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
    if spoil == "link":
        path.rename(tmp_path / "elsewhere.so")
        path.symlink_to(tmp_path / "elsewhere.so")
    else:
        {"file": path, "folder": path.parent, "above": tmp_path / "a"}[spoil].chmod(0o777)
    loaded = []
    monkeypatch.setattr(compiled, "Compiled", lambda *given: loaded.append(given))
    with pytest.raises(NotCompiled, match="this user's alone" if spoil != "above" else "others can write to"):
        compiled.compiled(model)
    assert not loaded


def test_without_a_compiler_it_goes_on_in_python_and_says_so_once(monkeypatch, capfd, tmp_path):
    model, lines = detecting(), messy("csv", 600)
    slow = stream(model, lines, [100] * 7, monkeypatch, False)
    capfd.readouterr()
    for compilers in ("", str(tmp_path)):
        broken = tmp_path / "cc"
        broken.write_text("#!/bin/sh\nexit 1\n")
        broken.chmod(0o755)
        monkeypatch.setattr(compiled, "_folder", lambda: str(tmp_path))
        with monkeypatch.context() as patch:
            patch.setenv("PATH", compilers)
            patch.setattr(scoring, "CROWD", 1)
            patch.setattr(scoring, "PATIENCE", 1)
            scorer = scoring.Scorer(model, Keeper(model, None), Results(model), None, None)
            assert "".join(scorer.take(lines[at : at + 100]) for at in range(0, 700, 100)) == slow[0]
        said = [line for line in capfd.readouterr().err.splitlines() if "in Python" in line]
        assert len(said) == 1
        assert ("exit 1" if compilers else "no C compiler") in said[0]


def test_old_libraries_leave(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path))
    monkeypatch.setattr(compiled, "KEPT", 2)
    for name in ("slow", "fixed", "plain"):
        compiled.compiled(MODELS[name])
    assert (
        len(os.listdir(tmp_path / "streams")) - sum(name.startswith(".") for name in os.listdir(tmp_path / "streams"))
        == 2
    )
    shutil.rmtree(tmp_path / "streams")
