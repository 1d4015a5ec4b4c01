"""Bounds on what is sent, with an application that only reads."""

from __future__ import annotations

import asyncio
import json

import pytest

from fer_cbam.serve.limits import LimitBodies


class Reader:
    """Reads a whole body and says how long it was; waits for ``go`` before it answers."""

    def __init__(self):
        self.go = asyncio.Event()
        self.go.set()
        self.reading = 0

    async def __call__(self, scope, receive, send):
        size = 0
        self.reading += 1
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(size).encode()})


async def post(app, body: bytes, path: str = "/call", announce: bool = True, piece: int = 10):
    """Status and body of the answer."""
    pieces = [body[i : i + piece] for i in range(0, len(body), piece)] or [b""]
    messages = [
        {"type": "http.request", "body": p, "more_body": i < len(pieces) - 1}
        for i, p in enumerate(pieces)
    ]
    headers = [(b"content-length", b"%d" % len(body))] if announce else []
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    await app({"type": "http", "path": path, "headers": headers}, receive, send)
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


@pytest.mark.parametrize("announce", [True, False])
def test_a_body_up_to_the_bound_is_read_and_a_larger_one_refused(announce):
    async def scene():
        app = LimitBodies(Reader(), max_body=100)
        assert await post(app, bytes(100), announce=announce) == (200, b"100")
        status, body = await post(app, bytes(101), announce=announce)
        assert status == 413 and "in one request" in json.loads(body)["detail"]
        assert app.held == 0

    asyncio.run(scene())


def test_an_announced_body_is_refused_before_it_is_read():
    async def scene():
        reader = Reader()
        status, _ = await post(LimitBodies(reader, max_body=100), bytes(101))
        assert status == 413 and reader.reading == 0

    asyncio.run(scene())


@pytest.mark.parametrize("announce", [True, False])
def test_all_bodies_together_are_bounded(announce):
    async def scene():
        reader = Reader()
        app = LimitBodies(reader, max_body=100, max_together=250)
        reader.go.clear()
        held = [asyncio.ensure_future(post(app, bytes(100), announce=announce)) for _ in range(2)]
        while app.held < 200:
            await asyncio.sleep(0)
        status, body = await post(app, bytes(60), announce=announce)
        assert status == 503 and "Many people ask" in json.loads(body)["detail"]
        reader.go.set()
        assert await asyncio.gather(*held) == [(200, b"100")] * 2
        assert app.held == 0
        assert await post(app, bytes(60), announce=announce) == (200, b"60")

    asyncio.run(scene())


def test_uploads_to_disk_have_their_own_bound():
    async def scene():
        app = LimitBodies(Reader(), max_body=100)
        assert await post(app, bytes(500), path="/gradio_api/upload") == (200, b"500")

    asyncio.run(scene())


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=http://example.org/a", "/gradio_api/file=https://a/b", "/proxy=x"]
)
def test_nothing_is_fetched_from_elsewhere(path):
    async def scene():
        reader = Reader()
        status, _ = await post(LimitBodies(reader), b"", path=path)
        assert status == 403 and reader.reading == 0

    asyncio.run(scene())


def test_errors_of_the_application_go_through_and_nothing_stays_held():
    async def broken(scope, receive, send):
        raise KeyError("of the application")

    async def scene():
        app = LimitBodies(broken)
        with pytest.raises(KeyError):
            await post(app, bytes(50))
        assert app.held == 0

    asyncio.run(scene())
