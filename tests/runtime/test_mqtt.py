"""The MQTT bridge against a real mosquitto on loopback, killed and restarted, with real sensors and readers beside it."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest
from brokers import COMMAND, WAIT, Broker, Peer, bridging
from streams import detecting, rows

from edge_lasso_runtime import save
from edge_lasso_runtime.step import start, step

pytestmark = pytest.mark.needs("mosquitto", "module:paho")


@pytest.fixture
def start_broker(tmp_path):
    brokers = []

    def begin(*more):
        brokers.append(Broker(tmp_path / "broker", *more))
        return brokers[-1]

    yield begin
    for one in brokers:
        one.stop(signal.SIGKILL)


@pytest.fixture
def broker(start_broker):
    return start_broker()


@pytest.fixture
def model(tmp_path):
    one = detecting()
    save(one, tmp_path / "model.json")
    return one


@pytest.fixture
def reader(broker):
    one = Peer(broker, "reader", "out/plant/#")
    yield one
    one.close()


@pytest.fixture
def sensors(broker):
    one = Peer(broker, "sensors")
    yield one
    one.close()


def until(peer, topic, payload):
    while peer.heard.get(timeout=WAIT) != (f"out/plant/{topic}", payload):
        pass


def wanted(model, readings):
    state = start(model)
    return [step(model, state, row)[0] for row in readings]


def check(found, results):
    for one, result in zip(found, results, strict=True):
        assert (one["score"], one["alarm"], one["status"]) == (result.score, result.alarm, result.status)
        assert one.get("faults", {}) == result.faults


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_broker_that_is_killed_and_restarted_loses_nothing_it_accepted(
    broker, model, tmp_path, reader, sensors, number
):
    """Killed with a backlog: what it had accepted is scored after the restart, once and in order.

    mosquitto writes what it accepted when it is told to end, and, set up so, after each change; after SIGKILL it has
    what reached the file, so it is given the moment that this takes.
    """
    readings = rows(240)
    with bridging(broker, tmp_path, "--every", "1s") as process:
        until(reader, "status", "warming up")
        for row in readings[:40]:
            sensors.publish("sensors/plant", json.dumps(row))
        process.send_signal(signal.SIGSTOP)
        for row in readings[40:140]:
            sensors.publish("sensors/plant", json.dumps(row))
        if number == signal.SIGKILL:
            time.sleep(2.0)
        broker.stop(number)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        broker.start()
        for row in readings[140:]:
            sensors.publish("sensors/plant", json.dumps(row))
        check(reader.results(240), wanted(model, readings))
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
    assert json.loads((tmp_path / "state.json").read_text())["content"]["state"]["rows"] == 240


def test_a_bridge_that_is_killed_goes_on_where_its_state_is(broker, model, tmp_path, reader, sensors):
    readings = rows(120)
    done = 0
    for part in (37, 1, 42, 40):
        with bridging(broker, tmp_path) as process:
            until(reader, "status", "warming up") if not done else None
            for row in readings[done : done + part]:
                sensors.publish("sensors/plant", json.dumps(row))
            done += part
            time.sleep(0.2)
            process.kill()
    with bridging(broker, tmp_path):
        check(reader.results(120), wanted(model, readings))


def test_a_topic_per_sensor_and_a_sensor_that_stays_away(broker, model, tmp_path, reader, sensors):
    sensors.publish("sensors/a", "99", retain=True)  # old when the bridge subscribes
    with bridging(broker, tmp_path) as process:
        until(reader, "status", "warming up")
        for payload in ("1", "2", "3", "4", "5.5"):
            sensors.publish("sensors/a", payload)
            sensors.publish("sensors/hall/b", "0.5")
            sensors.publish("sensors/c", '{"c": 1, "note": "x"}' if payload != "3" else "broken")
            sensors.publish("sensors/stranger", "7")
        sensors.publish("sensors/a", "6")
        sensors.publish("sensors/a", "7")
        until_now = reader.results(6)
        time.sleep(1.5)  # the partial row is in a snapshot, too
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
        said = process.stderr.read()
    readings = [{"a": float(a), "b": 0.5, "c": None if a == 3 else 1.0} for a in (1, 2, 3, 4, 5.5)] + [{"a": 6.0}]
    check(until_now, wanted(model, readings))
    assert said.splitlines() == [
        "edge_lasso_runtime: warning: topic 'sensors/stranger' is no sensor that the model reads; ignored"
    ]
    assert json.loads((tmp_path / "state.json").read_text())["content"]["more"]["partial"] == {"a": 7}


def test_status_alarm_and_last_will_are_retained(broker, model, tmp_path, sensors):
    def retained():
        late = Peer(broker, f"late-{time.monotonic()}", "out/plant/#")
        found = dict(late.heard.get(timeout=WAIT) for _ in range(3))
        late.close()
        return found

    reader = Peer(broker, "reader", "out/plant/#")
    with bridging(broker, tmp_path) as process:
        until(reader, "status", "warming up")
        for value in [0.1, -0.2, 0.3, -0.1, 9.0, -9.0, 9.0, -9.0]:
            sensors.publish("sensors/plant", json.dumps({"a": value, "b": 0.0, "c": -value}))
        until(reader, "alarm", "true")
        found = retained()
        assert found["out/plant/status"] in ("ok", "degraded")
        assert found["out/plant/alarm"] == "true"
        process.kill()
        until(reader, "status", "offline")
    assert retained()["out/plant/status"] == "offline"
    with bridging(broker, tmp_path) as process:
        until(reader, "status", found["out/plant/status"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
    assert retained()["out/plant/status"] == "offline"
    reader.close()


def test_rows_by_the_clock(broker, model, tmp_path, reader, sensors):
    with bridging(broker, tmp_path, "--period", "0.5"):
        first = reader.results(1)[0]
        assert first["faults"] == dict.fromkeys("abc", "missing")
        sensors.publish("sensors/a", "1")
        while True:
            topic, payload = reader.heard.get(timeout=WAIT)
            if topic.endswith("/score") and json.loads(payload)["faults"] == {"b": "missing", "c": "missing"}:
                break


def test_a_broker_that_is_not_there_yet(model, tmp_path, broker):
    broker.stop()
    with bridging(broker, tmp_path) as process:
        assert "the broker cannot be reached (" in process.stderr.readline()
        broker.start()
        reader = Peer(broker, "reader", "out/plant/#")
        until(reader, "status", "warming up")
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 130
        reader.close()


def test_user_and_password_come_from_a_file_or_the_environment(model, tmp_path, start_broker):
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "board", "s3=cret"], check=True, capture_output=True
    )
    broker = start_broker(f"password_file {passwords}")
    reader = Peer(broker, "reader", "out/plant/#", user=("board", "s3=cret"))
    (tmp_path / "credentials").write_text("username=board\npassword=s3=cret\n")
    variables = {"EDGE_LASSO_MQTT_USERNAME": "board", "EDGE_LASSO_MQTT_PASSWORD": "s3=cret"}
    for more, environment in ((["--credentials", str(tmp_path / "credentials")], {}), ([], variables)):
        with bridging(broker, tmp_path, *more, environment=environment) as process:
            until(reader, "status", "warming up")
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0
        until(reader, "status", "offline")
    with bridging(broker, tmp_path, environment={**variables, "EDGE_LASSO_MQTT_PASSWORD": "wrong"}) as process:
        assert process.wait(WAIT) == 2
        said = process.stderr.read()
    assert f"error: the broker at 127.0.0.1:{broker.port} refuses the connection: " in said
    reader.close()


@pytest.mark.needs("openssl")
def test_tls(model, tmp_path, start_broker):
    certificate, key = tmp_path / "ca.crt", tmp_path / "ca.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    broker = start_broker(f"certfile {certificate}", f"keyfile {key}")
    with bridging(broker, tmp_path, "--ca", str(certificate)) as process:
        said = process.stderr
        state = tmp_path / "state.json"
        deadline = time.monotonic() + WAIT
        while not (broker.folder / "mosquitto.db").exists() and time.monotonic() < deadline:
            time.sleep(0.1)  # the session is kept once the bridge has subscribed
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
        assert said.read() == ""
        assert state.exists()
    with bridging(broker, tmp_path, "--tls") as process:
        assert "certificate verify failed" in process.stderr.readline()


def test_bad_usage(model, tmp_path):
    command = [*COMMAND, str(tmp_path / "model.json"), "--topic", "s/#", "--publish", "out"]
    for more, text in (
        (["--broker", "host:port"], "--broker 'host:port' is not HOST or HOST:PORT"),
        (["--broker", "host", "--credentials", str(tmp_path / "none")], "none: No such file or directory"),
        (["--broker", "host", "--credentials", str(tmp_path / "model.json")], "has no line username=..."),
        (["--broker", "host", "--period", "0"], "argument --period: '0' is not a number of seconds above 0"),
        (["--broker", "host", "--topic", "s/#/t"], "--topic 's/#/t' is no filter"),
        (["--broker", "host", "--topic", "s+"], "--topic 's+' is no filter"),
        (["--broker", "host", "--topic", ""], "--topic '' is no filter"),
        (["--broker", "host", "--publish", "out/#"], "--publish 'out/#' is no topic"),
        (["--broker", "host", "--ca", str(tmp_path / "none")], "none: No such file or directory"),
        (["--broker", "host", "--ca", str(tmp_path / "model.json")], "can be read from " + str(tmp_path)),
        (["--broker", "host", "--key", str(tmp_path / "model.json")], "--key goes with --certificate"),
    ):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=WAIT)
        assert done.returncode == 2
        assert text in done.stderr
        assert done.stderr.count("\n") == 1


def test_without_paho_it_says_what_to_install(model, tmp_path):
    script = (
        "import sys; sys.modules['paho'] = None\nfrom edge_lasso_runtime.__main__ import main\n"
        f"sys.exit(main(['mqtt', {str(tmp_path / 'model.json')!r}, '--broker', 'h', '--topic', 's', '--publish', 'p']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'edge-lasso-runtime[mqtt]'" in done.stderr


def test_two_bridges_with_one_client_id_stop_throwing_each_other_out(broker, model, tmp_path):
    """The broker lets the newer in and drops the older, for ever; so one says what is wrong, once, and backs off."""
    other = tmp_path / "other"
    other.mkdir()
    save(model, other / "model.json")
    said = queue.Queue()
    with bridging(broker, tmp_path) as first, bridging(broker, other) as second:
        for process in (first, second):
            threading.Thread(
                target=lambda process=process: [said.put((process.pid, line)) for line in process.stderr], daemon=True
            ).start()
        lines = []
        while not any("another client" in line for _, line in lines):
            lines.append(said.get(timeout=WAIT))
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
        assert [process.wait(WAIT) for process in (first, second)] == [0, 0]
    backed_off = lines[-1][0]
    own = [line for pid, line in lines if pid == backed_off]
    assert own[-1].rstrip("\n") == (
        "edge_lasso_runtime: warning: the connection is lost as soon as it is there: does another client use the same "
        "--client-id? trying again every minute"
    )
    assert all("the connection is lost" in line for line in own[:-1])
