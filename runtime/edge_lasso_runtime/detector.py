"""Section ``detector/1``: a score of how little the sensors agree, an alarm, and which sensors caused it.

Each output of the model predicts one watched reading from the others (and from the past). With residual
``r = (reading - prediction - centre) / scale``, less the median of the last `median` of them where asked, cut to
+-`clip`, the chart turns residuals into evidence q >= 0 per sensor, about 1 in the mean on normal data:

* ``residual``: q = r^2
* ``ewma``: z += (r - z) * alpha, q = (z / slow)^2
* ``both``: the mean of these two: sudden and slow faults alike
* ``cusum``: u = max(0, u + r - allowance), d = max(0, d - r - allowance), both at most `clip`^2,
  q = (max(u, d) / slow)^2

Evidence is smoothed, e += (q - e) * smoothing, from e = 1 (starting at 0 would call the mere passing of time a fault).
The score is the weighted mean of the evidence, or its (weighted) largest; so each sensor's share of it is exact.
A reading that is missing leaves its evidence as it was and out of the score; so does one whose prediction reads what
is missing, unless that is estimated: the residual is divided then by how much wider its error became. While nothing is
known about any sensor, the score is that of the evidence as it was: an alarm neither ends nor begins. There is no alarm
in the first `warm_up` rows.
"""

from __future__ import annotations

from functools import reduce
from operator import add

from .checks import number, shown, take_choice, take_keys, take_list
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

KEY = "detector/1"
CHARTS = ("residual", "ewma", "both", "cusum")
AGGREGATES = ("mean", "max")
LONGEST_MEDIAN = 1001


