"""The Python artifact's sessions: in an interpreter of its own, as a bundle, or imported here for timing."""

from __future__ import annotations

from . import bundle_session
from .artifact import Artifact
from .errors import SessionError
from .interpreter_session import CPython, InterpreterSession, MicroPython, flat
from .sessions import Session, first_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .sessions import Rows


def open_session(
    kind: str,
    artifact: Artifact,
    executable: Any = None,
    command: Sequence[str] | None = None,
    in_process: bool = False,
) -> Session:
    """See `sessions.load`."""
    if artifact.variant == "pyz":
        return bundle_session.open_session(kind, artifact, executable, command=command, in_process=in_process)
    if in_process:
        return ImportedSession(artifact)
    if kind == "micropython":
        if not command:
            raise SessionError("micropython needs the command that runs it, such as command=['micropython']")
        return InterpreterSession(artifact, MicroPython(artifact, list(command)))
    return InterpreterSession(artifact, CPython(artifact, executable))


class ImportedSession(Session):
    """The artifact imported into this process: for timing, or where no second process can be had."""

    def __init__(self, artifact: Artifact) -> None:
        import sys

        try:
            with open(artifact.path(), encoding="utf-8") as file:
                code = compile(file.read(), artifact.path(), "exec")
            self.names: dict[str, Any] = {"__name__": artifact.name}
            exec(code, self.names)
        except (OSError, UnicodeDecodeError, SyntaxError, ImportError, NameError) as error:
            raise SessionError(f"{artifact.path()} cannot be loaded: {first_line(error)}") from None
        version = ".".join(str(entry) for entry in sys.implementation.version[:3])
        name = "CPython" if sys.implementation.name == "cpython" else sys.implementation.name
        super().__init__(artifact, f"{name} {version}", self.names.get("MODEL_HASH"))

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        self._check(rows)
        if not self.fixed:
            return [flat(self.names["linear"](row)) for row in rows]
        decode = self.names["decode"]
        results = [flat(self.names["predict"](self.names["encode"](row)[0])) for row in rows]
        return [[decode(y, i) for i, y in enumerate(result)] for result in results]

    def one_row(self, rows: Rows) -> tuple[Callable[[Any], Any], list[Any]]:
        """`predict` and a list per row; for fixed point the list of integers."""
        if self.fixed:
            return self.names["predict"], [self.names["encode"](list(row))[0] for row in rows]
        return self.names["predict"], [list(row) for row in rows]
