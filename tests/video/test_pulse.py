"""A clip of a face with a pulse of known rate, from the file to the summary."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from fer_cbam.commands.heard import heart
from fer_cbam.physiology.pulse import CAUTION, LONGEST, PulseFinder, skin_colour
from fer_cbam.types import Face
from fer_cbam.video import analyse, run
from tests.video.clips import write_clip
from tests.video.test_analysis import Recognizer

SKIN, BLOOD, RATE = np.array([180.0, 130.0, 110.0]), np.array([0.33, 0.77, 0.53]), 20
LANDMARKS = np.array([[60, 50], [100, 50], [80, 70], [66, 90], [94, 90]], np.float32)
BOX = np.array([40, 20, 120, 110], np.float32)


class Detector:
    def detect(self, image):
        return [Face(BOX, 0.9, LANDMARKS)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Ten seconds of skin under a pulse of 84 a minute, with the noise of a camera."""
    rng = np.random.default_rng(0)

    def frames():
        for n in range(10 * RATE):
            light = 1 + 0.02 * np.sin(2 * np.pi * 1.4 * n / RATE) * BLOOD
            image = SKIN * light + rng.normal(0, 2, (128, 160, 3))
            yield np.clip(image, 0, 255).astype(np.uint8)

    return write_clip(tmp_path_factory.mktemp("pulse") / "a.avi", frames(), RATE, "FFV1")


def test_the_rate_is_that_of_the_clip(clip, tmp_path):
    table = tmp_path / "faces.csv"
    result = run(analyse(clip, Recognizer(), Detector(), pulse=True, table=table))
    (pulse,) = result.tracks[0].pulse
    assert pulse.bpm == pytest.approx(84, abs=2)
    assert CAUTION in result.notes
    (told,) = result.to_dict()["tracks"][0]["pulse"]
    assert told["bpm"] == round(pulse.bpm, 1) and told["reason"] == ""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pulse_bpm"] for row in rows] == [f"{pulse.bpm:.1f}"] * 10 * RATE
    assert heart(pulse).startswith(f"at 5.0 s: pulse {pulse.bpm:.0f} a minute (quality")


def test_too_few_frames_say_so(clip):
    result = run(analyse(clip, Recognizer(), Detector(), pulse=True, every=4))
    (pulse,) = result.tracks[0].pulse
    assert pulse.bpm is None and "5 frames a second" in pulse.reason
    assert CAUTION not in result.notes
    assert heart(pulse) == f"at {pulse.time:.1f} s: no pulse ({pulse.reason})"


def colours(seconds, bpm, start=0.0):
    times = np.arange(start, start + seconds, 1 / RATE)
    return times, SKIN * (1 + 0.01 * np.sin(2 * np.pi * bpm / 60 * times)[:, None] * BLOOD)


def test_a_rate_each_five_seconds_follows_a_heart_that_quickens():
    finder = PulseFinder()
    for part in (colours(40, 60), colours(40, 90, 40.0)):
        for time, colour in zip(*part, strict=True):
            finder.add(time, colour)
    found = finder.pulses()
    assert [p.time for p in found] == pytest.approx([10 + 5 * i for i in range(12)], abs=0.1)
    assert found[0].bpm == pytest.approx(60, abs=1) and found[-1].bpm == pytest.approx(90, abs=1)
    assert len(finder._seen) <= LONGEST * RATE + 2  # no more than its window is held


def test_a_loss_begins_anew():
    finder = PulseFinder()
    for part in (colours(12, 70), colours(3, 70, 20.0)):
        for time, colour in zip(*part, strict=True):
            finder.add(time, colour)
    first, second = finder.pulses()
    assert first.bpm == pytest.approx(70, abs=2)
    assert second.bpm is None and "s of a face; expected" in second.reason
    assert PulseFinder().pulses() == []


def test_without_skin_there_is_nothing_to_add():
    finder = PulseFinder()
    finder.add(0.0, skin_colour(np.zeros((128, 160, 3), np.uint8), LANDMARKS))
    assert finder.pulses() == []
