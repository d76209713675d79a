"""A fixed-point model at work, row after row: derived inputs in integers, bit-equal on every board.

Readings become integers first (`fixed_point.encode`'s rule, `NONE` where missing); then

* ``lag``: the integer of n readings ago, exact.
* ``difference``: the difference of two integers, cut to the range of the input.
* ``mean``: floor((2 sum + count) / (2 count)) over the integers that are there.
* ``ewma``: an average with `FRACTION` more bits moves by rate * (q - average), the rate being an integer over a power
  of two (`rate_of`).

A derived input has its source's step; its centre, too, but that of a difference is 0. Estimates of missing inputs are
made in floating point, from the integers decoded, and encoded again; residuals are of the readings themselves. For
readings within int16 no intermediate value reaches 2^30.
"""

from __future__ import annotations

from . import detector as detection
from . import estimate as estimation
from .fixed_history import FRACTION, NONE, rate_of
from .fixed_point import KEY, decode, label_q, predict_q, probability_q
from .health import Health
from .predict import clean, link
from .step_result import Step
from .stream import MISSING, readings, ring_length, warm_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model
    from .predict import Row


class FixedDelays:
    """The memory of a model's derived inputs, in integers.

    Parameters
    ----------
    model : Model
        With a section ``fixed_point/1``.

    Attributes
    ----------
    rings : list of list of int
        Per source, its last integers, oldest first.
    averages : list of int or None
        Per moving average, times 2^FRACTION.
    """

    def __init__(self, model: Model) -> None:
        fixed = model.sections[KEY]["inputs"]
        place = {feature.name: i for i, feature in enumerate(model.inputs)}
        sizes = [(i, ring_length(model, model.inputs[i].name)) for i in readings(model)]
        self._sources = [i for i, size in sizes if size]
        self._derived = []
        self._averages = []
        for i, feature in enumerate(model.inputs):
            if feature.stream is not None:
                kind, source, length = feature.stream
                if kind == "ewma":
                    self._averages.append((i, place[source], *rate_of(length)))
                else:
                    ring = self._sources.index(place[source])
                    ends = (fixed[i]["low"], fixed[i]["high"])
                    self._derived.append((i, kind, place[source], ring, length, ends))
        self.rings = [[NONE] * size for _, size in sizes if size]
        self.averages: list[int | None] = [None] * len(self._averages)

    def step(self, q: list[int]) -> None:
        """Fill in the derived inputs of a row of integers (NONE where there is nothing) and remember its readings."""
        for i, kind, at, r, length, (low, high) in self._derived:
            ring = self.rings[r]
            if kind == "mean":
                known = [value for value in [*ring[len(ring) - length + 1 :], q[at]] if value != NONE]
                count = len(known)
                q[i] = (2 * sum(known) + count) // (2 * count) if count else NONE
            elif kind == "lag":
                q[i] = ring[-length]
            else:
                old = ring[-length]
                q[i] = NONE if NONE in (old, q[at]) else min(max(q[at] - old, low), high)
        for k, (i, at, rate, shift) in enumerate(self._averages):
            value, average = q[at], self.averages[k]
            if value != NONE:
                if average is None:
                    average = value << FRACTION
                else:
                    d = (value << FRACTION) - average
                    moved = rate * (d >> 15) + ((rate * (d & 32767) + 16384) >> 15)
                    average = average + ((moved + (1 << shift >> 1)) >> shift)
                self.averages[k] = average
            q[i] = NONE if average is None else (average + (1 << FRACTION >> 1)) >> FRACTION
        for ring, at in zip(self.rings, self._sources):
            del ring[0]
            ring.append(q[at])


class FixedState:
    """What a fixed-point model remembers between rows; made by `start_fixed`."""

    def __init__(self, model: Model) -> None:
        self.rows = 0
        self.health = Health(model)
        self.delays = FixedDelays(model)
        self.estimator = estimation.Estimator(model) if estimation.KEY in model.sections else None
        self.detector = detection.Detector(model) if detection.KEY in model.sections else None
        self.warm_up = warm_up(model)
        if detection.KEY in model.sections:
            self.warm_up = max(self.warm_up, model.sections[detection.KEY]["warm_up"])
        self.readings = readings(model)
        self.plain = model.replace(inputs=tuple(model.inputs[i] for i in self.readings), outputs=())
        self.plain.limit = model.limit  # without outputs it would be the largest


def start_fixed(model: Model) -> FixedState:
    """The state before the first row."""
    return FixedState(model)


def step_fixed(model: Model, state: FixedState, row: Row) -> tuple[Step, FixedState]:
    """Take in one row, as `step.step` does, in integers.

    Returns
    -------
    result : Step
        `linear` decoded from integers; within the section's bound of what `step.step` gives under the policy
        ``clamp`` as long as no input is estimated.
    state : FixedState
    """
    section: dict[str, Any] = model.sections[KEY]
    result, faults = clean(state.plain, row, clamp=False)
    raw = [MISSING] * len(model.inputs)
    for i, value in zip(state.readings, result):
        gone = faults.get(model.inputs[i].name) == "missing" and model.inputs[i].categories is None
        raw[i] = MISSING if gone else value
    faults = {name: what for name, what in faults.items() if what == "missing"}
    x = list(raw)
    for i in state.health.step(raw, faults):
        x[i] = MISSING
    q = [_count(feature, fixed, value) for feature, fixed, value in zip(model.inputs, section["inputs"], x)]
    state.delays.step(q)
    widths = _complete(model, state, q)
    r = predict_q(section, q)
    z = decode(section, r)
    state.rows += 1
    warm = state.rows > state.warm_up
    score, alarm, onset = None, False, False
    parts: list[float] = []
    if state.detector is not None:
        score, parts = state.detector.step(raw, z, widths)
        if warm:
            alarm, onset = state.detector.decide(score)
    status = "degraded" if faults else "ok" if warm else "warming up"
    values = [probability_q(section, r[0]) / 65536.0] if model.outputs[0].link == "logistic" else link(model, z)
    return Step(z, values, label_q(model, r), faults, status, widths, score, alarm, onset, parts), state


def _count(one: Any, fixed: dict[str, Any], value: float) -> int:
    """A reading, cut to its range, as an integer; NONE where it is missing."""
    if "categories" in fixed:
        return int(value)
    if value != value:
        return NONE
    value = min(max(value, one.low), one.high)
    return int(min(max(((value - fixed["centre"]) * fixed["scale"] + 0.5) // 1.0, fixed["low"]), fixed["high"]))


def _complete(model: Model, state: FixedState, q: list[int]) -> list[float] | None:
    """Estimate what is missing, or put the default. Returns how much wider errors became."""
    fixed = model.sections[KEY]["inputs"]
    gone = [i for i, value in enumerate(q) if value == NONE and "categories" not in fixed[i]]
    if not gone:
        return None
    if state.estimator is None:
        for i in gone:
            q[i] = fixed[i]["default"]
        return None if state.detector is None else state.detector.unknown(gone)
    x = [float(v) if "categories" in entry else v / entry["scale"] + entry["centre"] for v, entry in zip(q, fixed)]
    widths = state.estimator.fill(x, gone)
    for i in gone:
        q[i] = _count(model.inputs[i], fixed[i], x[i])
    return widths
