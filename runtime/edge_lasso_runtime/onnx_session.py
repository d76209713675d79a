"""Sessions for the ONNX artifact: onnxruntime on the CPU, one thread unless told."""

from __future__ import annotations

from .artifact import Artifact
from .errors import SessionError
from .sessions import Session, first_line, missing_runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .sessions import Rows

RUNTIME = "onnxruntime"
IMPORTS = "import onnxruntime"
LINEAR = "linear"


def open_session(kind: str, artifact: Artifact, threads: int = 1) -> Session:
    """See `sessions.load`."""
    try:
        import onnxruntime
    except (ImportError, AttributeError, OSError) as error:
        raise missing_runtime("onnxruntime", "onnxruntime", error) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = threads
    options.log_severity_level = 3
    try:
        with open(artifact.path(), "rb") as file:
            session = onnxruntime.InferenceSession(file.read(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise SessionError(f"{artifact.path()} cannot be read: {error}") from None
    except Exception as error:  # onnxruntime's errors have no common named base
        raise SessionError(
            f"onnxruntime {onnxruntime.__version__} refuses {artifact.entry}: {first_line(error)}"
        ) from None
    return OnnxSession(artifact, session, f"onnxruntime {onnxruntime.__version__}")


class OnnxSession(Session):
    """A graph in onnxruntime."""

    def __init__(self, artifact: Artifact, session: Any, runtime: str) -> None:
        import numpy

        super().__init__(artifact, runtime, session.get_modelmeta().custom_metadata_map.get("model_hash"))
        self.session = session
        self.numpy = numpy
        self.input = session.get_inputs()[0]
        self.type = numpy.float64 if "double" in self.input.type else numpy.float32
        self.names = [get_output.name for get_output in session.get_outputs()]
        self.value = next((name for name in self.names if name not in (LINEAR, "label")), LINEAR)
        if LINEAR not in self.names:
            raise SessionError(f"{artifact.entry} has no output named {LINEAR!r}; it has {', '.join(self.names)}")

    def linear(self, rows: Rows) -> list[list[float]]:
        """The linear predictor of each output."""
        return self._run(LINEAR, rows)

    def predict(self, rows: Rows) -> list[list[float]]:
        """The prediction: after the link."""
        return self._run(self.value, rows)

    def labels(self, rows: Rows) -> list[int | str] | None:
        """The output `label` of a classifier."""
        if "label" not in self.names:
            return None
        self._check(rows)
        (result,) = self.session.run(["label"], {self.input.name: self._array(rows)})
        return [str(entry) for entry in result.tolist()]

    def one_row(self, rows: Rows) -> tuple[Callable[[Any], Any], list[Any]]:
        """`run` with a ready array of one row."""
        self._check(rows)
        run, names = self.session.run, [self.value]
        return (lambda feed: run(names, feed)), [{self.input.name: self._array([row])} for row in rows]

    def _array(self, rows: Rows) -> Any:
        with self.numpy.errstate(over="ignore"):
            return self.numpy.array(rows, dtype=self.type).reshape(len(rows), len(self.artifact.inputs))

    def _run(self, name: str, rows: Rows) -> list[list[float]]:
        self._check(rows)
        try:
            (outcome,) = self.session.run([name], {self.input.name: self._array(rows)})
        except Exception as error:  # onnxruntime's errors have no common named base
            raise SessionError(f"{self.runtime} cannot run {self.artifact.entry}: {first_line(error)}") from None
        outputs = len(self.artifact.outputs)
        outcome = outcome.reshape(len(rows), -1)
        if outcome.shape[1] == outputs + 1 == 2:
            outcome = outcome[:, 1:]  # binary probabilities: one column per class; the model's value is the second
        result: list[list[float]] = outcome.astype(self.numpy.float64).tolist()
        return result
