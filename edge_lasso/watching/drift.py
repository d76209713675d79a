"""Whether the world has moved since training: from a board's digest, a snapshot of its counters, or a table.

The population stability index of n readings in b bins is, where nothing moved and readings are independent, about a
chi-square of b - 1 degrees of freedom divided by n: never zero, and large for few readings. An index counts only above
that. Of a detector's score as many rows count as one as its threshold found to belong together; what correlated
readings add (they are worth fewer), and a part of a season, cannot be known from counters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.tables.tables import model_batches, open_table
from edge_lasso.tables.unreadable import NotANumber
from edge_lasso.watching.findings import DriftReport, drift_report
from edge_lasso_runtime import Input, Model, model_hash, snapshot
from edge_lasso_runtime import drift as counting
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.drift import KEY, MAGIC, Drift, psi
from edge_lasso_runtime.errors import SnapshotError
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import readings

LARGEST_DIGEST = 4096


def drift(
    model: Model,
    source: Any,
    progress: Callable[[float], None] | None = None,
    histograms: dict[str, Any] | None = None,
) -> DriftReport:
    """Compare what came after training with training.

    Parameters
    ----------
    model : Model
        With a section ``drift/1``.
    source : str, or a table in memory
        A digest (hexadecimal or base64) or a file: a digest, a snapshot that ``score`` keeps, or a table.
    progress : callable, optional
        Called with the rows of a table that are done.
    histograms : dict, optional
        For a table, where the model has no section ``drift/1``: what its statistics keep (`beside.histograms`).

    Raises
    ------
    DataError
        The model counts no drift; the digest or snapshot is of another model or damaged; a table lacks a column.
    """
    counts = KEY in model.sections
    if not counts and histograms is None:
        raise DataError(
            "the model has no training histograms (section drift/1); keep its .stats.npz beside it, or train it with "
            "--sections estimate,health,drift"
        )
    if not counts:
        model = model.replace(sections={**model.sections, KEY: histograms})
    if not isinstance(source, str | Path):
        return _from_table(model, source, progress)
    path, source = Path(source), str(source)
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
            if not counts:
                raise DataError(f"{path}: a board with this model counts nothing; train it with --sections drift")
            return _from_snapshot(model, str(path))
        data = head if head.startswith(MAGIC) else _decode(head.decode("ascii", "replace"))
        if data is not None:
            return _from_digest(model, data)
    return _from_table(model, path, progress)


def _from_table(model: Model, source: Any, progress: Callable[[float], None] | None) -> DriftReport:
    state, counters = count(model, source, progress)
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
        elif truth not in [entry.name for entry in read]:
            read.append(Input(truth, 0, 0.0, 0.0, 0.0))
        for rows in model_batches(table, model.replace(inputs=tuple(read), sections={})):
            for row in rows.tolist():
                step(model, state, _named(read, row) if truth else row)
            if progress:
                progress(state.rows)
        assert state.drift is not None
        return state, state.drift
    names = [reading["input"] for reading in section["readings"]]
    try:
        for numbers, _ in table.batches(names):
            for k, reading in enumerate(section["readings"]):
                values = numbers[:, k].astype(np.float64)
                known = np.abs(values) <= model.limit
                bins = np.searchsorted(np.asarray(reading["edges"], dtype=np.float64), values[known], side="left")
                result = np.bincount(bins, minlength=len(reading["edges"]) + 1)
                for b, new in enumerate([*result, np.count_nonzero(~known)]):
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
        entry.name: value if entry.categories is None else entry.categories[int(value)] if value >= 0.0 else None
        for entry, value in zip(read, row, strict=True)
    }


def _onsets(state: Any) -> int | None:
    return None if state is None or state.detector is None else int(state.detector.onsets)


def _from_digest(model: Model, data: bytes) -> DriftReport:
    try:
        digest = counting.read_digest(model, data)
    except ValueError as error:
        raise DataError(str(error)) from None
    section = model.sections[KEY]
    pairs = [(*digest["readings"][reading["input"]], reading) for reading in section["readings"]]
    rise = digest["page_hinkley"] if "page_hinkley" in section else None
    onsets = digest["onsets"] if DETECTOR in model.sections else None
    if onsets is None and not rise:
        rise = None  # where no truth came, nothing was watched
    return drift_report(model, "digest", digest["rows"], pairs, digest["score"], digest["higher"], rise, onsets)


def _from_snapshot(model: Model, path: str) -> DriftReport:
    state = start(model)
    try:
        state.restore(snapshot.load(path, model_hash(model))["state"])
    except (SnapshotError, ValueError, KeyError, TypeError) as error:
        raise DataError(str(error).partition("; start afresh")[0]) from None
    assert state.drift is not None
    return _from_counters(model, state.drift, "snapshot", _onsets(state))


def _from_counters(model: Model, counters: Drift, source: str, onsets: int | None) -> DriftReport:
    section = model.sections[KEY]
    pairs = [
        (psi(reading["parts"], counts[:-1]), counts[-1] / counters.rows if counters.rows else 0.0, reading)
        for reading, counts in zip(section["readings"], counters.counts, strict=True)
    ]
    score = psi(section["score"]["parts"], counters.score) if counters.score else None
    higher = bool(counters.score) and counting.higher(section["score"]["parts"], counters.score)
    watched = "page_hinkley" in section and (onsets is not None or counters.level != 0.0 or counters.lowest != 0.0)
    rise = counters.level - counters.lowest if watched else None
    return drift_report(model, source, counters.rows, pairs, score, higher, rise, onsets)


def _decode(text: str) -> bytes | None:
    """A digest from hexadecimal or base64 text; None when it is none."""
    text = "".join(text.strip().removeprefix("digest:").split())
    for decode in (bytes.fromhex, lambda entry: base64.b64decode(entry, validate=True)):
        try:
            data = decode(text)
        except (ValueError, binascii.Error):
            continue
        if data.startswith(MAGIC):
            return data
    return None
