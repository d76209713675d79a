"""MicroPython: found where it is, and run."""

import subprocess

import pytest

from edge_lasso_devices import micropython
from edge_lasso_devices.micropython import PACKAGE, find_micropython


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A folder and an environment without it."""
    monkeypatch.delenv("EDGE_LASSO_MICROPYTHON", raising=False)
    monkeypatch.delenv("EDGE_LASSO_NODE_MODULES", raising=False)
    monkeypatch.chdir(tmp_path)
    tools = {"node": "/bin/node"}
    monkeypatch.setattr(micropython.shutil, "which", tools.get)
    return tmp_path, tools


def test_not_here(nowhere):
    assert find_micropython() is None


def test_a_command(nowhere, monkeypatch):
    monkeypatch.setenv("EDGE_LASSO_MICROPYTHON", "ld.so --library-path 'my lib' micropython")
    assert find_micropython() == ["ld.so", "--library-path", "my lib", "micropython"]


def test_on_the_path(nowhere):
    nowhere[1]["micropython"] = "/bin/micropython"
    assert find_micropython() == ["micropython"]


@pytest.mark.parametrize("where", ["current folder", "above", "named"])
def test_the_webassembly_port(nowhere, monkeypatch, where):
    folder, tools = nowhere
    port = folder / "node_modules" / PACKAGE
    port.parent.mkdir(parents=True)
    port.write_text("")
    away = folder / "a" / "b"
    away.mkdir(parents=True)
    if where == "above":
        monkeypatch.chdir(away)
    if where == "named":
        monkeypatch.chdir("/")
        monkeypatch.setenv("EDGE_LASSO_NODE_MODULES", str(folder / "node_modules"))
    assert find_micropython() == ["/bin/node", str(micropython.RUNNER), str(port)]
    tools.clear()
    assert find_micropython() is None


@pytest.mark.needs("micropython")
def test_it_runs_a_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.implementation.name)\nprint('µ', end='')\n", encoding="utf-8")
    done = subprocess.run([*find_micropython(), script], capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, ["micropython", "µ"])


@pytest.mark.needs("micropython")
def test_a_failing_script_fails(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("print('first')\nraise ValueError('broken')\n")
    done = subprocess.run([*find_micropython(), script], capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert done.returncode != 0
    assert done.stdout.split() == ["first"]
    assert "ValueError: broken" in done.stderr
