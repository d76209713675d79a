"""``python -m edge_lasso_runtime mqtt``: sensors from an MQTT broker in, scores, alarms and status out.

Nothing that the broker has accepted is lost, as long as the broker keeps what it has accepted: the session is
persistent, and a message is acknowledged only when the broker has accepted the results that it led to and a snapshot
that holds it is on the disk. What was acknowledged in vain, because the connection broke, comes again; it is recognized
by its packet identifier and content, and not scored twice. After the bridge itself was killed, rows since the snapshot
are scored again: results carry the number of their row.

Messages that the broker had retained from before the subscription are old, and left out.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from hashlib import sha256
from queue import Empty, SimpleQueue
from threading import Event
from time import monotonic

from .discovery import configs
from .errors import SessionError
from .keeper import Keeper, Stop, begin_anew
from .mqtt_options import address, check_topics, new_client
from .mqtt_rows import Rows, read_sources
from .printable import report
from .pulse import Pulse
from .results import Results
from .rows import RowError
from .step import step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .step_result import Step

WAITING = 10_000
"""Messages of QoS 0 that may wait to be scored."""
LONGEST = 2**16
"""Bytes of a message of QoS 0."""
PENDING = 15
"""A snapshot is due after so many messages: brokers hand out 20 or so before they wait for acknowledgements."""
REMEMBERED = 256
SOON, TAKEN = 5.0, 3
"""A connection that is lost within so many seconds, so many times in a row, is taken by another client."""
REFUSED = ("Bad user name or password", "Not authorized")


class Bridge:
    """Messages in, messages out.

    Parameters
    ----------
    model : Model
    keeper : Keeper
    results : Results
    rows : Rows
    prefix : str
        Results go to ``<prefix>/score`` (one per row), ``/alarm`` and ``/status`` (when they change), all retained.
    discovery : sequence of (str, str)
        Topics and payloads to publish whenever it connects, retained.
    """

    def __init__(
        self,
        model: Model,
        keeper: Keeper,
        results: Results,
        rows: Rows,
        prefix: str,
        pulse: Pulse | None = None,
        discovery: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._model = model
        self._pulse = pulse or Pulse(model)
        self._keeper = keeper
        self._results = results
        self._rows = rows
        self._prefix = prefix
        self._discovery = discovery
        self._client: Any = None
        self._filters: list[str] = []
        self._subscribed = self._session = False
        self._connection, self._reached = 0, True
        self._connected_at = 0.0
        self._taken = 0
        self._sent, self._accepted = set[int](), set[int]()
        self._published = Event()
        self._pending: list[tuple[int, int]] = []
        self._alarm: bool | None = None
        self.queue: SimpleQueue[Any] = SimpleQueue()
        self.refused, self.dropped = "", 0
        self.status = str(keeper.more.get("status", "warming up"))
        rows.partial = dict(keeper.more.get("partial", {}))
        self._seen = {int(mid): str(content) for mid, content in keeper.more.get("seen", [])}

    def attach(self, client: Any, filters: list[str]) -> None:
        """Answer a client's events."""
        self._client = client
        self._filters = filters
        client.will_set(f"{self._prefix}/status", "offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe

    def run(self, stop: Stop, period: float | None) -> None:
        """Work until asked to stop."""
        due = monotonic() + period if period is not None else None
        while not (stop.asked or stop.again or self.refused):
            waits = [5.0]
            if self._pending or self._sent:
                waits.append(self._keeper.until_due())
            if due is not None:
                waits.append(max(due - monotonic(), 0.0))
            with suppress(Empty):
                self._handle(*self.queue.get(timeout=self._pulse.wait(*waits)))
            self._pulse.beat()
            if due is not None and period is not None and monotonic() >= due:
                self._score(self._rows.close())
                due = max(due + period, monotonic())
            if (self._pending or self._sent) and (len(self._pending) >= PENDING or self._keeper.until_due() <= 0.0):
                self._settle(stop)
        self._settle(stop)

    def _handle(self, connection: int, event: Any) -> None:
        """One event from the client's thread: a message; whether a new connection found its session; or just a call."""
        if event is None:
            return
        if isinstance(event, bool):
            self._session = event
            if not event:
                self._seen.clear()
            return
        self._take(connection, event)

    def _take(self, connection: int, message: Any) -> None:
        """One message: scored unless it is old, or came before."""
        again = message.retain
        if message.qos:
            content = sha256(message.topic.encode() + b"\0" + message.payload).hexdigest()[:16]
            again = again or (message.dup and self._session and self._seen.pop(message.mid, "") == content)
            self._seen[message.mid] = content
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
            self._pending.append((connection, message.mid))
        if not again:
            for row in self._rows.take(message.topic, message.payload):
                self._score(row)
        elif message.retain:
            self._rows.keep(message.topic, message.payload)

    def _score(self, row: dict[str, Any]) -> None:
        state = self._keeper.state
        [result] = self._pulse.timed(lambda: [step(self._model, state, row)[0]], state)
        more = ""
        if self._keeper.follows:
            known, corrections = self._keeper.follow(result, [row.get(output.name) for output in self._model.outputs])
            self._pulse.errors([result], known)
            more = self._results.corrected(corrections) if corrections else ""
        line = f"{self._results.line(result, state)[:-1]}{more}}}"
        self._publish("score", f'{{"row":{state.rows},{line[1:]}')
        self._announce(result)

    def _announce(self, result: Step) -> None:
        """Alarm and status, when they change."""
        if result.score is not None and result.alarm != self._alarm:
            self._alarm = result.alarm
            self._publish("alarm", "true" if result.alarm else "false")
        if result.status != self.status:
            self.status = result.status
            self._publish("status", result.status)

    def _publish(self, topic: str, payload: str) -> None:
        self._sent.add(self._client.publish(f"{self._prefix}/{topic}", payload, qos=1, retain=True).mid)

    def _settle(self, stop: Stop) -> None:
        """Results accepted by the broker, then the state on the disk, then the messages acknowledged."""
        given_up = None
        while not self._sent <= self._accepted:
            if (stop.asked or stop.again) and given_up is None:
                given_up = monotonic() + 2.0
            if self.refused or (given_up is not None and monotonic() > given_up):
                return  # what is not acknowledged comes again after the next start, to the state before it
            self._published.wait(0.2)
            self._published.clear()
        self._sent.clear()
        self._accepted.clear()
        self._keeper.more = {
            "partial": self._rows.partial, "status": self.status, "seen": [[*entry] for entry in self._seen.items()],
        }  # fmt: skip
        if not self._keeper.save_or_report():
            return
        for connection, mid in self._pending:
            if connection == self._connection:
                self._client.ack(mid, 1)
        self._pending.clear()

    def _on_connect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            if str(code) in REFUSED:
                self.refused = f"the connection: {code}"
                self.queue.put((0, None))
            return
        self._connection += 1
        self._reached = True
        self._connected_at = monotonic()
        self.queue.put((self._connection, bool(flags.session_present)))
        if not (flags.session_present and self._subscribed):
            client.subscribe([(entry, 1) for entry in self._filters])
            self._subscribed = True
        for topic, payload in self._discovery:
            client.publish(topic, payload, qos=1, retain=True)
        client.publish(f"{self._prefix}/status", self.status, qos=1, retain=True)

    def _on_subscribe(self, client: Any, data: Any, mid: int, codes: Any, properties: Any) -> None:
        refused = [f"{topic} ({code})" for topic, code in zip(self._filters, codes) if code.is_failure]
        if refused:  # without these topics nothing would ever come, or half of it
            self.refused = f"to subscribe to {', '.join(refused)}"
            self.queue.put((0, None))

    def _on_publish(self, client: Any, data: Any, mid: int, code: Any, properties: Any) -> None:
        self._accepted.add(mid)
        self._published.set()

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        if self._reached:
            why = sys.exc_info()[1]  # the client calls this where it catches what went wrong
            report(f"the broker cannot be reached{f' ({why})' if why else ''}; trying again")
        self._reached = False

    def _on_disconnect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if not code.is_failure or not self._reached or self.refused:
            return
        self._taken = self._taken + 1 if monotonic() - self._connected_at < SOON else 0
        if self._taken < TAKEN:
            report(f"the connection is lost ({code}); trying again")
            return
        if self._taken == TAKEN:
            report("the connection is lost as soon as it is there: does another client use the same --client-id? "
                   "trying again every minute")  # fmt: skip
        client.reconnect_delay_set(60, 120)

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        if not message.qos and (self.queue.qsize() >= WAITING or len(message.payload) > LONGEST):
            self.dropped += 1  # with QoS 0 nobody slows down
            if self.dropped & (self.dropped - 1) == 0:
                report(f"messages come faster than they are scored, or too long: {self.dropped} dropped so far; "
                       "publish with QoS 1, which waits")  # fmt: skip
            return
        self.queue.put((self._connection, message))


def bridge(
    model: Model,
    broker: str,
    filters: list[str],
    prefix: str,
    path: str | None = None,
    every: str = "1s",
    fresh: bool = False,
    period: float | None = None,
    explain: int | None = None,
    values: bool = False,
    client_id: str | None = None,
    credentials: str | None = None,
    tls: dict[str, Any] | None = None,
    figures: str | None = None,
    file: str = "",
    max_age: float | None = None,
    when: str | None = None,
    sources: str | None = None,
    discovery: str | None = None,
    learn: str | None = None,
    time: str | None = None,
    adapt: str | None = None,
    within: float = 0.0,
) -> int:
    """Run the bridge until SIGTERM or an interrupt; returns the exit code.

    Parameters
    ----------
    model : Model
    broker : str
        ``HOST[:PORT]``.
    filters : list of str
        Topics to subscribe to.
    prefix : str
        Of the topics to publish to.
    path, every, fresh, learn, adapt, within
        See `Keeper`, `Learner` and `Adapter`; messages are acknowledged when a snapshot holds them.
    period : float or None
        Seconds between rows; None: rows are taken when they are complete.
    explain, values, figures, file
        See `Results` and `Pulse`.
    client_id : str or None
        By which the broker knows the session; default: of the prefix.
    credentials : str or None
        File with lines ``username=...`` and ``password=...``; without it the variables EDGE_LASSO_MQTT_USERNAME and
        EDGE_LASSO_MQTT_PASSWORD.
    tls : dict or None
        ``ca_certs``, ``certfile``, ``keyfile``: paths or None (the system's authorities, no client certificate).
    max_age, when, time
        See `Rows`; `max_age` goes with `period` or `when`.
    sources : str or None
        File that says which topic is which input; see `read_sources`.
    discovery : str or None
        Home Assistant's prefix; None: it is told nothing.

    Raises
    ------
    MissingRuntimeError, SessionError, RowError, SnapshotError, OSError
    """
    host, port = address(broker, 1883 if tls is None else 8883)
    check_topics(filters, prefix)
    if max_age is not None and period is None and when is None:
        raise RowError("--max-age holds readings; say when rows are taken: --period S, or --when SENSOR")
    if when is not None and max_age is None:
        raise RowError("--when goes with --max-age S: how long the other readings hold")
    topics = {} if sources is None else read_sources(sources, model)
    keeper = Keeper(model, path, every, fresh, learn, adapt, within)
    truth = [output.name for output in model.outputs] if keeper.follows else ()
    rows = Rows(model, filters, period is not None, max_age, when, topics, truth=truth, time=time)
    pulse = Pulse(model, figures, file)
    told = [] if discovery is None else configs(model, prefix, discovery)  # whose entities show values
    entry = Bridge(model, keeper, Results(model, explain, values or bool(told)), rows, prefix, pulse, told)
    client = new_client(client_id or f"edge-lasso-{prefix.replace('/', '-')}", credentials, tls)
    entry.attach(client, filters)
    stop = Stop(lambda: entry.queue.put((0, None)))
    client.connect_async(host, port, keepalive=30)
    client.loop_start()
    pulse.ready()
    try:
        entry.run(stop, period)
        pulse.stopping()
        if not entry.refused and client.is_connected():
            client.publish(f"{prefix}/status", "offline", qos=1, retain=True).wait_for_publish(2.0)
            client.disconnect()
    finally:
        client.loop_stop()
    if stop.again and not stop.asked and not entry.refused:
        begin_anew()
    if entry.refused:
        raise SessionError(f"the broker at {broker} refuses {entry.refused}")
    return stop.code
