"""Measuring models and artifacts where they will run: the probe is put there, and its figures come back.

Every link is a `Shell`: this machine, a board over ssh, an emulated one. The runtime package and the artifact are put
there and ``python -m edge_lasso_runtime probe`` runs there; nothing is measured in this process.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import edge_lasso_runtime
from edge_lasso.bench_micropython import micropython_probe
from edge_lasso.errors import BoardError, DataError
from edge_lasso_devices.build import build
from edge_lasso_devices.shells import MicroPythonShell, Shell, open_link
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_runtime import Model, dumps, load, loads
from edge_lasso_runtime.artifact import FILE
from edge_lasso_runtime.artifact import read as read_artifact

BUDGETS = ("flash_bytes", "ram_bytes", "size_bytes", "p95_us", "cycles", "inputs", "max_error")
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
    """

    name: str
    link: str
    kind: str
    machine: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def value(self, key: str) -> float | None:
        """A figure's value; None when it could not be had here."""
        value = self.figures.get(key, {}).get("value")
        return None if value is None else float(value)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {"format": "edge-lasso-measurement/1", **asdict(self), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class Budget:
    """A budget and what was found.

    Parameters
    ----------
    name : str
        The artifact.
    budget : str
        One of `BUDGETS`.
    limit : float
    value : float or None
    kind : str
    reason : str
        Why there is no value.
    """

    name: str
    budget: str
    limit: float
    value: float | None
    kind: str
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is kept; a figure that could not be had keeps nothing."""
        return self.value is not None and self.value <= self.limit

    @property
    def margin(self) -> float | None:
        """What is left, as a part of the limit."""
        return None if self.value is None else 1.0 - self.value / self.limit


@dataclass(frozen=True)
class Subject:
    """Something to measure: its files, which of them (or "" for the folder) the probe is told, and known figures."""

    name: str
    files: Mapping[str, bytes]
    entry: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)


def bench(
    subjects: Model | Path | str | Sequence[Path | str],
    to: str | Sequence[str] | None = None,
    link: str | Shell = "local",
    seconds: float = 4.0,
    *,
    peers: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[Measurement]:
    """Measure a model's targets, or model files and artifacts, one after another.

    Parameters
    ----------
    subjects : Model, or path or sequence of path
        A model in memory is rendered and measured in every target. Paths: model files, artifact folders, or folders
        that hold some.
    to : str or sequence of str, optional
        Targets and variants of a model in memory; every target's default variant if left out.
    link : str or Shell
        ``local``, or another that `edge_lasso_devices.shells.open_link` knows; or an open shell.
    seconds : float
        Roughly how long each may take.
    peers : bool
        For a model in memory: scikit-learn, skl2onnx with onnxruntime, and m2cgen where they are installed, too.
    progress : callable, optional
        Told the name of what is measured next.

    Returns
    -------
    list of Measurement
        What cannot be measured there carries a `reason`.

    Raises
    ------
    BoardError
        The link cannot be used, or nothing at all could be measured there.
    DataError
        A path that is neither a model nor an artifact.
    """
    if isinstance(subjects, Model):
        found = list(rendered(subjects, to))
        if peers:
            from edge_lasso.peers import peer_subjects, pipeline_of

            pipeline = pipeline_of(subjects)
            found += peer_subjects(pipeline) if pipeline is not None else []
    else:
        paths = [subjects] if isinstance(subjects, (str, Path)) else subjects
        found = [one for path in paths for one in from_path(Path(path))]
    return measure(found, link, seconds, progress)


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
        found = []
        for i, one in enumerate(subjects):
            if progress is not None:
                progress(one.name)
            found.append(_measure(shell, place, one, f"subject{i}", seconds))
    finally:
        if isinstance(link, str):
            shell.close()
    if found and all(one.reason for one in found):
        raise BoardError(f"nothing could be measured over {place}: {found[0].name}: {found[0].reason}")
    return found


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
    found = needs_state(json.loads(one.files.get(FILE, b"{}")))
    if one.name.startswith("runtime") and one.entry.endswith(".json"):
        model = loads(one.files[one.entry].decode())
        found = "detector/1" in model.sections or any(given.stream is not None for given in model.inputs)
    text = f"{one.name} keeps state: figures are of a prediction alone, without earlier readings, estimates and score"
    return [text] if found else []


def check_budgets(measurements: Iterable[Measurement], budgets: Mapping[str, float]) -> list[Budget]:
    """Compare figures with budgets: every budget against every measurement.

    Raises
    ------
    DataError
        A budget that is unknown (the nearest is named), or a limit that is no positive number.
    """
    for key, limit in budgets.items():
        if key not in BUDGETS:
            near = get_close_matches(key, BUDGETS, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise DataError(f"budget '{key}' is unknown{hint}; there are {', '.join(BUDGETS)}")
        if not 0.0 < limit < float("inf"):
            raise DataError(f"budget {key}={limit!r} must be a positive number")
    rows = []
    for one in measurements:
        for key, limit in budgets.items():
            figure = one.figures.get(key, {})
            reason = "" if figure.get("value") is not None else figure.get("reason") or one.reason or f"no {key} here"
            rows.append(Budget(one.name, key, limit, one.value(key), str(figure.get("kind", one.kind)), reason))
    return rows


def rendered(model: Model, to: str | Sequence[str] | None = None) -> Iterator[Subject]:
    """A model's targets, rendered in memory; without `to` the model file first, then what this machine can render."""
    inputs = {"inputs": _counted(len(model.inputs))}
    if to is not None:
        wanted = registry.parse(to if isinstance(to, str) else ",".join(to), model)
    else:
        yield Subject(
            "runtime:double", {"model.json": dumps(model).encode()}, "model.json", {**inputs, "max_error": _bound(0.0)}
        )
        wanted = []
        for target in registry.TARGETS:
            try:
                pair = registry.parse(target, model)
                registry.render(model, *pair[0])
            except ExportError:  # an extra that is not installed, or a model that the target cannot express
                continue
            wanted += pair
    for target, variant in wanted:
        bound = registry.target(target).promise(model, Options(variant))["bound"]
        files = registry.render(model, target, variant)
        yield Subject(f"{target}:{variant}", files, "", {**inputs, "max_error": _bound(bound)})


def from_path(path: Path) -> Iterator[Subject]:
    """A model file through the runtime package, or the artifacts in a folder."""
    if path.is_file() and path.name != FILE:
        inputs = {"inputs": _counted(len(load(path).inputs)), "max_error": _bound(0.0)}
        yield Subject("runtime:double", {path.name: path.read_bytes()}, path.name, inputs)
        return
    folder = path.parent if path.is_file() else path
    inside = sorted(one.parent for one in folder.glob(f"*/{FILE}") if one.parent.name[0] != ".")
    if (folder / FILE).is_file():
        inside = [folder]
    if not inside:
        raise DataError(f"{path} is neither a model nor an artifact; give MODEL.json or what 'edge-lasso export' wrote")
    for one in inside:
        artifact = read_artifact(one)
        files = {each.relative_to(one).as_posix(): each.read_bytes() for each in one.rglob("*") if each.is_file()}
        counted = {"inputs": _counted(len(artifact.inputs))}
        yield Subject(f"{artifact.target}:{artifact.variant}", files, "", counted)


def _counted(count: int) -> Figure:
    return {"value": count, "unit": "", "kind": "measured"}


def _bound(value: float | None) -> Figure:
    if value is None:
        return {"value": None, "unit": "", "kind": "modelled", "reason": "this variant promises no bound"}
    return {"value": value, "unit": "", "kind": "modelled", "of": "proven bound over the declared ranges"}


def runtime_files() -> dict[str, bytes]:
    """The runtime package, as a board needs it."""
    home = Path(edge_lasso_runtime.__file__).parent
    return {f"{home.name}/{one.name}": one.read_bytes() for one in sorted(home.glob("*.py"))}


def _measure(shell: Shell, link: str, one: Subject, folder: str, seconds: float) -> Measurement:
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
        figures = {name: dict(_emulated(name, figure)) for name, figure in figures.items()}
    return Measurement(one.name, link, shell.kind, machine, {**figures, **one.figures}, (*warnings, *alone(one)), data)


def _emulated(name: str, figure: Figure) -> Figure:
    if name == "size_bytes":
        return figure
    if name.startswith(MEMORY):
        return {**figure, "kind": "emulated", "value": None, "reason": "it would include the emulator's own memory"}
    return {**figure, "kind": "emulated"}
