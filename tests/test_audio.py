"""Sound from every container, where it begins, and what is said of bad sound."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.audio import RATE, checked, loudness, read_sound
from fer_cbam.errors import SoundError
from tests.sounds import tone, written


@pytest.mark.parametrize(
    ("kind", "shift", "least"),
    [("wav", 0, 0.9999), ("flac", 0, 0.9999), ("matroska", 0, 0.9999), ("mp3", None, 0.99),
     ("mp4", None, 0.95)],
)  # fmt: skip
def test_every_container_gives_the_samples(kind: str, shift: int | None, least: float) -> None:
    samples = tone(1.5, 200.0) * np.linspace(0.2, 1, 24_000, dtype=np.float32)
    sound = read_sound(written(samples, kind))
    read = sound.samples
    assert abs(sound.seconds - 1.5) < 0.2 and read.dtype == np.float32 and not sound.cautions
    if shift is None:  # an encoder's delay
        lags = [np.dot(read[lag:][:20_000], samples[: len(read[lag:][:20_000])])
                for lag in range(2500)]  # fmt: skip
        shift = int(np.argmax(lags))
    size = min(len(read) - shift, len(samples))
    assert np.corrcoef(read[shift:][:size], samples[:size])[0, 1] > least


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz(rate: int) -> None:
    sound = read_sound(written(tone(2, 440.0, rate), "wav", rate))
    spectrum = np.abs(np.fft.rfft(sound.samples))
    peak = np.argmax(spectrum) * RATE / len(sound.samples)
    assert peak == pytest.approx(440, abs=1) and sound.seconds == pytest.approx(2, abs=0.01)
    assert bool(sound.cautions) == (rate < RATE)
    assert all("nothing above 4000 Hz" in caution for caution in sound.cautions)


def test_two_channels_are_averaged() -> None:
    left, right = tone(1, 200), tone(1, 500)
    sound = read_sound(written(np.stack([left, right])))
    np.testing.assert_allclose(sound.samples, (left + right) / 2, atol=1e-3)


@pytest.mark.parametrize("late", [0.0, 0.4])
def test_time_0_is_the_first_picture(late: float) -> None:
    sound = read_sound(written(tone(1), "matroska", late=late))
    began = np.flatnonzero(np.abs(sound.samples) > 0.01)[0] / RATE
    assert began == pytest.approx(late, abs=0.01)
    assert sound.seconds == pytest.approx(1 + late, abs=0.01)


def test_max_seconds() -> None:
    content = written(tone(3))
    sound = read_sound(content, max_seconds=1.25)
    np.testing.assert_array_equal(sound.samples, read_sound(content).samples[: int(1.25 * RATE)])


def test_clipped_sound_has_a_caution() -> None:
    hot = np.clip(3 * tone(1), -1, 1)
    (caution,) = read_sound(written(hot)).cautions
    assert caution.startswith("The sound is clipped: ") and "%" in caution
    for side in (hot, -hot):  # one that is cut off on one side only
        assert checked(np.maximum(side, -0.9)).cautions
    assert not checked(tone(1, level=0.99)).cautions  # peaks that touch it are whole


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", "empty", "0 bytes; expected WAV"),
        (b"#EXTM3U\nhttp://example.org/a.wav\n", "not sound", "not sound; expected WAV"),
        (b"RIFF\0\0\0\0WAVEjunk", "damaged", "damaged, or coded"),
        (written(None, "mp4", late=0.0), "no sound track", "no sound track; expected one"),
        (written(tone(0.3)), "too short", "0.30 s of sound; expected at least 0.5 s"),
        (written(np.zeros(16_000, np.float32)), "silent", "silent .at most -200 dB"),
        (written(1e-4 * tone(1)), "silent", r"silent .at most -\d\d dB of full scale"),
    ],
)  # fmt: skip
def test_bad_sound_is_a_named_error(content: bytes, kind: str, message: str) -> None:
    with pytest.raises(SoundError, match=message) as caught:
        read_sound(content)
    assert caught.value.kind == kind


def test_samples_that_are_none() -> None:
    with pytest.raises(SoundError, match="empty; expected at least") as caught:
        checked(np.zeros(0))
    assert caught.value.kind == "empty"
    with pytest.raises(SoundError, match=r"shape \(2, 16000\); expected one row"):
        checked(np.zeros((2, 16_000)))
    with pytest.raises(SoundError, match="finite"):
        checked(np.full(16_000, np.nan))


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(SoundError, match=r"gone\.wav: no such file") as caught:
        read_sound(tmp_path / "gone.wav")
    assert caught.value.kind == "missing"
    (tmp_path / "a.flac").write_bytes(written(tone(1), "flac"))
    assert read_sound(tmp_path / "a.flac").seconds == 1


def test_loudness() -> None:
    samples = np.concatenate([np.full(320, 0.5), np.full(320, -0.1), np.full(10, 0.2)])
    np.testing.assert_allclose(loudness(samples.astype(np.float32)), [0.5, 0.1, 0.2], rtol=1e-5)
