"""Measuring models and artifacts where they will run: the probe is put there, and its figures come back.

Every link is a `Shell`: this machine, a board over ssh, an emulated one. The runtime package and the artifact are put
there and ``python -m edge_lasso_runtime probe`` runs there; nothing is measured in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from edge_lasso.errors import DataError
from edge_lasso.measuring.measurement import (
    Measurement,
    Subject,
    count_figure,
    error_figure,
    measure,
)
from edge_lasso_devices.shells import Shell
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_runtime import Model, dumps, load
from edge_lasso_runtime.artifact import FILE
from edge_lasso_runtime.artifact import read as read_artifact

BUDGETS = ("flash_bytes", "ram_bytes", "size_bytes", "p95_us", "cycles", "inputs", "max_error")


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
        ``local``, or another that `edge_lasso_devices.links.open_link` knows; or an open shell.
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
        items = list(rendered(subjects, to))
        if peers:
            from edge_lasso.measuring.peers import peer_subjects, pipeline_of

            pipeline = pipeline_of(subjects)
            items += peer_subjects(pipeline) if pipeline is not None else []
    else:
        paths = [subjects] if isinstance(subjects, (str, Path)) else subjects
        items = [entry for path in paths for entry in from_path(Path(path))]
    return measure(items, link, seconds, progress)


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
    for measurement in measurements:
        for key, limit in budgets.items():
            figure = measurement.figures.get(key, {})
            reason = (
                ""
                if figure.get("value") is not None
                else figure.get("reason") or measurement.reason or f"no {key} here"
            )
            rows.append(
                Budget(
                    measurement.name,
                    key,
                    limit,
                    measurement.value(key),
                    str(figure.get("kind", measurement.kind)),
                    reason,
                )
            )
    return rows


def rendered(model: Model, to: str | Sequence[str] | None = None) -> Iterator[Subject]:
    """A model's targets, rendered in memory; without `to` the model file first, then what this machine can render."""
    inputs = {"inputs": count_figure(len(model.inputs))}
    if to is not None:
        wanted = registry.parse(to if isinstance(to, str) else ",".join(to), model)
    else:
        yield Subject(
            "runtime:double",
            {"model.json": dumps(model).encode()},
            "model.json",
            {**inputs, "max_error": error_figure(0.0)},
        )
        wanted = []
        for target in registry.usual():
            try:
                pair = registry.parse(target, model)
                registry.render(model, *pair[0])
            except ExportError:  # an extra that is not installed, or a model that the target cannot express
                continue
            wanted += pair
    for target, variant in wanted:
        bound = registry.target(target).promise(model, Options(variant))["bound"]
        files = registry.render(model, target, variant)
        yield Subject(f"{target}:{variant}", files, "", {**inputs, "max_error": error_figure(bound)})


def from_path(path: Path) -> Iterator[Subject]:
    """A model file through the runtime package, or the artifacts in a folder."""
    if path.is_file() and path.name != FILE:
        inputs = {"inputs": count_figure(len(load(path).inputs)), "max_error": error_figure(0.0)}
        yield Subject("runtime:double", {path.name: path.read_bytes()}, path.name, inputs)
        return
    folder = path.parent if path.is_file() else path
    inside = sorted(path.parent for path in folder.glob(f"*/{FILE}") if path.parent.name[0] != ".")
    if (folder / FILE).is_file():
        inside = [folder]
    if not inside:
        raise DataError(f"{path} is neither a model nor an artifact; give MODEL.json or what 'edge-lasso export' wrote")
    for entry in inside:
        artifact = read_artifact(entry)
        files = {each.relative_to(entry).as_posix(): each.read_bytes() for each in entry.rglob("*") if each.is_file()}
        counted = {"inputs": count_figure(len(artifact.inputs))}
        yield Subject(f"{artifact.target}:{artifact.variant}", files, "", counted)
