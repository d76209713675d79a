"""What `score` and the MQTT bridge say about a reading: one line of compact JSON."""

from __future__ import annotations

import json

from .explain import explain_inputs
from .predict import predicted
from .step import interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model
    from .step import State
    from .step_result import Step

SENSORS = 5


class Results:
    """Writes results.

    Parameters
    ----------
    model : Model
    explain : int or None
        So many sensors are named in an alarm (5), or so many contributions of a prediction (none).
    values : bool
        Also the predictions of a detector.

    Attributes
    ----------
    brief : bool
        Of a row that is in order and not in alarm the score alone is told.
    explains : int
        So many contributions are named: those of the last row that the state has taken in.
    """

    def __init__(self, model: Model, explain: int | None = None, values: bool = False) -> None:
        self._model = model
        self._detects = "detector/1" in model.sections
        self._named = SENSORS if explain is None else explain
        self.explains = 0 if self._detects else explain or 0
        self._values = values or not self._detects
        self.brief = not self._values
        self._interval = "interval/1" in model.sections
        self._verdict: Any = None
        if "cascade/1" in model.sections:
            from .cascade import verdict

            self._verdict = verdict
        self._outputs = [(k, f"{json.dumps(model.outputs[k].name)}:") for k in predicted(model)]
        self._watched = (
            [sensor["reading"] for sensor in model.sections["detector/1"]["watched"]] if self._detects else []
        )

    def line(self, result: Step, state: State, time: Any = None) -> str:
        """One result.

        Parameters
        ----------
        result : Step
        state : State
            After that step.
        time : JSON scalar
            Copied unless it is None.
        """
        head = "{" if time is None else f'{{"time":{_scalar(time)},'
        if self._verdict is not None:
            head += f'"verdict":"{self._verdict(self._model, result)}",'
        if self._detects:
            head += f'"score":{_number(result.score)},'
            if not (result.alarm or result.faults or self._values):
                return f'{head}"alarm":false,"onset":false,"status":"{result.status}"}}'
            head += '"alarm":true,' if result.alarm else '"alarm":false,'
            head += '"onset":true,' if result.onset else '"onset":false,'
        parts = [f'{head}"status":"{result.status}"']
        if result.label is not None:
            parts.append(f'"label":{json.dumps(result.label)}')
        if self._values:
            values = [name + _number(result.values[k]) for k, name in self._outputs]
            parts.append(f'"values":{{{",".join(values)}}}')
            if self._interval:
                ends = interval(self._model, result)
                named = [f"{name}[{ends[k][0]!r},{ends[k][1]!r}]" for k, name in self._outputs]
                parts.append(f'"interval":{{{",".join(named)}}}')
        if result.alarm and self._named:
            parts.append(f'"sensors":{json.dumps(self.sensors(result), separators=(",", ":"))}')
        if self.explains:
            parts.append(f'"contributions":{json.dumps(self._contributions(state), separators=(",", ":"))}')
        if result.faults:
            parts.append(f'"faults":{json.dumps(result.faults, separators=(",", ":"))}')
        return ",".join(parts) + "}"

    def corrected(self, corrections: list[float]) -> str:
        """By how much values were corrected, as the end of a line."""
        values = [name + _number(corrections[k]) for k, name in self._outputs]
        return f',"corrected_by":{{{",".join(values)}}}'

    def sensors(self, result: Step) -> dict[str, float]:
        """The sensors behind a score with their exact share of it, largest first."""
        from .detector import shares

        return dict(shares(result.parts, result.score or 0.0, self._watched)[: self._named])

    def _contributions(self, state: State) -> dict[str, dict[str, float]]:
        result = explain_inputs(self._model, state.inputs)
        return {entry.name: dict(entry.contributions[: self.explains]) for entry in result}


def _number(value: float | None) -> str:
    """JSON has no infinity and no NaN."""
    return repr(value) if value is not None and value - value == 0.0 else "null"


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)
