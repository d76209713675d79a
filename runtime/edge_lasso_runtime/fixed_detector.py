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
  in the coefficients; v is cut to +-2^16 (2^19 where levels are tracked) and ``r = (v factor + 2^bits / 2) >> bits``
  (`PRECISE`) counts 2^-fraction of the residual's scale. For all readings within their ranges, r is within ``bound``
  scales of ``(reading - prediction - centre) / scale`` where that is at most ``clip`` (exact arithmetic). A residual
  that reads a missing integer says nothing: its evidence stays, and it is left out of the score.
* Level, where `track` is n > 0: r is cut to +-`WIDE`, and with B, the level times 2^n, ``d = r - (B >> n)``, then
  ``B += cut(d, 3 2^fraction)`` (times 2^(n - 3) in the first rows), cut to +-`WIDE` 2^n; d takes r's place. Then r is
  cut to +-``clip``.
* An average z of r, with `FRACTION` more bits, moves by `move`. ``y = ((z >> first) slow + 2^second / 2) >> second``
  with the sensor's own ``slow``, cut to +-32767, is it in units of 2^-``slow_fraction``.
  Evidence is ``(y y >> 1) + (r r >> 2 (fraction - slow_fraction) + 1)``; without smoothing ``r r``, which is below 2^30
  and caps what a single row can say.
* Evidence moves by `move`, too, from 1. A part is ``((evidence + 2^cut / 2) >> cut) weight``, a quick one
  ``(r r >> quick) fast`` with the sensor's own ``fast``, weight and `fast` of the detector in one. The score is the
  larger of their two sums, alarm where ``sum > threshold * weights``. A score over the weights, times ``unit``, is that
  of `detector`. While no sensor has a say, an alarm neither ends nor begins.
* Threshold, where it follows (`adjust`): ``limit`` counts 2^-``bits`` of the unit; ``limit >> bits`` is compared. It
  moves by `move` with the rates ``up``, away to its double, or ``down``, towards 0, and is cut to its ends.

Nothing reaches 2^30 in magnitude, so 32 bits and MicroPython's small integers do: `edge_lasso_exporters` proves it of
every artifact before it is exported. Not offered: estimates of missing readings (what reads them says nothing, as
without ``estimate/1``), products and categories.
"""

from __future__ import annotations

from .detector import KEY as DETECTOR
from .detector import SETTLING, STRAY
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
"""Bits of a residual's factor, and where what it multiplies is cut: without tracked levels, and with them."""
ENDLESS = 65535
"""The largest change of a reading, where there is no limit."""


