"""Sessions for the ESPHome component: a program of ESPHome for this machine, built of the artifact's ``host.yaml``."""

from __future__ import annotations

from .errors import MissingRuntimeError
from .interpreter_session import InterpreterSession, packed_rows, worker_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .artifact import Artifact
    from .sessions import Rows, Session

RUNTIME = "ESPHome"


def open_session(kind: str, artifact: Artifact, program: bytes | None = None) -> Session:
    """See `sessions.load`."""
    if program is None:
        raise MissingRuntimeError("an ESPHome component runs in a program that ESPHome makes; `edge-lasso verify` does")
    return InterpreterSession(artifact, Host(program))


class Host:
    """Runs a worker operation in a fresh process of the program."""

    def __init__(self, program: bytes) -> None:
        self.program = program

    def __call__(self, ops: str, rows: Rows) -> list[str]:
        """The lines it prints: one per row and operation."""
        import os
        import tempfile

        asked = f"{ops} {len(rows[0]) if rows else 0} {len(rows)}\n".encode()
        with tempfile.TemporaryDirectory() as home:  # where a program of ESPHome keeps its preferences
            path = os.path.join(home, "program")
            with open(path, "wb") as file:
                file.write(self.program)
            os.chmod(path, 0o700)
            return worker_lines(["env", f"HOME={home}", path], "ESPHome", asked + packed_rows(rows))
