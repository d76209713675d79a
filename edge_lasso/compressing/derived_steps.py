"""Which steps derived inputs count in: those of the reading that they are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from edge_lasso.errors import DataError
from edge_lasso_runtime.fixed_history import LONGEST_MEAN
from edge_lasso_runtime.fixed_point import INT16
from edge_lasso_runtime.model import Input, Model
from edge_lasso_runtime.stream import keeps_state

Start = tuple[Fraction, "int | None", list[float]]


@dataclass(frozen=True)
class Span:
    """What has to fit 16 bits besides a reading itself.

    Parameters
    ----------
    low, high : float
        Of differences of the reading.
    spare : int
        1 where the smallest integer means missing.
    """

    low: float = 0.0
    high: float = 0.0
    spare: int = 0

    def check(self, one: Input) -> None:
        """Refuse a raw scale in whose counts the differences do not fit."""
        assert one.raw is not None
        if max(-self.low, self.high) / abs(one.raw[0]) > INT16:
            raise DataError(
                f"differences of input {one.name!r} from {self.low!r} to {self.high!r} do not fit 16 bits in its "
                "counts; declare a narrower range for them"
            )


def spans(model: Model) -> list[Span]:
    """For each input of a model, what else has to fit its steps.

    Raises
    ------
    DataError
        For a mean of too many readings.
    """
    spare = int(keeps_state(model))
    table = {feature.name: Span(spare=spare) for feature in model.inputs}
    for feature in model.inputs:
        if feature.stream is None:
            continue
        kind, source, length = feature.stream
        if kind == "mean" and length > LONGEST_MEAN:
            raise DataError(
                f"input {feature.name!r}: fixed point takes means of at most {LONGEST_MEAN} readings, not {length}"
            )
        if kind == "difference":
            assert feature.low is not None
            assert feature.high is not None
            before = table[source]
            table[source] = Span(min(before.low, feature.low), max(before.high, feature.high), spare)
    return [table[feature.name] for feature in model.inputs]


def axis_of(model: Model) -> list[int]:
    """For each input the one whose steps it counts in: itself, or its source."""
    place = {feature.name: i for i, feature in enumerate(model.inputs)}
    return [i if feature.stream is None else place[feature.stream[1]] for i, feature in enumerate(model.inputs)]


def stream_starts(model: Model, starts: list[Start]) -> list[Start]:
    """Starts with those of derived inputs filled in: the source's centre and steps; a difference is around 0."""
    result = []
    for feature, own, at in zip(model.inputs, starts, axis_of(model), strict=True):
        centre, _, steps = starts[at]
        if feature.stream is None:
            result.append(own)
        else:
            result.append((Fraction(0) if feature.stream[0] == "difference" else centre, None, steps))
    return result
