"""What was seen of a face, by its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_cbam.smoothing.base import Seen


def seen(probs: Sequence[float], embedding: np.ndarray | None = None) -> Seen:
    return Seen(np.array(probs, np.float64), embedding, None)
