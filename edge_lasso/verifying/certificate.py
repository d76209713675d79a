"""The certificate: what was executed, on which rows, how far it was off and how far it may be."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

CERTIFICATE = "certificate.json"
FORMAT = "edge-lasso-certificate/1"
SEAL = "content_sha256"
PASSED, FAILED, NOT_EXECUTED, FOREIGN = "passed", "failed", "not_executed", "foreign"


@dataclass(frozen=True)
class Execution:
    """One artifact in one runtime.

    Parameters
    ----------
    target, variant : str
    files : dict
        File name to SHA-256.
    status : {"passed", "failed", "not_executed", "foreign"}
        ``foreign``: it answers as it should, and is not what the model renders to; that is no ``passed``.
    runtime : str
        Who executed it, such as ``onnxruntime 1.32.0``; who would have, when it was not executed.
    rows : int
        Rows compared.
    largest_error : float or None
        Largest absolute difference of the linear predictor from what the artifact must compute, over rows without a
        reading outside its range (those that the promised bound is about). None when a result was not a number.
    largest_ratio : float or None
        Largest error over tolerance, row by row, over all rows; 0 where both are 0. None when a tolerance of 0 was
        missed or a result was not a number.
    promised : dict
        ``kind``, ``bound`` (over the declared ranges, or None) and ``text``.
    reason : str
        Why it failed or was not executed.
    worst_row : list or None
        The row with the largest ratio (the first that missed), None where a reading is missing.
    proofs : list of dict
        What holds for every row: ``name``, ``method`` ("intervals": shown for this model; "lemma": stated beside the
        program and tested) and ``statement``; by a tool, also ``status``, ``tool``, ``seconds``, ``assumed``.
    """

    target: str
    variant: str
    files: Mapping[str, str]
    status: str
    runtime: str
    rows: int = 0
    largest_error: float | None = None
    largest_ratio: float | None = None
    promised: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    worst_row: list[float | None] | None = None
    proofs: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Target and variant, as in ``--to``."""
        return f"{self.target}:{self.variant}"


@dataclass(frozen=True)
class Certificate:
    """What `verify` and `export` found.

    Parameters
    ----------
    model_hash : str
    date : str
        ISO 8601, UTC; from ``SOURCE_DATE_EPOCH`` when that is set.
    rows : dict
        Rows tried, by kind.
    artifacts : tuple of Execution
        An artifact that runs in several runtimes (CPython and MicroPython, gcc and clang) has one entry for each.
    """

    model_hash: str
    date: str
    rows: Mapping[str, int]
    artifacts: tuple[Execution, ...]

    @property
    def verdicts(self) -> dict[str, str]:
        """Title (``c:float``) to status: failed if it failed anywhere, else passed (foreign) if it did so somewhere."""
        entry: dict[str, str] = {}
        for artifact in self.artifacts:
            rank = (NOT_EXECUTED, PASSED, FOREIGN, FAILED)
            entry[artifact.title] = max(entry.get(artifact.title, NOT_EXECUTED), artifact.status, key=rank.index)
        return entry

    @property
    def status(self) -> str:
        """``passed`` if all artifacts did, else the first there is of ``failed``, ``foreign``, ``not_executed``."""
        verdicts = self.verdicts.values()
        return next((status for status in (FAILED, FOREIGN, NOT_EXECUTED) if status in verdicts), PASSED)

    def with_earlier(self, out: Path) -> Certificate:
        """Entries of an earlier certificate of the same model, in a folder, whose artifacts stay where they are."""
        try:
            earlier = from_json(json.loads((out / CERTIFICATE).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return self
        if earlier.model_hash != self.model_hash:
            return self
        titles = {artifact.title for artifact in self.artifacts}
        remaining = tuple(
            artifact
            for artifact in earlier.artifacts
            if artifact.title not in titles and (out / artifact.title.replace(":", "-")).is_dir()
        )
        return replace(self, artifacts=remaining + self.artifacts)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data, the last of which is the hash of the rest."""
        data = {
            "format": FORMAT,
            "model_hash": self.model_hash,
            "date": self.date,
            "status": self.status,
            "rows": dict(self.rows),
            "artifacts": [asdict(artifact) for artifact in self.artifacts],
        }
        return {**data, SEAL: _seal(data)}


def from_json(data: Mapping[str, Any]) -> Certificate:
    """Read what `Certificate.to_json` wrote.

    Raises
    ------
    ValueError
        It is something else, damaged or edited.
    """
    if data.get("format") != FORMAT:
        raise ValueError(f"format is {data.get('format')!r}; this version reads {FORMAT!r}")
    if data.get(SEAL) != _seal({key: value for key, value in data.items() if key != SEAL}):
        raise ValueError(f"damaged or edited: its {SEAL} is not that of its content")
    try:
        artifacts = tuple(Execution(**artifact) for artifact in data["artifacts"])
        return Certificate(data["model_hash"], data["date"], data["rows"], artifacts)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a certificate: {error}") from None


def _seal(data: Mapping[str, Any]) -> str:
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def today() -> str:
    """Now, or ``SOURCE_DATE_EPOCH``, as ISO 8601 in UTC."""
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
