"""Sessions: an artifact running in its own runtime, asked for predictions.

One module per runtime; each is imported when it is asked for, and so is what it needs (numpy, onnxruntime, LiteRT).
"""

from __future__ import annotations

from .artifact import Artifact, read
from .errors import MissingRuntimeError, SessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .step_session import Answer

    Rows = Sequence[Sequence[float]]

GROUP = "edge_lasso.sessions"
KINDS = {
    "python": "python_session",
    "micropython": "python_session",
    "c": "c_session",
    "js": "js_session",
    "onnx": "onnx_session",
    "tflite": "tflite_session",
    "sql": "sql_session",
    "wasm": "js_session",
    "formula": "formula_session",
    "promql": "promql_session",
    "homeassistant": "python_session",
    "esphome": "esphome_session",
}


class Session:
    """An artifact in its runtime. A context manager.

    Rows are lists of floats in the artifact's order of inputs, NaN where a reading is missing; results are one list
    per row with one number per output.

    Parameters
    ----------
    artifact : Artifact
    runtime : str
        Who executes it, such as ``onnxruntime 1.32.0``.
    model_hash : str or None
        The hash of its model as the running artifact itself tells it; None where its runtime cannot.
    """

    def __init__(self, artifact: Artifact, runtime: str, model_hash: str | None) -> None:
        self.artifact = artifact
        self.runtime = runtime
        self.model_hash = model_hash

    @property
    def fixed(self) -> bool:
        """Whether it computes in integers: `encode`, `predict_q` and `decode` are there."""
        return self.artifact.variant == "fixed"

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        raise NotImplementedError

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link."""
        raise NotImplementedError

    def encode(self, rows: Rows) -> list[list[int]]:
        """Fixed point: the integers that stand for the readings."""
        raise SessionError(f"{self._title()} has no encode; only fixed-point artifacts have")

    def predict_q(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """Fixed point: the integer results for integer inputs."""
        raise SessionError(f"{self._title()} has no predict_q; only fixed-point artifacts have")

    def degraded(self, rows: Rows) -> list[bool] | None:
        """Whether the artifact itself reports each row as degraded; None where it has no status."""
        return None

    def probability_q(self, results: Sequence[Sequence[int]]) -> list[int] | None:
        """Fixed point: the probability, times 65536, from integer results; None where there is none."""
        return None

    def encode_counts(self, rows: Sequence[Sequence[int | None]]) -> list[tuple[list[int], bool]] | None:
        """Fixed point: the integers that stand for counts (None: missing), and whether the row is degraded.

        None where the artifact has no such function: no sensor of the model delivers counts.
        """
        return None

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The class the artifact names for each row, or its position among the classes; None where it names none."""
        return None

    def verdicts(self, numbers: Sequence[float]) -> list[int] | None:
        """What a first stage says of numbers (fixed point: whole ones): -1, 0 or 1; None where it is none."""
        return None

    def steps(self, sequences: Sequence[Rows]) -> list[Answer] | None:
        """Sequences of rows of readings through `start` and `step`, one answer per row; None where there is no step."""
        return None

    def steps_q(self, sequences: Sequence[Sequence[Sequence[int]]]) -> list[list[int]] | None:
        """Sequences of integers through `start_q` and `step_q`; None where there is no step_q.

        Per row score, total, alarm, onset, whether it warms up and no reading is at fault, parts, faults; see
        `step_session`.
        """
        return None

    def one_row(self, rows: Rows) -> tuple[Callable[[Any], Any], list[Any]]:
        """What a caller with one row at hand does, for timing: a function, and what to call it with for each row."""
        raise SessionError(f"{self._title()} does not run inside this process; its latency cannot be measured here")

    def close(self) -> None:
        """Let the runtime go."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _title(self) -> str:
        return f"{self.artifact.target}:{self.artifact.variant}"

    def _check(self, rows: Sequence[Sequence[Any]]) -> None:
        width = len(self.artifact.inputs)
        for i, row in enumerate(rows):
            if len(row) != width:
                raise SessionError(f"row {i} has {len(row)} values; {self._title()} takes {width}")


def load(kind: str, path: Any, **options: Any) -> Session:
    """Open an artifact in its runtime.

    Parameters
    ----------
    kind : str
        One of `KINDS`, or of what other distributions bring.
    path : str or os.PathLike
        The artifact's folder.
    **options
        ``python``: `executable` (this Python by default), `in_process` (import it here instead, for timing).
        ``micropython``: `command`, a list that runs the script whose path is appended to it.
        ``c``: `library` (``NAME.so`` in the folder by default), `runtime` (who compiled it).
        ``js``, ``wasm``: `command`, the program that runs it (``node`` on PATH by default).
        ``onnx``, ``tflite``: `threads` (1).
        ``esphome``: `program`, the bytes of what its ``host.yaml`` was built to.
        ``sql``: `psql`, for PostgreSQL: a command that takes SQL on its standard input.

    Returns
    -------
    Session

    Raises
    ------
    SessionError
        The runtime is missing (the message says which ``pip install`` brings it), or the artifact cannot be loaded.
    """
    module = session_module(kind)
    artifact = read(path)
    if artifact.target != ("python" if kind == "micropython" else kind):
        raise SessionError(f"{artifact.folder} holds a {artifact.target} artifact; it does not run in {kind}")
    session: Session = module.open_session(kind, artifact, **options)
    return session


def session_module(kind: str) -> Any:
    """The module that opens a kind of session: ``open_session(kind, artifact, **options)``.

    It may say who runs its artifacts (`RUNTIME`), and which Python text imports what they need, for the time of a cold
    start (`IMPORTS`); without that text they are not timed.

    Raises
    ------
    SessionError
        There is no such kind, neither here nor among the entry points ``edge_lasso.sessions``.
    """
    if kind in KINDS:
        return __import__(f"{__package__}.{KINDS[kind]}", fromlist=["open_session"])
    from .brought import brought

    others = brought(GROUP)
    if kind not in others:
        raise SessionError(f"session kind {kind!r} is unknown; there are {', '.join([*KINDS, *sorted(others)])}")
    return others[kind].load()


def runtime_of(kind: str) -> str:
    """Who runs artifacts of a kind, before anybody has looked."""
    try:
        return str(getattr(session_module(kind), "RUNTIME", kind))
    except (SessionError, ImportError):
        return kind


def self_test(session: Session) -> tuple[int, list[str]]:
    """Run the artifact's own test vectors.

    Returns
    -------
    count : int
    failures : list of str
        One line per vector that was missed.
    """
    vectors = session.artifact.self_test
    if not session.artifact.handles_missing:
        vectors = [vector for vector in vectors if all(x == x for x in vector[0])]
    failures = []
    for i, ((_, wanted, allowed), got) in enumerate(zip(vectors, session.linear([vector[0] for vector in vectors]))):
        for name, expected, tolerance, value in zip(session.artifact.outputs, wanted, allowed, got):
            if not abs(value - expected) <= tolerance:
                failures.append(f"vector {i}: {name} is {value!r}, must be {expected!r} within {tolerance!r}")
    return len(vectors), failures


def missing_runtime(name: str, package: str, error: Exception) -> SessionError:
    """The one-line error for a runtime that is not installed, or that does not start."""
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.split(".")[0] == name.split(".")[0]:
        return MissingRuntimeError(f"running this artifact needs {name}; install it with: pip install {package}")
    return MissingRuntimeError(f"{name} does not start: {type(error).__name__}: {first_line(error)}")


def first_line(error: object, limit: int = 300) -> str:
    """The first line of an error's text."""
    lines = str(error).strip().splitlines()
    return lines[0][:limit] if lines else type(error).__name__
