"""The weights that the page offers, and what it shows of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_cbam import pretrained
from fer_cbam.decide import Decision
from fer_cbam.errors import WeightsError
from fer_cbam.hub import resolve
from fer_cbam.hub.cards import CARD_FILE
from fer_cbam.serve.cards import without_front_matter
from fer_cbam.serve.page import label_colors, over_time
from fer_cbam.serve.titles import title_of
from fer_cbam.smoothing.named import network_for, smoothers_of

#: The networks that the page can run, see ``web/architectures.mjs``.
ARCHITECTURES = ("fer_cbam_base", "fer_cbam_paper", "fer_cbam_tiny")
DEFAULT = ("fer_cbam_tiny.ferplus",)
MAX_BYTES = 100_000_000  # of a weights file: a visitor has to fetch it


@dataclass(frozen=True)
class Offer:
    """Weights in a folder, under the name that they have on the page."""

    name: str
    folder: Path

    @property
    def shown(self) -> dict[str, Any]:
        """As :func:`fer_cbam.serve.page.weights_shown` says it, with the size of the file in bytes,
        the name of the licence, and that of the network that answers over time."""
        config = pretrained.read_config(self.folder)
        labels = pretrained.label_names(config)
        return {
            "weights": self.name,
            "title": title_of(self.name, len(labels)),
            "labels": list(labels),
            "colors": label_colors(labels),
            "card": self.card is not None,
            "attention": config.get("gate_neutral") is not None,
            "smoothing": over_time(self._smoothers(config)),
            "network": self.network.name if self.network else None,
            "bytes": (self.folder / pretrained.WEIGHTS_FILE).stat().st_size,
            "licence": self._licence(config),
        }

    @property
    def network(self) -> Path | None:
        """The folder of the network that answers over time on what these weights see."""
        return network_for(self.folder / pretrained.WEIGHTS_FILE)

    @property
    def card(self) -> str | None:
        """The model card without front matter; None where none comes with the weights."""
        path = self.folder / CARD_FILE
        return without_front_matter(path.read_text(encoding="utf-8")) if path.is_file() else None

    def _smoothers(self, config: dict[str, Any]) -> tuple[str, ...]:
        decision = Decision.of(config, pretrained.label_names(config))
        return smoothers_of(config, self.folder / pretrained.WEIGHTS_FILE, decision)

    def _licence(self, config: dict[str, Any]) -> str:
        """As the card's front matter names it, else the config."""
        path = self.folder / CARD_FILE
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        named = re.search(r"^license_name: *\"?([^\"\n]+)", text, re.MULTILINE)
        if named:
            return named[1].strip()
        return str(config["pretrained_cfg"].get("license") or "not stated")


def offers(sources: Sequence[str | Path] = DEFAULT) -> list[Offer]:
    """Weights by their sources (``<arch>.<tag>``, a folder, or ``hf-hub:user/name``); the first is
    what the page starts with.

    Raises:
        WeightsError: none, damaged, too large for a page, of an architecture that the page cannot
            run, or two of one name.
    """
    found = [_offer(source) for source in sources]
    names = [offer.name for offer in found]
    if not names or len(set(names)) < len(names):
        raise WeightsError(f"weights: got {', '.join(names) or 'none'}; expected different ones")
    return found


def _offer(source: str | Path) -> Offer:
    folder = resolve(source)
    config = pretrained.read_config(folder)
    if config["architecture"] not in ARCHITECTURES:
        raise WeightsError(
            f"{source}: architecture {config['architecture']!r}; the page for the visitor's own "
            f"device runs {', '.join(ARCHITECTURES)}"
        )
    pretrained.tensor_shapes(folder)
    size = (folder / pretrained.WEIGHTS_FILE).stat().st_size
    if size > MAX_BYTES:
        raise WeightsError(
            f"{source}: {size / 1e6:.0f} MB of weights; expected at most {MAX_BYTES / 1e6:.0f} for "
            "a page"
        )
    return Offer(_name(source, folder), folder)


def _name(source: str | Path, folder: Path) -> str:
    """Of embedded weights their own; of others the last part of what they are called, as far as an
    address can hold it."""
    if folder.parent == pretrained.EMBEDDED:
        return folder.name
    last = str(source).partition("@")[0].rstrip("/").rpartition("/")[2] or folder.resolve().name
    return re.sub(r"[^\w.-]+", "-", last, flags=re.ASCII).strip(".-") or "weights"