class Detector:
    """What a detector remembers, and its step.

    Parameters
    ----------
    model : Model
        With a section ``detector/1``.

    Attributes
    ----------
    up, down : list of float
        Per watched sensor: the chart's state (`down` is used by CUSUM alone).
    evidence : list of float
        Per watched sensor, smoothed.
    recent : list of list of float
        Per watched sensor, the last residuals whose median is taken off; oldest first.
    threshold : float
        What the score is compared with: the model's, or as the online adjustment has moved it.
    quiet : int
        Rows since the score was last above the threshold; large before the first time.
    onsets, alarms : int
        How many alarms began; how many rows were in alarm.
    """

    __slots__ = ("_adjust", "_chart", "_hold", "_largest", "_readers", "_simple", "_total", "_watched", "alarms",
                 "down", "evidence", "onsets", "quiet", "recent", "threshold", "up")  # fmt: skip

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
        self._chart = tuple(section[key] for key in ("chart", "alpha", "allowance", "clip", "median", "smoothing"))
        self._largest = section["aggregate"] == "max"
        limit = section["threshold"]
        self._hold = limit["hold"]
        self._simple = section["chart"] in ("both", "ewma") and not section["median"] and not self._largest
        self._readers: list[list[int]] = [[] for _ in model.inputs]
        for k, output in enumerate(model.outputs):
            for i in {factor.input for term in output.terms for factor in term.factors}:
                self._readers[i].append(k)
        adjust = section.get("adjust")
        self._adjust = None
        if adjust is not None:
            start, cap = limit["score"], adjust["cap"]
            self._adjust = (adjust["eta"], limit["row_rate"], start / cap, start * cap, adjust["freeze"])
        self.threshold = limit["score"]
        self.up = [0.0] * len(self._watched)
        self.down = [0.0] * len(self._watched)
        self.evidence = [1.0] * len(self._watched)
        self.recent: list[list[float]] = [[] for _ in self._watched]
        self.quiet = 1 << 30
        self.onsets = 0
        self.alarms = 0

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
            What each watched sensor contributes; they add up to the score.
        """
        chart, alpha, allowance, clip, median, smoothing = self._chart
        up, down, evidence = self.up, self.down, self.evidence
        parts = []
        total = 0.0
        for k, (at, centre, factor, slow, weight) in enumerate(self._watched):
            r = (readings[at] - predicted[k] - centre) * factor
            if widths is not None:
                r = r / widths[k]
            if r != r:
                parts.append(0.0)
                continue
            if median:
                r = self._level(k, r, median)
            r = clip if r > clip else -clip if r < -clip else r
            if chart == "cusum":
                top = clip * clip
                u = up[k] + r - allowance
                d = down[k] - r - allowance
                u = 0.0 if u < 0.0 else top if u > top else u
                d = 0.0 if d < 0.0 else top if d > top else d
                up[k], down[k] = u, d
                z = (u if u > d else d) * slow
                q = z * z
            elif chart == "residual":
                q = r * r
            else:
                z = up[k] + (r - up[k]) * alpha
                up[k] = z
                z = z * slow
                q = z * z if chart == "ewma" else (r * r + z * z) * 0.5
            e = evidence[k] + (q - evidence[k]) * smoothing
            evidence[k] = e
            parts.append(e * weight)
            total = total + weight
        if not total > 0.0:  # nothing is known: the evidence that there is
            parts = [e * sensor[4] for e, sensor in zip(evidence, self._watched)]
            total = self._total
        return self._aggregate(parts, total)

    def step_columns(
        self, readings: list[list[float]], predicted: list[list[float]]
    ) -> list[tuple[float, list[float]]]:
        """What `step` gives for rows one after another, of which nothing is missing.

        Parameters
        ----------
        readings, predicted : list of list of float
            Per input, per output: its values one after another.
        """
        chart, alpha, _, clip, _, smoothing = self._chart
        if not self._simple:
            return [self.step(x, z, None) for x, z in zip(zip(*readings), zip(*predicted))]  # type: ignore[arg-type]
        sudden, total, low = chart == "both", self._total, -clip
        columns = []
        for k, (at, centre, factor, slow, weight) in enumerate(self._watched):
            z, e, parts = self.up[k], self.evidence[k], []
            for value, y in zip(readings[at], predicted[k]):
                r = (value - y - centre) * factor
                if not low <= r <= clip:
                    r = clip if r > clip else low
                z = z + (r - z) * alpha
                s = z * slow
                e = e + ((r * r + s * s) * 0.5 - e if sudden else s * s - e) * smoothing
                parts.append(e * weight / total)
            self.up[k], self.evidence[k] = z, e
            columns.append(parts)
        return [(reduce(add, parts, 0.0), list(parts)) for parts in zip(*columns)]

    def unknown(self, missing: list[int]) -> list[float]:
        """Widths of the errors where defaults stand in for missing inputs: NaN for the predictions that read them."""
        widths = [1.0] * len(self._watched)
        for i in missing:
            for k in self._readers[i]:
                widths[k] = float("nan")
        return widths

    def decide(self, score: float) -> tuple[bool, bool]:
        """Whether a score is an alarm, and whether it begins one; moves the threshold where that is asked for."""
        hit = score > self.threshold
        onset = hit and self.quiet > self._hold
        if self._adjust is not None:
            eta, rate, low, high, freeze = self._adjust
            if not (hit and self.quiet < 0 and -self.quiet >= freeze):
                from math import exp

                moved = self.threshold * exp(eta * ((1.0 if hit else 0.0) - rate))
                self.threshold = low if moved < low else high if moved > high else moved
        if hit:
            self.alarms += 1
            self.onsets += onset
            self.quiet = self.quiet - 1 if self.quiet < 0 else -1
        else:
            self.quiet = 1 if self.quiet < 0 else self.quiet + 1
        return hit, onset

    def _aggregate(self, parts: list[float], total: float) -> tuple[float, list[float]]:
        if not total > 0.0:
            return 0.0, parts
        if self._largest:
            top = max(parts)
            at = parts.index(top)
            return top, [top if k == at else 0.0 for k in range(len(parts))]
        score = 0.0
        for k, part in enumerate(parts):
            parts[k] = part / total
            score = score + parts[k]
        return score, parts

    def _level(self, k: int, r: float, length: int) -> float:
        """The residual without the median of the ones before it; the ring takes it in."""
        recent = self.recent[k]
        ordered = sorted(recent)
        n = len(ordered)
        level = 0.0
        if n:
            level = ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) * 0.5
        recent.append(r)
        if len(recent) > length:
            del recent[0]
        return r - level

    def to_dict(self) -> dict[str, Any]:
        """What is remembered, JSON-ready."""
        names = ("up", "down", "evidence", "recent", "threshold", "quiet", "onsets", "alarms")
        return {name: getattr(self, name) for name in names}

    def restore(self, data: Any) -> None:
        """Take over what `to_dict` gave; lengths must be right (ValueError)."""
        up, down, evidence = ([float(value) for value in data[key]] for key in ("up", "down", "evidence"))
        recent = [[float(value) for value in entry] for entry in data["recent"]]
        sizes = {len(self.up), len(up), len(down), len(evidence), len(recent)}
        if len(sizes) > 1 or any(len(entry) > self._chart[4] for entry in recent):
            raise ValueError("the charts of other sensors")
        self.up, self.down, self.evidence, self.recent = up, down, evidence, recent
        self.threshold = float(data["threshold"])
        self.quiet, self.onsets, self.alarms = (int(data[key]) for key in ("quiet", "onsets", "alarms"))


def shares(parts: list[float], score: float, names: list[str]) -> list[tuple[str, float]]:
    """The watched sensors with their share of the score, largest first; those without a share are left out."""
    if not score > 0.0:
        return []
    result = [(part / score, name) for part, name in zip(parts, names) if part > 0.0]
    return [(name, share) for share, name in sorted(result, key=lambda entry: -entry[0])]


def watched(model: Model) -> list[str]:
    """The names of the watched readings, in the order of the outputs."""
    return [sensor["reading"] for sensor in model.sections[KEY]["watched"]]


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(
        section,
        where,
        ("watched", "chart", "alpha", "allowance", "clip", "median", "smoothing", "aggregate", "warm_up", "threshold"),
        ("adjust", "step_seconds"),
    )
    if model.outputs[0].link != "identity":
        raise ModelFormatError(f"{where} does not go with link {model.outputs[0].link!r}; a detector predicts readings")
    _validate_watched(section["watched"], model, f"{where}.watched")
    take_choice(section["chart"], f"{where}.chart", CHARTS)
    take_choice(section["aggregate"], f"{where}.aggregate", AGGREGATES)
    for key in ("alpha", "smoothing"):
        if not 0.0 < number(section[key], f"{where}.{key}") <= 1.0:
            raise ModelFormatError(f"{where}.{key} is {shown(section[key])}; it must be above 0 and at most 1")
    if "step_seconds" in section and not number(section["step_seconds"], f"{where}.step_seconds") > 0.0:
        raise ModelFormatError(f"{where}.step_seconds is {shown(section['step_seconds'])}; it must be positive")
    for key in ("allowance", "clip"):
        if number(section[key], f"{where}.{key}") < 0.0:
            raise ModelFormatError(f"{where}.{key} is {shown(section[key])}; it must not be negative")
    _whole(section["median"], f"{where}.median", 0, LONGEST_MEDIAN)
    _whole(section["warm_up"], f"{where}.warm_up", 0, 1 << 30)
    limit = section["threshold"]
    at = f"{where}.threshold"
    take_keys(
        limit,
        at,
        ("score", "row_rate", "hold"),
        ("rate", "per", "low", "high", "confidence", "rows", "events", "days", "kind"),
    )
    if number(limit["score"], f"{at}.score") < 0.0:
        raise ModelFormatError(f"{at}.score is {shown(limit['score'])}; it must not be negative")
    if not 0.0 < number(limit["row_rate"], f"{at}.row_rate") < 1.0:
        raise ModelFormatError(f"{at}.row_rate is {shown(limit['row_rate'])}; it must be between 0 and 1")
    _whole(limit["hold"], f"{at}.hold", 0, 1 << 30)
    if section.get("adjust") is not None:
        at = f"{where}.adjust"
        take_keys(section["adjust"], at, ("eta", "cap", "freeze"), ())
        if not 0.0 < number(section["adjust"]["eta"], f"{at}.eta") <= 1.0:
            raise ModelFormatError(f"{at}.eta is {shown(section['adjust']['eta'])}; it must be above 0 and at most 1")
        if number(section["adjust"]["cap"], f"{at}.cap") < 1.0:
            raise ModelFormatError(f"{at}.cap is {shown(section['adjust']['cap'])}; it must be at least 1")
        _whole(section["adjust"]["freeze"], f"{at}.freeze", 1, 1 << 30)


def _validate_watched(data: Any, model: Model, where: str) -> None:
    if len(take_list(data, where)) != len(model.outputs):
        raise ModelFormatError(f"{where} has {len(data)} entries; the model has {len(model.outputs)} outputs")
    known = {
        feature.name: i
        for i, feature in enumerate(model.inputs)
        if feature.stream is None and feature.categories is None
    }
    for i, chunk in enumerate(data):
        at = f"{where}[{i}]"
        take_keys(chunk, at, ("reading", "centre", "scale", "slow", "weight"), ())
        if chunk["reading"] not in known:
            raise ModelFormatError(
                f"{at}.reading is {shown(chunk['reading'])}; it must be an input that is a reading of numbers"
            )
        own = known[chunk["reading"]]
        if any(factor.input == own for term in model.outputs[i].terms for factor in term.factors):
            raise ModelFormatError(f"outputs[{i}] predicts {chunk['reading']!r} from its own present")
        number(chunk["centre"], f"{at}.centre")
        for key in ("scale", "slow", "weight"):
            if not number(chunk[key], f"{at}.{key}") > 0.0:
                raise ModelFormatError(f"{at}.{key} is {shown(chunk[key])}; it must be positive")


def _whole(data: Any, where: str, low: int, high: int) -> None:
    if isinstance(data, bool) or not isinstance(data, int) or not low <= data <= high:
        raise ModelFormatError(f"{where} is {shown(data)}; it must be a whole number from {low} to {high}")
