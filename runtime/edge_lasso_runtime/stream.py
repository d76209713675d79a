"""Inputs that a board computes from what it read before: lags, differences, rolling means, moving averages.

Memory is constant: a ring of the last readings per source, one number per moving average. With x[t] the reading of
now, and a missing reading written as missing into the ring:

* ``lag n``: x[t - n]; missing when that was, or before n readings.
* ``difference n``: x[t] - x[t - n]; missing when either is, or when it is beyond the model's limit.
* ``mean n``: the mean of those of x[t - n + 1] ... x[t] that are there, added oldest first; missing when none is.
* ``ewma n``: the exponentially weighted mean of span n: s + (x[t] - s) * (2 / (n + 1)); the first reading starts it, a
  missing one leaves it.

Every operation is one binary64 operation in the order above, so that all targets agree to the last bit.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Input, Model

MISSING = float("nan")
STATEFUL = ("health/1", "estimate/1", "detector/1")


def keeps_state(model: Model) -> bool:
    """Whether rows have to be taken in one after another: there is a derived input, or a section of `STATEFUL`."""
    return any(feature.stream is not None for feature in model.inputs) or any(key in model.sections for key in STATEFUL)


def readings(model: Model) -> list[int]:
    """Positions in `Model.inputs` of those that a sensor delivers: all but the derived ones."""
    return [i for i, feature in enumerate(model.inputs) if feature.stream is None]


def warm_up(model: Model) -> int:
    """After how many readings every derived input has its full history (a moving average: its span)."""
    return max((depth(feature) for feature in model.inputs if feature.stream is not None), default=0)


def depth(one: Input) -> int:
    """How many earlier readings a derived input looks at."""
    assert one.stream is not None
    kind, _, length = one.stream
    return length if kind in ("lag", "difference", "ewma") else length - 1


def ring_length(model: Model, source: str) -> int:
    """How many earlier readings of a source must be kept; a moving average keeps none."""
    return max(
        (
            depth(feature)
            for feature in model.inputs
            if feature.stream is not None and feature.stream[1] == source and feature.stream[0] != "ewma"
        ),
        default=0,
    )


class Delays:
    """The memory of a model's derived inputs.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    rings : list of list of float
        Per source with a ring, the last readings; `head` is where the next one goes in all of them: ring i holds the
        reading of k steps ago at ``(head - k) % len(ring)``.
    averages : list of float
        One per moving average; missing before its first reading.
    """

    __slots__ = ("_averages", "_derived", "_lengths", "_limit", "_sources", "averages", "heads", "rings")

    def __init__(self, model: Model) -> None:
        place = {feature.name: i for i, feature in enumerate(model.inputs)}
        self._sources = [i for i in readings(model) if ring_length(model, model.inputs[i].name)]
        ring_of = {i: r for r, i in enumerate(self._sources)}
        self._limit = model.limit
        self._derived = []
        self._averages = []
        for i, feature in enumerate(model.inputs):
            if feature.stream is None:
                continue
            kind, source, length = feature.stream
            at = place[source]
            if kind == "ewma":
                self._averages.append((i, at, 2.0 / (length + 1)))
            else:
                self._derived.append((i, kind, at, ring_of[at], length))
        self._lengths = [ring_length(model, model.inputs[i].name) for i in self._sources]
        self.forget()

    def forget(self) -> None:
        """As at the start: nothing has been read."""
        self.rings = [[MISSING] * length for length in self._lengths]
        self.heads = [0] * len(self._sources)
        self.averages = [MISSING] * len(self._averages)

    def step(self, x: list[float]) -> None:
        """Fill in the derived inputs of a row (MISSING where there is nothing) and remember its readings.

        Parameters
        ----------
        x : list of float
            One per input of the model; MISSING where a reading is missing. Changed in place.
        """
        rings, heads = self.rings, self.heads
        for i, kind, at, r, length in self._derived:
            ring = rings[r]
            if kind == "mean":
                x[i] = _mean(ring, heads[r], length - 1, x[at])
            else:
                old = ring[heads[r] - length]  # a negative index counts from the end: the ring turns
                if kind == "lag":
                    x[i] = old
                else:
                    change = x[at] - old
                    x[i] = change if -self._limit <= change <= self._limit else MISSING
        for k, (i, at, rate) in enumerate(self._averages):
            value, average = x[at], self.averages[k]
            if value == value:
                average = value if average != average else average + (value - average) * rate
                self.averages[k] = average
            x[i] = average
        for r, at in enumerate(self._sources):
            ring, head = rings[r], heads[r]
            ring[head] = x[at]
            heads[r] = head + 1 if head + 1 < len(ring) else 0

    def to_dict(self) -> dict[str, Any]:
        """What is remembered, JSON-ready (missing is None)."""
        return {
            "rings": [
                [_plain(value) for value in ring[head:] + ring[:head]] for ring, head in zip(self.rings, self.heads)
            ],
            "averages": [_plain(value) for value in self.averages],
        }

    def restore(self, data: Any) -> None:
        """Take over what `to_dict` gave; lengths must be right (ValueError)."""
        rings = [[_number(value) for value in ring] for ring in data["rings"]]
        averages = [_number(value) for value in data["averages"]]
        if [len(ring) for ring in rings] != [len(ring) for ring in self.rings] or len(averages) != len(self.averages):
            raise ValueError("the histories have other lengths")
        self.rings, self.averages, self.heads = rings, averages, [0] * len(rings)


def _mean(ring: Sequence[float], head: int, earlier: int, now: float) -> float:
    total, count = 0.0, 0
    for k in range(earlier, 0, -1):
        value = ring[head - k]
        if value == value:
            total = total + value
            count += 1
    if now == now:
        total = total + now
        count += 1
    return total / count if count else MISSING


def _plain(value: float) -> float | None:
    return value if value == value else None


def _number(value: Any) -> float:
    return MISSING if value is None else float(value)
