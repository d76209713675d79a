"""Sessions for an artifact in an interpreter: a worker in a fresh CPython or MicroPython for each call."""

from __future__ import annotations

from . import step_session
from .artifact import Artifact
from .errors import SessionError
from .python_worker import CPYTHON_MAIN, WORKER
from .sessions import Session, first_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .sessions import Rows

TIMEOUT = 120.0
OUT_OF_TIME = 24
"""SIGXCPU, which Windows has not."""
ISOLATED = ["-I", "-S", "-B", "-X", "utf8"]
# In one script: about so many readings, but at least so many rows (a large artifact takes seconds to read).
MICROPYTHON_VALUES, MICROPYTHON_ROWS = 8000, 8


class CPython:
    """Runs a worker operation in a fresh CPython: isolated, no site-packages, so it proves what is imported."""

    def __init__(self, artifact: Artifact, executable: Any = None) -> None:
        import os
        import sys

        self.path = artifact.path()
        self.executable = os.fspath(executable or sys.executable)

    def __call__(self, ops: str, rows: Rows) -> list[str]:
        """The lines it prints: one per row and operation."""
        width = len(rows[0]) if rows else 0
        argv = [self.executable, *ISOLATED, "-c", WORKER + CPYTHON_MAIN, self.path, ops, str(width), str(len(rows))]
        return worker_lines(argv, self.executable, packed_rows(rows))


class MicroPython:
    """Runs a worker operation in MicroPython: one script that holds artifact, worker and rows.

    Rows travel inside the script, a few at a time: boards and the WebAssembly port have neither
    standard input nor files in common, and their heap is small.
    """

    def __init__(self, artifact: Artifact, command: list[str]) -> None:
        self.command = command
        try:
            with open(artifact.path(), encoding="utf-8") as file:
                self.source = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise SessionError(f"{artifact.path()} cannot be read: {error}") from None

    def __call__(self, ops: str, rows: Rows) -> list[str]:
        """The lines it prints: one per row and operation."""
        if ops == "about":
            return self._script("about(ns)")
        lines: list[str] = []
        width = len(rows[0]) if rows else 0
        step = max(MICROPYTHON_VALUES // max(width, 1), MICROPYTHON_ROWS)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            lines += self._script(
                f"emit(ns, {ops!r}, {width}, {len(part)}, binascii.unhexlify({packed_rows(part).hex()!r}))"
            )
        return lines

    def _script(self, call: str) -> list[str]:
        import os
        import tempfile

        descriptor, path = tempfile.mkstemp(suffix=".py")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{WORKER}\nns = load({_literal(self.source)})\n{call}\n")
            return worker_lines([*self.command, path], "MicroPython", None)
        finally:
            os.unlink(path)


