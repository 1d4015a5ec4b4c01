"""Memory that was freed, back to the system.

glibc keeps what each thread once needed. A server that read one large clip in each of its threads
would hold on to several times that for good.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Ask the C library to give back what nobody uses (``malloc_trim``, glibc only)."""
    with suppress(AttributeError, OSError, TypeError):  # Windows, macOS, musl
        ctypes.CDLL(None).malloc_trim(0)
