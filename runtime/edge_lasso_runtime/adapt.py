"""``score --adapt``: a correction of the signed model from rows whose truth comes along, which cannot leave its bounds.

Recursive least squares with forgetting (Ljung, System Identification, 1999, 11.2) on the error of the signed model:
of a constant and the prediction (offset and gain, two numbers), or of a constant and every input of numbers. Each is
scaled to -1 to 1 over its declared range and held there, and the coefficients are scaled back whenever their magnitudes
add up to more than the bound: no row can be corrected by more, whatever truths come. Without truths nothing changes.
"""

from __future__ import annotations

from . import snapshot
from .errors import SnapshotError
from .rows import RowError
from .truth import complete, truth_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .step_result import Step

KINDS = ("offset", "all")
FORGETTING = 0.999
"""Of what was known a row ago: about a thousand rows are remembered."""
UNSURE = 10.0
"""Variance of a coefficient before the first truth, in squares of the bound; it never becomes larger."""
FEW = 1e-12


class Adapter:
    """Corrects predictions, and learns from truths.

    Parameters
    ----------
    model : Model
        Of numbers.
    kind : {"offset", "all"}
        Offset and gain, or every input of numbers.
    within : float
        The largest correction, in the output's unit.
    state : optional
        What `to_dict` gave for the same arguments.

    Attributes
    ----------
    size : int
        Coefficients of an output.
    ranges : list of (float, float)
        Of each output, where offset and gain are learned.
    inputs : list of (int, float, float)
        Place and range of each input that is learned from, where all are.

    Raises
    ------
    RowError
        The model's outputs are no numbers; a kind or a bound that cannot be.
    SnapshotError
        The state is damaged.
    """

    def __init__(self, model: Model, kind: str, within: float, state: Any = None) -> None:
        if not truth_names(model):
            raise RowError("--adapt is for models of numbers with a plain link")
        if not 0.0 < within < 1e30:
            raise RowError("--adapt needs --within R, more than 0: the largest correction, in the output's unit")
        if kind not in KINDS:
            raise RowError(f"--adapt {kind!r} is unknown; allowed are {', '.join(KINDS)}")
        self._kind, self._within = kind, within
        self.ranges = [_reach(model, m) for m in range(len(model.outputs))]
        self.inputs = [
            (i, feature.low, feature.high)
            for i, feature in enumerate(model.inputs)
            if feature.low is not None and feature.high is not None and feature.low < feature.high
        ]
        self.size = size = 2 if kind == "offset" else 1 + len(self.inputs)
        # one filter for each output: with offset and gain, what it looks at is the output's own prediction
        self._filters = [_Filter(size) for _ in model.outputs]
        if state is not None:
            try:
                self._restore(state, size)
            except snapshot.WRONG as error:
                raise SnapshotError(f"the state's correction does not fit: {error}; {snapshot.ADVICE}") from None

    def correct(self, result: Step, x: Sequence[float]) -> list[float]:
        """Correct a result in place, and return by how much, per output.

        Parameters
        ----------
        result : Step
        x : sequence of float
            One per input, as the outputs saw them.
        """
        corrections = [
            self._within * rls.value(self._looks_at(m, result.linear[m], x)) for m, rls in enumerate(self._filters)
        ]
        result.values = [value + correction for value, correction in zip(result.values, corrections)]
        return corrections

    def learn(self, result: Step, x: Sequence[float], truths: Sequence[float | None]) -> None:
        """Take in the truth of a row, if no reading of it was at fault but out of range."""
        if not complete(result.faults):
            return
        for m, (rls, truth) in enumerate(zip(self._filters, truths)):
            if truth is not None:
                rls.learn(self._looks_at(m, result.linear[m], x), (truth - result.linear[m]) / self._within)

    def to_dict(self) -> dict[str, Any]:
        """What was learned, JSON-ready."""
        filters = [{"theta": rls.theta, "variance": rls.variance} for rls in self._filters]
        return {"kind": self._kind, "within": self._within, "filters": filters}

    def _looks_at(self, m: int, z: float, x: Sequence[float]) -> list[float]:
        if self._kind == "offset":
            return [1.0, _part(z, *self.ranges[m])]
        return [1.0, *(_part(x[i], low, high) for i, low, high in self.inputs)]

    def _restore(self, state: Any, size: int) -> None:
        if (state["kind"], state["within"]) != (self._kind, self._within):
            return  # asked for otherwise than before: it begins anew
        for rls, saved in zip(self._filters, state["filters"]):
            theta = [float(value) for value in saved["theta"]]
            variance = [[float(value) for value in row] for row in saved["variance"]]
            if len(theta) != size or [len(row) for row in variance] != [size] * size:
                raise ValueError("its correction has another size")
            rls.theta, rls.variance = theta, variance
            rls.hold()


class _Filter:
    """Recursive least squares whose coefficients' magnitudes add up to at most 1."""

    def __init__(self, size: int) -> None:
        self.theta = [0.0] * size
        self.variance = _unsure(size)

    def value(self, seen: Sequence[float]) -> float:
        return min(max(_dot(self.theta, seen), -1.0), 1.0)

    def learn(self, seen: Sequence[float], truth: float) -> None:
        truth = min(max(truth, -10.0), 10.0)  # a truth that is far off is no measure of how far to go
        gain = [_dot(row, seen) for row in self.variance]
        scale = FORGETTING + _dot(gain, seen)
        if scale <= 0.5 * FORGETTING:  # rounding has eaten the variance; it is what it was before the first truth
            self.variance = _unsure(len(seen))
            return
        error = truth - _dot(self.theta, seen)
        self.theta = [a + g * error / scale for a, g in zip(self.theta, gain)]
        after = [[value - g * h / scale for value, h in zip(row, gain)] for row, g in zip(self.variance, gain)]
        largest = max(row[i] for i, row in enumerate(after))
        # where nothing new is seen, forgetting must not make the filter ever less sure
        grow = min(1.0 / FORGETTING, UNSURE / max(largest, FEW))
        self.variance = [[value * grow for value in row] for row in after]
        self.hold()

    def hold(self) -> None:
        """Scale the coefficients back into the bound."""
        total = _dot(list(map(abs, self.theta)), [1.0] * len(self.theta))
        if total > 1.0:
            self.theta = [value / total for value in self.theta]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    """One product after another, as C adds them; newer Pythons compensate inside `sum`."""
    total = 0.0
    for x, y in zip(a, b):
        total = total + x * y
    return total


def _unsure(size: int) -> list[list[float]]:
    return [[UNSURE if i == j else 0.0 for j in range(size)] for i in range(size)]


def _part(value: float, low: float, high: float) -> float:
    """-1 to 1 over a range."""
    return min(max(2.0 * (value - low) / (high - low) - 1.0, -1.0), 1.0)


def _reach(model: Model, m: int) -> tuple[float, float]:
    """Between which values an output lies when one input is at an end of its range, and the others are as usual."""
    from .predict import linear

    usual = [0.0 if feature.default is None else feature.default for feature in model.inputs]
    ends = []
    for i, feature in enumerate(model.inputs):
        for end in (feature.low, feature.high):
            if end is not None:
                ends.append(linear(model, [*usual[:i], end, *usual[i + 1 :]])[m])
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    return (low, high) if low < high else (low - 1.0, low + 1.0)
