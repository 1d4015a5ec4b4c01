"""Tasks shared out to the processes of one machine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from fer_cbam.batch.ahead import Slots
from fer_cbam.batch.tasks import Answer, Settings, Task
from fer_cbam.batch.worker import Worker

AHEAD = 2  # tasks a process that are handed out, so that none waits for the disk of the parent


def answers(tasks: Iterator[Task], settings: Settings, processes: int) -> Iterator[Answer]:
    """The answers of all tasks, of different tasks in any order.

    No more than a few tasks and answers a process are held, however slow their reader is.

    Raises:
        BatchError: a process does not begin to work, or ends and cannot be replaced.
    """
    given: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    ready: Slots[Answer | BaseException] = Slots(2 * processes)
    workers = [Worker(settings) for _ in range(processes)]
    for worker in workers:
        threading.Thread(target=_serve, args=(worker, given, ready), daemon=True).start()
    open_tasks = 0
    try:
        for task in tasks:
            given.put(task)
            open_tasks += 1
            while open_tasks >= AHEAD * processes:
                answer = _got(ready)
                open_tasks -= answer.last
                yield answer
        while open_tasks:
            answer = _got(ready)
            open_tasks -= answer.last
            yield answer
    finally:
        ready.leave()
        for worker in workers:
            worker.stop()
            given.put(None)


def _got(ready: Slots[Answer | BaseException]) -> Answer:
    found = ready.get()
    if isinstance(found, BaseException):
        raise found
    return found


def _serve(
    worker: Worker,
    given: queue.SimpleQueue[Task | None],
    ready: Slots[Answer | BaseException],
) -> None:
    while (task := given.get()) is not None:
        try:
            for answer in worker.answers(task):
                if not ready.put(answer):
                    return
        except BaseException as error:
            ready.put(error)
            return
