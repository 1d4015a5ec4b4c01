"""A process that dies costs one image one row."""

from __future__ import annotations

import os
import signal

import pytest

from fer_cbam.batch import worker as worker_module
from fer_cbam.batch.rows import from_stream
from fer_cbam.batch.tasks import IMAGE, TAR, Input, Settings, Task
from fer_cbam.batch.worker import Worker
from fer_cbam.errors import BatchError
from tests.batch.conftest import jpeg
from tests.batch.test_run import archive

# A program that takes the place of fer_cbam.batch.worker, and dies at an image of 111 bytes.
DEADLY = """
import os, signal, sys
import fer_cbam.batch.answers as answers
real = answers.decode_image
def decode(data):
    if len(data) == 111:
        os.kill(os.getpid(), signal.SIGSEGV)
    return real(data)
answers.decode_image = decode
from fer_cbam.batch.worker import main
sys.exit(main())
"""


@pytest.fixture
def worker(settings, monkeypatch):
    made = []
    real = worker_module.subprocess.Popen

    def popen(command, **options):
        made.append(real([command[0], "-c", DEADLY], **options))
        return made[-1]

    monkeypatch.setattr(worker_module.subprocess, "Popen", popen)
    worker = Worker(settings)
    worker.made = made
    yield worker
    worker.stop()
    assert all(process.poll() is not None for process in made)


def rows(answers):
    return [
        row for answer in answers if answer.rows for row in from_stream(answer.rows).to_pylist()
    ]


def test_an_image_that_ends_its_process(worker, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jpg").write_bytes(bytes(111) if name == "b" else jpeg(140))
    task = Task(tuple(Input(str(tmp_path / f"{name}.jpg"), IMAGE) for name in ("a", "b", "c")))
    answers = list(worker.answers(task))
    found = {row["source"][-5:]: row["error_kind"] for row in rows(answers)}
    assert found == {"a.jpg": None, "b.jpg": "crashed", "c.jpg": None}
    assert sum(len(answer.done) for answer in answers) == len(rows(answers)) == 3
    assert [answer.last for answer in answers].count(True) == 1 and answers[-1].last
    assert set(answers[-1].ended) == {item.source for item in task.inputs}
    assert "SIGSEGV" in next(row["error"] for row in rows(answers) if row["error"])
    assert len(worker.made) == 3  # at once, image by image, and for what was left


def test_a_member_that_ends_its_process(worker, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tests.batch.test_run.jpeg", lambda side, turn: bytes(111) if turn == 1 else jpeg(side)
    )
    shard = archive(tmp_path / "s.tar", ["a.jpg", "b.jpg", "c.jpg"])
    found = rows(worker.answers(Task((Input(str(shard), TAR),))))
    assert {row["member"]: row["error_kind"] for row in found} == {
        "a.jpg": None, "b.jpg": "crashed", "c.jpg": None,
    }  # fmt: skip
    assert len(found) == 3


def test_weights_that_are_others(settings):
    other = Settings(**{**settings.__dict__, "digest": "0" * 64})
    with pytest.raises(BatchError, match="others than the run began with"):
        Worker(other).start()


def test_a_worker_ends_with_its_parent(settings):
    worker = Worker(settings)
    worker.start()
    process = worker._process
    process.stdin.close()  # as the system does where the parent is killed
    assert process.wait(20) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
