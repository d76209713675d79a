"""The arrows between packages, what the runtime may import, and the public API."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from rooms import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
ARROWS = {
    "edge_lasso": {"edge_lasso_exporters", "edge_lasso_devices", "edge_lasso_runtime"},
    "edge_lasso_exporters": {"edge_lasso_runtime"},
    "edge_lasso_devices": set(),
    "edge_lasso_runtime": set(),
}
# Imported inside functions of the sessions that need them, with an error that says what to install.
OPTIONAL = {
    "onnx_session.py": {"onnxruntime", "numpy"},
    "tflite_session.py": {"ai_edge_litert", "tflite_runtime", "numpy"},
    "mqtt_options.py": {"paho"},
    "sql_session.py": {"duckdb"},
    "formula_session.py": {"formulas", "numpy"},
}
SLOW = {"dataclasses", "typing", "re", "inspect", "enum", "argparse", "json", "subprocess", "tempfile", "pathlib"}
# What a prediction from a model file imports, in a package of its own size.
NEEDED = {
    "__init__.py",
    "checks.py",
    "model_checks.py",
    "switch.py",
    "errors.py",
    "format.py",
    "model.py",
    "predict.py",
    "fixed_point.py",
    "sections.py",
}
STANDARD = set(sys.stdlib_module_names)


def sources():
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            yield package, path


def imports(path, top_level_only=False):
    """Names of modules that a file imports, those under TYPE_CHECKING left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif not (top_level_only and isinstance(node, ast.FunctionDef)):
            inside = ast.iter_child_nodes(node)
            waiting += (part for part in inside if isinstance(part, (ast.stmt, ast.ExceptHandler)))


def test_there_is_something_to_check():
    assert {package for package, _ in sources()} == set(PACKAGES)
    loaded = set(imports(ROOT / "runtime" / "edge_lasso_runtime" / "onnx_session.py"))
    assert {"onnxruntime", "numpy"} <= loaded
    assert "typing" not in loaded


@pytest.mark.long
def test_arrows():
    wrong = {}
    for package, path in sources():
        ours = {name.split(".")[0] for name in imports(path)} & set(PACKAGES)
        if not ours - {package} <= ARROWS[package]:
            wrong[path] = ours
    assert wrong == {}


RUNTIME = sorted(PACKAGES["edge_lasso_runtime"].glob("*.py"))


def test_the_runtime_imports_the_standard_library_only():
    wrong = {}
    for path in RUNTIME:
        ours = {"edge_lasso_runtime", "_json", "_ctypes", "_sha2", "_sha256"}
        foreign = {name.split(".")[0] for name in imports(path)} - STANDARD - ours
        at_the_top = {name.split(".")[0] for name in imports(path, top_level_only=True)} - STANDARD
        if not foreign <= OPTIONAL.get(path.name, set()) or not at_the_top <= {"edge_lasso_runtime"}:
            wrong[path.name] = foreign | at_the_top
    assert wrong == {}


@pytest.mark.parametrize("path", [path for path in RUNTIME if path.name in NEEDED], ids=lambda path: path.name)
def test_what_a_prediction_needs_is_light(path):
    assert not {name.split(".")[0] for name in imports(path, top_level_only=True)} & SLOW


def test_importing_the_runtime_loads_only_what_a_prediction_needs():
    script = (
        f"import sys\nsys.path.insert(0, {str(ROOT / 'runtime')!r})\nimport edge_lasso_runtime\n"
        "print(*sorted(name for name in sys.modules if name.startswith('edge_lasso_runtime.')))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[2] + ".py" for name in done.stdout.split()}
    assert loaded <= NEEDED


def test_argparse_is_imported_by_the_command_line_alone():
    users = [path.name for path in RUNTIME if "argparse" in set(imports(path))]
    assert users == ["__main__.py"]


def test_devices_know_no_models():
    text = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGES["edge_lasso_devices"].glob("*.py"))
    assert "edge_lasso_runtime" not in set(text.split())


def test_the_public_api_is_pinned():
    import edge_lasso
    import edge_lasso_runtime

    assert set(edge_lasso.__all__) == {
        "LassoClassifier", "LassoRegressor", "ResidualDetector", "Statistics", "bench", "bundle", "check", "classify",
        "drift", "explain", "export", "from_sklearn", "load", "plot_path", "plot_scores", "predict", "prune", "quantize",
        "report", "save", "search", "train", "verify", "watch",
    }  # fmt: skip
    for name in edge_lasso.__all__:
        assert callable(getattr(edge_lasso, name)), name
    assert set(edge_lasso_runtime.__all__) == {
        "Factor", "Input", "Model", "ModelFormatError", "Output", "Prediction", "SessionError", "Term",
        "dumps", "load", "loads", "model_hash", "predict", "save",
    }  # fmt: skip
    for name in edge_lasso_runtime.__all__:
        assert callable(getattr(edge_lasso_runtime, name)), name
