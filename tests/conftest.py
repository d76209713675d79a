"""Shared fixtures, and `@pytest.mark.needs(...)`: a missing tool skips, or fails under EDGE_LASSO_REQUIRE=all."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# runtimes in an environment of their own (`tests/tools/tflite_runtime_venv.sh DIR`): the variable names its Python
PYTHONS = {
    "tflite-runtime": "EDGE_LASSO_TFLITE_RUNTIME_PYTHON",
    "tflite-micro": "EDGE_LASSO_TFLITE_RUNTIME_PYTHON",
    "onnxruntime-1.16": "EDGE_LASSO_OLD_ONNXRUNTIME_PYTHON",
}


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*tools): executables on PATH, or module:NAME for a Python module")


def pytest_runtest_setup(item):
    missing = [tool for mark in item.iter_markers("needs") for tool in mark.args if not available(tool)]
    if missing:
        reason = f"needs {', '.join(missing)}"
        if os.environ.get("EDGE_LASSO_REQUIRE") == "all":
            pytest.fail(f"{reason}, and EDGE_LASSO_REQUIRE=all forbids skipping")
        pytest.skip(reason)


def available(tool: str) -> bool:
    """Whether a tool is here."""
    if tool.startswith("module:"):
        return importlib.util.find_spec(tool.removeprefix("module:")) is not None
    if tool == "micropython":
        from edge_lasso_devices.micropython import find_micropython

        return find_micropython() is not None
    if tool == "sshd":
        return Path("/usr/sbin/sshd").is_file()
    if tool == "simavr":
        return Path("/usr/include/simavr/sim_avr.h").is_file()
    if tool == "rp2040js":
        from edge_lasso_devices.micropython import node_modules

        return any((folder / "rp2040js" / "package.json").is_file() for folder in node_modules())
    if tool == "microbit":
        return shutil.which("qemu-system-arm") is not None and Path("/usr/share/firmware-microbit-micropython").is_dir()
    if tool.startswith("python3.") or tool == "micropython-unix":
        return find_python(tool) is not None
    if tool in PYTHONS:
        return shutil.which(os.environ.get(PYTHONS[tool], "")) is not None
    if tool == "cc":
        from edge_lasso_devices.build import find_compiler

        return find_compiler() is not None
    if tool == "sshd":
        return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") is not None
    return shutil.which(tool) is not None


def find_python(name: str) -> str | None:
    """A Python of a version (``python3.9``), or MicroPython's unix port: this one, or what `tools/pythons.sh` fetched."""
    if name == f"python3.{sys.version_info.minor}":
        return sys.executable
    places = os.pathsep.join([os.environ.get("EDGE_LASSO_PYTHONS", ""), os.environ["PATH"]])
    return shutil.which(name.removesuffix("-unix"), path=places)


@pytest.fixture(scope="session")
def python_named():
    """`find_python`."""
    return find_python


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def beijing() -> Path:
    """The bundled data set of the demo."""
    return ROOT / "edge_lasso" / "data" / "beijing_air.csv.gz"
