"""What a forked process needs before it can use the objects of its parent.

A fork copies memory and one thread. A lock that another thread held stays held for ever in the
child, and threads that the parent had started are not there.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Has something that does not survive a fork."""

    def after_fork(self) -> None:
        """Called in the child, before anything else."""
        ...


_objects: WeakSet[Renewable] = WeakSet()


def renew_in_children(item: Renewable) -> None:
    """Call ``item.after_fork()`` in each process that is forked from now on."""
    _objects.add(item)


def _renew() -> None:
    for item in list(_objects):
        item.after_fork()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_renew)


class ForkLock:
    """A lock that is free in a forked process, and a new one where it is unpickled."""

    def __init__(self) -> None:
        self.after_fork()
        renew_in_children(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._lock.release()

    def __reduce__(self) -> tuple[type[ForkLock], tuple[()]]:
        return ForkLock, ()
