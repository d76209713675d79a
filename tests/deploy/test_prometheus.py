"""The alert rules on both sides of every border (promtool), the routes (amtool), and real figures through real scrapes."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
BOARD = {"instance": "gw-1", "job": "boilers"}
HOURS = 60  # minutes


def name(metric, **labels):
    pairs = ",".join(f'{key}="{value}"' for key, value in {**BOARD, **labels}.items())
    return f"{metric}{{{pairs}}}"


def series(metric, values, **labels):
    return {"series": name(metric, **labels), "values": values}


def alive(minutes, start=0):
    """A process that writes its figures every minute; promtool's time begins at 0."""
    return series("edge_lasso_written_time_seconds", f"{start}+60x{minutes}")


def rows(per_minute, minutes, degraded=0):
    return [
        series("edge_lasso_rows_total", f"0+{per_minute}x{minutes}"),
        series("edge_lasso_degraded_rows_total", f"0+{degraded}x{minutes}"),
    ]


def buckets(slow, minutes):
    """Of 1000 rows a minute so many take 25 to 100 ms, the others less."""
    return [
        series("edge_lasso_latency_seconds_bucket", f"0+{count}x{minutes}", le=le)
        for le, count in (("0.001", 0), ("0.025", 1000 - slow), ("0.1", 1000), ("+Inf", 1000))
    ]


DAY = 24 * HOURS
# per alert: what makes it fire, what lies just on the other side, when to look (minutes), what it is about
CASES = {
    "EdgeLassoProcessGone": [
        ([series("edge_lasso_written_time_seconds", "0 60 60 60 60")], [series("edge_lasso_written_time_seconds", "0 60 120 120 180")], 4, {}),
        ([series("edge_lasso_written_time_seconds", "0 60 120 _ _ _ _ _ _ _ _ _")], [alive(12)], 11, {}),
        ([series("node_textfile_scrape_error", "0 1 1 1 1"), alive(4)], [series("node_textfile_scrape_error", "0 0 0 0 0"), alive(4)], 4, {}),
    ],
    "EdgeLassoReadingsStopped": [
        ([alive(40), series("edge_lasso_rows_total", "0+10x10 100x30")], [alive(40), series("edge_lasso_rows_total", "0+10x20 201x20")], 27, {}),
        ([alive(40), series("edge_lasso_rows_total", "0x40")], [alive(40), series("edge_lasso_rows_total", "0+1x40")], 30, {}),
    ],
    "EdgeLassoAlarm": [
        ([series("edge_lasso_alarm", "0 1 1 1")], [series("edge_lasso_alarm", "0 0 1 1")], 3, {}),
    ],
    "EdgeLassoSlow": [
        (buckets(51, 60), buckets(50, 60), 40, {}),
    ],
    "EdgeLassoDegradedFast": [
        (rows(1000, 90, 145), rows(1000, 90, 144), 80, {}),
    ],
    "EdgeLassoDegradedSlow": [
        (rows(1000, 8 * HOURS, 61), rows(1000, 8 * HOURS, 60), 7 * HOURS, {}),
    ],
    "EdgeLassoSensorGone": [
        (
            [*rows(10, 60), series("edge_lasso_reading_time_seconds", "60x60", input="a")],
            [*rows(10, 60), series("edge_lasso_reading_time_seconds", "60x29 1800x31", input="a")],
            33,
            {"input": "a"},
        ),
        (
            [*rows(10, 60), series("edge_lasso_reading_time_seconds", "60x60", input="a")],
            [*rows(0, 60), series("edge_lasso_reading_time_seconds", "60x60", input="a")],
            50,
            {"input": "a"},
        ),
    ],
    "EdgeLassoSensorStuck": [
        (
            [series("edge_lasso_reading_faults_total", "0+1x130", input="a", fault="stuck")],
            [series("edge_lasso_reading_faults_total", "0+1x130", input="a", fault="missing")],
            125,
            {"input": "a", "fault": "stuck"},
        ),
    ],
    "EdgeLassoDrift": [
        (
            [series("edge_lasso_drift_index", "0.26x400", input="a")],
            [series("edge_lasso_drift_index", "0.25x400", input="a")],
            370,
            {"input": "a"},
        ),
    ],
    "EdgeLassoModelOld": [
        (
            [series("edge_lasso_model_trained_time_seconds", f"{-180 * 86400}x100")],
            [series("edge_lasso_model_trained_time_seconds", f"{-180 * 86400 + 90 * 60}x100")],
            90,
            {},
        ),
    ],
    "EdgeLassoBundleExpires": [
        (
            [series("edge_lasso_bundle_expires_time_seconds", f"{14 * 86400 + 20 * 60}x100")],
            [series("edge_lasso_bundle_expires_time_seconds", f"{14 * 86400 + 90 * 60}x100")],
            90,
            {},
        ),
    ],
    "EdgeLassoVersionsDiffer": [
        (
            [series("edge_lasso_model_serial", f"6x{2 * DAY}"), series("edge_lasso_model_serial", f"7x{2 * DAY}", instance="gw-2")],
            [series("edge_lasso_model_serial", f"6x{DAY} 7x{DAY}"), series("edge_lasso_model_serial", f"7x{2 * DAY}", instance="gw-2")],
            DAY + 30,
            None,
        ),
    ],
    "EdgeLassoDiskFull": [
        (
            [series("node_filesystem_avail_bytes", f"{64 * 2**20 - 1}x40", mountpoint="/"), series("edge_lasso_model_info", "1x40")],
            [series("node_filesystem_avail_bytes", f"{64 * 2**20}x40", mountpoint="/"), series("edge_lasso_model_info", "1x40")],
            30,
            {"mountpoint": "/"},
        ),
    ],
}  # fmt: skip


