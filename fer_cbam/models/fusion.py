"""Cross-modal attention: tokens of several modalities, some perhaps missing, to one answer.

After Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL 2019,
https://arxiv.org/abs/1906.00295 (attention across modalities that are not aligned in time) and
Nagrani et al., "Attention Bottlenecks for Multimodal Fusion", NeurIPS 2021,
https://arxiv.org/abs/2107.00135 (few tokens carry what the modalities exchange). Where it departs
from both: one query token at the time that is asked about attends to the tokens of all modalities;
there is no encoder for each pair of modalities. Whole modalities are dropped in training (Neverova
et al., "ModDrop", 2016, https://arxiv.org/abs/1501.00102), so that any subset is a valid input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class TimeEncoding(nn.Module):
    """Seconds from the time that is asked about, ``(B, T)`` -> ``(B, T, D)`` of sines and cosines.

    Periods from half a second to four minutes, as in Vaswani et al. 2017 but of real time: tokens
    come at any rate, and some are missing.
    """

    def __init__(self, dim: int, shortest: float = 0.5, longest: float = 240.0):
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim is {dim}; expected an even number")
        periods = torch.logspace(math.log10(shortest), math.log10(longest), dim // 2)
        self.register_buffer("rates", 2 * math.pi / periods, persistent=False)

    rates: Tensor

    def forward(self, times: Tensor) -> Tensor:
        angles = times.unsqueeze(-1) * self.rates
        return torch.cat([angles.sin(), angles.cos()], -1)


class CrossModalAttention(nn.Module):
    """Tokens with times, of any of the modalities -> logits ``(B, K)`` at time 0.

    Args:
        widths: numbers of each modality's token, in the order of the ONNX inputs.
        num_classes: K.
        dim: width inside.
        depth: rounds in which the query reads the tokens.
        heads: attention heads.
        dropout: of tokens' features, of the query, and before the classifier.
        modality_dropout: probability in training that a modality of a window is left out; one is
            always kept.

    A batch holds, for each modality, ``tokens[m]`` float32 ``(B, T, widths[m])``, ``times[m]``
    float32 ``(B, T)`` in seconds from the time that is asked about, and ``present[m]`` bool
    ``(B, T)``. A modality may be missing from all three, and T may differ between modalities.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        num_classes: int,
        dim: int = 64,
        depth: int = 1,
        heads: int = 4,
        dropout: float = 0.3,
        modality_dropout: float = 0.2,
    ):
        super().__init__()
        if not widths:
            raise ValueError("no modalities; expected the width of each")
        self.widths = dict(widths)
        self.modality_dropout = modality_dropout
        self.project = nn.ModuleDict({
            name: nn.Sequential(nn.Dropout(dropout), nn.Linear(width, dim), nn.LayerNorm(dim))
            for name, width in widths.items()
        })  # fmt: skip
        self.modality = nn.ParameterDict({name: nn.Parameter(torch.randn(dim) * 0.02)
                                          for name in widths})  # fmt: skip
        self.time = TimeEncoding(dim)
        self.query = nn.Parameter(torch.randn(dim) * 0.02)
        self.rounds = nn.ModuleList(_Round(dim, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(dim, num_classes)

    def forward(
        self, tokens: Mapping[str, Tensor], times: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
    ) -> Tensor:  # fmt: skip
        """Logits ``(B, K)``. A window without any token gets those of the query alone.

        Raises:
            ValueError: no modality, or one that the network does not know.
        """
        self._check(tokens)
        if self.training and self.modality_dropout:
            present = self._dropped(present)
        names = [name for name in self.widths if name in tokens]
        keys = torch.cat([
            self.project[name](tokens[name]) + self.modality[name] + self.time(times[name])
            for name in names
        ], 1)  # fmt: skip
        seen = torch.cat([present[name] for name in names], 1)
        query = self.query.expand(keys.shape[0], 1, -1)
        for step in self.rounds:
            query = step(query, keys, seen)
        logits: Tensor = self.classifier(self.drop(self.norm(query[:, 0])))
        return logits

    def _check(self, tokens: Mapping[str, Tensor]) -> None:
        unknown = set(tokens) - set(self.widths)
        if unknown or not tokens:
            raise ValueError(
                f"modalities {sorted(tokens)}; expected one or more of {', '.join(self.widths)}"
            )
        for name, values in tokens.items():
            if values.shape[-1] != self.widths[name]:
                raise ValueError(
                    f"{name}: tokens of {values.shape[-1]} numbers; expected {self.widths[name]}"
                )

    def _dropped(self, present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Some modalities of some windows left out, but never the last one that is there."""
        there = torch.stack([seen.any(1) for seen in present.values()], 1)  # (B, M)
        chance = torch.rand_like(there, dtype=torch.float32).masked_fill(~there, -1)
        keep = chance >= self.modality_dropout
        luckiest = chance == chance.amax(1, keepdim=True)
        keep |= luckiest & there
        return {name: seen & keep[:, i : i + 1] for i, (name, seen) in enumerate(present.items())}


class _Round(nn.Module):
    """The query reads all tokens that are present, then thinks: pre-norm attention and MLP."""

    def __init__(self, dim: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.norm_query = nn.LayerNorm(dim)
        self.norm_keys = nn.LayerNorm(dim)
        self.to_query = nn.Linear(dim, dim)
        self.to_keys = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(2 * dim, dim),
        )  # fmt: skip

    def forward(self, query: Tensor, keys: Tensor, seen: Tensor) -> Tensor:
        q = self._split(self.to_query(self.norm_query(query)))
        k, v = (self._split(x) for x in self.to_keys(self.norm_keys(keys)).chunk(2, -1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        # A large negative number, not -inf: a window without tokens then reads a mean, times 0.
        scores = scores.masked_fill(~seen[:, None, None, :], -1e9)
        read = (scores.softmax(-1) @ v) * seen.any(1)[:, None, None, None]
        query = query + self.out(read.transpose(1, 2).flatten(2))
        thought: Tensor = self.mlp(query)
        return query + thought

    def _split(self, x: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, heads, T, D / heads)``."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


@torch.no_grad()
def leave_one_out(
    network: CrossModalAttention, tokens: Mapping[str, Tensor], times: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    """Logits ``(B, K)``, and for each modality how much it moved each log probability ``(B, K)``.

    The movement is the log probability with all modalities, minus that without this one: positive
    where the modality speaks for the label. Of the only modality it is what it adds to the answer
    of the network that was given nothing.
    """
    logits = network(tokens, times, present)
    whole = logits.log_softmax(1)
    moved = {}
    for name in tokens:
        without = {**present, name: torch.zeros_like(present[name])}
        moved[name] = whole - network(tokens, times, without).log_softmax(1)
    return logits, moved
