"""The host toolchain: sources in, a shared library out, or one line that says what is wrong."""

import ctypes
import sys

import pytest

from edge_lasso_devices import build as toolchain
from edge_lasso_devices.build import build, compiler_version, find_compiler
from edge_lasso_devices.errors import BoardError

GOOD = {"one.c": b'#include "sub/one.h"\nint one(void) { return 1; }\n', "sub/one.h": b"int one(void);\n"}


@pytest.mark.needs("cc")
def test_a_shared_library(tmp_path):
    files = build(GOOD)
    assert list(files) == ["one.so"]
    (tmp_path / "one.so").write_bytes(files["one.so"])
    assert ctypes.CDLL(str(tmp_path / "one.so")).one() == 1


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("gcc", "clang")])
def test_each_compiler(name):
    assert build(GOOD, compiler=[name])["one.so"][:4] == b"\x7fELF"
    assert compiler_version([name])


@pytest.mark.needs("module:ziglang")
def test_zig_is_a_compiler(programs):
    programs(cc="echo cc of another name", gcc="exit 127")
    assert find_compiler() == [sys.executable, "-m", "ziglang", "cc"]


@pytest.mark.needs("cc")
@pytest.mark.parametrize(("source", "message"), [
    (b"int f(void) { return }\n", "error"),
    (b"int f(long x) { return x; }\n", "conversion"),  # warnings are errors
])  # fmt: skip
def test_the_compilers_first_error_is_quoted(source, message):
    with pytest.raises(BoardError, match=message) as caught:
        build({"bad.c": source})
    assert "\n" not in str(caught.value)
    assert "bad.c:1" in str(caught.value)


def test_no_compiler(monkeypatch, programs):
    programs()
    monkeypatch.setattr(toolchain, "find_compiler", lambda: None)
    with pytest.raises(BoardError) as caught:
        build(GOOD)
    assert str(caught.value) == "no C compiler here; install gcc or clang, or: pip install ziglang"


def test_the_environment_names_the_compiler(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler 'my cc'")
    assert find_compiler() == ["no-such-compiler", "my cc"]
    with pytest.raises(BoardError, match=r"cannot run 'no-such-compiler': .*; set CC to a compiler"):
        build(GOOD)


def test_a_program_that_ends_well_and_compiles_nothing(programs):
    folder = programs(fake="exit 0")
    with pytest.raises(BoardError, match=r"fake: exit status 0"):
        build(GOOD, compiler=[str(folder / "fake")])


def test_an_unknown_toolchain():
    with pytest.raises(BoardError, match="toolchain 'pdp11' is unknown"):
        build(GOOD, toolchain="pdp11")


@pytest.mark.needs("cc")
def test_files_stay_in_their_folder(tmp_path):
    outside = tmp_path / "outside.h"
    for name in (str(outside), "../outside.h", ""):
        with pytest.raises(BoardError, match="relative path"):
            build({**GOOD, name: b""})
    assert not outside.exists()


@pytest.mark.needs("cc")
def test_no_source():
    with pytest.raises(BoardError, match=r"no \.c file"):
        build({"one.h": b""})
