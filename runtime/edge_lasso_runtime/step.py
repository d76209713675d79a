"""A model at work: one row after another, with what it has to remember.

``state = start(model)``, then ``result, state = step(model, state, row)``. The way of a row: sensors that fail are
noticed (`health`), derived inputs computed (`stream`), missing ones estimated (`estimate`), the outputs predicted, the
residuals scored (`detector`), readings counted (`drift`).
"""

from __future__ import annotations

from math import hypot

from . import detector as detection
from . import drift as drifting
from . import estimate as estimation
from .health import Health
from .interval import KEY as INTERVAL
from .interval import Reach, between
from .predict import label, linear, link
from .step_result import Step
from .stream import MISSING, Delays, readings, warm_up
from .truth import complete, truths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Input, Model
    from .predict import Row

PARTS = ("health", "delays", "detector", "drift", "reach")
"""Of a state, that remember."""


class State:
    """What a model remembers between rows; made by `start`.

    Attributes
    ----------
    rows : int
        Rows seen.
    history : int
        Rows since the start or the last gap that no derived input sees across (`gap`).
    inputs : list of float
        Of the last row, as its outputs saw them: estimates, defaults and derived inputs filled in.
    health, delays, estimator, detector, drift, reach
        The parts; None where the model has no such section.
    places : list of int
        Positions in `Model.inputs` of the readings.
    sums : tuple or None
        The terms of a model of plain inputs, written flat.
    """

    __slots__ = ("_estimated", "_fill", "_memory", "_names", "_numeric", "_plan", "_ranges", "_warm_up", "delays",
                 "detector", "drift", "estimator", "health", "history", "inputs", "places", "reach",
                 "rows", "sums")  # fmt: skip

    def __init__(self, model: Model) -> None:
        self.rows = 0
        self.history = 0
        self.inputs: list[float] = []
        self.health = Health(model)
        self.delays = Delays(model) if any(feature.stream is not None for feature in model.inputs) else None
        self.estimator = estimation.Estimator(model) if estimation.KEY in model.sections else None
        self.detector = detection.Detector(model) if detection.KEY in model.sections else None
        self.drift = drifting.Drift(model) if drifting.KEY in model.sections else None
        self.reach = Reach(model) if "adjust" in model.sections.get(INTERVAL, ()) else None
        self._plan = [(i, model.inputs[i]) for i in readings(model)]
        self._fill = [feature.default for feature in model.inputs]
        self._names = tuple(entry.name for _, entry in self._plan)
        self.places = [i for i, _ in self._plan]
        self._numeric = bool(self._plan) and all(entry.categories is None for _, entry in self._plan)
        self._memory = self._warm_up = warm_up(model)
        if detection.KEY in model.sections:
            self._warm_up = max(self._warm_up, model.sections[detection.KEY]["warm_up"])
        self._ranges = [
            (i, feature.low, feature.high) for i, feature in enumerate(model.inputs) if feature.categories is None
        ]
        self._estimated = len(estimation.numeric(model))
        self.sums = _flat(model)

    def settled(self, model: Model) -> bool:
        """Whether rows in order have one way to go: numbers, plain sums, warm, no derived input that may be cut."""
        plain = self._numeric and self.sums is not None and (model.policy != "clamp" or self.delays is None)
        return plain and self.reach is None and self.history >= self._warm_up

    def count(self, linear: float, score: float | None, error: float | None) -> tuple[bool, bool, bool]:
        """The end of a row: whether the warm-up is over, whether there is an alarm, and whether it begins."""
        self.rows += 1
        self.history += 1
        warm = self.history > self._warm_up
        alarm, onset = False, False
        if self.detector is not None and score is not None and warm:
            alarm, onset = self.detector.decide(score)
        if self.drift is not None and warm:
            self.drift.follow(*((linear, error) if score is None else (score, score)))
        return warm, alarm, onset

    def gap(self, rows: int) -> None:
        """Rows that were not delivered: no history reaches across them, as in training.

        Parameters
        ----------
        rows : int
            How many. As many as the longest history, or more: the warm-up begins anew, too.
        """
        self.health.forget()
        if self.delays is not None:
            self.delays.forget()
            if rows >= self._memory > 0:
                self.history = 0

    def to_dict(self) -> dict[str, Any]:
        """Everything that is remembered, JSON-ready."""
        parts: dict[str, Any] = {"rows": self.rows, "history": self.history}
        for name in PARTS:
            part = getattr(self, name)
            if part is not None:
                parts[name] = part.to_dict()
        return parts

    def restore(self, data: Any) -> None:
        """Take over what `to_dict` gave for the same model.

        Raises
        ------
        ValueError
            It does not fit.
        """
        try:
            for name in PARTS:
                part = getattr(self, name)
                if part is not None:
                    part.restore(data[name])
            self.rows, self.history = int(data["rows"]), int(data["history"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks {error}") from None

    def carry_over(self, data: Any) -> None:
        """Take over what another model of the same inputs has learned about them: sensors and histories.

        Raises
        ------
        ValueError
            It does not fit.
        """
        try:
            self.health.restore(data["health"])
            if self.delays is not None:
                self.delays.restore(data["delays"])
            self.rows, self.history = int(data["rows"]), int(data["history"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks {error}") from None


def start(model: Model) -> State:
    """The state before the first row."""
    return State(model)


def step(model: Model, state: State, row: Row) -> tuple[Step, State]:
    """Take in one row.

    Parameters
    ----------
    model : Model
    state : State
        Of the same model; it is changed in place and handed back.
    row : sequence or mapping
        A mapping from name to reading, or one reading per input that is not derived, in the order of `Model.inputs`
        (a categorical one as the index of its category). None, NaN, text and values beyond `Model.limit` are missing.
        A mapping may also bring the first output's true value by its name: `drift` follows the error then.

    Returns
    -------
    result : Step
    state : State

    Raises
    ------
    ValueError
        For a sequence of the wrong length.
    """
    faults: dict[str, str] = {}
    raw = _read(model, state, row, faults)
    stuck = state.health.step(raw, faults)
    x = list(raw)
    for i in stuck:
        x[i] = MISSING
    if state.delays is not None:
        if model.policy == "clamp":
            _clamp(state, x)
        state.delays.step(x)
    result = finish(model, state, raw, x, faults, _truth(model, row))
    if state.reach is not None:
        known: Any = row if hasattr(row, "keys") else {}
        follow(state, result, truths(model, [known.get(output.name) for output in model.outputs]))
    return result, state


def follow(state: State, result: Step, known: list[float | None]) -> None:
    """Give a result its interval as truths so far have moved its ends, and move them by its own (None: unknown)."""
    assert state.reach is not None
    result.ends = state.reach.ends(result)
    if complete(result.faults):
        state.reach.follow(result.ends, known)


def finish(
    model: Model, state: State, raw: list[float], x: list[float], faults: dict[str, str], truth: float | None = None
) -> Step:
    """The rest of a step, once derived inputs are there: estimate, predict, score, count.

    Parameters
    ----------
    raw, x : list of float
        One per input: as the sensors delivered them; as outputs see them, NaN where missing (filled in).
    faults : dict
        Input name to what is wrong.
    truth : float, optional
        Of the first output.
    """
    widths = _complete(state, x)
    if model.policy == "clamp":
        _clamp(state, x)
    z = linear(model, x) if state.sums is None else _flat_sums(state.sums, x)
    state.inputs = x
    score: float | None = None
    parts: list[float] = []
    if state.detector is not None:
        score, parts = state.detector.step(raw, z, widths)
    if state.drift is not None:
        state.drift.add(raw)
    warm, alarm, onset = state.count(z[0], score, None if truth is None else abs(truth - z[0]))
    status = "degraded" if faults else "ok" if warm else "warming up"
    return Step(z, link(model, z), label(model, z), faults, status, widths, score, alarm, onset, parts)


def interval(model: Model, result: Step) -> list[tuple[float, float]]:
    """The prediction interval of each output, wider where inputs were estimated (see `interval.interval`)."""
    return result.ends or between(model, result.values, result.widths)


def _read(model: Model, state: State, row: Any, faults: dict[str, str]) -> list[float]:
    """One number per input, MISSING where there is none and for derived inputs; unknown categories are -1."""
    plan, limit = state._plan, model.limit
    if hasattr(row, "keys"):
        values = list(map(row.get, state._names))
        named = True
    elif len(row) == len(plan):
        values, named = row, False
    else:
        raise ValueError(f"a row has {len(plan)} readings (the inputs that are not derived, in order), got {len(row)}")
    raw = [MISSING] * len(model.inputs)
    if state._numeric:
        numbers = _whole(values, limit)
        if numbers is not None:
            if len(numbers) == len(raw):
                return numbers
            for i, number in zip(state.places, numbers):
                raw[i] = number
            return raw
    for (i, entry), value in zip(plan, values):
        if entry.categories is not None:
            raw[i] = _category(entry, value, named)
            if raw[i] < 0.0:
                faults[entry.name] = "missing"
            continue
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            continue
        if -limit <= number <= limit:
            raw[i] = number
    return raw


def _truth(model: Model, row: Any) -> float | None:
    """What the first output should have been; None where the row does not bring it, by the output's name."""
    output = model.outputs[0]
    if output.link != "identity" or not hasattr(row, "keys"):
        return None
    return truths(model, [row.get(output.name)])[0]


def _whole(values: Any, limit: float) -> list[float] | None:
    """Readings as numbers where all are there and none is too large, as almost always; else None."""
    try:
        numbers = list(map(float, values))
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if hypot(*numbers) <= limit else None  # none is larger than their hypotenuse; NaN if one is


def _flat(model: Model) -> Any:
    """The terms of a model of plain inputs, written flat: the first of each output, then the others; else None."""
    every = [term for output in model.outputs for term in output.terms]
    if not model.inputs or any(len(t.factors) != 1 or not t.factors[0].plain for t in every):
        return None
    terms = [[(term.coef, term.factors[0].input) for term in output.terms] or [(0.0, 0)] for output in model.outputs]
    first = [(output.intercept, *more[0]) for output, more in zip(model.outputs, terms)]
    return first, [(m, more[1:]) for m, more in enumerate(terms) if len(more) > 1]


def _flat_sums(sums: Any, x: list[float]) -> list[float]:
    """What `linear` gives, to the bit."""
    first, rest = sums
    z = [intercept + coef * x[i] for intercept, coef, i in first]
    for m, terms in rest:
        y = z[m]
        for coef, i in terms:
            y = y + coef * x[i]
        z[m] = y
    return z


def _category(one: Input, value: Any, named: bool) -> float:
    known = one.categories or ()
    if named:
        there = value is not None and value == value  # NaN is no category, whatever it is called
        return float(known.index(str(value))) if there and str(value) in known else -1.0
    try:
        code = float(value)
    except (TypeError, ValueError, OverflowError):
        return -1.0
    return code if code in range(len(known)) else -1.0


def _clamp(state: State, x: list[float]) -> None:
    """Numbers to the ends of their ranges; what is missing stays so."""
    for i, low, high in state._ranges:
        if x[i] < low:  # type: ignore[operator]
            x[i] = low  # type: ignore[assignment]
        elif x[i] > high:  # type: ignore[operator]
            x[i] = high  # type: ignore[assignment]


def _complete(state: State, x: list[float]) -> list[float] | None:
    """Estimate what is missing, or put the default; derived inputs included. Returns how much wider errors became."""
    total = sum(x)
    if total == total:
        return None
    missing = [i for i, value in enumerate(x) if value != value]
    if state.estimator is not None and len(missing) < state._estimated:
        return state.estimator.fill(x, missing)
    for i in missing:
        x[i] = state._fill[i]  # type: ignore[assignment]
    if state.estimator is not None:
        return state.estimator.fill(x, missing)
    return None if state.detector is None else state.detector.unknown(missing)
