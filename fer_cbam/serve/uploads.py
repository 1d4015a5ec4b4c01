"""Files that visitors have uploaded: only theirs are read, and they are deleted once read."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from fer_cbam.errors import FerError


def uploaded(file: Any, folder: Path) -> Path:
    """The path of an uploaded file, as gradio hands it over (``{"path": ...}``), checked.

    folder: of uploads. gradio checks paths only where a file says that it is one; whoever calls the
    API by hand may leave that out.

    Raises:
        FerError: no file, or one that does not lie in the folder.
    """
    path = file.get("path") if isinstance(file, dict) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise FerError("file: expected an uploaded file, {'path': ..., 'meta': ...}")
    inside = Path(folder).resolve()
    real = Path(path).resolve()
    if not real.is_relative_to(inside) or not real.is_file():
        # One sentence for both: what else lies on this computer is nobody's business.
        raise FerError("file: expected one that was uploaded to this server")
    return real


def read_and_delete(path: Path, max_bytes: int, keep: float = 0.0) -> bytes:
    """Read an uploaded file and delete it, whatever comes.

    keep: seconds until it is deleted. gradio names files by their content, so that two visitors who
    send the same file at the same time have one between them.

    Raises:
        FerError: it is larger than max_bytes.
    """
    try:
        stat = path.stat()
        size = stat.st_size
        if size > max_bytes:
            raise FerError(f"file: got {size / 1e6:.0f} MB; expected at most {max_bytes / 1e6:.0f}")
        return path.read_bytes()
    finally:
        if keep > 0:
            timer = threading.Timer(keep, discard, (path, stat.st_mtime_ns))
            timer.daemon = True
            timer.start()
        else:
            discard(path)


def discard(path: Path, written: int | None = None) -> None:
    """Delete an uploaded file with the folder that gradio made for it.

    written: not if it was written anew since then (``st_mtime_ns``).
    """
    # Two threads may discard the same file; another visitor may write into the folder meanwhile.
    with suppress(FileNotFoundError):
        if written is None or path.stat().st_mtime_ns == written:
            path.unlink()
            with suppress(OSError):  # not empty
                path.parent.rmdir()
