"""The temporary folder of a running app: there while it runs, gone however it ends.

Uploads lie in it for as long as they are read. It is removed when the app ends by itself, by
Ctrl-C, by a signal to end, or because its terminal is closed. What a crash or ``kill -9`` leaves is
removed by the next app that starts: a lock, which ends with its process, tells which folders are in
use.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PREFIX = "fer-cbam-"
LOCK = "lock"
RAISED_AGAIN = 0.5  # seconds after a signal, and after each time that it did not end the app
YOUNG = 5.0  # seconds within which a folder may not have its lock yet
ENDINGS = ("SIGTERM", "SIGHUP", "SIGBREAK")  # SIGBREAK is the closed window of Windows


class Ended(SystemExit):
    """A signal asked the app to end."""


@contextmanager
def upload_folder() -> Iterator[Path]:
    """A folder for uploads.

    Raises:
        OSError: there is no temporary folder that may be written to.
    """
    remove_orphans(Path(tempfile.gettempdir()))
    end_on_signals()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / LOCK).open("wb") as lock:
            _take(lock)
            uploads = folder / "uploads"
            uploads.mkdir()
            yield uploads
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)  # it has arrived
        for _ in range(3):  # an upload may still be writing
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break


def remove_orphans(parent: Path) -> None:
    """Remove the folders of apps that are gone; those of other users are not ours to remove."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if not folder.is_symlink() and _is_orphan(folder / LOCK):
                shutil.rmtree(folder, ignore_errors=True)


def end_on_signals() -> None:
    """Leave by `Ended`, so that all is tidied up, and a second signal does not cut that short.
    A signal that is ignored stays ignored (``nohup``).

    Where `Ended` is swallowed on its way, as it is while a library starts, it is raised again."""

    def leave(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, again)
            signal.setitimer(signal.ITIMER_REAL, RAISED_AGAIN)
        raise Ended(0)

    def again(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, RAISED_AGAIN)
        raise Ended(0)

    known = [getattr(signal, name) for name in ENDINGS if hasattr(signal, name)]
    numbers = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
    for number in numbers:
        signal.signal(number, leave)


def _is_orphan(lock: Path) -> bool:
    if time.time() - lock.stat().st_mtime < YOUNG:
        return False
    with lock.open("r+b") as file:
        return _take(file)


def _take(file: IO[bytes]) -> bool:
    """Lock an open file for this process; False where another one has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
