"""Function matching: teachers see each image as their student does, changed and mixed with another.

Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent",
https://arxiv.org/abs/2106.05237. Of the crops that it was trained on a teacher says much of what it
learnt by heart, and a student learns that with the rest (``train/teachers.py``); of a mixture of
two faces, moved and lit otherwise, it says what it has understood. It costs a forward pass of the
teachers at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from eval.studies.adjustment import on_logits
from fer_cbam.errors import FerError
from fer_cbam.hub import LoadedModel
from fer_cbam.preprocess import Preprocess
from train.examples import Source
from train.recipe import Recipe
from train.teachers import check_teachers, load_teachers, mix, of_head, with_teachers


class Teacher(nn.Module):
    """What one teacher says in every head: ``(B, C, H, W)`` -> probabilities ``(B, K)``.

    networks: each gives the logits of one head, or the only one those of all, side by side. sizes:
    classes of each head, K in sum. carried: what release or training has on the logits, ``(K,)``.
    """

    carried: Tensor

    def __init__(
        self, networks: Sequence[nn.Module], sizes: Sequence[int], carried: Tensor
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.sizes = list(sizes)
        self.register_buffer("carried", carried)

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.cat([network(x) for network in self.networks], 1).float() - self.carried
        return torch.cat([head.softmax(1) for head in logits.split(self.sizes, 1)], 1)


class Tutor(nn.Module):
    """Teachers who are asked while a student trains. share: of the target that is theirs."""

    def __init__(self, teachers: Sequence[Teacher], share: float) -> None:
        super().__init__()
        self.teachers = nn.ModuleList(teachers)
        self.sizes = teachers[0].sizes
        self.share = share
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, x: Tensor, target_probs: Tensor) -> Tensor:
        """The targets of a batch, mixed with what the teachers say of its images.

        x: float32 ``(B, C, H, W)`` as the student gets it. target_probs: ``(B, K)``, the heads side
        by side. What the labels of a head leave open of an image is the teachers' alone.
        """
        taught = torch.stack([teacher(x) for teacher in self.teachers]).mean(0)
        pairs = zip(target_probs.split(self.sizes, 1), taught.split(self.sizes, 1), strict=True)
        return torch.cat([mix(own, said, self.share) for own, said in pairs], 1)


def lessons(
    recipe: Recipe, source: Source, rows: np.ndarray, teachers: Sequence[Path], folder: Path,
    preprocess: Preprocess,
) -> tuple[Source, Tutor | None]:  # fmt: skip
    """What a run learns from its teachers: targets of a source that have their share in them, or a
    tutor who adds it at every step (``distill_views``).

    rows, teachers, folder: see :func:`train.teachers.with_teachers`. preprocess: the student's.

    Raises:
        FerError: a share and no teacher, or the other way round; a teacher of other labels or
            images.
        WeightsError: a teacher's weights are missing or damaged.
    """
    if not recipe.distill_views:
        return with_teachers(source, rows, teachers, recipe.distill, folder, recipe.amp), None
    check_teachers(teachers, recipe.distill)
    tutor = Tutor([_teacher(one, source, preprocess) for one in teachers], recipe.distill)
    return source, tutor.to(memory_format=torch.channels_last)


def _teacher(folder: Path, source: Source, preprocess: Preprocess) -> Teacher:
    heads = [
        load_teachers([of_head(folder, name)], labels)[0]
        for name, labels in zip(source.names, source.label_names, strict=True)
    ]
    for head in heads:
        _check_pixels(head, preprocess)
    carried = [
        on_logits(head.config, head.label_names)[label]
        for head in heads
        for label in head.label_names
    ]
    networks = [_together(heads)] if _one_trunk(heads) else [head.model for head in heads]
    return Teacher(networks, [len(head.label_names) for head in heads], torch.tensor(carried))


def _check_pixels(teacher: LoadedModel, student: Preprocess) -> None:
    theirs, ours = ((p.input_size, p.mean, p.std) for p in (teacher.preprocess, student))
    if theirs != ours:
        raise FerError(f"{teacher.name}: sees images as input_size, mean, std {theirs}; expected "
                       f"those of its student, {ours}")  # fmt: skip


def _one_trunk(heads: Sequence[LoadedModel]) -> bool:
    """Whether the networks differ in their classifiers only, so that one pass answers for all."""
    trunks = []
    for head in heads:
        classifier = f"{cast(Any, head.model).pretrained_cfg['classifier']}."
        state = head.model.state_dict()
        trunks.append({k: v for k, v in state.items() if not k.startswith(classifier)})
    return all(
        trunk.keys() == trunks[0].keys()
        and all(torch.equal(value, trunks[0][key]) for key, value in trunk.items())
        for trunk in trunks[1:]
    )


def _together(heads: Sequence[LoadedModel]) -> nn.Module:
    """One network with the classifiers of all, side by side."""
    classifiers = [cast(nn.Linear, head.model.get_classifier()) for head in heads]
    model = cast(Any, heads[0].model)
    model.reset_classifier(sum(classifier.out_features for classifier in classifiers))
    whole = cast(nn.Linear, model.get_classifier())
    with torch.no_grad():
        whole.weight.copy_(torch.cat([classifier.weight for classifier in classifiers]))
        whole.bias.copy_(torch.cat([classifier.bias for classifier in classifiers]))
    return cast(nn.Module, model)
