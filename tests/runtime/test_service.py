"""A stream as a service: one process a state, signs of life for systemd, figures for Prometheus, a new model by SIGHUP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, save
from edge_lasso_runtime.figures import quantile, read

pytestmark = pytest.mark.long

COMMAND = [sys.executable, "-m", "edge_lasso_runtime"]
LINE = b'{"a": 0.5, "b": 0.25}\n'


def model(coef=2.0, other="b", stream=("lag", "a", 2)):
    inputs = [Input("a", 0, 0.0, -1.0, 1.0), Input(other, 1, 0.0, -1.0, 1.0)]
    inputs.append(Input("a before", 2, 0.0, -1.0, 1.0, stream=stream))
    terms = (Term(coef, (Factor(0),)), Term(-1.0, (Factor(1),)), Term(1.0, (Factor(2),)))
    return Model(
        ("a", other, "a before"), tuple(inputs), (Output("y", 0.5, terms),), provenance={"date": "2026-11-27T00:00:00Z"}
    )


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@pytest.fixture
def home(tmp_path):
    for version, coef in (("old", 2.0), ("new", 3.0)):
        (tmp_path / version).mkdir()
        save(model(coef), tmp_path / version / "model.json")
    (tmp_path / "current").symlink_to("old")
    (tmp_path / "states").mkdir()
    return tmp_path


def start(home, *options, **environment):
    return subprocess.Popen(
        [*COMMAND, "score", "model.json", "--state", str(home / "states"), *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home / "current",
        env={**os.environ, "EDGE_LASSO_HOME": str(home), **environment},
    )  # fmt: skip


def switch(home):
    (home / "next").symlink_to("new")
    (home / "next").replace(home / "current")


def test_two_processes_do_not_keep_one_state(home):
    with start(home) as first:
        first.stdin.write(LINE)
        first.stdin.flush()
        first.stdout.readline()
        second = subprocess.run(
            [*COMMAND, "score", "model.json", "--state", str(home / "states")], cwd=home / "current",
            input=LINE, capture_output=True, check=False,
        )  # fmt: skip
        first.stdin.close()
    assert second.returncode == 2
    assert f"is held by process {first.pid}" in second.stderr.decode()
    assert second.stderr.count(b"\n") == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_new_model_takes_over_and_loses_nothing(home):
    figures = home / "board.prom"
    with start(home, "--metrics", str(figures)) as process:
        values = []

        def send(count):
            for _ in range(count):
                process.stdin.write(LINE)
            process.stdin.flush()
            values.extend(json.loads(process.stdout.readline())["values"]["y"] for _ in range(count))

        send(5)
        switch(home)
        process.stdin.write(LINE[:9])  # the signal comes in the middle of a line
        process.stdin.flush()
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        process.stdin.write(LINE[9:])
        process.stdin.flush()
        values.append(json.loads(process.stdout.readline())["values"]["y"])
        until(lambda: read(str(figures))["model"] == model_hash(model(3.0)))
        send(3)
        process.stdin.close()
        errors = process.stderr.read().decode()
    assert process.returncode == 0
    # a lag of 2 readings is there from the third on, and is not lost with the model
    assert values[:5] + values[6:] == [1.25, 1.25, 1.75, 1.75, 1.75, 2.25, 2.25, 2.25]
    assert values[5] in (1.75, 2.25), "the line in the middle of which the signal came: by the one or by the other"
    assert "sensors and histories go on from" in errors


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_model_of_other_inputs_begins_afresh(home):
    save(model(3.0, other="c"), home / "new" / "model.json")
    figures = home / "board.prom"
    with start(home, "--metrics", str(figures)) as process:
        process.stdin.write(LINE)
        process.stdin.flush()
        process.stdout.readline()
        switch(home)
        process.send_signal(signal.SIGHUP)
        until(lambda: read(str(figures))["model"] == model_hash(model(3.0, other="c")))
        process.stdin.close()
        assert "the model before read other inputs; the state begins afresh" in process.stderr.read().decode()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_table_cannot_be_taken_over(home):
    with start(home) as process:
        process.stdin.write(b"a,b\n1,0\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        until(lambda: b"SIGHUP is for JSON lines" in os.read(process.stderr.fileno(), 4096))
        process.stdin.write(b"1,0\n")
        process.stdin.close()
        assert len(process.stdout.readlines()) == 1


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
def test_systemd_is_told(home):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(home / "notify"))
        listener.settimeout(20)
        with start(home, NOTIFY_SOCKET=str(home / "notify"), WATCHDOG_USEC="200000") as process:
            assert listener.recv(100).startswith(b"READY=1")
            began = time.monotonic()
            assert [listener.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            assert time.monotonic() - began >= 0.15
            process.stdin.write(LINE)
            process.stdin.flush()
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            said = listener.recv(100)
            while said == b"WATCHDOG=1":
                said = listener.recv(100)
            assert said == b"STOPPING=1"


def test_figures(home):
    figures = home / "board.prom"
    rows = b'{"a": 0.5, "b": 0.25}\n{"a": 9, "b": null}\n{"a": 0.5, "b": 0.1}\n'
    with start(home, "--metrics", str(figures)) as process:
        process.stdin.write(rows)
        process.stdin.close()
        process.stdout.read()
    text = figures.read_text()
    found = read(str(figures))
    assert (found["model"], found["rows"], found["degraded"]) == (model_hash(model()), 3, 1)
    assert found["buckets"][-1][1] == 3
    assert 'edge_lasso_reading_faults_total{input="a",fault="out_of_range"} 1\n' in text
    assert 'edge_lasso_reading_faults_total{input="b",fault="missing"} 1\n' in text
    assert "edge_lasso_model_trained_time_seconds 1795737600.0\n" in text
    assert "edge_lasso_model_coefficients 3\n" in text
    assert 'input="a before"' not in text
    assert not list(home.glob(".board*")), "written aside, and renamed"
    assert oct(figures.stat().st_mode & 0o777) == "0o644"


@pytest.mark.needs("promtool")
def test_prometheus_takes_the_figures(home):
    strange = Model(
        ('a\\\n"b',), (Input('a\\\n"b', 0, 0.0, -1.0, 1.0),), (Output("y", 0.0, (Term(1.0, (Factor(0),)),)),)
    )
    save(strange, home / "old" / "model.json")
    with start(home, "--metrics", str(home / "board.prom")) as process:
        process.stdin.write(json.dumps({'a\\\n"b': 0.5}).encode() + b"\n")
        process.stdin.close()
        process.stdout.read()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=(home / "board.prom").read_bytes(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_figures_that_cannot_be_written(home):
    done = subprocess.run(
        [*COMMAND, "score", "model.json", "--metrics", str(home / "absent" / "x.prom")], cwd=home / "current",
        input=LINE, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.decode() == f"edge_lasso_runtime: error: {home}/absent/x.prom: No such file or directory\n"


def test_quantiles_of_buckets():
    assert quantile([], 0.95) is None
    assert quantile([(1.0, 0), (2.0, 0)], 0.95) is None
    assert quantile([(1.0, 95), (2.0, 100)], 0.95) == 1.0
    assert quantile([(1.0, 94), (2.0, 100)], 0.95) == 2.0
