"""One wrong bit, anywhere: either the file is refused, or what is read from it is the same.

Every bit of small files; of large ones a sample with the suite, the same every day, and every bit with
``EDGE_LASSO_CUTS=all``.
"""

import json
import os
import random
import subprocess
import sys
from contextlib import suppress
from itertools import chain

import numpy as np
import pytest

from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics, collect
from edge_lasso.statistics.plans import kfold
from edge_lasso.verifying.certificate import Certificate, Execution, from_json
from edge_lasso.verifying.foreign import foreign
from edge_lasso_exporters import registry
from edge_lasso_exporters.bundle_python import bundle
from edge_lasso_exporters.options import Options
from edge_lasso_runtime import (
    Factor,
    Input,
    Model,
    ModelFormatError,
    Output,
    Term,
    load,
    loads,
    model_hash,
    snapshot,
)
from edge_lasso_runtime.artifact import FILE
from edge_lasso_runtime.artifact import read as read_artifact
from edge_lasso_runtime.drift import digest, read_digest
from edge_lasso_runtime.errors import SessionError, SnapshotError
from edge_lasso_runtime.format import SEAL, file_text
from edge_lasso_runtime.step import start, step

pytestmark = pytest.mark.long
EVERY = os.environ.get("EDGE_LASSO_CUTS") == "all"


