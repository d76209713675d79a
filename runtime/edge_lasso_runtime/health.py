"""Section ``health/1``: what a sensor in order looks like, and how a failing one is noticed in constant memory.

Per reading of numbers: the longest run of equal readings and the largest change from one reading to the next that
training saw. A reading is at fault when it is missing, equal for longer (``stuck``), farther from the last one
(``jump``), or outside its range.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import sub

from .checks import number, shown, take_keys, take_list
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

KEY = "health/1"
FAULTS = ("missing", "stuck", "jump", "out of range")


class Health:
    """Remembers of each reading its last value and for how long it has not changed.

    Parameters
    ----------
    model : Model
        Without a section ``health/1`` only missing readings and ranges are watched.

    Attributes
    ----------
    last : list of float
        Per input of the model; NaN before the first reading.
    run : list of int
        How many readings in a row were equal.
    counts : list of list of int
        Per input, how many readings had each of `FAULTS`.
    """

    __slots__ = ("_checks", "counts", "last", "run")

    def __init__(self, model: Model) -> None:
        known = {reading["input"]: reading for reading in model.sections.get(KEY, {}).get("readings", [])}
        endless = float("inf")
        self._checks: list[tuple[int, str, Any, Any, float, float]] = []
        for i, feature in enumerate(model.inputs):
            if feature.stream is None and feature.categories is None:
                limits = known.get(feature.name, {})
                self._checks.append(
                    (
                        i,
                        feature.name,
                        feature.low,
                        feature.high,
                        limits.get("stuck") or endless,
                        limits.get("jump", endless),
                    )
                )
        self.last = [float("nan")] * len(model.inputs)
        self.run = [0] * len(model.inputs)
        self.counts = [[0, 0, 0, 0] for _ in model.inputs]

    def limits(self) -> list[tuple[float, float, float, float]]:
        """Per reading of numbers its lowest and highest value, longest run and largest change."""
        return [(low, high, longest, farthest) for _, _, low, high, longest, farthest in self._checks]

    def step(self, x: list[float], faults: dict[str, str]) -> list[int]:
        """Look at one row.

        Parameters
        ----------
        x : list of float
            One per input; NaN where a reading is missing.
        faults : dict
            Input name to what is wrong with it; filled in.

        Returns
        -------
        stuck : list of int
            Positions of the inputs that are stuck: what they say is worth as little as a missing reading.
        """
        last, run, stuck = self.last, self.run, []
        for i, name, low, high, longest, farthest in self._checks:
            value = x[i]
            if low <= value <= high:
                before = last[i]
                if value != before:
                    last[i] = value
                    run[i] = 1
                    if not -farthest <= value - before <= farthest and before == before:
                        faults[name] = "jump"
                        self.counts[i][2] += 1
                    continue
            elif value != value:
                faults[name] = "missing"
                self.counts[i][0] += 1
                continue
            else:
                faults[name] = "out of range"
                self.counts[i][3] += 1
                if value != last[i]:
                    last[i] = value
                    run[i] = 1
                    continue
            run[i] += 1
            if run[i] > longest:
                faults[name] = "stuck"
                self.counts[i][1] += 1
                stuck.append(i)
        return stuck

    def step_columns(self, columns: list[list[float]]) -> list[list[float]] | None:
        """Look at rows together.

        Parameters
        ----------
        columns : list of list of float
            Per reading, its values one after another.

        Returns
        -------
        list of list of float or None
            The same in order of size; None unless all is well with all of them. Then nothing has been remembered:
            `step` has to look at each.
        """
        result, runs = [], []
        for (i, _, low, high, longest, farthest), column in zip(self._checks, columns):
            before = self.last[i]
            ordered = sorted(column)
            total = sum(column)  # NaN if one is
            if total != total or before != before or ordered[0] < low or ordered[-1] > high:
                return None
            changes = sorted(map(sub, column, [before, *column]))
            if changes[0] < -farthest or changes[-1] > farthest:
                return None
            run = 1
            at = bisect_left(changes, 0.0)
            if at < len(changes) and changes[at] == 0.0:
                run = self.run[i]
                for value in column:
                    run = run + 1 if value == before else 1
                    if run > longest:
                        return None
                    before = value
            result.append(ordered)
            runs.append(run)
        for (i, *_), column, run in zip(self._checks, columns, runs):
            self.last[i], self.run[i] = column[-1], run
        return result

    def forget(self) -> None:
        """The next readings are compared with none before them: there was a gap."""
        self.last = [float("nan")] * len(self.last)

    def to_dict(self) -> dict[str, Any]:
        """What is remembered, JSON-ready."""
        return {
            "last": [value if value == value else None for value in self.last],
            "run": self.run,
            "counts": self.counts,
        }

    def restore(self, data: Any) -> None:
        """Take over what `to_dict` gave; lengths must be right (ValueError)."""
        last = [float("nan") if value is None else float(value) for value in data["last"]]
        run = [int(value) for value in data["run"]]
        counts = [[int(value) for value in count] for count in data["counts"]]
        if not len(last) == len(run) == len(counts) == len(self.last) or any(len(count) != 4 for count in counts):
            raise ValueError("the health of other inputs")
        self.last, self.run, self.counts = last, run, counts


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(section, where, ("readings",), ())
    known = {feature.name for feature in model.inputs if feature.stream is None and feature.categories is None}
    seen = set()
    for i, reading in enumerate(take_list(section["readings"], f"{where}.readings")):
        at = f"{where}.readings[{i}]"
        take_keys(reading, at, ("input", "stuck", "jump"), ())
        if reading["input"] not in known or reading["input"] in seen:
            raise ModelFormatError(
                f"{at}.input is {shown(reading['input'])}; it must be a reading of numbers, named once"
            )
        seen.add(reading["input"])
        stuck = reading["stuck"]
        if isinstance(stuck, bool) or not isinstance(stuck, int) or stuck < 0:
            raise ModelFormatError(f"{at}.stuck is {shown(stuck)}; it must be a number of readings, 0 for no limit")
        if number(reading["jump"], f"{at}.jump") < 0.0:
            raise ModelFormatError(f"{at}.jump is {shown(reading['jump'])}; it must not be negative")
