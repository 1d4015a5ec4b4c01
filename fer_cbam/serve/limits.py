"""How much may be sent to the server: an ASGI layer in front of everything.

gradio reads a JSON body into memory before any handler sees it; without a bound one request, or a
hundred, fill the machine.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

MAX_BODY = 36_000_000  # bytes: a photo of 25 MB as base64, and some
MAX_TOGETHER = 300_000_000  # bytes of all bodies that are being read or answered
UPLOAD_PATH = "/upload"  # goes to disk, in pieces, under gradio's own limit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _TooLargeError(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class LimitBodies:
    """Refuses a body above ``max_body`` with 413, and any that would bring all together above
    ``max_together`` with 503. Also refuses to fetch other servers' pages for a visitor
    (gradio's ``/file=http://...``)."""

    def __init__(self, app: Any, max_body: int = MAX_BODY, max_together: int = MAX_TOGETHER):
        self.app = app
        self.max_body = max_body
        self.max_together = max_together
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope.get("path", "")
        if "/file=http:" in path or "/file=https:" in path or "/proxy=" in path:
            await _refuse(send, 403, "This server fetches nothing from elsewhere.")
            return
        if path.rstrip("/").endswith(UPLOAD_PATH):
            await self.app(scope, receive, send)
            return
        await self._limited(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        held, started = 0, False
        announced = _announced(scope)

        def hold(size: int) -> None:
            nonlocal held
            if held + size > self.max_body:
                raise _TooLargeError(413, f"At most {self.max_body / 1e6:.0f} MB in one request.")
            if self.held + size > self.max_together:
                raise _TooLargeError(503, "Many people ask at once. Try again in a moment.")
            held += size
            self.held += size

        async def counted() -> MutableMapping[str, Any]:
            message = await receive()
            if not announced:  # otherwise the server reads no more than was announced
                hold(len(message.get("body", b"")))
            return message

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            hold(announced)
            await self.app(scope, counted, noted)
        except _TooLargeError as error:
            if not started:
                await _refuse(send, error.status, str(error))
        finally:
            self.held -= held


def _announced(scope: Scope) -> int:
    """Bytes that Content-Length promises; 0 where it is missing."""
    for name, value in scope.get("headers", ()):
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"detail": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    # The rest of the body is not read: the connection cannot be used again.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
