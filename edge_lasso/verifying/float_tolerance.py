"""How far a binary32 artifact's `step` may be from the reference: an error bound carried along with the reference.

Per row: what rounding may have done to each derived and estimated input, what that does to the linear predictor (on
top of the bound of `dense_bounds` for that row of inputs), to each residual, to the charts' memory, to the score. To
first order, doubled. Alarms are compared as long as no score was nearer to the threshold than its error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_lasso_exporters import dense_bounds
from edge_lasso_exporters.dense import dense
from edge_lasso_exporters.options import Options
from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import SETTLING, STRAY, Detector
from edge_lasso_runtime.estimate import Estimator
from edge_lasso_runtime.health import KEY as HEALTH
from edge_lasso_runtime.model import EXP_ROOM
from edge_lasso_runtime.predict import factor_value
from edge_lasso_runtime.step_result import Step
from edge_lasso_runtime.step_session import Answer
from edge_lasso_runtime.stream import MISSING, Delays

U = 2.0**-24
SLACK = 2.0
LINK = 64 * U


def single(model: Model) -> Model:
    """The model with the limits that a binary32 board compares with."""
    inputs = tuple(feature.replace(low=_single(feature.low), high=_single(feature.high)) for feature in model.inputs)
    sections = dict(model.sections)
    if HEALTH in sections:
        limits = [{**reading, "jump": _single(reading["jump"])} for reading in sections[HEALTH]["readings"]]
        sections[HEALTH] = {"readings": limits}
    return model.replace(inputs=inputs, sections=sections)


def rounded(sequences: Sequence[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    """Readings as a binary32 board gets them; what is beyond it stays as it is."""
    return [[[float(np.float32(x)) if abs(x) < 3e38 else x for x in row] for row in rows] for rows in sequences]


def _single(value: float | None) -> float | None:
    if value is None:
        return None
    with np.errstate(over="ignore"):
        return float(min(max(np.float32(value), np.float32(-3e38)), np.float32(3e38)))


class Tolerance:
    """Follows one sequence; `judge` every row in order.

    Parameters
    ----------
    model : Model
        As `single` makes it.
    options : Options
    """

    def __init__(self, model: Model, options: Options) -> None:
        self.model, self.plan = model, Stateful(model, options)
        self.form = dense_bounds.choose(dense(model), "float32")
        self.delays = Delays(model)
        self.errors = [0.0] * len(self.plan.averages)
        self.estimator = Estimator(model) if self.plan.estimate else None
        count = len(self.plan.watched)
        self.detector = Detector(model) if self.plan.detector else None
        self.slow, self.evidence, self.level = [0.0] * count, [0.0] * count, [0.0] * count
        self.last: dict[int, float] = {}
        self.threshold = U
        self.sure = True

    def judge(self, row: Sequence[float], must: Step, answer: Answer) -> str:
        """The first thing that is off by more than rounding explains; "" where all is well."""
        faults = [must.faults.get(name, "") for name in self.plan.names]
        same = answer.faults == faults and answer.status == must.status
        if not same and not all(map(self._near_a_jump, self.plan.readings, row, answer.faults, faults)):
            return f"step's faults are {answer.faults} ({answer.status}), must be {must.faults} ({must.status})"
        raw = [MISSING] * len(self.model.inputs)
        for i, value in zip(self.plan.readings, row, strict=True):
            feature = self.model.inputs[i]
            if feature.categories is not None:
                raw[i] = -1.0 if feature.name in must.faults else value
            elif -self.model.limit <= value <= self.model.limit:
                raw[i] = self.last[i] = value
        x, errors, wider = self._inputs(raw, must)
        values, bounds = dense_bounds.expected(self.form, [x], "selected")
        allowed = [SLACK * (bound + moved) for bound, moved in zip(bounds[0], self._moved(x, errors), strict=True)]
        del values
        for got, want, room in zip(answer.linear, must.linear, allowed, strict=True):
            if math.isfinite(want) and not abs(got - want) <= room:
                return f"step's linear predictor is {got!r}, must be {want!r} within {room!r}"
        if self.model.outputs[0].link != "identity":
            for got, want in zip(answer.values, must.values, strict=True):
                room = max(allowed) + LINK
                if self.model.outputs[0].link == "exp":
                    room = (math.expm1(min(room, EXP_ROOM)) + LINK) * want
                if not abs(got - want) <= room:
                    return f"step's value is {got!r}, must be {want!r} within {room!r}"
        wanted = (must.widths or [1.0] * len(answer.widths)) if self.estimator is not None else []
        for got, want in zip(answer.widths, wanted, strict=True):
            if not abs(got - want) <= SLACK * wider * want:
                return f"step's width is {got!r}, must be {want!r} within {SLACK * wider * want!r}"
        return "" if self.detector is None else self._score(raw, must, answer, allowed, wider)

    def _near_a_jump(self, i: int, value: float, got: str, want: str) -> bool:
        """Whether faults agree, but for a change that is the largest allowed one to within rounding."""
        if got == want:
            return True
        before, (_, jump) = self.last.get(i, 0.0), self.plan.limits.get(i, (0, math.inf))
        near = abs(abs(value - before) - jump) <= 4.0 * U * (abs(value) + abs(before))
        return {got, want} == {"jump", ""} and near

    def _inputs(self, raw: list[float], must: Step) -> tuple[list[float], list[float], float]:
        """The reference's inputs, how far rounding may have moved each, and (relative) the widths."""
        x = list(raw)
        for i in self.plan.readings:
            if must.faults.get(self.model.inputs[i].name) == "stuck":
                x[i] = MISSING
        if self.model.policy == "clamp":
            x = _clamped(self.model, x)
        rings = [[abs(v) for v in ring if v == v] for ring in self.delays.rings]
        before = list(self.delays.averages)
        self.delays.step(x)
        errors = [U * abs(v) if v == v else 0.0 for v in x]
        for i, kind, at, ring, length in self.plan.derived:
            size = max([*rings[ring], abs(x[at]) if x[at] == x[at] else 0.0], default=0.0)
            errors[i] = {"lag": 1.0, "difference": 4.0, "mean": length + 4.0}[kind] * U * size
        for k, (i, at, span) in enumerate(self.plan.averages):
            if x[at] == x[at]:
                size = abs(x[at]) + (abs(before[k]) if before[k] == before[k] else 0.0)
                self.errors[k] = (1.0 - 2.0 / (span + 1)) * self.errors[k] + 5.0 * U * size
            errors[i] = self.errors[k]
        gone = [i for i, v in enumerate(x) if v != v]
        wider = 0.0
        if gone and self.estimator is not None:
            wider = self._estimated(x, errors, gone)
        for i in gone:
            if self.estimator is None:
                x[i] = float(self.model.inputs[i].default or 0.0)
                errors[i] = U * abs(x[i])
        return (_clamped(self.model, x) if self.model.policy == "clamp" else x), errors, wider

    def _estimated(self, x: list[float], errors: list[float], gone: list[int]) -> float:
        plan, section = self.plan, self.plan.estimate or {}
        k = len(plan.numeric)
        inverse = np.zeros((k, k))
        inverse[np.tril_indices(k)] = section["inverse"]
        inverse = inverse + np.tril(inverse, -1).T
        lost = [j for j, i in enumerate(plan.numeric) if i in gone]
        js = [j for j in range(k) if j not in lost]
        mean = np.array(section["mean"], dtype=float)
        known = np.array([x[plan.numeric[j]] for j in js])
        moved = np.array([errors[plan.numeric[j]] for j in js]) + 2.0 * U * (np.abs(known) + np.abs(mean[js]))
        away, block = np.abs(known - mean[js]), inverse[np.ix_(lost, lost)]
        right = np.abs(inverse[np.ix_(lost, js)]) @ (moved + (k + 3) * U * away)
        assert self.estimator is not None
        self.estimator.fill(x, gone)
        result = np.abs(np.array([x[plan.numeric[j]] for j in lost]) - mean[lost])
        solved: NDArray[np.float64] = np.abs(np.linalg.inv(block)) @ (right + 6.0 * k * k * U * np.abs(block) @ result)
        for j, error in zip(lost, solved.tolist(), strict=True):
            i = plan.numeric[j]
            errors[i] = error + 2.0 * U * (abs(mean[j]) + abs(x[i]))
        return float(6.0 * k * k * U * np.linalg.cond(block))

    def _moved(self, x: list[float], errors: list[float]) -> list[float]:
        """What the errors of inputs do to each output, exactly for a product of magnitudes."""
        results = []
        for output in self.model.outputs:
            total = 0.0
            for term in output.terms:
                size = wide = abs(term.coef)
                for factor in term.factors:
                    if factor.category is not None:
                        continue
                    value, moved = abs(factor_value(factor, x)), errors[factor.input]
                    if factor.step is not None:
                        value, moved = 1.0, float(abs(x[factor.input] - factor.step) <= moved)
                    size *= value
                    wide *= value + moved
                total += wide - size
            results.append(total * (1.0 + 2.0**-20))
        return results

    def _score(self, raw: list[float], must: Step, answer: Answer, allowed: list[float], wider: float) -> str:
        section: dict[str, Any] = self.plan.detector or {}
        assert self.detector is not None
        before = (list(self.detector.level), list(self.detector.slow), list(self.detector.evidence))
        young = self.detector.young > 0
        self.detector.step(raw, must.linear, must.widths)
        room, quick, total = 0.0, 0.0, 0.0
        for k, (at, centre, factor, slow, weight) in enumerate(self.plan.watched):
            width = must.widths[k] if must.widths else 1.0
            if raw[at] != raw[at] or width != width:
                continue
            r = (raw[at] - must.linear[k] - centre) * factor / width
            error = (allowed[k] + 2.0 * U * (abs(raw[at]) + abs(must.linear[k]) + abs(centre))) * factor / width
            error += (4.0 * U + wider) * abs(r)
            if section["track"]:
                r, error = self._tracked(k, r, error, before[0][k], 2.0 ** -(SETTLING if young else section["track"]))
            clip = section["clip"]
            cut = [min(max(end, -clip), clip) for end in (r - error, r, r + error)]
            error, size = max(cut[2] - cut[1], cut[1] - cut[0]), abs(cut[1])
            room += weight * self._evidence(k, size, error, slow, section["smoothing"], before)
            quick += weight * ((2.0 * size + error) * error + 2.0 * U * size * size)
            total += weight
        if not total:
            total = sum(weight for *_, weight in self.plan.watched)
            room = sum(weight * error for (*_, weight), error in zip(self.plan.watched, self.evidence, strict=True))
        score = must.score or 0.0
        room = SLACK * (max(room, section["fast"] * quick) / total + 2.0 * (len(self.slow) + 6) * U * score)
        if answer.score is None or not abs(answer.score - score) <= room:
            return f"the score is {answer.score!r}, must be {score!r} within {room!r}"
        limit = section["threshold"]["score"] if self.plan.adjust is None else self.detector.threshold
        if self.plan.adjust is not None:
            self.threshold += 4.0 * U
            self.detector.decide(score) if must.status != "warming up" else None
        self.sure = self.sure and abs(score - limit) > room + self.threshold * limit
        if self.sure and (answer.alarm, answer.onset) != (must.alarm, must.onset):
            return f"alarm and onset are {(answer.alarm, answer.onset)}, must be {(must.alarm, must.onset)}"
        return ""

    def _tracked(self, k: int, r: float, error: float, level: float, rate: float) -> tuple[float, float]:
        """A residual without its level, and its error; that of the level is carried on.

        The next level falls with neither, and moves with them by at most the larger of what it does cut and uncut.
        """
        held, cut = self.level[k], abs(r - level) + error + self.level[k] >= STRAY
        followed = (1.0 - rate) * held + rate * error
        rounding = 4.0 * U * (abs(level) + abs(r) * rate)
        self.level[k] = (max(held, followed) if cut else followed) + rounding
        return r - level, error + held + 2.0 * U * (abs(r) + abs(level))

    def _evidence(self, k: int, size: float, error: float, slow: float, smoothing: float, before: Any) -> float:
        """The error of a sensor's smoothed evidence, carried on."""
        assert self.detector is not None
        moved = (2.0 * size + error) * error + 2.0 * U * size * size
        up = 0.0
        if smoothing < 1.0:
            up = max(abs(self.detector.slow[k]), abs(before[1][k]))
            self.slow[k] = (1.0 - smoothing) * self.slow[k] + smoothing * error + 4.0 * U * (up + size)
            slowed = slow * self.slow[k]
            moved = (moved + (2.0 * slow * up + slowed) * slowed + 6.0 * U * (slow * up) ** 2) / 2.0
        most = max(before[2][k], self.detector.evidence[k], size * size, (slow * up) ** 2)
        self.evidence[k] = (1.0 - smoothing) * self.evidence[k] + smoothing * moved + 6.0 * U * most
        return self.evidence[k]


def _clamped(model: Model, x: list[float]) -> list[float]:
    return [
        v if v != v or feature.low is None or feature.high is None else min(max(v, feature.low), feature.high)
        for v, feature in zip(x, model.inputs, strict=True)
    ]
