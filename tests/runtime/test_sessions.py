"""Sessions: small hand-written artifacts in their real runtimes, and what is refused."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_lasso_devices.build import find_compiler
from edge_lasso_runtime.artifact import read
from edge_lasso_runtime.errors import MissingRuntimeError, SessionError
from edge_lasso_runtime.selftest import selftest
from edge_lasso_runtime.sessions import load, self_test

NAN = math.nan
HASH = "ab" * 32
ROWS = [[1.0, 2.0], [0.1, -1e17], [NAN, 3.0], [1e-300, 5e-324]]

PYTHON = f'''
FEATURES = ("a", "b")
OUTPUTS = ("y",)
MODEL_HASH = "{HASH}"

def linear(x):
    a = x[0] if x[0] == x[0] else 4.0
    return 0.1 + 0.3 * a + -0.7 * x[1]

def predict(x):
    return 2.0 * linear(x)

def predict_row(row):
    return predict([row.get("a", float("nan")), row["b"]]), "ok" if "a" in row else "degraded"

def selftest():
    return predict([0.0, 0.0]) == 0.2
'''
FIXED = f'''
FEATURES = ("a", "b")
OUTPUTS = ("y",)
MODEL_HASH = "{HASH}"

def encode(x):
    return [int(v) if v == v else 7 for v in x], "ok"

def predict(q):
    return 3 * q[0] - q[1]

def decode(r, output=0):
    return 0.5 * r

def predict_row(row):
    q, status = encode([row.get(name, float("nan")) for name in FEATURES])
    return decode(predict(q)), status
'''
C = """
#include <stddef.h>
#include <stdint.h>
static T linear(const T *x) { T a = x[0] == x[0] ? x[0] : (T)4; return (T)0.1 + (T)0.3 * a + (T)-0.7 * x[1]; }
void demo_linear_batch(const T *x, size_t n, T *y) { for (size_t i = 0; i < n; i++) y[i] = linear(x + 2 * i); }
void demo_predict_batch(const T *x, size_t n, T *y) { for (size_t i = 0; i < n; i++) y[i] = 2 * linear(x + 2 * i); }
T demo_predict(const T *x) { return 2 * linear(x); }
"""


def reference(row):
    a = row[0] if row[0] == row[0] else 4.0
    return 0.1 + 0.3 * a + -0.7 * row[1]


def artifact(folder: Path, target, variant, files, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    about = {
        "format": "edge-lasso-artifact/1",
        "target": target,
        "variant": variant,
        "entry": next(iter(files)),
        "name": "demo",
        "inputs": ["a", "b"],
        "columns": None,
        "outputs": ["y"],
        "model_hash": HASH,
        "generator": "by hand",
        "handles_missing": True,
        "self_test": [{"row": [1.0, None], "linear": [NAN]}],
        **changes,
    }
    if "self_test" not in changes:
        about["self_test"] = [
            {"row": [2.0, 1.0], "linear": [reference([2.0, 1.0])]},
            {"row": [None, 1.0], "linear": [reference([NAN, 1.0])]},
        ]
    (folder / "artifact.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def python_artifact(tmp_path):
    return artifact(tmp_path / "python", "python", "double", {"demo.py": PYTHON})


@pytest.fixture
def c_artifact(tmp_path):
    def make(real="double"):
        return artifact(
            tmp_path / real,
            "c",
            real,
            {"demo.c": f"#define T {real}\n{C}"},
            self_test=[{"row": [0, 0], "linear": [0.1]}],
        )

    return make


def compiled(folder):
    library = folder / "demo.so"
    source = str(folder / "demo.c")
    flags = ["-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared"]
    subprocess.run([*find_compiler(), *flags, "-o", str(library), source], check=True)
    return library


def test_python_runs_in_a_fresh_interpreter_and_is_exact(python_artifact):
    with load("python", python_artifact) as session:
        assert session.linear(ROWS) == [[reference(row)] for row in ROWS]
        assert session.predict(ROWS) == [[2.0 * reference(row)] for row in ROWS]
        assert session.degraded(ROWS) == [False, False, True, False]
        assert session.by_name(ROWS) == session.predict(ROWS)
        assert session.exact
        assert session.runtime == f"CPython {sys.version.split()[0]}"
        assert session.model_hash == HASH
        assert session.passed
        assert session.linear([]) == []
    assert not list(python_artifact.glob("__pycache__"))


def pyenv():
    for folder in sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.*/bin/python3")):
        version = subprocess.run([folder, "-V"], capture_output=True, text=True, check=False).stdout
        if version and tuple(map(int, version.split()[1].split(".")[:2])) >= (3, 9):
            yield str(folder)


@pytest.mark.parametrize("executable", list(pyenv()) or [sys.executable])
def test_python_runs_in_any_interpreter(python_artifact, executable):
    with load("python", python_artifact, executable=executable) as session:
        assert session.linear(ROWS) == [[reference(row)] for row in ROWS]


def test_the_interpreter_sees_no_installed_packages(tmp_path):
    folder = artifact(tmp_path / "a", "python", "double", {"demo.py": "import numpy\n" + PYTHON})
    with pytest.raises(SessionError, match="No module named 'numpy'"):
        load("python", folder)


@pytest.mark.needs("micropython")
def test_micropython_gets_rows_exactly(python_artifact):
    from edge_lasso_devices.micropython import find_micropython

    rows = ROWS + [[math.pi * i, -1.0 / (i + 1)] for i in range(3000)]
    with load("micropython", python_artifact, command=find_micropython()) as session:
        got = session.linear(rows)
        assert session.runtime.startswith("MicroPython 1.")
        assert session.model_hash == HASH
        assert session.passed
        assert session.degraded(ROWS) == [False, False, True, False]
    for row, (value,) in zip(rows, got, strict=True):
        wanted = reference(row)
        assert abs(value - wanted) <= 4 * sys.float_info.epsilon * (
            0.1 + abs(0.3 * 4) + abs(0.7 * row[1]) + abs(wanted)
        )


def test_fixed_point_python_works_in_integers(tmp_path):
    folder = artifact(tmp_path / "f", "python", "fixed", {"demo.py": FIXED}, self_test=[])
    with load("python", folder) as session, load("python", folder, in_process=True) as here:
        assert session.fixed
        assert session.encode([[1.9, NAN]]) == [[1, 7]]
        assert session.predict_q([[5, -32767]]) == [[32782]]
        assert session.linear([[2.0, 1.0]]) == here.linear([[2.0, 1.0]]) == [[2.5]]
        function, arguments = here.one_row([[2.0, 1.0]])
        assert function(arguments[0]) == 5


@pytest.mark.needs("cc")
@pytest.mark.parametrize("real", ["double", "float"])
def test_c_runs_through_ctypes(c_artifact, real):
    folder = c_artifact(real)
    compiled(folder)
    with load("c", folder, runtime="gcc") as session:
        got = session.linear(ROWS)
        for row, (value,) in zip(ROWS, got, strict=True):
            assert math.isclose(value, reference(row), rel_tol=0.0 if real == "double" else 1e-6)
        assert session.predict(ROWS) == [[2.0 * value] for (value,) in got]
        function, arguments = session.one_row(ROWS)
        assert [[function(one)] for one in arguments] == session.predict(ROWS)
        assert session.runtime == "gcc"


@pytest.mark.needs("cc")
def test_c_is_compiled_where_there_is_a_compiler(c_artifact):
    failures, text = selftest(c_artifact())
    assert (failures, text.split(",")[0]) == ([], "c:double")


def test_c_without_library_says_how_to_compile(c_artifact):
    with pytest.raises(
        MissingRuntimeError, match=r"has no demo.so; compile demo.c with: cc -std=c99 .* -o demo.so demo.c"
    ):
        load("c", c_artifact())


@pytest.mark.needs("cc")
def test_c_library_of_another_artifact_is_refused(c_artifact, tmp_path):
    library = compiled(c_artifact())
    folder = artifact(tmp_path / "other", "c", "double", {"other.c": ""}, name="other", self_test=[])
    shutil.copy(library, folder / "other.so")
    with load("c", folder) as session, pytest.raises(SessionError, match="has no other_linear_batch; it is not"):
        session.linear(ROWS)


@pytest.mark.needs("cc")
def test_c_that_does_not_compile_is_refused(c_artifact):
    folder = c_artifact()
    (folder / "demo.c").write_text("int f(void) { return }")
    with pytest.raises(SessionError, match=r"refuses demo.c: .*error"):
        selftest(folder)


@pytest.mark.needs("module:onnx", "module:onnxruntime")
def test_onnx_runs_in_onnxruntime(tmp_path):
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.array([[0.3], [-0.7]], np.float32), "w")
    bias = numpy_helper.from_array(np.array([0.1], np.float32), "b")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["linear"])],
        "demo",
        [value("x", TensorProto.FLOAT, ["N", 2])],
        [value("linear", TensorProto.FLOAT, ["N", 1])],
        [weights, bias],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    helper.set_model_props(model, {"model_hash": HASH})
    folder = artifact(tmp_path / "o", "onnx", "float32", {"demo.onnx": model.SerializeToString()})
    with load("onnx", folder) as session:
        rows = [[1.0, 2.0], [3.0, -4.0]]
        for row, (got,), (also,) in zip(rows, session.linear(rows), session.predict(rows), strict=True):
            assert got == also == pytest.approx(reference(row), rel=1e-6)
        assert session.model_hash == HASH
        assert session.runtime.startswith("onnxruntime ")
        function, arguments = session.one_row(rows)
        assert function(arguments[1])[0].tolist() == session.linear(rows[1:])
    (folder / "demo.onnx").write_bytes(b"not a graph")
    with pytest.raises(SessionError, match=r"refuses demo\.onnx"):
        load("onnx", folder)


def test_a_missing_runtime_says_what_to_install(tmp_path):
    script = (
        "import sys\nfrom edge_lasso_runtime.sessions import load\n"
        "try:\n    load(sys.argv[1], sys.argv[2])\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    home = Path(sys.modules["edge_lasso_runtime"].__file__).parent.parent
    said = {}
    for kind in ("onnx", "tflite"):
        folder = artifact(tmp_path / kind, kind, "float32", {"demo.bin": b""})
        run = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys\nsys.path.insert(0, {str(home)!r})\n{script}",
            kind,
            folder,
        ]
        said[kind] = subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
    assert said["onnx"] == (
        "MissingRuntimeError running this artifact needs onnxruntime; install it with: pip install onnxruntime"
    )
    assert said["tflite"] == (
        "MissingRuntimeError running this artifact needs ai_edge_litert; install it with: pip install ai-edge-litert"
    )


def test_rows_of_the_wrong_width_are_refused(python_artifact):
    with (
        load("python", python_artifact) as session,
        pytest.raises(SessionError, match=r"row 1 has 3 values; .* takes 2"),
    ):
        session.linear([[1.0, 2.0], [1.0, 2.0, 3.0]])


def test_self_test_finds_a_wrong_answer(tmp_path):
    folder = artifact(tmp_path / "a", "python", "double", {"demo.py": PYTHON.replace("0.3", "0.303")})
    with load("python", folder) as session:
        count, failures = self_test(session)
    assert count == 2
    assert len(failures) == 2
    assert failures[0].startswith("vector 0: y is ")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("MODEL_HASH = 1 / 0", "division by zero"),
        ("def f(:", "invalid syntax"),
        ("", "MODEL_HASH"),
        (PYTHON.replace("return 0.1 +", "return None or nonsense +"), "nonsense"),
    ],
)
def test_a_broken_python_artifact_ends_in_one_line(tmp_path, source, text):
    folder = artifact(tmp_path / "a", "python", "double", {"demo.py": source})
    with pytest.raises(SessionError) as caught, load("python", folder) as session:
        session.linear(ROWS)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"format": "edge-lasso-artifact/2"}, "this version reads 'edge-lasso-artifact/1'"),
        ({"entry": "../../etc/passwd"}, "entry must be a file inside the folder"),
        ({"entry": "/etc/passwd"}, "entry must be a file inside the folder"),
        ({"inputs": ["a", 3]}, r"inputs\[1\] is 3"),
        ({"outputs": []}, "outputs is empty"),
        ({"handles_missing": "no"}, "handles_missing must be true or false"),
        ({"self_test": [{"row": [1.0], "linear": [1.0]}]}, "does not fit 2 inputs and 1 outputs"),
        ({"self_test": [{"row": [1.0, "x"], "linear": [1.0]}]}, "must be a number"),
        ({"self_test": None}, "must be a list"),
        ({"model_hash": 5}, "model_hash is 5"),
        ({"target": "c"}, "holds a c artifact; it does not run in python"),
    ],
)
def test_a_damaged_artifact_is_refused(tmp_path, change, text):
    folder = artifact(tmp_path / "a", "python", "double", {"demo.py": PYTHON})
    about = json.loads((folder / "artifact.json").read_text())
    (folder / "artifact.json").write_text(json.dumps({**about, **change}))
    with pytest.raises(SessionError, match=text):
        load("python", folder)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100000, b"[]", b"3", b'{"format": NaN}'])
def test_a_file_that_is_not_an_artifact_is_refused(tmp_path, text):
    (tmp_path / "artifact.json").write_bytes(text)
    with pytest.raises(SessionError):
        read(tmp_path)


def test_no_artifact_and_unknown_kinds(tmp_path, python_artifact):
    with pytest.raises(SessionError, match=r"has no artifact\.json; give the folder that 'edge-lasso export' wrote"):
        load("python", tmp_path)
    with pytest.raises(SessionError, match="session kind 'fortran' is unknown; there are python, micropython, c"):
        load("fortran", python_artifact)
    with pytest.raises(SessionError, match="cannot be started"):
        load("python", python_artifact, executable="/no/such/python")
    with pytest.raises(SessionError, match="micropython needs the command"):
        load("micropython", python_artifact)
    assert read(python_artifact / "demo.py").folder == str(python_artifact)
