"""Files that somebody else made: whatever stands in them, reading ends in a result or in one line, and in bounded memory.

Mutators know each format: JSON is changed by its structure and sealed again, zip archives by their members, ONNX graphs
by their fields, TFLite by the words of its tables, everything by its bytes. Seeded, so that a failure comes again; ``make
fuzz SECONDS=600`` goes on with other seeds. What failed once is kept, in `KNOWN_MODELS` and the tests beside it.
"""

import copy
import gzip
import io
import json
import os
import random
import time
import zipfile
from contextlib import suppress
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics, collect
from edge_lasso.statistics.plans import kfold
from edge_lasso.tables.tables import open_table
from edge_lasso.verifying.certificate import from_json
from edge_lasso.verifying.verify import export
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.links import open_link
from edge_lasso_exporters import registry
from edge_lasso_exporters.bundle_python import bundle
from edge_lasso_runtime import (
    Factor,
    Input,
    Model,
    ModelFormatError,
    Output,
    SessionError,
    Term,
    dumps,
    load,
    loads,
    model_hash,
    predict,
    save,
    snapshot,
)
from edge_lasso_runtime.__main__ import main as board
from edge_lasso_runtime.apart import ApartSession
from edge_lasso_runtime.artifact import read as read_artifact
from edge_lasso_runtime.errors import SnapshotError
from edge_lasso_runtime.keeper import saved_state
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import readings

pytestmark = pytest.mark.long

SECONDS = float(os.environ.get("EDGE_LASSO_FUZZ_SECONDS", "0"))
CASES = 150
REFUSALS = (ModelFormatError, DataError, SnapshotError, SessionError)
NASTY = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, -1e308, 5e-324, float("inf"), float("nan"), "", "a",
    "\ud800", "\x00", "x" * 300, "é\u202e", [], {}, [[]], [None], {"a": 1}, {"": []}, [1e308] * 3, [[[[]]]],
]  # fmt: skip


def changed_json(data, source):
    """A copy with a few of its nodes changed, dropped, doubled or swapped."""
    data = copy.deepcopy(data)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        nodes = [(None, None, data)]
        for _, _, node in nodes:
            if len(nodes) < 3000 and isinstance(node, dict | list):
                nodes += [(node, key, node[key]) for key in (node if isinstance(node, dict) else range(len(node)))]
        parent, key, node = source.choice(nodes)
        if parent is None:
            continue
        kind = source.randrange(5)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(node))
        elif kind == 1:
            parent[source.choice(("", "x-other", "format", str(key) + "x"))] = copy.deepcopy(node)
        elif kind == 2:
            parent[key] = copy.deepcopy(source.choice(nodes)[2])
        elif kind == 3 and isinstance(node, int | float) and not isinstance(node, bool):
            parent[key] = source.choice((-node, node * 10**9, node + 1, node / 3 if abs(node) < 1e300 else 0))
        else:
            parent[key] = copy.deepcopy(source.choice(NASTY))
    return data


def changed_bytes(data, source):
    """A copy with bytes flipped, cut, doubled or moved."""
    data = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 8))):
        if not data:
            break
        at, size = source.randrange(len(data)), source.choice((1, 1, 4, 64, 1000))
        kind = source.randrange(5)
        if kind == 0:
            data[at] ^= 1 << source.randrange(8)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = data[at : at + size]
        elif kind == 3:
            data[at : at + size] = bytes(source.randrange(256) for _ in range(min(size, len(data) - at)))
        else:
            del data[at:]
    return bytes(data)


