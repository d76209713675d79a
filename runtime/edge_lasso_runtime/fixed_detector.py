"""A detector in integers alone, from the sensors' integers to the alarm: section ``fixed_detector/1``.

What `step` does in floating point around the integers of ``fixed_point/1`` (health, residuals, charts, score), `step_q`
does in integers of 32 bits, bit-equal on every board and without a division. A row is one int16 per reading, counted
in the steps of ``fixed_point/1`` (`readings_q`; of a sensor with a raw scale its count minus ``subtract``); `NONE`,
-32768, is a missing one. With ``x >> n`` for floor(x / 2^n):

* Health: out of range is below ``low`` or above ``high`` of ``fixed_point/1``; the integer is cut to them where it is
  read by predictions and histories, not in the reading's own residual. Stuck: more than ``stuck`` equal integers one
  after another (0: no limit); it reads as missing then. Jump: a change above ``jump``, which is the model's, rounded
  up. Histories are those of `FixedDelays`.
* Residual: ``v = (bias + own q + sum(coef q) + 2^shift / 2) >> shift``, the prediction, the centre and the scale being
  in the coefficients; v is cut to +-2^16 (2^19 with a median) and ``r = (v factor + 2^bits / 2) >> bits`` (`PRECISE`)
  counts 2^-fraction of the residual's scale. For all readings within their ranges, r is within ``bound`` scales of
  ``(reading - prediction - centre) / scale`` where that is at most ``clip`` (exact arithmetic). A residual that reads a
  missing integer says nothing: its evidence stays, and it is left out of the score.
* Level, where `median` is asked for: r is cut to +-`WIDE`; the last ones are kept as ``(r + 4) >> 3``; the median of
  those before it, times 8, is taken off. Then r is cut to +-``clip``.
* Chart, as `detector` has it: an average ``up`` with `FRACTION` more bits moves by `move`; CUSUM's sides are exact
  sums, cut at ``top``. ``y = ((up >> first) slow + 2^second / 2) >> second``, cut to +-32767, is the slow part in
  units of 2^-``slow_fraction``. Evidence of ``residual`` is ``r r``, of ``ewma`` and ``cusum`` ``y y``, of ``both``
  ``(y y >> 1) + (r r >> 2 (fraction - slow_fraction) + 1)``; it is below 2^30, which caps what a single row can say.
* Evidence moves by `move`, too, from 1. A part is ``((evidence + 2^cut / 2) >> cut) weight``; ``mean``: the score is
  the sum of the parts over the sum of their weights, alarm where ``sum > threshold * weights``; ``max``: the largest
  part, alarm above ``threshold``. A score times ``unit`` is that of `detector`. While no sensor has a say, an alarm
  neither ends nor begins.

Nothing reaches 2^30 in magnitude, so 32 bits and MicroPython's small integers do: `edge_lasso_exporters` proves it of
every artifact before it is exported. Not offered: estimates of missing readings (what reads them says nothing, as
without ``estimate/1``), the online adjustment of the threshold, products and categories.
"""

from __future__ import annotations

from .detector import KEY as DETECTOR
from .fixed_history import FRACTION, NONE
from .fixed_point import INT16
from .fixed_point import KEY as FIXED
from .fixed_stream import FixedDelays
from .model import Record
from .predict import clean
from .stream import readings, warm_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .predict import Row

KEY = "fixed_detector/1"
WIDE = INT16 << 3
PRECISE = ((14, (1 << 16) - 1), (11, (1 << 19) - 1))
"""Bits of a residual's factor, and where what it multiplies is cut: without a median, and with one."""
ENDLESS = 65535
"""The largest change of a reading, where there is no limit."""


class StepQ(Record):
    """What one row of integers gives.

    Parameters
    ----------
    score, total : int
        The score is ``score / total`` units of the section; `total` is the weight of the sensors that had a say (1 of
        ``max``), 0 where none had.
    parts : list of int
        Each watched sensor's part of `score`.
    alarm, onset : bool
    warming_up : bool
    faults : dict
        Reading to "missing", "stuck", "jump" or "out of range".
    """

    __slots__ = ("alarm", "faults", "onset", "parts", "score", "total", "warming_up")

    def __init__(
        self,
        score: int,
        total: int,
        parts: list[int],
        alarm: bool,
        onset: bool,
        warming_up: bool,
        faults: dict[str, str],
    ) -> None:
        self.score = score
        self.total = total
        self.parts = parts
        self.alarm = alarm
        self.onset = onset
        self.warming_up = warming_up
        self.faults = faults