class InterpreterSession(Session):
    """The artifact in fresh interpreters.

    Rows are answered for all operations at once, and the answers kept until other rows come: a start costs more.

    Attributes
    ----------
    epsilon : float
        Of the interpreter's floats: 2^-52, or 2^-23 on most boards' MicroPython.
    exact : bool
        Whether it is a binary64 that reads decimals correctly; else a constant may be an ulp off.
    passed : bool
        What the artifact's own `selftest()` says.
    """

    def __init__(self, artifact: Artifact, run: Callable[[str, Rows], list[str]]) -> None:
        lines = run("about", [])
        words = lines[-1].split() if lines else []
        if len(words) < 6:
            raise SessionError(f"{artifact.path()} did not answer in its interpreter: {' '.join(lines)[:200]!r}")
        name = {"cpython": "CPython", "micropython": "MicroPython", "pypy": "PyPy"}.get(words[0], words[0])
        super().__init__(artifact, f"{name} {words[1]}", words[3])
        self.run = run
        self.epsilon = float(words[2])
        self.exact = words[4] == "1"
        self.passed = words[5] == "1"
        self.has = words[6].split(",") if len(words) > 6 else []
        self.ops = ["fixed", "encode"] if self.fixed else ["linear", "predict"]
        self.ops += [op for entry, op in (("predict_row", "row"), ("predict_row", "degraded"), ("label", "label"))
                     if entry in self.has]  # fmt: skip
        self.known: tuple[Any, dict[str, list[list[float]]]] = (None, {})

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return self._answers(rows, "fixed" if self.fixed else "linear")

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link (of fixed point: what `predict_row` gives)."""
        return self._answers(rows, "row" if self.fixed else "predict")

    def encode(self, rows: Rows) -> list[list[int]]:
        """Fixed point: the integers that stand for the readings."""
        return _whole(self._answers(rows, "encode"))

    def predict_q(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """Fixed point: the integer results for integer inputs."""
        self._check(rows)
        return _whole(self._ask(["predict_q"], rows)["predict_q"])

    def encode_counts(self, rows: Sequence[Sequence[int | None]]) -> list[tuple[list[int], bool]] | None:
        """Fixed point: the integers that stand for counts, and whether the row is degraded."""
        if "encode_counts" not in self.has:
            return None
        self._check(rows)
        supplied = [[float("nan") if x is None else float(x) for x in row] for row in rows]
        result = _whole(self._ask(["counts"], supplied)["counts"])
        return [(entry[:-1], entry[-1] != 0) for entry in result]

    def probability_q(self, results: Sequence[Sequence[int]]) -> list[int] | None:
        """Fixed point: the probability, times 65536, from integer results."""
        if "probability" not in self.has:
            return None
        return [int(entry[0]) for entry in self._ask(["probability"], results)["probability"]]

    def by_name(self, rows: Rows) -> list[list[float]] | None:
        """The prediction of `predict_row`, called with a mapping; None where the artifact has none."""
        return self._answers(rows, "row") if "row" in self.ops else None

    def degraded(self, rows: Rows) -> list[bool] | None:
        """Whether `predict_row` reports each row as degraded."""
        return [answer[0] != 0.0 for answer in self._answers(rows, "degraded")] if "degraded" in self.ops else None

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The position of `label` among the classes."""
        return [int(answer[0]) for answer in self._answers(rows, "label")] if "label" in self.ops else None

    def verdicts(self, numbers: Sequence[float]) -> list[int] | None:
        """What `verdict` says."""
        if "verdict" not in self.has:
            return None
        return [int(entry[0]) for entry in self._ask(["verdict"], [[number] for number in numbers])["verdict"]]

    def steps(self, sequences: Sequence[Rows]) -> list[step_session.Answer] | None:
        """Sequences through `start` and `step`, as long as MicroPython's script may hold."""
        if self.artifact.step is None:
            return None
        return step_session.answers(self._stepped("step", sequences), self.artifact)

    def steps_q(self, sequences: Sequence[Sequence[Sequence[int]]]) -> list[list[int]] | None:
        """Sequences of integers through `start_q` and `step_q`, as long as MicroPython's script may hold."""
        if self.artifact.step is None or not self.artifact.step["integers"]:
            return None
        return _whole(self._stepped("step_q", sequences))

    def _stepped(self, op: str, sequences: Sequence[Rows]) -> list[list[float]]:
        """Sequences through an operation; MicroPython gets no more of each than its script may hold."""
        assert self.artifact.step is not None
        most = None
        if isinstance(self.run, MicroPython):
            most = max(MICROPYTHON_VALUES // (1 + len(self.artifact.step["readings"])), 1)
        values: list[list[float]] = []
        for rows in sequences:
            values += self._ask([op], step_session.marked([rows[:most]]))[op]
        return values

    def _answers(self, rows: Rows, op: str) -> list[list[float]]:
        if self.known[0] is not rows:
            self._check(rows)
            self.known = (rows, self._ask(self.ops, rows))
        return self.known[1][op]

    def _ask(self, ops: list[str], rows: Rows) -> dict[str, list[list[float]]]:
        import struct

        lines = self.run(",".join(ops), rows) if rows else []
        if len(lines) != len(ops) * len(rows):
            raise SessionError(f"{self.runtime} answered {len(lines)} lines for {len(rows)} rows")
        values: list[list[float]] = []
        for line in lines:
            try:
                if not line.startswith(":"):
                    raise ValueError
                data = bytes.fromhex(line[1:])
                values.append(list(struct.unpack(f"<{len(data) // 8}d", data)))
            except (ValueError, struct.error):
                raise SessionError(f"{self.runtime} answered {line[:80]!r}") from None
        return {op: values[i :: len(ops)] for i, op in enumerate(ops)}


def worker_lines(argv: list[str], who: str, data: bytes | None) -> list[str]:
    """The lines that an interpreter printed."""
    return [line.strip() for line in worker_output(argv, who, data).split("\n") if line.strip()]


def worker_output(argv: list[str], who: str, data: bytes | None) -> str:
    """What an interpreter printed within its limits (see `apart.limit`), or the error that says how it ended."""
    import os
    import subprocess
    import sys
    from functools import partial

    from . import apart

    reserves = argv[0] != sys.executable
    before = partial(apart.limit, int(TIMEOUT), apart.MEMORY, reserves) if os.name == "posix" else None
    try:
        done = subprocess.run(
            argv, input=data or b"", capture_output=True, timeout=TIMEOUT, check=False, preexec_fn=before
        )
    except OSError as error:
        raise SessionError(f"{who} cannot be started: {first_line(error)}") from None
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode == -OUT_OF_TIME:  # by the clock, or of the processor's time
        raise SessionError(f"timed out: {who} did not answer within {TIMEOUT:g} s")
    errors = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode < 0:
        raise SessionError(f"{who} crashed (signal {-done.returncode})")
    if errors.endswith("MemoryError"):
        raise SessionError(f"{who} ran out of memory")
    if done.returncode != 0 or "Traceback" in errors:
        last = errors.splitlines()[-1] if errors else f"exit status {done.returncode}"
        raise SessionError(f"{who} failed: {last[:300]}")
    return done.stdout.decode("utf-8", "replace")


def packed_rows(rows: Rows) -> bytes:
    """Rows as the worker reads them."""
    import struct

    return b"".join(struct.pack(f"<{len(row)}d", *row) for row in rows)


def _literal(text: str) -> str:
    # Chunks, because MicroPython's reader wants one string literal in one piece of memory.
    return "(" + "\n".join(ascii(text[start : start + 1000]) for start in range(0, len(text), 1000)) + ")"


def flat(value: Any) -> list[float]:
    """A prediction as a list, of one output or several."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _whole(rows: list[list[float]]) -> list[list[int]]:
    for row in rows:
        for value in row:
            if value != value or value != int(value):
                raise SessionError(f"an integer result is {value!r}")
    return [[int(value) for value in row] for row in rows]
