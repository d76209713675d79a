"""``python -m edge_lasso_runtime serve``: a small HTTP/1.1 server in front of `inference`, with bounds on everything.

Loopback or a Unix socket unless a token or the clients' certificates say who may ask. Answers are computed between two
awaits: a request takes microseconds, and one thread has no queue of its own to overflow.
"""

from __future__ import annotations

import asyncio
import os
import signal

from .inference import JSON, LARGEST_BODY
from .notify import Watchdog, notify
from .printable import report
from .rows import RowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from .inference import Inference
    from .metrics import Metrics

LARGEST_HEAD = 16_384
PATIENCE = 10.0
"""Seconds for a request to arrive whole, and for an answer to leave."""
IDLE = 60.0
"""Seconds that a connection may wait between two requests."""
MOST = 1000
"""Connections; one more is told 503."""
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
           408: "Request Timeout", 411: "Length Required", 413: "Content Too Large", 431: "Header Fields Too Large",
           501: "Not Implemented", 503: "Service Unavailable"}  # fmt: skip


class _BadRequest(Exception):
    """What cannot be read as a request; the connection ends with this status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Server:
    """Connections in, answers out.

    Parameters
    ----------
    inference : Inference
    metrics : Metrics
        Written when they are due.
    """

    def __init__(self, inference: Inference, metrics: Metrics) -> None:
        self._inference = inference
        self._metrics = metrics
        self._watchdog = Watchdog()
        self._open = 0
        self.over = asyncio.Event()

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests one after another until it ends, idles, or breaks the rules."""
        self._open += 1
        try:
            if self._open > MOST:
                raise _BadRequest(503, "too many connections")
            while not self.over.is_set() and await self._request(reader, writer):
                pass
        except _BadRequest as error:
            await self._send(writer, error.status, JSON, b'{"error":"%s"}' % str(error).encode(), False)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            pass  # who has left, or waits for ever, gets no answer
        finally:
            self._open -= 1
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another may follow."""
        try:
            first = await asyncio.wait_for(reader.read(1), IDLE)
        except asyncio.TimeoutError:
            return False
        if not first:
            return False
        try:
            method, path, headers, body = await asyncio.wait_for(self._read(first, reader, writer), PATIENCE)
        except asyncio.TimeoutError:
            raise _BadRequest(408, f"the request took longer than {PATIENCE:g} s") from None
        status, kind, content = self._inference.answer(method, path, headers, body)
        stays = headers.get("connection", "").lower() != "close"
        await self._send(writer, status, kind, content, stays)
        return stays

    async def _read(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, str, dict[str, str], bytes]:
        try:
            head = first + await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise _BadRequest(431, f"the head has more than {LARGEST_HEAD} bytes") from None
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise _BadRequest(400, "this is no HTTP/1 request")
        headers: dict[str, str] = {}
        for line in lines[1:-2]:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or not name or name != name.strip() or (name == "content-length" and name in headers):
                raise _BadRequest(400, "a header cannot be read")
            headers[name] = value.strip()
        if "transfer-encoding" in headers:
            raise _BadRequest(501, "the body must come with Content-Length")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise _BadRequest(400, "Content-Length is no number")
        if len(length) > 12 or int(length) > LARGEST_BODY:
            raise _BadRequest(413, f"the body has more than {LARGEST_BODY} bytes")
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(length)) if int(length) else b""
        return words[0], words[1], headers, body

    async def _send(self, writer: asyncio.StreamWriter, status: int, kind: str, content: bytes, stays: bool) -> None:
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(content)}\r\n{'' if stays else 'Connection: close' + chr(13) + chr(10)}\r\n"
        )
        writer.write(head.encode("latin-1") + content)
        await asyncio.wait_for(writer.drain(), PATIENCE)

    async def beat(self) -> None:
        """Figures and signs of life, until it is over."""
        while not self.over.is_set():
            self._metrics.write_if_due()
            self._watchdog.beat()
            wait = min(filter(None, (self._watchdog.wait(), 1.0)))
            try:
                await asyncio.wait_for(self.over.wait(), wait)
            except asyncio.TimeoutError:
                continue


def serve(inference: Inference, metrics: Metrics, listen: str, tls: dict[str, Any] | None, named: bool) -> int:
    """Serve until SIGTERM or an interrupt; returns the exit code.

    Parameters
    ----------
    inference : Inference
    metrics : Metrics
    listen : str
        ``HOST:PORT``, or ``unix:PATH``.
    tls : dict or None
        ``certfile``, ``keyfile``, and ``ca`` of clients' certificates.
    named : bool
        Whether clients say who they are: by a token, or by their certificates.

    Raises
    ------
    RowError, OSError
    """
    context = _context(tls) if tls is not None else None
    place = _place(listen, named)
    return asyncio.run(_run(inference, metrics, place, context))


async def _run(inference: Inference, metrics: Metrics, place: tuple[str, int], context: Any) -> int:
    server = Server(inference, metrics)  # here: before Python 3.10 an event belongs to the loop that it is made in
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def stop(number: int) -> None:
        asked.append(number)
        server.over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    host, port = place
    starting: Coroutine[Any, Any, asyncio.AbstractServer]
    if host.startswith("/"):
        starting = asyncio.start_unix_server(server.connection, host, limit=LARGEST_HEAD, ssl=context)
    else:
        starting = asyncio.start_server(server.connection, host, port, limit=LARGEST_HEAD, ssl=context)
    listening = await starting
    if host.startswith("/"):
        os.chmod(host, 0o660)
        report(f"listening on {host}")
    else:
        report(f"listening on {host}:{listening.sockets[0].getsockname()[1]}")
    notify("READY=1")
    await server.beat()
    notify("STOPPING=1")
    listening.close()
    metrics.write()
    if host.startswith("/"):
        os.unlink(host)
    return 130 if signal.SIGINT in asked else 0


def _place(listen: str, named: bool) -> tuple[str, int]:
    if listen.startswith("unix:/"):
        return listen[5:], 0
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise RowError(f"--listen {listen!r} is not HOST:PORT or unix:/PATH")
    if host not in ("127.0.0.1", "::1", "localhost") and not named:
        raise RowError(
            f"--listen {listen}: beyond this machine, clients must say who they are: --token FILE or --client-ca FILE"
        )
    return host, int(port)


def _context(tls: dict[str, Any]) -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls["certfile"], tls["keyfile"])
        if tls["ca"]:
            context.load_verify_locations(tls["ca"])
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        names = ", ".join(filter(None, tls.values()))
        raise RowError(f"no certificates or keys for TLS can be read from {names}: {error.strerror or error}") from None
    return context