class FixedHealth:
    """Remembers of each reading its last integer and for how long it has not changed."""

    def __init__(self, model: Model) -> None:
        fixed, own = model.sections[FIXED]["inputs"], model.sections[KEY]["readings"]
        self._checks = [
            (model.inputs[i].name, fixed[i]["low"], fixed[i]["high"], entry["stuck"], entry["jump"])
            for i, entry in zip(readings(model), own)
        ]
        self.last = [NONE] * len(own)
        self.run = [0] * len(own)

    def step(self, q: Sequence[int], faults: dict[str, str]) -> list[int]:
        """What predictions and histories read of a row: cut to the ranges, NONE where missing or stuck."""
        results = []
        for k, (value, (name, low, high, stuck, jump)) in enumerate(zip(q, self._checks)):
            if value == NONE:
                faults[name] = "missing"
                results.append(NONE)
                continue
            cut = min(max(value, low), high)
            if cut != value:
                faults[name] = "out of range"
            before = self.last[k]
            if value != before:
                self.last[k], self.run[k] = value, 1
                if cut == value and before != NONE and abs(value - before) > jump:
                    faults[name] = "jump"
            elif stuck:
                self.run[k] = min(self.run[k], stuck) + 1
                if self.run[k] > stuck:
                    faults[name], cut = "stuck", NONE
            results.append(cut)
        return results


