"""Any sound to samples: WAV, FLAC, MP3, Ogg, and the sound tracks of clips, at 16 kHz, one channel.

Read is what PyAV's FFmpeg reads from the containers named below, told by their first bytes: a
playlist would make FFmpeg open whatever files and addresses it names. Needs ``fer-cbam[audio]``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fer_cbam.errors import BackendError, SoundError

if TYPE_CHECKING:
    import av

Samples = npt.NDArray[np.float32]

RATE = 16_000  # samples a second
SHORTEST = 0.5  # seconds
LONGEST = 7200.0  # seconds: 460 MB of samples
SILENCE = 10 ** (-70 / 20)  # root mean square of a frame that is none; full scale is 1
FULL_SCALE = 0.985  # what a converter cuts off lies above it
CLIPPED_SHARE = 0.001  # of the samples
FORMATS = ("WAV", "FLAC", "MP3", "Ogg", "AIFF", "MP4", "MOV", "WebM", "MKV", "AVI", "MPEG", "FLV")

_FRAME = RATE // 50  # 20 ms
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_HEADS = (b"fLaC", b"OggS", b"ID3", b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\0\0\1\xba", b"\0\0\1\xb3")


@dataclass(frozen=True, eq=False)
class Sound:
    """samples: float32 ``(N,)``, full scale is 1, ``RATE`` a second; the first is at time 0.

    cautions: in words, what may mislead a listener.
    """

    samples: Samples
    cautions: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def read_sound(source: str | Path | bytes, max_seconds: float = LONGEST) -> Sound:
    """The first sound track of a file, or of a file's content.

    Of a clip with pictures, time 0 is its first picture. What comes after max_seconds is left out.

    Raises:
        SoundError: no file, none of the containers of ``FORMATS``, damaged, no sound track, no
            samples, shorter than ``SHORTEST`` seconds, or silent from end to end.
        BackendError: PyAV is not installed.
    """
    name, head = _head(source)
    if not _is_container(head):
        raise SoundError(f"{name}: not sound; expected {', '.join(FORMATS)}", "not sound")
    av = _av()
    file: Any = io.BytesIO(source) if isinstance(source, bytes) else str(Path(source).resolve())
    try:
        with av.open(file) as container:
            if not container.streams.audio:
                raise SoundError(f"{name}: no sound track; expected one", "no sound track")
            samples, rate = _decoded(container, min(max_seconds, LONGEST))
    except (av.error.FFmpegError, EOFError) as error:
        raise SoundError(f"{name}: damaged, or coded in a way that is not read here ({error})",
                         "damaged") from error  # fmt: skip
    return checked(samples, name, rate)


def checked(samples: npt.ArrayLike, name: str = "sound", rate: int = RATE) -> Sound:
    """Samples at ``RATE`` as a :class:`Sound`, with its cautions.

    rate: that they were recorded at. name: for messages.

    Raises:
        SoundError: not one row of finite numbers, empty, too short, or silent.
    """
    array = np.asarray(samples, np.float32)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise SoundError(
            f"{name}: samples of shape {array.shape}; expected one row of finite numbers"
        )
    if not array.size:
        raise SoundError(f"{name}: empty; expected at least {SHORTEST:g} s of sound", "empty")
    if array.size < SHORTEST * RATE:
        raise SoundError(f"{name}: {array.size / RATE:.2f} s of sound; expected at least "
                         f"{SHORTEST:g} s", "too short")  # fmt: skip
    loudest = loudness(array).max()
    if loudest < SILENCE:
        heard = f"at most {20 * np.log10(max(loudest, 1e-10)):.0f} dB of full scale"
        raise SoundError(f"{name}: silent ({heard}); expected a voice", "silent")
    return Sound(array, tuple(_cautions(array, rate)))


def loudness(samples: Samples) -> Samples:
    """Root mean square of each 20 ms, float32 ``(ceil(N / 320),)``; the last frame may be short."""
    whole = len(samples) // _FRAME * _FRAME
    squares = np.square(samples[:whole].reshape(-1, _FRAME)).mean(1)
    if whole < len(samples):
        squares = np.append(squares, np.square(samples[whole:]).mean())
    return np.asarray(np.sqrt(squares), np.float32)


def _cautions(samples: Samples, rate: int) -> Iterator[str]:
    if rate < RATE:
        yield (f"The sound was recorded at {rate} Hz: nothing above {rate // 2} Hz is in it, which "
               "the network is used to.")  # fmt: skip
    share = _clipped(samples)
    if share > CLIPPED_SHARE:
        yield (f"The sound is clipped: {share:.1%} of it lies at full scale. A voice that is too "
               "loud for the microphone may pass for anger.")  # fmt: skip


def _clipped(samples: Samples) -> float:
    """Share of samples that lie at full scale with both of their neighbours, on the same side."""
    share = 0.0
    for side in (samples, -samples):
        full = side >= FULL_SCALE
        share += float((full[1:-1] & full[:-2] & full[2:]).mean())
    return share


def _head(source: str | Path | bytes) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        name, head = "sound", source[:1024]
    else:
        path = Path(source)
        if not path.is_file():
            raise SoundError(f"{path}: no such file; expected sound or a clip", "missing")
        with path.open("rb") as file:
            name, head = path.name, file.read(1024)
    if not head:
        raise SoundError(f"{name}: 0 bytes; expected {', '.join(FORMATS)}", "empty")
    return name, head


def _is_container(head: bytes) -> bool:
    mpeg_audio = head[0] == 0xFF and len(head) > 1 and head[1] & 0xE0 == 0xE0
    mpeg_ts = any(len(head) > at + 2 * step and head[at] == head[at + step] == head[at + 2 * step]
                  == 0x47 for at, step in ((0, 188), (4, 192)))  # fmt: skip
    return (
        head.startswith(_HEADS) or mpeg_audio or mpeg_ts or head[4:8] in _ATOMS
        or (head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"AVI "))
        or (head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"))
    )  # fmt: skip


def _decoded(container: Any, max_seconds: float) -> tuple[Samples, int]:
    """Samples from the time of the first picture, and the rate that they were recorded at."""
    stream = container.streams.audio[0]
    resampler = _av().AudioResampler(format="fltp", rate=RATE)
    parts: list[Samples] = []
    most, count, shift = round(max_seconds * RATE), 0, 0
    for number, frame in enumerate(container.decode(stream)):
        if number == 0:
            shift = round(_late(container, frame) * RATE)
        made = [part.to_ndarray().mean(0) for part in resampler.resample(frame)]
        parts += made
        count += sum(map(len, made))
        if count + shift >= most:
            break
    else:
        parts += [part.to_ndarray().mean(0) for part in resampler.resample(None)]
    samples = np.concatenate([np.zeros(max(0, shift), np.float32), *parts])
    return samples[max(0, -shift) :][:most].astype(np.float32), int(stream.rate)


def _late(container: Any, frame: av.AudioFrame) -> float:
    """Seconds by which the sound begins after the picture, below 0 if before it."""
    pictures = [s for s in container.streams.video if not s.disposition & _ATTACHED]
    if not pictures or frame.time is None or pictures[0].start_time is None:
        return 0.0
    return float(frame.time - pictures[0].start_time * pictures[0].time_base)


_ATTACHED = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the cover of a record is no clip


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise BackendError(
            "sound needs PyAV, which is not installed; expected: pip install 'fer-cbam[audio]'"
        ) from error
    return av
