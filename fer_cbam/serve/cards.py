"""The model cards of the embedded weights as the page links to them."""

from __future__ import annotations

import re
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.hub.cards import CARD_FILE


def has_card(weights: str) -> bool:
    """Whether these are embedded weights with a card."""
    return weights in pretrained.embedded_names() and _path(weights).is_file()


def card_text(weights: str) -> str:
    """The card of embedded weights, Markdown without YAML front matter and comments."""
    return without_front_matter(_path(weights).read_text(encoding="utf-8"))


def without_front_matter(text: str) -> str:
    """A card without what a hub reads of it."""
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    return re.sub(r"<!--.*?-->\n?", "", body, flags=re.DOTALL).strip() + "\n"


def _path(weights: str) -> Path:
    return pretrained.EMBEDDED / weights / CARD_FILE
