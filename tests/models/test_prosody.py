"""The network for prosody: its front end against scipy and tones, and what it may depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import timm
import torch
from scipy.signal import stft

from fer_cbam.models.prosody import (
    BANDS,
    HOP,
    RATE,
    WINDOW,
    FrontEnd,
    mel_weights,
    scaled,
    scaled_tracks,
)
from tests.sounds import tone


@pytest.fixture(scope="module")
def front() -> FrontEnd:
    return FrontEnd()


def heard(front: FrontEnd, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mel, tracks = front(torch.from_numpy(np.asarray(samples, np.float32))[None])
    return mel[0].numpy(), tracks[0].numpy()


def test_bands_are_those_of_a_short_time_fourier_transform(front: FrontEnd) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal(WINDOW)
    mel, tracks = heard(front, samples)
    assert mel.shape == (BANDS, 123) and tracks.shape == (3, 123)
    # scipy scales by the sum of the window; a frame of 400 lies in the middle of one of 640.
    _, _, z = stft(samples[120:], RATE, "hann", 400, 400 - HOP, 512, boundary=None, padded=False)
    power = np.abs(z * 200) ** 2
    expected = np.log(mel_weights() @ power[1:, : mel.shape[1]])
    np.testing.assert_allclose(mel, expected, atol=2e-3)
    np.testing.assert_allclose(tracks[0], np.log(power[1:, : mel.shape[1]].sum(0)), atol=1e-3)


def test_mel_weights() -> None:
    weights = mel_weights()
    bins = np.arange(1, 257) * RATE / 512
    centres = (weights @ bins) / weights.sum(1)
    assert (np.diff(centres) > 0).all() and centres[0] < 120 and 7000 < centres[-1] < 8000
    # Equal steps in Hz below 1 kHz, equal ratios above.
    low, high = centres[(centres > 200) & (centres < 900)], centres[centres > 1500]
    assert np.diff(low).std() < 0.35 * np.diff(low).mean()
    assert (high[1:] / high[:-1]).std() < 0.01
    assert weights.max() <= 1 and weights.min() == 0


@pytest.mark.parametrize("hertz", [70, 110, 180, 260, 420])
def test_pitch_of_a_tone(front: FrontEnd, hertz: float) -> None:
    _, (_, voicing, pitch) = heard(front, tone(2, hertz))
    np.testing.assert_allclose(180 * 2**pitch, hertz, rtol=0.005)
    assert (voicing > 0.9).all()


def test_pitch_that_glides(front: FrontEnd) -> None:
    time = np.arange(WINDOW) / RATE
    hertz = 120 * 2 ** (time / 2)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    samples = sum(np.sin(k * phase) / k for k in range(1, 8)) * 0.2
    _, (_, _, pitch) = heard(front, samples)
    middle = (np.arange(len(pitch)) * HOP + 320) / RATE
    np.testing.assert_allclose(180 * 2**pitch, 120 * 2 ** (middle / 2), rtol=0.01)


def test_noise_and_silence_have_no_voice(front: FrontEnd) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(WINDOW)
    _, (_, voicing, _) = heard(front, noise)
    assert np.median(voicing) < 0.45
    mel, tracks = heard(front, np.zeros(WINDOW))
    assert np.isfinite(mel).all() and np.isfinite(tracks).all() and (tracks[1] == 0).all()


def test_a_window_does_not_depend_on_how_loud_it_was_recorded(front: FrontEnd) -> None:
    samples = torch.from_numpy(tone(2, 150) * np.linspace(0.1, 1, WINDOW, dtype=np.float32))[None]
    loud, soft = front(samples), front(0.1 * samples)
    torch.testing.assert_close(scaled(loud[0]), scaled(soft[0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(scaled_tracks(loud[1]), scaled_tracks(soft[1]), atol=1e-3, rtol=0)
    assert scaled(loud[0]).mean().abs() < 1e-4


def test_tracks_by_hand() -> None:
    ten_db = math.log(10)
    energy = torch.tensor([0.0, -ten_db, -9 * ten_db])  # of power: 0, -10 and -90 dB
    tracks = torch.stack([energy, torch.tensor([1.0, 1.0, 1.0]), torch.tensor([0.5, 0.1, 3.0])])
    audible, voiced, pitch, relative = scaled_tracks(tracks[None])[0]
    torch.testing.assert_close(audible, torch.tensor([1.0, 5 / 6, 0.0]))
    assert voiced[0] > 0.99 and voiced[1] > 0.99 and voiced[2] < 0.01
    torch.testing.assert_close(pitch[:2], torch.tensor([0.5, 0.1]), atol=0.01, rtol=0)
    torch.testing.assert_close(relative[:2], torch.tensor([0.2, -0.2]), atol=0.02, rtol=0)


def test_the_network() -> None:
    torch.manual_seed(0)
    network = timm.create_model("fer_cbam_prosody").eval()
    assert sum(p.numel() for p in network.parameters()) < 1_000_000
    samples = torch.stack([torch.from_numpy(tone(2, hertz)) for hertz in (120, 250)])
    with torch.inference_mode():
        logits, token = network.forward_explained(samples)
        torch.testing.assert_close(network(samples), logits)
        torch.testing.assert_close(network(samples[1:]), logits[1:], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(network.fc(token), logits)
    assert logits.shape == (2, 7) and token.shape == (2, 96)


def test_every_layer_learns() -> None:
    torch.manual_seed(0)
    network = timm.create_model("fer_cbam_prosody", num_classes=3)
    network(0.1 * torch.randn(4, WINDOW)).square().sum().backward()
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert set(still) <= {"score.bias"}  # which a softmax does not notice
