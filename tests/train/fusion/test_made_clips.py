"""Made clips with a made-up recogniser: what is joined, chosen and counted."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.backends.base import Forward
from fer_cbam.data.base import Dataset
from fer_cbam.decide import Decision
from fer_cbam.models.prosody import LABELS
from fer_cbam.types import Sample
from train.fusion import made_clips
from train.fusion.made_clips import Voices, best_reliability, made, moved, records, shown, table

FACE_LABELS = (*LABELS, "contempt")


class Recognizer:
    """A face's grey level is its label; sure of it by `scale`, in one case of five of the next."""

    label_names = FACE_LABELS
    decision = Decision(FACE_LABELS)

    def __init__(self, scale: float = 3.0) -> None:
        self.scale, self.backend = scale, self

    def class_mix(self) -> None:
        return None

    def preprocess(self, crops):
        return np.array([crop.mean() for crop in crops])

    def forward(self, x):
        places = np.round(x / 30).astype(int)
        logits = self.scale * np.eye(len(FACE_LABELS))[places]
        return Forward(logits, np.zeros((len(x), 8, 1, 1)), None, None)


def faces() -> Dataset:
    samples = [
        Sample(f"{label}:{n}", np.full((48, 48), 30 * place, np.uint8), label)
        for place, label in enumerate(LABELS) for n in range(3)
    ]  # fmt: skip
    return Dataset("made", FACE_LABELS, tuple(samples))


def voices(right: float) -> Voices:
    """Two of each label by each of five actors; sure of its label by `right`."""
    label = np.repeat(LABELS, 10)
    probs = np.full((70, 7), (1 - right) / 6)
    probs[np.arange(70), np.repeat(np.arange(7), 10)] = right
    return Voices(label, np.tile([f"RAVDESS {n:02}" for n in range(5)], 14), np.log(probs))


@pytest.fixture(autouse=True)
def _still(monkeypatch):
    """Few clips, and faces whose grey level stays."""
    monkeypatch.setattr(made_clips, "EACH", 42)
    monkeypatch.setattr(made_clips, "moved", lambda pixels, rng: pixels)


def test_clips_agree_or_do_not() -> None:
    rng = np.random.default_rng(0)
    agree, conflict = (made(Recognizer(), faces(), voices(0.7), rng, x) for x in (True, False))
    assert all(clip.face_label == clip.voice_label for clip in agree)
    assert all(clip.face_label != clip.voice_label for clip in conflict)
    for clip in (*agree, *conflict):
        assert FACE_LABELS[clip.face.argmax()] == clip.face_label
        assert LABELS[clip.voice.argmax()] == clip.voice_label
    assert {clip.face_label for clip in conflict} == set(LABELS)


def test_what_is_counted() -> None:
    rng = np.random.default_rng(0)
    pair = {
        name: table(made(Recognizer(), faces(), voices(0.7), rng, name == "agree"),
                    Recognizer(), 0.5)
        for name in ("agree", "conflict")
    }  # fmt: skip
    assert pair["agree"]["surer"].mean() == 1 and pair["agree"]["reported"].mean() == 0
    assert pair["conflict"]["surer"].mean() == 0 and pair["conflict"]["reported"].mean() == 1
    # By hand: the face's odds of its label, times the root of the voice's.
    face = np.exp([3.0, *[0.0] * 7])
    face /= face.sum()
    # Contempt, which the voice does not know, gets the mean of its probabilities.
    voice = np.array([0.7, *[0.05] * 6, 1 / 7])
    both = face * voice**0.5
    assert pair["agree"]["together confidence"].iloc[0] == pytest.approx(both[0] / both.sum())
    found = {(r.get("condition"), r["metric"]): r for r in records(pair)}
    assert found[None, "conflict auc"]["value"] == 1
    assert found["conflict", "reported, both right"]["n"] == 42
    right = pair["agree"]["face confidence"].iloc[0]
    assert found["agree", "face ece"]["value"] == pytest.approx(1 - right)


def test_a_voice_that_knows_nothing_does_not_count() -> None:
    rng = np.random.default_rng(0)
    confused = voices(0.7)
    wrong = Voices(confused.label, confused.actor, np.roll(confused.logs, 1, axis=1))
    clips = made(Recognizer(), faces(), wrong, rng, True)
    assert best_reliability(clips, Recognizer()) < 0.01
    assert best_reliability(made(Recognizer(), faces(), confused, rng, True), Recognizer()) > 1.5


def test_a_face_is_moved_a_little() -> None:
    pixels = np.zeros((48, 48), np.uint8)
    pixels[20:28, 20:28] = 200
    rng = np.random.default_rng(0)
    frames = [moved(pixels, rng) for _ in range(8)]
    assert len({frame.tobytes() for frame in frames}) == 8
    for frame in frames:
        row, column = (np.average(np.arange(48), weights=frame.sum(axis)) for axis in (1, 0))
        assert abs(row - 23.5) < 3 and abs(column - 23.5) < 3
        assert 150 < frame.max() < 225
    probs = shown(Recognizer(), pixels, rng)
    assert probs.sum() == pytest.approx(1)
