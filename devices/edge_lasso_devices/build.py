"""Compiling C for this machine: sources in, a shared library out. Other machines: `cross.py`."""

from __future__ import annotations

import functools
import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from .errors import BoardError
from .folders import relative
from .processes import execute
from .tools import C_COMPILER, TOOLS, here, trouble, zig

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
COMPILERS = ("cc", "gcc", "clang")
WARNINGS = tuple(["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Werror"])
TIMEOUT = 300


def find_compiler() -> list[str] | None:
    """The command that compiles C for this machine: ``CC`` whatever it is, else a cc, gcc, clang or zig that works.

    None where there is none.
    """
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    return next(([name] for name in COMPILERS if here(name)), None) or zig()


def no_compiler() -> str:
    """Why there is no compiler, in one line, and how to get one."""
    troubles = [trouble([name], TOOLS[name]) for name in COMPILERS]
    broken = [wrong for name, wrong in zip(COMPILERS, troubles, strict=True) if wrong and wrong != f"no {name} here"]
    said = f" ({broken[0]})" if broken else ""
    return f"no C compiler here{said}; install gcc or clang, or: pip install ziglang"


def refuses(compiler: Sequence[str]) -> str | None:
    """Why a command is no C compiler, in one line; None when it is one."""
    return trouble(compiler, C_COMPILER)


@functools.cache
def _version(*compiler: str) -> str:
    lines = execute([*compiler, "--version"], timeout=TIMEOUT).stdout.strip().splitlines()
    return lines[0].strip() if lines else " ".join(compiler)


def compiler_version(compiler: Sequence[str]) -> str:
    """Name and version of a compiler, as it states them."""
    return _version(*compiler)


def sources_in(files: Mapping[str, bytes]) -> list[str]:
    """The C sources of a library: all but its examples, which have a `main` of their own."""
    return [name for name in files if name.endswith(".c") and not name.startswith("examples/")]


def build(
    files: Mapping[str, bytes], toolchain: str = "host", compiler: Sequence[str] | None = None
) -> dict[str, bytes]:
    """Compile C sources with warnings as errors.

    Parameters
    ----------
    files : mapping
        Relative path to content: ``.c`` and ``.h``.
    toolchain : {"host"}
        A shared library for this machine.
    compiler : sequence of str, optional
        The command; `find_compiler` by default.

    Returns
    -------
    dict
        ``NAME.so``, named after the first source.

    Raises
    ------
    BoardError
        There is no compiler, or it refuses the sources (its first error is quoted).
    """
    if toolchain != "host":
        raise BoardError(f"toolchain '{toolchain}' is unknown; there is host")
    compiler = list(compiler or find_compiler() or [])
    if not compiler:
        raise BoardError(no_compiler())
    sources = sources_in(files)
    if not sources:
        raise BoardError(f"no .c file to compile; given are {', '.join(files) or 'no files'}")
    library = f"{PurePosixPath(sources[0]).stem}.so"
    with tempfile.TemporaryDirectory() as away:
        for name, data in files.items():
            path = Path(away, relative(name, "build folder"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        command = [*compiler, *FLAGS, *WARNINGS, "-o", library, *sources, "-lm"]
        try:
            done = execute(command, timeout=TIMEOUT, cwd=away)
        except BoardError as error:
            raise BoardError(f"{error}; set CC to a compiler") from None
        if done.returncode != 0 or not Path(away, library).is_file():
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise BoardError(f"{compiler[0]}: {next((line for line in lines if 'error' in line), lines[0])}")
        return {library: Path(away, library).read_bytes()}
