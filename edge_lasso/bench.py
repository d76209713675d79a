"""Measuring artifacts where they will run: `probe` is sent over a link, and its figures come back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import edge_lasso_runtime
from edge_lasso.errors import BoardError, DataError
from edge_lasso_devices.shells import Shell, open_link

BUDGETS = ("flash_bytes", "ram_bytes", "size_bytes", "p95_us", "cycles", "inputs", "max_error")
TIMEOUT = 300.0


@dataclass(frozen=True)
class Measurement:
    """One artifact on one machine.

    Parameters
    ----------
    name : str
        ``python:double``, a model file's name, or a peer's.
    link : str
    kind : {"measured", "emulated", "modelled"}
        What its times are.
    machine : str
        What it ran on.
    figures : dict
        Name to value, unit, kind and the like, as `probe` gives them.
    warnings : tuple of str
    """

    name: str
    link: str
    kind: str
    machine: str
    figures: Mapping[str, Mapping[str, Any]]
    warnings: Sequence[str] = field(default_factory=tuple)

    def value(self, key: str) -> float | None:
        """A figure's value; None when it could not be had here."""
        value = self.figures.get(key, {}).get("value")
        return None if value is None else float(value)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return asdict(self)


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
    """

    name: str
    budget: str
    limit: float
    value: float | None
    kind: str

    @property
    def ok(self) -> bool:
        """Whether it is kept; a figure that could not be had keeps nothing."""
        return self.value is not None and self.value <= self.limit

    @property
    def margin(self) -> float | None:
        """What is left, as a part of the limit."""
        return None if self.value is None else 1.0 - self.value / self.limit


def bench(subjects: Sequence[Path | str], link: str = "local", seconds: float = 4.0) -> list[Measurement]:
    """Measure model files and artifact folders over a link.

    Parameters
    ----------
    subjects : sequence of path
        Model files, artifact folders, or folders that hold some.
    link : str
        ``local``, or another that `edge_lasso_devices.shells.open_link` knows.
    seconds : float
        Roughly how long each may take.

    Returns
    -------
    list of Measurement

    Raises
    ------
    BoardError
        The link cannot be used, or `probe` failed there.
    DataError
        A path that is neither a model nor an artifact.
    """
    found = [one for subject in subjects for one in _subjects(Path(subject))]
    with open_link(link) as shell:
        shell.put(_runtime_files())
        return [_measure(shell, link, one, i, seconds) for i, one in enumerate(found)]


def check_budgets(measurements: Sequence[Measurement], budgets: Mapping[str, float]) -> list[Budget]:
    """Compare figures with budgets.

    Raises
    ------
    DataError
        A budget that is unknown.
    """
    for key in budgets:
        if key not in BUDGETS:
            raise DataError(f"budget '{key}' is unknown; there are {', '.join(BUDGETS)}")
    return [
        Budget(one.name, key, limit, one.value(key), str(one.figures.get(key, {}).get("kind", one.kind)))
        for one in measurements
        for key, limit in budgets.items()
    ]


def _subjects(path: Path) -> list[Path]:
    if path.is_file():
        return [path.parent if path.name == "artifact.json" else path]
    if (path / "artifact.json").is_file():
        return [path]
    inside = sorted(one.parent for one in path.glob("*/artifact.json") if one.parent.name[0] != ".")
    if not inside:
        raise DataError(f"{path} is neither a model nor an artifact; give MODEL.json or what 'edge-lasso export' wrote")
    return inside


def _runtime_files() -> dict[str, bytes]:
    home = Path(edge_lasso_runtime.__file__).parent
    return {f"edge_lasso_runtime/{one.name}": one.read_bytes() for one in sorted(home.glob("*.py"))}


def _measure(shell: Shell, link: str, path: Path, index: int, seconds: float) -> Measurement:
    name = path.name if path.is_file() else path.name.replace("-", ":", 1)
    folder = f"subject{index}"
    if path.is_file():
        where, files = f"{folder}/{path.name}", {f"{folder}/{path.name}": path.read_bytes()}
    else:
        where = folder
        files = {
            f"{folder}/{one.relative_to(path).as_posix()}": one.read_bytes()
            for one in sorted(path.rglob("*"))
            if one.is_file()
        }
    shell.put(files)
    argv = [*shell.python, "-m", "edge_lasso_runtime", "probe", where, "--json", "--seconds", str(seconds)]
    done = shell.run(argv, timeout=TIMEOUT + 10.0 * seconds)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BoardError(f"probe of {name} over {link} failed: {lines[-1][:300]}")
    try:
        data = json.loads(done.stdout[done.stdout.index("{") :])
        machine = data["machine"]
        where = f"{machine['board'] or machine['cpu']}, {machine['python']}"
        return Measurement(name, link, shell.kind, where, data["figures"], tuple(data["warnings"]))
    except (ValueError, KeyError, TypeError):
        raise BoardError(f"probe of {name} over {link} answered what is no measurement: {done.stdout[:80]!r}") from None
