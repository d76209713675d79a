"""Section ``detector/1``: a score of how little the sensors agree, an alarm, and which sensors caused it.

Each output of the model predicts one watched reading: from the others (and from the past), or as a constant, which is
the reading's usual level. A sensor has one of each, or the constant alone where no other says anything about it.
The residual ``r = (reading - prediction - centre) / scale`` becomes evidence q >= 0, about 1 in the mean on normal
data:

* Tracked, where `track` is n > 0: with the level b that r had so far, ``d = r - b``, then ``b += cut(d, 3) / 2^n`` (in
  the first `warm_up` rows ``/ 2^3``: after a restart b is soon where it was), and d takes r's place. It is cut to
  +-`clip`.
* ``z += (r - z) smoothing`` adds up what is small but lasts; ``q = (r^2 + (z / slow)^2) / 2``: sudden and slow faults
  alike. Unsmoothed (`smoothing` 1) q is ``r^2``.
* Evidence is smoothed, ``e += (q - e) smoothing``, from e = 1 (starting at 0 would call the mere passing of time a
  fault).

There are two speeds. The slow score is the weighted mean of e, the quick one `fast` times that of r^2, where `fast`
brings both to the same quantile on normal data; the score is the larger. So each sensor's share of it is exact.
A reading that is missing leaves its evidence as it was and out of the score; so does one whose prediction reads what
is missing, unless that is estimated: the residual is divided then by how much wider its error became. While nothing is
known about any sensor, the score is that of the evidence as it was: an alarm neither ends nor begins. There is no alarm
in the first `warm_up` rows.
"""

from __future__ import annotations

from functools import reduce
from operator import add

from .following import followed
from .stream import warm_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

KEY = "detector/1"
TRACKS = (4, 11)
"""Of `track`: a level that follows within 16 to within 2,048 rows."""
SETTLING = 3
"""What it is in the first rows."""
STRAY = 3.0
"""What a row can move a level by, in scales of the residual, before it is divided."""


