"""Writes the three dashboards beside this file, with Grafana's own builders: ``python deploy/grafana/build.py``.

Executive: is the fleet well? On call: what fires, and where? Debug: everything about one board.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Series
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

HERE = Path(__file__).resolve().parent
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
BOARD = '{instance=~"$board"}'

# title, kind, unit, width of 24, then expressions with their legends
EXECUTIVE = (
    ("Boards", Stat, "short", 4, ("count(edge_lasso_model_info)", "boards")),
    (
        "Boards that have gone quiet",
        Stat,
        "short",
        4,
        ("count(time() - edge_lasso_written_time_seconds > 60) or vector(0)", "quiet"),
    ),
    ("Boards in alarm", Stat, "short", 4, ("count(edge_lasso_alarm == 1) or vector(0)", "in alarm")),
    (
        "Rows in order",
        Stat,
        "percentunit",
        4,
        (
            "1 - (sum(rate(edge_lasso_degraded_rows_total[1h])) or vector(0)) / (sum(rate(edge_lasso_rows_total[1h])) > 0)",
            "in order",
        ),
    ),
    ("Oldest model", Stat, "s", 4, ("max(time() - edge_lasso_model_trained_time_seconds)", "age")),
    ("Next bundle to expire", Stat, "s", 4, ("min(edge_lasso_bundle_expires_time_seconds - time())", "left")),
    (
        "Versions",
        Series,
        "short",
        12,
        ("count by (serial, model) (edge_lasso_model_info)", "serial {{serial}}, {{model}}"),
    ),
    ("Rows a second", Series, "rps", 12, ("sum by (job) (rate(edge_lasso_rows_total[5m]))", "{{job}}")),
)
ON_CALL = (
    (
        "Alerts",
        Series,
        "short",
        24,
        (
            'sum by (alertname, severity) (ALERTS{alertname=~"EdgeLasso.*", alertstate="firing"})',
            "{{severity}}: {{alertname}}",
        ),
    ),
    (
        "Seconds since the figures were written",
        Series,
        "s",
        12,
        ("time() - edge_lasso_written_time_seconds", "{{instance}}"),
    ),
    ("Rows degraded, of an hour", Series, "percentunit", 12, ("edge_lasso:degraded:ratio_rate1h", "{{instance}}")),
    ("Time of a row, p95", Series, "s", 12, ("edge_lasso:latency:p95_rate15m", "{{instance}}")),
    ("Scores", Series, "short", 12, ("edge_lasso_score", "{{instance}}")),
    (
        "Sensors missing longest",
        Series,
        "s",
        24,
        ("topk(10, time() - edge_lasso_reading_time_seconds)", "{{instance}}: {{input}}"),
    ),
)
DEBUG = (
    ("Rows", Series, "rps", 8, (f"rate(edge_lasso_rows_total{BOARD}[5m])", "rows"),
     (f"rate(edge_lasso_degraded_rows_total{BOARD}[5m])", "degraded")),
    ("Faults by input", Series, "cps", 16, (f"rate(edge_lasso_reading_faults_total{BOARD}[5m]) > 0", "{{input}}: {{fault}}")),
    ("Score and alarm", Series, "short", 12, (f"edge_lasso_score{BOARD}", "score"), (f"edge_lasso_alarm{BOARD}", "alarm")),
    ("Drift", Series, "short", 12, (f"edge_lasso_drift_index{BOARD}", "{{input}}")),
    ("Time of a row", Series, "s", 12,
     (f"histogram_quantile(0.5, sum by (le) (rate(edge_lasso_latency_seconds_bucket{BOARD}[5m])))", "p50"),
     (f"histogram_quantile(0.95, sum by (le) (rate(edge_lasso_latency_seconds_bucket{BOARD}[5m])))", "p95")),
    ("Memory", Series, "bytes", 12, (f"edge_lasso_memory_bytes{BOARD}", "resident")),
    ("Age of each reading", Series, "s", 12, (f"time() - edge_lasso_reading_time_seconds{BOARD}", "{{input}}")),
    ("Alarms begun, a day", Stat, "short", 12, (f"increase(edge_lasso_alarm_onsets_total{BOARD}[1d])", "alarms")),
)  # fmt: skip
DASHBOARDS = {"executive": EXECUTIVE, "on-call": ON_CALL, "debug": DEBUG}


def dashboard(name: str, panels: Any) -> str:
    """A dashboard's JSON."""
    board = (
        Dashboard(f"edge-lasso: {name}")
        .uid(f"edge-lasso-{name}")
        .tags(["edge-lasso"])
        .time("now-6h", "now")
        .refresh("1m")
    )
    board = board.with_variable(DatasourceVariable("source").type("prometheus"))
    if name == "debug":
        query = QueryVariable("board").query("label_values(edge_lasso_model_info, instance)")
        board = board.with_variable(query.datasource(SOURCE))
    for title, kind, unit, width, *queries in panels:
        panel = kind().title(title).unit(unit).span(width).height(7).datasource(SOURCE)
        for i, (expression, legend) in enumerate(queries):
            query = Dataquery().expr(expression).legend_format(legend).ref_id("ABCDE"[i]).datasource(SOURCE)
            panel = panel.with_target(query)
        board = board.with_panel(panel)
    return JSONEncoder(sort_keys=True, indent=1).encode(board.build()) + "\n"


if __name__ == "__main__":
    for name, panels in DASHBOARDS.items():
        (HERE / f"{name}.json").write_text(dashboard(name, panels))
