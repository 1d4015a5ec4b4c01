"""Faces in motion: a recurrent network on what the convolutional one sees of each frame.

GRU: Cho et al. 2014, https://arxiv.org/abs/1406.1078. LSTM: Hochreiter and Schmidhuber 1997,
https://doi.org/10.1162/neco.1997.9.8.1735. Two departures, for frames come at any rate and are
dropped: the logarithm of the seconds since the last frame is an input, and between frames the state
fades by a rate that each of its numbers has learnt (GRU-D, Che et al. 2018,
https://doi.org/10.1038/s41598-018-24271-9). A third, so that little has to be learnt: the logits
start from the log-probabilities of the frame itself, which a gate lets through.

:mod:`fer_cbam.smoothing.recurrent` takes the same step in NumPy.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from fer_cbam import pretrained as weights
from fer_cbam.labels import LABEL_SETS
from fer_cbam.models.fer_cbam import check_state

GATES = {"gru": 3, "lstm": 4}
SHORTEST, LONGEST = 1e-3, 10.0  # seconds between two frames that are told apart
LOG_MIDDLE = -2.5  # logarithm of a twelfth of a second


class FerCbamRecurrent(nn.Module):
    """``(B, T, D)`` of what was seen of B faces in T frames -> logits ``(B, T, K)``.

    D are ``num_classes`` log-probabilities of the frame, then whatever else is known of it: cues,
    the embedding. mean, std: of each of the D numbers, buffers. width: of the layer that they are
    brought to. cell: "gru" or "lstm". bidirectional: a second cell reads the frames backwards, for
    clips that lie there as a whole; without it nothing depends on what comes later.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_classes: int = 8,
        in_features: int = 336,
        width: int = 64,
        hidden_size: int = 96,
        cell: str = "gru",
        bidirectional: bool = False,
        drop_rate: float = 0.2,
        in_chans: int = 1,
    ):
        super().__init__()
        if cell not in GATES:
            raise ValueError(f"cell {cell!r}; expected one of {', '.join(GATES)}")
        self.num_classes, self.in_features, self.hidden_size = num_classes, in_features, hidden_size
        self.cell, self.bidirectional, self.in_chans = cell, bidirectional, in_chans
        self.num_features = hidden_size * (1 + bidirectional)
        self.register_buffer("mean", torch.zeros(in_features))
        self.register_buffer("std", torch.ones(in_features))
        self.drop = nn.Dropout(drop_rate)
        self.inputs = nn.Linear(in_features + 1, width)
        self.forwards = Cell(width, hidden_size, cell)
        self.backwards = Cell(width, hidden_size, cell) if bidirectional else None
        self.gate = nn.Linear(self.num_features, 1)
        self.fc = nn.Linear(self.num_features, num_classes)
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    @property
    def state_size(self) -> int:
        """Numbers of a face that a step leaves to the next."""
        return self.forwards.state_size

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, x: Tensor, seconds: Tensor, valid: Tensor | None = None) -> Tensor:
        """
        x: float32 ``(B, T, D)``. seconds: ``(B, T)``, since the frame before; of the first frame it
        says nothing. valid: bool ``(B, T)``, False behind the end of a shorter sequence.
        Returns logits ``(B, T, K)``.
        """
        hidden = self._scan(self.forwards, self._inputs(x, seconds), seconds)
        if self.backwards is not None:
            # Backwards each frame comes so long after the next one.
            later = torch.cat([seconds[:, 1:], torch.zeros_like(seconds[:, :1])], 1).flip(1)
            known = None if valid is None else valid.flip(1)
            z = self._inputs(x.flip(1), later)
            hidden = torch.cat([hidden, self._scan(self.backwards, z, later, known).flip(1)], 2)
        return self._logits(x, self.drop(hidden))

    def step(
        self, x: Tensor, seconds: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One frame: x ``(B, D)``, seconds ``(B,)``, the state that the last step left, ``(B, S)``,
        None at first -> logits ``(B, K)`` and the new state."""
        if self.backwards is not None:
            raise ValueError("bidirectional: step by step it would read frames that are not there "
                             "yet; expected a whole clip")  # fmt: skip
        if state is None:
            state = x.new_zeros(len(x), self.state_size)
        z = self._inputs(x, seconds)
        state = self.forwards.step(self.forwards.from_input(z), seconds, state)
        return self._logits(x, state[:, : self.hidden_size]), state

    def _inputs(self, x: Tensor, seconds: Tensor) -> Tensor:
        passed = seconds.clamp(SHORTEST, LONGEST).log().unsqueeze(-1) - LOG_MIDDLE
        scaled = (x - self.mean) / self.std
        return F.relu(self.inputs(self.drop(torch.cat([scaled, passed], -1))))

    @staticmethod
    def _scan(cell: Cell, z: Tensor, seconds: Tensor, valid: Tensor | None = None) -> Tensor:
        gates = cell.from_input(z)
        state = z.new_zeros(len(z), cell.state_size)
        found = []
        for t in range(z.shape[1]):
            state = cell.step(gates[:, t], seconds[:, t], state)
            if valid is not None:  # what is no frame leaves nothing
                state = state * valid[:, t, None]
            found.append(state[:, : cell.hidden_size])
        return torch.stack(found, 1)

    def _logits(self, x: Tensor, hidden: Tensor) -> Tensor:
        own = x[..., : self.num_classes]
        logits: Tensor = self.fc(hidden) + torch.sigmoid(self.gate(hidden)) * own
        return logits


class Cell(nn.Module):
    """A GRU or LSTM cell with the gates of PyTorch's, whose state fades between steps."""

    def __init__(self, in_size: int, hidden_size: int, kind: str):
        super().__init__()
        self.kind, self.hidden_size = kind, hidden_size
        self.state_size = hidden_size * (2 if kind == "lstm" else 1)
        self.input = nn.Linear(in_size, GATES[kind] * hidden_size)
        self.recurrent = nn.Linear(hidden_size, GATES[kind] * hidden_size)
        self.fade = nn.Parameter(torch.full((self.state_size,), -2.0))

    def from_input(self, z: Tensor) -> Tensor:
        """The part of the gates that the input decides, for all steps at once."""
        gates: Tensor = self.input(z)
        return gates

    def step(self, gates: Tensor, seconds: Tensor, state: Tensor) -> Tensor:
        """gates: of `from_input`. seconds: ``(B,)`` since the last step. state: ``(B, S)``."""
        state = state * torch.exp(-seconds.clamp(max=LONGEST)[:, None] * F.softplus(self.fade))
        if self.kind == "lstm":
            h, c = state.chunk(2, 1)
            i, f, g, o = (gates + self.recurrent(h)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], 1)
        own_r, own_z, own_n = gates.chunk(3, 1)
        r, z, n = self.recurrent(state).chunk(3, 1)
        reset, kept = torch.sigmoid(own_r + r), torch.sigmoid(own_z + z)
        return (1 - kept) * torch.tanh(own_n + reset * n) + kept * state


def _cfg(name: str, label_set: str) -> dict[str, Any]:
    labels = LABEL_SETS[label_set]
    return {
        "file": str(weights.EMBEDDED / name / weights.WEIGHTS_FILE),
        "num_classes": len(labels),
        "label_names": labels,
        "input_size": (1, 1, 336),
        "mean": (0.0,),
        "std": (1.0,),
        "classifier": "fc",
        "license": "other",
    }


default_cfgs = generate_default_cfgs(
    {name: _cfg(name, "ferplus") for name in ("fer_cbam_gru.ferplus", "fer_cbam_lstm.ferplus")}
)


def _create(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    kwargs["pretrained_filter_fn"] = check_state
    return build_model_with_cfg(FerCbamRecurrent, variant, pretrained, **kwargs)


@register_model
def fer_cbam_gru(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """A GRU on embeddings, log-probabilities and cues of frames: 0.07 M parameters."""
    return _create("fer_cbam_gru", pretrained, **{"cell": "gru", **kwargs})


@register_model
def fer_cbam_lstm(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The same with an LSTM: 0.09 M parameters."""
    return _create("fer_cbam_lstm", pretrained, **{"cell": "lstm", **kwargs})
