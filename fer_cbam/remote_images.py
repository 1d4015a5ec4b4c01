"""Pictures from addresses of the web, where a caller asks for them by ``allow_remote=True``.

Whoever passes on addresses of strangers must not be made to ask its own network for them
(server-side request forgery, https://owasp.org/www-community/attacks/Server_Side_Request_Forgery).
So a name is looked up once, every address it has must be one of the public internet, and the
connection is made to that very address: a name that answers otherwise a moment later (DNS
rebinding) changes nothing. Redirects walk the same way. The proxies of the environment are not
asked, as what they connect to cannot be checked. The app never comes here.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from fer_cbam.errors import ImageError

MAX_BYTES = 25_000_000
SECONDS = 20.0  # for everything but the lookup of a name, which the system bounds
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_ALLOWED = "!#$%&'()*+,/:;=?@[]~"  # left as they are in a path: reserved, or escaped already


def fetch(address: str, max_bytes: int = MAX_BYTES, seconds: float = SECONDS) -> bytes:
    """What lies at an ``http`` or ``https`` address, after at most ``MAX_REDIRECTS`` redirects.

    Raises:
        ImageError: no such address, one that is not of the public internet (private, loopback,
            link-local, multicast, reserved), no answer within ``seconds``, another answer than
            200, or more than max_bytes.
    """
    deadline = time.monotonic() + seconds
    asked = address
    try:
        for _ in range(MAX_REDIRECTS + 1):
            parts = _checked(asked)
            with _answer(parts, deadline) as answer:
                if answer.status not in _REDIRECTS:
                    data = _body(answer, max_bytes)
                    if time.monotonic() < deadline:  # else what was cut off reads as an end
                        return data
                    raise TimeoutError
                asked = urljoin(asked, answer.getheader("Location") or "")
            if parts.scheme == "https" and urlsplit(asked).scheme == "http":
                raise ImageError("leads from https to http; expected an address that stays safe")
        raise ImageError(f"leads on more than {MAX_REDIRECTS} times; expected a picture")
    except ImageError as error:
        raise ImageError(f"{address[:200]}: {error}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= deadline:
            reason = f"no whole answer within {seconds:g} seconds"
        else:
            reason = str(error) or type(error).__name__
        raise ImageError(f"{address[:200]}: {reason}; expected a picture there") from error


def _checked(address: str) -> SplitResult:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ImageError(f"got {address[:80]!r}; expected an http or https address")
    return parts


def is_public(ip: str) -> bool:
    """Whether an IP address belongs to the public internet, also where it is an IPv4 address inside
    an IPv6 one."""
    address: IPv4Address | IPv6Address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo:
            inner = address.teredo[1]
        elif address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """A connection to an address of the host that was checked, without asking for it again."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(where[4][0]) for where in found]
    hidden = [ip for ip in addresses if not is_public(ip)]
    if hidden:
        raise ImageError(f"{host} is {hidden[0]}; expected an address of the public internet")
    failed: OSError | None = None
    for ip in addresses:
        try:
            return socket.create_connection((ip, port), max(0.01, deadline - time.monotonic()))
        except OSError as error:
            failed = error
    raise failed or OSError(f"{host} has no address")


@contextmanager
def _answer(parts: SplitResult, deadline: float) -> Iterator[http.client.HTTPResponse]:
    """The answer to one question; its connection ends with the block, and at the deadline."""
    host, secure = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, port)
    connection.sock = _connect(host, port, deadline)
    if secure:
        connection.sock = ssl.create_default_context().wrap_socket(
            connection.sock, server_hostname=host, do_handshake_on_connect=False
        )
    # However slowly bytes drip: a timeout of the socket alone begins anew with each of them.
    late = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, (connection.sock,))
    late.daemon = True
    late.start()
    try:
        if isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.do_handshake()
        target = quote(parts.path or "/", _ALLOWED)
        target += f"?{quote(parts.query, _ALLOWED)}" if parts.query else ""
        headers = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "fer-cbam"}
        connection.request("GET", target, headers=headers)
        with connection.getresponse() as answer:
            yield answer
    finally:
        late.cancel()
        connection.close()


def _cut(connected: socket.socket) -> None:
    """End a connection that another thread waits at."""
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _body(answer: http.client.HTTPResponse, max_bytes: int) -> bytes:
    if answer.status != 200:
        raise ImageError(f"answers {answer.status} {answer.reason}; expected 200 and a picture")
    announced = answer.getheader("Content-Length") or ""
    limit = f"expected at most {max_bytes / 1e6:g} MB"
    if announced.isdigit() and int(announced) > max_bytes:
        raise ImageError(f"got {int(announced) / 1e6:.0f} MB; {limit}")
    data = answer.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ImageError(f"got more; {limit}")
    if announced.isdigit() and len(data) < int(announced):
        raise http.client.IncompleteRead(data, int(announced) - len(data))
    return data
