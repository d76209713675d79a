"""A mosquitto of a test's own, peers that talk to it, and the bridge beside them."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

COMMAND = [sys.executable, "-m", "edge_lasso_runtime", "mqtt"]
WAIT = 60


class Broker:
    """A mosquitto of this test's own, which keeps what it has accepted."""

    def __init__(self, folder, *more):
        self.folder = folder
        folder.mkdir()
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        access = [] if any("password_file" in line for line in more) else ["allow_anonymous true"]
        settings = [
            f"listener {self.port} 127.0.0.1", "user root", "persistence true", f"persistence_location {folder}/",
            "autosave_on_changes true", "autosave_interval 1", "max_queued_messages 0", *access, *more,
        ]  # fmt: skip
        (folder / "mosquitto.conf").write_text("\n".join(settings) + "\n")
        self.start()

    def start(self):
        path = f"{os.environ['PATH']}:/usr/sbin"
        self.process = subprocess.Popen(
            ["mosquitto", "-c", str(self.folder / "mosquitto.conf")],
            env={**os.environ, "PATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + WAIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until, "mosquitto did not start"
                time.sleep(0.05)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait()


class Peer:
    """A client that publishes, waits for the broker to accept it, and hears what it subscribed to."""

    def __init__(self, broker, name, *topics, user=None):
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard = queue.Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        if user:
            self.client.username_pw_set(*user)
        subscribed = threading.Event()
        self.connected = threading.Event()

        def on_connect(client, data, flags, code, properties):
            self.connected.set()
            if not flags.session_present and topics:
                client.subscribe([(topic, 1) for topic in topics])
            else:
                subscribed.set()

        self.client.on_connect = on_connect
        self.client.on_disconnect = lambda *_: self.connected.clear()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = lambda client, data, message: self.heard.put((message.topic, message.payload.decode()))
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert subscribed.wait(WAIT)

    def publish(self, topic, payload, retain=False):
        assert self.connected.wait(WAIT)
        info = self.client.publish(topic, payload, qos=1, retain=retain)
        info.wait_for_publish(WAIT)
        assert info.is_published()

    def results(self, count):
        """So many results by their row, without repetitions (they are delivered at least once), checked to be in order."""
        found = {}
        while len(found) < count:
            topic, payload = self.heard.get(timeout=WAIT)
            if topic.endswith("/score"):
                one = json.loads(payload)
                assert one["row"] <= len(found) + 1, "a row was left out"
                assert found.setdefault(one["row"], one) == one, "the same row had another result"
        return list(found.values())

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def bridging(broker, folder, *more, environment=None):
    command = [*COMMAND, str(folder / "model.json"), "--broker", f"127.0.0.1:{broker.port}", "--topic", "sensors/#",
               "--publish", "out/plant", "--state", str(folder / "state.json"), *more]  # fmt: skip
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
