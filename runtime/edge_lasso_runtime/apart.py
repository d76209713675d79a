"""A session in a process of its own, with limits: what runs there may crash, loop or grow, and takes nobody with it.

`open_apart` gives a `Session` whose methods ask that process: a line of JSON with a method and its arguments, a line of
JSON with the result, on a pipe that the artifact's own output does not reach.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from .artifact import read
from .errors import MissingRuntimeError, SessionError
from .sessions import Session, first_line, load
from .step_session import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .sessions import Rows

SECONDS = 120.0
"""For one question."""
MEMORY = 4 * 2**30
"""Bytes of address space; runtimes map far more than they use."""
WRITTEN = 2**20
"""Bytes that a file may grow to."""
ORDERLY = 2.0
"""Seconds for ending when nothing more is asked."""
ANSWER = 2**29
"""Bytes of an answer."""
ASKED = (
    "linear", "predict", "encode", "predict_q", "degraded", "probability_q", "encode_counts", "labels",
    "verdicts", "steps", "steps_q",
)  # fmt: skip


class ApartSession(Session):
    """An artifact in a process of its own.

    Parameters
    ----------
    kind, path, options
        See `sessions.load`.
    seconds : float
        For opening the artifact, and for each question.
    memory : int
        Bytes of address space.

    Raises
    ------
    MissingRuntimeError, SessionError
        As `sessions.load`; also where the process crashed, took too long or too much memory.
    """

    def __init__(
        self, kind: str, path: Any, options: dict[str, str], seconds: float = SECONDS, memory: int = MEMORY
    ) -> None:
        import subprocess
        import tempfile

        self._seconds = seconds
        self._written: tuple[Any, str] = (None, "null")
        self._away = tempfile.TemporaryDirectory()
        reads, writes = os.pipe()
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        words = [kind, os.path.abspath(path), str(writes), str(seconds), str(memory)]
        words += [f"{key}={os.path.abspath(value) if key == 'library' else value}" for key, value in options.items()]
        script = f"import sys; sys.path[:0] = [{package!r}]; from edge_lasso_runtime.apart import main; main()"
        with open(os.devnull, "wb") as nowhere:
            self._process = subprocess.Popen(
                [sys.executable, "-c", script, *words], stdin=subprocess.PIPE, stdout=nowhere, stderr=subprocess.PIPE,
                pass_fds=[writes], cwd=self._away.name,
            )  # fmt: skip
        os.close(writes)
        self._reads = reads
        self._rest = b""
        try:
            runtime, told = self._answer()
            super().__init__(read(path), str(runtime), None if told is None else str(told))
        except BaseException:
            self.close()
            raise

    def _ask(self, method: str, argument: Any) -> Any:
        import json

        assert self._process.stdin is not None
        try:
            if argument != self._written[0]:  # the same rows are asked about in several ways
                self._written = (argument, json.dumps(argument))
            self._process.stdin.write(f'["{method}", {self._written[1]}]\n'.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SessionError(self._end()) from None
        return self._answer()

    def _answer(self) -> Any:
        """The next line, within the time that is allowed."""
        import json
        import select
        from time import monotonic

        until = monotonic() + self._seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._reads], [], [], max(until - monotonic(), 0.0))
            if not ready:
                self._process.kill()
                raise SessionError(f"timed out: no answer within {self._seconds:g} s")
            piece = os.read(self._reads, 2**16)
            if not piece:
                raise SessionError(self._end())
            self._rest += piece
            if len(self._rest) > ANSWER:
                self._process.kill()
                raise SessionError(f"answered more than {ANSWER >> 20} MB")
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            kind, value = json.loads(line)
        except (ValueError, RecursionError):
            raise SessionError("answered what is no answer") from None
        if kind == "ok":
            return value
        raise (MissingRuntimeError if kind == "missing" else SessionError)(str(value))

    def _end(self) -> str:
        """Why the process is gone."""
        import signal

        assert self._process.stderr is not None
        said = self._process.stderr.read(100_000).decode("utf-8", "replace").strip().splitlines()
        code = self._process.wait()
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            return "timed out: its processor time is used up" if name == "SIGXCPU" else f"crashed ({name})"
        return f"crashed (exit status {code}{': ' + first_line(said[-1]) if said else ''})"

    def linear(self, rows: Rows) -> list[list[float]]:
        """See `Session`."""
        return self._ask("linear", _plain(rows))  # type: ignore[no-any-return]

    def predict(self, rows: Rows) -> list[list[float]]:
        """See `Session`."""
        return self._ask("predict", _plain(rows))  # type: ignore[no-any-return]

    def encode(self, rows: Rows) -> list[list[int]]:
        """See `Session`."""
        return self._ask("encode", _plain(rows))  # type: ignore[no-any-return]

    def predict_q(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """See `Session`."""
        return self._ask("predict_q", _plain(rows))  # type: ignore[no-any-return]

    def degraded(self, rows: Rows) -> list[bool] | None:
        """See `Session`."""
        return self._ask("degraded", _plain(rows))  # type: ignore[no-any-return]

    def probability_q(self, results: Sequence[Sequence[int]]) -> list[int] | None:
        """See `Session`."""
        return self._ask("probability_q", _plain(results))  # type: ignore[no-any-return]

    def encode_counts(self, rows: Sequence[Sequence[int | None]]) -> list[tuple[list[int], bool]] | None:
        """See `Session`."""
        result = self._ask("encode_counts", _plain(rows))
        return None if result is None else [(list(counts), bool(degraded)) for counts, degraded in result]

    def labels(self, rows: Rows) -> list[int | str] | None:
        """See `Session`."""
        return self._ask("labels", _plain(rows))  # type: ignore[no-any-return]

    def verdicts(self, numbers: Sequence[float]) -> list[int] | None:
        """See `Session`."""
        return self._ask("verdicts", list(numbers))  # type: ignore[no-any-return]

    def steps(self, sequences: Sequence[Rows]) -> list[Answer] | None:
        """See `Session`."""
        result = self._ask("steps", [_plain(rows) for rows in sequences])
        return None if result is None else [_answer_of(parts) for parts in result]

    def steps_q(self, sequences: Sequence[Sequence[Sequence[int]]]) -> list[list[int]] | None:
        """See `Session`."""
        return self._ask("steps_q", [_plain(rows) for rows in sequences])  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process: it may put away what its runtime has begun, if that does not take long."""
        from subprocess import TimeoutExpired

        for stream in (self._process.stdin, self._process.stderr):
            if stream is not None:
                with suppress(OSError):  # what was still to be written
                    stream.close()
        try:
            self._process.wait(ORDERLY)
        except TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reads >= 0:
            os.close(self._reads)
            self._reads = -1
        self._away.cleanup()


