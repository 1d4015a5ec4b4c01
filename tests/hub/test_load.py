"""Sources of weights that are none, and weights that are refused."""

from __future__ import annotations

import json
import sys

import pytest

from fer_cbam import hub, pretrained
from fer_cbam.errors import WeightsError
from tests.hub.conftest import LABELS, LANDMARKS


@pytest.fixture
def folder(model, tmp_path):
    extra = {"landmarks": LANDMARKS, "temperature": 1.5}
    return hub.save_model(model, tmp_path / "weights", LABELS, extra)


@pytest.mark.parametrize("source", ["nowhere", "fer_cbam_paper.nothing", "no/such/folder"])
def test_unknown_source(source):
    with pytest.raises(WeightsError, match=r"neither embedded .* nor a folder, nor 'hf-hub:"):
        hub.load_model(source)


def test_unknown_architecture(folder):
    path = folder / pretrained.CONFIG_FILE
    config = json.loads(path.read_text()) | {"architecture": "resnet18"}
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"'resnet18'; expected one of: .*fer_cbam_paper"):
        hub.load_model(folder)


def test_no_hub_client_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = r"'user/name': huggingface_hub is not installed; .* 'fer-cbam\[hub\]'"
    with pytest.raises(WeightsError, match=message):
        hub.resolve("hf-hub:user/name")
