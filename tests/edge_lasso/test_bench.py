"""Measuring through links, and budgets. No timing is asserted: only that figures are there, and of the right kind."""

import json
import sys

import pytest

from edge_lasso.errors import BoardError, DataError, SessionError
from edge_lasso.measuring.bench import bench, check_budgets, rendered
from edge_lasso.measuring.measurement import Measurement, measure
from edge_lasso.measuring.peers import peer_subjects, peers, pipeline_of
from edge_lasso.verifying.verify import export
from edge_lasso_devices.shells import Completed, LocalShell
from edge_lasso_runtime import Factor, Input, Model, Output, Term, predict, save

QUICK = 0.6


def model():
    inputs = tuple(Input(f"s{i}", 2 * i, 1.0, 0.0, 2.0) for i in range(3))
    terms = tuple(Term(0.5 + i, (Factor(i),)) for i in range(3))
    return Model(tuple(f"c{i}" if i % 2 else f"s{i // 2}" for i in range(6)), inputs, (Output("y", 1.0, terms),))


@pytest.mark.long
def test_a_model_in_memory_in_every_target():
    names = []
    found = bench(model(), seconds=QUICK, progress=names.append)
    assert [one.name for one in found] == names
    assert names == ["runtime:double", "python:double", "c:double", "onnx:float32", "tflite:float32"]
    for one in found:
        assert (one.link, one.kind, one.reason) == ("local", "measured", "")
        assert one.value("p50_us") > 0
        assert one.value("inputs") == 3
        assert one.figures["max_error"]["kind"] == "modelled"
        assert {figure["kind"] for figure in one.figures.values()} == {"measured", "modelled"}
        assert "CPython" in one.machine
        json.dumps(one.to_json(), allow_nan=False)
    sizes = {one.name: one.value("size_bytes") for one in found}
    assert sizes["python:double"] < sizes["c:double"]


@pytest.mark.long
def test_paths_model_files_artifacts_and_folders_of_them(tmp_path):
    save(model(), tmp_path / "mine.json")
    export(model(), "python,c", tmp_path / "artifacts")
    before = sorted(tmp_path.rglob("*"))
    found = bench([tmp_path / "mine.json", tmp_path / "artifacts"], seconds=QUICK)
    assert [one.name for one in found] == ["runtime:double", "c:double", "python:double"]
    assert sorted(tmp_path.rglob("*")) == before
    (one,) = bench(tmp_path / "artifacts" / "python-double", seconds=QUICK)
    assert one.name == "python:double"


@pytest.mark.needs("micropython")
def test_micropython_measures_its_own_heap_and_time():
    found = {one.name: one for one in bench(model(), link="micropython", seconds=QUICK)}
    python = found.pop("python:double")
    assert python.kind in ("measured", "emulated")
    for name in ("p50_us", "p95_us", "p99_us", "max_us", "load_ms", "ram_bytes", "allocated_bytes"):
        assert python.value(name) > 0
        assert python.figures[name]["kind"] == python.kind
    assert all(one.reason == "MicroPython runs python:double and python:fixed only" for one in found.values())


class Emulated(LocalShell):
    """This machine, claiming to be an emulator whose command stands in front of Python; it greets at login."""

    kind = "emulated"

    def __init__(self):
        super().__init__()
        self.python = ("/usr/bin/env", sys.executable)

    def run(self, argv, stdin=None, timeout=None):
        done = super().run(argv, stdin, timeout)
        return Completed(done.returncode, "Welcome to Debian!\n" + done.stdout + "bye\n", done.stderr)


@pytest.mark.long
def test_emulated_figures_say_so_and_leave_memory_out():
    with Emulated() as shell:
        (one,) = bench(model(), "python", shell, QUICK)
    assert one.kind == "emulated"
    assert one.facts["method"]["interpreter"][:2] == ["/usr/bin/env", sys.executable]
    for name, figure in one.figures.items():
        if name not in ("size_bytes", "inputs", "max_error"):
            assert figure["kind"] == "emulated", name
    for name in ("ram_bytes", "peak_bytes", "private_dirty_bytes"):
        assert one.value(name) is None
        assert "emulator" in one.figures[name]["reason"]
    assert one.value("cold_start_ms") > 0


class Odd(LocalShell):
    """A link over which something else answers."""

    def __init__(self, answer, code=0):
        super().__init__()
        self.answer = answer, code

    def run(self, argv, stdin=None, timeout=None):
        return Completed(self.answer[1], self.answer[0], "")


