"""Hosts and ports as people write them."""

from __future__ import annotations

import argparse
import socket

import pytest

from fer_cbam.errors import FerError
from fer_cbam.serve import address


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("localhost", True), ("::1", True), ("[::1]", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.4", False), ("example.com", False),
     ("", False)],
)  # fmt: skip
def test_loopback(host, expected):
    assert address.is_loopback(host) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("::1", "[::1]"), ("[::1]", "[::1]"), ("fe80::1%eth0", "[fe80::1%eth0]"),
     ("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")],
)  # fmt: skip
def test_ipv6_is_in_brackets(host, expected):
    assert address.in_url(host) == expected


@pytest.mark.parametrize("text", ["1", "7860", "65535"])
def test_ports(text):
    assert address.port(text) == int(text)


@pytest.mark.parametrize("text", ["0", "65536", "99999", "-1", "", "http", "1e3", "\u0661"])
def test_what_is_no_port(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number from 1 to 65535"):
        address.port(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(FerError, match=rf"cannot listen on {host}, port {port} \(.*in use"):
            address.check_free(host, port)
        address.check_free(host, None)
    address.check_free(f"[{host}]" if ":" in host else host, port)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "a" * 300])
def test_a_host_that_is_not_of_this_computer(host, monkeypatch):
    real = socket.getaddrinfo

    def without_a_network(name, *args, **options):
        if name.startswith("no such"):
            raise socket.gaierror(-2, "Name or service not known")
        return real(name, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", without_a_network)
    with pytest.raises(FerError, match="expected an address of this computer"):
        address.check_free(host, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("/faces", "/faces"), ("/a/b/", "/a/b"), ("https://example.org/faces/",
     "https://example.org/faces"), ("http://localhost:81", "http://localhost:81")],
)  # fmt: skip
def test_root_paths(text, expected):
    assert address.root_path(text) == expected


@pytest.mark.parametrize("text", ["", "/", "faces", "ftp://example.org", "example.org/faces"])
def test_what_is_no_root_path(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a path such as /faces"):
        address.root_path(text)
