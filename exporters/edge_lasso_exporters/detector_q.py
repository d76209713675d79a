"""Where everything lies in an artifact's `step_q`: one memory for readings and their histories, tables for sensors.

`memory` holds, reading after reading, its integer of now and those of the rows before, as far back as a derived input
looks; behind them the derived inputs that are not lags. A row shifts all of it by one place and then writes the
integers of now over what came from the neighbour, so that a lag is a place and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edge_lasso_runtime.fixed_detector import ENDLESS, KEY, readings_q, start_q, step_q
from edge_lasso_runtime.fixed_history import FRACTION, rate_of
from edge_lasso_runtime.fixed_point import INT16
from edge_lasso_runtime.fixed_point import KEY as FIXED
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.stream import ring_length

from .options import Options
from .stateful import Stateful, sequence


def has_step_q(model: Model) -> bool:
    """Whether artifacts of the variant ``fixed`` get `step_q`."""
    return KEY in model.sections


@dataclass(frozen=True)
class DetectorQ:
    """A detector in integers, laid out.

    Parameters
    ----------
    model : Model
        With a section ``fixed_detector/1``.
    """

    model: Model

    @cached_property
    def plan(self) -> Stateful:
        """The same model as `step` has it."""
        return Stateful(self.model, Options("fixed"))

    @property
    def section(self) -> dict[str, Any]:
        """The integers."""
        entry: dict[str, Any] = self.model.sections[KEY]
        return entry

    @property
    def detector(self) -> dict[str, Any]:
        """What integers are made from, and the choices that are no numbers of a row: tracking, hold, warm-up."""
        entry: dict[str, Any] = self.plan.detector or {}
        return entry

    @property
    def fixed(self) -> list[dict[str, Any]]:
        """The inputs of ``fixed_point/1``."""
        entries: list[dict[str, Any]] = self.model.sections[FIXED]["inputs"]
        return entries

    @cached_property
    def starts(self) -> list[int]:
        """Where the integer of now of each reading lies."""
        at, result = 0, []
        for i in self.plan.readings:
            result.append(at)
            at += 1 + ring_length(self.model, self.model.inputs[i].name)
        return result

    @cached_property
    def now(self) -> dict[str, int]:
        """The same by name."""
        return {self.model.inputs[i].name: at for i, at in zip(self.plan.readings, self.starts, strict=True)}

    @cached_property
    def held(self) -> int:
        """Places of readings and their histories."""
        last = self.plan.readings[-1]
        return self.starts[-1] + 1 + ring_length(self.model, self.model.inputs[last].name)

    @cached_property
    def places(self) -> list[int]:
        """Where each of the model's inputs lies."""
        kinds = [feature.stream[0] for feature in self.model.inputs if feature.stream is not None]
        behind = {"ewma": self.held + kinds.count("difference") + kinds.count("mean")}
        results = []
        for feature in self.model.inputs:
            if feature.stream is None:
                results.append(self.now[feature.name])
            elif feature.stream[0] == "lag":
                results.append(self.now[feature.stream[1]] + feature.stream[2])
            else:
                kind = "ewma" if feature.stream[0] == "ewma" else "others"
                results.append(behind.setdefault(kind, self.held))
                behind[kind] += 1
        return results

    @cached_property
    def size(self) -> int:
        """Places in all."""
        return max(self.held, 1 + max(self.places))

    @cached_property
    def derived(self) -> list[tuple[int, str, int, int, int, int]]:
        """Place, kind, place of the source now, length, smallest and largest integer of differences and means."""
        return [
            (
                place,
                feature.stream[0],
                self.now[feature.stream[1]],
                feature.stream[2],
                self.fixed[i]["low"],
                self.fixed[i]["high"],
            )
            for i, (feature, place) in enumerate(zip(self.model.inputs, self.places, strict=True))
            if feature.stream is not None and feature.stream[0] in ("difference", "mean")
        ]

    @cached_property
    def averages(self) -> list[tuple[int, int, int, int]]:
        """Place, place of the source now, rate and shift of each moving average among the inputs."""
        return [
            (place, self.now[feature.stream[1]], *rate_of(feature.stream[2]))
            for feature, place in zip(self.model.inputs, self.places, strict=True)
            if feature.stream is not None and feature.stream[0] == "ewma"
        ]

    @cached_property
    def own(self) -> list[int]:
        """Which reading each residual is of."""
        which = {i: k for k, i in enumerate(self.plan.readings)}
        return [which[at] for at, *_ in self.plan.watched]

    @cached_property
    def terms(self) -> list[list[tuple[int, int]]]:
        """Per residual: coefficient and place of what it reads besides its own reading."""
        return [[(coef, self.places[i]) for coef, i in sensor["terms"]] for sensor in self.section["watched"]]

    @property
    def stuck(self) -> int:
        """The longest run of equal integers that any reading may have; 0 where none is limited."""
        return max(int(reading["stuck"]) for reading in self.section["readings"])

    @property
    def jumps(self) -> bool:
        """Whether a change of any reading is limited."""
        return any(reading["jump"] < ENDLESS for reading in self.section["readings"])

    @property
    def slow_cut(self) -> bool:
        """Whether the slow part can exceed what its square has room for."""
        section = self.section
        top = section["clip"] << FRACTION
        most = ((top >> section["first"]) + 1) * max(sensor["slow"] for sensor in section["watched"])
        return bool((most + (1 << section["second"] >> 1)) >> section["second"] > INT16)


def replayed(q: DetectorQ) -> tuple[list[list[int]], int, int]:
    """A short sequence of integers for self-tests, and the score and the total that it ends in."""
    state, score, total = start_q(q.model), 0, 0
    rows = [readings_q(q.model, row) for row in sequence(q.plan)]
    for row in rows:
        result, state = step_q(q.model, state, row)
        score, total = result.score, result.total
    return rows, score, total


def smallest(values: list[int]) -> str:
    """The smallest C type that holds all of these."""
    low, high = min(values), max(values)
    for kind, least, most in (
        ("uint8_t", 0, 255), ("int8_t", -128, 127), ("uint16_t", 0, 65535), ("int16_t", -32768, 32767)
    ):  # fmt: skip
        if least <= low and high <= most:
            return kind
    return "uint32_t" if low >= 0 else "int32_t"
