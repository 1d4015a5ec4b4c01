"""A process that answers tasks, and its handle.

It is a program of its own, not a fork and not a child that imports its parent's script: it starts
the same way on every system and from a notebook, and CUDA works in it. Tasks come on its standard
input, answers leave on its standard output. Where the other end is gone, it ends: a run that is
killed leaves no process behind.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from fer_cbam.batch.rows import Place, Rows, as_stream, schema
from fer_cbam.batch.tasks import Answer, Key, Settings, Task
from fer_cbam.errors import BatchError

ROOT = Path(__file__).parents[2]
_LENGTHS = struct.Struct(">QQ")  # of the JSON and of the rows behind it
_QUIET = {
    "OMP_NUM_THREADS": "1",  # a process a core
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_LOG_LEVEL": "ERROR",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # of a damaged clip the row says it
}


class Worker:
    """A running process. A task that ends it costs the image that did so one row: it is started
    again, and what was left of the task is done carefully."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises:
        BatchError: it does not begin to work; it says why.
        """
        command = [sys.executable, "-m", "fer_cbam.batch.worker"]
        # The same package, wherever this process found it.
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        env = os.environ | _QUIET | {"PYTHONPATH": path}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        try:
            self._send(self.settings.to_json())
            header, _ = self._receive()
        except (EOFError, OSError) as error:
            raise BatchError(f"a worker ended before it began ({self._fate()})") from error
        if "failed" in header:
            raise BatchError(header["failed"])

    def answers(self, task: Task) -> Iterator[Answer]:
        """The answers of a task; the last one is marked so."""
        done: set[Key] = set()
        left = task
        while True:
            if self._process is None:
                self.start()
            at: Key | None = None
            try:
                self._send(left.to_json())
                for answer in self._until_last():
                    at = answer.at or at
                    if answer.at is None:
                        done |= set(answer.done)
                        yield answer
                return
            except (EOFError, OSError):
                fate = self._fate()
            if at in done:  # it ended between two members of one file
                at = (at[0], "")
            if at is not None and at not in done:
                yield self._crashed(at, fate)
                done.add(at)
            elif left.careful:
                raise BatchError(f"a worker ended, and at no image ({fate})")
            left = task.without(done)

    def _until_last(self) -> Iterator[Answer]:
        while True:
            header, rows = self._receive()
            if "failed" in header:
                raise BatchError(header["failed"])
            answer = as_answer(header, rows)
            yield answer
            if answer.last:
                return

    def _crashed(self, at: Key, fate: str) -> Answer:
        rows = Rows(schema(self.settings.label_names, self.settings.embedding))
        text = f"the process that read it ended ({fate}); the others go on"
        rows.add_error(Place(*at), "crashed", text)
        return Answer(as_stream(rows.taken()), (at,))

    def _send(self, text: str) -> None:
        assert self._process and self._process.stdin
        _write(self._process.stdin, text)

    def _receive(self) -> tuple[dict[str, Any], bytes]:
        assert self._process and self._process.stdout
        return _read(self._process.stdout)

    def _fate(self) -> str:
        """How the process ended, which is waited for."""
        assert self._process
        self._process.kill()
        code = self._process.wait()
        self._close()
        if code >= 0:
            return f"status {code}"
        with suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"

    def stop(self) -> None:
        """End it at once, whatever it is at."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close()

    def _close(self) -> None:
        process, self._process = self._process, None
        for stream in (process.stdin, process.stdout) if process else ():
            if stream:
                with suppress(OSError):
                    stream.close()


def header_of(answer: Answer) -> dict[str, Any]:
    """All but the rows of an answer, as plain values."""
    return {"done": answer.done, "ended": answer.ended, "again": answer.again, "at": answer.at,
            "last": answer.last}  # fmt: skip


def as_answer(header: dict[str, Any], rows: bytes) -> Answer:
    """An answer from its :func:`header_of` and its rows."""
    keys = tuple((source, member) for source, member in header["done"])
    at = (header["at"][0], header["at"][1]) if header["at"] else None
    return Answer(rows, keys, tuple(header["ended"]), tuple(header["again"]), at, header["last"])


def _write(stream: IO[bytes], text: str, rows: bytes = b"") -> None:
    data = text.encode("utf-8", "surrogateescape")
    stream.write(_LENGTHS.pack(len(data), len(rows)) + data + rows)
    stream.flush()


def _read(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    head = _exactly(stream, _LENGTHS.size)
    lengths = _LENGTHS.unpack(head)
    text, rows = (_exactly(stream, length) for length in lengths)
    values: dict[str, Any] = json.loads(text)
    return values, rows


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def main() -> int:
    """The process: settings first, then a task at a time until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent ends us
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints where it does no harm
    from fer_cbam.batch.answers import TaskRecognizer

    try:
        settings, _ = _read(tasks)
        recognizer = TaskRecognizer(Settings.from_json(json.dumps(settings)))
        _write(answers, json.dumps({}))
        while True:
            task, _ = _read(tasks)
            for answer in recognizer(Task.from_json(json.dumps(task))):
                _write(answers, json.dumps(header_of(answer)), answer.rows)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the other end is gone, and threads that read ahead may wait
    except Exception as error:
        _write(answers, json.dumps({"failed": str(error) or type(error).__name__}))
        return 1


if __name__ == "__main__":
    sys.exit(main())
