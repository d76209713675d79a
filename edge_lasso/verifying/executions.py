"""Where an artifact can be executed on this machine: one entry per runtime, opened when asked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_lasso.verifying.postgres import psql
from edge_lasso_devices.build import build, compiler_version, find_compiler, no_compiler, refuses
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.esphome import find_cxx, find_esphome, host_program
from edge_lasso_devices.micropython import find_micropython, find_node, no_micropython
from edge_lasso_devices.tools import TOOLS, here
from edge_lasso_runtime.apart import open_apart
from edge_lasso_runtime.artifact import read
from edge_lasso_runtime.errors import MissingRuntimeError, SessionError
from edge_lasso_runtime.sessions import Session, load, runtime_of

MICROPYTHON_VALUES = 100_000
PROMTOOL_VALUES = 1_500


@dataclass(frozen=True)
class Runtime:
    """One runtime for an artifact.

    Parameters
    ----------
    name : str
        What stands in the certificate when it cannot be opened.
    open : callable
        Returns a `Session`; raises MissingRuntimeError or BoardError when the machine lacks it.
    values : int or None
        About how many readings it answers in reasonable time; rows beyond that are left out, evenly.
    """

    name: str
    open: Callable[[], Session]
    values: int | None = None


def runtimes(target: str, folder: Path, files: Mapping[str, bytes]) -> list[Runtime]:
    """The runtimes that an artifact has to be executed in, here or not."""
    if target == "python" and any(name.endswith(".pyz") for name in files):
        return [Runtime("CPython", lambda: load("python", folder))]
    if target == "homeassistant":  # the model's file; the files around it need Home Assistant
        return [Runtime("CPython", lambda: load("homeassistant", folder))]
    if target == "python":
        return [
            Runtime("CPython", lambda: load("python", folder)),
            Runtime("MicroPython", lambda: _micropython(folder), MICROPYTHON_VALUES),
        ]
    if target == "c":
        return [
            Runtime(" ".join(compiler) or "C compiler", partial(_compiled, folder, files, compiler))
            for compiler in compilers()
        ]
    if target == "sql":
        return [Runtime("SQL database", lambda: _database(folder))]
    if target in ("js", "wasm"):
        return [Runtime("Node.js", lambda: load(target, folder, command=_node()))]
    if target == "esphome":
        return [Runtime("ESPHome", lambda: _esphome(folder))]
    if target == "promql":
        return [Runtime("promtool", lambda: load("promql", folder), PROMTOOL_VALUES)]
    return [Runtime(runtime_of(target), lambda: open_apart(target, folder))]


@contextmanager
def opened(runtime: Runtime) -> Iterator[Session]:
    """Open a runtime's session and close it afterwards."""
    session = runtime.open()
    try:
        yield session
    finally:
        session.close()


def _micropython(folder: Path) -> Session:
    command = find_micropython()
    if command is None:
        raise MissingRuntimeError(no_micropython())
    return load("micropython", folder, command=command)


def _database(folder: Path) -> Session:
    postgres = read(folder).variant == "postgres"
    return load("sql", folder, psql=psql()) if postgres else open_apart("sql", folder)


def _node() -> str:
    command = find_node()
    if command is None:
        raise MissingRuntimeError(f"there is no Node.js here; install it with: {TOOLS['node'].get}")
    return command


def compilers() -> list[list[str]]:
    """The C compilers here: the usual one, gcc and clang; one empty command where there is none."""
    usual = find_compiler() or []
    names = {os.path.realpath(shutil.which(usual[0]) or usual[0])} if usual else set()
    results = [usual]
    for name in ("gcc", "clang"):
        path = shutil.which(name)
        if path and os.path.realpath(path) not in names and here(name):
            names.add(os.path.realpath(path))
            results.append([name])
    return results


def _esphome(folder: Path) -> Session:
    try:
        find_esphome(), find_cxx()
    except BoardError as error:
        raise MissingRuntimeError(str(error)) from None
    with tempfile.TemporaryDirectory() as away:
        shutil.copytree(folder, away, dirs_exist_ok=True)
        try:
            program = host_program(Path(away, "host.yaml"))
        except BoardError as error:
            raise SessionError(str(error)) from None
    return load("esphome", folder, program=program)


def _compiled(folder: Path, files: Mapping[str, bytes], compiler: Sequence[str]) -> Session:
    if not compiler:
        raise MissingRuntimeError(no_compiler())
    trouble = refuses(compiler)
    if trouble is not None:
        raise MissingRuntimeError(trouble)
    sources = {name: data for name, data in files.items() if name.endswith((".c", ".h"))}
    try:
        built = build(sources, compiler=compiler)
    except BoardError as error:
        raise SessionError(str(error)) from None
    with tempfile.TemporaryDirectory() as away:
        for name, data in built.items():
            Path(away, name).write_bytes(data)
        return open_apart(
            "c", folder, library=str(Path(away, next(iter(built)))), runtime=compiler_version(compiler) + " + ctypes"
        )
