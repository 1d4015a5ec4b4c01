"""Heart and skin of known rates."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.errors import SignalError
from fer_cbam.physiology import heart_rate, skin_conductance
from fer_cbam.physiology.features import of_beats
from fer_cbam.physiology.series import series

RATE = 250


def beats(bpm=70.0, seconds=70.0, wobble=0.05):
    """Seconds of beats whose intervals breathe: slower and faster, 15 times a minute."""
    found = [0.6]
    while found[-1] < seconds:
        step = 60 / bpm * (1 + wobble * np.sin(2 * np.pi * 0.25 * found[-1]))
        found.append(found[-1] + step)
    return np.array(found[:-1])


def ecg(times, seconds):
    """A sharp wave of a millivolt, with a lower and longer one behind it, at each beat."""
    clock = np.arange(0, seconds, 1 / RATE)[:, None]
    sharp = np.exp(-(((clock - times) / 0.012) ** 2)).sum(1)
    return sharp + 0.2 * np.exp(-(((clock - times - 0.25) / 0.04) ** 2)).sum(1)


def ppg(times, seconds, rate=64):
    clock = np.arange(0, seconds, 1 / rate)[:, None]
    return np.exp(-(((clock - times) / 0.12) ** 2)).sum(1)


def test_variability_by_hand():
    got = of_beats(np.cumsum([0, 0.8, 0.9, 0.8, 0.86, 0.84, 0.8]))
    intervals = np.array([800, 900, 800, 860, 840, 800])
    assert got.bpm == pytest.approx(60_000 / intervals.mean())
    assert got.sdnn == pytest.approx(intervals.std(ddof=1))
    assert got.rmssd == pytest.approx(np.sqrt(np.mean(np.diff(intervals) ** 2)))
    assert got.pnn50 == pytest.approx(3 / 5)
    assert got.beats == 7 and got.left_out == 0
    assert any("expected 60 s or more" in caution for caution in got.cautions)


def test_a_beat_missed_is_left_out_and_breaks_the_chain():
    whole = np.arange(0, 90, 0.8)
    got = of_beats(np.delete(whole, 50))
    assert got.bpm == pytest.approx(75) and got.rmssd == pytest.approx(0, abs=1e-6)
    assert got.left_out == pytest.approx(1 / 111)
    noisy = np.sort(np.concatenate([whole, whole[::4] + 0.3]))
    assert any("left out" in caution for caution in of_beats(noisy).cautions)


def test_what_is_no_heart():
    with pytest.raises(SignalError, match="expected at least 5") as caught:
        of_beats([0, 0.8, 1.6])
    assert caught.value.kind == "no beat"
    flat = series("ppg", np.random.default_rng(0).normal(size=640), 64, "a.u.")
    with pytest.raises(SignalError, match="ppg; expected eda"):
        skin_conductance(flat)
    short = series("eda", np.ones(40), 4, "uS")
    with pytest.raises(SignalError, match=r"10\.0 s of eda; expected at least 20 s"):
        skin_conductance(short)
    with pytest.raises(SignalError, match="eda; expected ecg or ppg"):
        heart_rate(short)


@pytest.mark.parametrize("bpm", [55, 70, 100])
def test_an_ecg_and_a_pulse_wave_of_known_beats(bpm):
    pytest.importorskip("neurokit2")
    true = beats(bpm)
    known = of_beats(true)
    rng = np.random.default_rng(0)
    clean = ecg(true, 70)
    got = heart_rate(series("ecg", clean + rng.normal(0, 0.03, len(clean)), RATE, "mV"))
    assert got.bpm == pytest.approx(known.bpm, abs=0.5)
    assert got.rmssd == pytest.approx(known.rmssd, rel=0.15)
    assert got.sdnn == pytest.approx(known.sdnn, rel=0.15)
    wave = ppg(true, 70)
    got = heart_rate(series("ppg", wave + rng.normal(0, 0.02, len(wave)), 64, "a.u."))
    assert got.bpm == pytest.approx(known.bpm, abs=1)
    assert "pulse wave" in got.cautions[0]


def test_skin_that_responds_four_times():
    pytest.importorskip("neurokit2")
    clock = np.arange(0, 80, 1 / 8)
    onsets = np.array([10.0, 26.0, 45.0, 60.0])
    after = np.clip(clock[:, None] - onsets, 0, None)
    responses = 0.8 * (np.exp(-after / 4) - np.exp(-after / 0.75)).sum(1)
    got = skin_conductance(series("eda", 5 + responses, 8, "uS", start=1000.0))
    assert len(got.times) == 4 and got.responses == pytest.approx(3.0)
    np.testing.assert_allclose(got.times - 1000, onsets + 1.5, atol=1.5)
    assert 5 < got.level < 5.4 and 0.25 < got.amplitude < 0.7


def test_skin_that_is_not_touched():
    got = skin_conductance(series("eda", np.full(400, 0.5), 4, "uS"))
    assert got.level == 0.5 and got.responses == 0 and "on the skin" in got.cautions[0]
