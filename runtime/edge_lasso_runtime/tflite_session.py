"""Sessions for the TFLite artifact: LiteRT, or tflite-runtime where that is what a board has."""

from __future__ import annotations

from .artifact import Artifact
from .errors import SessionError
from .sessions import Session, first_line, missing_runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .sessions import Rows

RUNTIME = "LiteRT"
IMPORTS = "from ai_edge_litert import interpreter"
LINEAR = "linear"


def open_session(kind: str, artifact: Artifact, threads: int = 1) -> Session:
    """See `sessions.load`."""
    interpreter_class, runtime = _runtime()
    try:
        with open(artifact.path(), "rb") as file:
            data = file.read()
        with _quiet():
            interpreter = interpreter_class(model_content=data, num_threads=threads)
            interpreter.allocate_tensors()
    except OSError as error:
        raise SessionError(f"{artifact.path()} cannot be read: {error}") from None
    except (ValueError, RuntimeError, ImportError) as error:
        raise SessionError(f"{runtime} refuses {artifact.entry}: {first_line(error)}") from None
    return TfliteSession(artifact, interpreter, runtime)


class _quiet:
    """Keeps what the interpreter's C++ logs about its delegates off standard error; what goes wrong it raises."""

    def __enter__(self) -> None:
        import os

        self.saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    def __exit__(self, *error: object) -> None:
        import os

        os.dup2(self.saved, 2)
        os.close(self.saved)


def _runtime() -> tuple[Any, str]:
    import sys

    try:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter, f"LiteRT {_version('ai-edge-litert')}"
    except ImportError as error:
        first: Exception = error
    try:
        from tflite_runtime.interpreter import Interpreter  # type: ignore[no-redef]

        return Interpreter, f"tflite-runtime {_version('tflite-runtime')}"
    except (ImportError, AttributeError) as error:
        second: Exception = error
    if isinstance(second, ModuleNotFoundError) and "tflite_runtime" in str(second):
        small = sys.maxsize < 2**32 or sys.version_info < (3, 10)
        package = "tflite-runtime 'numpy<2'" if small else "ai-edge-litert"
        raise missing_runtime("ai_edge_litert", package, first)
    raise missing_runtime("tflite_runtime", "tflite-runtime 'numpy<2'", second)


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"


class TfliteSession(Session):
    """A flatbuffer in a TFLite interpreter."""

    def __init__(self, artifact: Artifact, interpreter: Any, runtime: str) -> None:
        import numpy

        super().__init__(artifact, runtime, None)
        self.numpy = numpy
        self.interpreter = interpreter
        self.input = interpreter.get_input_details()[0]
        signatures = interpreter.get_signature_list()
        if not signatures:
            raise SessionError(f"{artifact.entry} has no signature; export it again")
        self.signature = next(iter(signatures))
        self.outputs = {detail["name"]: detail["index"] for detail in interpreter.get_output_details()}
        runner = interpreter.get_signature_runner(self.signature)
        self.named = {key: detail for key, detail in runner.get_output_details().items()}
        if LINEAR not in self.named:
            raise SessionError(f"{artifact.entry} has no output {LINEAR!r}; it has {', '.join(self.named)}")
        self.value = next((name for name in self.named if name != LINEAR), LINEAR)
        width = int(self.input["shape"][-1])
        if width != len(artifact.inputs):
            raise SessionError(f"{artifact.entry} takes {width} values; artifact.json names {len(artifact.inputs)}")

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return self._run(LINEAR, rows)

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link."""
        return self._run(self.value, rows)

    def one_row(self, rows: Rows) -> tuple[Callable[[Any], Any], list[Any]]:
        """Set the tensor, invoke, get the tensor."""
        self._check(rows)
        self._resize(1)
        interpreter, source, target = self.interpreter, self.input["index"], self.named[self.value]["index"]

        def call(row: Any) -> Any:
            interpreter.set_tensor(source, row)
            interpreter.invoke()
            return interpreter.get_tensor(target)

        return call, [self._array([row]) for row in rows]

    def _resize(self, count: int) -> None:
        # strict: the interpreter would otherwise accept a wrong width and return a number
        index = self.input["index"]
        self.interpreter.resize_tensor_input(index, [count, len(self.artifact.inputs)], strict=True)
        self.interpreter.allocate_tensors()

    def _array(self, rows: Rows) -> Any:
        numpy = self.numpy
        with numpy.errstate(over="ignore"):
            x = numpy.array(rows, dtype=numpy.float64).reshape(len(rows), len(self.artifact.inputs))
            if self.input["dtype"] == numpy.float32:
                return x.astype(numpy.float32)
        if self.artifact.encoding:
            encode = self.artifact.encoding["encode"]
            x = (x - numpy.array(encode["offset"])) / numpy.array(encode["scale"])
        scale, zero = self.input["quantization"]
        limits = numpy.iinfo(self.input["dtype"])
        q = numpy.floor(numpy.nan_to_num(x) / scale + 0.5) + zero
        return numpy.clip(q, limits.min, limits.max).astype(self.input["dtype"])

    def _run(self, name: str, rows: Rows) -> list[list[float]]:
        self._check(rows)
        if not rows:
            return []
        try:
            self._resize(len(rows))
            self.interpreter.set_tensor(self.input["index"], self._array(rows))
            self.interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise SessionError(f"{self.runtime} cannot run {self.artifact.entry}: {first_line(error)}") from None
        details = self.named[name]
        outcome = self.interpreter.get_tensor(details["index"]).astype(self.numpy.float64)
        scale, zero = details["quantization"]
        if scale:
            outcome = (outcome - zero) * scale
        outcome = outcome.reshape(len(rows), -1)
        if self.artifact.encoding and name == LINEAR:
            decode = self.artifact.encoding["decode"]
            outcome = outcome * self.numpy.array(decode["scale"]) + self.numpy.array(decode["offset"])
        result: list[list[float]] = outcome.tolist()
        return result

    def close(self) -> None:
        """Let the interpreter go."""
        self.interpreter = None
