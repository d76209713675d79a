"""MicroPython: found where it is, and run."""

import subprocess

import pytest

from edge_lasso_devices import micropython
from edge_lasso_devices.micropython import PACKAGE, find_micropython, no_micropython

ANSWERS = "echo micropython 1.25.0 linux"


def test_not_here(programs):
    programs()
    assert find_micropython() is None
    assert no_micropython().startswith(
        "no MicroPython here; install it with: apt-get install micropython, or, with node:"
    )


def test_a_command(programs, monkeypatch):
    folder = programs(loader=f'[ "$1 $2" = "--library-path my lib" ] && {ANSWERS}')
    monkeypatch.setenv("EDGE_LASSO_MICROPYTHON", "loader --library-path 'my lib' micropython")
    assert find_micropython() == ["loader", "--library-path", "my lib", "micropython"]
    monkeypatch.setenv("EDGE_LASSO_MICROPYTHON", "loader elsewhere")
    assert find_micropython() is None
    assert no_micropython().startswith(f"EDGE_LASSO_MICROPYTHON: {folder}/loader elsewhere ends with 1")


def test_on_the_path(programs):
    programs(micropython=ANSWERS)
    assert find_micropython() == ["micropython"]


def test_a_program_of_its_name_that_is_another(programs):
    folder = programs(micropython="echo CPython 3.12")
    assert find_micropython() is None
    said = f"no MicroPython here ({folder}/micropython works, but says: CPython 3.12); install it with: apt-get"
    assert no_micropython().startswith(said)


def test_the_webassembly_port(programs, monkeypatch, tmp_path):
    programs(node=f'[ "$1" = --version ] && echo v18.20.4 || {ANSWERS}')
    port = tmp_path / "work" / "node_modules" / PACKAGE
    port.parent.mkdir(parents=True)
    port.write_text("")
    (tmp_path / "work" / "below").mkdir()
    for folder in (tmp_path / "work", tmp_path / "work" / "below"):
        monkeypatch.chdir(folder)
        assert find_micropython() is None  # a folder that commands are given in names no programs
    monkeypatch.setenv("EDGE_LASSO_NODE_MODULES", str(tmp_path / "work" / "node_modules"))
    assert find_micropython() == ["node", str(micropython.RUNNER), str(port)]
    monkeypatch.delenv("EDGE_LASSO_NODE_MODULES")
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path / "work"))
    assert find_micropython() == ["node", str(micropython.RUNNER), str(port)]


def test_a_node_that_is_too_old(programs, monkeypatch, tmp_path):
    programs(node="echo v16.20.2", nodejs="exit 127")
    (tmp_path / PACKAGE).parent.mkdir(parents=True)
    (tmp_path / PACKAGE).write_text("")
    monkeypatch.setenv("EDGE_LASSO_NODE_MODULES", str(tmp_path))
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
