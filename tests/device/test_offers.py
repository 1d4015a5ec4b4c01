"""Which weights the page offers, and what is shown of them."""

from __future__ import annotations

import json
import shutil

import pytest

from fer_cbam import pretrained
from fer_cbam.device.offers import offers
from fer_cbam.errors import WeightsError

TINY = "fer_cbam_tiny.ferplus"


@pytest.fixture
def own(tmp_path):
    """Own weights: a copy of embedded ones in a folder with a name that no address could hold."""
    folder = tmp_path / "my weights (2)"
    shutil.copytree(pretrained.embedded_dir(TINY), folder)
    return folder


def test_the_usual_offer_is_small():
    (offer,) = offers()
    assert offer.name == TINY and offer.folder == pretrained.embedded_dir(TINY)
    shown = offer.shown
    assert shown["bytes"] < 1e6
    assert shown["title"] == "Fast, a seventh of the size"
    assert shown["licence"] == "research-non-commercial"
    assert shown["labels"] == list(shown["colors"]) and len(shown["labels"]) == 8
    assert shown["card"] is True and shown["attention"] is True
    assert offer.card.startswith("# Model card: `fer_cbam_tiny.ferplus`")


def test_own_weights_have_a_name_for_an_address(own):
    (own / "README.md").unlink()
    (offer,) = offers([own])
    assert offer.name == "my-weights-2"
    assert offer.shown["title"] == "my-weights-2" and offer.shown["card"] is False
    assert offer.shown["licence"] == "other"  # as config.json says
    assert offer.card is None


def test_an_unknown_architecture_is_refused(own):
    config = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(config | {"architecture": "resnet18"}))
    with pytest.raises(WeightsError, match=r"'resnet18'; the page for .* runs fer_cbam_base, "):
        offers([own])


def test_damaged_or_huge_weights_are_refused(own, monkeypatch):
    monkeypatch.setattr("fer_cbam.device.offers.MAX_BYTES", 1000)
    with pytest.raises(WeightsError, match="expected at most"):
        offers([own])
    (own / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(WeightsError, match="damaged"):
        offers([own])


def test_two_of_one_name_or_none_are_refused(own, tmp_path):
    with pytest.raises(WeightsError, match="got none"):
        offers([])
    twin = tmp_path / "other" / "my-weights-2"
    shutil.copytree(own, twin)
    with pytest.raises(WeightsError, match="expected different ones"):
        offers([own, twin])
