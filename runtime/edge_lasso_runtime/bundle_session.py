"""The session for a one-file bundle: everything it answers comes from fresh Pythons that are given that file alone."""

from __future__ import annotations

from .errors import ModelFormatError, SessionError
from .interpreter_session import ISOLATED, InterpreterSession, packed_rows, worker_lines, worker_output
from .predict import predicted
from .python_worker import WORKER
from .sessions import first_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .artifact import Artifact
    from .sessions import Rows

# The linear predictor is not what the command line prints where there is a link: it is asked for through the package
# inside the file, which must be the one imported.
MAIN = """
path, places, ops, width, count = sys.argv[1:]
places, width, count = [int(word) for word in places.split()], int(width), int(count)
sys.path.insert(0, path)
import edge_lasso_runtime as r
from edge_lasso_runtime.bundle_selftest import selftest
assert r.__file__.startswith(path)
model = r.load(path)
one = lambda x: r.predict(model, [x[i] for i in places])
ns = {
    'MODEL_HASH': r.model_hash(model),
    'selftest': lambda: not selftest(path)[0],
    'linear': lambda x: one(x).linear,
    'predict': lambda x: one(x).values,
}
if ops == 'about':
    about(ns)
else:
    emit(ns, ops, width, count, sys.stdin.buffer.read())
"""


class Interpreter:
    """Runs worker operations in a fresh CPython, isolated, without site-packages."""

    def __init__(self, path: str, places: list[int], executable: Any = None) -> None:
        import os
        import sys

        self.path = os.path.abspath(path)
        self.places = " ".join(map(str, places))
        self.executable = os.fspath(executable or sys.executable)

    def __call__(self, ops: str, rows: Rows) -> list[str]:
        """The lines it prints: one per row and operation."""
        width = len(rows[0]) if rows else 0
        argv = ["-c", WORKER + MAIN, self.path, self.places, ops, str(width), str(len(rows))]
        return worker_lines([self.executable, *ISOLATED, *argv], self.executable, packed_rows(rows))

    def command(self, *arguments: str, data: bytes = b"") -> str:
        """What ``python3 model.pyz ...`` prints."""
        return worker_output([self.executable, *ISOLATED, self.path, *arguments], self.path, data)


class BundleSession(InterpreterSession):
    """A bundle, by its package and by its command line."""

    def __init__(self, artifact: Artifact, executable: Any = None) -> None:
        from .format import load

        try:
            self.model = load(artifact.path())
            places = [artifact.inputs.index(feature.name) for feature in self.model.inputs]
        except (ModelFormatError, OSError, ValueError) as error:
            raise SessionError(f"{artifact.path()} cannot be loaded: {first_line(error)}") from None
        self.interpreter = Interpreter(artifact.path(), places, executable)
        super().__init__(artifact, self.interpreter)
        self.told: tuple[Any, list[list[str]]] = (None, [])

    def by_name(self, rows: Rows) -> list[list[float]] | None:
        """What ``python3 model.pyz predict -`` answers for the rows as JSON lines."""
        first = 0 if self.model.classes is None else 1
        shown = predicted(self.model)
        result = []
        for row in self._told(rows):
            told = dict(zip(shown, map(float, row[first:])))  # levels that a detector compares with are constants
            result.append([told.get(k, output.intercept) for k, output in enumerate(self.model.outputs)])
        return result

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The classes that the command line names."""
        return None if self.model.classes is None else [row[0] for row in self._told(rows)]

    def degraded(self, rows: Rows) -> list[bool] | None:
        """The status that the command line tells."""
        status = len(predicted(self.model)) + (self.model.classes is not None)
        return [row[status] != "ok" for row in self._told(rows)]

    def _told(self, rows: Rows) -> list[list[str]]:
        if self.told[0] is not rows:
            import csv
            import io
            import json

            self._check(rows)
            lines = [json.dumps(self._reading(row)) for row in rows]
            text = self.interpreter.command("predict", "-", data="\n".join(lines).encode())
            result = list(csv.reader(io.StringIO(text, newline="")))[1:]
            if len(result) != len(rows):
                raise SessionError(f"{self.artifact.entry} answered {len(result)} lines for {len(rows)} rows")
            self.told = (rows, result)
        return self.told[1]

    def _reading(self, row: Any) -> dict[str, Any]:
        named = dict(zip(self.artifact.inputs, row))
        for feature in self.model.inputs:
            value = named[feature.name]
            if feature.categories is not None:
                known = value == value and 0 <= value < len(feature.categories) and value == int(value)
                named[feature.name] = feature.categories[int(value)] if known else None
        return {name: value for name, value in named.items() if value == value}


def open_session(kind: str, artifact: Artifact, executable: Any = None, **options: Any) -> InterpreterSession:
    """See `sessions.load`."""
    if kind != "python" or any(options.values()):
        raise SessionError(f"{artifact.entry} runs in CPython, in a process of its own; it has no other session")
    return BundleSession(artifact, executable)
