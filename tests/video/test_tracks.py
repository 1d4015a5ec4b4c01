"""Faces followed along paths that are known, and smoothing and memory worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from fer_cbam.decide import Decision
from fer_cbam.smoothing.average import Average
from fer_cbam.video import tracks
from fer_cbam.video.tracks import Memory, RememberedFace, Tracked, distances, follow
from tests.video.faces import CALM, face, recognition

Path = Callable[[float], tuple[float, float] | None]


def along(paths: Mapping[str, Path], times: Iterable[float], seed: int = 0) -> list[dict[str, int]]:
    """Follow faces whose centre at each time is known (None: not to be seen), in an order that
    changes. Returns the number that each of them got, for each time."""
    rng, memory, told = np.random.default_rng(seed), Memory(), []
    for time in times:
        seen = {name: place for name, path in paths.items() if (place := path(time)) is not None}
        names = [str(name) for name in rng.permutation(sorted(seen))]
        found, memory = follow(memory, [recognition(face(*seen[n])) for n in names], time)
        told.append({name: item.track for name, item in zip(names, found, strict=True)})
    return told


def numbers(told: list[dict[str, int]], name: str) -> set[int]:
    return {tracked[name] for tracked in told if name in tracked}


def frames(seconds: float, rate: float = 25) -> list[float]:
    return [i / rate for i in range(round(seconds * rate))]


@pytest.mark.parametrize("rate", [8, 12, 25, 60])
@pytest.mark.parametrize("apart", [0, 8, 25])
def test_two_who_cross_keep_their_numbers(rate, apart):
    """They meet in the middle at 100 px a second each, one above the other by ``apart``; never at
    the very same place, where nobody could say who is who."""
    paths = {
        "a": lambda t: (100 + 100 * t, 100),
        "b": lambda t: (501 - 100 * t, 100 + apart),
    }
    told = along(paths, frames(4, rate))
    assert len(numbers(told, "a")) == len(numbers(told, "b")) == 1
    assert numbers(told, "a") != numbers(told, "b")


def test_one_hidden_behind_another_while_they_cross():
    """The one behind is not found for 0.4 s, and comes out where its speed carried it."""
    paths = {
        "front": lambda t: (100 + 100 * t, 100),
        "behind": lambda t: None if 1.8 <= t < 2.2 else (500 - 100 * t, 105),
    }
    told = along(paths, frames(4))
    assert len(numbers(told, "front")) == len(numbers(told, "behind")) == 1
    assert numbers(told, "front") != numbers(told, "behind")


def test_one_who_walks_through_a_row_of_sitters():
    paths: dict[str, Path] = {"walker": lambda t: (50 + 120 * t, 120)}
    for i in range(4):
        paths[f"sitter {i}"] = lambda t, i=i: (150 + 120 * i, 100)
    told = along(paths, frames(5))
    assert {name: len(numbers(told, name)) for name in paths} == dict.fromkeys(paths, 1)
    assert len(set(told[0].values())) == 5


def test_a_face_that_returns_in_time_and_one_that_does_not():
    paths = {
        "soon": lambda t: None if 1 < t < 1.9 else (200, 100),
        "late": lambda t: None if 1 < t < 2.1 else (500, 100),
    }
    told = along(paths, frames(4))
    assert len(numbers(told, "soon")) == 1
    assert len(numbers(told, "late")) == 2


def test_forget_after_is_a_limit_that_still_counts():
    found, memory = follow(Memory(), [recognition(face(100))], 0.0)
    (same,), _ = follow(memory, [recognition(face(100))], 2.0, forget_after=2.0)
    (other,), _ = follow(memory, [recognition(face(100))], 2.01, forget_after=2.0)
    assert (found[0].track, same.track, other.track) == (1, 1, 2)
    (default,), _ = follow(memory, [recognition(face(100))], 1.0)
    assert default.track == 1 and tracks.FORGET_AFTER == 1.0


def test_one_leaves_while_another_comes():
    """The newcomer at the other side is nobody's continuation, and the one between is not torn off
    its number for the sake of a match more."""
    paths = {
        "leaver": lambda t: (60, 100) if t < 1 else None,
        "stayer": lambda t: (200, 100),
        "comer": lambda t: (340, 100) if t >= 1 else None,
    }
    told = along(paths, frames(2))
    got = {name: numbers(told, name) for name in paths}
    assert all(len(n) == 1 for n in got.values())
    assert got["comer"] == {3}


def test_a_clock_that_runs_backwards_makes_everyone_new():
    _, memory = follow(Memory(), [recognition(face(100))], 5.0)
    (tracked,), memory = follow(memory, [recognition(face(100))], 4.9)
    assert tracked.track == 2 and memory.next_track == 3
    (same,), _ = follow(memory, [recognition(face(100))], 4.9)  # the very same moment
    assert same.track == 2


def test_the_order_is_that_of_the_recognitions():
    _, memory = follow(Memory(), [recognition(face(x)) for x in (100, 300, 500)], 0)
    found, memory = follow(memory, [recognition(face(x)) for x in (500, 100, 700, 300)], 0.1)
    assert [t.track for t in found] == [3, 1, 4, 2]
    assert [f.track for f in memory.faces] == [3, 1, 4, 2] and memory.next_track == 5
    found, memory = follow(memory, [], 0.2)
    assert found == [] and len(memory.faces) == 4 and memory.next_track == 5


def test_a_recognition_keeps_all_but_its_prediction():
    given = recognition(face(100))
    (tracked,), _ = follow(Memory(), [given], 0)
    assert tracked.recognition.face is given.face and tracked.recognition.crop is given.crop
    assert tracked.recognition.prediction == given.prediction


def remembered(x: float = 100, speed=(0.0, 0.0), time: float = 0.0, **others) -> RememberedFace:
    f = face(x)
    points = tuple(float(v) for v in f.landmarks.ravel())
    return replace(RememberedFace(1, f.box, points, speed, time), **others)


def continues(memory: RememberedFace, x: float, time: float, y: float = 100) -> bool:
    (tracked,), _ = follow(Memory((memory,), 2), [recognition(face(x, y))], time)
    return tracked.track == 1


def test_a_face_is_looked_for_where_its_speed_carries_it():
    """200 px a second for 0.5 s, fading: 200 * 0.5 * (1 - 1 / e) = 63.2 px."""
    moving = remembered(speed=(200.0, 0.0))
    reached = 100 + 200 * 0.5 * (1 - math.exp(-1))
    # Boxes of 80 px can be matched up to 0.62 of a side, 49 px, apart.
    assert continues(moving, reached, 0.5)
    assert continues(moving, reached + 48, 0.5) and not continues(moving, reached + 51, 0.5)
    down = remembered(speed=(0.0, 200.0))
    assert continues(down, 100, 0.5, y=reached + 48)
    assert not continues(down, 100, 0.5, y=reached + 51)
    # It may also have stopped, at a penalty: 0.55 instead of 0.7, some 0.44 of a side.
    assert continues(moving, 100, 0.5)
    stopped = remembered(speed=(2000.0, 0.0))
    assert continues(stopped, 66, 0.5) and not continues(stopped, 62, 0.5)
    still = remembered()
    assert continues(still, 148, 0.5) and not continues(still, 151, 0.5)


def test_distances_by_hand():
    """Two boxes of side 80, 20 px apart: IoU 60 / 100, landmarks a quarter of a side."""

    def between(a, b) -> float:
        (value,) = distances(
            np.array([a.box]), a.landmarks[None], np.array([b.box]), b.landmarks[None]
        ).ravel()
        return value

    assert between(face(100), face(100)) == 0
    assert between(face(100), face(120)) == pytest.approx((0.4 + 0.25) / 2, abs=1e-6)
    assert between(face(100, 100), face(100, 120)) == pytest.approx(0.325, abs=1e-6)
    # Far apart there is no overlap, however far: 1 and 300 / 80.
    assert between(face(100), face(400)) == pytest.approx((1 + 3.75) / 2, abs=1e-6)
    assert between(face(100, 100), face(100, 400)) == pytest.approx(2.375, abs=1e-6)
    # Apart along both axes: the product of two negative lengths is no overlap.
    diagonal = between(face(100, 100), face(300, 300))
    assert diagonal == pytest.approx((1 + 200 * math.sqrt(2) / 80) / 2, abs=1e-6)
    # One of half the side in the middle: IoU 1 / 4; landmarks by the smaller side, 40 px.
    small, large = face(100, side=40), face(100, side=80)
    apart = np.linalg.norm(small.landmarks - large.landmarks, axis=1).mean() / 40
    expected = (0.75 + apart) / 2
    assert between(small, large) == pytest.approx(expected, abs=1e-6)
    assert between(large, small) == pytest.approx(expected, abs=1e-6)
    # However small they are: half a pixel, and half of that apart: IoU 1 / 3.
    tiny = between(face(10, 10, side=0.5), face(10.25, 10, side=0.5))
    assert tiny == pytest.approx((2 / 3 + 0.5) / 2, abs=1e-4)
    # The landmarks speak too: a box in place with a face turned within it.
    turned = replace(face(100), landmarks=face(100).landmarks + np.float32(8))
    assert between(face(100), turned) == pytest.approx(8 * math.sqrt(2) / 80 / 2, abs=1e-6)


def test_distances_of_many_are_a_table_and_empty_boxes_no_error():
    a, b = [face(100), face(300), face(500)], [face(120), face(480)]
    table = distances(
        np.array([f.box for f in a]), np.array([f.landmarks for f in a]),
        np.array([f.box for f in b]), np.array([f.landmarks for f in b]),
    )  # fmt: skip
    assert table.shape == (3, 2)
    assert table[0, 0] == table[2, 1] == pytest.approx(0.325, abs=1e-6)
    point = face(100, side=0)
    same = distances(*(np.array([v]) for v in (point.box, point.landmarks) * 2))
    assert np.isfinite(same).all() and same[0, 0] == pytest.approx(0.5)  # IoU 0 of no area


def test_speed_is_evened_out():
    """10 px in 0.1 s are 100 px a second; with a half-life of 0.1 s half of it is believed."""
    _, memory = follow(Memory(), [recognition(face(100, 50))], 0.0)
    assert memory.faces[0].speed == (0, 0)
    _, memory = follow(memory, [recognition(face(110, 45))], 0.1)
    assert memory.faces[0].speed == pytest.approx((50, -25))
    _, memory = follow(memory, [recognition(face(120, 40))], 0.2)
    assert memory.faces[0].speed == pytest.approx((75, -37.5))
    _, memory = follow(memory, [recognition(face(120, 40))], 0.4)  # it stood: a quarter is left
    assert memory.faces[0].speed == pytest.approx((18.75, -9.375))
    _, same = follow(memory, [recognition(face(140, 40))], 0.4)  # no time passed: no speed
    assert same.faces[0].speed == memory.faces[0].speed
    assert same.faces[0].box == face(140, 40).box and same.faces[0].time == 0.4


def happiness(tracked: Tracked) -> float:
    return tracked.recognition.prediction.probs["happiness"]


@pytest.mark.parametrize("rate", [4, 8, 32])
def test_half_of_a_change_is_seen_after_the_half_life(rate):
    """However many frames that takes."""
    sad, glad = {"happiness": 0.0, "anger": 1.0}, {"happiness": 1.0, "anger": 0.0}
    _, memory = follow(Memory(), [recognition(face(100), sad)], 0.0)
    for i in range(1, rate // 4 + 1):
        (tracked,), memory = follow(memory, [recognition(face(100), glad)], i / rate)
    assert happiness(tracked) == pytest.approx(0.5)
    for i in range(1, rate // 4 + 1):
        (tracked,), memory = follow(memory, [recognition(face(100), glad)], 0.25 + i / rate)
    assert happiness(tracked) == pytest.approx(0.75)
    assert sum(tracked.recognition.prediction.probs.values()) == pytest.approx(1)


def test_smoothing_of_another_half_life_and_none():
    sad, glad = {"happiness": 0.25, "anger": 0.75}, {"happiness": 0.75, "anger": 0.25}
    _, memory = follow(Memory(), [recognition(face(100), sad)], 0.0)
    now = [recognition(face(100), glad)]
    labels = ("happiness", "anger")
    (slow,), _ = follow(memory, now, 0.5, smoother=Average(labels, 0.5))
    (none,), _ = follow(memory, now, 0.5, smoother=Average(labels, 0))
    (still,), _ = follow(memory, now, 0.0)
    assert happiness(slow) == pytest.approx(0.5)
    assert happiness(none) == 0.75
    assert happiness(still) == 0.25


def test_a_smoothed_face_is_decided_anew():
    """0.4 and 0.8 mixed half and half give 0.6: on top, and below a threshold of 0.65."""
    before, now = {"happiness": 0.4, "anger": 0.6}, {"happiness": 0.8, "anger": 0.2}
    _, memory = follow(Memory(), [recognition(face(100), before)], 0.0)
    unsure = Decision(("happiness", "anger"), uncertain_below=0.65)
    (tracked,), memory = follow(memory, [recognition(face(100), now)], 0.25, unsure)
    prediction = tracked.recognition.prediction
    assert (prediction.label, prediction.uncertain) == ("happiness", True)
    assert prediction.confidence == pytest.approx(0.6)
    assert memory.faces[0].state == tuple(prediction.probs.values())
    (sure,), _ = follow(memory, [recognition(face(100), now)], 0.25)
    assert not sure.recognition.prediction.uncertain


def test_a_smoothed_face_is_decided_by_the_numbers_of_the_weights():
    lifted = Decision.of({"decision": {"shift": {"anger": 1.0}}}, ("happiness", "anger"))
    (tracked,), _ = follow(Memory(), [recognition(face(100), {"happiness": 0.6, "anger": 0.4})],
                           0.0, lifted)  # fmt: skip
    prediction = tracked.recognition.prediction
    assert (prediction.label, prediction.confidence) == ("anger", pytest.approx(0.4))


def test_what_is_no_face_stays_none():
    found = recognition(face(100), {"happiness": 0.6, "anger": 0.4})
    refused = replace(found, prediction=replace(found.prediction, no_face=True))
    (tracked,), _ = follow(Memory(), [refused], 0.0)
    assert tracked.recognition.prediction.said == "no face"


def test_other_labels_start_anew_under_the_same_number():
    _, memory = follow(Memory(), [recognition(face(100))], 0.0)
    other = {"fear": 0.9, "disgust": 0.1}
    (tracked,), _ = follow(memory, [recognition(face(100), other)], 0.1)
    assert tracked.track == 1 and tracked.recognition.prediction.probs == other


def test_a_crowd_is_remembered_up_to_a_limit():
    crowd = [recognition(face(100 * i)) for i in range(tracks.MAX_FACES + 3)]
    found, memory = follow(Memory(), crowd, 0)
    assert len(found) == 67 and memory.next_track == 68
    assert [f.track for f in memory.faces] == list(range(1, 65))
    # Those who are seen come before those who are missed.
    _, memory = follow(memory, [recognition(face(-500))], 0.1)
    assert [f.track for f in memory.faces] == [68, *range(1, 64)]


class Counting:
    """Says how many steps a face has had, and how long ago its last one was."""

    name, label_names, needs_cues = "counting", ("happiness", "anger"), False
    softens = 1.0

    def step(self, seen, seconds, state):
        steps = 1 + (0 if state is None else state[0])
        return np.array([steps, seconds]), (steps,)


def test_a_smoother_gets_each_face_s_own_state_and_the_seconds_since_it_was_seen():
    a, b = recognition(face(100)), recognition(face(300))
    found, memory = follow(Memory(), [a, b], 1.0, smoother=Counting())
    assert [tuple(t.recognition.prediction.probs.values()) for t in found] == [(1, 0), (1, 0)]
    _, memory = follow(memory, [a], 1.25, smoother=Counting())
    found, memory = follow(memory, [b, a], 1.75, smoother=Counting())  # b left, and comes back
    assert [tuple(t.recognition.prediction.probs.values()) for t in found] == [(2, 0.75), (3, 0.5)]
    assert [t.track for t in found] == [2, 1]
    (other,), memory = follow(memory, [a], 2.0)  # the average starts anew under the same number
    assert other.track == 1 and other.recognition.prediction.probs == CALM
    (gone,), _ = follow(memory, [a], 9.0, smoother=Counting())
    assert gone.track == 3 and gone.recognition.prediction.probs["happiness"] == 1


def test_a_smoother_of_other_labels_is_not_asked():
    found = recognition(face(100), {"fear": 0.9, "disgust": 0.1})
    (tracked,), memory = follow(Memory(), [found], 0.0, smoother=Counting())
    assert tracked.recognition.prediction.probs == found.prediction.probs
    assert memory.faces[0].smoother == ("average", "fear", "disgust")