def open_apart(kind: str, path: Any, **options: str) -> Session:
    """Open an artifact in a process of its own, where a platform has what that takes; else in this one."""
    if os.name != "posix":
        return load(kind, path, **options)
    return ApartSession(kind, path, options)


def _plain(rows: Any) -> list[list[Any]]:
    return [list(row) for row in rows]


def _answer_of(parts: dict[str, Any]) -> Answer:
    answer = Answer.__new__(Answer)
    for name in Answer.__slots__:
        setattr(answer, name, parts[name])
    answer.shares = [(int(sensor), float(share)) for sensor, share in answer.shares]
    return answer


def _told(value: Any) -> Any:
    """A result as JSON can carry it."""
    if isinstance(value, list) and value and isinstance(value[0], Answer):
        return [{name: getattr(answer, name) for name in Answer.__slots__} for answer in value]
    return value


def main() -> None:
    """Answer questions until there are no more; the process apart."""
    import json

    kind, path, descriptor, seconds, memory, *pairs = sys.argv[1:]
    result = os.fdopen(int(descriptor), "w")
    limit(4 * int(float(seconds)) + 5, int(memory))

    def say(*words: Any) -> None:
        result.write(json.dumps(words, default=float) + "\n")
        result.flush()

    try:
        session = load(kind, path, **dict(pair.split("=", 1) for pair in pairs))
        say("ok", [session.runtime, session.model_hash])
        for line in sys.stdin:
            method, argument = json.loads(line)
            if method not in ASKED:
                raise SessionError(f"there is no question {method!r}")
            say("ok", _told(getattr(session, method)(argument)))
    except MissingRuntimeError as error:
        say("missing", str(error))
    except SessionError as error:
        say("error", str(error))
    except MemoryError:
        say("error", "out of memory")
    except Exception as error:
        say("error", f"{type(error).__name__}: {first_line(error)}")


def limit(seconds: int, memory: int = MEMORY, reserves: bool = False) -> None:
    """Limit this process: processor time (s), memory (bytes), the size of files, no memory dumps.

    Memory is address space; of what `reserves` far more of that than it uses (WebAssembly, emulators), what it can
    write to.
    """
    import resource

    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA if reserves else resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(OSError, ValueError):  # a platform without this one
            resource.setrlimit(what, (least, hard))
