"""What is wrong with a board, from what it leaves behind: figures, a snapshot, results, its record of updates."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso_runtime import Model, figures, load, model_hash
from edge_lasso_runtime.drift import KEY as DRIFT
from edge_lasso_runtime.drift import MOVED, psi
from edge_lasso_runtime.explain import term_text
from edge_lasso_runtime.health import FAULTS
from edge_lasso_runtime.keeper import saved_state
from edge_lasso_runtime.snapshot import FORMAT as SNAPSHOT
from edge_lasso_runtime.times import seconds
from edge_lasso_runtime.versions import FORMAT as UPDATES

DAY = 86400.0
WRITTEN, READING, SLOW, OLD, EXPIRES = 60.0, 900.0, 0.025, 180 * DAY, 14 * DAY
"""The borders of the alert rules (`deploy/prometheus/rules.yml`): seconds."""
SHARE = 0.06
AHEAD = 60.0
"""Seconds that two clocks may differ."""
ERRORS, WORSE = 30, 2.0
"""From so many truths on, an error is worse that is so many times what training expected."""
FINE, LOOK, ACT = "ok", "look", "act"
TROUBLE = (
    (ACT, ("is not saved", "are not written"), "df -h; runbook EdgeLassoDiskFull"),
    (LOOK, ("the connection is lost", "the broker cannot be reached"), "runbook EdgeLassoReadingsStopped"),
    (ACT, ("is damaged", "is held by process"), "runbook EdgeLassoProcessGone"),
)
"""What processes say of themselves in a journal, and what to do."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    level : str
        ``ok``, ``look`` or ``act``.
    text : str
        What is the case.
    advice : str
        What to do; empty where nothing is.
    """

    level: str
    text: str
    advice: str = ""


def _fine(text: str) -> Finding:
    return Finding(FINE, text)


def _look(text: str, advice: str) -> Finding:
    return Finding(LOOK, text, advice)


def _act(text: str, advice: str) -> Finding:
    return Finding(ACT, text, advice)


def examine(model: Model, paths: Sequence[Path], now: float | None = None) -> list[Finding]:
    """Look at what a board leaves behind.

    Parameters
    ----------
    model : Model
        The one that should run there.
    paths : sequence of Path
        In any order: figures (``--metrics``), a snapshot (``--state``), results of `score` (JSON lines), ``state.json``
        of the board's folder, another model to compare coefficients with.
    now : float, optional
        Seconds since 1970; default: now.

    Raises
    ------
    DataError
        A file is none of these.
    """
    now = time.time() if now is None else now
    results = [_model(model, now)]
    for path in paths:
        results += _file(model, path, now)
    return results


def _model(model: Model, now: float) -> Finding:
    when = seconds(model.provenance.get("date"))
    outputs = ", ".join(output.name for output in model.outputs)[:60]
    name = f"model {model_hash(model)[:12]}: {len(model.inputs)} inputs to {outputs}"
    if when is None:
        return _fine(f"{name}; when it was trained is not said")
    age = (now - when) / DAY
    if now - when > OLD:
        return _look(f"{name}, trained {age:.0f} days ago", "train again and compare; then bundle --rollout 10%")
    return _fine(f"{name}, trained {age:.0f} days ago")


def _file(model: Model, path: Path, now: float) -> list[Finding]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{path} is not text; doctor takes figures, a snapshot, results, state.json or a model"
        ) from None
    if "edge_lasso_model_info{" in text:
        return list(_figures(model, text, now))
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    kind = str(data.get("format", "")) if isinstance(data, dict) else ""
    if kind == SNAPSHOT:
        return list(_snapshot(model, path))
    if kind == UPDATES:
        return list(_updates(data))
    if kind.startswith("edge-lasso-model/"):
        return list(_changes(model, load(path)))
    results, trouble = _results(text), list(_trouble(text))
    if results or trouble:
        return [*_log(results), *trouble]
    raise DataError(f"{path} is neither figures, a snapshot, results of score, state.json nor a model")


def _figures(model: Model, text: str, now: float) -> Iterator[Finding]:
    samples = figures.samples(text)
    values = {name: value for name, labels, value in samples if not labels}
    [info] = [labels for name, labels, _ in samples if name == "edge_lasso_model_info"]
    age = now - values["edge_lasso_written_time_seconds"]
    if age < -AHEAD:
        yield _act(
            f"the figures are from {-age:.0f} s ahead of this clock: the board's clock or this one is wrong",
            "timedatectl on both; updates are refused while a board's clock is wrong",
        )
    elif age > WRITTEN:
        yield _act(
            f"the process wrote its figures {age:.0f} s ago: it is gone or hangs", "runbook EdgeLassoProcessGone"
        )
    else:
        yield _fine(f"the process lives, and wrote its figures {age:.0f} s ago")
    if info["model"] != model_hash(model):
        yield Finding(
            ACT,
            f"it runs model {info['model'][:12]}, which is another",
            "reload it; python -m edge_lasso_runtime status",
        )
    rows = values["edge_lasso_rows_total"]
    degraded = values["edge_lasso_degraded_rows_total"]
    if rows and degraded / rows > SHARE:
        yield _act(f"{degraded / rows:.1%} of {rows:.0f} rows are degraded", "runbook EdgeLassoDegradedFast")
    else:
        yield _fine(f"{rows:.0f} rows, {degraded:.0f} of them degraded")
    last = max((value for name, _, value in samples if name == "edge_lasso_reading_time_seconds"), default=now)
    silent = age <= WRITTEN and now - last > READING
    if silent:
        yield _act(f"no row has come for {(now - last) / 60:.0f} minutes", "runbook EdgeLassoReadingsStopped")
    yield from _errors(model, values)
    for name, labels, value in samples:
        what = labels.get("input", "")
        if name == "edge_lasso_reading_time_seconds" and now - value > READING and not silent:
            yield Finding(
                ACT, f"sensor {what} was last there {(now - value) / 60:.0f} minutes ago", "runbook EdgeLassoSensorGone"
            )
        if name == "edge_lasso_reading_faults_total" and rows and value / rows > SHARE:
            fault = labels["fault"].replace("_", " ")
            yield _look(f"sensor {what} is {fault} in {value / rows:.1%} of the rows", _advice(fault))
        if name == "edge_lasso_drift_index" and value > MOVED:
            yield Finding(
                LOOK, f"{what} is not distributed as in training (index {value:.2f})", "runbook EdgeLassoDrift"
            )
    if values.get("edge_lasso_alarm"):
        yield _act(f"the detector is in alarm, score {values['edge_lasso_score']:.3g}", "runbook EdgeLassoAlarm")
    expires = values.get("edge_lasso_bundle_expires_time_seconds")
    if expires is not None and expires - now < EXPIRES:
        yield _look(f"its bundle expires in {(expires - now) / DAY:.0f} days", "runbook EdgeLassoBundleExpires")
    buckets = [
        (float(labels["le"].replace("+Inf", "inf")), value)
        for name, labels, value in samples
        if name == "edge_lasso_latency_seconds_bucket"
    ]
    p95 = figures.quantile(buckets, 0.95)
    if p95 is not None and p95 > SLOW:
        yield _look(f"a row takes up to {p95 * 1e3:g} ms (p95)", "runbook EdgeLassoSlow")


def _errors(model: Model, values: dict[str, float]) -> Iterator[Finding]:
    """The mean absolute error where truths came along, beside what training expected."""
    rows = values.get("edge_lasso_error_rows_total", 0.0)
    expected = ((model.provenance.get("fits") or [{}])[0].get("cv_mse") or 0.0) ** 0.5
    if rows < ERRORS:
        return
    error = values["edge_lasso_error_absolute_total"] / rows
    text = f"mean absolute error {error:.4g} on {rows:.0f} rows with their truth"
    if expected and error > WORSE * expected:
        yield _act(f"{text}, where training expected an RMSE of {expected:.4g}", "update --rollback, or train again")
    else:
        yield _fine(text)


def _snapshot(model: Model, path: Path) -> Iterator[Finding]:
    state = saved_state(model, str(path))
    yield _fine(f"the snapshot holds {state.rows} rows")
    for feature, counts in zip(model.inputs, state.health.counts, strict=True):
        for fault, count in zip(FAULTS, counts, strict=True):
            if state.rows and count / state.rows > SHARE:
                yield Finding(
                    LOOK, f"sensor {feature.name} was {fault} in {count / state.rows:.1%} of the rows", _advice(fault)
                )
    if state.drift is not None:
        for part, tally in zip(model.sections[DRIFT]["readings"], state.drift.counts, strict=True):
            index = psi(part["parts"], tally[:-1])
            if index > MOVED:
                text = f"{part['input']} is not distributed as in training (index {index:.2f})"
                yield _look(text, "runbook EdgeLassoDrift")


def _updates(data: dict[str, Any]) -> Iterator[Finding]:
    last = data["history"][-1] if data["history"] else "none"
    yield _fine(f"largest serial {data['serial']}; last: {last}")
    if data["trial"]:
        yield _look(f"version {data['trial']} is still being tried", "the next update brings it to its end")
    for version, why in data["bad"].items():
        yield _look(f"version {version} was left: {why}", "find out why, then sign a higher serial")


def _changes(model: Model, other: Model) -> Iterator[Finding]:
    ours, theirs = _coefficients(model), _coefficients(other)
    terms = ours.keys() | theirs.keys()
    changed = {name for name in terms if ours.get(name, 0.0) != theirs.get(name, 0.0)}
    by_size = sorted(changed, key=lambda name: (-abs(ours.get(name, 0.0) - theirs.get(name, 0.0)), name))
    yield Finding(FINE, f"{len(changed)} of {len(terms)} terms differ from {model_hash(other)[:12]}")
    for name in by_size[:5]:
        yield _fine(f"  {name}: {theirs.get(name, 0.0):.6g} became {ours.get(name, 0.0):.6g}")


def _coefficients(model: Model) -> dict[str, float]:
    return {f"{output.name}: {term_text(model, term)}": term.coef for output in model.outputs for term in output.terms}


def _trouble(text: str) -> Iterator[Finding]:
    """What the process itself has said: each kind once, with the last line of it."""
    for level, kinds, advice in TROUBLE:
        said = [line for line in text.splitlines() if any(kind in line for kind in kinds)]
        if said:
            yield Finding(level, (said[-1].partition("warning: ")[2] or said[-1])[:160], advice)


def _log(results: list[dict[str, Any]]) -> Iterator[Finding]:
    if not results:
        return
    states = Counter(str(result.get("status")) for result in results)
    yield Finding(
        FINE, f"{len(results)} results: {', '.join(f'{count} {name}' for name, count in states.most_common())}"
    )
    faults = Counter((name, fault) for result in results for name, fault in result.get("faults", {}).items())
    for (name, fault), count in faults.most_common(10):
        if count / len(results) > SHARE:
            yield Finding(
                LOOK, f"sensor {name} was {fault} in {count / len(results):.1%} of the results", _advice(fault)
            )
    alarms = [result for result in results if result.get("alarm")]
    if alarms:
        sensors = ", ".join(list(alarms[-1].get("sensors", {}))[:3]) or "no sensor named"
        yield _act(f"{len(alarms)} results in alarm, the last by {sensors}", "runbook EdgeLassoAlarm")


def _results(text: str) -> list[dict[str, Any]]:
    results = []
    for line in text.splitlines():
        start = line.find("{")
        try:
            result = json.loads(line[start:]) if start >= 0 else None
        except ValueError:
            continue
        if isinstance(result, dict) and "status" in result:
            results.append(result)
    return results


def _advice(fault: str) -> str:
    return {
        "missing": "runbook EdgeLassoSensorGone",
        "stuck": "runbook EdgeLassoSensorStuck",
        "jump": "look at its cable; a spike now and then is electrical",
    }.get(fault, "was it replaced, or its unit changed? runbook EdgeLassoDegradedFast")
