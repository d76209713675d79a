"""What the commands print about a detector."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_lasso.detecting.following import most_in_alarm
from edge_lasso.detecting.missing_sensors import Lost, missing_sensors
from edge_lasso.detecting.noticed import rows_of, smallest_biases
from edge_lasso.reporting import terminal
from edge_lasso.reporting.facts import fixed_facts, number, residual_bound, section_facts
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.detector import KEY, sensors
from edge_lasso_runtime.format import to_dict
from edge_lasso_runtime.predict import predicted
from edge_lasso_runtime.stream import warm_up

if TYPE_CHECKING:
    from edge_lasso.detecting.train_detector import DetectorResult


def show_trained(result: DetectorResult, model_file: Path, statistics_file: Path, as_json: bool) -> None:
    """Print what `watch` found."""
    model = result.model
    if as_json:
        names = [model.outputs[k].name for k in predicted(model)]
        terminal.say_json({
            "model": str(model_file), "statistics": str(statistics_file), "hash": model_hash(model),
            "sensors": [sensor for sensor in model.provenance["sensors"] if sensor["name"] in names], "threshold": model.sections[KEY]["threshold"],
            "held_out": result.held, "notes": result.notes,
            "bias_noticed": smallest_biases(model, rows_of(model.sections[KEY])),
        })  # fmt: skip
        return
    for line in result.notes:
        terminal.note(f"note: {line}")
    _sensors(model)
    for line in alarm_lines(model):
        terminal.say(line)
    terminal.say(f"wrote {model_file} and {statistics_file}")


def show_detector(model: Model, as_json: bool) -> None:
    """Print a detector."""
    lost = missing_sensors(model)
    if as_json:
        terminal.say_json({**to_dict(model), "hash": model_hash(model), "if_missing": [asdict(loss) for loss in lost]})
        return
    _sensors(model)
    _missing(model, lost)
    section = model.sections[KEY]
    about, data = model.provenance, model.provenance.get("data", {})
    facts = [("hash", model_hash(model)[:16]), ("chart", chart_words(section))]
    rows = max(section["warm_up"], warm_up(model))
    facts.append(("warm-up", f"{_count(rows, 'row')}; no alarm before"))
    if data:
        facts.append(("trained on", f"{data.get('file')}, {data.get('rows'):,} rows"))
    if "from" in data:
        facts.append(("from, to", f"{data['from']}, {data['to']}"))
    if about.get("rows"):
        facts.append(("coefficients", f"{sum(len(output.terms) for output in model.outputs)}"))
    facts += [("alarms", line) for line in alarm_lines(model)]
    if "adjust" in section:
        change = section["adjust"]
        facts.append(
            (
                "threshold",
                f"follows on the board (step {change['eta']:g}), from {change['floor']:g} to {change['cap']:g} times "
                f"its start; it stays from row {change['freeze']:,} to {change['thaw']:,} of an alarm",
            )
        )
    facts += [*section_facts(model), *fixed_facts(model)]
    residuals = residual_bound(model)
    if residuals:
        facts.append(("step_q", f"in integers alone; residuals within {residuals} of their scale, proven"))
    terminal.table("", ("", ""), facts, text_columns=2)


def alarm_lines(model: Model) -> list[str]:
    """What is known about the rate of false alarms."""
    limit = model.sections[KEY]["threshold"]
    if "kind" not in limit:
        return [f"alarm above a score of {number(limit['score'])}"]
    unit = "of normal rows" if limit["per"] == "row" else f"false alarms per {limit['per']}"
    confidence = f"{100.0 * limit['confidence']:g} %"
    base = f"{limit['rows']:,} rows held out, {limit['events']} alarm{'s' * (limit['events'] != 1)} among them"
    if limit["kind"] == "follows":
        rows = round(100.0 / limit["row_rate"])
        promise = (
            f"it follows the scores, so that {number(limit['row_rate'], 3)} of the rows are in alarm; over {rows:,} "
            f"rows at most {number(most_in_alarm(model.sections[KEY], rows), 3)} and those in which it stays"
        )
    elif limit["kind"] == "exchangeable":
        promise = f"at most {number(limit['rate'], 3)} {unit} in the mean, where their order means nothing"
    elif limit["kind"] == "limit":
        promise = f"at most {number(limit['high'], 3)} {unit} at {confidence} confidence"
    else:
        promise = f"{number(limit['rate'], 3)} {unit}, {confidence} between {_between(limit)}"
    lines = [f"alarm above a score of {number(limit['score'])}: {promise} ({base})"]
    if "also" in limit:
        also = limit["also"]
        what = "of the rows in alarm" if also["per"] == "row" else "alarms begin per day"
        lines[0] += f"; {number(also['rate'], 3)} {what}, at most {number(also['high'], 3)}"
    held = model.provenance.get("held_out")
    if held:
        lines.append(
            f"on the last {held['rows']:,} rows, never seen: {held['alarms']} alarm{'s' * (held['alarms'] != 1)}, "
            f"{number(held['rate'], 3)} {unit}, {confidence} between {_between(held)}; {number(held['in_alarm'], 3)} of the "
            "rows in alarm"
        )
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _between(one: dict[str, Any]) -> str:
    return f"{number(one['low'], 3)} and {number(one['high'], 3)}"


def chart_words(section: dict[str, Any]) -> str:
    """How residuals become the score."""
    if section["smoothing"] == 1.0:
        text = "squared residuals"
    else:
        text = f"residuals and their moving averages, smoothed by {section['smoothing']:g}"
    if section["fast"]:
        text += ", or squared residuals as they are if that is more"
    if section["track"]:
        text += f"; levels follow within {1 << section['track']:,} rows"
    return f"mean over the sensors of: {text}"


def _missing(model: Model, lost: list[Lost]) -> None:
    """The readings, and what it costs when one is missing."""
    every, rows = len(sensors(model)), []
    for loss in lost:
        reading = next(feature for feature in model.inputs if feature.name == loss.name)
        cost = "-"
        if loss.widths:
            worst = max(loss.widths, key=lambda name: (loss.widths or {})[name])
            cost = f"{number(loss.widths[worst], 3)} x for {worst}"
        elif loss.readers and loss.widths is None:
            cost = "not known: not scored"
        rows.append((
            reading.name, f"{number(reading.low)} to {number(reading.high)}", f"{loss.watched} of {every}", cost,
        ))  # fmt: skip
    columns = ("reading", "range", "still scored without it", "errors of others grow, at most")
    terminal.table("if a reading is missing", columns, rows, text_columns=1)


def _sensors(model: Model) -> None:
    table = {sensor["name"]: sensor for sensor in model.provenance.get("sensors", [])}
    within, rows = rows_of(model.sections[KEY]), []
    biases = smallest_biases(model, within)
    for output, sensor in zip(model.outputs[: len(sensors(model))], model.sections[KEY]["watched"], strict=False):
        quality = table.get(output.name)
        known = quality and quality["cv_mse_constant"]
        explained = f"{1.0 - quality['cv_mse'] / quality['cv_mse_constant']:.3f}" if quality and known else "-"
        names = [model.inputs[term.factors[0].input].name for term in output.terms]
        bias = biases[sensor["reading"]]
        rows.append((
            sensor["reading"], ", ".join(names) or "(its mean)", explained, number(sensor["scale"]),
            "none" if bias is None else number(bias, 3),
        ))  # fmt: skip
    terminal.table(
        f"{_count(len(sensors(model)), 'sensor')} watched, {_count(sum(len(output.terms) for output in model.outputs), 'coefficient')}",
        (
            "sensor",
            "predicted from",
            "R2, held out",
            "residual's scale",
            f"bias noticed within {_count(within, 'row')}",
        ),
        rows,
        text_columns=2,
    )
