"""Whether the world has moved since training: from a board's digest, a snapshot of its counters, or a table.

The population stability index of n readings in b bins is, where nothing moved and readings are independent, about a
chi-square of b - 1 degrees of freedom divided by n: never zero, and large for few readings. An index counts only above
that; what correlated readings add to it (they are worth fewer) and a part of a season cannot be known from counters.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import gammaincinv

from edge_lasso.errors import DataError
from edge_lasso.readers import NotANumber
from edge_lasso.tables import model_batches, open_table
from edge_lasso_runtime import Model, model_hash, snapshot
from edge_lasso_runtime import drift as counting
from edge_lasso_runtime.drift import KEY, MAGIC, MOVED, PSI_STEP, STABLE, Drift, psi
from edge_lasso_runtime.errors import SnapshotError
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import readings

SURE = 0.99
MISSING = 0.05
"""So much more missing than in training is said to be more."""
SHORT = 0.01
LARGEST_DIGEST = 4096


@dataclass(frozen=True)
class Reading:
    """One input, or the score.

    Parameters
    ----------
    name : str
    index : float
        Population stability index.
    chance : float
        What an index of so many independent readings stays below with 99 % confidence when nothing moved.
    missing, missing_training : float
        Part of the rows without the reading, now and in training.
    verdict : {"stable", "shifting", "moved", "missing", "too few rows"}
    """

    name: str
    index: float
    chance: float
    missing: float
    missing_training: float
    verdict: str


@dataclass(frozen=True)
class Found:
    """What has moved.

    Parameters
    ----------
    source : {"digest", "snapshot", "table"}
    rows : int
    readings : list of Reading
        Largest index first.
    score : Reading or None
    page_hinkley, page_hinkley_limit : float or None
        How far the level of the score has risen, and from where on that is a rise.
    onsets : int or None
        Alarms that the board counted.
    notes : list of str
    """

    source: str
    rows: int
    readings: list[Reading]
    score: Reading | None
    page_hinkley: float | None
    page_hinkley_limit: float | None
    onsets: int | None
    notes: list[str]

    @property
    def moved(self) -> bool:
        """Whether anything moved, is missing more often, or whether the residuals rose."""
        found = any(one.verdict in ("moved", "missing") for one in self.readings)
        return found or self.worse

    @property
    def worse(self) -> bool:
        """Whether the sensors agree less than in training: what makes a model wrong."""
        rose = self.page_hinkley_limit is not None and (self.page_hinkley or 0.0) > self.page_hinkley_limit
        return rose or (self.score is not None and self.score.verdict == "moved")

    @property
    def advice(self) -> str:
        """What to do."""
        gone = [one.name for one in self.readings if one.verdict == "missing"]
        away = [one.name for one in self.readings if one.verdict == "moved"]
        said = []
        if gone:
            said.append(f"look after {_some(gone)}: missing more often than in training")
        if self.worse:
            said.append("retrain: the sensors agree less than they did in training")
        elif away and self.score is not None:
            said.append(f"{_some(away)} moved, but the residuals did not: the model still holds; retrain when it suits")
        elif away:
            said.append(f"retrain, or check {_some(away)}: readings are not where they were in training")
        if not said and any(one.verdict == "too few rows" for one in self.readings):
            said.append("nothing can be said yet: too few rows")
        return "; ".join(said) or "stable: no reason to retrain"


def drift(model: Model, source: str, progress: Callable[[float], None] | None = None) -> Found:
    """Compare what came after training with training.

    Parameters
    ----------
    model : Model
        With a section ``drift/1``.
    source : str
        A digest (hexadecimal or base64) or a file: a digest, a snapshot that ``score`` keeps, or a table.
    progress : callable, optional
        Called with the rows of a table that are done.

    Raises
    ------
    DataError
        The model counts no drift; the digest or snapshot is of another model or damaged; a table lacks a column.
    """
    if KEY not in model.sections:
        raise DataError("the model has no training histograms (section drift/1); train it again to get them")
    path = Path(source)
    try:
        exists = path.exists()
    except OSError:  # a digest is longer than a name may be
        exists = False
    if not exists:
        data = _decode(source)
        if data is None:
            raise DataError(f"{source[:60]!r} is neither a file nor a digest (hexadecimal or base64)")
        return _from_digest(model, data)
    if path.is_file():
        with open(path, "rb") as file:
            head = file.read(LARGEST_DIGEST)
        if head.lstrip().startswith(b'{"format": "edge-lasso-state/'):
            return _from_snapshot(model, str(path))
        data = head if head.startswith(MAGIC) else _decode(head.decode("ascii", "replace"))
        if data is not None:
            return _from_digest(model, data)
    state, counters = count(model, path, progress)
    return _from_counters(model, counters, "table", state.detector.onsets if state is not None else None)


def count(model: Model, source: Any, progress: Callable[[float], None] | None = None) -> tuple[Any, Drift]:
    """The counters of a board that had seen the rows of a table.

    A model that scores goes through them one after another, as the board does; else they are counted a batch at a time.

    Returns
    -------
    state : State or None
    counters : Drift
    """
    counters = Drift(model)
    table = open_table(source)
    section = model.sections[KEY]
    if "score" in section:
        state = start(model)
        places = readings(model)
        only = model.replace(inputs=tuple(model.inputs[i] for i in places), sections={})
        for rows in model_batches(table, only):
            for row in rows.tolist():
                step(model, state, row)
            if progress:
                progress(state.rows)
        assert state.drift is not None
        return state, state.drift
    names = [one["input"] for one in section["readings"]]
    try:
        for numbers, _ in table.batches(names):
            for k, one in enumerate(section["readings"]):
                values = numbers[:, k].astype(np.float64)
                known = np.abs(values) <= model.limit
                bins = np.searchsorted(np.asarray(one["edges"], dtype=np.float64), values[known], side="left")
                found = np.bincount(bins, minlength=len(one["edges"]) + 1)
                for b, new in enumerate([*found, np.count_nonzero(~known)]):
                    counters.counts[k][b] += int(new)
            counters.rows += len(numbers)
            if progress:
                progress(counters.rows)
    except NotANumber as error:
        raise DataError(error.saying("the model needs numbers there")) from None
    return None, counters


def _from_digest(model: Model, data: bytes) -> Found:
    try:
        found = counting.read_digest(model, data)
    except ValueError as error:
        raise DataError(str(error)) from None
    section = model.sections[KEY]
    pairs = [(*found["readings"][one["input"]], one) for one in section["readings"]]
    rise = found["page_hinkley"] if "page_hinkley" in section else None
    onsets = found["onsets"] if "detector/1" in model.sections else None
    return _found(model, "digest", found["rows"], pairs, found["score"], rise, onsets)


def _from_snapshot(model: Model, path: str) -> Found:
    state = start(model)
    try:
        state.restore(snapshot.load(path, model_hash(model))["state"])
    except (SnapshotError, ValueError, KeyError, TypeError) as error:
        raise DataError(str(error).partition("; start afresh")[0]) from None
    assert state.drift is not None
    return _from_counters(model, state.drift, "snapshot", state.detector.onsets if state.detector is not None else None)


def _from_counters(model: Model, counters: Drift, source: str, onsets: int | None) -> Found:
    section = model.sections[KEY]
    pairs = [
        (psi(one["parts"], counts[:-1]), counts[-1] / counters.rows if counters.rows else 0.0, one)
        for one, counts in zip(section["readings"], counters.counts, strict=True)
    ]
    score = psi(section["score"]["parts"], counters.score) if counters.score else None
    rise = counters.level - counters.lowest if "page_hinkley" in section else None
    return _found(model, source, counters.rows, pairs, score, rise, onsets)


def _found(
    model: Model,
    source: str,
    rows: int,
    pairs: list[tuple[float, float, dict[str, Any]]],
    score: float | None,
    rise: float | None,
    onsets: int | None,
) -> Found:
    section = model.sections[KEY]
    rounding = 0.5 / PSI_STEP if source == "digest" else 0.0
    judged = [
        _judge(one["input"], one["parts"], rows, index, rounding, gone, one["missing"]) for index, gone, one in pairs
    ]
    judged.sort(key=lambda one: -one.index)
    of_score = None
    if score is not None:
        of_score = _judge("score", section["score"]["parts"], rows, score, rounding, 0.0, 0.0)
    trained = model.provenance.get("data", {}).get("rows")
    notes = []
    few = [one.chance for one in judged if one.verdict == "too few rows"]
    if few:
        needed = math.ceil(max(few) * max(rows, 1) / MOVED)
        notes.append(f"{rows} rows are too few to tell a move from chance; it takes {needed} independent ones or more")
    elif isinstance(trained, int) and rows < SHORT * trained:
        notes.append(
            f"{rows:,} rows beside {trained:,} of training: a part of a day or of a season can look like a move"
        )
    limit = section["page_hinkley"]["limit"] if "page_hinkley" in section else None
    return Found(source, rows, judged, of_score, rise, limit, onsets, notes)


def _judge(
    name: str, parts: list[float], rows: int, index: float, rounding: float, gone: float, trained: float
) -> Reading:
    known = rows * (1.0 - gone)
    chance = 2.0 * float(gammaincinv(max(len(parts) - 1, 1) / 2.0, SURE)) / max(known, 1.0) + rounding
    spread = 2.6 * math.sqrt(max(trained * (1.0 - trained), 1.0 / max(rows, 1)) / max(rows, 1))
    if gone > trained + max(MISSING, spread):
        verdict = "missing"
    elif chance > MOVED:
        verdict = "too few rows"
    elif index > max(MOVED, chance):
        verdict = "moved"
    else:
        verdict = "shifting" if index > max(STABLE, chance) else "stable"
    return Reading(name, index, chance, gone, trained, verdict)


def _decode(text: str) -> bytes | None:
    """A digest from hexadecimal or base64 text; None when it is none."""
    text = "".join(text.strip().removeprefix("digest:").split())
    for decode in (bytes.fromhex, lambda one: base64.b64decode(one, validate=True)):
        try:
            data = decode(text)
        except (ValueError, binascii.Error):
            continue
        if data.startswith(MAGIC):
            return data
    return None


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
