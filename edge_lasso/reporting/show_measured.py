"""Certificates, measurements and budgets on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edge_lasso.measuring.bench import Budget
from edge_lasso.measuring.measurement import Measurement
from edge_lasso.reporting import terminal
from edge_lasso.reporting.facts import number
from edge_lasso.verifying.certificate import Certificate


def show_certificate(certificate: Certificate, as_json: bool) -> None:
    """Print what was executed, where, and how close it came."""
    if as_json:
        terminal.say_json(certificate.to_json())
        return
    rows = []
    for artifact in certificate.artifacts:
        promised = artifact.promised.get("bound")
        rows.append((
            artifact.title, artifact.runtime, artifact.status.replace("_", " "), number(artifact.largest_error, 3),
            "bit-equal" if artifact.promised.get("kind") == "bit-equal" else number(promised, 3),
        ))  # fmt: skip
    total = sum(certificate.rows.values())
    columns = ("artifact", "executed by", "verdict", "largest error", "promised")
    terminal.table(
        f"verification on {total:,} rows (real, random, edges, missing, huge)", columns, rows, text_columns=3
    )
    for artifact in certificate.artifacts:
        for proof in artifact.proofs:
            if "tool" in proof:
                terminal.say(
                    f"{artifact.title} {proof['name']}: {proof['status']} by {proof['tool']} ({proof['seconds']} s)"
                )
        if artifact.reason:
            terminal.say(f"{artifact.title} {artifact.status.replace('_', ' ')}: {artifact.reason}")


def show_measurements(measurements: Sequence[Measurement]) -> None:
    """Print figures, a table for each kind: measured, emulated and modelled ones never share a column."""
    for kind in dict.fromkeys(measurement.kind for measurement in measurements):
        some = [measurement for measurement in measurements if measurement.kind == kind]
        rows = []
        for entry in some:
            memory = entry.value("ram_bytes")
            rows.append((
                entry.name, number(entry.value("size_bytes"), 7), number(entry.value("p50_us"), 3),
                number(entry.value("p95_us"), 3), number(entry.value("cold_start_ms"), 3),
                number(None if memory is None else memory / 1024.0, 4),
            ))  # fmt: skip
        bare = some[0].value("bare_start_ms")
        start = f"; a bare interpreter starts in {number(bare, 3)} ms" if bare else ""
        columns = ("", "bytes", "one row, p50 us", "p95 us", "start to first prediction, ms", "memory over bare, kB")
        terminal.table(f"{kind} on {some[0].machine}{start}", columns, rows)
    for warning in dict.fromkeys(text for measurement in measurements for text in measurement.warnings):
        terminal.note(f"note: {warning}")


def show_budgets(rows: Sequence[Budget]) -> None:
    """Print budgets against figures."""
    if not rows:
        return
    table = [
        (
            row.name, row.budget, number(row.limit), number(row.value), row.kind,
            "-" if row.margin is None else f"{100.0 * row.margin:.3g} %", "ok" if row.ok else "MISSED",
        )
        for row in rows
    ]  # fmt: skip
    columns = ("artifact", "budget", "limit", "figure", "kind", "margin", "")
    terminal.table("budgets", columns, table, text_columns=2)