class FixedDetector:
    """What a detector in integers remembers, and its step.

    Attributes
    ----------
    up, down, evidence : list of int
        Per watched sensor.
    recent : list of list of int
        Per watched sensor, the last residuals whose median is taken off; oldest first.
    quiet : int
        Rows since the last one in alarm, at most one more than ``hold``.
    onsets, alarms : int
    """

    def __init__(self, model: Model) -> None:
        section, detector = model.sections[KEY], model.sections[DETECTOR]
        self._section, self._chart, self._median = section, detector["chart"], detector["median"]
        self._bits, self._most = PRECISE[self._median > 0]
        self._largest = detector["aggregate"] == "max"
        self._hold = detector["threshold"]["hold"]
        place = {model.inputs[i].name: k for k, i in enumerate(readings(model))}
        self._own = [place[sensor["reading"]] for sensor in detector["watched"]]
        count = len(self._own)
        self.up = [0] * count
        self.down = [0] * count
        self.evidence = [1 << fraction_of(section, self._chart)] * count
        self.recent: list[list[int]] = [[] for _ in self._own]
        self.quiet = self._hold + 1
        self.onsets = self.alarms = 0

    def step(self, q: Sequence[int], x: Sequence[int]) -> tuple[int, int, list[int]]:
        """Score a row: `q` as the sensors delivered it, `x` one integer per input as predictions read it."""
        section = self._section
        parts, total = [], 0
        for k, sensor in enumerate(section["watched"]):
            own = q[self._own[k]]
            if own == NONE or any(x[i] == NONE for _, i in sensor["terms"]):
                parts.append(0)
                continue
            r = sensor["bias"] + sensor["own"] * own
            for coef, i in sensor["terms"]:
                r += coef * x[i]
            v = (r + (1 << sensor["shift"] >> 1)) >> sensor["shift"]
            v = min(max(v, -self._most), self._most)
            value = self._evidence(k, (v * sensor["factor"] + (1 << self._bits >> 1)) >> self._bits)
            self.evidence[k] = move(self.evidence[k], value, section["smoothing"])
            cut = section["cut"]
            parts.append(((self.evidence[k] + (1 << cut >> 1)) >> cut) * sensor["weight"])
            total += sensor["weight"]
        if not self._largest:
            return sum(parts), total, parts
        score = max(parts)
        at = parts.index(score)
        return score, min(total, 1), [score if k == at else 0 for k in range(len(parts))]

    def _evidence(self, k: int, r: int) -> int:
        section, chart = self._section, self._chart
        if self._median:
            r = self._level(k, min(max(r, -WIDE), WIDE))
        clip = section["clip"]
        r = min(max(r, -clip), clip)
        if chart == "residual":
            return r * r
        if chart == "cusum":
            self.up[k] = min(max(self.up[k] + r - section["allowance"], 0), section["top"])
            self.down[k] = min(max(self.down[k] - r - section["allowance"], 0), section["top"])
            slow = max(self.up[k], self.down[k])
        else:
            slow = self.up[k] = move(self.up[k], r << FRACTION, section["rate"])
        first, second = section["first"], section["second"]
        y: int = ((slow >> first) * section["watched"][k]["slow"] + (1 << second >> 1)) >> second
        y = min(max(y, -INT16), INT16)
        if chart != "both":
            return y * y
        aligned: int = r * r >> 2 * (section["fraction"] - section["slow_fraction"]) + 1
        return (y * y >> 1) + aligned

    def _level(self, k: int, r: int) -> int:
        recent = self.recent[k]
        ordered, n = sorted(recent), len(recent)
        level = 0
        if n:
            level = ordered[n // 2] << 3 if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) << 2
        recent.append((r + 4) >> 3)
        if len(recent) > self._median:
            del recent[0]
        return r - level

    def decide(self, score: int, total: int) -> tuple[bool, bool]:
        """Whether a score is an alarm, and whether it begins one."""
        limit = self._section["threshold"]
        hit = score > (limit if self._largest else limit * total) if total else self.quiet == 0
        if not hit:
            self.quiet = min(self.quiet, self._hold) + 1
            return False, False
        onset = self.quiet > self._hold
        self.quiet = 0
        self.alarms += 1
        self.onsets += onset
        return True, onset


class StateQ:
    """What a detector in integers remembers between rows; made by `start_q`."""

    def __init__(self, model: Model) -> None:
        self.rows = 0
        self.readings = readings(model)
        self.warm_up = max(warm_up(model), model.sections[DETECTOR]["warm_up"])
        self.health = FixedHealth(model)
        self.delays = FixedDelays(model)
        self.detector = FixedDetector(model)


def start_q(model: Model) -> StateQ:
    """The state before the first row, of a model with a section ``fixed_detector/1``."""
    return StateQ(model)


def step_q(model: Model, state: StateQ, q: Sequence[int]) -> tuple[StepQ, StateQ]:
    """Take in one row of integers, one per reading; ValueError for another number of them, or beyond int16."""
    if len(q) != len(state.readings) or not all(NONE <= value <= INT16 for value in q):
        raise ValueError(f"a row has {len(state.readings)} integers of 16 bits (the readings, in order), got {len(q)}")
    faults: dict[str, str] = {}
    x = [NONE] * len(model.inputs)
    for i, value in zip(state.readings, state.health.step(q, faults)):
        x[i] = value
    state.delays.step(x)
    score, total, parts = state.detector.step(q, x)
    alarm = onset = False
    warming_up = state.rows < state.warm_up
    if warming_up:
        state.rows += 1
    else:
        alarm, onset = state.detector.decide(score, total)
    return StepQ(score, total, parts, alarm, onset, warming_up, faults), state


def readings_q(model: Model, row: Row) -> list[int]:
    """Readings (as `step` takes them) as the integers of `step_q`: what is beyond int16 is cut, missing is NONE."""
    places = readings(model)
    plain = model.replace(inputs=tuple(model.inputs[i] for i in places), outputs=())
    plain.limit = model.limit
    result, faults = clean(plain, row, clamp=False)
    q = []
    for i, value in zip(places, result):
        fixed = model.sections[FIXED]["inputs"][i]
        if faults.get(model.inputs[i].name) == "missing":
            q.append(NONE)
        else:
            step = ((value - fixed["centre"]) * fixed["scale"] + 0.5) // 1.0
            q.append(int(min(max(step, -INT16), INT16)))
    return q


def move(average: int, value: int, rate: Sequence[int]) -> int:
    """An average moved towards a value, by ``rate[0] 2^-(15 + rate[1])`` of the way; all stays below 2^30."""
    d = value - average
    moved = rate[0] * (d >> 15) + ((rate[0] * (d & 32767) + 16384) >> 15)
    return average + ((moved + (1 << rate[1] >> 1)) >> rate[1])


def fraction_of(section: dict[str, Any], chart: str) -> int:
    """The fraction bits of evidence."""
    fraction: int = section["fraction"] if chart == "residual" else section["slow_fraction"]
    return 2 * fraction


def highest(section: dict[str, Any], chart: str) -> int:
    """The largest evidence: what a row can give, or the start; averages stay at or below it."""
    clip: int = section["clip"]
    if chart == "residual":
        row = clip * clip
    elif chart == "both":
        row = (INT16 * INT16 >> 1) + (clip * clip >> 2 * (section["fraction"] - section["slow_fraction"]) + 1)
    else:
        row = INT16 * INT16
    return max(row, 1 << fraction_of(section, chart))
