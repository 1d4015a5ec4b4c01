"""What is remembered of live pictures: by tickets that cannot be guessed, and not for long."""

from __future__ import annotations

import pytest

from fer_cbam.serve import tickets as module
from fer_cbam.serve.memories import Memories
from fer_cbam.video.tracks import Memory


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_ticket_brings_back_its_own_memory(clock):
    memories = Memories()
    tickets = [memories.put(Memory(next_track=n)) for n in (2, 3)]
    assert [memories.get(ticket).next_track for ticket in tickets] == [2, 3]
    assert len(set(tickets)) == 2 and all(len(ticket) == 22 for ticket in tickets)  # 128 bits
    for stranger in (None, "", tickets[0][:-1], 7, [tickets[0]], {}):
        assert memories.get(stranger) == Memory()


def test_what_is_not_asked_for_is_forgotten(clock):
    memories = Memories(keep_seconds=60)
    ticket = memories.put(Memory(next_track=2))
    clock[0] += 60
    assert memories.get(ticket).next_track == 2
    clock[0] += 1
    assert memories.get(ticket) == Memory()
    memories.put(Memory())
    assert len(memories) == 1  # the old one takes no room any more


def test_an_hour_of_frames_takes_no_more_room_than_a_minute(clock):
    memories = Memories(most=20)
    for n in range(60 * 60 * 5):
        clock[0] += 0.2
        ticket = memories.put(Memory(next_track=n + 1))
    assert len(memories) == 20 and memories.get(ticket).next_track == 60 * 60 * 5