def flipped(data, i):
    """A copy whose i-th bit is wrong."""
    return data[: i // 8] + bytes([data[i // 8] ^ 1 << i % 8]) + data[i // 8 + 1 :]


def flips(data, most=None, seed=0):
    """Copies with one wrong bit: every one, or so many."""
    places = range(8 * len(data))
    if most is not None and most < len(places) and not EVERY:
        places = random.Random(seed).sample(places, most)
    for i in places:
        yield flipped(data, i)


@pytest.fixture(scope="module")
def model():
    inputs = tuple(Input(name, i, 1.5, -3.25, 40.0) for i, name in enumerate("ab"))
    terms = (Term(1.25, (Factor(0),)), Term(-1e-3, (Factor(1),)))
    return Model(("a", "b"), inputs, (Output("y", 0.1, terms),), "clamp", provenance={"rows": 60})


def test_models(model, tried):
    text = file_text(model)
    count = 0
    for data in flips(text.encode()):
        count += 1
        with suppress(ModelFormatError, UnicodeDecodeError):
            assert loads(data.decode()) == model
    assert count == 8 * len(text.encode())
    tried("bits of models", count)


def test_a_model_that_was_edited_says_so_and_can_be_used(model):
    text = file_text(model)
    edited = text.replace("1.25", "1.5")
    with pytest.raises(ModelFormatError, match=f"damaged, or was edited: its {SEAL} is not that of its text"):
        loads(edited)
    without = "\n".join(line for line in edited.splitlines() if SEAL not in line).replace("60},", "60}")
    assert loads(without).outputs[0].terms[0].coef == 1.5
    assert loads(text.replace("\n", "\r\n")) == model
    for damaged in (
        text.replace(SEAL, "file_sha255"),
        text.rstrip()[:-1],
        text + " {}",
        text.replace(f'"{SEAL}"', f' "{SEAL}"'),
    ):
        with pytest.raises(ModelFormatError):
            loads(damaged)


def test_snapshots(random_model, tmp_path, tried):
    model = random_model
    state = start(model)
    for _ in range(5):
        step(model, state, [1.0] * len(model.inputs))
    path = tmp_path / "state.json"
    snapshot.save(str(path), model_hash(model), state.to_dict())
    whole = path.read_bytes()
    wanted = snapshot.load(str(path), model_hash(model))
    count = 0
    for data in flips(whole, 2000, 1):
        count += 1
        path.write_bytes(data)
        with suppress(SnapshotError):
            assert snapshot.load(str(path), model_hash(model)) == wanted
    tried("bits of snapshots", count)


@pytest.fixture
def random_model(stateful_model):
    for seed in range(100):
        model = stateful_model(seed)
        if len(model.inputs) < 6:
            return model
    raise AssertionError


def test_digests(tried):
    section = {"readings": [{"input": "a", "edges": [1.0, 2.0], "parts": [0.3, 0.3, 0.4], "missing": 0.0}]}
    model = Model(
        ("a",),
        (Input("a", 0, 1.5, 0.0, 3.0),),
        (Output("y", 0.0, (Term(1.0, (Factor(0),)),)),),
        sections={"drift/1": section},
    )
    state = start(model)
    for i in range(50):
        step(model, state, [i % 3 + 0.5])
    data = digest(model, state.drift)
    assert read_digest(model, data)["rows"] == 50
    tried("bits of digests", 8 * len(data))
    for damaged in flips(data):
        with pytest.raises(ValueError, match="digest"):
            read_digest(model, damaged)


def test_statistics(tmp_path, tried):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    folds = collect(X, X[:, :1], kfold(40, 2), ["a", "b"], ["y"])
    path = tmp_path / "m.stats.npz"
    folds.save(path)
    whole = path.read_bytes()
    count = 0
    seal = (flipped(whole, 8 * len(whole) - 1 - i) for i in range(8 * 70))
    for data in chain(flips(whole, 2000, 2), seal):
        count += 1
        path.write_bytes(data)
        try:
            again = FoldStatistics.load(path)
        except DataError:
            continue
        assert again.to_bytes() == folds.to_bytes()
    tried("bits of statistics", count)


def test_certificates(tried):
    execution = Execution(
        "c",
        "float",
        {"model.c": "ab" * 32},
        "passed",
        "gcc 12",
        100,
        1e-7,
        0.5,
        {"kind": "bound", "bound": 1.0, "text": ""},
    )
    whole = Certificate("cd" * 32, "2026-11-28T00:00:00Z", {"random": 100}, (execution,))
    text = json.dumps(whole.to_json()).encode()
    tried("bits of certificates", 8 * len(text))
    for data in flips(text):
        with suppress(ValueError):
            assert from_json(json.loads(data)) == whole


def test_bundles(model, tmp_path, tried):
    path = tmp_path / "m.pyz"
    whole = bundle(model, "m")
    path.write_bytes(whole)
    assert load(path) == model
    command = [sys.executable, "-I", "-S", str(path), "predict", "-"]
    row = b'{"a": 1, "b": 2}\n'
    wanted = subprocess.run(command, input=row, capture_output=True, check=True).stdout
    source = random.Random(3)
    places = [source.randrange(8 * len(whole)) for _ in range(200)]
    if EVERY:
        places = list(range(8 * len(whole)))
    main = whole.index(b"__main__.py")
    started = [8 * (main + 11) + source.randrange(8 * 700) for _ in range(30)]  # what checks, itself
    started += [8 * len(whole) - 1 - source.randrange(8 * 90) for _ in range(10)]
    places += started
    tried("bits of bundles", len(places))
    for i, place in enumerate(places):
        path.write_bytes(flipped(whole, place))
        with pytest.raises(ModelFormatError, match="is damaged, or no bundle"):
            load(path)
        if i >= len(places) - 70:
            done = subprocess.run(command, input=row, capture_output=True, check=False)
            assert done.returncode != 0 or done.stdout == wanted, place


@pytest.mark.parametrize("to", ["python", "c:float", "js", "tflite:int8"])
def test_artifacts(model, to, tmp_path, tried):
    """A flipped bit in any file of an artifact: `verify` does not take it for what the model renders to."""
    target, _, variant = to.partition(":")
    options = Options(variant or "double")
    files = registry.render(model, target, options.variant)
    assert foreign(model, target, options, files) == ""
    count = 0
    for name, whole in files.items():
        for data in flips(whole, 25, f"{to} {name}"):
            count += 1
            changed = {**files, name: data}
            if name == FILE:  # it says how the artifact was rendered, so it may name no target or another one
                (tmp_path / FILE).write_bytes(data)
                try:
                    about = read_artifact(tmp_path)
                    options_read = Options(about.variant, "selected", about.name)
                    if about.model_hash == model_hash(model):
                        assert foreign(model, about.target, options_read, changed)
                except SessionError:
                    pass
                continue
            assert foreign(model, target, options, changed)
    tried(f"bits of artifacts: {to}", count)
