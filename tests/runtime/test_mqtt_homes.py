"""MQTT as it is in real homes: sensors that report changes, topics of all kinds, Home Assistant's discovery."""

import json
import time

import pytest
from brokers import WAIT, Broker, Peer, bridging

from edge_lasso_runtime import save
from edge_lasso_runtime.discovery import configs
from edge_lasso_runtime.model import Factor, Input, Model, Output, Term
from edge_lasso_runtime.mqtt_rows import Rows, read_sources
from edge_lasso_runtime.rows import RowError


def model():
    inputs = (Input("sensor.outside", 0, 5.0, -20.0, 40.0), Input("door", 1, 0.0, 0.0, 1.0))
    terms = (Term(2.0, (Factor(0),)), Term(3.0, (Factor(1),)))
    return Model(("sensor.outside", "door"), inputs, (Output("flow", 1.0, terms, "identity", "°C"),))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_last_reading_holds_until_it_is_too_old():
    clock = Clock()
    rows = Rows(model(), ["home/#"], True, 60.0, None, {}, clock)
    assert rows.take("home/sensor/outside/state", b"4.5") == []
    assert rows.take("home/door", b"on") == []
    assert rows.close() == {"sensor.outside": 4.5, "door": 1.0}
    clock.now = 50.0
    rows.take("home/door", b"closed")
    assert rows.close() == {"sensor.outside": 4.5, "door": 0.0}
    clock.now = 61.0
    assert rows.close() == {"door": 0.0}
    rows.take("home/sensor/outside/state", b"unavailable")
    assert rows.close() == {"sensor.outside": None, "door": 0.0}


def test_a_topic_as_long_as_a_page_is_shown_in_part(capsys):
    rows = Rows(model(), ["home/#"], True, time="at")
    rows.take(f"home/{'t' * 60_000}", b'{"x": 1, "at": "never"}')
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all(line.startswith("edge_lasso_runtime: warning: topic 'home/ttt") and len(line) < 300 for line in errors)


def test_messages_out_of_order_are_noticed_by_their_own_time(capsys):
    rows = Rows(model(), ["home/#"], True, time="at")
    for at in (
        "2026-11-28T00:00:00Z",
        "2026-11-28T00:01:00Z",
        "2026-11-28T00:00:30Z",
        "2026-11-28T00:00:40Z",
        "\x1b[2J",
    ):
        rows.take("home/x", json.dumps({"sensor.outside": 4.5, "at": at}).encode())
    rows.take("home/other", b'{"door": "on", "at": 1}')  # a topic of its own, and a clock of its own
    rows.take("home/door", b"on")
    assert rows.disordered == 2
    assert rows.close() == {"sensor.outside": 4.5, "door": 1.0}
    assert capsys.readouterr().err.splitlines() == [
        "edge_lasso_runtime: warning: topic 'home/x': the time '2026-11-28T00:00:30Z' is not after the one before; "
        "it is taken as the next reading (1 so far)",
        "edge_lasso_runtime: warning: topic 'home/x': the time '\\x1b[2J' is no time; "
        "it is taken as the next reading (2 so far)",
    ]


def test_a_row_when_a_sensor_reports():
    rows = Rows(model(), ["home/#"], False, 60.0, "door", {}, Clock())
    assert rows.take("home/sensor/outside/state", b"4,5") == []
    assert rows.take("home/door", b"off") == [{"sensor.outside": 4.5, "door": 0.0}]
    assert rows.take("home/door", b"off") == [{"sensor.outside": 4.5, "door": 0.0}]


def test_topics_by_a_file(tmp_path):
    path = tmp_path / "sources.toml"
    path.write_text('# what is what\n"sensor.outside" = "zigbee2mqtt/garden#temperature"\ndoor = \'z/d\'\n')
    sources = read_sources(str(path), model())
    assert sources == {"zigbee2mqtt/garden#temperature": "sensor.outside", "z/d": "door"}
    rows = Rows(model(), ["#"], True, 60.0, None, sources, Clock())
    rows.take("zigbee2mqtt/garden", b'{"temperature": 3.5, "battery": 90}')
    rows.take("z/d", b"open")
    assert rows.close() == {"sensor.outside": 3.5, "door": 1.0}
    for text, message in (
        ("door z/d\n", "line 1 of .* is not INPUT"), ('\nwindow = "z/w"\n', "line 2 of .*: the model reads no 'window'"),
        ('door = "a"\n"sensor.outside" = "a"\n', "line 2 of .* is there twice"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(RowError, match=message):
            read_sources(str(path), model())


def test_what_home_assistant_is_told():
    told = {topic: json.loads(payload) for topic, payload in configs(model(), "edge-lasso/flow")}
    sensor = told["homeassistant/sensor/edge-lasso_flow/output0/config"]
    assert sensor["unit_of_measurement"] == "°C"
    assert sensor["device_class"] == "temperature"
    assert sensor["state_topic"] == "edge-lasso/flow/score"
    assert sensor["value_template"] == "{{ value_json['values'][\"flow\"] }}"
    for payload in told.values():
        assert {"name", "unique_id", "device", "availability_topic", "state_topic"} <= set(payload)
        assert payload["device"]["identifiers"] == ["edge-lasso-edge-lasso_flow"]
    assert len({payload["unique_id"] for payload in told.values()}) == len(told)


@pytest.mark.needs("mosquitto", "module:paho")
def test_a_home(tmp_path):
    """Retained values are known at once, rows come with the door, and Home Assistant finds the entities."""
    save(model(), tmp_path / "model.json")
    broker = Broker(tmp_path / "broker")
    home = Peer(broker, "home", "out/plant/#", "homeassistant/#")
    try:
        home.publish("sensors/sensor/outside/state", "4.5", retain=True)
        with bridging(broker, tmp_path, "--max-age", "600", "--when", "door", "--discovery"):
            heard = {}
            end = time.monotonic() + WAIT
            while time.monotonic() < end and "out/plant/score" not in heard:
                home.publish("sensors/door", "on")
                while not home.heard.empty():
                    topic, payload = home.heard.get()
                    heard[topic] = payload
                time.sleep(0.2)
            score = json.loads(heard["out/plant/score"])
            assert score["values"] == {"flow": 13.0}
            assert any(topic.startswith("homeassistant/sensor/out_plant/output0/") for topic in heard)
    finally:
        home.close()
        broker.stop()
