"""Values by tickets: replaced under the same one, forgotten on time, and never shared."""

from __future__ import annotations

from fer_cbam.serve.tickets import Tickets


def test_a_value_takes_the_place_of_what_its_ticket_stood_for():
    kept = Tickets("nothing", keep_seconds=60, most=2)
    first = kept.put("one")
    assert kept.put("two", first) == first and len(kept) == 1
    assert kept.get(first) == "two"
    for unknown in (None, "", 7, [first], first[:-1]):
        assert kept.get(unknown) == "nothing"
    guessed = kept.put("mine", "a guess")
    assert guessed != "a guess" and len(kept) == 2
    kept.put("three")
    assert len(kept) == 2 and kept.get(first) == "nothing"  # the oldest makes room
    kept.drop(guessed)
    kept.drop(None)
    assert len(kept) == 1 and kept.get(guessed) == "nothing"


def test_what_is_too_old_is_gone_before_it_is_asked_for():
    kept = Tickets(0, keep_seconds=-1, most=5)
    ticket = kept.put(3)
    assert kept.get(ticket) == 0 and len(kept) == 0
