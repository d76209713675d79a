"""One subject measured on one link: figures with their kind, whatever runs it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import edge_lasso_runtime
from edge_lasso.errors import BoardError
from edge_lasso.measuring.bench_micropython import micropython_probe
from edge_lasso_devices.build import build
from edge_lasso_devices.links import open_link
from edge_lasso_devices.shells import MicroPythonShell, Shell
from edge_lasso_runtime import loads, model_hash
from edge_lasso_runtime.artifact import FILE
from edge_lasso_runtime.subject import STAGES

TIMEOUT = 300.0


MEMORY = ("ram", "private_dirty", "peak")


Figure = Mapping[str, Any]


@dataclass(frozen=True)
class Measurement:
    """What one artifact costs in one place.

    Parameters
    ----------
    name : str
        ``python:double``; ``runtime:double`` is the model file through the runtime package; or a peer's.
    link : str
        Where it ran.
    kind : {"measured", "emulated", "modelled"}
        What its times are.
    machine : str
        What that place says it is.
    figures : dict
        Name to ``value``, ``unit`` and ``kind``, and more where it helps: ``low``, ``high``, ``samples``, ``batch``.
        A figure that could not be had has the value None and a ``reason``.
    warnings : sequence of str
    facts : dict
        Machine, its state before and after, and how it was measured.
    reason : str
        Why nothing could be measured; empty when it was.
    model_hash : str
        Of the model that was measured; empty for a peer.
    """

    name: str
    link: str
    kind: str
    machine: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    model_hash: str = ""

    def value(self, key: str) -> float | None:
        """A figure's value; None when it could not be had here."""
        value = self.figures.get(key, {}).get("value")
        return None if value is None else float(value)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {"format": "edge-lasso-measurement/1", **asdict(self), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class Subject:
    """Something to measure: its files, which of them (or "" for the folder) the probe is told, and known figures."""

    name: str
    files: Mapping[str, bytes]
    entry: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)


def measure(
    subjects: Sequence[Subject],
    link: str | Shell = "local",
    seconds: float = 4.0,
    progress: Callable[[str], None] | None = None,
) -> list[Measurement]:
    """Measure subjects over a link; see `bench`."""
    shell = open_link(link) if isinstance(link, str) else link
    place = link if isinstance(link, str) else type(link).__name__
    try:
        shell.put(runtime_files())
        results = []
        for i, subject in enumerate(subjects):
            if progress is not None:
                progress(subject.name)
            measured = run_probe(shell, place, subject, f"subject{i}", seconds)
            results.append(replace(measured, model_hash=model_of(subject)))
    finally:
        if isinstance(link, str):
            shell.close()
    if results and all(entry.reason for entry in results):
        raise BoardError(f"nothing could be measured over {place}: {results[0].name}: {results[0].reason}")
    return results


def model_of(subject: Subject) -> str:
    """The hash of the model that a subject computes; empty where it does not say."""
    if FILE in subject.files:
        return str(json.loads(subject.files[FILE]).get("model_hash", ""))
    if subject.name.startswith("runtime") and subject.entry.endswith(".json"):
        return model_hash(loads(subject.files[subject.entry].decode()))
    return ""


def needs_state(about: Mapping[str, Any]) -> bool:
    """Whether an artifact predicts from earlier rows, or scores them, so that a prediction alone is not its work.

    Parameters
    ----------
    about : mapping
        Its `artifact.json`.
    """
    detects = about.get("step", {}).get("detector") or "detector/1" in about.get("caller", ())
    return bool(about.get("streams") or detects)


def alone(one: Subject) -> list[str]:
    """Said of such an artifact, or model, where a prediction by itself was called."""
    result = needs_state(json.loads(one.files.get(FILE, b"{}")))
    if one.name.startswith("runtime") and one.entry.endswith(".json"):
        result = loads(one.files[one.entry].decode()).looks_back
    text = f"{one.name} keeps state: figures are of a prediction alone, without earlier readings, estimates and score"
    return [text] if result else []


