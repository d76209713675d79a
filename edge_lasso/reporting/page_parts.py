"""Parts that every report has: tables, what artifacts cost and promise, where the model comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from edge_lasso.predicting.estimates import missing_losses
from edge_lasso.reporting import charts
from edge_lasso.reporting.facts import number
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.estimate import KEY as ESTIMATE

if TYPE_CHECKING:
    from edge_lasso.reporting.report_data import ReportData

FIGURES = (
    ("size_bytes", "bytes"), ("p50_us", "one row, p50 us"), ("p95_us", "p95 us"), ("cold_start_ms", "start to first prediction, ms"),
    ("ram_bytes", "memory, bytes"),
)  # fmt: skip
HEAD_MISSING = ("missing", "estimated", "by its default alone")


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int] = ()) -> str:
    """A table that scrolls by itself where it is too wide.

    Parameters
    ----------
    caption : str
    head : sequence of str
    rows : sequence of sequence of str
        Cells are HTML; the first of a row names it.
    text : sequence of int
        Columns that hold words.
    """
    style = [' class="text"' if i in text else "" for i in range(len(head))]
    tops = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(head, style, strict=True))
    body = ""
    for first, *rest in rows:
        cells = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(rest, style[1:], strict=True))
        body += f'<tr><th scope="row">{first}</th>{cells}</tr>'
    return f"<div class='wide' tabindex='0'><table><caption>{caption}</caption><thead><tr>{tops}</tr></thead><tbody>{body}</tbody></table></div>"


def missing(model: Model) -> str:
    """What each missing sensor costs a model that estimates it from the others."""
    if ESTIMATE not in model.sections:
        return ""
    text = ""
    derived = {feature.name for feature in model.inputs if feature.stream is not None}
    for m, output in enumerate(model.outputs):
        losses = {name: both for name, both in missing_losses(model, m).items() if name not in derived}
        most = max([estimated for estimated, _ in losses.values()] + [1e-300])
        rows = []
        for name, (estimated, plain) in sorted(losses.items(), key=lambda entry: -entry[1][0]):
            bar = f'<span class="bar" style="width:{max(2.0, 70.0 * estimated / most):.0f}px"></span>'
            rows.append([escape(name), f"{bar} +{number(estimated, 3)} %", f"+{number(plain, 3)} %"])
        start = f"{output.name}: growth" if len(model.outputs) > 1 else "Growth"
        caption = (
            f"{start} of the mean squared error while it is missing, with what is computed from it: the board "
            "estimates it from the other inputs; in the last column the training mean would stand for it."
        )
        if rows:
            text += table(escape(caption), HEAD_MISSING, rows)
    return f"<h2>What each missing sensor costs</h2>{text}" if text else ""


def costs(data: ReportData) -> str:
    """Bytes, microseconds and memory of each artifact, by kind of figure."""
    heading = "<h2>What it costs</h2>"
    if not data.measurements:
        return f"{heading}<p class='soft'>Measure with: edge-lasso bench MODEL --json measurements.json.</p>"
    text = ""
    for kind in dict.fromkeys(str(measurement["kind"]) for measurement in data.measurements):
        some = [measurement for measurement in data.measurements if measurement["kind"] == kind]
        best = {}
        for key, _ in FIGURES:
            values = [value for entry in some if (value := _value(entry, key)) is not None]
            best[key] = min(values) if values else None
        rows = []
        for entry in some:
            cells = [escape(str(entry["name"]))]
            for key, _ in FIGURES:
                value = _value(entry, key)
                shown = number(value, 3 if key != "size_bytes" else 7)
                cells.append(
                    f'<span class="best">{shown}</span>' if value is not None and value == best[key] else shown
                )
            rows.append(cells)
        where = escape(str(some[0].get("machine", "")))
        caption = f"{escape(kind.capitalize())} on {where}. Memory is beyond a bare interpreter's. Bold: the best, peers included."
        text += table(caption, ["artifact", *(name for _, name in FIGURES)], rows)
    return heading + text


def certificates(data: ReportData) -> str:
    """What was executed, how far off it was, and what was promised."""
    heading = "<h2>Certificate</h2>"
    if not data.certificates:
        return f"{heading}<p class='soft'>Run: edge-lasso verify MODEL --json certificate.json.</p>"
    rows: list[list[str]] = []
    dots: list[tuple[str, float, float]] = []
    reasons: list[str] = []
    for certificate in data.certificates:
        for artifact in certificate.artifacts:
            bound = artifact.promised.get("bound")
            promised = "bit-equal" if artifact.promised.get("kind") == "bit-equal" else number(bound, 3)
            verdict = f'<span class="{artifact.status}">{artifact.status.replace("_", " ")}</span>'
            rows.append(
                [escape(artifact.title), verdict, number(artifact.largest_error, 3), promised, escape(artifact.runtime)]
            )
            if artifact.reason:
                reasons.append(
                    f"{escape(artifact.title)} {artifact.status.replace('_', ' ')}: {escape(artifact.reason)}"
                )
            if artifact.status == "passed" and bound and artifact.title not in [name for name, _, _ in dots]:
                dots.append((artifact.title, float(artifact.largest_error or 0.0), float(bound)))
    total = sum(data.certificates[0].rows.values())
    caption = (
        f"Each artifact was run in its own runtime on {total:,} rows (real, random, edges, missing, huge) and compared."
    )
    picture = charts.margin_chart(dots)
    figure = (
        f"<figure>{picture}<figcaption>Dot: largest error seen. Bar: promised.</figcaption></figure>" if picture else ""
    )
    said = "".join(f"<p class='not_executed'>{line}</p>" for line in reasons)
    head = ("artifact", "verdict", "largest error", "promised", "executed by")
    return f"{heading}{said}{table(caption, head, rows, text=(1, 4))}{figure}"


def about_model(data: ReportData) -> str:
    """Where the model comes from."""
    model = data.model
    about = model.provenance
    facts: list[tuple[str, str]] = [("model", model_hash(model))]
    for key, value in about.get("data", {}).items():
        facts.append((f"data: {key.replace('_', ' ')}", f"{value:,}" if isinstance(value, int) else str(value)))
    for key in ("solver", "select", "l1_ratio", "max_inputs", "seed", "date"):
        if about.get(key) is not None:
            facts.append((key.replace("_", " "), str(about[key])))
    if data.fit is not None:
        facts.append(("optimality gap", f"{data.fit.optimality_gap:.1e}"))
    facts.append(("versions", ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())))
    cells = "".join(f"<dt>{escape(name)}</dt><dd><code>{escape(value)}</code></dd>" for name, value in facts)
    return f"<h2>Provenance</h2><dl class='about'>{cells}</dl>"


def _value(measurement: Mapping[str, Any], key: str) -> float | None:
    figure = measurement.get("figures", {}).get(key, {})
    value = figure.get("value")
    return None if value is None else float(value)
