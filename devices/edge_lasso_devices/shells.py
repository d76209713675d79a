"""Shells: places that hold files and run commands; this machine, a board over ssh, an emulated one."""

from __future__ import annotations

import importlib.util
import platform
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from .errors import BoardError
from .folders import relative
from .micropython import VERSION, find_micropython, no_micropython
from .processes import Completed, execute

Kind = Literal["measured", "emulated"]


class Shell(ABC):
    """A private working folder somewhere, and commands that run in it. A context manager: leaving it closes it.

    Attributes
    ----------
    python : tuple of str
        What precedes a script's path to run it in this place's Python.
    kind : {"measured", "emulated"}
        What a time taken here is.
    """

    python: tuple[str, ...]
    kind: Kind

    @abstractmethod
    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files, named by relative path, into the working folder."""

    @abstractmethod
    def run(self, argv: Sequence[str], stdin: str | None = None, timeout: float | None = None) -> Completed:
        """Run a command in the working folder and wait for it.

        Parameters
        ----------
        argv : sequence of str
            Program and arguments; no shell expands them.
        stdin : str, optional
            What the command reads; nothing by default.
        timeout : float, optional
            Seconds after which the command is ended.

        Raises
        ------
        BoardError
            The program is not there, the time is over, or the link is lost. A non-zero exit status raises nothing.
        """

    def install(self, target: str) -> None:  # noqa: B027  # nothing to do in most places
        """Bring what runs a target's artifacts, where a place can: elsewhere its owner has installed it."""

    @abstractmethod
    def describe(self) -> str:
        """One line: what this is and which Python it has."""

    @abstractmethod
    def close(self) -> None:
        """Remove the working folder. Closing twice is allowed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalShell(Shell):
    """A temporary folder on this machine."""

    kind: Kind = "measured"

    def __init__(self) -> None:
        self.python = (sys.executable,)
        self._folder = tempfile.TemporaryDirectory(prefix="edge-lasso-")

    @property
    def folder(self) -> str:
        """The working folder's path."""
        return self._folder.name

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files into the working folder."""
        for name, data in files.items():
            path = Path(self.folder, relative(name))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            except OSError as error:
                raise BoardError(f"cannot write {name!r} to {self.folder}: {error.strerror}") from None

    def run(self, argv: Sequence[str], stdin: str | None = None, timeout: float | None = None) -> Completed:
        """Run a command in the working folder."""
        return execute(argv, stdin, timeout, cwd=self.folder)

    def describe(self) -> str:
        """Machine and Python."""
        return f"this machine ({platform.machine()}), {platform.python_implementation()} {platform.python_version()}"

    def close(self) -> None:
        """Remove the working folder."""
        self._folder.cleanup()


class MicroPythonShell(LocalShell):
    """MicroPython on this machine: the unix port, or the WebAssembly port through node (then times are emulated)."""

    def __init__(self) -> None:
        command = find_micropython()
        if command is None:
            raise BoardError(no_micropython())
        super().__init__()
        self.python = tuple(command)
        self.kind = "emulated" if any(part.endswith(".mjs") for part in command) else "measured"

    def describe(self) -> str:
        """Port and version, as MicroPython states them."""
        self.put({"version.py": VERSION.read_bytes()})
        done = self.run([*self.python, "version.py"], timeout=30)
        if done.returncode != 0:
            raise BoardError(f"MicroPython does not start: {done.stderr.strip() or done.returncode}")
        return f"MicroPython {done.stdout.strip().removeprefix('micropython ')} on this machine"


class SerialShell(MicroPythonShell):
    """MicroPython on a board at a serial port, through mpremote. Not tried on hardware."""

    def __init__(self, port: str) -> None:
        if not importlib.util.find_spec("mpremote"):
            raise BoardError("link 'serial:' needs mpremote; install it with: pip install 'edge-lasso[boards]'")
        if not Path(port).exists():
            ports = ", ".join(map(str, sorted(Path("/dev").glob("tty[AU][CS][MB]*")))) or "no other"
            raise BoardError(f"there is no port {port}; found: {ports}; is the board plugged in?")
        LocalShell.__init__(self)
        self.port = port
        self.python = (sys.executable, "-m", "mpremote", "connect", port, "run")
        self.kind = "measured"

    def describe(self) -> str:
        """Port and version, as MicroPython states them."""
        return super().describe().replace("on this machine", f"at {self.port}")
