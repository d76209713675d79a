"""Whether the world has moved since training: from a board's digest, a snapshot of its counters, or a table.

The population stability index of n readings in b bins is, where nothing moved and readings are independent, about a
chi-square of b - 1 degrees of freedom divided by n: never zero, and large for few readings. An index counts only above
that. Of a detector's score as many rows count as one as its threshold found to belong together; what correlated
readings add (they are worth fewer), and a part of a season, cannot be known from counters.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import gammaincinv

from edge_lasso.errors import DataError
from edge_lasso.tables.tables import model_batches, open_table
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso_runtime import Input, Model, model_hash, snapshot
from edge_lasso_runtime import drift as counting
from edge_lasso_runtime.detector import KEY as DETECTOR
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
        Of a detector; else of the first output, as "prediction".
    higher : bool
        Whether the score lies above that of training.
    page_hinkley, page_hinkley_limit : float or None
        How far the level of the score (else of the error, None where no row brought the truth) has risen, and from
        where on that is a rise.
    onsets : int or None
        Alarms that the board counted; None where the model is no detector.
    notes : list of str
    """

    source: str
    rows: int
    readings: list[Reading]
    score: Reading | None
    higher: bool
    page_hinkley: float | None
    page_hinkley_limit: float | None
    onsets: int | None
    notes: list[str]

    @property
    def moved(self) -> bool:
        """Whether anything moved, is missing more often, or whether the residuals rose."""
        every = [*self.readings, *([self.score] if self.score else [])]
        return self.worse or any(one.verdict in ("moved", "missing") for one in every)

    @property
    def worse(self) -> bool:
        """Whether the sensors agree less than in training, or predictions err more: what makes a model wrong."""
        rose = self.page_hinkley_limit is not None and (self.page_hinkley or 0.0) > self.page_hinkley_limit
        return rose or (self._detects and self.higher and self._score_is("moved"))

    @property
    def advice(self) -> str:
        """What to do."""
        gone = [one.name for one in self.readings if one.verdict == "missing"]
        away = [one.name for one in self.readings if one.verdict == "moved"]
        if not self._detects and self._score_is("moved"):
            away.append("the predictions")
        known = self._detects or self.page_hinkley is not None
        residuals = "residuals" if self._detects else "errors"
        said = []
        if gone:
            said.append(f"look after {_some(gone)}: missing more often than in training")
        if self.worse and self._detects:
            said.append("retrain: the sensors agree less than they did in training")
        elif self.worse:
            said.append("retrain: predictions err more than they did in training")
        elif self._detects and self._score_is("moved"):
            said.append("scores are lower than in training, and alarms rarer than stated: retrain when it suits")
        elif away and self._detects and self._score_is("too few rows"):
            said.append(f"{_some(away)} moved; the rows are too few to tell whether the residuals did")
        elif away and known:
            said.append(
                f"{_some(away)} moved, but the {residuals} did not: the model still holds; retrain when it suits"
            )
        elif away:
            said.append(f"retrain, or check {_some(away)}: readings are not where they were in training")
        if not said and any(one.verdict == "too few rows" for one in self.readings):
            said.append("nothing can be said yet: too few rows")
        elif not said and self._detects and self._score_is("too few rows"):
            said.append("no input moved; the rows are too few to say the same of the score")
        return "; ".join(said) or "stable: no reason to retrain"

    @property
    def _detects(self) -> bool:
        return self.onsets is not None

    def _score_is(self, verdict: str) -> bool:
        return self.score is not None and self.score.verdict == verdict


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
        raise DataError(
            "the model has no training histograms (section drift/1); train it with --sections estimate,health,drift"
        )
    path = Path(source)
    try:
        exists = source != "" and path.exists()
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
    return _from_counters(model, counters, "table", _onsets(state))


