"""A pulse of known rate in colours and in made-up faces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as dsp

from fer_cbam.physiology.pulse import pos, pulse_of, skin_colour, spectral_peak

SKIN = np.array([180.0, 130.0, 110.0])
# How strongly a pulse shows in red, green and blue: de Haan and van Leest 2014.
BLOOD = np.array([0.33, 0.77, 0.53])
RATE = 30.0
LANDMARKS = np.array([[80, 90], [140, 90], [110, 120], [88, 150], [132, 150]], np.float32)


def colours(bpm=72.0, amplitude=0.01, seconds=20.0, light=0.0, noise=0.0, seed=0):
    """Skin in a light that flickers at 25 a minute, with a pulse and noise."""
    rng = np.random.default_rng(seed)
    times = np.arange(0, seconds, 1 / RATE)
    pulse = amplitude * np.sin(2 * np.pi * bpm / 60 * times)[:, None] * BLOOD
    shade = light * np.sin(2 * np.pi * 25 / 60 * times + 1)[:, None]
    rgb = SKIN * (1 + pulse) * (1 + shade) + rng.normal(0, noise, (len(times), 3))
    return times, rgb


@pytest.mark.parametrize("bpm", [48, 72, 95, 150])
def test_the_rate_that_was_put_in(bpm):
    got = pulse_of(*colours(bpm, light=0.1, noise=0.2))
    assert got.bpm == pytest.approx(bpm, abs=2)
    assert got.time == pytest.approx(10, abs=0.1) and not got.reason


def test_pos_as_its_paper_writes_it():
    _, rgb = colours(noise=0.5)
    size = round(1.6 * RATE)
    expected = np.zeros(len(rgb))
    for n in range(size, len(rgb) + 1):  # algorithm 1, line by line
        c = rgb[n - size : n].T
        cn = np.diag(1 / c.mean(1)) @ c
        s = np.array([[0, 1, -1], [-2, 1, 1]]) @ cn
        h = s[0] + s[0].std() / s[1].std() * s[1]
        expected[n - size : n] += h - h.mean()
    np.testing.assert_allclose(pos(rgb, RATE), expected, atol=1e-12)


def test_light_that_changes_all_colours_alike_is_no_pulse():
    times, rgb = colours(amplitude=0.0, light=0.05, noise=0.3)
    green = rgb[:, 1] - rgb[:, 1].mean()
    assert np.abs(pos(rgb, RATE)).std() < 0.2 * np.abs(green / rgb[:, 1].mean()).std() * RATE * 1.6
    got = pulse_of(times, rgb)
    assert got.bpm is None and "no clear pulse" in got.reason


def test_the_peak_and_its_quality_against_scipy():
    times = np.arange(0, 20, 1 / RATE)
    rng = np.random.default_rng(1)
    wave = np.sin(2 * np.pi * 1.3 * times) + rng.normal(0, 0.5, len(times))
    bpm, quality = spectral_peak(wave, RATE)
    hertz, power = dsp.periodogram(wave, RATE, "hann", 8192)
    inside = (hertz >= 0.7) & (hertz <= 6)
    near = (np.abs(hertz - bpm / 60) <= 0.1) | (np.abs(hertz - bpm / 30) <= 0.2)
    expected = 10 * np.log10(power[inside & near].sum() / power[inside & ~near].sum())
    assert bpm == pytest.approx(78, abs=1)
    assert quality == pytest.approx(expected, abs=0.3)


def test_when_it_keeps_silent_and_why():
    times, rgb = colours()
    assert "5.0 s of a face" in pulse_of(times[:151], rgb[:151]).reason
    assert "frames a second" in pulse_of(times[::5], rgb[::5]).reason
    gap = rgb.copy()
    gap[200:230] = np.nan
    assert "lost for 1.0 s" in pulse_of(times, gap).reason
    assert pulse_of([], np.empty((0, 3))).bpm is None
    # Short losses are bridged.
    few = rgb.copy()
    few[200:206] = np.nan
    assert pulse_of(times, few).bpm == pytest.approx(72, abs=1)


def test_times_that_jump_about_are_used_as_they_are():
    rng = np.random.default_rng(0)
    times, _ = colours()
    times = np.sort(times + rng.uniform(-0.012, 0.012, len(times)))
    rgb = SKIN * (1 + 0.01 * np.sin(2 * np.pi * 1.2 * times)[:, None] * BLOOD)
    assert pulse_of(times, rgb).bpm == pytest.approx(72, abs=1)


def test_skin_is_cheeks_and_forehead_and_not_the_eyes_or_the_background():
    image = np.full((240, 220, 3), 40, np.uint8)  # background
    image[40:190, 55:165] = SKIN
    for x, y in LANDMARKS[:2].astype(int):
        image[y - 8 : y + 8, x - 12 : x + 12] = 255  # eyes, burnt out
    image[140:162, 85:135] = (200, 20, 20)  # the mouth
    np.testing.assert_allclose(skin_colour(image, LANDMARKS), SKIN, atol=1)
    # A cheek of another colour than the rest moves the mean by its share.
    image[100:140, 55:100] = (100, 130, 110)
    got = skin_colour(image, LANDMARKS)
    assert 130 < got[0] < 175 and got[1] == pytest.approx(130, abs=1)


def test_no_skin_in_the_dark_or_outside_the_picture():
    assert skin_colour(np.zeros((240, 220, 3), np.uint8), LANDMARKS) is None
    assert skin_colour(np.full((240, 220, 3), 128, np.uint8), LANDMARKS + 500) is None
