"""What an answer loses when one part of the face is hidden: with two fills, because what is put in
place of a part has an effect of its own. NumPy, any backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from fer_cbam.backends.base import Backend
from fer_cbam.decide import Decision
from fer_cbam.explain.hide import Fill, blurred, hidden, logits_of, mean_grey

FILLS: Mapping[str, Fill] = {"blur": blurred, "mean": mean_grey}
LEAST_LOSS = 0.05  # of probability, with both fills, for a part to be named
_SOFT = 1 / 48  # of the side: standard deviation of the edges


@dataclass(frozen=True, eq=False)
class PartLosses:
    """What hiding each part takes from the probability of a label.

    losses: fill -> part -> probability of the face as it is, less that with the part hidden, in
    [-1, 1].
    """

    losses: Mapping[str, Mapping[str, float]]

    def least(self, part: str) -> float:
        """The loss with the fill that takes less."""
        return min(own[part] for own in self.losses.values())

    @property
    def decisive(self) -> str | None:
        """The part that costs most with every fill, and at least `LEAST_LOSS` with each; None where
        there is no such part."""
        first = {max(own, key=own.__getitem__) for own in self.losses.values()}
        if len(first) > 1:
            return None
        (part,) = first
        return part if self.least(part) >= LEAST_LOSS else None


def part_losses(
    backend: Backend, x: np.ndarray, masks: Mapping[str, np.ndarray], decision: Decision
) -> dict[str, PartLosses]:
    """Hide one part after another: label -> its losses, for all labels at once.

    x: one face, float32 ``(1, C, H, W)``, preprocessed. masks: part -> bool ``(H, W)``. decision:
    what makes logits probabilities. Costs a forward pass for each part and fill, and one more.
    """
    soft = softened(np.stack(list(masks.values())))
    faces = [x, *(hidden(x, soft, fill(x)) for fill in FILLS.values())]
    probs = decision.posterior(logits_of(backend, np.concatenate(faces)))
    lost = (probs[0] - probs[1:]).reshape(len(FILLS), len(masks), -1)
    return {
        label: PartLosses({
            fill: dict(zip(masks, map(float, lost[f, :, k]), strict=True))
            for f, fill in enumerate(FILLS)
        })
        for k, label in enumerate(backend.label_names)
    }  # fmt: skip


def softened(masks: np.ndarray) -> np.ndarray:
    """Masks bool ``(M, H, W)`` -> float32 in [0, 1], with edges that are soft by a pixel."""
    sigma = _SOFT * masks.shape[-1]
    return np.stack([cv2.GaussianBlur(m.astype(np.float32), (0, 0), sigma) for m in masks])