class StepQ(Record):
    """What one row of integers gives.

    Parameters
    ----------
    score, total : int
        The score is ``score / total`` units of the section; `total` is the weight of the sensors that had a say, 0
        where none had.
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
    level, slow, evidence : list of int
        Per output.
    limit, lasted : int
        The threshold, as it follows; rows in alarm so far, at most as many as thaw it.
    quiet : int
        Rows since the last one in alarm, at most one more than ``hold``.
    onsets, alarms : int
    """

    def __init__(self, model: Model) -> None:
        section, detector = model.sections[KEY], model.sections[DETECTOR]
        self._section, self._track, self._smooth = section, detector["track"], detector["smoothing"] < 1.0
        self._bits, self._most = PRECISE[self._track > 0]
        self._hold = detector["threshold"]["hold"]
        place = {model.inputs[i].name: k for k, i in enumerate(readings(model))}
        self._own = [place[sensor["reading"]] for sensor in detector["watched"]]
        count = len(self._own)
        self.level, self.slow = [0] * count, [0] * count
        self.evidence = [1 << fraction_of(section)] * count
        self.limit: int = section["follow"]["start"] if "follow" in section else section["threshold"]
        adjust = detector.get("adjust") or {"freeze": 0, "thaw": 0}
        self._freeze, self.lasted = (adjust["freeze"], adjust["thaw"]), 0
        self.quiet = self._hold + 1
        self.onsets = self.alarms = 0

    def step(self, q: Sequence[int], x: Sequence[int], young: bool) -> tuple[int, int, list[int]]:
        """Score a row: `q` as the sensors delivered it, `x` one integer per input as predictions read it."""
        section = self._section
        parts, quick, total = [], [], 0
        for k, sensor in enumerate(section["watched"]):
            own = q[self._own[k]]
            if own == NONE or any(x[i] == NONE for _, i in sensor["terms"]):
                parts.append(0)
                quick.append(0)
                continue
            r = sensor["bias"] + sensor["own"] * own
            for coef, i in sensor["terms"]:
                r += coef * x[i]
            v = (r + (1 << sensor["shift"] >> 1)) >> sensor["shift"]
            v = min(max(v, -self._most), self._most)
            r = (v * sensor["factor"] + (1 << self._bits >> 1)) >> self._bits
            if self._track:
                r = self._tracked(k, r, young)
            r = min(max(r, -section["clip"]), section["clip"])
            self.evidence[k] = move(self.evidence[k], self._evidence(k, r), section["smoothing"])
            cut = section["cut"]
            parts.append(((self.evidence[k] + (1 << cut >> 1)) >> cut) * sensor["weight"])
            quick.append((r * r >> section["quick"]) * sensor["fast"] if "quick" in section else 0)
            total += sensor["weight"]
        score, sudden = sum(parts), sum(quick)
        return (sudden, total, quick) if sudden > score else (score, total, parts)

    def _evidence(self, k: int, r: int) -> int:
        section = self._section
        if not self._smooth:
            return r * r
        slow = self.slow[k] = move(self.slow[k], r << FRACTION, section["smoothing"])
        first, second = section["first"], section["second"]
        y: int = ((slow >> first) * section["watched"][k]["slow"] + (1 << second >> 1)) >> second
        y = min(max(y, -INT16), INT16)
        aligned: int = r * r >> 2 * (section["fraction"] - section["slow_fraction"]) + 1
        return (y * y >> 1) + aligned

    def _tracked(self, k: int, r: int, young: bool) -> int:
        n, stray = self._track, int(STRAY) << self._section["fraction"]
        r = min(max(r, -WIDE), WIDE) - (self.level[k] >> n)
        d = min(max(r, -stray), stray)
        level = self.level[k] + (d << n - SETTLING if young else d)
        self.level[k] = min(max(level, -(WIDE << n)), WIDE << n)
        return r

    def decide(self, score: int, total: int) -> tuple[bool, bool]:
        """Whether a score is an alarm, and whether it begins one; the threshold moves where it follows."""
        follow = self._section.get("follow")
        hit = score > (self.limit >> follow["bits"] if follow else self.limit) * total if total else self.quiet == 0
        if follow and total:
            if not (hit and self._freeze[0] <= self.lasted < self._freeze[1]):
                rate = follow["up"] if hit else follow["down"]
                moved = move(self.limit, self.limit << 1 if hit else 0, rate)
                self.limit = min(max(moved, follow["least"]), follow["most"])
            self.lasted = min(self.lasted + 1, self._freeze[1]) if hit else 0
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
    alarm = onset = False
    warming_up = state.rows < state.warm_up
    score, total, parts = state.detector.step(q, x, warming_up)
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


def fraction_of(section: dict[str, Any]) -> int:
    """The fraction bits of evidence."""
    fraction: int = section.get("slow_fraction", section["fraction"])
    return 2 * fraction


def highest(section: dict[str, Any]) -> int:
    """The largest evidence: what a row can give, or the start; averages stay at or below it."""
    clip: int = section["clip"]
    row = clip * clip
    if "slow_fraction" in section:
        row = (INT16 * INT16 >> 1) + (clip * clip >> 2 * (section["fraction"] - section["slow_fraction"]) + 1)
    return max(row, 1 << fraction_of(section))
