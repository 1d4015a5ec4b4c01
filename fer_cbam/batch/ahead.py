"""Items fetched by a thread while their reader is at work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Slots(Generic[T]):
    """A bounded queue between threads, which its reader may leave.

    size: items that wait at most.
    """

    def __init__(self, size: int) -> None:
        self._items: queue.Queue[T] = queue.Queue(size)
        self._left = threading.Event()

    def put(self, item: T) -> bool:
        """Wait for room. False: the reader has left."""
        while not self._left.is_set():
            try:
                self._items.put(item, timeout=0.1)
                return True
            except queue.Full:
                pass
        return False

    def get(self) -> T:
        """Wait for an item."""
        return self._items.get()

    def leave(self) -> None:
        """Nothing is read any more."""
        self._left.set()


def read_ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """The same items, up to ``depth`` of them fetched ahead; their errors are raised in turn."""
    slots: Slots[tuple[list[T], BaseException | None]] = Slots(depth)
    threading.Thread(target=_fetch, args=(items, slots), daemon=True).start()
    try:
        while True:
            found, error = slots.get()
            yield from found
            if error is not None:
                raise error
            if not found:
                return
    finally:
        slots.leave()


def _fetch(items: Iterator[T], slots: Slots[tuple[list[T], BaseException | None]]) -> None:
    try:
        for item in items:
            if not slots.put(([item], None)):
                return
    except BaseException as error:
        slots.put(([], error))
    else:
        slots.put(([], None))
