"""What a visitor's microphone hears: the voice of the last two seconds, for as long as it is on.

Half seconds of samples come in. What is kept are the last two seconds of each visitor, in memory,
under a ticket that cannot be guessed; they are dropped when the microphone is stopped, and soon
after the last half second came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fer_cbam.audio import RATE, SHORTEST, Samples, Sound, checked
from fer_cbam.data_urls import from_data_url
from fer_cbam.decide import softmax
from fer_cbam.errors import SoundError
from fer_cbam.modalities import Reading
from fer_cbam.serve.page import label_colors
from fer_cbam.serve.tickets import Tickets
from fer_cbam.types import Prediction
from fer_cbam.video.together import Beside, Together
from fer_cbam.voice import LEAST_VOICE, WINDOW, Voice, voiced

KEEP_SECONDS = 5.0
MOST = 200  # visitors at once: 26 MB
MAX_PIECE = 2 * WINDOW  # bytes of a question: two seconds of 16 bits
#: Root mean square of 20 ms; what a microphone gives of a quiet room lies below it.
ROOM = 10 ** (-50 / 20)
WAITING = "Listening…"
NOBODY = "Nobody speaks."
MUTED = "The microphone is silent. Is it muted?"


@dataclass(frozen=True, eq=False)
class Heard:
    """samples: the last two seconds or less. reading: what the voice in them says, of one moment;
    None where there is none."""

    samples: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    reading: Reading | None = None


class Listeners(Tickets[Heard]):
    """What was heard of each visitor, by ticket."""

    def __init__(self, keep_seconds: float = KEEP_SECONDS, most: int = MOST) -> None:
        super().__init__(Heard(), keep_seconds, most)


def answer_voice(voice: Voice, listeners: Listeners, question: dict[str, Any]) -> dict[str, Any]:
    """What the voice of the last two seconds says.

    question: ``sound``, a data URL of 16-bit samples at 16 kHz, and ``memory``, the ticket of the
    last answer, None at first. Answers ``voice`` (``label`` and ``probs``; None where nobody
    speaks), the ``colors`` of its labels, a ``message`` and the ticket.
    """
    try:
        came = _samples(question.get("sound"))
    except SoundError as error:
        return {"failed": True, "message": f"The sound cannot be read. {error}"}
    ticket = question.get("memory")
    samples = np.concatenate([listeners.get(ticket).samples, came])[-WINDOW:]
    reading, message = _reading(voice, samples)
    probs = None if reading is None else reading.posterior()[0]
    said = None
    if probs is not None:
        named = zip(voice.label_names, probs.round(4).tolist(), strict=True)
        said = {"label": voice.label_names[int(probs.argmax())], "probs": dict(named)}
    return {
        "failed": False, "message": message, "voice": said,
        "colors": label_colors(voice.label_names),
        "memory": listeners.put(Heard(samples, reading), ticket),
    }  # fmt: skip


def together_with(
    heard: Heard, prediction: Prediction, class_mix: dict[str, float] | None, reliability: float
) -> dict[str, Any] | None:
    """What a face and the voice that is heard say together: ``label``, ``prob``, and who is sure of
    what where they ``disagree``. None where there is no voice, or no face."""
    if heard.reading is None or prediction.no_face:
        return None
    beside = Beside([heard.reading], {heard.reading.modality: reliability})
    joined = Together(beside, tuple(prediction.probs), class_mix).at(0.0, prediction)
    top = int(joined.probs[0].argmax())
    return {
        "label": joined.label_names[top], "prob": round(float(joined.probs[0, top]), 4),
        "disagree": joined.in_words(0) if joined.disagree[0] else "",
    }  # fmt: skip


def _samples(sound: object) -> Samples:
    data = from_data_url(sound, MAX_PIECE, "sound", SoundError)
    if len(data) % 2:
        raise SoundError(f"sound: {len(data)} bytes; expected two for each sample")
    samples: Samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    return samples


def _reading(voice: Voice, samples: Samples) -> tuple[Reading | None, str]:
    if len(samples) < SHORTEST * RATE:
        return None, WAITING
    try:
        sound = checked(samples)
    except SoundError:
        return None, MUTED
    if voiced(samples, ROOM).sum() < LEAST_VOICE * 50 * WINDOW / RATE:  # of 50 a second
        return None, NOBODY
    return _of_window(voice, sound), " ".join(sound.cautions)


def _of_window(voice: Voice, sound: Sound) -> Reading:
    window = np.pad(sound.samples, (WINDOW - len(sound.samples), 0))[None]
    logits, tokens = voice.forward(window)
    times = np.zeros((1, 2))
    calibrated = softmax(logits / voice.temperature)
    return Reading(voice.name, voice.label_names, times, np.log(np.clip(calibrated, 1e-12, None)),
                   tokens, cautions=sound.cautions)  # fmt: skip
