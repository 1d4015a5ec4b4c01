"""Weights that were not trained, of two label sets; the tests here are about serving."""

from __future__ import annotations

from pathlib import Path

import pytest

LANDMARKS = [[0.3, 0.38], [0.7, 0.38], [0.5, 0.6], [0.34, 0.78], [0.66, 0.78]]


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> dict[str, Path]:
    """Label set -> folder."""
    import timm
    import torch

    from fer_cbam import hub
    from fer_cbam.labels import LABEL_SETS

    folders = {}
    for seed, name in enumerate(("ckplus48", "ferplus"), 3):
        torch.manual_seed(seed)
        model = timm.create_model("fer_cbam_paper", num_classes=len(LABEL_SETS[name]))
        folders[name] = tmp_path_factory.mktemp(f"weights_{name}")
        hub.save_model(model, folders[name], LABEL_SETS[name], {"landmarks": LANDMARKS})
    return folders
