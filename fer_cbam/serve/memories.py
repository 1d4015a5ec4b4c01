"""What live pictures have to remember from one frame to the next, kept on the server.

So what is known of a face, which a page could read and change, never leaves the server, while two
questions that are on their way at once each go on from the frame they came from: each answer has a
ticket of its own.
"""

from __future__ import annotations

from fer_cbam.serve.tickets import Tickets
from fer_cbam.video.tracks import Memory

KEEP_SECONDS = 60.0
MAX_MEMORIES = 500  # of all visitors; a live picture needs those of its last few frames


class Memories(Tickets[Memory]):
    """Memories by ticket."""

    def __init__(self, keep_seconds: float = KEEP_SECONDS, most: int = MAX_MEMORIES) -> None:
        super().__init__(Memory(), keep_seconds, most)
