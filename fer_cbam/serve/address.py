"""Where the app listens: hosts and ports as people write them."""

from __future__ import annotations

import argparse
import os
import socket
from ipaddress import ip_address

from fer_cbam.errors import FerError


def is_loopback(host: str) -> bool:
    """Whether nobody but this computer reaches the host (``::1``, ``[::1]``, ``127.0.0.2``)."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """The host as an address of the web has it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def port(text: str) -> int:
    """A number from 1 to 65535, for argparse."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number from 1 to 65535")
    return int(text)


def root_path(text: str) -> str:
    """A path below which a proxy shows the app (``/faces``), or its whole address, for argparse."""
    path = text.rstrip("/")
    if not path.startswith(("/", "http://", "https://")) or "//" in path.partition("://")[2]:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a path such as /faces, or an address")
    return path


def check_free(host: str, port: int | None) -> None:
    """Try to listen, before a server tries a hundred ports.

    port: None for any that is free.

    Raises:
        FerError: no such host on this computer, or a port that is taken or not allowed.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port or 0, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as listener:
            if os.name == "posix":  # a port that was closed just now is free, as for servers
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except (OSError, UnicodeError) as error:
        where = f"{host}, port {port}" if port else host
        reason = getattr(error, "strerror", None) or error
        raise FerError(
            f"cannot listen on {where} ({reason}); expected an address of this computer and a port "
            "that is free and allowed"
        ) from error
