"""What the text targets need to know of a model that takes in rows one after another: places, tables, constants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.estimate import numeric, slopes
from edge_lasso_runtime.health import KEY as HEALTH
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.stream import readings, ring_length, warm_up

from .options import Options

KINDS = ("lag", "difference", "mean")
FAULTS = ("missing", "stuck", "jump", "out of range")
SHORT = 16
"""A self-test carries a sequence for at most this many readings."""


@dataclass(frozen=True)
class Stateful:
    """A model that keeps state, laid out for a row of an artifact.

    Parameters
    ----------
    model : Model
    options : Options
    """

    model: Model
    options: Options

    @cached_property
    def places(self) -> list[int]:
        """Where each of the model's inputs stands in an artifact's row."""
        return [feature.column if self.options.inputs == "all" else i for i, feature in enumerate(self.model.inputs)]

    @property
    def width(self) -> int:
        """Values in an artifact's row."""
        return len(self.model.columns) if self.options.inputs == "all" else len(self.model.inputs)

    @cached_property
    def readings(self) -> list[int]:
        """Positions in `Model.inputs` of what `step` takes."""
        return readings(self.model)

    @property
    def names(self) -> list[str]:
        """The names of the readings."""
        return [self.model.inputs[i].name for i in self.readings]

    @cached_property
    def limits(self) -> dict[int, tuple[int, float]]:
        """Position of a reading to its longest run (0: endless) and largest change, where the model has health/1."""
        place = {feature.name: i for i, feature in enumerate(self.model.inputs)}
        value = self.model.sections.get(HEALTH, {}).get("readings", [])
        return {place[entry["input"]]: (entry["stuck"], entry["jump"]) for entry in value}

    @cached_property
    def sources(self) -> list[tuple[int, int]]:
        """Position and ring length of each reading that is kept."""
        sizes = [(i, ring_length(self.model, self.model.inputs[i].name)) for i in self.readings]
        return [(i, size) for i, size in sizes if size]

    @cached_property
    def derived(self) -> list[tuple[int, str, int, int, int]]:
        """Position, kind, position of the source, its ring, length; of what rings give."""
        place = {feature.name: i for i, feature in enumerate(self.model.inputs)}
        ring = {i: r for r, (i, _) in enumerate(self.sources)}
        results = []
        for i, feature in enumerate(self.model.inputs):
            if feature.stream is not None and feature.stream[0] != "ewma":
                kind, source, length = feature.stream
                results.append((i, kind, place[source], ring[place[source]], length))
        return results

    @cached_property
    def averages(self) -> list[tuple[int, int, int]]:
        """Position, position of the source and span of each moving average."""
        place = {feature.name: i for i, feature in enumerate(self.model.inputs)}
        return [
            (i, place[feature.stream[1]], feature.stream[2])
            for i, feature in enumerate(self.model.inputs)
            if feature.stream is not None and feature.stream[0] == "ewma"
        ]

    @property
    def streams(self) -> bool:
        """Whether there are derived inputs."""
        return bool(self.derived or self.averages)

    @property
    def warm_up(self) -> int:
        """Rows without an alarm, and called warming up."""
        return max(warm_up(self.model), self.detector["warm_up"] if self.detector else 0)

    @property
    def estimate(self) -> dict[str, Any] | None:
        """The section estimate/1."""
        entry: dict[str, Any] | None = self.model.sections.get(ESTIMATE)
        return entry

    @cached_property
    def numeric(self) -> list[int]:
        """Positions of the inputs of numbers."""
        return numeric(self.model)

    @cached_property
    def slopes(self) -> list[list[float]]:
        """Per output, how it changes with each input of numbers."""
        return slopes(self.model, self.numeric)

    @property
    def detector(self) -> dict[str, Any] | None:
        """The section detector/1."""
        entry: dict[str, Any] | None = self.model.sections.get(DETECTOR)
        return entry

    @cached_property
    def watched(self) -> list[tuple[int, float, float, float, float]]:
        """Per output: position of the watched reading, centre, 1 / scale, 1 / slow, weight."""
        place = {feature.name: i for i, feature in enumerate(self.model.inputs)}
        return [
            (place[sensor["reading"]], sensor["centre"], 1.0 / sensor["scale"], 1.0 / sensor["slow"], sensor["weight"])
            for sensor in (self.detector or {}).get("watched", [])
        ]

    @property
    def reads(self) -> list[tuple[int, int]]:
        """Input and output of what a detector's predictions read, where defaults stand in for what is missing.

        Such a prediction says nothing (see `edge_lasso_runtime.detector`); empty where missing inputs are estimated.
        """
        if self.detector is None or self.estimate is not None:
            return []
        return sorted(
            {
                (factor.input, k)
                for k, output in enumerate(self.model.outputs)
                for term in output.terms
                for factor in term.factors
                if self.model.inputs[factor.input].categories is None
            }
        )

    @property
    def adjust(self) -> dict[str, Any] | None:
        """The online adjustment: factors of the threshold after a row with and without an alarm, ends, freeze."""
        section = self.detector or {}
        adjust, limit = section.get("adjust"), section.get("threshold", {})
        if adjust is None:
            return None
        eta, rate = adjust["eta"], limit["row_rate"]
        return {
            "up": math.exp(eta * (1.0 - rate)), "down": math.exp(eta * (0.0 - rate)),
            "least": limit["score"] * adjust["floor"], "most": limit["score"] * adjust["cap"],
            "freeze": adjust["freeze"], "thaw": adjust["thaw"],
        }  # fmt: skip


def sequence(plan: Stateful, length: int = 6) -> list[list[float | None]]:
    """A short sequence for self-tests: inside the ranges, with one gap; in the order of the readings."""
    rows: list[list[float | None]] = []
    for t in range(length):
        row: list[float | None] = []
        for k, i in enumerate(plan.readings):
            feature = plan.model.inputs[i]
            if feature.categories is not None:
                row.append(float((t + k) % len(feature.categories)) if feature.categories else -1.0)
                continue
            assert feature.low is not None
            assert feature.high is not None
            part = ((t * 5 + k * 3) % 8 + 1) / 10
            row.append(
                None
                if t == 3 and k == 0
                else min(max(feature.low + (feature.high - feature.low) * part, feature.low), feature.high)
            )
        rows.append(row)
    return rows
