"""Sounds and clips with sound, made by the tests and written by PyAV."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed (fer-cbam[audio])")

CODECS = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "mp4": "aac",
          "matroska": "pcm_s16le"}  # fmt: skip
PICTURES = [np.full((48, 64, 3), 10 * number, np.uint8) for number in range(20)]


def tone(seconds: float, hertz: float = 200.0, rate: int = 16_000, level: float = 0.5):
    """Harmonics of a pitch, as a voice has them; float32 ``(N,)``."""
    time = np.arange(round(seconds * rate)) / rate
    waves = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 6))
    return (level * waves / np.abs(waves).max()).astype(np.float32)


def written(
    samples: np.ndarray | None, kind: str = "wav", rate: int = 16_000, late: float | None = None,
    pictures: Sequence[np.ndarray] = PICTURES,
) -> bytes:  # fmt: skip
    """A file's content. samples: ``(N,)`` or ``(2, N)``, None for no sound. late: seconds from the
    first picture to the first sample; None for no pictures. pictures: RGB, ten a second."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        picture = _picture_stream(container, pictures[0]) if late is not None else None
        sound = None
        if samples is not None:
            layout = "mono" if np.ndim(samples) == 1 else "stereo"
            sound = container.add_stream(CODECS[kind], rate=rate, layout=layout)
        if picture is not None:
            _write_pictures(container, picture, pictures)
        if sound is not None:
            _write_sound(container, sound, np.atleast_2d(samples), rate, late or 0.0)
    return file.getvalue()


def _picture_stream(container, picture: np.ndarray):
    stream = container.add_stream("mpeg4", rate=10)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
    return stream


def _write_pictures(container, stream, pictures: Sequence[np.ndarray]) -> None:
    for number, image in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_sound(container, stream, channels: np.ndarray, rate: int, late: float) -> None:
    scaled = np.round(np.clip(channels, -1, 1) * 32767).astype(np.int16)
    packed = np.ascontiguousarray(scaled.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=stream.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = rate, round(late * rate), Fraction(1, rate)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
