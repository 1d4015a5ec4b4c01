"""What is heard or read of a clip, beside the faces that are seen in it."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fer_cbam.audio import LONGEST, SHORTEST, read_sound
from fer_cbam.errors import SoundError
from fer_cbam.modalities import Joined, Reading, join
from fer_cbam.text import DEFAULT_TEXT, TextReader
from fer_cbam.transcripts import Transcript, read_transcript
from fer_cbam.types import Prediction
from fer_cbam.video.timeline import TimelinePoint
from fer_cbam.voice import DEFAULT_VOICE, Voice

FACE = "face"
#: What is said and what is seen in one moment err together, and no paired recordings were at hand
#: to learn a weight from: words count half.
TEXT_RELIABILITY = 0.5
#: Kind of a :class:`SoundError` -> what is said of a clip that has no voice for it.
UNHEARD = {
    "no sound track": "the clip has no sound track",
    "silent": "the sound is silent, or nobody speaks in it",
    "too short": f"less than {SHORTEST:g} seconds of sound",
    "empty": "the sound track is empty",
    "not sound": "its sound is in a container that is not read here",
    "damaged": "the sound track is damaged, or coded in a way that is not read here",
}


@dataclass(frozen=True)
class Stretch(TimelinePoint):
    """What a modality says of a stretch of time. begin, time: its begin and end, in seconds. words:
    those that it is of, if any."""

    begin: float = 0.0
    words: str = ""


@dataclass(frozen=True, eq=False)
class Beside:
    """readings: of other modalities, one each. reliability: see
    :class:`fer_cbam.experts.Experts`. notes: in words, what could not be heard. words: for a
    modality that reads some, those of each stretch of time."""

    readings: Sequence[Reading] = ()
    reliability: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def timelines(self, seconds: float = math.inf) -> dict[str, list[Stretch]]:
        """Of each modality a point for each answer, at its end. seconds: of the clip; a transcript
        may go on behind it."""
        return {
            reading.modality: [
                replace(stretch, time=min(stretch.time, seconds))
                for stretch in _stretches(reading, self.words.get(reading.modality))
                if stretch.begin < seconds
            ]
            for reading in self.readings
        }

    def and_also(self, other: Beside) -> Beside:
        """Both; a modality that both have stands twice, which :class:`Together` refuses."""
        return Beside(
            [*self.readings, *other.readings], {**self.reliability, **other.reliability},
            [*self.notes, *other.notes], {**self.words, **other.words},
        )  # fmt: skip


def read(
    transcript: str | Path | Transcript, reader: TextReader | str | Path = DEFAULT_TEXT
) -> Beside:
    """What is said in a clip.

    transcript: a file, see :func:`fer_cbam.transcripts.read_transcript`, or its lines. reader: the
    network, or where its weights are, see :meth:`fer_cbam.text.TextReader.from_pretrained`.

    Raises:
        TextError: a transcript that cannot be read.
        WeightsError: no weights for text.
        BackendError: pysubs2 or ONNX Runtime is not installed.
    """
    if isinstance(reader, str | Path):
        reader = TextReader.from_pretrained(reader)
    lines = transcript if isinstance(transcript, Transcript) else read_transcript(transcript)
    reading = reader.encode(lines)
    words = [line.text for line in lines.lines]
    return Beside([reading], {reader.name: TEXT_RELIABILITY}, reading.cautions,
                  {reader.name: words})  # fmt: skip


def hear(
    path: str | Path,
    max_seconds: float | None = None,
    voice: Voice | str | Path = DEFAULT_VOICE,
) -> Beside:
    """The voice of a clip or of sound alone. Without sound, or without a voice in it, there is no
    reading, and a note says why.

    voice: the network, or where its weights are, see :meth:`fer_cbam.voice.Voice.from_pretrained`.

    Raises:
        WeightsError: no weights for voices.
        BackendError: PyAV or ONNX Runtime is not installed.
    """
    if isinstance(voice, str | Path):
        voice = Voice.from_pretrained(voice)
    steps = hearing(path, voice, LONGEST if max_seconds is None else max_seconds)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            beside: Beside = end.value
            return beside


def hearing(path: str | Path, voice: Voice, max_seconds: float) -> Generator[None, None, Beside]:
    """:func:`hear` a little at a time, for servers."""
    try:
        sound = read_sound(path, max_seconds)
        yield
        reading = yield from voice.steps(sound)
    except SoundError as error:
        return Beside(notes=[f"No voice: {UNHEARD.get(error.kind, str(error))}."])
    return Beside([reading], {voice.name: voice.reliability}, list(reading.cautions))


class Together:
    """Joins what a face shows at a moment with what others say then.

    label_names: of the face's weights. class_mix: label -> share that their probabilities expect;
    None for equal ones.
    """

    def __init__(
        self, beside: Beside, label_names: Sequence[str], class_mix: Mapping[str, float] | None
    ) -> None:
        self.names = tuple(reading.modality for reading in beside.readings)
        self.label_names = tuple(label_names)
        self._beside = beside
        self._prior = None
        if class_mix is not None:
            self._prior = np.array([class_mix[label] for label in self.label_names])

    def at(self, time: float, prediction: Prediction) -> Joined:
        """One row. time: seconds into the clip. What is no face says nothing."""
        rows = 0 if prediction.no_face else 1
        probs = np.array([[prediction.probs[label] for label in self.label_names]])[:rows]
        shown = Reading(
            FACE, self.label_names, np.array([[time, time]])[:rows],
            np.log(np.clip(probs, 1e-12, None)), np.zeros((rows, 0), np.float32), self._prior,
        )  # fmt: skip
        heard = [_only(reading, time) for reading in self._beside.readings]
        return join([shown, *heard], [time], self._beside.reliability)


def probs_of(label_names: Sequence[str], row: np.ndarray) -> dict[str, float] | None:
    """Label -> probability; None for a modality that says nothing."""
    if np.isnan(row).any():
        return None
    return dict(zip(label_names, row.tolist(), strict=True))


def _only(reading: Reading, time: float) -> Reading:
    """The part of a reading that speaks at a time: a long one is not searched for each frame."""
    there = np.flatnonzero((reading.times[:, 0] <= time) & (reading.times[:, 1] >= time))[-1:]
    return Reading(
        reading.modality, reading.label_names, reading.times[there], reading.logits[there],
        reading.tokens[there], reading.prior,
    )  # fmt: skip


def _stretches(reading: Reading, words: Sequence[str] | None) -> list[Stretch]:
    return [
        Stretch(float(end), probs_of(reading.label_names, row), float(begin), said)
        for (begin, end), row, said in zip(
            reading.times, reading.posterior(), words or [""] * len(reading), strict=True
        )
    ]
