"""Figures for an operator, in Prometheus' text format: ``--metrics FILE.prom``, for node_exporter's textfile collector.

The file is written aside and renamed, every few seconds while the process lives. A process that is gone cannot say so:
alert on the age of ``edge_lasso_written_time_seconds``. Ages are exported as times, so that they grow by themselves.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from time import time

from .atomic import replacing
from .health import FAULTS
from .printable import report
from .stream import readings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Model
    from .predict import Prediction
    from .step import State
    from .step_result import Step

EDGES = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 1.0)
"""Seconds; buckets of the latency."""
EVERY = 5.0
"""Seconds between two files."""
HELP = {
    "edge_lasso_model_info": "The model that is running; always 1.",
    "edge_lasso_model_serial": "Serial of the bundle that the model came with.",
    "edge_lasso_model_coefficients": "Coefficients of the model.",
    "edge_lasso_model_trained_time_seconds": "When the model was trained.",
    "edge_lasso_bundle_expires_time_seconds": "When the bundle expires.",
    "edge_lasso_start_time_seconds": "When the process began.",
    "edge_lasso_written_time_seconds": "When this was written.",
    "edge_lasso_reading_time_seconds": "When a reading was last there.",
    "edge_lasso_reading_faults_total": "Readings at fault, by fault.",
    "edge_lasso_rows_total": "Rows taken in.",
    "edge_lasso_degraded_rows_total": "Rows with a reading at fault.",
    "edge_lasso_alarm_rows_total": "Rows in alarm.",
    "edge_lasso_alarm_onsets_total": "Alarms that began.",
    "edge_lasso_alarm": "Whether the last row was in alarm.",
    "edge_lasso_score": "Score of the last row.",
    "edge_lasso_drift_index": "Population stability index of a reading against training.",
    "edge_lasso_error_absolute_total": "Sum of absolute errors of the first output where the truth came along.",
    "edge_lasso_error_rows_total": "Rows whose truth came along.",
    "edge_lasso_latency_seconds": "Time that a row takes: that of its batch over the rows in it.",
    "edge_lasso_memory_bytes": "Resident memory of the process.",
}


class Metrics:
    """Counts what a stream does, and writes it when it is due.

    Parameters
    ----------
    model : Model
    path : str or None
        The file to write; None: none, `text` is asked for.
    source : str
        The model's file: a bundle's manifest beside it names the serial.

    Attributes
    ----------
    model : Model

    Raises
    ------
    OSError
        The file cannot be written.
    """

    def __init__(self, model: Model, path: str | None, source: str = "") -> None:
        from .format import model_hash

        self._path = path
        self.model = model
        self._hash = model_hash(model)
        self._bundle = _bundle(source)
        self._names = [model.inputs[i].name for i in readings(model)]
        self._start = time()
        self._seen = dict.fromkeys(self._names, 0.0)
        self._latency = [0] * (len(EDGES) + 1)
        self._seconds = 0.0
        self._failed = False
        self.rows = self.degraded = self.alarms = self.onsets = self.error_rows = 0
        self.error_sum = 0.0
        self._last: Step | None = None
        self._faults = [[0, 0, 0, 0] for _ in model.inputs]
        self._drift: list[tuple[str, float]] = []
        self._due = 0.0
        self._write()

    def take(self, results: Sequence[Step], state: State, seconds: float) -> None:
        """Count results that were computed together, in so many seconds.

        Parameters
        ----------
        results : sequence of Step
        state : State
            After the last of them.
        seconds : float
        """
        if not results:
            return
        self.rows += len(results)
        self._latency[bisect_left(EDGES, seconds / len(results))] += len(results)
        self._seconds += seconds
        for result in results:
            self.degraded += result.status == "degraded"
            self.alarms += result.alarm
            self.onsets += result.onset
        now, last = time(), results[-1]
        for name in self._names:
            if last.faults.get(name) != "missing":
                self._seen[name] = now
        self._last = last
        self._faults = state.health.counts
        if now >= self._due:
            self._follow(state)
            self.write()

    def take_prediction(self, prediction: Prediction, seconds: float) -> None:
        """Count a row that was predicted by itself, and write the file when it is due."""
        self.count_prediction(prediction, seconds)
        self.write_if_due()

    def count_prediction(self, prediction: Prediction, seconds: float) -> None:
        """Count a row that was predicted by itself."""
        self.rows += 1
        self.degraded += prediction.status == "degraded"
        self._latency[bisect_left(EDGES, seconds)] += 1
        self._seconds += seconds
        now = time()
        for i, feature in enumerate(self.model.inputs):
            fault = prediction.faults.get(feature.name)
            if fault is not None:
                self._faults[i][FAULTS.index(fault)] += 1
            if fault != "missing" and feature.name in self._seen:
                self._seen[feature.name] = now

    def count_errors(self, results: Sequence[Step | Prediction], truths: Sequence[float | None]) -> None:
        """Count the errors of the first output; None: its truth did not come along."""
        for result, truth in zip(results, truths):
            if truth is not None:
                self.error_rows += 1
                self.error_sum += abs(truth - result.values[0])

    def wait(self) -> float:
        """Seconds until the next file is due."""
        return max(self._due - time(), 0.0)

    def write_if_due(self) -> None:
        """Write the file when it is time: also when nothing comes, so that this can be told from a dead process."""
        if time() >= self._due:
            self.write()

    def write(self) -> None:
        """Write the file; one that cannot be written is reported once, and the work goes on."""
        try:
            self._write()
        except OSError as error:
            if not self._failed:
                report(f"{self._path}: {error.strerror}; figures are not written, the work goes on")
            self._failed = True
        else:
            self._failed = False

    def text(self) -> str:
        """The figures in Prometheus' text format."""
        return "".join(self._lines())

    def _write(self) -> None:
        self._due = time() + EVERY
        if self._path is None:
            return
        try:
            with replacing(self._path, 0o644) as file:
                file.write(self.text().encode())
        except OSError as error:
            raise type(error)(error.errno, error.strerror, self._path) from None

    def _follow(self, state: State) -> None:
        if state.drift is None:
            return
        from .drift import KEY, psi

        parts = self.model.sections[KEY]["readings"]
        self._drift = [
            (part["input"], psi(part["parts"], counts[:-1])) for part, counts in zip(parts, state.drift.counts)
        ]

    def _lines(self) -> list[str]:
        import edge_lasso_runtime

        lines: list[str] = []
        serial, expires = self._bundle
        labels = {"model": self._hash, "output": self.model.outputs[0].name, "version": edge_lasso_runtime.__version__}
        _add(lines, "model_info", "gauge", [({**labels, "serial": str(serial or "")}, 1)])
        coefficients = sum(len(output.terms) for output in self.model.outputs)
        _add(lines, "model_coefficients", "gauge", [({}, coefficients)])
        trained = _trained(self.model)
        for name, value in (
            ("model_serial", serial),
            ("bundle_expires_time_seconds", expires),
            ("model_trained_time_seconds", trained),
        ):
            if value:
                _add(lines, name, "gauge", [({}, value)])
        _add(lines, "start_time_seconds", "gauge", [({}, self._start)])
        _add(lines, "written_time_seconds", "gauge", [({}, time())])
        seen = [({"input": name}, when) for name, when in self._seen.items() if when]
        _add(lines, "reading_time_seconds", "gauge", seen)
        faults = [
            ({"input": feature.name, "fault": fault.replace(" ", "_")}, count)
            for feature, counts in zip(self.model.inputs, self._faults)
            if feature.stream is None
            for fault, count in zip(FAULTS, counts)
        ]
        _add(lines, "reading_faults_total", "counter", faults)
        for name, count in (
            ("rows_total", self.rows),
            ("degraded_rows_total", self.degraded),
            ("alarm_rows_total", self.alarms),
            ("alarm_onsets_total", self.onsets),
            ("error_absolute_total", self.error_sum),
            ("error_rows_total", self.error_rows),
        ):
            _add(lines, name, "counter", [({}, count)])
        if self._last is not None and self._last.score is not None:
            _add(lines, "score", "gauge", [({}, self._last.score)])
            _add(lines, "alarm", "gauge", [({}, int(self._last.alarm))])
        _add(lines, "drift_index", "gauge", [({"input": name}, value) for name, value in self._drift])
        self._histogram(lines)
        memory = _memory()
        if memory:
            _add(lines, "memory_bytes", "gauge", [({}, memory)])
        return lines

    def _histogram(self, lines: list[str]) -> None:
        total = 0
        buckets: list[tuple[dict[str, str], float]] = []
        for edge, count in zip([*map(repr, EDGES), "+Inf"], self._latency):
            total += count
            buckets.append(({"le": edge}, total))
        name = "edge_lasso_latency_seconds"
        lines.append(f"# HELP {name} {HELP[name]}\n# TYPE {name} histogram\n")
        lines += [f"{name}_bucket{_labels(labels)} {count}\n" for labels, count in buckets]
        lines += [f"{name}_sum {self._seconds!r}\n", f"{name}_count {total}\n"]


