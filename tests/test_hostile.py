"""Files that somebody else made: whatever stands in them, reading ends in a result or in one line, and in bounded memory.

Mutators know each format: JSON is changed by its structure and sealed again, zip archives by their members, everything
by its bytes. Seeded, so that a failure comes again; ``make fuzz SECONDS=600`` goes on with other seeds.
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

from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics, collect
from edge_lasso.statistics.plans import kfold
from edge_lasso.tables.tables import open_table
from edge_lasso.verifying.certificate import from_json
from edge_lasso.verifying.verify import export
from edge_lasso_exporters.bundle_python import bundle
from edge_lasso_runtime import ModelFormatError, SessionError, dumps, load, loads, model_hash, predict, snapshot
from edge_lasso_runtime.artifact import read as read_artifact
from edge_lasso_runtime.errors import SnapshotError
from edge_lasso_runtime.keeper import saved_state
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import readings

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

    def sources(name):
        count = 0
        for case in _cases(name):
            count += 1
            yield case
        tried(f"hostile: {name}", count)

    return sources


def _cases(name):
    until = time.monotonic() + SECONDS
    first = random.randrange(2**40) if SECONDS else 0
    number = 0
    while number < CASES or time.monotonic() < until:
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
