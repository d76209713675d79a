"""Units for systemd: each has a source, is fenced in, passes systemd's own checks, and its command works."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.watching.deploy import service
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.units import Service, units
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, save
from edge_lasso_runtime.figures import read

SOURCES = {
    "mqtt": ("mqtt://localhost/sensors/#", ""),
    "mqtts": ("mqtts://broker.example:8884/plant/+/temperature", ""),
    "fifo": ("fifo:/run/edge-lasso-boiler", ""),
    "socket": ("socket:/run/edge-lasso-boiler", ""),
    "file": ("file:/var/lib/readings.csv", "15min"),
}


def model():
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0))
    return Model(("a", "b"), inputs, (Output("y", 0.5, (Term(2.0, (Factor(0),)), Term(-1.0, (Factor(1),)))),))


def texts(kind, folder="/opt/edge-lasso", board="ssh://pi@board"):
    return service(model(), folder, board, *SOURCES[kind], "boiler")


def setting(text, name):
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("kind", SOURCES)
def test_every_unit_has_a_source_and_a_fence(kind):
    files = texts(kind)
    text = files["boiler.service"]
    assert setting(text, "DynamicUser") == ["yes"]
    assert setting(text, "ProtectSystem") == ["strict"]
    assert setting(text, "StateDirectory") == ["edge-lasso/boiler"]
    assert setting(text, "MemoryMax") == ["256M"]
    assert setting(text, "WorkingDirectory") == ["/opt/edge-lasso/current"]
    extra = {"fifo": "boiler.socket", "socket": "boiler.socket", "file": "boiler.timer"}.get(kind)
    assert set(files) == {"boiler.service", *([extra] if extra else [])}
    assert setting(text, "Type") == (["oneshot"] if kind == "file" else ["notify"])
    assert bool(setting(text, "WatchdogSec")) == (kind != "file")
    assert ("PrivateNetwork=yes" in text) == (not kind.startswith("mqtt"))
    if kind in ("fifo", "socket"):
        assert setting(text, "StandardInput") == ["fd:readings"]
        assert setting(text, "CacheDirectory") == ["edge-lasso/boiler"]
        assert setting(text, "Also") == [extra]
        listens = {"fifo": "ListenFIFO", "socket": "ListenStream"}[kind]
        assert setting(files[extra], listens) == ["/run/edge-lasso-boiler"]


def test_who_runs_it():
    text = texts("fifo", "/home/pi/edge-lasso")["boiler.service"]
    assert (setting(text, "User"), setting(text, "DynamicUser")) == (["pi"], [])


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("kind", SOURCES)
def test_systemd_agrees(kind, tmp_path):
    folder = tmp_path / "opt"
    (folder / "current").mkdir(parents=True)
    for name, text in texts(kind, str(folder)).items():
        (tmp_path / name).write_text(text)
    names = [str(path) for path in tmp_path.glob("boiler.*")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "boiler" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    unit = str(tmp_path / "boiler.service")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-600:]


def command(text, away):
    """The unit's command as systemd would split it, with its folders in `away` and this Python."""
    [line] = setting(text, "ExecStart")
    words = [word.replace("%S", str(away)).replace("%t", str(away)).replace("%%", "%") for word in shlex.split(line)]
    assert words[0] == "/usr/bin/python3"
    (away / "edge-lasso" / "boiler").mkdir(parents=True, exist_ok=True)
    return [sys.executable, *words[1:]]


