"""The exponential moving average of the probabilities, in seconds and not in frames, so that a slow
machine smooths as much as a fast one."""

from __future__ import annotations

import numpy as np

from fer_cbam.smoothing.base import Seen, State

HALF_LIFE = 0.25  # seconds after which a new expression weighs as much as the old one


class Average:
    """See :class:`fer_cbam.smoothing.base.Smoother`. half_life: seconds; 0 does not smooth."""

    name = "average"
    needs_cues = False
    softens = 1.0

    def __init__(self, label_names: tuple[str, ...], half_life: float = HALF_LIFE) -> None:
        self.label_names = label_names
        self.half_life = half_life

    def step(self, seen: Seen, seconds: float, state: State | None) -> tuple[np.ndarray, State]:
        probs = seen.probs
        if state is not None and self.half_life > 0:
            old = np.asarray(state)
            probs = old + (1 - 0.5 ** (seconds / self.half_life)) * (probs - old)
        return probs, tuple(probs.tolist())
