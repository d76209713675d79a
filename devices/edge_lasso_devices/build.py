"""Compiling C for this machine: sources in, a shared library out. Other machines: `cross.py`."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from .errors import BoardError
from .shells import relative

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
WARNINGS = tuple(["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Werror"])
TIMEOUT = 300


def find_compiler() -> list[str] | None:
    """The command that compiles C for this machine: ``CC``, cc, gcc, clang or zig; None where there is none."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def compiler_version(compiler: Sequence[str]) -> str:
    """Name and version of a compiler, as it states them."""
    done = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False, timeout=TIMEOUT)
    return done.stdout.partition("\n")[0].strip() or " ".join(compiler)


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
        raise BoardError("no C compiler here; install gcc or clang, or: pip install ziglang")
    sources = [name for name in files if name.endswith(".c")]
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
            done = subprocess.run(command, cwd=away, capture_output=True, text=True, check=False, timeout=TIMEOUT)
        except OSError as error:
            raise BoardError(f"cannot run {compiler[0]!r}: {error.strerror or error}; set CC to a compiler") from None
        except subprocess.TimeoutExpired:
            raise BoardError(f"{compiler[0]!r} did not finish within {TIMEOUT} s") from None
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise BoardError(f"{compiler[0]}: {next((line for line in lines if 'error' in line), lines[0])}")
        return {library: Path(away, library).read_bytes()}
