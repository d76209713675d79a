"""The same answers as an ASGI application (``uvicorn edge_lasso_runtime.asgi:app``), and as a serverless function.

``EDGE_LASSO_MODEL`` names the model's file, ``EDGE_LASSO_TOKEN`` what ``Authorization: Bearer`` must bring.
"""

from __future__ import annotations

import os

from .inference import JSON, LARGEST_BODY, Inference, loaded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_LOADED: list[Inference] = []


def service() -> Inference:
    """What answers; loaded at the first request, or when the server starts the application."""
    if not _LOADED:
        path = os.environ.get("EDGE_LASSO_MODEL", "model.json")
        _LOADED.append(loaded(path, token=os.environ.get("EDGE_LASSO_TOKEN", "")))
    return _LOADED[0]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """An ASGI 3 application."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    if scope["type"] != "http":
        raise NotImplementedError(f"{scope['type']} is not served, only http is")
    body = b""
    more = True
    while more and len(body) <= LARGEST_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > LARGEST_BODY:
        status, kind, content = 413, JSON, b'{"error":"the body has more than 1 MB"}'
    else:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, kind, content = service().answer(scope["method"], scope["path"], headers, body)
    sizes = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sizes})
    await send({"type": "http.response.body", "body": content})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                service()
            except (ValueError, OSError) as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return


def handler(event: dict[str, Any], context: Any = None) -> dict[str, Any]:
    """A function behind an HTTP gateway (AWS Lambda's payload 2.0): method, path, headers and body in the event."""
    from base64 import b64decode

    request = event.get("requestContext", {}).get("http", {})
    body = event.get("body") or ""
    data = b64decode(body) if event.get("isBase64Encoded") else body.encode()
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    status, kind, content = service().answer(request.get("method", "POST"), event.get("rawPath", "/"), headers, data)
    return {"statusCode": status, "headers": {"content-type": kind}, "body": content.decode()}
