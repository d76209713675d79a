"""Where an artifact can be executed on this machine: one entry per runtime, opened when asked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_lasso_runtime.errors import MissingRuntimeError
from edge_lasso_runtime.sessions import Session, load


@dataclass(frozen=True)
class Runtime:
    """One runtime for an artifact.

    Parameters
    ----------
    name : str
        What stands in the certificate when it cannot be opened.
    open : callable
        Returns a `Session`; raises MissingRuntimeError or BoardError when the machine lacks it.
    """

    name: str
    open: Callable[[], Session]


def runtimes(target: str, folder: Path, files: Mapping[str, bytes]) -> list[Runtime]:
    """The runtimes that an artifact has to be executed in, here or not."""
    if target == "python":
        return [
            Runtime("CPython", lambda: load("python", folder)),
            Runtime("MicroPython", lambda: _micropython(folder)),
        ]
    if target == "c":
        return [Runtime("C compiler", lambda: _compiled(folder, files))]
    names = {"onnx": "onnxruntime", "tflite": "LiteRT"}
    return [Runtime(names.get(target, target), lambda: load(target, folder))]


@contextmanager
def opened(runtime: Runtime) -> Iterator[Session]:
    """Open a runtime's session and close it afterwards."""
    session = runtime.open()
    try:
        yield session
    finally:
        session.close()


def _micropython(folder: Path) -> Session:
    from edge_lasso_devices.micropython import find_micropython

    command = find_micropython()
    if command is None:
        raise MissingRuntimeError("no MicroPython here")
    return load("micropython", folder, command=command)


def _compiled(folder: Path, files: Mapping[str, bytes]) -> Session:
    from edge_lasso_devices.build import build, find_compiler

    command = find_compiler()
    if command is None:
        raise MissingRuntimeError("no C compiler here; pip install ziglang brings one")
    sources = {name: data for name, data in files.items() if name.endswith((".c", ".h"))}
    with tempfile.TemporaryDirectory() as away:
        (library,) = (Path(away, name) for name in build(sources, "host") if name.endswith(".so"))
        library.write_bytes(build(sources, "host")[library.name])
        return load("c", folder, library=library, runtime=f"{' '.join(command)} + ctypes")
