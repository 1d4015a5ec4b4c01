"""What each way of smoothing says of the frames of clips."""

from __future__ import annotations

import numpy as np

from eval.clips.readings import Readings
from eval.clips.scores import Answers
from fer_cbam.decide import Decision
from fer_cbam.smoothing.average import Average
from fer_cbam.smoothing.base import Seen, Smoother, State

SINGLE = "single_frames"


def smoothed(readings: Readings, probs: np.ndarray, smoother: Smoother) -> np.ndarray:
    """Probabilities float64 ``(M, K)`` of every frame, a step after the other. probs: ``(M, K)``,
    calibrated, of each frame alone."""
    found = np.empty_like(probs)
    for part in readings.clips():
        state: State | None = None
        before = readings.seconds[part.start]
        for i in range(part.start, part.stop):
            seen = Seen(probs[i], readings.embedding[i], readings.cues[i])
            found[i], state = smoother.step(seen, float(readings.seconds[i] - before), state)
            before = readings.seconds[i]
    return found


def answers(decision: Decision, probs: np.ndarray, smoother: Smoother) -> Answers:
    """What is said of probabilities ``(M, K)`` that a smoother told; decision: of the weights that
    read the frames."""
    said = decision.softened(smoother.softens).said(probs)
    return Answers(said, probs[np.arange(len(probs)), said])


def single(decision: Decision) -> Average:
    """Each frame on its own."""
    return Average(decision.label_names, half_life=0.0)
