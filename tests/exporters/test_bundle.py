"""One-file bundles: what is inside, that they answer alone in every CPython, and that they notice damage."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from hashlib import sha256

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.compare_rows import compare
from edge_lasso.verifying.verify import export
from edge_lasso_exporters import registry
from edge_lasso_exporters.bundle_python import needed
from edge_lasso_runtime import (
    Factor,
    Input,
    Model,
    ModelFormatError,
    Output,
    SessionError,
    Term,
    load,
    model_hash,
    predict,
)
from edge_lasso_runtime.__main__ import main
from edge_lasso_runtime.sessions import load as open_artifact

pytestmark = pytest.mark.long


@pytest.fixture
def bundle(write, shapes):
    """A bundle's path."""
    return write(shapes["categories"], "python", "pyz") / "model.pyz"


def run(*arguments, data=None):
    argv = [sys.executable, "-I", "-S", "-W", "error", *map(str, arguments)]
    return subprocess.run(argv, input=data, capture_output=True, text=True, check=False)


def changed(path, member, text):
    """The same archive with one file replaced (or left out), and sealed as if it were ours."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[member] = text
    with zipfile.ZipFile(path, "w") as new:
        for name, data in parts.items():
            if data is not None:
                new.writestr(name, data)
        new.comment = b"0" * 64
    data = path.read_bytes()[:-64]
    path.write_bytes(data + sha256(data).hexdigest().encode())


@pytest.mark.parametrize("inputs", ["selected", "all"])
def test_exported_like_any_artifact(tmp_path, shapes, inputs):
    models = {**shapes, "quantized": quantize(shapes["plain"], to="int16")}
    for i, model in enumerate(models.values()):
        certificate = export(model, "python:pyz", tmp_path / str(i), inputs=inputs, name="pm25")
        (found,) = certificate.artifacts
        assert (found.status, found.largest_error, found.promised["kind"]) == ("passed", 0.0, "bit-equal"), found.reason
        assert (tmp_path / str(i) / "python-pyz" / "pm25.pyz").is_file()


@pytest.mark.slow
def test_the_same_in_every_cpython(write, shapes, rows_of, cpython):
    model = shapes["categories"]
    folder = write(model, "python", "pyz", "all")
    rows = rows_of(model, "all")
    plain = [[row[one.column] for one in model.inputs] for row in rows]
    values, tolerances = registry.target("python").expected(model, registry.Options("pyz", "all"), rows)
    with open_artifact("python", folder, executable=cpython) as session:
        assert compare(session, model, plain, rows, values, tolerances).faults == []


@pytest.mark.parametrize(
    "name", ['a"b\\', "new\nline", "old\rline", "größe µ", "\u2028", "日本", "__import__('os')"], ids=ascii
)
def test_names_of_any_kind(tmp_path, nasty, name):
    certificate = export(nasty(name), "python:pyz", tmp_path / "out")
    assert certificate.status == "passed", certificate.artifacts[0].reason


def test_what_is_inside(bundle, shapes):
    assert bundle.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(bundle) as archive:
        assert archive.comment.decode().split()[0] == model_hash(shapes["categories"])
        names = set(archive.namelist())
        assert all(one.date_time == (1980, 1, 1, 0, 0, 0) for one in archive.infolist())
    assert {"__main__.py", "model.json", "selftest.json", "edge_lasso_runtime/predict.py"} <= names
    assert (
        not {f"edge_lasso_runtime/{name}.py" for name in ("update", "serve", "trust", "fixed_detector", "apart")}
        & names
    )
    assert not [name for name in names if name.endswith("_session.py")]
    quantized = needed(shapes["categories"].replace(sections={"fixed_point/1": {}}))
    assert set(quantized) - set(needed(shapes["categories"])) == {"fixed_history", "fixed_point"}
    assert load(bundle) == load(str(bundle)) == shapes["categories"]
    assert bundle.stat().st_size < 100 * 1024


def test_predict(bundle, shapes, tmp_path):
    model = shapes["categories"]
    names = [one.name for one in model.inputs]
    (tmp_path / "data.csv").write_text(",".join(names) + "\n0.5,1.5,red,blue\n,1e300,,green\n")
    done = run(bundle, "predict", tmp_path / "data.csv")
    assert (done.returncode, done.stderr) == (0, "")
    for row, text in zip(csv.DictReader(io.StringIO(done.stdout)), ("0.5,1.5,red,blue", ",1e300,,green"), strict=True):
        readings = dict(zip(names, text.split(","), strict=True))
        wanted = predict(model, {key: value for key, value in readings.items() if value})
        assert (float(row["y0"]), row["status"]) == (wanted.values[0], wanted.status)


@pytest.mark.parametrize("unpacked", [False, True], ids=["as it is", "unpacked"])
def test_as_a_function(bundle, shapes, tmp_path, unpacked):
    model = shapes["categories"]
    place = bundle
    if unpacked:
        place = tmp_path / "function"
        subprocess.run([sys.executable, "-m", "zipfile", "-e", bundle, place], check=True)
    rows = [
        dict(zip([feature.name for feature in model.inputs], row, strict=True))
        for row in ((0.5, 1.5, "red", "blue"), (0,) * 4)
    ]
    script = (
        f"import json, sys; sys.path.insert(0, {str(place)!r})\nfrom edge_lasso_runtime import function\n"
        f"assert function.__file__.startswith({str(place)!r})\nprint(json.dumps(function.handler(json.load(sys.stdin))))"
    )
    done = run("-c", script, data=json.dumps(rows))
    assert done.stderr == ""
    for row, answer in zip(rows, json.loads(done.stdout), strict=True):
        wanted = predict(model, row)
        assert (answer["values"]["y0"], answer["status"]) == (wanted.values[0], wanted.status)


def test_selftest(bundle):
    done = run(bundle, "selftest")
    assert done.stdout.startswith("ok: python:pyz, 6 vectors bit for bit, model ")
    model = json.loads(zipfile.ZipFile(bundle).read("model.json"))
    model["outputs"][0]["intercept"] += 1e-9
    del model["file_sha256"]
    changed(bundle, "model.json", json.dumps(model))
    done = run(bundle, "selftest")
    assert done.returncode == 1
    assert done.stdout.startswith("failed: vector 0 gives ")


def test_probe(bundle):
    done = run(bundle, "probe", "--json", "--seconds", "0.5")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["subject"]["file"] == "model.pyz"
    assert found["figures"]["size_bytes"]["value"] == bundle.stat().st_size
    assert found["figures"]["p50_us"]["value"] > 0.0
    assert main(["probe", str(bundle.parent), "--json", "--seconds", "0.5"]) == 0  # as an artifact's folder


def test_help_names_no_model(bundle):
    done = run(bundle, "predict", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python3 model.pyz predict [-h]")
    assert "MODEL" not in done.stdout
    assert "model.json" not in done.stdout
    assert "COMMAND" in run(bundle, "--help").stdout
    assert run(bundle).returncode == 2


def test_the_runtime_and_the_workbench_read_it(bundle, capsys):
    assert main(["selftest", str(bundle)]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "edge_lasso", "show", str(bundle)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "column 0" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(("member", "text", "message"), [
    ("model.json", None, "is not a bundle of edge-lasso"),
    ("model.json", "{", "is not JSON"),
    ("selftest.json", None, "is not a bundle of edge-lasso"),
])  # fmt: skip
def test_damage_is_told_in_one_line(bundle, member, text, message):
    changed(bundle, member, text)
    done = run(bundle, "selftest")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_damage_is_told_before_anything_is_imported(bundle):
    data = bundle.read_bytes()
    place = data.index(b"edge_lasso_runtime/__main__.py") + 60
    bundle.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    done = run(bundle, "selftest")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "model.pyz is damaged: its hash is not that of its content; copy or export it again\n"


def test_refusals(bundle, tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "no.pyz")
    (tmp_path / "text.pyz").write_text("no archive")
    with pytest.raises(ModelFormatError, match=r"text\.pyz is damaged, or no bundle of edge-lasso; export it again"):
        load(tmp_path / "text.pyz")
    for options in ({"in_process": True}, {"command": ["micropython"]}):
        kind = "micropython" if "command" in options else "python"
        with pytest.raises(SessionError, match="runs in CPython, in a process of its own"):
            open_artifact(kind, bundle.parent, **options)
    bundle.write_bytes(b"")
    with pytest.raises(SessionError, match=r"model\.pyz cannot be loaded"):
        open_artifact("python", bundle.parent)


def test_a_model_that_keeps_state_is_bundled_and_verified(tmp_path):
    """`predict` of the bundle takes every input as given; `score`, the runtime's own, keeps the state."""
    inputs = (Input("a", 0, 0.5, 0.0, 1.0), Input("a.lag1", 1, 0.5, 0.0, 1.0, stream=("lag", "a", 1)))
    model = Model(("a", "a.lag1"), inputs, (Output("y", 0.0, (Term(1.0, (Factor(0),)), Term(0.5, (Factor(1),)))),))
    certificate = export(model, "python:pyz", tmp_path, name="kept")
    assert certificate.status == "passed"
    command = [sys.executable, str(tmp_path / "python-pyz" / "kept.pyz"), "score", "-"]
    done = subprocess.run(command, input='{"a": 0.25}\n{"a": 1.0}\n', capture_output=True, text=True, check=True)
    assert [json.loads(line)["values"]["y"] for line in done.stdout.splitlines()] == [0.5, 1.125]
