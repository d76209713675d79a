"""One self-contained HTML page about a model: what it reads, how good it is, what each artifact costs and promises."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from edge_lasso.reporting import charts
from edge_lasso.reporting.class_facts import absent_lines, believed, decision_lines, quality_of, reliabilities
from edge_lasso.reporting.facts import number
from edge_lasso.reporting.formula import formula_section
from edge_lasso.reporting.live import live_section
from edge_lasso.reporting.page_classes import class_quality, curves, label_column
from edge_lasso.reporting.page_detector import STORY, detector_sections, detector_title, look_at
from edge_lasso.reporting.page_parts import about_model, certificates, costs, missing, table
from edge_lasso.reporting.report_data import ReportData
from edge_lasso.reporting.report_files import certificates_beside, measurements_beside
from edge_lasso.reporting.show import importance, interval_lines, trust_rows
from edge_lasso.statistics.beside import load_statistics
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.training.train_table import Held
from edge_lasso_runtime import Model, load
from edge_lasso_runtime.atomic import write_text
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.explain import term_text

STRIP_ROWS = 336
TWO_WEEKS = 14 * 86400e6
MOST_DRAWN = 5000
CHOSEN_BY = {
    "auto": ", the fewest that cannot be told from the smallest error and lose no more than 1 % of it",
    "1se": ", the fewest within one standard error (band) of the smallest error",
    "paired": ", the fewest within one standard error of their difference to the smallest error",
    "min": ", with the smallest error",
}
"""What a rule says of the choice, where no number of inputs was asked for."""


def collect(model_file: Path, data: Any = None) -> ReportData:
    """What can be known of a model from the files beside it.

    Parameters
    ----------
    model_file : path
        ``MODEL.json``; beside it, and in ``artifacts/``, what `export`, `verify` and `bench` wrote of this model is read.
    data : path or table, optional
        With the target: predictions are compared with it. For a detector: readings to score.
    """
    from edge_lasso.paths.options import TrainOptions
    from edge_lasso.training.fit_regression import fit_statistics

    model = load(model_file)
    folder = model_file.parent
    measurements, proven = measurements_beside(folder, model), certificates_beside(folder, model)
    if DETECTOR in model.sections:
        view = look_at(model, data)
        return ReportData(model, STORY, certificates=proven, measurements=measurements, detector=view)
    statistics = load_statistics(model_file, model, missing_ok=True)
    fit = None
    plain = all(len(term.factors) == 1 for output in model.outputs for term in output.terms)
    if statistics is not None and model.classes is None and plain and list(statistics.columns) == list(model.columns):
        about = model.provenance
        options = TrainOptions(
            l1_ratio=about.get("l1_ratio", 1.0), select=about.get("select", "auto"), max_inputs=about.get("max_inputs")
        )
        fit = fit_statistics(statistics, options)[0]
    held = held_from(model, data) if data is not None and model.classes is None else None
    classes = class_quality(model, data) if data is not None and model.classes is not None else None
    return ReportData(
        model, "", fit, importance(model, statistics), shares(model, statistics), held,
        proven, measurements, classes,
    )  # fmt: skip


def held_from(model: Model, data: Any) -> Held:
    """Predictions for every row of a table that has the target."""
    from edge_lasso.predicting.predict_table import linear_rows, link_rows
    from edge_lasso.tables.tables import model_rows, open_table

    table = open_table(data)
    target = table.check(model.outputs[0].name)
    truth = np.concatenate([numbers for numbers, _ in table.batches([target])])
    prediction = link_rows(model, linear_rows(model, model_rows(table, model))[0])
    seen = np.isfinite(truth[:, 0])
    trained = table.hash != "" and table.hash == (model.provenance.get("data") or {}).get("sha256")
    return Held(_times(table, model, seen), truth[seen], prediction[seen], unseen=False, trained=trained)


def _times(table: Any, model: Model, seen: Any) -> Any:
    """The times of rows, where the model was trained in their order and the table has them; else None."""
    from edge_lasso.tables.times import NOT_A_TIME, parse_times

    time = (model.provenance.get("options") or {}).get("time")
    if time not in table.columns:
        return None
    values = np.concatenate([parse_times(texts[0]) for _, texts in table.batches([], [time])])[seen]
    ordered = (values != NOT_A_TIME).all() and (values[1:] >= values[:-1]).all()
    return values.astype("datetime64[us]") if ordered and len(values) else None


def shares(model: Model, statistics: FoldStatistics | None) -> dict[str, float]:
    """Coefficient times standard deviation of each input that stands alone in a term."""
    if statistics is None:
        return {}
    total = statistics.total.moments()
    where = {name: j for j, name in enumerate(statistics.columns)}
    result = {}
    for term in model.outputs[0].terms:
        name = model.inputs[term.factors[0].input].name
        if len(term.factors) == 1 and term.factors[0].plain and name in where:
            j = where[name]
            result[name] = abs(term.coef) * float(np.sqrt(total.covariance[j, j]))
    return result


def write(data: ReportData, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(path, render(data))


def render(data: ReportData) -> str:
    """The page as HTML."""
    model = data.model
    if data.detector is not None:
        title = detector_title(model)
        sections = [*detector_sections(data, data.detector), costs(data), certificates(data), about_model(data)]
        return _page(title, sections)
    title = f"{label_column(model)} from {len(model.inputs)} of {len(model.columns)} inputs"
    sections = [
        _headline(data, title),
        live_section(model),
        _inputs(data),
        *([_path(data), _held(data)] if model.classes is None else [_classes(data)]),
        formula_section(model),
        missing(model),
        _trust(model),
        costs(data),
        certificates(data),
        about_model(data),
    ]
    return _page(title, sections)


def _page(title: str, sections: Sequence[str]) -> str:
    style = files("edge_lasso").joinpath("report.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<style>{style}</style></head>\n<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _headline(data: ReportData, title: str) -> str:
    model = data.model
    facts = [("inputs", f"{len(model.inputs)} of {len(model.columns)}")]
    held = model.provenance.get("held_out") or {}
    if data.held is not None:
        quality = data.held.quality()
        facts = [
            (f"R2{data.held.where}", f"{quality['r2']:.3f}"),
            (f"RMSE{data.held.where}", number(quality["rmse"], 3)),
            *facts,
        ]
    if "r2" in held and (data.held is None or not data.held.unseen):
        facts = [("R2, held out", f"{held['r2']:.3f}"), ("RMSE, held out", number(held["rmse"], 3)), *facts]
    if "accuracy" in held:
        facts = [("accuracy, held out", f"{held['accuracy']:.3f}"), *facts]
    if data.classes is not None:
        quality = data.classes.quality
        facts = [("accuracy", f"{quality['accuracy']:.3f}"), ("log-loss", number(quality["log_loss"], 3)), *facts]
    for output, fixed in zip(model.outputs, model.sections.get("fixed_point/1", {}).get("outputs", ()), strict=False):
        facts.append((f"{output.name}: integers err at most", number(fixed["bound"], 2)))
    if data.certificates:
        total = [artifact for certificate in data.certificates for artifact in certificate.artifacts]
        passed = sum(entry.status == "passed" for entry in total)
        facts.append(("executions verified", f"{passed} of {len(total)}"))
    cells = "".join(
        f"<div{' class=warned' if 'trained on' in name else ''}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts
    )
    worst = float(held.get("r2", data.held.quality()["r2"] if data.held is not None else 0.0))
    poor = (
        "<p class='not_executed'>On rows held out it is worse than always saying the mean.</p>" if worst < 0.0 else ""
    )
    return f"<h1>{escape(title)}</h1><p>{escape(data.story)}</p><dl class='facts'>{cells}</dl>{poor}"


def _inputs(data: ReportData) -> str:
    model, rows = data.model, []
    most = max([*data.losses.values(), 1e-300])
    for output in model.outputs:
        several = f"{output.name}: " if len(model.outputs) > 1 else ""
        for term in output.terms:
            feature = model.inputs[term.factors[0].input]
            span = f"{number(feature.low)} to {number(feature.high)}" if feature.categories is None else ""
            loss = data.losses.get(feature.name) if len(term.factors) == 1 else None
            bar = f'<span class="bar" style="width:{max(2.0, 70.0 * loss / most):.0f}px"></span> ' if loss else ""
            shown = f"{bar}+{number(loss, 3)} %" if loss is not None else "-"
            cells = (
                number(term.coef),
                feature.unit,
                number(feature.default),
                span,
                number(data.shares.get(feature.name), 3),
            )
            rows.append([escape(several + term_text(model, term)), shown, *map(escape, cells)])
        rows.append([escape(several + "(intercept)"), "", number(output.intercept), "", "", "", ""])
    head = (
        "input",
        "squared error if lost",
        "coefficient",
        "unit",
        "default when missing",
        "range",
        "coefficient x deviation",
    )
    note = (
        ""
        if data.losses or model.classes is not None
        else "<p class='soft'>Keep MODEL.stats.npz beside the model to see what each input is worth.</p>"
    )
    return f"<h2>What it reads</h2>{table('All that has to be wired; everything else is left out.', head, rows)}{note}"


def _path(data: ReportData) -> str:
    if data.fit is None or not data.fit.curve:
        return "<h2>How many inputs</h2><p class='soft'>Train with cross-validation, and keep MODEL.stats.npz beside the model.</p>"
    curve = data.fit.curve
    sizes = np.array([point.n_inputs for point in curve], dtype=float)
    mean = np.array([point.cv_error for point in curve])
    se = np.array([point.cv_se for point in curve])
    root = np.sqrt(mean)
    low, high = np.sqrt(np.maximum(mean - se, 0.0)), np.sqrt(mean + se)
    chosen = (data.fit.n_inputs, data.fit.cv_error**0.5)
    unit = f" [{data.model.outputs[0].unit}]" if data.model.outputs[0].unit else ""
    counts = np.unique(data.fit.path.n_inputs)
    best = [float(np.sqrt(data.fit.path.cv_mean[data.fit.path.n_inputs == count].min())) for count in counts]
    lasso = (counts.astype(float), np.array(best))
    picture = charts.path_chart(sizes, root, low, high, lasso, chosen, unit)
    about = data.model.provenance
    rule = about.get("select") if about.get("max_inputs") is None else None
    why = CHOSEN_BY.get(str(rule), "")
    text = f"Each size found its own inputs in every fold. Chosen: {escape(data.fit.method)}, {chosen[0]} inputs{why}."
    dropped = (about.get("pruned") or {}).get("dropped")
    pruned = f" Pruning then dropped {escape(', '.join(dropped))}." if dropped else ""
    return f"<h2>How many inputs</h2><figure>{picture}<figcaption>{text} Grey: the plain lasso, whose path ended with: {escape(data.fit.path.ended)}.{pruned}</figcaption></figure>"


def _held(data: ReportData) -> str:
    heading = "<h2>Prediction against truth</h2>"
    if data.held is None or not len(data.held.truth):
        return f"{heading}<p class='soft'>Give a table with the target: edge-lasso report MODEL --data TABLE.</p>"
    truth, prediction = data.held.truth[:, 0], data.held.prediction[:, 0]
    name = data.model.outputs[0].name
    unit = f" [{data.model.outputs[0].unit}]" if data.model.outputs[0].unit else ""
    width = _stretch(data.held)
    moving = np.convolve(np.abs(truth - truth.mean()), np.ones(width), mode="valid")
    start = int(np.argmax(moving))
    part = slice(start, start + width)
    when = "rows"
    x = np.arange(width, dtype=float)
    if data.held.times is not None:
        times = data.held.times[part]
        x = (times - times[0]).astype("timedelta64[s]").astype(float) / 86400.0
        when = f"days from {np.datetime_as_string(times[0], unit='D')}"
    strip = charts.strip_chart(x, truth[part], prediction[part], when, f"{name}{unit}")
    scatter = charts.scatter_chart(truth, prediction, f"measured{unit}", f"predicted{unit}")
    quality = data.held.quality()
    shown = "The two weeks" if width < len(truth) and data.held.times is not None else f"The {width:,} rows"
    error = prediction - truth
    spread = ", ".join(number(value, 3) for value in np.percentile(error, [5, 50, 95]))
    key = '<p class="key soft"><i class="first"></i>predicted <i class="grey"></i>measured</p>'
    return (
        f"{heading}<p>{quality['rows']:,.0f} rows{data.held.which}: R2 {quality['r2']:.4f}, RMSE "
        f"{number(quality['rmse'])}, mean absolute error {number(quality['mae'])}{escape(unit)}; "
        f"5th, 50th and 95th percentile of the error {spread}.</p>"
        f"{key}<figure>{strip}<figcaption>{shown} with the widest swings.</figcaption></figure>"
        f"<figure>{scatter}<figcaption>All of them; darker squares hold more rows.</figcaption></figure>"
    )


def _classes(data: ReportData) -> str:
    names = data.model.classes or ()
    results = [*reliabilities(data.model), *([("the table given", data.classes.quality)] if data.classes else [])]
    head = ("of", "accuracy", "log-loss", "Brier score", "calibration error")
    rows = [[escape(name), *(escape(number(value)) for value in quality_of(entry))] for name, entry in results]
    text = table(
        "Of rows not trained on; calibration error: between how sure the model is and how often right.", head, rows
    )
    for title, columns, lines in believed(data.model):
        text += table(escape(title), columns, [[escape(cell) for cell in line] for line in lines])
    text += "".join(f"<p>{escape(line)}</p>" for line in [*absent_lines(data.model), *decision_lines(data.model)])
    heading = "<h2>How far to believe it</h2>"
    if data.classes is None:
        return f"{heading}{text}<p class='soft'>Give a table with the labels: edge-lasso report MODEL --data TABLE.</p>"
    counts = [
        [escape(name), *(f"{count:,}" for count in row)] for name, row in zip(names, data.classes.counts, strict=True)
    ]
    wide = ("true class", *(f"taken for {name}" for name in names))
    drawn = curves(data.classes, names[-1])
    return f"{heading}{text}{table('Rows of the table given.', wide, counts)}{drawn}"


def _trust(model: Model) -> str:
    parts = [f"<p>{escape(line)}</p>" for line in interval_lines(model)]
    for statement in model.provenance.get("trust", []):
        head = ("input", "chosen by halves of the rows", "coefficient, 90 % of draws")
        rows = [[escape(cell) for cell in row] for row in trust_rows(statement)]
        parts.append(
            table(
                f"{escape(statement['target'])}: {statement['blocks']} blocks of rows, drawn again and again.",
                head,
                rows,
            )
        )
    return f"<h2>How firm it is</h2>{''.join(parts)}" if parts else ""


def _stretch(held: Held) -> int:
    """How many rows a strip shows: two weeks of them where their times are known."""
    if held.times is None:
        return min(STRIP_ROWS, len(held.truth))
    steps = np.diff(held.times).astype("timedelta64[us]").astype(float)
    typical = float(np.median(steps)) if len(steps) else 0.0
    return min(int(TWO_WEEKS / typical) if typical > 0.0 else STRIP_ROWS, len(held.truth), MOST_DRAWN)
