"""Trains the network for prosody on what its front end found, and asks it.

Features are worked out once: those of each utterance at three speeds to learn from, and those of
the windows that :mod:`fer_cbam.voice` would cut to be asked about. Speed changes pitch and tempo
together (Ko et al. 2015, https://doi.org/10.21437/Interspeech.2015-711); masks are those of
SpecAugment (Park et al. 2019, https://arxiv.org/abs/1904.08779). Noise, the colour of a microphone
and narrow bands are applied to the power of the bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import resample_poly
from torch import Tensor

from fer_cbam.audio import loudness
from fer_cbam.data.speech import Speech
from fer_cbam.models.prosody import (
    BANDS,
    DYNAMICS,
    FRAME,
    HOP,
    RATE,
    WINDOW,
    FerCbamProsody,
    FrontEnd,
)
from fer_cbam.voice import LEAST_VOICE, LOUD_QUANTILE, UNDER_LOUD, windows
from train.precision import has_bf16

SPEEDS = ((10, 9), (1, 1), (9, 10))  # slower, as it is, faster: up and down of the resampler
FRAMES = (WINDOW - FRAME) // HOP + 1  # of a window
EDGE = RATE // 4 // HOP  # frames
MARGIN = round((1 - LEAST_VOICE) * WINDOW)  # samples around the voice that are learnt from


@dataclass(frozen=True, eq=False)
class Utterances:
    """Features of N utterances.

    labels, speakers: of each, ``(N,)``. mel: float16 ``(F, 64)`` and tracks: float16 ``(F, 3)``,
    the frames of all of them at all speeds. starts, lengths: int64 ``(N, speeds)``, of each in
    these. asked_mel: float16 ``(W, 64, T)`` and asked_tracks ``(W, 3, T)``, windows; owners: int64
    ``(W,)``, whose; voice: float32 ``(W,)``, share of each with a voice.
    """

    labels: np.ndarray
    speakers: np.ndarray
    mel: Tensor
    tracks: Tensor
    starts: Tensor
    lengths: Tensor
    asked_mel: Tensor
    asked_tracks: Tensor
    owners: np.ndarray
    voice: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Utterances:
        numbers = ("mel", "tracks", "starts", "lengths", "asked_mel", "asked_tracks")
        with np.load(path) as stored:
            fields: dict[str, Any] = {
                name: torch.from_numpy(value) if name in numbers else value
                for name, value in stored.items()
            }
        return cls(**fields)


@torch.inference_mode()
def features(speech: Speech) -> Utterances:
    """Speakers are named ``<set> <speaker>``, so that those of two sets differ."""
    front = FrontEnd()
    mels, tracks, lengths, asked, owners, voice = [], [], [], [], [], []
    for number, sound in enumerate(speech.sounds()):
        for up, down in SPEEDS:
            samples = torch.from_numpy(resample_poly(_trimmed(sound.samples), up, down)).float()
            samples = F.pad(samples, (max(0, WINDOW - len(samples)), 0))
            mel, track = front(samples[None])
            mels.append(mel[0].T.half())
            tracks.append(track[0].T.half())
            lengths.append(len(mels[-1]))
        cut = windows(sound.samples)
        asked.append(tuple(x.half() for x in front(torch.from_numpy(cut.samples))))
        owners += [number] * len(cut.ends)
        voice += cut.voice.tolist()
    sizes = torch.tensor(lengths).reshape(-1, len(SPEEDS))
    starts = (sizes.flatten().cumsum(0) - sizes.flatten()).reshape(sizes.shape)
    speakers = np.array([f"{speech.name} {speaker}" for speaker in speech.speakers()])
    return Utterances(
        speech.labels(), speakers, torch.cat(mels), torch.cat(tracks), starts, sizes,
        torch.cat([a for a, _ in asked]), torch.cat([b for _, b in asked]), np.array(owners),
        np.array(voice, np.float32),
    )  # fmt: skip


def _trimmed(samples: np.ndarray) -> np.ndarray:
    """From a `MARGIN` before the first voice to one behind the last.

    So windows are learnt from with as little voice as those that are asked about. As there, what
    lies before the sound is 0, and nothing lies behind it.
    """
    loud = loudness(samples)
    heard = np.flatnonzero(loud > np.quantile(loud, LOUD_QUANTILE) * UNDER_LOUD)
    step = WINDOW // 100
    first, last = MARGIN + heard[0] * step, MARGIN + (heard[-1] + 1) * step
    return np.pad(samples, (MARGIN, 0))[first - MARGIN : last + MARGIN]


def both(a: Utterances, b: Utterances) -> Utterances:
    """Utterances of two sets."""
    frames = len(a.mel)
    return Utterances(
        np.concatenate([a.labels, b.labels]), np.concatenate([a.speakers, b.speakers]),
        torch.cat([a.mel, b.mel]), torch.cat([a.tracks, b.tracks]),
        torch.cat([a.starts, b.starts + frames]), torch.cat([a.lengths, b.lengths]),
        torch.cat([a.asked_mel, b.asked_mel]), torch.cat([a.asked_tracks, b.asked_tracks]),
        np.concatenate([a.owners, b.owners + len(a)]), np.concatenate([a.voice, b.voice]),
    )  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How a network is trained: AdamW, one cycle, classes weighted alike."""

    epochs: int = 30
    batch_size: int = 16
    lr: float = 3e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1


