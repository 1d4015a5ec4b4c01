"""A microphone's half seconds: what is said of the last two, and what is kept of them."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from fer_cbam.audio import RATE
from fer_cbam.data.lines import LABELS
from fer_cbam.modalities import Reading
from fer_cbam.serve import listening
from fer_cbam.serve.listening import Heard, Listeners, answer_voice, together_with
from fer_cbam.types import Prediction
from fer_cbam.voice import WINDOW, Voice
from tests.modality_networks import write_voice
from tests.sounds import tone

PIECE = RATE // 2


@pytest.fixture(scope="module")
def voice(tmp_path_factory) -> Voice:
    return Voice.from_pretrained(write_voice(tmp_path_factory.mktemp("v"), "sadness", 0.9))


def url(samples: np.ndarray) -> str:
    whole = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    return f"data:audio/l16;base64,{base64.b64encode(whole.tobytes()).decode()}"


def ask(voice, listeners, samples, memory=None) -> dict:
    return answer_voice(voice, listeners, {"sound": url(samples), "memory": memory})


def test_a_voice_is_answered_from_the_last_two_seconds(voice):
    listeners, memory = Listeners(), None
    sound = tone(3, 140)
    for number in range(6):
        answer = ask(voice, listeners, sound[number * PIECE : (number + 1) * PIECE], memory)
        memory = answer["memory"]
        assert not answer["failed"] and answer["message"] == ""
        assert answer["voice"]["label"] == "sadness"
        assert answer["voice"]["probs"]["sadness"] == pytest.approx(0.9, abs=1e-3)
    assert json.loads(json.dumps(answer)) == answer
    assert list(answer["colors"]) == list(voice.label_names)
    # Two seconds are kept, of one visitor, and they are the last ones.
    assert len(listeners) == 1
    kept = listeners.get(memory)
    assert kept.samples.shape == (WINDOW,)
    np.testing.assert_allclose(kept.samples, sound[-WINDOW:], atol=1e-4)


def test_the_network_sees_what_it_sees_of_a_file(voice, monkeypatch):
    seen = []
    forward = voice.forward
    monkeypatch.setattr(voice, "forward", lambda samples: seen.append(samples) or forward(samples))
    listeners, sound = Listeners(), tone(1, 140)
    memory = ask(voice, listeners, sound[:PIECE])["memory"]
    ask(voice, listeners, sound[PIECE:], memory)
    early, late = seen
    assert early.shape == late.shape == (1, WINDOW)
    assert not late[0, :-RATE].any()  # what lies before the sound is 0
    np.testing.assert_allclose(late[0, -RATE:], sound, atol=1e-4)


def test_where_nobody_speaks_nothing_is_said(voice):
    rng = np.random.default_rng(0)
    noise = 0.001 * rng.standard_normal(WINDOW)  # -60 dB of full scale
    for sound, message in (
        (np.zeros(WINDOW), listening.MUTED), (noise, listening.NOBODY),
        (tone(0.25), listening.WAITING),
    ):  # fmt: skip
        listeners = Listeners()
        answer = ask(voice, listeners, sound)
        assert answer["message"] == message and answer["voice"] is None and not answer["failed"]
        assert listeners.get(answer["memory"]).reading is None
    # A fifth of the window is enough.
    part = np.concatenate([noise[: WINDOW - 9 * RATE // 20], tone(0.45)])
    assert ask(voice, Listeners(), part)["voice"] is not None


def test_what_may_mislead_is_said(voice):
    answer = ask(voice, Listeners(), np.clip(5 * tone(1), -1, 1))
    assert answer["voice"] is not None and answer["message"].startswith("The sound is clipped")


@pytest.mark.parametrize(
    ("sound", "problem"),
    [
        (None, "expected a data URL"),
        ("data:audio/l16;base64,AA==", "1 bytes; expected two for each sample"),
        ("data:audio/l16;base64," + "A" * 3 * listening.MAX_PIECE, "expected at most 0 MB"),
    ],
)
def test_what_is_no_sound_is_said(voice, sound, problem):
    listeners = Listeners()
    answer = answer_voice(voice, listeners, {"sound": sound})
    assert answer["failed"] and len(listeners) == 0
    assert (
        answer["message"].startswith("The sound cannot be read.") and problem in answer["message"]
    )


def heard(sadness: float) -> Heard:
    place, count = LABELS.index("sadness"), len(LABELS)
    probs = np.full((1, count), (1 - sadness) / (count - 1))
    probs[0, place] = sadness
    empty = np.zeros((1, 1), np.float32)
    return Heard(reading=Reading("voice", LABELS, np.zeros((1, 2)), np.log(probs), empty))


def test_a_face_and_a_voice_together():
    probs = dict.fromkeys(LABELS, 0.05) | {"happiness": 0.7}
    face = Prediction("happiness", 0.7, probs)
    found = together_with(heard(0.88), face, None, reliability=1.0)
    # By hand: products of the two, over their sum.
    products = {label: probs[label] * 0.02 for label in LABELS} | {"sadness": 0.05 * 0.88}
    share = products["sadness"] / sum(products.values())
    assert found["label"] == "sadness" and found["prob"] == pytest.approx(share, abs=1e-4)
    assert found["disagree"] == "face: happiness, voice: sadness"
    weak = together_with(heard(0.88), face, None, reliability=0.1)
    assert weak["label"] == "happiness" and weak["disagree"] == found["disagree"]
    assert together_with(heard(0.3), face, None, reliability=1.0)["disagree"] == ""
    assert together_with(Heard(), face, None, 1.0) is None
    none = Prediction("happiness", 0.7, probs, no_face=True)
    assert together_with(heard(0.88), none, None, 1.0) is None