def test_a_socket_as_systemd_keeps_it(tmp_path):
    """Senders come, cut their lines anywhere, and go, also in the middle of one; others wait while nobody runs."""
    save(model(), tmp_path / "model.json")
    words = command(texts("socket")["boiler.service"], tmp_path)

    def connected():
        sender = socket.socket(socket.AF_UNIX)
        sender.connect(str(tmp_path / "readings"))
        return sender

    def values(process):
        return json.loads(process.stdout.readline())["values"]["y"]

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "readings"))
        listener.listen()
        early = connected()
        early.sendall(b'{"a": 1, "b": 0}\n{"a": 0.5,')
        with subprocess.Popen(words, stdin=listener, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
            try:
                assert values(process) == 2.5
                with connected() as other:
                    other.sendall(b'{"a": -1, "b": 0}\n{"a": -')
                    assert values(process) == -1.5, "one sender's half line does not end in another's"
                    early.sendall(b' "b": 0}\n')
                    assert values(process) == 1.5
                    other.sendall(b'0.5, "b": 0}')
                assert values(process) == -0.5, "the last line of one that left"
                for _ in range(100):  # more than may be there at once
                    connected().close()
                with connected() as late:
                    late.sendall(b"nonsense\n" + b"x" * (1 << 21) + b'\n{"a": 0, "b": 0}\n')
                    assert values(process) == 0.5
            finally:
                process.terminate()
            assert process.wait(20) == 0
        early.close()
    [state] = (tmp_path / "edge-lasso" / "boiler").glob("*.json")
    assert json.loads(state.read_text())["content"]["state"]["rows"] == 5


def test_the_command_of_a_fifo_works(tmp_path):
    save(model(), tmp_path / "model.json")
    words = command(texts("fifo")["boiler.service"], tmp_path)
    done = subprocess.run(words, input='{"a": 1, "b": 0}\n', cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["values"] == {"y": 2.5}
    folder = tmp_path / "edge-lasso" / "boiler"
    assert read(str(folder / "edge-lasso.prom"))["model"] == model_hash(model())
    assert len(list(folder.glob("*.json"))) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_as_systemd_keeps_it(tmp_path):
    """Open for both, so that it never ends: writers come and go, and readings wait while nobody runs."""
    save(model(), tmp_path / "model.json")
    words = command(texts("fifo")["boiler.service"], tmp_path)
    os.mkfifo(tmp_path / "readings")
    pipe = os.open(tmp_path / "readings", os.O_RDWR | os.O_NONBLOCK)
    os.set_blocking(pipe, True)  # as systemd does before it runs the command

    def write(a):
        (tmp_path / "readings").write_text(json.dumps({"a": a, "b": 0}) + "\n")

    def values(process):
        return json.loads(process.stdout.readline())["values"]["y"]

    try:
        for start in (1.0, -1.0):
            write(start)  # before it runs
            with subprocess.Popen(words, stdin=pipe, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
                try:
                    assert values(process) == 0.5 + 2.0 * start
                    for a in (0.25, 0.5):
                        write(a)
                        assert values(process) == 0.5 + 2.0 * a, "at once, though the pipe does not end"
                finally:
                    process.terminate()
                assert process.wait(20) == 0
    finally:
        os.close(pipe)
    folder = tmp_path / "edge-lasso" / "boiler"
    assert read(str(folder / "edge-lasso.prom"))["model"] == model_hash(model())


def test_the_command_of_a_timer_works(tmp_path):
    save(model(), tmp_path / "model.json")
    (tmp_path / "readings.csv").write_text("a,b\n1,0\n9,0\n")
    text = service(model(), "/opt/x", "ssh://b", f"file:{tmp_path}/readings.csv", "1h", "boiler")["boiler.service"]
    subprocess.run(command(text, tmp_path), cwd=tmp_path, check=True)
    folder = tmp_path / "edge-lasso" / "boiler"
    assert (folder / "results.csv").read_text() == "y,status,faults\n2.5,ok,\n18.5,degraded,a: out of range\n"
    assert read(str(folder / "edge-lasso.prom"))["degraded"] == 1


@pytest.mark.needs("mosquitto", "module:paho")
def test_the_command_of_a_broker_works(tmp_path):
    import socket
    import time

    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = f"{os.environ['PATH']}:/usr/sbin"
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = subprocess.Popen(["mosquitto", "-c", str(tmp_path / "mosquitto.conf")], env={**os.environ, "PATH": path}, stderr=subprocess.DEVNULL)  # fmt: skip
    save(model(), tmp_path / "model.json")
    text = service(model(), "/opt/x", "ssh://b", f"mqtt://127.0.0.1:{port}/sensors/#", "", "boiler")["boiler.service"]
    process = subprocess.Popen(command(text, tmp_path), cwd=tmp_path)
    results = []
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: results.append(json.loads(message.payload))
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                client.connect("127.0.0.1", port)
                break
            except OSError:
                time.sleep(0.1)
        client.subscribe("edge-lasso/boiler/score")
        client.loop_start()
        while not results and time.monotonic() < deadline:
            client.publish("sensors/a", "1")
            client.publish("sensors/b", "0")
            time.sleep(0.2)
        assert results[0]["values"] == {"y": 2.5}
        figures = tmp_path / "edge-lasso" / "boiler" / "edge-lasso.prom"
        assert read(str(figures))["model"] == model_hash(model())
    finally:
        client.loop_stop()
        client.disconnect()
        process.terminate()
        assert process.wait(20) == 0
        broker.terminate()
        broker.wait(20)


@pytest.mark.parametrize(
    ("source", "every", "message"),
    [
        ("-", "", "a unit needs mqtt://"),
        ("fifo:relative", "", "a unit needs mqtt://"),
        ("mqtt://localhost", "", "is not mqtt://HOST"),
        ("mqtt://user:secret@localhost/x", "", "credentials come by a file"),
        ("file:/x.csv", "", "a file needs it"),
        ("fifo:/x", "1h", "--every goes with --source file:"),
    ],
)
def test_a_unit_without_a_source_is_refused(source, every, message):
    with pytest.raises(DataError, match=message):
        service(model(), "/opt/x", "ssh://b", source, every, "boiler")


def test_the_command_line_refuses_a_unit_without_a_source(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(model(), tmp_path / "model.json")
    for words, message in (
        (["--unit", "boiler.service"], "a unit without a source would wait for ever"),
        (["--unit", "boiler.txt", "--source", "fifo:/run/x"], "--unit NAME.service goes with --source"),
    ):
        assert main(["deploy", "model.json", "ssh://nobody@127.0.0.1:1", *words]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"description": "x\nExecStart=/bin/rm"}, "control character"),
        ({"folder": "/home/a b"}, "is no folder for a unit"),
        ({"folder": "relative"}, "is no folder for a unit"),
        ({"command": ["a\0b"]}, "control character"),
    ],
)
def test_values_that_do_not_fit_a_unit(fields, message):
    with pytest.raises(BoardError, match=message):
        units(Service(**{"name": "x", "description": "d", "folder": "/opt", "command": ["a"], "user": "pi", **fields}))


def test_words_are_quoted():
    text = units(Service("x", "d", "/opt", ["python3", "a b", '50%"$', "%S/x", "50%S"], "pi"))["x.service"]
    assert 'ExecStart="python3" "a b" "50%%\\"$$" "%S/x" "50%%S"\n' in text


@pytest.mark.needs("systemd-analyze")
def test_the_units_that_update(tmp_path):
    folder = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
    (tmp_path / "current").mkdir()
    for name in ("edge-lasso-update.service", "edge-lasso-update.timer"):
        text = (folder / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/edge-lasso", str(tmp_path)))
    names = [str(path) for path in tmp_path.glob("edge-lasso-update.*")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "edge-lasso-update" in line]) == (0, [])
