"""Fair turns: order, shares and bounds, with work that only waits for a signal."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

import pytest

from fer_cbam.serve.turns import MAX_WAITING_EACH, BusyError, StaleError, Turns


class Gate:
    """Work that notes when it begins and then waits until it is let go."""

    def __init__(self, order: list[str], name: str):
        self.order, self.name, self.open = order, name, threading.Event()

    def __call__(self) -> str:
        self.order.append(self.name)
        assert self.open.wait(20)
        return self.name


async def until(condition) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come to pass")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_result_and_error_come_back():
    async def scene():
        turns = Turns(slots=2)
        assert await turns.run("a", lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await turns.run("a", lambda: 1 / 0)
        assert await turns.run("a", lambda: 8) == 8  # the slot is free again
        turns.close()

    asyncio.run(scene())


def test_background_work_never_takes_the_last_slot():
    async def scene():
        turns, order = Turns(slots=2), []
        gates = [Gate(order, f"photo {i}") for i in range(3)]
        photos = [
            asyncio.ensure_future(turns.run(str(i), gate, background=True))
            for i, gate in enumerate(gates)
        ]
        await until(lambda: order)
        assert await turns.run("live", lambda: "label") == "label"
        assert order == ["photo 0"]  # the others wait although a slot is free
        for gate in gates:
            gate.open.set()
        assert await asyncio.gather(*photos) == ["photo 0", "photo 1", "photo 2"]
        turns.close()

    asyncio.run(scene())


def test_a_newer_frame_takes_the_place_of_one_that_waits():
    async def scene():
        turns, order = Turns(slots=2), []
        gates = [Gate(order, "a"), Gate(order, "b")]
        busy = [asyncio.ensure_future(turns.run(g.name, g)) for g in gates]
        await until(lambda: len(order) == 2)
        old = asyncio.ensure_future(turns.run("c", lambda: "old", newest_only=True))
        photo = asyncio.ensure_future(turns.run("c", lambda: "photo"))
        other = asyncio.ensure_future(turns.run("d", lambda: "other", newest_only=True))
        await settle()
        new = asyncio.ensure_future(turns.run("c", lambda: "new", newest_only=True))
        with pytest.raises(StaleError):
            await old
        for gate in gates:
            gate.open.set()
        assert await asyncio.gather(photo, other, new, *busy) == ["photo", "other", "new", "a", "b"]
        turns.close()

    asyncio.run(scene())


def test_too_many_questions_are_refused_and_those_waiting_are_answered():
    async def scene():
        turns, order = Turns(slots=2, max_waiting=20), []
        gates = [Gate(order, "a"), Gate(order, "b")]
        busy = [asyncio.ensure_future(turns.run(g.name, g)) for g in gates]
        await until(lambda: len(order) == 2)
        one = [asyncio.ensure_future(turns.run("c", lambda: 1)) for _ in range(MAX_WAITING_EACH)]
        await settle()
        with pytest.raises(BusyError):  # of one visitor
            await turns.run("c", lambda: 1)
        rest = [asyncio.ensure_future(turns.run(f"x{i}", lambda: 1)) for i in range(12)]
        await settle()
        with pytest.raises(BusyError):  # of all
            await turns.run("y", lambda: 1)
        for gate in gates:
            gate.open.set()
        assert await asyncio.gather(*one, *rest) == [1] * 20
        assert await turns.run("y", lambda: 2) == 2
        await asyncio.gather(*busy)
        turns.close()

    asyncio.run(scene())


def test_who_has_left_is_not_answered():
    async def scene():
        turns, order = Turns(slots=2), []
        gates = [Gate(order, "a"), Gate(order, "b")]
        busy = [asyncio.ensure_future(turns.run(g.name, g)) for g in gates]
        await until(lambda: len(order) == 2)
        left = asyncio.ensure_future(turns.run("c", lambda: order.append("c")))
        await settle()
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        for gate in gates:
            gate.open.set()
        await asyncio.gather(*busy)
        await turns.run("d", lambda: None)
        assert order == ["a", "b"]
        turns.close()

    asyncio.run(scene())


def test_work_is_not_done_for_who_has_left_when_the_turn_comes():
    async def scene():
        turns, done = Turns(slots=2), []
        left = True

        async def has_left() -> bool:
            return left

        with pytest.raises(StaleError, match="has left"):
            await turns.run("a", lambda: done.append(1), has_left=has_left)
        left = False
        await turns.run("a", lambda: done.append(2), has_left=has_left)
        assert done == [2]
        turns.close()

    asyncio.run(scene())


def test_a_line_of_photos_refuses_no_live_frame():
    async def scene():
        turns, order = Turns(slots=2, max_waiting=3), []
        gate = Gate(order, "photo")
        first = asyncio.ensure_future(turns.run("a", gate, background=True))
        await until(lambda: order)
        rest = [asyncio.ensure_future(turns.run("b", gate, background=True)) for _ in range(3)]
        await settle()
        with pytest.raises(BusyError):
            await turns.run("c", gate, background=True)
        assert await turns.run("c", lambda: "label") == "label"
        gate.open.set()
        await asyncio.gather(first, *rest)
        turns.close()

    asyncio.run(scene())


async def shares(visitors: dict[str, tuple[int, float]], seconds: float) -> Counter:
    """How often each visitor is served: name -> (questions at once, seconds of work each)."""
    turns, served = Turns(slots=2), Counter()
    end = time.perf_counter() + seconds

    async def ask(name: str, work: float) -> None:
        while time.perf_counter() < end:
            await turns.run(name, lambda: time.sleep(work))
            served[name] += 1

    await asyncio.gather(
        *(ask(name, work) for name, (many, work) in visitors.items() for _ in range(many))
    )
    turns.close()
    return served


def test_time_is_shared_equally_whoever_asks_for_more():
    """One asks with eight questions at once, one with work four times as long: each still gets its
    third of the time, and none less than a half of that."""
    served = asyncio.run(
        shares({"greedy": (8, 0.004), "slow": (2, 0.016), "modest": (2, 0.004)}, seconds=2.0)
    )
    used = {"greedy": 4 * served["greedy"], "slow": 16 * served["slow"],
            "modest": 4 * served["modest"]}  # fmt: skip
    for name, time_used in used.items():
        assert time_used / sum(used.values()) > 1 / 6, used
        assert time_used / sum(used.values()) < 0.55, (name, used)


def test_a_newcomer_starts_level():
    """Who comes late neither waits for the others' past nor makes up for their own."""

    async def scene():
        turns, order = Turns(slots=2), []
        for _ in range(20):
            await turns.run("regular", lambda: time.sleep(0.01))
        gates = [Gate(order, "a"), Gate(order, "b")]
        busy = [asyncio.ensure_future(turns.run(g.name, g)) for g in gates]
        await until(lambda: len(order) == 2)
        names = ["regular", "new", "regular", "new", "regular", "new"]
        asked = [
            asyncio.ensure_future(turns.run(n, lambda n=n: order.append(n) or time.sleep(0.02)))
            for n in names
        ]
        await settle()
        for gate in gates:
            gate.open.set()
        await asyncio.gather(*asked, *busy)
        assert Counter(order[2:5])["regular"] >= 1 and Counter(order[2:5])["new"] >= 1
        turns.close()

    asyncio.run(scene())


def test_nothing_is_remembered_of_those_who_are_gone():
    async def scene():
        turns = Turns(slots=2)
        for i in range(200):
            await turns.run(f"visitor {i}", lambda: None)
        await until(lambda: not turns._running)
        assert len(turns._visitors) < 20
        turns.close()

    asyncio.run(scene())
