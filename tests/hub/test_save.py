"""Weights saved, and read back by us and by timm."""

from __future__ import annotations

import pytest
import timm
import torch

from fer_cbam import hub
from tests.hub.conftest import LABELS, LANDMARKS


@pytest.fixture
def folder(model, tmp_path):
    extra = {"landmarks": LANDMARKS, "temperature": 1.5}
    return hub.save_model(model, tmp_path / "weights", LABELS, extra)


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