def fit(
    data: Utterances, rows: np.ndarray, labels: Sequence[str], settings: Settings, seed: int = 0,
    start: FerCbamProsody | None = None,
) -> FerCbamProsody:  # fmt: skip
    """A trained network, to be asked.

    rows: utterances to learn from, each with one of the labels. start: a network whose weights,
    but for the classifier, are begun with.
    """
    targets = torch.tensor([list(labels).index(label) for label in data.labels[rows]])
    counts = torch.bincount(targets, minlength=len(labels)).clamp_min(1)
    weights = counts.sum() / counts / (counts > 1).sum()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FerCbamProsody(len(labels))
        if start is not None:
            own = {name: value for name, value in start.state_dict().items()
                   if not name.startswith("fc.")}  # fmt: skip
            network.load_state_dict(own, strict=False)
        network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
        )
        steps = len(rows) // settings.batch_size * settings.epochs
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.lr, total_steps=steps, pct_start=0.2
        )
        asked = torch.from_numpy(rows)
        for _ in range(settings.epochs):
            order = torch.randperm(len(rows))
            for batch in order.split(settings.batch_size):
                if len(batch) < settings.batch_size:
                    continue  # a small last batch would upset BatchNorm
                loss = _loss(network, data, asked[batch], targets[batch], weights, settings)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return network.eval()


def _loss(
    network: FerCbamProsody, data: Utterances, rows: Tensor, targets: Tensor, weights: Tensor,
    settings: Settings,
) -> Tensor:  # fmt: skip
    mel, tracks = augmented(*drawn(data, rows))
    bf16 = has_bf16(torch.device("cpu"))
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = network.fc(network.drop(network.embed(mel, tracks))).float()
    return F.cross_entropy(logits, targets, weights, label_smoothing=settings.label_smoothing)


def drawn(data: Utterances, rows: Tensor) -> tuple[Tensor, Tensor]:
    """A window of each utterance, at a speed and a place drawn: ``(B, 64, T)`` and
    ``(B, 3, T)``, float32."""
    speed = torch.randint(len(SPEEDS), (len(rows),))
    start, length = data.starts[rows, speed], data.lengths[rows, speed]
    place = (torch.rand(len(rows)) * (length - FRAMES + 1)).long()
    frames = (start + place)[:, None] + torch.arange(FRAMES)
    return data.mel[frames].transpose(1, 2).float(), data.tracks[frames].transpose(1, 2).float()


