"""Sessions for the C artifact: its shared library through ctypes."""

from __future__ import annotations

from .artifact import Artifact
from .errors import MissingRuntimeError, SessionError
from .sessions import Session, first_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .sessions import Rows
    from .step_session import Answer


FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
SUFFIXES = (".so", ".dylib", ".dll")
TIMEOUT = 120
NO_COUNT = -(2**31)


def open_session(kind: str, artifact: Artifact, library: Any = None, runtime: str = "C through ctypes") -> Session:
    """See `sessions.load`."""
    import os

    names = [f"{artifact.name}{suffix}" for suffix in SUFFIXES]
    result = [name for name in names if os.path.isfile(artifact.path(name))]
    path = os.path.abspath(library or artifact.path((result or names)[0]))
    if not os.path.isfile(path):
        raise MissingRuntimeError(
            f"{artifact.folder} has no {names[0]}; compile {artifact.entry} with: {command(artifact)}"
        )
    return CSession(artifact, path, runtime)


def library_here(artifact: Artifact, folder: str) -> str:
    """The artifact's shared library, compiled into `folder` where it does not lie beside its source.

    Raises
    ------
    MissingRuntimeError
        There is neither a library nor a C compiler.
    SessionError
        The compiler refuses the source.
    """
    import os
    import shutil
    import subprocess

    for suffix in SUFFIXES:
        if os.path.isfile(artifact.path(artifact.name + suffix)):
            return os.path.abspath(artifact.path(artifact.name + suffix))
    library = os.path.join(folder, f"{artifact.name}.so")
    broken = ""
    for compiler in filter(None, map(shutil.which, ("cc", "gcc", "clang"))):
        argv = [compiler, *FLAGS, "-o", library, artifact.path(f"{artifact.name}.c")]
        try:
            done = subprocess.run(argv, capture_output=True, check=False, timeout=TIMEOUT)
        except (OSError, subprocess.TimeoutExpired) as error:
            broken = f" ({error})"
            continue
        if done.returncode == 0 and os.path.isfile(library):
            return library
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        refused = next((line for line in lines if "error:" in line), None)
        if refused:
            raise SessionError(f"{compiler} refuses {artifact.name}.c: {refused}")
        # a program of that name that is no compiler, such as a version manager's shim
        broken = f" ({compiler}: {lines[0] if lines else f'exit {done.returncode}'})"
    raise MissingRuntimeError(
        f"no {artifact.name}.so in {artifact.folder} and no C compiler here{broken}; "
        f"compile it with: {command(artifact)}"
    )


def command(artifact: Artifact) -> str:
    """How to compile the artifact by hand."""
    return f"cc {' '.join(FLAGS)} -o {artifact.name}.so {artifact.name}.c"