class Detector:
    """What a detector remembers, and its step.

    Parameters
    ----------
    model : Model
        With a section ``detector/1``.

    Attributes
    ----------
    level, slow, evidence : list of float
        Per output: of its residual, tracked; the residual, smoothed; what it says.
    young : int
        Rows for which levels still settle.
    threshold : float
        What the score is compared with: the model's, or as the online adjustment has moved it.
    quiet : int
        Rows since the score was last above the threshold; large before the first time.
    onsets, alarms : int
        How many alarms began; how many rows were in alarm.
    """

    __slots__ = ("_adjust", "_chart", "_hold", "_readers", "_total", "_watched", "alarms", "evidence", "level",
                 "onsets", "quiet", "slow", "threshold", "young")  # fmt: skip

    def __init__(self, model: Model) -> None:
        section = model.sections[KEY]
        place = {feature.name: i for i, feature in enumerate(model.inputs)}
        self._watched = [
            (place[sensor["reading"]], sensor["centre"], 1.0 / sensor["scale"], 1.0 / sensor["slow"], sensor["weight"])
            for sensor in section["watched"]
        ]
        self._total = 0.0
        for sensor in section["watched"]:
            self._total = self._total + sensor["weight"]
        track = section["track"]
        self._chart = (section["smoothing"], section["clip"], 2.0**-track if track else 0.0, section["fast"])
        limit = section["threshold"]
        self._hold = limit["hold"]
        self._readers: list[list[int]] = [[] for _ in model.inputs]
        for k, output in enumerate(model.outputs):
            for i in {factor.input for term in output.terms for factor in term.factors}:
                self._readers[i].append(k)
        adjust = section.get("adjust")
        self._adjust = None
        if adjust is not None:
            ends = (limit["score"] * adjust["floor"], limit["score"] * adjust["cap"])
            self._adjust = (adjust["eta"], limit["row_rate"], *ends, adjust["freeze"], adjust["thaw"])
        self.threshold = limit["score"]
        count = len(self._watched)
        self.level, self.slow, self.evidence = [0.0] * count, [0.0] * count, [1.0] * count
        self.young = max(warm_up(model), section["warm_up"])
        self.quiet = 1 << 30
        self.onsets = 0
        self.alarms = 0

    def numbers(self) -> tuple[list[tuple[int, float, float, float, float]], float, tuple[float, float, float, float]]:
        """What a step multiplies with: a sensor's reading, centre, 1 / scale, 1 / slow, weight; the sum of weights; the
        smoothing, clip, rate of tracking and factor of the quick score.
        """
        return self._watched, self._total, self._chart

    def step(
        self, readings: list[float], predicted: list[float], widths: list[float] | None
    ) -> tuple[float, list[float]]:
        """Score one row.

        Parameters
        ----------
        readings : list of float
            One per input of the model, as the sensors delivered them; NaN where missing.
        predicted : list of float
            The model's outputs.
        widths : list of float or None
            Per output, by how much its error is wider than usual (`Estimator.fill`); NaN: nobody knows.

        Returns
        -------
        score : float
        parts : list of float
            What each output contributes; they add up to the score.
        """
        smoothing, clip, track, fast = self._chart
        levels, slowly, evidence = self.level, self.slow, self.evidence
        rate = track
        if self.young:
            self.young -= 1
            rate = 2.0**-SETTLING
        parts, quick = [], []
        total = 0.0
        for k, (at, centre, factor, slow, weight) in enumerate(self._watched):
            r = (readings[at] - predicted[k] - centre) * factor
            if widths is not None:
                r = r / widths[k]
            if r != r:
                parts.append(0.0)
                quick.append(0.0)
                continue
            if track:
                b = levels[k]
                r = r - b
                levels[k] = b + (STRAY if r > STRAY else -STRAY if r < -STRAY else r) * rate
            r = clip if r > clip else -clip if r < -clip else r
            q = r * r
            quick.append(q * weight)
            if smoothing < 1.0:
                z = slowly[k] + (r - slowly[k]) * smoothing
                slowly[k] = z
                z = z * slow
                q = (q + z * z) * 0.5
            e = evidence[k] + (q - evidence[k]) * smoothing
            evidence[k] = e
            parts.append(e * weight)
            total = total + weight
        if not total > 0.0:  # nothing is known: the evidence that there is
            parts = [e * sensor[4] for e, sensor in zip(evidence, self._watched)]
            total = self._total
        score = 0.0
        for k, part in enumerate(parts):
            parts[k] = part / total
            score = score + parts[k]
        if not fast:
            return score, parts
        sudden = 0.0
        for k, part in enumerate(quick):
            quick[k] = part / total * fast
            sudden = sudden + quick[k]
        return (sudden, quick) if sudden > score else (score, parts)

    def step_columns(
        self, readings: list[list[float]], predicted: list[list[float]]
    ) -> list[tuple[float, list[float]]]:
        """What `step` gives for rows one after another, of which nothing is missing.

        Parameters
        ----------
        readings, predicted : list of list of float
            Per input, per output: its values one after another.
        """
        smoothing, clip, track, fast = self._chart
        if self.young or smoothing == 1.0:
            return [self.step(x, z, None) for x, z in zip(zip(*readings), zip(*predicted))]  # type: ignore[arg-type]
        total, low = self._total, -clip
        columns, quick = [], []
        for k, (at, centre, factor, slow, weight) in enumerate(self._watched):
            b, z, e, parts, sudden = self.level[k], self.slow[k], self.evidence[k], [], []
            for value, y in zip(readings[at], predicted[k]):
                r = (value - y - centre) * factor
                if track:
                    d = r - b
                    b = b + (d if -STRAY <= d <= STRAY else STRAY if d > STRAY else -STRAY) * track
                    r = d
                if not low <= r <= clip:
                    r = clip if r > clip else low
                z = z + (r - z) * smoothing
                s = z * slow
                q = r * r
                e = e + ((q + s * s) * 0.5 - e) * smoothing
                parts.append(e * weight / total)
                if fast:
                    sudden.append(q * weight / total * fast)
            self.level[k], self.slow[k], self.evidence[k] = b, z, e
            columns.append(parts)
            quick.append(sudden)
        results = [(reduce(add, parts, 0.0), list(parts)) for parts in zip(*columns)]
        if fast:
            for t, swift in enumerate(zip(*quick)):
                score = reduce(add, swift, 0.0)
                if score > results[t][0]:
                    results[t] = (score, list(swift))
        return results

    def unknown(self, missing: list[int]) -> list[float]:
        """Widths of the errors where defaults stand in for missing inputs: NaN for the predictions that read them."""
        widths = [1.0] * len(self._watched)
        for i in missing:
            for k in self._readers[i]:
                widths[k] = float("nan")
        return widths

    def decide(self, score: float) -> tuple[bool, bool]:
        """Whether a score is an alarm, and whether it begins one; moves the threshold where that is asked for.

        From the row `freeze` of an alarm up to the row `thaw` it stays, so that a fault does not hide itself at once.
        """
        hit = score > self.threshold
        onset = hit and self.quiet > self._hold
        if self._adjust is not None:
            eta, rate, low, high, freeze, thaw = self._adjust
            if not (hit and freeze <= -self.quiet < thaw):
                self.threshold = followed(self.threshold, hit, eta, rate, low, high)
        if hit:
            self.alarms += 1
            self.onsets += onset
            self.quiet = self.quiet - 1 if self.quiet < 0 else -1
        else:
            self.quiet = 1 if self.quiet < 0 else self.quiet + 1
        return hit, onset

    def to_dict(self) -> dict[str, Any]:
        """What is remembered, JSON-ready."""
        names = ("level", "slow", "evidence", "young", "threshold", "quiet", "onsets", "alarms")
        return {name: getattr(self, name) for name in names}

    def restore(self, data: Any) -> None:
        """Take over what `to_dict` gave; lengths must be right (ValueError)."""
        level, slow, evidence = ([float(value) for value in data[key]] for key in ("level", "slow", "evidence"))
        if {len(level), len(slow), len(evidence)} != {len(self.level)}:
            raise ValueError("the charts of other sensors")
        self.level, self.slow, self.evidence = level, slow, evidence
        self.threshold = float(data["threshold"])
        self.young, self.quiet, self.onsets, self.alarms = (
            int(data[key]) for key in ("young", "quiet", "onsets", "alarms")
        )


def shares(parts: list[float], score: float, names: list[str]) -> list[tuple[str, float]]:
    """The sensors with their share of the score, largest first; those without a share are left out.

    Parameters
    ----------
    parts : list of float
        One per output.
    score : float
    names : list of str
        The reading that each output predicts (`watched`); shares of the same one are added up.
    """
    if not score > 0.0:
        return []
    sums: dict[str, float] = {}
    for part, name in zip(parts, names):
        if part > 0.0:
            sums[name] = sums.get(name, 0.0) + part
    result = sorted((-part / score, names.index(name)) for name, part in sums.items())
    return [(names[k], -share) for share, k in result]


def watched(model: Model) -> list[str]:
    """The reading that each output predicts."""
    return [sensor["reading"] for sensor in model.sections[KEY]["watched"]]


def sensors(model: Model) -> list[str]:
    """The watched readings, each once."""
    return list(dict.fromkeys(watched(model)))