def changed_members(data, source):
    """A zip archive with a member changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = source.choice(sorted(members))
    kind = source.randrange(4)
    if kind == 0:
        del members[name]
    elif kind == 1:
        members[name] = members[source.choice(sorted(members))]
    else:
        members[name] = changed_bytes(members[name], source)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", source.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return out.getvalue()


def text_of(data):
    return json.dumps(data).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def models(stateful_model):
    return [stateful_model(seed) for seed in range(12)]


@pytest.fixture
def cases(tried):
    """Sources of randomness for a kind of file: a fixed number, or for a time."""

    def sources(name, least=CASES):
        count = 0
        for case in _cases(name, least):
            count += 1
            yield case
        tried(f"hostile: {name}", count)

    return sources


def _cases(name, least):
    until = time.monotonic() + SECONDS
    first = random.randrange(2**40) if SECONDS else 0
    number = 0
    while number < least or time.monotonic() < until:
        yield random.Random(f"{name} {first + number}"), f"{name} {first + number}"
        number += 1


def attempt(read, what):
    """Read something hostile: a result, or a refusal in one line."""
    try:
        return read()
    except REFUSALS as error:
        text = str(error)
        assert text, what
        assert len(text) < 2000, (what, text)
    except OSError:
        return None
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    return None


def used(model):
    """Predict with whatever was accepted."""
    rows = [[None] * len(model.inputs), [1e300] * len(model.inputs), [0.0] * len(model.inputs)]
    for row in rows:
        for value in predict(model, row).values:
            assert value == value
            assert abs(value) != float("inf")
    state = start(model)
    count = len(readings(model))
    for row in ([None] * count, [1e300] * count, [0.0] * count):
        step(model, state, row)


def test_models(models, cases):
    for source, what in cases("model"):
        data = json.loads(dumps(source.choice(models)))
        if source.random() < 0.8:
            text = text_of(changed_json(data, source)).decode("utf-8", "replace")
        else:
            text = changed_bytes(dumps(source.choice(models)).encode(), source).decode("utf-8", "replace")
        model = attempt(lambda text=text: loads(text), what)
        if model is not None:
            try:
                used(model)
            except Exception as error:
                raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error


def test_snapshots(models, tmp_path, cases):
    path = tmp_path / "state.json"
    states = []
    for model in models:
        state = start(model)
        for _ in range(4):
            step(model, state, [0.5] * len(readings(model)))
        states.append(state.to_dict())
    for source, what in cases("snapshot"):
        place = source.randrange(len(models))
        model = models[place]
        content = {"state": states[place], "more": {"time": None}}
        snapshot.save(str(path), model_hash(model), content)
        whole = json.loads(path.read_text())
        if source.random() < 0.8:
            whole["content"] = changed_json(whole["content"], source)
            text = json.dumps(whole["content"], separators=(",", ":"))
            whole["checksum"] = sha256(f"{snapshot.FORMAT} {whole['model']} {text}".encode()).hexdigest()
            path.write_bytes(text_of(whole))
        else:
            path.write_bytes(changed_bytes(path.read_bytes(), source))
        state = attempt(lambda model=model: saved_state(model, str(path)), what)
        if state is not None:
            for row in ([0.5] * len(readings(model)), [None] * len(readings(model))):
                try:
                    step(model, state, row)
                except Exception as error:
                    raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error


def test_statistics(tmp_path, cases):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    X[::7, 1] = np.nan
    folds = collect(X, X[:, :1], kfold(40, 2), ["a", "b", "c"], ["y"])
    whole = folds.to_bytes("ab" * 32)[:-66] + b"\0\0"
    path = tmp_path / "m.stats.npz"
    for source, what in cases("statistics"):
        data = changed_members(whole, source) if source.random() < 0.7 else changed_bytes(whole, source)
        seal = sha256(data).hexdigest().encode()
        path.write_bytes(data[:-2] + len(seal).to_bytes(2, "little") + seal)
        attempt(lambda: FoldStatistics.load(path).total.moments(), what)


def test_a_bomb_in_statistics_is_refused_before_it_goes_off(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", b"\0" * 2**26)
    data = out.getvalue()
    seal = sha256(data).hexdigest().encode()
    path = tmp_path / "m.stats.npz"
    path.write_bytes(data[:-2] + len(seal).to_bytes(2, "little") + seal)
    with pytest.raises(DataError, match="is not a statistics file"):
        FoldStatistics.load(path)


def test_certificates_and_artifacts(models, tmp_path, cases):
    model = next(one for one in models if not one.sections.get("detector/1"))
    certificate = export(model, "python", tmp_path, allow_unverified=True).to_json()
    about = tmp_path / "python-double" / "artifact.json"
    whole = json.loads(about.read_text())
    for source, what in cases("certificate"):
        data = changed_json(certificate, source)
        if source.random() < 0.7 and isinstance(data, dict):
            rest = {key: value for key, value in data.items() if key != "content_sha256"}
            data["content_sha256"] = sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
        with suppress(ValueError):
            from_json(data)
        about.write_bytes(
            text_of(changed_json(whole, source)) if source.random() < 0.8 else changed_bytes(text_of(whole), source)
        )
        attempt(lambda: read_artifact(about.parent), what)


def test_bundles(models, tmp_path, cases):
    whole = bundle(models[0], "m")
    path = tmp_path / "m.pyz"
    for source, what in cases("pyz"):
        data = changed_members(whole, source) if source.random() < 0.3 else changed_bytes(whole, source)
        if source.random() < 0.7:
            data = data[:-64] + sha256(data[:-64]).hexdigest().encode()
        path.write_bytes(data)
        attempt(lambda: load(path), what)


def test_tables(tmp_path, cases):
    table = pa.table({"a": [1.5, None, 3.0] * 9, "b": ["x", "ü", ""] * 9, "c": list(range(27))})
    text = "a,b;c\n" + "".join(f"{i}.5,x{i},{i}\n" for i in range(30))
    arrow, parquet = io.BytesIO(), io.BytesIO()
    with pa.ipc.new_file(arrow, table.schema) as file:
        file.write_table(table)
    pa.parquet.write_table(table, parquet)
    kinds = {"t.csv": text.encode(), "t.csv.gz": gzip.compress(text.encode()), "t.parquet": parquet.getvalue(), "t.arrow": arrow.getvalue(),
             "t.jsonl": b'{"a": 1, "b": "x"}\n{"a": 2.5, "b": null}\n'}  # fmt: skip

    def read(path):
        opened = open_table(path)
        names = [name for name in opened.columns if name in "abc"] or list(opened.columns)
        for _ in opened.batches(names):
            pass

    for source, what in cases("table"):
        name = source.choice(sorted(kinds))
        path = tmp_path / name
        path.write_bytes(changed_bytes(kinds[name], source))
        attempt(lambda path=path: read(path), f"{what} {name}")


SMALL = Model(("a",), (Input("a", 0, 1.0, 0.0, 2.0),), (Output("y", 0.5, (Term(2.0, (Factor(0),)),)),))

# models whose text once ended in a traceback, or was taken
KNOWN_MODELS = {
    "an input that is no name": lambda data: data["sections"].update({"health/1": {"readings": [{"input": ["a"], "stuck": 1, "jump": 1.0}]}}),
    "a watched reading that is no name": lambda data: data["sections"].update({"detector/1": {"watched": [{"reading": {}}]}}),
    "a drift input that is no name": lambda data: data["sections"].update({"drift/1": {"readings": [{"input": {}, "edges": [1.0], "parts": [0.5, 0.5], "missing": 0.0}]}}),
    "a section that is a list": lambda data: data["sections"].update({"interval/1": []}),
    "beyond floats": lambda data: data["provenance"].update({"fits": [{"alpha": float("inf")}]}),
    "beyond floats, in what is ignored": lambda data: data["sections"].update({"x-own": [[float("-inf")]]}),
    "a category that is a list": lambda data: data["inputs"][0].update({"categories": [["x"]]}),
    "a name that is no text": lambda data: data["inputs"][0].update({"name": ["x"]}),
    "a place far away": lambda data: data["inputs"][0].update({"column": 10**30}),
}  # fmt: skip


@pytest.mark.parametrize("what", KNOWN_MODELS)
def test_models_that_failed_once(what):
    data = {"sections": {}, "provenance": {}, **json.loads(dumps(SMALL))}
    KNOWN_MODELS[what](data)
    text = json.dumps(data).replace("Infinity", "1e999")
    with pytest.raises(ModelFormatError):
        loads(text)


def not_utf8(away):
    """An Arrow file whose schema has a name that is no text."""
    out = io.BytesIO()
    table = pa.table({"aaaa": [1.0, 2.0]})
    with pa.ipc.new_file(out, table.schema) as file:
        file.write_table(table)
    (away / "t.arrow").write_bytes(out.getvalue().replace(b"aaaa", b"\xff\xfeaa"))


def cut_gzip(away):
    (away / "t.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 10_000)[:-40])


def torn_gzip(away):
    data = bytearray(gzip.compress(bytes(random.Random(1).randrange(32, 127) for _ in range(20_000))))
    data[2000:2100] = bytes(100)
    (away / "t.csv.gz").write_bytes(data)


def empty(away):
    (away / "t.csv").write_text("")


def header_alone(away):
    (away / "t.csv").write_text("a,y\n")


ROW = b'{"a": 1, "y": 2, "c": "x"}\n'
JSON_LINES = {  # of tables of JSON, what once ended in a traceback
    "half a pair": ROW * 9 + b'{"a": 1, "y": 2, "c": "\\ud800"}\n', "half a pair in a name": ROW * 9 + b'{"a": 1, "y": 2, "\\udfff": 1}\n',
    "beyond floats": ROW * 9 + b'{"a": 1' + b"0" * 400 + b', "y": 2}\n', "nested": ROW * 9 + b'{"a": ' + b"[" * 100_000 + b"\n",
}  # fmt: skip


def json_lines(what):
    def make(away):
        (away / "t.jsonl").write_bytes(JSON_LINES[what])

    return make


def other_answer(away):
    (away / "t.json").write_text('{"data": {"result": [{"metric": [1], "values": [[1]]}]}}')


COMMANDS = ("train {0} --target y --out x.json", "report m.json --data {0} --out x.html", "predict m.json {0}", "check {0}", "drift m.json {0}")  # fmt: skip


@pytest.mark.parametrize(
    "make", [not_utf8, cut_gzip, torn_gzip, empty, header_alone, other_answer, *map(json_lines, JSON_LINES)]
)
def test_tables_that_failed_once(make, tmp_path, monkeypatch, capsys):
    """Every command that reads tables: a result or one line, and nothing half-written."""
    monkeypatch.chdir(tmp_path)
    save(SMALL, "m.json")
    make(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    table = next(name for name in before if name.startswith("t."))
    for command in COMMANDS:
        capsys.readouterr()
        code = main(command.format(table).split())
        errors = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
        assert (code in (0, 1) and not errors) or (code in (1, 2) and len(errors) == 1), (command, code, errors)
        if code:
            assert sorted(path.name for path in tmp_path.iterdir()) == before, command
        (tmp_path / "x.html").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "link", ["ssh://[::1/x", "ssh://a:99999/x", "ssh://a:b/x", "ssh://", "ssh://[]/x", "ssh://-oProxyCommand=x/y"]
)
def test_links_that_failed_once(link, tmp_path, capsys):
    with pytest.raises(BoardError, match=r"is not of the form ssh://user@host"):
        open_link(link)
    save(SMALL, tmp_path / "m.json")
    assert main(["bench", str(tmp_path / "m.json"), "--link", link]) == 2
    assert main(["deploy", str(tmp_path / "m.json"), link]) == 2
    (tmp_path / "home").mkdir()
    assert board(["update", "--home", str(tmp_path / "home"), "--unsigned", "--from", link]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3, errors
    assert all("error: " in line for line in errors)


def changed_graph(data, source):
    """An ONNX file with fields of its graph changed."""
    import onnx

    whole = onnx.load_from_string(data)
    graph = whole.graph
    for _ in range(source.choice((1, 1, 2))):
        kind = source.randrange(7)
        node, weights = source.choice(graph.node), source.choice(graph.initializer)
        if kind == 0:
            node.op_type = source.choice(("Add", "Identity", "Loop", "NoSuch", ""))
        elif kind == 1 and node.input:
            node.input[0] = source.choice(("", "x", "nowhere", *node.output))
        elif kind == 2:
            weights.dims[:] = [source.choice((0, -1, 7, 2**40))]
        elif kind == 3:
            weights.data_type = source.randrange(20)
        elif kind == 4:
            whole.metadata_props[0].value = source.choice(("", "\x00", "{", "[" * 5000))
        elif kind == 5:
            graph.input[0].type.tensor_type.shape.dim[-1].dim_value = source.choice((0, -5, 2**50))
        else:
            whole.opset_import[0].version = source.choice((0, -1, 999))
    return whole.SerializeToString()


def changed_words(data, source):
    """A file of tables of little-endian words with one of them changed: lengths and offsets among them."""
    data = bytearray(data)
    for _ in range(source.choice((1, 1, 3))):
        at = 4 * source.randrange(len(data) // 4)
        word = int.from_bytes(data[at : at + 4], "little")
        word = source.choice((0, 1, 2**31, 2**32 - 1, word + 4, max(word - 4, 0), word * 2, len(data))) % 2**32
        data[at : at + 4] = word.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param("onnx", changed_graph, marks=pytest.mark.needs("module:onnx", "module:onnxruntime")),
        pytest.param("tflite", changed_words, marks=pytest.mark.needs("module:ai_edge_litert")),
    ],
)
def test_artifacts_for_other_runtimes(kind, change, tmp_path, cases):
    """What crashes these runtimes ends a process of its own, and is one line."""
    files = registry.render(SMALL, kind, registry.parse(kind, SMALL)[0][1])
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    [entry] = [name for name in files if name.endswith(f".{kind}")]

    def ask():
        with ApartSession(kind, tmp_path, {}, seconds=60.0) as session:
            return session.linear([[1.0], [2.0]])

    assert [len(row) for row in attempt(ask, kind)] == [1, 1]
    for source, what in cases(kind, 8):
        data = changed_bytes(files[entry], source) if source.random() < 0.3 else change(files[entry], source)
        (tmp_path / entry).write_bytes(data)
        attempt(ask, what)