class CSession(Session):
    """A shared library in this process."""

    def __init__(self, artifact: Artifact, path: str, runtime: str) -> None:
        try:
            import ctypes
        except ImportError:
            raise MissingRuntimeError("this Python has no ctypes, which running the C artifact needs") from None
        try:
            self.library: Any = ctypes.CDLL(path)
        except OSError as error:
            raise SessionError(f"{path} cannot be loaded: {first_line(error)}") from None
        self.path = path
        self.ctypes = ctypes
        self.real: Any = ctypes.c_float if artifact.variant == "float" else ctypes.c_double
        super().__init__(artifact, runtime, None)

    def symbol(self, suffix: str, result: Any = None, required: bool = True) -> Any:
        """The function ``NAME_suffix``."""
        try:
            function = getattr(self.library, f"{self.artifact.name}_{suffix}")
        except AttributeError:
            if not required:
                return None
            raise SessionError(
                f"the library has no {self.artifact.name}_{suffix}; it is not the artifact in {self.artifact.folder}"
            ) from None
        function.restype = result
        return function

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return self._decoded(rows) if self.fixed else self._batch("linear_batch", rows)

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link (a fixed-point softmax has none: its linear predictor)."""
        if not self.fixed:
            return self._batch("predict_batch", rows)
        result = self.probability_q(self.predict_q(self.encode(rows)))
        return self._decoded(rows) if result is None else [[entry / 65536.0] for entry in result]

    def probability_q(self, results: Sequence[Sequence[int]]) -> list[int] | None:
        """Fixed point: the probability, times 65536, from integer results."""
        function = self.symbol("probability", self.ctypes.c_uint32, required=False)
        if function is None:
            return None
        function.argtypes = [self.ctypes.c_int32]
        return [int(function(result[0])) for result in results]

    def degraded(self, rows: Rows) -> list[bool] | None:
        """Whether the status mask has any bit set."""
        if self.fixed:
            return [status != 0 for _, status in self._encoded(rows)]
        function = self.symbol("status", self.ctypes.c_uint32, required=False)
        if function is None:
            return None
        self._check(rows)
        return [function(self._array(row)) != 0 for row in rows]

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The position of the class among the classes."""
        function = self.symbol("label", self.ctypes.c_int, required=False)
        if function is None:
            return None
        self._check(rows)
        if self.fixed:
            return [int(function(self._integers(q))) for q in self.encode(rows)]
        return [int(function(self._array(row))) for row in rows]

    def verdicts(self, numbers: Sequence[float]) -> list[int] | None:
        """What ``NAME_verdict`` says."""
        function = self.symbol("verdict", self.ctypes.c_int, required=False)
        if function is None:
            return None
        function.argtypes = [self.ctypes.c_int32 if self.fixed else self.real]
        return [int(function(int(number) if self.fixed else number)) for number in numbers]

    def encode(self, rows: Rows) -> list[list[int]]:
        """Fixed point: the integers that stand for the readings."""
        return [q for q, _ in self._encoded(rows)]

    def encode_counts(self, rows: Sequence[Sequence[int | None]]) -> list[tuple[list[int], bool]] | None:
        """Fixed point: the integers that stand for counts, and whether the row is degraded."""
        function = self.symbol("encode_counts", self.ctypes.c_uint32, required=False)
        if function is None:
            return None
        self._check(rows)
        q = self._integers([0] * len(self.artifact.inputs))
        result = []
        for row in rows:
            counts = (self.ctypes.c_int32 * max(len(row), 1))(*(NO_COUNT if x is None else x for x in row))
            status = int(function(counts, q))
            result.append((list(q)[: len(row)], status != 0))
        return result

    def predict_q(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """Fixed point: the integer results for integer inputs."""
        self._check(rows)
        ct = self.ctypes
        outputs = len(self.artifact.outputs)
        function = self.symbol("predict", ct.c_int32 if outputs == 1 else None)
        y = (ct.c_int32 * outputs)()
        result = []
        for row in rows:
            q = self._integers(row)
            if outputs == 1:
                result.append([int(function(q))])
            else:
                function(q, y)
                result.append(list(y))
        return result

    def steps(self, sequences: Sequence[Rows]) -> list[Answer] | None:
        """Sequences through `start` and `step`."""
        if self.artifact.step is None:
            return None
        from .step_session import c_answers

        return c_answers(self, sequences)

    def steps_q(self, sequences: Sequence[Sequence[Sequence[int]]]) -> list[list[int]] | None:
        """Sequences of integers through `start_q` and `step_q`."""
        if self.artifact.step is None or not self.artifact.step["integers"]:
            return None
        from .step_session import c_answers_q

        return c_answers_q(self, sequences)

    def one_row(self, rows: Rows) -> tuple[Callable[[Any], Any], list[Any]]:
        """The compiled `predict` with cached arrays."""
        self._check(rows)
        ct = self.ctypes
        outputs = len(self.artifact.outputs)
        if self.fixed:
            arguments: list[Any] = [self._integers(q) for q in self.encode(rows)]
            y: Any = (ct.c_int32 * outputs)()
            function = self.symbol("predict", ct.c_int32 if outputs == 1 else None)
        else:
            arguments = [self._array(row) for row in rows]
            y = (self.real * outputs)()
            function = self.symbol("predict", self.real if outputs == 1 else None)
        # byref-free pointers made once: what a caller in a loop does
        pointers = [ct.cast(argument, ct.c_void_p) for argument in arguments]
        self.kept = (arguments, y)
        if outputs == 1:
            function.argtypes = [ct.c_void_p]
            return function, pointers
        target = ct.cast(y, ct.c_void_p)
        function.argtypes = [ct.c_void_p, ct.c_void_p]
        return (lambda x: function(x, target)), pointers

    def close(self) -> None:
        """Unload the library."""
        handle, self.library = self.library, None
        if handle is None:
            return
        try:
            from _ctypes import dlclose
        except ImportError:
            return
        dlclose(handle._handle)

    def _array(self, row: Sequence[float]) -> Any:
        return (self.real * max(len(row), 1))(*row)

    def _integers(self, q: Sequence[int]) -> Any:
        return (self.ctypes.c_int16 * max(len(q), 1))(*q)

    def _encoded(self, rows: Rows) -> list[tuple[list[int], int]]:
        self._check(rows)
        function = self.symbol("encode", self.ctypes.c_uint32)
        q = self._integers([0] * len(self.artifact.inputs))
        result = []
        for row in rows:
            status = int(function(self._array(row), q))
            result.append((list(q)[: len(row)], status))
        return result

    def _batch(self, suffix: str, rows: Rows) -> list[list[float]]:
        self._check(rows)
        ct = self.ctypes
        function = self.symbol(suffix)
        function.argtypes = [ct.c_void_p, ct.c_size_t, ct.c_void_p]
        outputs = len(self.artifact.outputs)
        flat = [value for row in rows for value in row]
        x = (self.real * max(len(flat), 1))(*flat)
        y = (self.real * (len(rows) * outputs))()
        function(x, len(rows), y)
        return [list(y[i * outputs : (i + 1) * outputs]) for i in range(len(rows))]

    def _decoded(self, rows: Rows) -> list[list[float]]:
        decode = self.symbol("decode", self.ctypes.c_double)
        results = self.predict_q(self.encode(rows))
        if len(self.artifact.outputs) == 1:
            return [[decode(value)] for (value,) in results]
        return [[decode(value, i) for i, value in enumerate(result)] for result in results]
