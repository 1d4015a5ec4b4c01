"""What is kept of visitors from one question to the next, on the server and for a short time.

An answer carries a ticket, and the next question brings it back. Tickets cannot be guessed. Nothing
is written to disk; what is not asked for is soon forgotten.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Tickets(Generic[T]):
    """Values by ticket; safe to share between threads.

    nothing: what a ticket stands for that is forgotten or is none. keep_seconds: since it was put.
    most: values; the oldest are forgotten first.
    """

    def __init__(self, nothing: T, keep_seconds: float, most: int) -> None:
        self.nothing, self.keep_seconds, self.most = nothing, keep_seconds, most
        self._kept: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, value: T, ticket: object = None) -> str:
        """Keep a value, in place of what a ticket stands for; the ticket, a new one for one that is
        not known."""
        with self._lock:
            self._forget_old()
            known = isinstance(ticket, str) and self._kept.pop(ticket, None) is not None
            name = str(ticket) if known else secrets.token_urlsafe(16)
            self._kept[name] = (time.monotonic(), value)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return name

    def get(self, ticket: object) -> T:
        with self._lock:
            self._forget_old()
            found = self._kept.get(ticket) if isinstance(ticket, str) else None
        return self.nothing if found is None else found[1]

    def drop(self, ticket: object) -> None:
        """Forget it at once."""
        with self._lock:
            if isinstance(ticket, str):
                self._kept.pop(ticket, None)

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._kept:
            name, (kept_at, _) = next(iter(self._kept.items()))
            if now - kept_at <= self.keep_seconds:
                return
            del self._kept[name]

    def __len__(self) -> int:
        return len(self._kept)
