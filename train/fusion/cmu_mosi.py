"""Sentiment from text, voice and face on CMU-MOSI, with any of them missing or noisy.

    python -m train.fusion.cmu_mosi --data mosi_features.zip --out reports/fusion/cmu_mosi.json

Published split by videos; beside it bc-LSTM of Poria et al., ACL 2017, table 3: text 78.1, audio
60.3, video 55.8, all 80.3. Nothing was chosen on the test part. Nothing can be on the training part
either: its text features come from a network that learnt its answers. So the settings are fixed
beforehand, and the mean over seeds is reported. An utterance is a window of itself and the
`CONTEXT` on either side of it in its video; times are places in the video.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eval.records import provenance, record, write_report
from fer_cbam.data.cmu_mosi import LABELS, MODALITIES, Utterances, read_features
from train.fusion.attention import Settings, Windows, fit_attention, log_probs

CONTEXT = 5
SEEDS = 3
SETTINGS = Settings(
    epochs=15, batch_size=64, dropout=0.5, modality_dropout=0.4, label_smoothing=0.1
)
NOISE = 1.0  # standard deviations of each feature


def standardised(train: Utterances, other: Utterances) -> dict[str, np.ndarray]:
    """`other`'s features by the mean and deviation of the training part, cut at five deviations."""
    found = {}
    for name in MODALITIES:
        scale = train.features[name].std(0)
        # A feature that is constant in training says nothing.
        said = (other.features[name] - train.features[name].mean(0)) / np.where(scale > 0, scale, 1)
        found[name] = np.clip(said, -5, 5).astype(np.float32)
    return found


def windows(utterances: Utterances, features: dict[str, np.ndarray]) -> Windows:
    """A window for each utterance, in their order."""
    videos = np.array(utterances.videos)
    rows = np.zeros((len(utterances), 2 * CONTEXT + 1), np.int64)
    there = np.zeros(rows.shape, bool)
    times = np.zeros(rows.shape, np.float32)
    for video in dict.fromkeys(utterances.videos):
        own = np.flatnonzero(videos == video)
        own = own[np.argsort(utterances.places[own])]
        for place, row in enumerate(own):
            near = np.arange(max(0, place - CONTEXT), min(len(own), place + CONTEXT + 1))
            slots = near - place + CONTEXT
            rows[row, slots], there[row, slots] = own[near], True
            times[row, slots] = utterances.places[own[near]] - utterances.places[row]
    one_hot = np.eye(len(LABELS), dtype=np.float32)[utterances.targets]
    tensors = [torch.from_numpy(x) for x in (times, there)]
    return Windows(
        {name: torch.from_numpy(values[rows]) for name, values in features.items()},
        dict.fromkeys(features, tensors[0]), dict.fromkeys(features, tensors[1]),
        torch.from_numpy(one_hot),
    )  # fmt: skip


def without(windows: Windows, missing: tuple[str, ...]) -> Windows:
    """As if a modality had not been recorded."""
    gone = {name: torch.zeros_like(windows.present[name]) for name in missing}
    return replace(windows, present={**windows.present, **gone})


def noisy(windows: Windows, name: str, seed: int) -> Windows:
    """With noise as large as the feature's own spread on one modality."""
    rng = torch.Generator().manual_seed(seed)
    tokens = windows.tokens[name]
    noise = NOISE * torch.randn(tokens.shape, generator=rng)
    return replace(windows, tokens={**windows.tokens, name: tokens + noise})


def accuracy(log_probs: Tensor, windows: Windows) -> float:
    hits = log_probs.argmax(1) == windows.target_probs.argmax(1)
    return float(hits.float().mean())


def conditions(test: Windows, seed: int) -> Iterator[tuple[str, Windows]]:
    """What the network that learnt all modalities is tried with."""
    yield "all", test
    for name in MODALITIES:
        yield f"{name} missing", without(test, (name,))
        yield f"{name} noisy", noisy(test, name, seed)
    for name in MODALITIES:
        yield f"{name} left", without(test, tuple(set(MODALITIES) - {name}))


def measured(parts: dict[str, Utterances]) -> dict[tuple[str, str], list[float]]:
    """Test accuracy for each seed, by what was learnt and what was tried."""
    train, test = (
        windows(parts[split], standardised(parts["train"], parts[split])) for split in parts
    )
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(SEEDS):
        for size in range(1, len(MODALITIES) + 1):
            for names in combinations(MODALITIES, size):
                network = fit_attention(train.only(names), SETTINGS, seed)
                learnt = "+".join(names)
                tried = test.only(names)
                cases = conditions(tried, seed) if names == MODALITIES else [("all", tried)]
                for condition, case in cases:
                    result = accuracy(log_probs(network, case), case)
                    found.setdefault((learnt, condition), []).append(result)
    return found


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="a folder or zip of the features")
    parser.add_argument("--out", required=True, type=Path, metavar="REPORT.json")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    parts = read_features(args.data)
    found = [
        record("accuracy", np.mean(values), data="cmu_mosi", protocol="published split, test",
               weights=learnt, condition=condition, mean=np.mean(values),
               sd=np.std(values, ddof=1), n=len(values))
        for (learnt, condition), values in measured(parts).items()
    ]  # fmt: skip
    given = ["--data", str(args.data), "--out", str(args.out)]
    write_report(args.out, "fusion", provenance("train.fusion.cmu_mosi", given), found,
                 utterances={split: len(part) for split, part in parts.items()})  # fmt: skip
    for entry in found:
        print(f"{entry['weights']:18} {entry['condition']:14} {100 * entry['value']:.1f} "
              f"+- {100 * entry['sd']:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
