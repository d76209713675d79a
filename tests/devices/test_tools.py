"""Programs: one is here when it ran and said what it should; else one line says why it is not."""

import time

import pytest

from edge_lasso_devices.build import find_compiler, no_compiler
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.tools import TOOLS, Tool, here, require, trouble


def test_a_program_that_says_what_it_should(programs):
    programs(**{"avr-gcc": "echo 'avr-gcc (GCC) 5.4.0'"})
    assert here("avr-gcc")
    require("avr-gcc")


def test_one_that_is_not_here(programs):
    programs()
    assert not here("ssh")
    with pytest.raises(BoardError) as caught:
        require("ssh")
    assert str(caught.value) == "no ssh here; install it with: apt-get install openssh-client"


def test_a_version_managers_shim(programs):
    folder = programs(node="echo 'nodenv: node: command not found' >&2; exit 127")
    wrong = f"{folder}/node ends with 127 and says: nodenv: node: command not found"
    assert trouble(["node"], TOOLS["node"]) == wrong
    with pytest.raises(BoardError) as caught:
        require("node")
    assert str(caught.value) == f"{wrong}; install it with: apt-get install nodejs npm"


def test_one_that_hangs_is_ended_and_asked_once(programs):
    folder = programs(slow="exec /bin/sleep 60")
    tool = Tool("nowhere")
    start = time.monotonic()
    for _ in range(3):
        assert trouble(["slow"], tool, 0.5) == f"'{folder}/slow' did not finish within 0.5 s; it was ended"
    assert time.monotonic() - start < 10


def test_one_that_cannot_be_started(programs):
    folder = programs()
    (folder / "odd").write_bytes(b"\x7fELF")
    (folder / "odd").chmod(0o755)
    assert trouble(["odd"], Tool("nowhere")).startswith(f"cannot run '{folder}/odd': ")


def test_another_program_of_that_name_is_no_compiler(programs):
    folder = programs(cc="echo cc of another name", clang="exit 1")
    assert no_compiler() == (
        f"no C compiler here ({folder}/cc works, but says: cc of another name); install gcc or clang, or: pip install ziglang"
    )
    assert find_compiler() not in (["cc"], ["clang"])
    programs(gcc="while read line; do case $line in edge_lasso*) echo edge_lasso 1 199901L;; esac; done")
    assert find_compiler() == ["gcc"]


ELSEWHERE = ("cc", "nodejs", "micropython", "esphome")  # by another name, or where a variable says
HERE = [pytest.param(name, marks=pytest.mark.needs(name)) for name in TOOLS if name not in ELSEWHERE]


@pytest.mark.parametrize("name", HERE)
def test_the_real_ones_are_known_by_what_they_say(name):
    assert here(name)
