"""What drift counters say, reading by reading."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from scipy.special import gammaincinv

from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.drift import KEY, MOVED, PSI_STEP, STABLE

SURE = 0.99
MISSING = 0.05
"""So much more missing than in training is said to be more."""
SHORT = 0.01


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
class DriftReport:
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
        return self.worse or any(member.verdict in ("moved", "missing") for member in every)

    @property
    def worse(self) -> bool:
        """Whether the sensors agree less than in training, or predictions err more: what makes a model wrong."""
        rose = self.page_hinkley_limit is not None and (self.page_hinkley or 0.0) > self.page_hinkley_limit
        return rose or (self._detects and self.higher and self._score_is("moved"))

    @property
    def advice(self) -> str:
        """What to do."""
        gone = [reading.name for reading in self.readings if reading.verdict == "missing"]
        away = [reading.name for reading in self.readings if reading.verdict == "moved"]
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
        if not said and any(reading.verdict == "too few rows" for reading in self.readings):
            said.append("nothing can be said yet: too few rows")
        elif not said and self._detects and self._score_is("too few rows"):
            said.append("no input moved; the rows are too few to say the same of the score")
        return "; ".join(said) or "stable: no reason to retrain"

    @property
    def _detects(self) -> bool:
        return self.onsets is not None

    def _score_is(self, verdict: str) -> bool:
        return self.score is not None and self.score.verdict == verdict


def drift_report(
    model: Model,
    source: str,
    rows: int,
    pairs: list[tuple[float, float, dict[str, Any]]],
    score: float | None,
    higher: bool,
    rise: float | None,
    onsets: int | None,
) -> DriftReport:
    """What counters over some rows say: each reading readings, and the score.

    Parameters
    ----------
    source : str
        Where the counters come from: a table, a snapshot, or a digest, which rounds.
    pairs : list of (index, missing part, section entry)
        Of each reading.
    higher : bool
        Page-Hinkley's test has signalled that the score rose; `rise`: by how much.
    """
    section = model.sections[KEY]
    rounding = 0.5 / PSI_STEP if source == "digest" else 0.0
    readings = [
        _judge(entry["input"], entry["parts"], rows, index, rounding, gone, entry["missing"])
        for index, gone, entry in pairs
    ]
    readings.sort(key=lambda reading: -reading.index)
    of_score = None
    if score is not None:  # scores are smoothed: so many rows are worth one
        together = model.sections[DETECTOR]["threshold"]["hold"] if DETECTOR in model.sections else 1
        name, known = "score" if onsets is not None else "prediction", rows // max(together, 1)
        of_score = _judge(name, section["score"]["parts"], known, score, rounding, 0.0, 0.0)
        if onsets is not None and score > max(MOVED, of_score.chance):  # few rows, but no more than they are taken for
            of_score = replace(of_score, verdict="moved")
    trained = model.provenance.get("data", {}).get("rows")
    notes = []
    few = [reading.chance for reading in readings if reading.verdict == "too few rows"]
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
    return DriftReport(source, rows, readings, of_score, higher, rise, limit, onsets, notes)


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


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
