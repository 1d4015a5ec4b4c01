"""What a voice sounds like, over time: windows of two seconds through the network for prosody.

    from fer_cbam.audio import read_sound
    from fer_cbam.voice import Voice

    reading = Voice.from_pretrained().encode(read_sound("clip.mp4"))

Runs on ONNX Runtime, without torch. Needs ``fer-cbam[audio]``.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fer_cbam import pretrained
from fer_cbam.audio import RATE, SHORTEST, SILENCE, Samples, Sound, loudness
from fer_cbam.errors import BackendError, SoundError, WeightsError
from fer_cbam.modalities import Reading
from fer_cbam.onnx_session import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DEFAULT_VOICE = "fer_cbam_prosody.ravdess_emodb"
INPUT, LOGITS, TOKEN = "samples", "logits", "token"
WINDOW = 2 * RATE  # samples
HOP = RATE // 2  # samples from answer to answer
# What counts as voice: 20 ms at most 25 dB under the loud parts of the sound, and a fifth of them
# in a window. Pauses say nothing.
UNDER_LOUD = 10 ** (-25 / 20)
LOUD_QUANTILE = 0.95
LEAST_VOICE = 0.2
_BATCH = 16  # windows at once


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of a sound with enough voice in them.

    samples: float32 ``(W, 32000)``; what lies before the sound is 0. ends: float64 ``(W,)``,
    seconds. voice: share of each with voice, ``(W,)`` in [0, 1].
    """

    samples: Samples
    ends: npt.NDArray[np.float64]
    voice: npt.NDArray[np.float64]


def voiced(samples: Samples, floor: float = SILENCE) -> npt.NDArray[np.bool_]:
    """Which 20 ms count as voice, bool ``(ceil(N / 320),)``.

    samples: float32 ``(N,)`` at 16 kHz. floor: root mean square that a voice lies above.
    """
    loud = loudness(samples)
    found: npt.NDArray[np.bool_] = loud > max(
        float(np.quantile(loud, LOUD_QUANTILE)) * UNDER_LOUD, floor
    )
    return found


def windows(samples: Samples) -> Windows:
    """Windows that end each half second, and at the end of the sound.

    samples: float32 ``(N,)`` at 16 kHz, of half a second or more.
    """
    heard = voiced(samples)
    step = WINDOW // 100  # of `loudness`
    ends = np.arange(HOP, len(samples) + 1, HOP)
    if len(samples) - ends[-1] > HOP // 2:
        ends = np.append(ends, len(samples))
    counts = np.concatenate([[0], np.cumsum(heard)])
    to = np.minimum(np.ceil(ends / step).astype(int), len(heard))
    voice = (counts[to] - counts[np.maximum(to - 100, 0)]) / 100
    kept = voice >= LEAST_VOICE
    padded = np.pad(samples, (WINDOW, 0))
    cut = [padded[end : end + WINDOW] for end in ends[kept]]
    return Windows(
        np.stack(cut) if cut else np.zeros((0, WINDOW), np.float32), ends[kept] / RATE, voice[kept]
    )


class Voice:
    """A :class:`fer_cbam.modalities.Modality` for speech: how it is said, not what.

    label_names: K, in the order of the logits. reliability: what its evidence counts beside others,
    see :class:`fer_cbam.experts.Experts`.
    """

    name = "voice"

    def __init__(self, session: InferenceSession, config: dict[str, Any], weights: str) -> None:
        self._session = session
        self.config = config
        self.weights = weights
        self.label_names = pretrained.label_names(config)
        self.temperature = float(config.get("temperature", 1.0))
        self.reliability = float(config.get("reliability", 1.0))

    @classmethod
    def from_pretrained(cls, source: str | Path = DEFAULT_VOICE) -> Voice:
        """source: the name of embedded weights, or a folder with ``model.onnx``.

        Raises:
            WeightsError: nothing there, damaged, or no network for voices.
            BackendError: ONNX Runtime is not installed.
        """
        folder = pretrained.named_dir("voice", source, pretrained.embedded_voices())
        config = pretrained.read_config(folder)
        if config["architecture"] not in pretrained.VOICES:
            raise WeightsError(f"{folder}: architecture {config['architecture']!r}; expected one "
                               f"of {', '.join(pretrained.VOICES)}")  # fmt: skip
        graph = folder / pretrained.GRAPH_FILE
        if not graph.is_file():
            raise WeightsError(f"{graph}: no such file; expected the network for ONNX Runtime")
        tensors = pretrained.read_tensors(folder)
        try:
            session = open_session(graph.read_bytes(), tensors)
        except ImportError as error:
            raise BackendError("voices need ONNX Runtime, which is not installed; expected: pip "
                               "install 'fer-cbam[audio]'") from error  # fmt: skip
        except Exception as error:  # ONNX Runtime's classes have no base in common but this
            raise WeightsError(f"{graph}: damaged, or not for these weights ({error})") from error
        return cls(session, config, folder.name)

    def encode(self, sound: Sound) -> Reading:
        """An answer each half second in which there is a voice, from the two seconds before.

        The stretch that an answer stands for is the last half second of its window.

        Raises:
            SoundError: too short, or no voice in it (``kind`` "silent").
        """
        steps = self.steps(sound)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                reading: Reading = end.value
                return reading

    def steps(self, sound: Sound) -> Generator[None, None, Reading]:
        """:meth:`encode` a few windows at a time, for servers."""
        if sound.seconds < SHORTEST:
            raise SoundError(f"{sound.seconds:.2f} s of sound; expected at least {SHORTEST:g} s",
                             "too short")  # fmt: skip
        found = windows(sound.samples)
        if not len(found.ends):
            raise SoundError(f"no {LEAST_VOICE * WINDOW / RATE:g} s of voice within "
                             f"{WINDOW // RATE} s; expected some", "silent")  # fmt: skip
        parts = []
        for at in range(0, len(found.samples), _BATCH):
            parts.append(self.forward(found.samples[at : at + _BATCH]))
            yield
        logits, tokens = (np.concatenate(part) for part in zip(*parts, strict=True))
        times = np.stack([np.maximum(found.ends - HOP / RATE, 0), found.ends], 1)
        return Reading(
            self.name, self.label_names, times, logits / self.temperature, tokens,
            cautions=sound.cautions,
        )  # fmt: skip

    def forward(self, samples: Samples) -> tuple[Samples, Samples]:
        """Windows float32 ``(W, 32000)`` -> logits ``(W, K)``, not calibrated, and tokens
        ``(W, D)``."""
        parts = [
            self._session.run([LOGITS, TOKEN], {INPUT: samples[at : at + _BATCH]})
            for at in range(0, len(samples), _BATCH)
        ]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
