"""Sessions for the WebAssembly artifact: its ES module in Node.js, one process per question."""

from __future__ import annotations

from .artifact import Artifact
from .errors import MissingRuntimeError, SessionError
from .sessions import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .sessions import Rows

DRIVER = """
const read = async () => { let text = ""; for await (const part of process.stdin) text += part; return text; };
const { path, rows } = JSON.parse(await read());
const model = await import(path);
const x = rows.map((row) => row.map((value) => (value === null ? NaN : Number(value))));
console.log(JSON.stringify({
  hash: model.MODEL_HASH,
  version: process.version,
  selftest: model.selftest(),
  linear: x.map(model.linear),
  predict: x.map(model.predict),
  label: x.map(model.label),
  degraded: x.map((row) => model.faults(row).length > 0),
}));
"""


def open_session(kind: str, artifact: Artifact, node: Sequence[str] = ("node",)) -> Session:
    """See `sessions.load`."""
    return WasmSession(artifact, list(node))


class WasmSession(Session):
    """A module in Node.js."""

    def __init__(self, artifact: Artifact, node: list[str]) -> None:
        self.artifact = artifact
        self.node = node
        self.rows: Rows | None = None
        self.answer: dict[str, Any] = {}
        first = self._ask([])
        if not first["selftest"]:
            raise SessionError(f"{artifact.entry} does not pass its own self-test in Node.js {first['version']}")
        super().__init__(artifact, f"Node.js {first['version']}", first["hash"])

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return [[float(value) for value in row] for row in self._of(rows, "linear")]

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link."""
        return [[float(value) for value in row] for row in self._of(rows, "predict")]

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The class that the module names."""
        labels = self._of(rows, "label")
        return None if any(label is None for label in labels) else list(labels)

    def degraded(self, rows: Rows) -> list[bool] | None:
        """What `faults` says."""
        return list(self._of(rows, "degraded"))

    def _of(self, rows: Rows, what: str) -> Any:
        self._check(rows)
        if rows is not self.rows:
            self.answer = self._ask(rows)
            self.rows = rows
        return self.answer[what]

    def _ask(self, rows: Rows) -> dict[str, Any]:
        import json
        import os
        import pathlib
        import shutil

        from .interpreter_session import worker_output

        plain = [
            [None if x != x else x if abs(x) < 1e308 else repr(x).replace("inf", "Infinity") for x in row]
            for row in rows
        ]
        path = pathlib.Path(os.path.abspath(self.artifact.path())).as_uri()
        command = [*self.node, "--input-type=module", "-e", DRIVER]
        if shutil.which(command[0]) is None:
            raise MissingRuntimeError("there is no Node.js here; install it with: apt-get install nodejs")
        said = worker_output(command, "Node.js", json.dumps({"path": path, "rows": plain}).encode())
        try:
            answer: dict[str, Any] = json.loads(said)
        except ValueError:
            raise SessionError(f"Node.js answered {said[:80]!r}") from None
        return answer
