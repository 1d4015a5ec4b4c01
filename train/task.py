"""How a batch becomes a loss (after timm's ``task/``): from labels, or from labels and teachers.

A task is called with images and targets and gives ``{"loss", "output"}``. Another way to train is
another task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from train.losses import Columns, cross_entropy


class SupervisedTask(nn.Module):
    """Cross-entropy of a network against the labels. heads: where each label set's logits stand."""

    def __init__(self, model: nn.Module, heads: Sequence[Columns]) -> None:
        super().__init__()
        self.model = model
        self.heads = tuple(heads)

    def forward(self, x: Tensor, target_probs: Tensor) -> dict[str, Tensor]:
        """
        x: float32 ``(B, C, H, W)``. target_probs: float32 ``(B, K)``, the heads side by side.
        Returns the scalar ``loss`` and the logits ``output``, float32 ``(B, K)``.
        """
        output = self.model(x).float()
        return {"loss": cross_entropy(output, target_probs, self.heads), "output": output}


class Teacher(nn.Module):
    """A trained network, and the heads of its student that it answers.

    model: gives the logits of those heads side by side. sizes: classes of each. answers: positions
    of these heads among the student's. offset: what a release has added to the logits, ``(K,)``,
    which is taken off: a teacher speaks of the labels as often as it met them, for the student's
    release adds its own.
    """

    offset: Tensor

    def __init__(
        self, model: nn.Module, answers: Sequence[int], sizes: Sequence[int], offset: Tensor
    ) -> None:
        super().__init__()
        self.model = model
        self.answers, self.sizes = tuple(answers), list(sizes)
        self.register_buffer("offset", offset)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Probabilities ``(B, K)`` of each head that it answers."""
        logits = self.model(x).float() - self.offset
        return [head.softmax(1) for head in logits.split(self.sizes, 1)]


class DistilledTask(SupervisedTask):
    """Labels mixed with what teachers say of the same images: function matching.

    Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent",
    https://arxiv.org/abs/2106.05237. Teachers see each image as their student does, changed and
    mixed with another: of the crops that it was trained on, a teacher says much of what it learnt
    by heart. share: of the target that is the teachers', in (0, 1]. Where several answer a head,
    the mean of their probabilities counts.
    """

    def __init__(
        self, model: nn.Module, heads: Sequence[Columns], teachers: Sequence[Teacher], share: float
    ) -> None:
        super().__init__(model, heads)
        self.teachers = nn.ModuleList(teachers)
        self.share = share

    def train(self, mode: bool = True) -> DistilledTask:
        super().train(mode)
        self.teachers.eval()
        return self

    def forward(self, x: Tensor, target_probs: Tensor) -> dict[str, Tensor]:
        return super().forward(x, self.taught(x, target_probs))

    @torch.no_grad()
    def taught(self, x: Tensor, target_probs: Tensor) -> Tensor:
        """The targets of a batch ``(B, K)``, mixed with what the teachers say of its images."""
        answers: list[list[Tensor]] = [[] for _ in self.heads]
        for teacher in cast("Sequence[Teacher]", self.teachers):
            for position, probs in zip(teacher.answers, teacher(x), strict=True):
                answers[position].append(probs)
        columns = []
        for head, probs in zip(self.heads, answers, strict=True):
            own = head.of(target_probs)
            columns.append(mix(own, torch.stack(probs).mean(0), self.share) if probs else own)
        return torch.cat(columns, 1)


def mix(targets: Tensor, taught: Tensor, share: float) -> Tensor:
    """``(1 - share)`` targets + ``share`` taught, ``(N, K)``, for one head; the teachers alone for
    what is not labelled: rows that sum to less than 1, as where a labelled face was mixed with one
    that is not."""
    kept = (1 - share) * targets
    return kept + (1 - kept.sum(1, keepdim=True)) * taught
