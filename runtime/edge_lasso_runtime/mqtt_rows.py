"""Messages of sensors, put together to rows.

A message is a number, in a topic of the sensor's name (the whole topic, what follows the filter's fixed part, or the
last level), or a JSON object with the readings of several sensors. A row is complete when all sensors have reported; or
when one reports again before: those that have not are missing. It does not depend on the clock, so the same messages
give the same rows, whenever they come; unless a period is asked for, and rows are taken whenever it has passed.
"""

from __future__ import annotations

from time import monotonic

from .cells import number
from .checks import parser
from .printable import report
from .readings import REPORTS, SHOWN
from .rows import RowError
from .stream import readings
from .times import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
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
    max_age : float or None
        Seconds that a reading holds (sensors that report when something changes); None: each is used once.
    when : str or None
        A sensor, or its topic: a row is taken whenever it reports.
    sources : dict
        Topic, or ``TOPIC#FIELD``, to the input that it is.
    truth : sequence of str
        Outputs whose truth is waited for as for a sensor; it is of one row, and does not hold.
    time : str or None
        The field of JSON messages that says when they were read: what is not after the message before it in its topic
        is reported, and taken as the next reading all the same (clocks are set back, too).

    Attributes
    ----------
    partial : dict
        Readings of the row that is not complete yet.
    disordered : int
        Messages whose time did not go on.
    """

    def __init__(
        self,
        model: Model,
        filters: Sequence[str],
        timed: bool,
        max_age: float | None = None,
        when: str | None = None,
        sources: Mapping[str, str] | None = None,
        clock: Callable[[], float] = monotonic,
        truth: Sequence[str] = (),
        time: str | None = None,
    ) -> None:
        inputs = [model.inputs[i] for i in readings(model)]
        self._names = {each.name for each in inputs}
        self._numeric = {each.name for each in inputs if each.categories is None}
        self._passing = set(truth).difference(self._names)
        self._names.update(truth)
        self._numeric.update(truth)
        self._max_age = max_age
        self._when = when
        self._sources = sources or {}
        self._clock = clock
        self._times: dict[str, float] = {}
        self._fixed = [entry.split("#")[0].split("+")[0] for entry in filters]
        self._timed = timed
        self._parse = parser(None, float)
        self._reported: set[str] = set()
        self._time = time
        self._latest: dict[str, float] = {}
        self.partial: dict[str, Any] = {}
        self.disordered = 0

    def take(self, topic: str, payload: bytes) -> list[dict[str, Any]]:
        """The rows that a message completes: none, one, or two (it repeats a sensor, and is a whole row)."""
        result = self._read(topic, payload)
        rows = []
        if self.holds:
            self._hold(result)
            if self._when is not None and (topic == self._when or self._when in result):
                rows.append(self.close())
            return rows
        if not self._timed and not self.partial.keys().isdisjoint(result):
            rows.append(self.close())
        self.partial.update(result)
        if not self._timed and len(self.partial) == len(self._names):
            rows.append(self.close())
        return rows

    @property
    def holds(self) -> bool:
        """Whether readings hold until the next one."""
        return self._max_age is not None

    def keep(self, topic: str, payload: bytes) -> None:
        """Hold what the broker had retained: its age counts from now; it completes no row."""
        if self.holds:
            self._hold(self._read(topic, payload))

    def _hold(self, entry: dict[str, Any]) -> None:
        now = self._clock()
        self.partial.update(entry)
        self._times.update(dict.fromkeys(entry, now))

    def close(self) -> dict[str, Any]:
        """Take the row as it is."""
        if self._max_age is not None:
            oldest = self._clock() - self._max_age
            # after a start nobody knows how old what a snapshot kept is: it holds as if it came now
            self._times.update({name: self._clock() for name in self.partial if name not in self._times})
            row = {name: value for name, value in self.partial.items() if self._times[name] >= oldest}
            for name in self._passing:
                self.partial.pop(name, None)
            return row
        row, self.partial = self.partial, {}
        return row

    def _read(self, topic: str, payload: bytes) -> dict[str, Any]:
        """Readings by name; empty for what is not ours."""
        try:
            data = self._parse(payload.decode("utf-8"))
        except (ValueError, RecursionError):
            data = payload[:200].decode("utf-8", "replace")  # a category, or a reading that is missing
        if topic in self._sources:
            return {self._sources[topic]: self._meaning(self._sources[topic], data)}
        if isinstance(data, dict):
            if self._time in data:
                self._notice(topic, data[self._time])
            table = {name: self._meaning(name, value) for name, value in data.items() if name in self._names}
            for field, value in data.items():
                name = self._sources.get(f"{topic}#{field}")
                if name is not None:
                    table[name] = self._meaning(name, value)
            if not table:
                self._report(topic, "has no field that the model reads")
            return table
        ends = [topic[len(fixed) :] for fixed in self._fixed if topic.startswith(fixed)]
        for name in (topic, *ends, topic.rpartition("/")[2], _entity(topic)):
            if name in self._names:
                return {name: self._meaning(name, data)}
        self._report(topic, "is no sensor that the model reads")
        return {}

    def _notice(self, topic: str, value: Any) -> None:
        """Report a time that does not go on; how many there were, whenever that has doubled."""
        now = seconds(value)
        if now is not None and now > self._latest.get(topic, now - 1.0):
            self._latest[topic] = now
            return
        self.disordered += 1
        if self.disordered & (self.disordered - 1) == 0:
            what = "is no time" if now is None else "is not after the one before"
            report(f"topic {topic[:SHOWN]!r}: the time {str(value)[:60]!r} {what}; it is taken as the next reading "
                   f"({self.disordered} so far)")  # fmt: skip
        if now is not None:
            self._latest[topic] = now

    def _meaning(self, name: str, value: Any) -> Any:
        """A reading as the table rule has it: words such as on and unavailable, decimal commas."""
        if name not in self._numeric or not isinstance(value, str):
            return value
        try:
            return number(value)
        except ValueError:
            return None

    def _report(self, topic: str, what: str) -> None:
        if topic not in self._reported and len(self._reported) < REPORTS:
            self._reported.add(topic)
            report(f"topic {topic[:SHOWN]!r} {what}; ignored")


def _entity(topic: str) -> str:
    """The entity whose state Home Assistant's MQTT Statestream publishes in a topic: ``.../sensor/outside/state``."""
    levels = topic.split("/")
    return f"{levels[-3]}.{levels[-2]}" if len(levels) > 2 and levels[-1] == "state" else topic


def read_sources(path: str, model: Model) -> dict[str, str]:
    """Which topic is which input: a TOML file of lines ``input = "topic"`` or ``input = "topic#field"``.

    Raises
    ------
    RowError
        A line that is neither, an input that the model does not read, a topic twice.
    """
    names = {model.inputs[i].name for i in readings(model)}
    sources: dict[str, str] = {}
    with open(path, encoding="utf-8") as file:
        for count, line in enumerate(file, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            left, equals, right = text.partition(" = ") if " = " in text else text.partition("=")
            name, topic = left.strip().strip("\"'"), right.strip()
            if not equals or len(topic) < 3 or topic[0] not in "\"'" or topic[-1] != topic[0]:
                raise RowError(f'line {count} of {path} is not INPUT = "TOPIC" or INPUT = "TOPIC#FIELD": {text[:60]!r}')
            if name not in names:
                known = ", ".join(sorted(names))[:200]
                raise RowError(f"line {count} of {path}: the model reads no {name!r}; it reads {known}")
            if topic[1:-1] in sources:
                raise RowError(f"line {count} of {path}: topic {topic} is there twice")
            sources[topic[1:-1]] = name
    return sources
