"""What the MQTT bridge is told: the broker, topics, certificates, credentials; refused before it connects."""

from __future__ import annotations

import os

from .errors import MissingRuntimeError
from .rows import RowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def address(broker: str, usual: int) -> tuple[str, int]:
    """Host and port of ``HOST[:PORT]``."""
    host, _, port = broker.rpartition(":") if ":" in broker else (broker, "", str(usual))
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise RowError(f"--broker {broker!r} is not HOST or HOST:PORT")
    return host.strip("[]"), int(port)


def check_topics(filters: list[str], prefix: str) -> None:
    """Refuse what no broker takes (MQTT 3.1.1, section 4.7): the client would try for ever."""
    for entry in filters:
        levels = entry.split("/")
        wild = any(sign in level and level != sign for level in levels for sign in "+#")
        if wild or "#" in levels[:-1] or not 0 < len(entry.encode()) < 65536 or "\0" in entry:
            raise RowError(
                f"--topic {entry[:60]!r} is no filter; + stands for one level, # for all that are left, at the end"
            )
    if not 0 < len(prefix.encode()) < 65500 or any(sign in prefix for sign in "+#\0"):
        raise RowError(f"--publish {prefix[:60]!r} is no topic; it needs a name, without + and #")


def encrypt(client: Any, tls: dict[str, Any]) -> None:
    """Give a client its certificates; what cannot be read is named."""
    if tls["keyfile"] and not tls["certfile"]:
        raise RowError("--key goes with --certificate: it is the certificate's")
    for path in filter(None, tls.values()):
        with open(path, "rb"):
            pass
    try:
        client.tls_set(**tls)
    except OSError as error:  # what is wrong with a certificate comes without the file's name
        names = ", ".join(filter(None, tls.values()))
        raise RowError(f"no certificates or keys for TLS can be read from {names}: {error.strerror or error}") from None


def read_credentials(path: str | None) -> tuple[str | None, str | None]:
    """User and password from a file, or from the environment."""
    if path is None:
        return os.environ.get("EDGE_LASSO_MQTT_USERNAME"), os.environ.get("EDGE_LASSO_MQTT_PASSWORD")
    with open(path, encoding="utf-8") as file:
        table = dict(line.rstrip("\r\n").split("=", 1) for line in file if "=" in line)
    if "username" not in table:
        raise RowError(f"{path} has no line username=...; it needs one, and password=...")
    return table["username"], table.get("password")


def new_client(name: str, credentials: str | None, tls: dict[str, Any] | None) -> Any:
    """A client of paho's that acknowledges by hand and keeps its session at the broker.

    Raises
    ------
    MissingRuntimeError
        paho-mqtt is not installed.
    """
    try:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError:
        raise MissingRuntimeError(
            "mqtt needs paho-mqtt 2; install it with: pip install 'edge-lasso-runtime[mqtt]'"
        ) from None
    client = paho.Client(
        CallbackAPIVersion.VERSION2, name, clean_session=False, protocol=paho.MQTTv311, manual_ack=True
    )
    user, password = read_credentials(credentials)
    if user is not None:
        client.username_pw_set(user, password)
    if tls is not None:
        encrypt(client, tls)
    client.reconnect_delay_set(1, 60)
    return client