def test_every_alert_has_its_cases():
    assert set(CASES) == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_say_what_to_do(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["runbook_url"].endswith(f"/#{alert.lower()}")
    assert rule["annotations"]["summary"].startswith("{{ $labels.")
    runbooks = (FOLDER.parents[1] / "docs" / "fleet" / "runbooks.md").read_text()
    assert f"\n## {alert}\n" in runbooks


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(("alert", "case"), [(alert, i) for alert, cases in CASES.items() for i in range(len(cases))])
def test_both_sides_of_the_border(alert, case, tmp_path):
    firing, quiet, minutes, labels = CASES[alert][case]
    shutil.copy(FOLDER / "rules.yml", tmp_path)
    about = {"job": "boilers"} if labels is None else {**BOARD, **labels}
    for side, given in (("firing", firing), ("quiet", quiet)):
        wanted = {"eval_time": f"{minutes}m", "alertname": alert}
        test = {"interval": "1m", "input_series": given, "alert_rule_test": [wanted]}
        if side == "firing":
            # annotations are templates of values; what counts here is which alert fires for whom
            wanted["exp_alerts"] = [{"exp_labels": {"severity": ALERTS[alert]["labels"]["severity"], **about}}]
        rules = {"groups": [{**group, "rules": [_bare(rule) for rule in group["rules"]]} for group in RULES["groups"]]}
        (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
        (tmp_path / "test.yml").write_text(
            yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]})
        )
        done = subprocess.run(
            ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{side}: {done.stdout}{done.stderr}"


def _bare(rule):
    return {key: value for key, value in rule.items() if key != "annotations"}


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("alert", ALERTS)
def test_routes(alert):
    severity = ALERTS[alert]["labels"]["severity"]
    command = [
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={FOLDER / 'alertmanager.yml'}",
        f"severity={severity}",
        f"alertname={alert}",
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == severity


@pytest.mark.needs("promtool", "amtool")
def test_prometheus_and_alertmanager_take_the_files():
    for command in (["promtool", "check", "config", "prometheus.yml"], ["amtool", "check-config", "alertmanager.yml"]):
        subprocess.run(command, cwd=FOLDER, capture_output=True, check=True)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def ask(port, query):
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def expressions():
    """Every expression of the rules and dashboards."""
    found = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    for path in sorted((FOLDER.parent / "grafana").glob("*.json")):
        panels = json.loads(path.read_text())["panels"]
        found += [target["expr"].replace("$board", "127.*") for panel in panels for target in panel.get("targets", [])]
    return found


@pytest.mark.needs("module:grafana_foundation_sdk")
def test_dashboards_are_what_their_script_writes():
    spec = importlib.util.spec_from_file_location("dashboards", FOLDER.parent / "grafana" / "build.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert len(script.DASHBOARDS) == 3
    for name, panels in script.DASHBOARDS.items():
        assert script.dashboard(name, panels) == (FOLDER.parent / "grafana" / f"{name}.json").read_text()


@pytest.mark.needs("prometheus", "prometheus-node-exporter")
def test_a_board_is_seen_by_prometheus(tmp_path):
    from edge_lasso_runtime import Factor, Input, Model, Output, Term, save

    model = Model(("a",), (Input("a", 0, 0.0, -1.0, 1.0),), (Output("y", 0.5, (Term(2.0, (Factor(0),)),)),))
    save(model, tmp_path / "model.json")
    (tmp_path / "figures").mkdir()
    exporter, server = free_port(), free_port()
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"]["scrape_interval"] = "1s"
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{exporter}"]
    del config["alerting"]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(FOLDER / "rules.yml", tmp_path)
    commands = (
        ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile", "--collector.filesystem",
         f"--collector.textfile.directory={tmp_path}/figures", f"--web.listen-address=127.0.0.1:{exporter}"],
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{server}"],
    )  # fmt: skip
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands
    ]
    score = [
        sys.executable,
        "-m",
        "edge_lasso_runtime",
        "score",
        str(tmp_path / "model.json"),
        "--metrics",
        f"{tmp_path}/figures/b.prom",
    ]
    processes.append(subprocess.Popen(score, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ}))
    try:
        deadline = time.monotonic() + 90
        while True:
            processes[2].stdin.write(b'{"a": 0.5}\n')
            processes[2].stdin.flush()
            try:
                if ask(server, "edge_lasso_rows_total > 3") and ask(server, "edge_lasso:latency:p95_rate15m > 0"):
                    break
            except OSError:
                pass
            assert time.monotonic() < deadline, "Prometheus has not seen the board"
            time.sleep(0.3)
        assert ask(server, "edge_lasso_model_info")[0]["metric"]["output"] == "y"
        answered = [expression for expression in expressions() if ask(server, expression)]  # an error is a status 400
        assert any(expression.startswith("count(edge_lasso_model_info)") for expression in answered)
        assert len(answered) >= 15, answered
        processes[2].stdin.close()
        assert processes[2].wait(20) == 0
    finally:
        for process in processes[::-1]:
            process.kill()
            process.wait()