def augmented(mel: Tensor, tracks: Tensor) -> tuple[Tensor, Tensor]:
    """Another microphone, room and speaker for each window of a batch."""
    count, _, frames = mel.shape
    peak = mel.amax((1, 2), keepdim=True)
    band = torch.linspace(-1, 1, BANDS)[None, :, None]
    # Colour: a slope and a bend over the bands, some dB.
    mel = mel + torch.randn(count, 1, 1) * band + 0.7 * torch.randn(count, 1, 1) * band.square()
    # Noise with a slope of its own, 24 to 60 dB under the peak.
    level = peak - (0.4 + 0.6 * torch.rand(count, 1, 1)) * DYNAMICS
    noise = level + 1.5 * torch.randn(count, 1, 1) * band + 0.5 * torch.randn(count, BANDS, frames)
    mel = torch.where(torch.rand(count, 1, 1) < 0.3, torch.logaddexp(mel, noise), mel)
    # A telephone: nothing above 3.4 kHz or so.
    cut = torch.rand(count, 1, 1) < 0.1
    mel = torch.where(cut & (torch.arange(BANDS)[None, :, None] >= 44), peak - DYNAMICS, mel)
    # Masks of bands and of time, at the mean of the window.
    mean = mel.mean((1, 2), keepdim=True)
    for size, axis, most in ((BANDS, 1, 8), (BANDS, 1, 8), (frames, 2, 20)):
        width = (torch.rand(count) * most).long()
        first = (torch.rand(count) * (size - width)).long()
        place = torch.arange(size)
        masked = (place >= first[:, None]) & (place < (first + width)[:, None])
        mel = torch.where(masked[:, :, None] if axis == 1 else masked[:, None], mean, mel)
    # Pitch as of another speaker, a semitone or so.
    shift = torch.zeros(count, 3, 1)
    shift[:, 2, 0] = 0.1 * torch.randn(count)
    return mel, tracks + shift


@torch.inference_mode()
def ask(
    network: FerCbamProsody, data: Utterances, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logits ``(W, K)`` of the windows of some utterances, and whose they are, ``(W,)``."""
    which = np.flatnonzero(np.isin(data.owners, rows))
    parts = [
        network.fc(network.embed(data.asked_mel[part].float(), data.asked_tracks[part].float()))
        for part in torch.from_numpy(which).split(128)
    ]
    return torch.cat(parts).numpy(), data.owners[which]


def summed_up(
    logits: np.ndarray, owners: np.ndarray, data: Utterances, rows: np.ndarray
) -> np.ndarray:
    """Log probabilities of whole utterances ``(len(rows), K)``: the mean of their windows', each by
    its share of voice, normalised.

    An utterance without a window has equal ones.
    """
    logs = torch.from_numpy(logits).double().log_softmax(1).numpy()
    weight = data.voice[np.isin(data.owners, rows)].astype(np.float64)
    place = {row: number for number, row in enumerate(rows)}
    at = np.array([place[owner] for owner in owners])
    sums, total = np.zeros((len(rows), logs.shape[1])), np.zeros(len(rows))
    np.add.at(sums, at, weight[:, None] * logs)
    np.add.at(total, at, weight)
    mean = sums / np.maximum(total, 1e-9)[:, None]
    return np.asarray(mean - np.log(np.exp(mean).sum(1, keepdims=True)))


def statistics(data: Utterances) -> np.ndarray:
    """What a plain classifier is given of each utterance, ``(N, 4 * 67)``: mean, deviation, and the
    tenth and ninetieth percentile of each band and track over the frames, from a quarter of a
    second before the first voice to as much behind the last."""
    found = []
    for start, length in zip(data.starts[:, 1], data.lengths[:, 1], strict=True):
        rows = slice(int(start), int(start + length))
        mel, tracks = data.mel[rows].float().numpy(), data.tracks[rows].float().numpy()
        energy = tracks[:, 0]  # of power
        loud = np.quantile(energy, LOUD_QUANTILE) + 2 * np.log(UNDER_LOUD)
        heard = np.flatnonzero(energy > loud)
        spoken = slice(max(0, heard[0] - EDGE), heard[-1] + 1 + EDGE)
        mel = np.maximum(mel[spoken], mel[spoken].max() - DYNAMICS)
        frames = np.concatenate([mel - mel.mean(), tracks[spoken]], 1)
        found.append(np.concatenate([
            frames.mean(0), frames.std(0), *np.percentile(frames, [10, 90], axis=0)
        ]))  # fmt: skip
    return np.stack(found)
