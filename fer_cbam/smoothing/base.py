"""What a smoother promises: what is said of a face now, from what was seen of it up to now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fer_cbam.smoothing.cues import cues
from fer_cbam.types import Recognition

#: What one frame of a face leaves to its next: plain numbers, which mean something to one smoother.
State = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """One face in one frame.

    probs: float64 ``(K,)``, calibrated, of the frame alone. embedding: float32 ``(D,)``, None where
    the backend gives none. cues: float32 ``(C,)``, see :mod:`fer_cbam.smoothing.cues`; None where
    nobody needs them.
    """

    probs: np.ndarray
    embedding: np.ndarray | None
    cues: np.ndarray | None

    @classmethod
    def of(cls, recognition: Recognition, with_cues: bool) -> Seen:
        probs = np.array(list(recognition.prediction.probs.values()), np.float64)
        found = cues(recognition.face, recognition.crop) if with_cues else None
        return cls(probs, recognition.embedding, found)


class Smoother(Protocol):
    """Answers of one face over time. Holds nothing of any face: all that is remembered is the state
    that a step gives back, so that one smoother serves every track.

    name: of its kind. label_names: in the order of the probabilities. needs_cues: whether it looks
    at them. softens: what it divides log-probabilities by after all else; a label is said as if it
    had not, see :meth:`fer_cbam.decide.Decision.softened`.
    """

    name: str
    label_names: tuple[str, ...]
    needs_cues: bool
    softens: float

    def step(self, seen: Seen, seconds: float, state: State | None) -> tuple[np.ndarray, State]:
        """The next frame of a face.

        seconds: since its last frame, 0 or more. state: what the last step left, None where the
        face is new (then seconds say nothing). Returns probabilities float64 ``(K,)``, summing to
        1, and the new state.
        """
        ...
