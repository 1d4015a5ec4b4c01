"""What live pictures have to remember from one frame to the next, kept on the server.

A frame's answer carries a ticket, and the next question brings it back. So what is known of a face,
which a page could read and change, never leaves the server, while two questions that are on their
way at once each go on from the frame they came from. Tickets cannot be guessed. Nothing is written
to disk; what is not asked for is soon forgotten.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict

from fer_cbam.video.tracks import Memory

KEEP_SECONDS = 60.0
MAX_MEMORIES = 500  # of all visitors; a live picture needs those of its last few frames


class Memories:
    """Memories by ticket; safe to share between threads."""

    def __init__(self, keep_seconds: float = KEEP_SECONDS, most: int = MAX_MEMORIES) -> None:
        self.keep_seconds, self.most = keep_seconds, most
        self._kept: OrderedDict[str, tuple[float, Memory]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, memory: Memory) -> str:
        """Keep a memory for a while; its ticket."""
        ticket = secrets.token_urlsafe(16)
        now = time.monotonic()
        with self._lock:
            self._kept[ticket] = (now, memory)
            while self._kept:
                kept_at, _ = next(iter(self._kept.values()))
                if len(self._kept) <= self.most and now - kept_at <= self.keep_seconds:
                    break
                self._kept.popitem(last=False)
        return ticket

    def get(self, ticket: object) -> Memory:
        """The memory of a ticket; an empty one for a ticket that is forgotten or is none."""
        with self._lock:
            found = self._kept.get(ticket) if isinstance(ticket, str) else None
        if found is None or time.monotonic() - found[0] > self.keep_seconds:
            return Memory()
        return found[1]

    def __len__(self) -> int:
        return len(self._kept)
