"""How something is said: spectrum, pitch, voicing and energy to emotions, of two seconds at a time.

A small CNN with CBAM (:mod:`fer_cbam.models.cbam`) on log-mel bands, then a GRU (Cho et al. 2014,
https://arxiv.org/abs/1406.1078) and attentive pooling, as is usual for speech emotion (Mirsamadi et
al. 2017, https://doi.org/10.1109/ICASSP.2017.7952552). A window ends at the moment that is asked
about: nothing depends on what comes later.

The front end stands in the network and is exported with it. Its Fourier transforms are
convolutions, so that samples go in. Pitch is the peak of the autocorrelation over that of the
window (Boersma 1993, https://www.fon.hum.uva.nl/paul/papers/Proceedings_1993.pdf, equations 9 and
25), of sound below 1.5 kHz. One departure: each frame stands for itself, there is no path of least
cost through them.

What is loud depends on the microphone, so a window is scaled by itself: energies count from its
mean, and nothing below 60 dB under its peak is seen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.jit import is_tracing  # type: ignore[attr-defined, unused-ignore]

from fer_cbam import pretrained as weights
from fer_cbam.models.cbam import CBAM
from fer_cbam.models.fer_cbam import check_state

RATE = 16_000  # samples a second
WINDOW = 2 * RATE  # samples
HOP = 256  # samples from frame to frame: 16 ms
FRAME = 640  # samples that pitch is sought in: 40 ms
MEL_FRAME = 400  # samples in the middle of a frame that bands are measured in: 25 ms
MEL_FFT, PITCH_FFT = 512, 1024
BANDS = 64
LOWEST_BAND, HIGHEST_BAND = 50.0, 8000.0  # Hz
LOWEST_PITCH, HIGHEST_PITCH = 60.0, 500.0  # Hz
LOWPASS = 1500.0  # Hz, of what pitch is sought in
OCTAVE_COST = 0.02  # for each octave below the highest pitch
MIDDLE_PITCH = 180.0  # Hz, between the voices of men and women
QUIET = 1e-10  # power of a band that counts as none
DYNAMICS = 6 * math.log(10)  # 60 dB, of power
TRACKS = 3  # of the front end: energy, voicing, pitch


class FrontEnd(nn.Module):
    """Samples ``(B, N)``, full scale 1 -> log power of bands ``(B, 64, T)`` and tracks
    ``(B, 3, T)``.

    T is ``(N - 640) // 256 + 1``. Bands: natural logarithm of mel-weighted power (Hann window,
    weights of Slaney's mel scale with a peak of 1). Tracks: log energy of the frame; voicing, the
    height of the autocorrelation's peak, 0 to 1; pitch in octaves from ``MIDDLE_PITCH``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mel", torch.from_numpy(mel_weights()).float(), persistent=False)
        inner = (FRAME - MEL_FRAME) // 2
        mel_window = np.pad(np.hanning(MEL_FRAME + 1)[:-1], inner)
        pitch_window = np.hanning(FRAME + 1)[:-1]
        for name, window in (("mel_window", mel_window), ("pitch_window", pitch_window)):
            self.register_buffer(name, torch.from_numpy(window).float(), persistent=False)
        circle = np.cos(2 * np.pi * np.arange(PITCH_FFT) / PITCH_FFT)
        self.register_buffer("circle", torch.from_numpy(circle).float(), persistent=False)
        # Whole numbers in the state_dict: constants would be worked out while a graph is recorded.
        low, high = round(LOWEST_PITCH / RATE * PITCH_FFT), round(LOWPASS / RATE * PITCH_FFT)
        counts = {"time": np.arange(FRAME), "mel_bins": np.arange(1, MEL_FFT // 2 + 1),
                  "pitch_bins": np.arange(low - 1, high + 1)}  # fmt: skip
        for name, values in counts.items():
            self.register_buffer(name, torch.from_numpy(values))
        lags = np.arange(int(RATE / HIGHEST_PITCH) - 1, int(RATE / LOWEST_PITCH) + 3)
        own = np.correlate(pitch_window, pitch_window, "full")[FRAME - 1 :]
        self.register_buffer("lags", torch.from_numpy(lags).float(), persistent=False)
        self.register_buffer("own", torch.from_numpy(own[0] / own[lags]).float()[:, None],
                             persistent=False)  # fmt: skip
        self._tables: tuple[Tensor, Tensor] | None = None

    mel: Tensor
    mel_window: Tensor
    pitch_window: Tensor
    circle: Tensor
    time: Tensor
    mel_bins: Tensor
    pitch_bins: Tensor
    lags: Tensor
    own: Tensor

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        filters, waves = self.tables()
        parts = F.conv1d(samples[:, None], filters, stride=HOP)
        bands = MEL_FFT // 2
        power = parts[:, :bands].square() + parts[:, bands : 2 * bands].square()
        mel = (self.mel @ power).clamp_min(QUIET).log()
        rest = parts[:, 2 * bands :]
        low = rest[:, : rest.shape[1] // 2].square() + rest[:, rest.shape[1] // 2 :].square()
        voicing, pitch = self._pitch(low, waves)
        energy = power.sum(1, keepdim=True).clamp_min(QUIET).log()
        return mel, torch.cat([energy, voicing, pitch], 1)

    def _pitch(self, power: Tensor, waves: Tensor) -> tuple[Tensor, Tensor]:
        """Power ``(B, F, T)`` below ``LOWPASS`` -> voicing and pitch, both ``(B, 1, T)``."""
        total = power.sum(1, keepdim=True).clamp_min(QUIET)
        correlation = (waves @ power) / total * self.own  # (B, lags, T)
        cost = OCTAVE_COST * torch.log2(self.lags * (HIGHEST_PITCH / RATE))
        inside = correlation[:, 1:-1] - cost[1:-1, None]
        # A peak only: a lag at the edge may be on the slope of one outside.
        peak = (correlation[:, 1:-1] >= correlation[:, :-2]) & (
            correlation[:, 1:-1] >= correlation[:, 2:]
        )
        at = torch.where(peak, inside, inside - 4.0).argmax(1, keepdim=True)
        left, top, right = (correlation.gather(1, at + step) for step in range(3))
        bend = (left - 2 * top + right).clamp_max(-1e-6)
        step = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
        pitch = RATE / (self.lags[0] + 1 + at.to(step.dtype) + step)
        return top.clamp(0, 1), torch.log2(pitch / MIDDLE_PITCH)

    def tables(self) -> tuple[Tensor, Tensor]:
        """Filters ``(F, 1, 640)`` and waves of the lags ``(lags, F)``. Kept, but built anew in a
        graph that is being recorded: there they are a few kilobytes of commands, and megabytes as
        numbers."""
        if self._tables is None or is_tracing():  # type: ignore[no-untyped-call, unused-ignore]
            made = self._built()
            if is_tracing():  # type: ignore[no-untyped-call, unused-ignore]
                return made
            self._tables = made
        return self._tables

    def _built(self) -> tuple[Tensor, Tensor]:
        mel = self.mel_bins[:, None] * self.time * (PITCH_FFT // MEL_FFT)
        pitch = self.pitch_bins[:, None] * self.time
        filters = torch.cat([
            self._wave(mel) * self.mel_window, self._wave(mel, PITCH_FFT // 4) * self.mel_window,
            self._wave(pitch) * self.pitch_window,
            self._wave(pitch, PITCH_FFT // 4) * self.pitch_window,
        ])[:, None]  # fmt: skip
        return filters, self._wave(self.lags.long()[:, None] * self.pitch_bins)

    def _wave(self, phase: Tensor, shift: int = 0) -> Tensor:
        """The cosine, or (a quarter further) the sine, of whole parts of the circle."""
        return self.circle[(phase - shift) % PITCH_FFT]


def mel_weights() -> np.ndarray:
    """Triangles over the bins 1 to 256 of a transform of 512, float64 ``(64, 256)``.

    Slaney's scale: linear up to 1 kHz (200/3 Hz a mel), then 27 steps an octave of 6.4.
    """
    edges = _hertz(np.linspace(_mels(LOWEST_BAND), _mels(HIGHEST_BAND), BANDS + 2))
    bins = np.arange(1, MEL_FFT // 2 + 1) * RATE / MEL_FFT
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None))


def _mels(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def _hertz(mels: np.ndarray) -> np.ndarray:
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


class FerCbamProsody(nn.Module):
    """Samples ``(B, 32000)`` -> logits ``(B, K)``.

    widths: channels of the four stages; each halves bands and frames but the last, the last two
    end with a CBAM. hidden_size: of the GRU, and of a window's token.
    """

    def __init__(
        self,
        num_classes: int = 7,
        widths: tuple[int, int, int, int] = (16, 32, 64, 96),
        hidden_size: int = 96,
        drop_rate: float = 0.3,
        in_chans: int = 1,
    ):
        super().__init__()
        self.num_classes, self.in_chans, self.num_features = num_classes, in_chans, hidden_size
        self.front = FrontEnd()
        stages: list[nn.Module] = []
        for number, (before, width) in enumerate(zip((1, *widths[:-1]), widths, strict=True)):
            stages.append(_stage(before, width, attention=number >= 2, pool=number < 3))
        self.stages = nn.Sequential(*stages)
        self.tracks = nn.Sequential(
            nn.Conv1d(TRACKS + 1, 16, 5, padding=2, bias=False), nn.BatchNorm1d(16), nn.ReLU(),
        )  # fmt: skip
        self.join = nn.Linear(2 * widths[-1] + 32, hidden_size)
        self.drop = nn.Dropout(drop_rate)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.score = nn.Linear(hidden_size, 1)
        self.fc = nn.Linear(hidden_size, num_classes)

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, samples: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.drop(self.embed(*self.front(samples))))
        return logits

    def forward_explained(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(B, K)`` and the window's token ``(B, hidden_size)``."""
        token = self.embed(*self.front(samples))
        return self.fc(self.drop(token)), token

    def embed(self, mel: Tensor, tracks: Tensor) -> Tensor:
        """What the front end found -> token ``(B, hidden_size)``."""
        bands = self.stages(scaled(mel)[:, None])  # (B, C, 8, T / 8)
        seen = torch.cat([bands.mean(2), bands.amax(2)], 1)
        tracks = self.tracks(scaled_tracks(tracks))
        heard = torch.cat([F.avg_pool1d(tracks, 8), F.max_pool1d(tracks, 8)], 1)
        steps = torch.cat([seen, heard], 1).transpose(1, 2)
        hidden, _ = self.gru(F.relu(self.join(self.drop(steps))))
        share = self.score(hidden).softmax(1)
        token: Tensor = (share * hidden).sum(1)
        return token


def _stage(before: int, width: int, attention: bool, pool: bool) -> nn.Sequential:
    layers = [
        nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
    ]  # fmt: skip
    if attention:
        layers.append(CBAM(width, reduction=8))
    if pool:
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def scaled(mel: Tensor) -> Tensor:
    """Log power ``(B, 64, T)`` above 60 dB under the window's peak, from its mean, in steps of
    10 dB or so."""
    peak = mel.amax((1, 2), keepdim=True)
    audible = torch.maximum(mel, peak - DYNAMICS)
    return (audible - audible.mean((1, 2), keepdim=True)) / 2.5


def scaled_tracks(tracks: Tensor) -> Tensor:
    """``(B, 3, T)`` -> ``(B, 4, T)``: energy under the window's peak, voicing, and, where there is
    a voice, pitch and its distance from that of the window."""
    energy, voicing, pitch = tracks.split(1, 1)
    peak = energy.amax(2, keepdim=True)
    below = torch.maximum(energy - peak, torch.full_like(peak, -DYNAMICS))
    audible = 1 + below / DYNAMICS
    voiced = torch.sigmoid(20 * (voicing * audible - 0.35))
    usual = (voiced * pitch).sum(2, keepdim=True) / voiced.sum(2, keepdim=True).clamp_min(1e-3)
    return torch.cat([audible, voiced, voiced * pitch, voiced * (pitch - usual)], 1)


def _cfg(name: str, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "file": str(weights.EMBEDDED / name / weights.WEIGHTS_FILE),
        "num_classes": len(labels),
        "label_names": labels,
        "input_size": (1, 1, WINDOW),
        "mean": (0.0,),
        "std": (1.0,),
        "classifier": "fc",
        "license": "cc-by-nc-sa-4.0",
    }


LABELS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")

default_cfgs = generate_default_cfgs(
    {"fer_cbam_prosody.ravdess_emodb": _cfg("fer_cbam_prosody.ravdess_emodb", LABELS)}
)


@register_model
def fer_cbam_prosody(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """How something is said, from two seconds of sound."""
    kwargs["pretrained_filter_fn"] = check_state
    return build_model_with_cfg(FerCbamProsody, "fer_cbam_prosody", pretrained, **kwargs)