@pytest.mark.parametrize("answer", ["", "Connection lost", "{}", '{"machine": 3}', "} {"])
def test_what_is_no_measurement_is_refused(answer):
    with Odd(answer) as shell, pytest.raises(BoardError, match="answered what is no measurement"):
        bench(model(), "python", shell, QUICK)


@pytest.mark.long
def test_a_probe_that_fails_everywhere_is_an_error_and_else_a_reason(tmp_path):
    subjects = list(rendered(model(), "python"))
    files = dict(subjects[0].files)
    broken = type(subjects[0])("python:double", {**files, "model.py": b"import nothing_of_that_name\n"})
    with pytest.raises(
        BoardError, match=r"nothing could be measured over local: python:double: .*nothing_of_that_name"
    ):
        measure([broken], seconds=QUICK)
    found = measure([broken, subjects[0]], seconds=QUICK)
    assert "nothing_of_that_name" in found[0].reason
    assert not found[1].reason
    rows = check_budgets(found, {"p95_us": 1e9})
    assert [row.ok for row in rows] == [False, True]
    assert "nothing_of_that_name" in rows[0].reason


def test_bad_subjects_and_links(tmp_path):
    with pytest.raises(DataError, match=r"is neither a model nor an artifact; give MODEL\.json or what"):
        bench(tmp_path)
    with pytest.raises(BoardError, match="link 'locl' is unknown; did you mean 'local'"):
        bench(model(), link="locl")
    (tmp_path / "artifact.json").write_text("{}")
    with pytest.raises(SessionError, match="format is"):
        bench(tmp_path)


def figures(**values):
    return {name: {"value": value, "unit": "", "kind": "measured"} for name, value in values.items()}


def test_budgets():
    one = Measurement("c:float", "local", "measured", "here", figures(p95_us=150.0, size_bytes=2000))
    two = Measurement("python:double", "local", "measured", "here", figures(p95_us=250.0, size_bytes=1000))
    rows = check_budgets([one, two], {"p95_us": 200.0, "size_bytes": 2000})
    assert [(row.name, row.budget, row.ok) for row in rows] == [
        ("c:float", "p95_us", True),
        ("c:float", "size_bytes", True),
        ("python:double", "p95_us", False),
        ("python:double", "size_bytes", True),
    ]
    assert [row.margin for row in rows] == [0.25, 0.0, -0.25, 0.5]
    (row,) = check_budgets([one], {"cycles": 100})
    assert (row.ok, row.margin, row.reason) == (False, None, "no cycles here")


@pytest.mark.parametrize(
    ("budgets", "text"),
    [
        ({"p95": 1.0}, "budget 'p95' is unknown; did you mean 'p95_us'.; there are flash_bytes, ram_bytes"),
        ({"p95_us": 0.0}, "budget p95_us=0.0 must be a positive number"),
        ({"p95_us": float("nan")}, "must be a positive number"),
        ({"p95_us": float("inf")}, "must be a positive number"),
    ],
)
def test_bad_budgets(budgets, text):
    with pytest.raises(DataError, match=text):
        check_budgets([], budgets)


@pytest.mark.needs("module:skl2onnx", "module:onnxruntime")
def test_peers_compute_the_same_model():
    import numpy as np
    import onnxruntime

    pipeline = pipeline_of(model())
    row = [0.5, 7.0, 1.5, -3.0, 0.25, 9.0]
    (wanted,) = predict(model(), [row[0], row[2], row[4]]).values
    assert pipeline.predict([row])[0] == pytest.approx(wanted, rel=1e-12)
    subjects = {one.name: one for one in peer_subjects(pipeline)}
    session = onnxruntime.InferenceSession(subjects["skl2onnx:float32"].files["model.onnx"])
    (found,) = session.run(None, {"X": np.array([row], dtype=np.float32)})
    assert found.item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.slow
def test_peers_are_measured_by_the_same_probe():
    import numpy as np

    X = np.random.default_rng(0).normal(size=(50, 4))
    X[3, 1] = np.nan
    found = {one.name: one for one in peers(X, X[:, 0], 0.1, seconds=QUICK)}
    for name in ("scikit-learn:pipeline", "skl2onnx:float32"):
        assert found[name].value("p50_us") > 0
        assert found[name].value("size_bytes") > 0
        assert found[name].kind == "measured"


def test_no_peer_expresses_links_or_several_outputs():
    (output,) = model().outputs
    assert pipeline_of(model().replace(outputs=(output, output.replace(name="z")))) is None
    assert pipeline_of(model().replace(outputs=(output.replace(link="logistic"),), classes=("a", "b"))) is None
