"""Messages of sensors, put together to rows.

A message is a number, in a topic of the sensor's name (the whole topic, what follows the filter's fixed part, or the
last level), or a JSON object with the readings of several sensors. A row is complete when all sensors have reported; or
when one reports again before: those that have not are missing. It does not depend on the clock, so the same messages
give the same rows, whenever they come; unless a period is asked for, and rows are taken whenever it has passed.
"""

from __future__ import annotations

from .format import parser
from .keeper import report
from .readings import REPORTS
from .stream import readings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model


class Rows:
    """Puts messages together to rows.

    Parameters
    ----------
    model : Model
    filters : sequence of str
        What is subscribed to.
    timed : bool
        Rows are taken by the clock, not when they are complete.

    Attributes
    ----------
    partial : dict
        Readings of the row that is not complete yet.
    """

    def __init__(self, model: Model, filters: Sequence[str], timed: bool) -> None:
        self._names = {model.inputs[i].name for i in readings(model)}
        self._fixed = [one.split("#")[0].split("+")[0] for one in filters]
        self._timed = timed
        self._parse = parser(None, float)
        self._reported: set[str] = set()
        self.partial: dict[str, Any] = {}

    def take(self, topic: str, payload: bytes) -> list[dict[str, Any]]:
        """The rows that a message completes: none, one, or two (it repeats a sensor, and is a whole row)."""
        found = self._read(topic, payload)
        rows = []
        if not self._timed and not self.partial.keys().isdisjoint(found):
            rows.append(self.close())
        self.partial.update(found)
        if not self._timed and len(self.partial) == len(self._names):
            rows.append(self.close())
        return rows

    def close(self) -> dict[str, Any]:
        """Take the row as it is."""
        row, self.partial = self.partial, {}
        return row

    def _read(self, topic: str, payload: bytes) -> dict[str, Any]:
        """Readings by name; empty for what is not ours."""
        try:
            data = self._parse(payload.decode("utf-8"))
        except (ValueError, RecursionError):
            data = payload[:200].decode("utf-8", "replace")  # a category, or a reading that is missing
        if isinstance(data, dict):
            found = {name: value for name, value in data.items() if name in self._names}
            if not found:
                self._report(topic, "has no field that the model reads")
            return found
        ends = [topic[len(fixed) :] for fixed in self._fixed if topic.startswith(fixed)]
        for name in (topic, *ends, topic.rpartition("/")[2]):
            if name in self._names:
                return {name: data}
        self._report(topic, "is no sensor that the model reads")
        return {}

    def _report(self, topic: str, what: str) -> None:
        if topic not in self._reported and len(self._reported) < REPORTS:
            self._reported.add(topic)
            report(f"topic {topic!r} {what}; ignored")