def count(model: Model, source: Any, progress: Callable[[float], None] | None = None) -> tuple[Any, Drift]:
    """The counters of a board that had seen the rows of a table.

    A model that scores goes through them one after another, as the board does, with the truth where it predicts a
    column that the table has; else they are counted a batch at a time.

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
        read = [model.inputs[i] for i in readings(model)]
        truth = model.outputs[0].name
        if DETECTOR in model.sections or model.outputs[0].link != "identity" or truth not in table.columns:
            truth = ""
        elif truth not in [one.name for one in read]:
            read.append(Input(truth, 0, 0.0, 0.0, 0.0))
        for rows in model_batches(table, model.replace(inputs=tuple(read), sections={})):
            for row in rows.tolist():
                step(model, state, _named(read, row) if truth else row)
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


def _named(read: list[Input], row: list[float]) -> dict[str, Any]:
    """A row as a board's: categories by their names, not by their indices."""
    return {
        one.name: value if one.categories is None else one.categories[int(value)] if value >= 0.0 else None
        for one, value in zip(read, row, strict=True)
    }


def _onsets(state: Any) -> int | None:
    return None if state is None or state.detector is None else int(state.detector.onsets)


def _from_digest(model: Model, data: bytes) -> Found:
    try:
        found = counting.read_digest(model, data)
    except ValueError as error:
        raise DataError(str(error)) from None
    section = model.sections[KEY]
    pairs = [(*found["readings"][one["input"]], one) for one in section["readings"]]
    rise = found["page_hinkley"] if "page_hinkley" in section else None
    onsets = found["onsets"] if DETECTOR in model.sections else None
    if onsets is None and not rise:
        rise = None  # where no truth came, nothing was watched
    return _found(model, "digest", found["rows"], pairs, found["score"], found["higher"], rise, onsets)


def _from_snapshot(model: Model, path: str) -> Found:
    state = start(model)
    try:
        state.restore(snapshot.load(path, model_hash(model))["state"])
    except (SnapshotError, ValueError, KeyError, TypeError) as error:
        raise DataError(str(error).partition("; start afresh")[0]) from None
    assert state.drift is not None
    return _from_counters(model, state.drift, "snapshot", _onsets(state))


def _from_counters(model: Model, counters: Drift, source: str, onsets: int | None) -> Found:
    section = model.sections[KEY]
    pairs = [
        (psi(one["parts"], counts[:-1]), counts[-1] / counters.rows if counters.rows else 0.0, one)
        for one, counts in zip(section["readings"], counters.counts, strict=True)
    ]
    score = psi(section["score"]["parts"], counters.score) if counters.score else None
    higher = bool(counters.score) and counting.higher(section["score"]["parts"], counters.score)
    watched = "page_hinkley" in section and (onsets is not None or counters.level != 0.0 or counters.lowest != 0.0)
    rise = counters.level - counters.lowest if watched else None
    return _found(model, source, counters.rows, pairs, score, higher, rise, onsets)


def _found(
    model: Model,
    source: str,
    rows: int,
    pairs: list[tuple[float, float, dict[str, Any]]],
    score: float | None,
    higher: bool,
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
    if score is not None:  # scores are smoothed: so many rows are worth one
        together = model.sections[DETECTOR]["threshold"]["hold"] if DETECTOR in model.sections else 1
        name, known = "score" if onsets is not None else "prediction", rows // max(together, 1)
        of_score = _judge(name, section["score"]["parts"], known, score, rounding, 0.0, 0.0)
        if onsets is not None and score > max(MOVED, of_score.chance):  # few rows, but no more than they are taken for
            of_score = replace(of_score, verdict="moved")
    trained = model.provenance.get("data", {}).get("rows")
    notes = []
    few = [one.chance for one in judged if one.verdict == "too few rows"]
    if few:
        needed = math.ceil(max(few) * max(rows, 1) / MOVED)
        notes.append(
            f"{rows} row{'s are' if rows != 1 else ' is'} too few to tell a move from chance; it takes {needed} "
            "independent ones or more"
        )
    elif isinstance(trained, int) and rows < SHORT * trained:
        notes.append(
            f"{rows:,} rows beside {trained:,} of training: a part of a day or of a season can look like a move"
        )
    limit = section["page_hinkley"]["limit"] if "page_hinkley" in section else None
    return Found(source, rows, judged, of_score, higher, rise, limit, onsets, notes)


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