def count_figure(count: int) -> Figure:
    """A whole number as a figure."""
    return {"value": count, "unit": "", "kind": "measured"}


def error_figure(value: float | None) -> Figure:
    """A promised bound as a figure; `None`: nothing is promised."""
    if value is None:
        return {"value": None, "unit": "", "kind": "modelled", "reason": "this variant promises no bound"}
    return {"value": value, "unit": "", "kind": "modelled", "of": "proven bound over the declared ranges"}


def runtime_files() -> dict[str, bytes]:
    """The runtime package, as a board needs it."""
    home = Path(edge_lasso_runtime.__file__).parent
    return {f"{home.name}/{path.name}": path.read_bytes() for path in sorted(home.glob("*.py"))}


def run_probe(shell: Shell, link: str, one: Subject, folder: str, seconds: float) -> Measurement:
    """Put one subject and the runtime where a shell leads, and run `probe` there."""
    target = one.name.partition(":")[0]
    files = dict(one.files)
    if isinstance(shell, MicroPythonShell):
        if target != "python" or one.name == "python:pyz":
            reason = "MicroPython runs python:double and python:fixed only"
            return Measurement(one.name, link, shell.kind, reason=reason)
        figures, machine = micropython_probe(shell, folder, files, seconds)
        return Measurement(one.name, link, shell.kind, machine, {**figures, **one.figures}, alone(one))
    if target == "c" and link == "local":
        try:  # on another machine the probe asks that machine's compiler
            files.update(build({name: data for name, data in files.items() if name.endswith((".c", ".h"))}))
        except BoardError as error:
            return Measurement(one.name, link, shell.kind, reason=str(error))
    try:
        shell.install(target)
    except BoardError as error:  # a runtime that does not exist for that machine: the others are measured all the same
        return Measurement(one.name, link, shell.kind, reason=str(error))
    shell.put({f"{folder}/{name}": data for name, data in files.items()})
    where = f"{folder}/{one.entry}" if one.entry else folder
    argv = [*shell.python, "-m", "edge_lasso_runtime", "probe", where, "--json", "--seconds", repr(float(seconds))]
    if len(shell.python) > 1:
        argv += ["--interpreter", shlex.join(shell.python)]
    if one.entry.endswith(STAGES):
        argv.append("--strings")
    done = shell.run(argv, timeout=TIMEOUT + 10.0 * seconds)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"the probe ended with {done.returncode}"]
        return Measurement(one.name, link, shell.kind, reason=lines[-1].partition("error: ")[2] or lines[-1][:300])
    try:
        # a banner or message of the day may stand around the JSON
        data = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
        about = data["machine"]
        machine = f"{about['board'] or about['cpu'] or about['architecture']}, {about['python']}"
        figures, warnings = data.pop("figures"), tuple(data.pop("warnings"))
    except (ValueError, KeyError, TypeError):
        raise BoardError(f"the probe over {link} answered what is no measurement: {done.stdout[:80]!r}") from None
    if shell.kind == "emulated":
        machine = shell.describe()
        figures = {name: dict(emulated(name, figure)) for name, figure in figures.items()}
    return Measurement(one.name, link, shell.kind, machine, {**figures, **one.figures}, (*warnings, *alone(one)), data)


def emulated(name: str, figure: Figure) -> Figure:
    """A figure taken under an emulator: its kind says so, and memory is none of the board's."""
    if name == "size_bytes":
        return figure
    if name.startswith(MEMORY):
        return {**figure, "kind": "emulated", "value": None, "reason": "it would include the emulator's own memory"}
    return {**figure, "kind": "emulated"}


def together(measurements: Iterable[Measurement]) -> list[Measurement]:
    """One measurement an artifact and board, with counted and modelled figures: what budgets are held against."""
    joined: dict[tuple[str, str], Measurement] = {}
    for measurement in measurements:
        before = joined.get((measurement.link, measurement.name))
        joined[measurement.link, measurement.name] = (
            measurement if before is None else replace(measurement, figures={**before.figures, **measurement.figures})
        )
    return list(joined.values())
