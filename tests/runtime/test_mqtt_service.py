"""The bridge as a service: it learns no row twice, whatever ends it, and a new model takes over by SIGHUP."""

import json
import signal
import subprocess

import pytest
from brokers import COMMAND, WAIT, Broker, Peer, bridging

from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, save
from edge_lasso_runtime.figures import read

pytestmark = pytest.mark.needs("mosquitto", "module:paho")


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.stop(signal.SIGKILL)


@pytest.fixture
def sensors(broker):
    peer = Peer(broker, "sensors")
    yield peer
    peer.close()


@pytest.fixture
def reader(broker):
    peer = Peer(broker, "reader", "out/plant/#")
    yield peer
    peer.close()


def model(coef=2.0):
    inputs = (Input("a", 0, 0.0, -1e3, 1e3), Input("a before", 1, 0.0, -1e3, 1e3, stream=("lag", "a", 1)))
    terms = (Term(coef, (Factor(0),)), Term(1.0, (Factor(1),)))
    return Model(("a", "a before"), inputs, (Output("y", 0.0, terms),))


def online(reader):
    while reader.heard.get(timeout=WAIT)[0] != "out/plant/status":
        pass


def test_no_row_is_learned_twice_when_the_bridge_is_killed(broker, tmp_path, sensors, reader):
    """The truth is waited for, errors are counted, and what comes again after SIGKILL is not added again."""
    save(model(), tmp_path / "model.json")
    learned, figures = tmp_path / "b.json", tmp_path / "b.prom"
    options = ("--learn", str(learned), "--metrics", str(figures), "--every", "50")
    done = 0
    for last, number in ((130, signal.SIGKILL), (260, signal.SIGTERM)):
        with bridging(broker, tmp_path, *options) as process:
            if not done:
                online(reader)
            for i in range(done, last):
                sensors.publish("sensors/a", str(i))
                topic, truth = ("y", str(3 * i)) if i % 2 else ("plant", json.dumps({"y": 3 * i}))
                sensors.publish(f"sensors/{topic}", truth)
            done = last
            while f'"row":{last},' not in reader.heard.get(timeout=WAIT)[1]:
                pass
            process.send_signal(number)
            process.wait(WAIT)
    assert process.returncode == 0, process.stderr.read()
    content = json.loads(learned.read_text())["content"]
    state = json.loads((tmp_path / "state.json").read_text())["content"]["state"]
    assert state["rows"] == 260
    assert 100 <= content["rows"] <= 259
    assert content["low"][0] >= 1.0
    mean = dict(zip(("a", "a before", "y"), content["mean"], strict=True))
    assert mean["y"] == pytest.approx(3.0 * mean["a"])  # no row has the truth of another
    assert read(str(figures))["error_rows"] > 0


def test_a_new_model_takes_over(broker, tmp_path, sensors, reader):
    for version, coef in (("old", 2.0), ("new", 3.0)):
        (tmp_path / version).mkdir()
        save(model(coef), tmp_path / version / "model.json")
    (tmp_path / "current").symlink_to("old")
    (tmp_path / "states").mkdir()
    command = [*COMMAND, "model.json", "--broker", f"127.0.0.1:{broker.port}", "--topic", "sensors/#",
               "--publish", "out/plant", "--state", str(tmp_path / "states"), "--every", "1",
               "--metrics", str(tmp_path / "b.prom")]  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path / "current", env={"EDGE_LASSO_HOME": str(tmp_path), "PATH": ""},
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            online(reader)
            values = {}
            for i in range(1, 5):
                if i == 3:
                    (tmp_path / "next").symlink_to("new")
                    (tmp_path / "next").replace(tmp_path / "current")
                    process.send_signal(signal.SIGHUP)
                sensors.publish("sensors/a", str(i))  # what comes between the two waits at the broker
                while i not in values:
                    topic, payload = reader.heard.get(timeout=WAIT)
                    if topic.endswith("/score"):
                        result = json.loads(payload)
                        values[result["row"]] = result["values"]["y"]
            assert (values[2], values[4]) == (5.0, 15.0)
            assert values[3] in (8.0, 11.0), "the row that came with the signal: by the one or by the other"
            assert read(str(tmp_path / "b.prom"))["model"] == model_hash(model(3.0))
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0
        finally:
            process.kill()
        assert "the model is new; sensors and histories go on from" in process.stderr.read()
