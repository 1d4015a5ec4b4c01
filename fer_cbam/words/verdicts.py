"""What has to be said beside a verdict, so that it is not misread."""

from __future__ import annotations

from fer_cbam.render import percent
from fer_cbam.types import Prediction

NOT_A_FACE = "This does not look like a face to the network, so no expression is named."


def verdict_note(prediction: Prediction) -> str:
    """Why nothing is said, or why less than the most probable is; empty where neither holds.

    Labels that are rare or said too seldom are lifted, see :mod:`fer_cbam.decide`.
    """
    if prediction.no_face:
        return NOT_A_FACE
    most = max(prediction.probs, key=prediction.probs.__getitem__)
    if prediction.probs[most] <= prediction.confidence:
        return ""
    return (
        f"{most.capitalize()} is more probable ({percent(prediction.probs[most])}). These weights "
        f"give {prediction.label} a lead over it."
    )
