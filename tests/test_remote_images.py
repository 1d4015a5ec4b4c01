"""Pictures from addresses: a server of our own, and names that lie about where they lead."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fer_cbam import remote_images
from fer_cbam.errors import ImageError
from fer_cbam.remote_images import fetch, is_public

ROOT = Path(__file__).parents[1]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.routes[self.path.partition("?")[0]](self)

    def log_message(self, *_):
        pass

    def say(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):
        while True:  # the socket is always in time, the whole never
            handler.wfile.write(b".")
            time.sleep(0.05)


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked, server.routes = [], {}
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def anywhere(monkeypatch):
    """Takes this computer for a public one, as a test may ask no other."""
    monkeypatch.setattr(remote_images, "is_public", lambda ip: True)


PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
    "2001:0:0:0:0:0:80ff:fffe", "::ffff:169.254.169.254", "2001:db8::1",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8",
          "2002:808:808::", "64:ff9b::808:808"]  # fmt: skip


@pytest.mark.parametrize("ip", PRIVATE)
def test_what_is_not_of_the_public_internet(ip):
    assert not is_public(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_what_is(ip):
    assert is_public(ip)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1"]
)
def test_this_computer_is_not_asked(server, host):
    with pytest.raises(ImageError, match="expected an address of the public internet"):
        fetch(f"http://{host}:{server.server_port}/a.png")
    assert server.asked == []


def test_a_picture(server, anywhere):
    server.routes["/a b.png"] = server.routes["/a%20b.png"] = lambda h: h.say(b"pixels")
    assert fetch(f"{server.url}/a b.png?x=1&y=\u00e9") == b"pixels"
    ((path, headers),) = server.asked
    assert path == "/a%20b.png?x=1&y=%C3%A9"
    assert headers["Host"] == server.url.removeprefix("http://")
    assert headers["Accept-Encoding"] == "identity"  # nothing that unpacks to more
    assert "Cookie" not in headers and "Referer" not in headers


def test_the_proxies_of_the_environment_are_not_asked(server, anywhere, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.routes["/a"] = lambda h: h.say(b"pixels")
    assert fetch(f"{server.url}/a") == b"pixels"


def test_redirects_are_followed_and_checked(server, monkeypatch):
    """The first address is public, what it leads to is not."""
    monkeypatch.setattr(remote_images, "is_public", lambda ip: ip == "127.0.0.1")
    server.routes["/start"] = lambda h: h.say(status=302, Location="/next")
    server.routes["/next"] = lambda h: h.say(b"pixels")
    assert fetch(f"{server.url}/start") == b"pixels"
    for target in ("http://127.0.0.2/", "http://[::1]/", "http://10.0.0.1/a.png"):
        server.routes["/start"] = lambda h, t=target: h.say(status=301, Location=t)
        with pytest.raises(ImageError, match="expected an address of the public internet"):
            fetch(f"{server.url}/start")
    for target in ("file:///etc/passwd", "ftp://example.com/a.png", "gopher://x"):
        server.routes["/start"] = lambda h, t=target: h.say(status=307, Location=t)
        with pytest.raises(ImageError, match="expected an http or https address"):
            fetch(f"{server.url}/start")
    server.routes["/start"] = lambda h: h.say(status=302, Location="/start")
    server.asked.clear()
    with pytest.raises(ImageError, match="leads on more than 5 times"):
        fetch(f"{server.url}/start")
    assert len(server.asked) == 6


def test_a_name_is_looked_up_once_and_connected_to_what_was_checked(server, monkeypatch):
    """DNS rebinding: the second answer of a name server would be this computer."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    connected = []

    def lookup(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in next(answers)]

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(ImageError, match="nobody there"):
        fetch("http://rebind.example/a.png")
    assert connected == [("93.184.216.34", 80)]
    with pytest.raises(ImageError, match=r"rebind.example is 127.0.0.1; expected"):
        fetch("https://rebind.example/a.png")
    assert len(connected) == 1


def test_a_name_with_one_hidden_address_is_refused(monkeypatch):
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.1.1.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("was asked"))
    with pytest.raises(ImageError, match=r"is 10\.1\.1\.1"):
        fetch("http://both.example/")


def test_too_much(server, anywhere):
    server.routes["/said"] = lambda h: h.say(b"", Content_Length="26000000")
    with pytest.raises(ImageError, match="got 26 MB; expected at most 25 MB"):
        fetch(f"{server.url}/said")
    server.routes["/unsaid"] = lambda h: h.say(b"x" * 2000)
    with pytest.raises(ImageError, match=r"got more; expected at most 0\.001 MB"):
        fetch(f"{server.url}/unsaid", max_bytes=1000)
    assert len(fetch(f"{server.url}/unsaid", max_bytes=2000)) == 2000


def test_too_little(server, anywhere):
    server.routes["/short"] = lambda h: h.say(b"x" * 20, Content_Length="100")
    with pytest.raises(ImageError, match="20 bytes read, 80 more expected"):
        fetch(f"{server.url}/short")


def test_too_late(server, anywhere):
    server.routes["/drip"] = drip
    started = time.monotonic()
    with pytest.raises(ImageError, match=r"no whole answer within 0\.5 seconds"):
        fetch(f"{server.url}/drip", seconds=0.5)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [204, 403, 404, 500])
def test_other_answers(server, anywhere, status):
    server.routes["/a"] = lambda h: h.say(status=status)
    with pytest.raises(ImageError, match=f"answers {status} .*; expected 200 and a picture"):
        fetch(f"{server.url}/a")


@pytest.mark.parametrize(
    "address", ["http://", "http:///a.png", "ftp://example.com/", "http://[::1", "http://h:99999/",
                "http://h:x/"]
)  # fmt: skip
def test_what_is_no_address(address):
    with pytest.raises(ImageError):
        fetch(address)


def test_from_https_to_http(monkeypatch):
    class Answer:
        status = 302

        @staticmethod
        def getheader(_):
            return "http://example.com/a.png"

    class Block:
        def __enter__(self):
            return Answer

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(remote_images, "_answer", lambda *_: Block())
    with pytest.raises(ImageError, match="leads from https to http"):
        fetch("https://example.com/a.png")


def test_the_app_never_asks_for_an_address():
    sources = [ROOT / "app.py", *(ROOT / "fer_cbam" / "serve").rglob("*.py")]
    words = ("allow_remote", "remote_images")
    assert [p.name for p in sources if any(word in p.read_text() for word in words)] == []
