"""Shared fixtures, and `@pytest.mark.needs(...)`: a missing tool skips, or fails under EDGE_LASSO_REQUIRE=all."""

import importlib.util
import os
import shutil
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
    if tool in ("sshd", "mosquitto"):
        return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is not None
    if tool == "simavr":
        return Path("/usr/include/simavr/sim_avr.h").is_file()
    if tool == "rp2040js":
        from edge_lasso_devices.micropython import node_modules

        return any((folder / "rp2040js" / "package.json").is_file() for folder in node_modules())
    if tool in PYTHONS:
        return shutil.which(os.environ.get(PYTHONS[tool], "")) is not None
    if tool == "cc":
        from edge_lasso_devices.build import find_compiler

        return find_compiler() is not None
    return shutil.which(tool) is not None


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def beijing() -> Path:
    """The bundled data set of the demo."""
    return ROOT / "edge_lasso" / "data" / "beijing_air.csv.gz"
