"""Weights: saved, read back by us and by timm, and refused when something is wrong."""

from __future__ import annotations

import json
import sys

import pytest
import timm
import torch

from fer_cbam import hub, pretrained
from fer_cbam.errors import WeightsError

LABELS = ("anger", "disgust", "fear", "happiness")
LANDMARKS = [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return timm.create_model("fer_cbam_paper", num_classes=4, channels=(8, 8, 16)).eval()


@pytest.fixture
def folder(model, tmp_path):
    extra = {"landmarks": LANDMARKS, "temperature": 1.5}
    return hub.save_model(model, tmp_path / "weights", LABELS, extra)


@pytest.fixture
def x():
    return torch.rand((3, 1, 48, 48), generator=torch.Generator().manual_seed(0))


def test_round_trip(model, folder, x):
    loaded = hub.load_model(folder)
    assert torch.equal(loaded.model(x), model(x))
    assert loaded.label_names == LABELS
    assert loaded.config["temperature"] == 1.5
    assert loaded.preprocess.landmarks == tuple(map(tuple, LANDMARKS))
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())


def test_timm_reads_it_without_us(model, folder, x):
    reloaded = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    assert torch.equal(reloaded(x), model(x))
    assert tuple(reloaded.pretrained_cfg["label_names"]) == LABELS


def test_channels_last_and_half_storage(model, tmp_path, x):
    rearranged = model.to(memory_format=torch.channels_last)
    hub.save_model(rearranged, tmp_path, LABELS, dtype=torch.float16)
    loaded = hub.load_model(tmp_path).model
    assert loaded.head.fc.weight.dtype == torch.float32
    for name, tensor in loaded.state_dict().items():
        expected = model.state_dict()[name]
        stored = expected.half().float() if expected.is_floating_point() else expected
        assert torch.equal(tensor, stored), name
    assert next(model.parameters()).dtype == torch.float32  # the saved one is untouched


def test_only_the_two_files_are_left(folder):
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_files_can_be_read_by_all(folder):
    assert all(p.stat().st_mode & 0o777 == 0o644 for p in folder.iterdir())


def test_labels_of_another_data_set_replace_the_registered_ones(tmp_path):
    """Seven classes as registered, but not the registered names."""
    names = tuple("abcdefg")
    hub.save_model(timm.create_model("fer_cbam_paper"), tmp_path, names)
    assert hub.load_model(tmp_path).label_names == names


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
