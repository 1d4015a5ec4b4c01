"""Trains cross-modal attention on windows of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fer_cbam.models.fusion import CrossModalAttention
from train.fusion.experts import cross_entropy


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows: what :class:`CrossModalAttention` takes, and the answer to each.

    tokens: float32 ``(N, T, D)`` for each modality. times: float32 ``(N, T)``, seconds (or places)
    from what is asked about. present: bool ``(N, T)``. target_probs: float32 ``(N, K)``.
    """

    tokens: Mapping[str, Tensor]
    times: Mapping[str, Tensor]
    present: Mapping[str, Tensor]
    target_probs: Tensor

    def __len__(self) -> int:
        return len(self.target_probs)

    def __getitem__(self, rows: Tensor) -> Windows:
        return Windows(
            {m: values[rows] for m, values in self.tokens.items()},
            {m: values[rows] for m, values in self.times.items()},
            {m: values[rows] for m, values in self.present.items()},
            self.target_probs[rows],
        )

    def only(self, names: tuple[str, ...]) -> Windows:
        """With some of the modalities."""
        return Windows(
            {m: self.tokens[m] for m in names}, {m: self.times[m] for m in names},
            {m: self.present[m] for m in names}, self.target_probs,
        )  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How a network is trained: AdamW, one cycle."""

    epochs: int = 25
    batch_size: int = 32
    lr: float = 2e-3
    weight_decay: float = 1e-2
    dim: int = 64
    depth: int = 1
    dropout: float = 0.4
    modality_dropout: float = 0.2
    label_smoothing: float = 0.0


def fit_attention(windows: Windows, settings: Settings, seed: int) -> CrossModalAttention:
    """A trained network, to be asked. The seed decides weights, order and what is dropped."""
    count = windows.target_probs.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CrossModalAttention(
            {m: values.shape[-1] for m, values in windows.tokens.items()}, count, settings.dim,
            settings.depth, dropout=settings.dropout, modality_dropout=settings.modality_dropout,
        )  # fmt: skip
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
        )
        steps = -(-len(windows) // settings.batch_size) * settings.epochs
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=steps)
        for _ in range(settings.epochs):
            for rows in torch.randperm(len(windows)).split(settings.batch_size):
                batch = windows[rows]
                logits = network(batch.tokens, batch.times, batch.present)
                smooth = settings.label_smoothing
                loss = cross_entropy(logits, batch.target_probs * (1 - smooth) + smooth / count)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return network.eval()


@torch.no_grad()
def log_probs(network: CrossModalAttention, windows: Windows, batch_size: int = 512) -> Tensor:
    """float32 ``(N, K)``."""
    parts = [
        network(batch.tokens, batch.times, batch.present).log_softmax(1)
        for rows in torch.arange(len(windows)).split(batch_size)
        for batch in [windows[rows]]
    ]
    return torch.cat(parts)
