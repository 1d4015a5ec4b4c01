"""The proxies that a computer's environment names, and the app's own address.

gradio asks the page that it has just started whether it is there. A proxy cannot reach this
computer's loopback. One that httpx does not speak to (SOCKS without an extra, ``socks://``) ends
even the import of gradio. Downloads from a hub still go through the proxies: nobody who set one
expects to be seen without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("NO_PROXY", "no_proxy")


@contextmanager
def proxies_aside(*hosts: str) -> Iterator[None]:
    """Inside, no proxy is asked; with hosts, none for these and all that ``NO_PROXY`` names.

    Only while nothing else asks a network: the environment is the whole process's.
    """
    before = {name: os.environ.get(name) for name in NAMES}
    listed = ",".join([value for value in (*before.values(), *hosts) if value]) if hosts else "*"
    os.environ.update(dict.fromkeys(NAMES, listed))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)  # Windows has one variable for both
            else:
                os.environ[name] = value