def _add(lines: list[str], name: str, kind: str, samples: Sequence[tuple[dict[str, str], float]]) -> None:
    if not samples:
        return
    name = f"edge_lasso_{name}"
    lines.append(f"# HELP {name} {HELP[name]}\n# TYPE {name} {kind}\n")
    lines += [f"{name}{_labels(labels)} {_number(value)}\n" for labels, value in samples]


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{{{pairs}}}"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return "".join(char if char.isprintable() else "?" for char in text)


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    return repr(value) if abs(value) < float("inf") else "+Inf" if value > 0 else "-Inf"


def _trained(model: Model) -> float:
    from .times import seconds

    when = model.provenance.get("date")
    return (seconds(when) or 0.0) if isinstance(when, str) else 0.0


def _bundle(source: str) -> tuple[int, float]:
    """Serial and expiry of the bundle that a model's file came with; zeros where it came otherwise."""
    if source.endswith(".pyz"):
        return 0, 0.0
    from .errors import UpdateError
    from .manifest import MANIFEST, loads

    try:
        with open(os.path.join(os.path.dirname(source), MANIFEST), "rb") as file:
            manifest = loads(file.read(1 << 20))
    except (OSError, UpdateError):
        return 0, 0.0
    return manifest.serial, manifest.expires


def _memory() -> int:
    """Resident bytes of this process; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
