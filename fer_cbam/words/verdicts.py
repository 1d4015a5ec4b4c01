"""What has to be said beside a verdict, so that it is not misread."""

from __future__ import annotations

from fer_cbam.render import percent
from fer_cbam.types import Prediction
from fer_cbam.words.phrases import phrase


def verdict_note(prediction: Prediction) -> str:
    """Why nothing is said, or why less than the most probable is; empty where neither holds.

    Labels that are rare or said too seldom are lifted, see :mod:`fer_cbam.decide`.
    """
    if prediction.no_face:
        return phrase("unnamed")
    most = max(prediction.probs, key=prediction.probs.__getitem__)
    if prediction.probs[most] <= prediction.confidence:
        return ""
    chance = percent(prediction.probs[most])
    return phrase("lifted", most=most.capitalize(), chance=chance, label=prediction.label)
