"""Game day with real processes: a broker killed, a disk that is full, a bad roll-out, a wrong clock; and every command
of the runbooks, run as it is written there."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from brokers import WAIT, Broker, Peer, bridging
from fleets import Fleet, Keys

from edge_lasso.measuring.measurement import runtime_files
from edge_lasso.watching.doctor import ACT, LOOK, examine
from edge_lasso_runtime import Factor, Input, Model, Output, Term, save
from edge_lasso_runtime.errors import UpdateError
from edge_lasso_runtime.trial import Trial

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = (ROOT / "docs" / "fleet" / "runbooks.md").read_text()
RUNTIME = [sys.executable, "-m", "edge_lasso_runtime"]
ROW = b'{"a": 0.5, "b": 0.25, "y": 1.25}\n'


def model(cv_mse=0.01):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0))
    terms = (Term(2.0, (Factor(0),)), Term(-1.0, (Factor(1),)))
    about = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "fits": [{"target": "y", "method": "lasso", "alpha": 0.1, "gamma": 0.0, "cv_mse": cv_mse}],
    }
    drift = {"readings": [{"input": "a", "edges": [-0.5, 0.0, 0.5], "parts": [0.25] * 4, "missing": 0.0}]}
    return Model(("a", "b"), inputs, (Output("y", 0.5, terms),), sections={"drift/1": drift}, provenance=about)


def findings_of(paths, level, now=None):
    findings = examine(model(), paths, time.time() if now is None else now)
    for finding in findings:
        runbook = finding.advice.partition("runbook ")[2]
        assert not runbook or f"\n## {runbook}\n" in RUNBOOKS
    return [(finding.text, finding.advice) for finding in findings if finding.level == level]


def score(folder, rows, *options):
    save(model(), folder / "model.json")
    command = [*RUNTIME, "score", "model.json", "--metrics", "board.prom", *options]
    subprocess.run(command, input=rows, cwd=folder, capture_output=True, check=True)
    return folder / "board.prom"


def test_a_wrong_clock(tmp_path):
    figures = score(tmp_path, ROW * 5)
    [(text, advice)] = findings_of([figures], ACT, time.time() - 86400)
    assert re.match(r"the figures are from 86\d\d\d s ahead of this clock", text)
    assert "timedatectl" in advice


def test_a_model_that_is_wrong_by_far(tmp_path):
    right = score(tmp_path, ROW * 50)
    assert findings_of([right], ACT) == []
    wrong = score(tmp_path, ROW.replace(b"1.25", b"9.0") * 50)
    [(text, advice)] = findings_of([wrong], ACT)
    assert text == "mean absolute error 7.75 on 50 rows with their truth, where training expected an RMSE of 0.1"
    assert advice.startswith("update --rollback")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="prlimit is Linux's")
def test_a_disk_that_is_full(tmp_path):
    """No file may grow any more, which to a process is the same: what cannot be saved is said, the work goes on."""
    import resource

    save(model(), tmp_path / "model.json")
    command = [*RUNTIME, "score", "model.json", "--state", "state.json", "--every", "1", "--metrics", "board.prom"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(ROW)
        process.stdin.flush()
        process.stdout.readline()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for _ in range(3):
            process.stdin.write(ROW)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["values"]["y"] == 1.25, "the work goes on"
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        process.stdin.close()
        (tmp_path / "journal").write_bytes(process.stderr.read())
    assert process.returncode == 0
    [(text, advice)] = findings_of([tmp_path / "journal"], ACT)
    assert text == "state.json: File too large; the state is not saved, scoring goes on"
    assert advice == "df -h; runbook EdgeLassoDiskFull"
    assert json.loads((tmp_path / "state.json").read_text())["content"]["state"]["rows"] == 4


@pytest.mark.needs("mosquitto", "module:paho")
def test_a_broker_that_is_killed(tmp_path):
    save(model(), tmp_path / "model.json")
    broker = Broker(tmp_path / "broker")
    peer = Peer(broker, "peer", "out/plant/#")
    with bridging(broker, tmp_path, "--metrics", str(tmp_path / "board.prom")) as process:
        while peer.heard.get(timeout=WAIT) != ("out/plant/status", "warming up"):
            pass
        peer.publish("sensors/plant", '{"a": 0.5, "b": 0.25}')
        while not peer.heard.get(timeout=WAIT)[0].endswith("score"):
            pass
        peer.close()
        broker.stop(signal.SIGKILL)
        line = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT)
    (tmp_path / "journal").write_text(line)
    [(text, advice)] = findings_of([tmp_path / "journal"], LOOK)
    assert text.startswith("the connection is lost")
    assert advice == "runbook EdgeLassoReadingsStopped"
    hour_ago = re.sub(
        r"(reading_time_seconds\{.*\}) (\S+)", lambda m: f"{m[1]} {float(m[2]) - 3600}", figures_of(tmp_path)
    )
    (tmp_path / "board.prom").write_text(hour_ago)
    [(text, advice)] = findings_of([tmp_path / "board.prom"], ACT)
    assert text == "no row has come for 60 minutes", "one finding, not one for each sensor"
    assert advice == "runbook EdgeLassoReadingsStopped"


def figures_of(folder):
    return (folder / "board.prom").read_text()


@pytest.fixture
def home(tmp_path):
    """A board with versions 5 and 6, the second in use, and the fleet that signs for it."""
    board, runtime = Fleet(tmp_path, Keys(tmp_path)), runtime_files()
    now = float(int(time.time()))

    def offer(serial, coef):
        board.clear()
        files = {**board.files(coef), **runtime}
        board.bundle(files=files, serial=serial, coef=coef, created=now - 60, expires=now + 1e6)

    for serial in (5, 6):
        offer(serial, float(serial))
        board.update(now=now)
    return board, offer, now


@pytest.mark.needs("ssh-keygen")
def test_a_bad_model_is_rolled_out(home):
    board, offer, now = home
    offer(7, 7.0)
    with pytest.raises(UpdateError):
        board.update(now=now, trial=Trial(restart=("false",)))
    looked = findings_of([board.home / "state.json"], LOOK)
    assert any(text.startswith("version 7-") and "was left" in text for text, _ in looked)


OTHERS = ("systemctl", "journalctl", "mosquitto_sub", "top", "vcgencmd", "df")
FILES = (".service", ".socket", ".json")


def commands():
    """What runbooks tell to type: fenced lines, and code in a line that begins with a program."""
    fenced = [line for block in re.findall(r"```sh\n(.*?)```", RUNBOOKS, re.S) for line in block.splitlines()]
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", RUNBOOKS)
    programs = ("python3 -m edge_lasso_runtime ", "edge-lasso ", "update ", *(f"{name} " for name in OTHERS))
    return list(dict.fromkeys(line for line in [*fenced, *inline] if line.startswith(programs) or line in OTHERS))


@pytest.mark.slow
@pytest.mark.needs("ssh-keygen")
def test_every_command_of_the_runbooks_does_what_it_says(home, tmp_path):
    """Ours are run on a board; of the system's it is checked that they are of a known program."""
    board, offer, _ = home
    ours = [line for line in commands() if line.split()[0] not in OTHERS]
    assert len(ours) >= 8, ours
    run = {"status": 0, "selftest": 0, "probe": 0, "update": 0, "show": 0, "drift": 1, "bundle": 0, "deploy": 0}
    done, serial = set(), 7
    for line in ours:
        words = shlex.split(line.removeprefix("python3 -m edge_lasso_runtime ").removeprefix("edge-lasso "))
        workbench = line.startswith("edge-lasso ")
        if words[0] == "deploy" or "..." in words:  # needs boards over ssh (tests/devices), or stands for more
            done.add(words[0])
            assert subprocess.run(
                [sys.executable, "-m", "edge_lasso", words[0], "--help"], capture_output=True, check=True
            )
            continue
        if words[:2] == ["update", "--from"]:
            serial += 1
            offer(serial, float(serial))
        places = {
            "SOURCE": str(board.source),
            "MODEL": str(tmp_path / "model.json"),
            "DIGEST": str(tmp_path / "digest"),
        }
        if words[0] == "drift":
            score(tmp_path, ROW * 300, "--state", "state.json")
            told = subprocess.run([*RUNTIME, "digest", "model.json", "--state", "state.json"], cwd=tmp_path,
                                  capture_output=True, check=True)  # fmt: skip
            (tmp_path / "digest").write_bytes(told.stdout)
        words = [places.get(word, word) for word in words]
        more = ["--home", str(board.home)] if words[0] in ("update", "status") else []
        more += ["--seconds", "0.2"] if words[0] == "probe" else []
        package = "edge_lasso" if workbench else "edge_lasso_runtime"
        (tmp_path / "model.json").exists() or save(model(), tmp_path / "model.json")
        result = subprocess.run(
            [sys.executable, "-m", package, *words, *more], cwd=tmp_path if workbench else board.home / "current",
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == run[words[0]], (line, result.stdout, result.stderr)
        done.add(words[0])
    assert done == set(run)
    board.serves()
