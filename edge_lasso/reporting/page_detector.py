"""What the report says of a detector: its promise, a scored table, who caused the alarms, what a missing sensor costs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from edge_lasso.detecting.missing_sensors import Lost, missing_sensors
from edge_lasso.detecting.scored_table import Scored, score_table
from edge_lasso.reporting import charts_detector as charts
from edge_lasso.reporting.facts import number
from edge_lasso.reporting.live import live_section
from edge_lasso.reporting.page_parts import table
from edge_lasso.reporting.report_data import DetectorView
from edge_lasso.reporting.show_detector import alarm_lines, chart_words
from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import KEY, sensors
from edge_lasso_runtime.stream import warm_up

if TYPE_CHECKING:
    from edge_lasso.reporting.report_data import ReportData

Array = npt.NDArray[Any]
STORY = (
    "Each sensor is predicted from the others by a sparse linear model. The score says how little the readings agree "
    "with that, in units of what is normal: 1 in the mean."
)
MOST_SENSORS = 25
MOST_ALARMS = 50
QUANTILES = 200


def look_at(model: Model, data: Any = None) -> DetectorView:
    """Score a table, and find out what missing sensors cost."""
    return DetectorView(None if data is None else score_table(model, data), missing_sensors(model))


def detector_title(model: Model) -> str:
    """The headline."""
    count = len(sensors(model))
    return f"Detector: {count} sensor{'s' * (count != 1)}, {_coefs(model)} coefficients"


def detector_sections(data: ReportData, view: DetectorView) -> list[str]:
    """The parts of the page that are about a detector alone."""
    model = data.model
    return [
        _headline(data, view.scored),
        live_section(model),
        *(_over_time(model, view.scored) if view.scored is not None else [_no_table()]),
        _promise(model, view.scored),
        _sensors(model),
        _missing(view.lost, model),
    ]


def _coefs(model: Model) -> int:
    return sum(len(output.terms) for output in model.outputs)


def _headline(data: ReportData, scored: Scored | None) -> str:
    model = data.model
    limit = model.sections[KEY]["threshold"]
    facts = []
    if scored is not None:
        rows = max(len(scored.scores), 1)
        facts += [
            ("alarms in this table", f"{len(scored.alarms):,}"),
            ("of its rows in alarm", f"{number(100.0 * float(scored.hits.sum()) / rows, 3)} %"),
        ]
    if "kind" in limit:
        most = limit["high"] if limit["kind"] == "limit" else limit["rate"]
        unit = "of normal rows" if limit["per"] == "row" else f"per {limit['per']}"
        sign = "\u2264 " if limit["kind"] == "limit" else ""
        facts.append((f"false alarms, {unit}", f"{sign}{number(most, 2)}"))
    held = model.provenance.get("held_out")
    if held:
        facts.append((f"false alarms in {held['rows']:,} rows held out", f"{held['alarms']:,}"))
    facts += [
        ("sensors watched", f"{len(sensors(model))}"),
        ("readings wired", f"{sum(feature.stream is None for feature in model.inputs)}"),
        ("coefficients", f"{_coefs(model)}"),
        ("rows to warm up", f"{max(model.sections[KEY]['warm_up'], warm_up(model)):,}"),
    ]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f"<h1>{escape(detector_title(model))}</h1><p>{escape(data.story)}</p><dl class='facts'>{cells}</dl>"


def _no_table() -> str:
    return (
        "<h2>Score over time</h2><p class='soft'>Give a table of readings: edge-lasso report DETECTOR --data TABLE.</p>"
    )


def _over_time(model: Model, scored: Scored) -> list[str]:
    heading = "<h2>Score over time</h2>"
    if not len(scored.scores):
        return [f"{heading}<p class='soft'>The table has no rows.</p>"]
    span = charts.Span(scored.x, scored.timed, scored.breaks)
    onsets = [alarm.first for alarm in scored.alarms]
    line = charts.timeline(span, scored.scores, scored.thresholds, scored.hits, onsets)
    said = [f"{len(scored.scores):,} rows of {scored.title}"]
    if scored.missing:
        said.append(f"{scored.missing:,} of them lack a reading")
    gaps = len(scored.breaks)
    if gaps:
        said.append(f"{gaps:,} gap{'s' * (gaps > 1)} in time, left open")
    caption = (
        f"Band: least and largest score of each step of time. Shaded: in alarm. Triangle: an alarm begins. No alarm in "
        f"the first {scored.warm_up:,} rows{', or after a long gap' if gaps else ''}."
    )
    return [
        f"{heading}<p>{escape('; '.join(said))}.</p>"
        f"{''.join(f'<p class=soft>{escape(note[:1].upper() + note[1:])}.</p>' for note in scored.notes if not note.startswith(f'{gaps} gap'))}"
        f"<figure>{line}<figcaption>{caption}</figcaption></figure>",
        _who(model, scored, span),
        _alarms(scored),
    ]


def _who(model: Model, scored: Scored, span: charts.Span) -> str:
    total = scored.parts.sum(axis=1, keepdims=True)
    shares = np.divide(scored.parts, total, out=np.full_like(scored.parts, np.nan), where=total > 0.0)
    order = np.argsort(-scored.parts.sum(axis=0), kind="stable")
    levels = charts.levels(len(order))
    visible = np.nan_to_num(shares).max(axis=0) >= levels[0]
    chosen = np.array([k for i, k in enumerate(order) if visible[k] or i < 3])
    every = len(order)
    which = f"the {MOST_SENSORS} of {every} sensors with the largest part of all scores"
    if len(chosen) <= MOST_SENSORS:
        least = f" that ever have {100.0 * levels[0]:.0f} %"
        which = f"the {len(chosen)} of {every} sensors{least}" if len(chosen) < every else f"all {every} sensors"
    chosen = chosen[:MOST_SENSORS]
    names = [sensors(model)[k] for k in chosen]
    picture = charts.heat_map(span, names, shares[:, chosen], levels, scored.hits)
    steps = zip(levels, charts.SHADES, strict=True)
    key = "".join(f'<i class="shade" style="opacity:{dark}"></i>{100.0 * share:.0f} %' for share, dark in steps)
    return (
        "<h2>Which sensors caused it</h2>"
        f'<p class="key soft">share of the score, at least {key}</p>'
        f"<figure>{picture}<figcaption>Shares add up to the score exactly. Shown: {which}, the largest first.</figcaption></figure>"
    )


def _alarms(scored: Scored) -> str:
    if not scored.alarms:
        return "<p>No alarm in this table.</p>"
    some = sorted(scored.alarms, key=lambda entry: -entry.peak)[:MOST_ALARMS]
    some.sort(key=lambda entry: entry.first)
    many = len(scored.alarms)
    caption = (
        f"{many:,} alarm{'s' * (many > 1)}" if len(some) == many else f"The {len(some)} highest of {many:,} alarms"
    )
    caption += (
        "; below the threshold for a while they go on. Shares: of the score over the rows in alarm, the three largest."
    )
    unit: Literal["m", "s"] = "m" if scored.timed and not (scored.x % 60.0).any() else "s"
    rows = []
    for entry in some:
        shares = ", ".join(
            f"{escape(name)}&nbsp;{100.0 * share:.0f}&nbsp;%" for name, share in entry.shares if share >= 0.005
        )
        first, last = (
            charts.moment(float(scored.x[row]), unit) if scored.timed else f"{row:,}"
            for row in (entry.first, entry.last)
        )
        rows.append([first, shares, number(entry.peak, 3), last, f"{entry.rows:,}"])
    return table(caption, ("from", "sensors and their share", "highest score", "to", "rows above"), rows, text=(1,))


def _promise(model: Model, scored: Scored | None) -> str:
    lines = "".join(f"<p>{escape(line[:1].upper() + line[1:])}.</p>" for line in alarm_lines(model))
    heading = "<h2>What an alarm is worth</h2>"
    value = model.provenance.get("score_quantiles")
    if not value:
        return f"{heading}{lines}"
    normal = np.array(value["score"]), np.array(value["above"])
    here = None
    warm = scored.scores[scored.warm_up :] if scored is not None else np.zeros(0)
    if len(warm):
        above = np.unique(np.geomspace(1.0, len(warm), QUANTILES).round().astype(np.int64))[::-1]
        here = np.sort(warm)[len(warm) - above], above / len(warm)
    picture = charts.survival(normal, float(model.sections[KEY]["threshold"]["score"]), here)
    key = '<i class="first"></i>normal rows, held out' + (' <i class="warm"></i>this table' if here else "")
    caption = (
        "Where a curve crosses the dashed line is the part of the rows above the threshold. Normal rows were scored by "
        "models that have seen neither them nor their neighbours."
    )
    return f'{heading}{lines}<p class="key soft">{key}</p><figure>{picture}<figcaption>{caption}</figcaption></figure>'


def _sensors(model: Model) -> str:
    quality = {sensor["name"]: sensor for sensor in model.provenance.get("sensors", [])}
    rows = []
    for output, sensor in zip(model.outputs[: len(sensors(model))], model.sections[KEY]["watched"], strict=False):
        value = quality.get(output.name)
        known = value and value["cv_mse_constant"]
        explained = f"{1.0 - value['cv_mse'] / value['cv_mse_constant']:.3f}" if value and known else "-"
        terms = ", ".join(
            f"{escape(model.inputs[term.factors[0].input].name)}&nbsp;({_signed(term.coef)})" for term in output.terms
        )
        rows.append([escape(sensor["reading"]), explained, number(sensor["scale"]), terms or "its mean"])
    head = ("sensor", "R2, held out", "residual's scale", "predicted from (coefficient)")
    readings = [feature.name for feature in model.inputs if feature.stream is None]
    unwatched = [name for name in readings if name not in sensors(model)]
    more = f"<p>Read, but not watched: {escape(', '.join(unwatched))}.</p>" if unwatched else ""
    chart = escape(chart_words(model.sections[KEY]))
    return (
        f"<h2>What it is</h2><p>Score: {chart}.</p>{more}"
        f"{table('All that has to be wired. A sensor is never predicted from its own present.', head, rows, text=(3,))}"
    )


def _signed(value: float) -> str:
    return f"{'+' if value >= 0.0 else '-'}{number(abs(value), 3)}".replace("-", "\u2212")


def _missing(lost: Sequence[Lost], model: Model) -> str:
    every = len(sensors(model))
    rows = []
    estimated = any(loss.widths is not None for loss in lost)
    if estimated:
        head = ["missing", "predictions that read it", "error grows", "most for"]
        caption = (
            "It is not scored itself; where another prediction reads it, it is estimated from the other sensors. Error "
            "grows: how many times as large a fault of that other sensor must be to score the same."
        )
    else:
        head = ["missing", "still watched", "not predicted meanwhile"]
        caption = "It is not scored itself. A prediction that reads it says nothing; a sensor's usual level still does."
    for loss in lost:
        if not loss.readers:
            continue
        if loss.widths is None:
            others = ", ".join(escape(name) for name in loss.readers)
            rows.append([escape(loss.name), f"{loss.watched} of {every}", others])
        else:
            worst = max(loss.widths, key=lambda name: (loss.widths or {})[name])
            rows.append(
                [escape(loss.name), f"{len(loss.readers)}", f"{number(loss.widths[worst], 3)} x", escape(worst)]
            )
    alone = [escape(loss.name) for loss in lost if not loss.readers]
    rest = f"<p>No other sensor's prediction reads {', '.join(alone)}.</p>" if alone else ""
    words = (3,) if estimated else (2,)
    return f"<h2>What each missing sensor costs</h2>{table(caption, head, rows, text=words) if rows else ''}{rest}"
