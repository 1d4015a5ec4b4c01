"""What the page's modules need to say and show the same as the server's: phrases, colours, names.

They are taken from the Python that has them, so that no second copy can drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_cbam.device.offers import Offer
from fer_cbam.labels import EMOTIONS
from fer_cbam.render import WHITE, color_of, heat_colors, ink_on
from fer_cbam.serve.page import MAPS, css_color
from fer_cbam.words.facs import FACS
from fer_cbam.words.phrases import PHRASES, PLURAL, REGION_NAMES, SURE


def settings(offers: Sequence[Offer], server: str = "") -> dict[str, Any]:
    """Ready for JSON.

    server: where the page that reads pictures on the server is; empty where there is none.
    """
    return {
        "weights": [offer.shown for offer in offers],
        "server": server,
        "phrases": dict(PHRASES),
        "sure": [list(step) for step in SURE],
        "plural": sorted(PLURAL),
        "region_names": dict(REGION_NAMES),
        "facs": {
            label: {"words": actions.words, "regions": list(actions.regions)}
            for label, actions in FACS.items()
        },
        "colors": {
            **{label: _color_and_ink(color_of(label)) for label in EMOTIONS},
            "": _color_and_ink(WHITE),  # of what is no face
        },
        "other_colors": _other_colors(offers),
        "heat": heat_colors(np.arange(256) / 255).tolist(),
        "maps": dict(MAPS),
    }


def _other_colors(offers: Sequence[Offer]) -> list[list[str]]:
    """Of the labels that are no emotions, by their place among those of their weights."""
    most = max((len(set(offer.shown["labels"]) - set(EMOTIONS)) for offer in offers), default=0)
    names = [f"other {place}" for place in range(most)]
    return [_color_and_ink(color_of(name, names)) for name in names]


def _color_and_ink(color: tuple[int, int, int]) -> list[str]:
    """A colour, and what is read on it."""
    return [css_color(color), css_color(ink_on(color))]
