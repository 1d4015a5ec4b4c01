"""Objects in forked processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from fer_cbam.forks import ForkLock, renew_in_children

PHOTO = Path(__file__).parents[1] / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def in_child(work) -> int:
    """The exit status of a forked process that runs ``work() -> int``; 99 after 20 seconds."""
    child = os.fork()
    if child == 0:
        threading.Timer(20, os._exit, (99,)).start()
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def take(lock: ForkLock) -> int:
    with lock:
        return 7


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_lock_that_a_thread_of_the_parent_holds_is_free_in_the_child():
    lock = ForkLock()
    with lock:
        assert in_child(lambda: take(lock)) == 7
        assert not lock._lock.acquire(blocking=False)  # still held here
    assert take(lock) == 7


def test_a_lock_keeps_others_out_and_is_new_where_it_is_unpickled():
    lock = ForkLock()
    with lock:
        assert not lock._lock.acquire(blocking=False)
        assert take(pickle.loads(pickle.dumps(lock))) == 7  # noqa: S301
    with pytest.raises(ValueError, match="inside"), lock:
        raise ValueError("inside")
    assert take(lock) == 7


@forks
def test_what_is_forgotten_is_not_renewed():
    class Thing:
        renewed = 0

        def after_fork(self) -> None:
            self.renewed += 1

    kept, forgotten = Thing(), Thing()
    renew_in_children(kept)
    renew_in_children(forgotten)
    del forgotten
    assert in_child(lambda: kept.renewed) == 1
    assert kept.renewed == 0


# Used before the fork by several threads, so that all that an object has of threads is there.
WORK = """
import multiprocessing, pickle, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from fer_cbam import EmotionRecognizer
backend, photo = sys.argv[1:]
recognizer = EmotionRecognizer.from_pretrained(backend=backend)
crops = [recognizer(photo)[0].crop] * 9
def labels(_):
    answers = [*recognizer.classify(crops)[0], recognizer(photo)[0].prediction]
    return [answer.label for answer in answers]
with ThreadPoolExecutor(3) as threads:
    here = list(threads.map(labels, range(3)))
with multiprocessing.get_context("fork").Pool(2) as pool:
    there = pool.map_async(labels, range(4)).get(60)
assert there == [here[0]] * 4, there
sent = pickle.loads(pickle.dumps(recognizer))
assert sent.name == recognizer.name
assert [p.label for p in sent.classify(crops)[0]] == here[0][:-1]
print("same", sorted(set(here[0])))
"""


@forks
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_a_recogniser_works_in_a_forked_process_and_can_be_sent_to_another(tmp_path, backend):
    if find_spec("onnxruntime" if backend == "onnx" else "torch") is None:
        pytest.skip(f"{backend} is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", WORK, backend, str(PHOTO)], capture_output=True, text=True,
        timeout=300, env=environment | {"PYTHONPATH": str(PHOTO.parents[3])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("same")
