"""What the picker calls weights: names that say what one gets, beside those that files have."""

from __future__ import annotations

# count: how many expressions they know.
TITLES = {
    "fer_cbam_base.ferplus": "Balanced, {count} expressions",
    "fer_cbam_tiny.ferplus": "Fast, a seventh of the size",
    "fer_cbam_base.fer2013": "FER2013's {count}",
    "fer_cbam_tiny.fer2013": "Fast, FER2013's {count}",
    "fer_cbam_paper.ckplus48": "Paper: posed faces, no neutral",
}


def title_of(weights: str, count: int) -> str:
    """The title of weights; of others than the embedded ones, their name."""
    return TITLES[weights].format(count=count) if weights in TITLES else weights
