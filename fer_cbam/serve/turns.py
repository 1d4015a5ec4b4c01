"""Fair turns: who may use the processor next when several visitors ask at once.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996, https://doi.org/10.1145/248156.248171)
over seconds of work: the visitor who has used least goes next, and one who comes anew starts level
with the others, so that neither a stranger nor a regular starves. Work is done in threads of its
own, never in those that gradio answers with, so that a hundred waiting requests block none.

Everything here happens in one event loop, which is why there are no locks.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fer_cbam.errors import FerError

MAX_WAITING = 64  # questions of all visitors together, live ones and others each
MAX_WAITING_EACH = 8  # of one visitor
MAX_REMEMBERED = 1000  # visitors whose use is counted


class BusyError(FerError):
    """More questions are waiting than can be answered in a bearable time."""


class StaleError(FerError):
    """Nobody waits for this answer any more: the visitor has left, or has a newer question."""


@dataclass(eq=False)
class _Question:
    work: Callable[[], Any]
    answer: asyncio.Future[Any]
    replaceable: bool
    has_left: Callable[[], Awaitable[bool]] | None


@dataclass
class _Visitor:
    """used: seconds of work, on the common clock. live, background: what waits. running: how many
    questions are being answered."""

    used: float
    running: int = 0
    live: deque[_Question] = field(default_factory=deque)
    background: deque[_Question] = field(default_factory=deque)


class Turns:
    """Lets work run in ``slots`` threads, one question of one visitor at a time in each.

    Background work (explanations, photos, clips) never takes the last slot, so that live labels do
    not wait for it.
    """

    def __init__(self, slots: int | None = None, max_waiting: int = MAX_WAITING):
        self.slots = max(2, slots or os.cpu_count() or 2)
        self.max_waiting = max_waiting
        self._pool = ThreadPoolExecutor(self.slots, thread_name_prefix="turn")
        self._visitors: dict[str, _Visitor] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself holds tasks weakly
        self._running = self._background = 0
        self._clock = 0.0  # what the visitor served last had used when it was served

    async def run(
        self,
        visitor: str,
        work: Callable[[], Any],
        *,
        background: bool = False,
        newest_only: bool = False,
        has_left: Callable[[], Awaitable[bool]] | None = None,
    ) -> Any:
        """Wait for a turn, then the result of ``work()``, done in a thread.

        visitor: any name that is the same for all questions of one visitor. newest_only: where an
        earlier such question of the visitor still waits, that one is dropped. has_left: asked when
        the turn comes; if the visitor has left, the work is not done.

        Raises:
            BusyError: too many questions wait.
            StaleError: a newer question came while this one waited, or the visitor has left.
        """
        account = self._visitors.setdefault(visitor, _Visitor(self._clock))
        queue = account.background if background else account.live
        if newest_only:
            self._drop_replaceable(queue)
        waiting = sum(len(v.background if background else v.live) for v in self._visitors.values())
        if waiting >= self.max_waiting or len(queue) >= MAX_WAITING_EACH:
            self._forget_idle()
            raise BusyError("Many people ask at once. Try again in a moment.")
        if not account.live and not account.background:
            account.used = max(account.used, self._clock)
        answer = asyncio.get_running_loop().create_future()
        question = _Question(work, answer, newest_only, has_left)
        queue.append(question)
        self._start()
        try:
            return await answer
        except asyncio.CancelledError:  # the visitor has left
            if question in queue:
                queue.remove(question)
            raise

    @staticmethod
    def _drop_replaceable(queue: deque[_Question]) -> None:
        for old in [question for question in queue if question.replaceable]:
            queue.remove(old)
            if not old.answer.done():
                old.answer.set_exception(StaleError("a newer frame has come"))

    def _start(self) -> None:
        while self._running < self.slots:
            chosen = self._next()
            if chosen is None:
                return
            account, is_background = chosen
            question = (account.background if is_background else account.live).popleft()
            self._clock = max(self._clock, account.used)
            self._running += 1
            self._background += is_background
            account.running += 1
            task = asyncio.get_running_loop().create_task(
                self._do(account, question, is_background)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self) -> tuple[_Visitor, bool] | None:
        """The visitor who has used least and may go now, and whether with background work."""
        room = self._background < self.slots - 1
        ready = [v for v in self._visitors.values() if v.live or (room and v.background)]
        if not ready:
            return None
        account = min(ready, key=lambda visitor: visitor.used)
        return account, not account.live

    async def _do(self, account: _Visitor, question: _Question, is_background: bool) -> None:
        started = time.perf_counter()
        try:
            if question.has_left and await question.has_left():
                raise StaleError("the visitor has left")
            result = await asyncio.get_running_loop().run_in_executor(self._pool, question.work)
        except Exception as error:
            if not question.answer.done():
                question.answer.set_exception(error)
        else:
            if not question.answer.done():
                question.answer.set_result(result)
        finally:
            account.used += time.perf_counter() - started
            account.running -= 1
            self._running -= 1
            self._background -= is_background
            self._start()
            self._forget_idle()

    def _forget_idle(self) -> None:
        """Drop visitors who wait for nothing and would start level with the others anyway; when
        nobody waits, everyone."""
        busy = any(v.live or v.background or v.running for v in self._visitors.values())
        if not busy or len(self._visitors) > MAX_REMEMBERED:
            used = [v.used for v in self._visitors.values() if not v.running]
            self._clock = max([self._clock, *used])
        self._visitors = {
            name: account
            for name, account in self._visitors.items()
            if account.live or account.background or account.running or account.used > self._clock
        }

    def close(self) -> None:
        """Let running work end and start no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
