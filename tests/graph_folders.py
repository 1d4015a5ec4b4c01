"""Networks with both heads, whose BatchNorm has seen images, as folders of weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub
from fer_cbam.deploy.graph import add_graph
from fer_cbam.labels import LABEL_SETS

LANDMARKS = [[0.3, 0.38], [0.7, 0.38], [0.5, 0.6], [0.34, 0.78], [0.66, 0.78]]
ARCHITECTURES = {"fer_cbam_paper": "ckplus48", "fer_cbam_tiny": "ferplus"}


@pytest.fixture(scope="session")
def faces() -> np.ndarray:
    """Smooth random pictures, uint8 ``(12, 48, 48)``."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((12, 1, 6, 6), np.float32))
    fine = torch.nn.functional.interpolate(coarse, (48, 48), mode="bicubic").clamp(0, 1)
    return (fine[:, 0].numpy() * 255).astype(np.uint8)


@pytest.fixture(scope="session", params=ARCHITECTURES)
def folder(request, faces, tmp_path_factory) -> Path:
    """Weights with a graph beside them."""
    torch.manual_seed(1)
    model = timm.create_model(request.param)
    torch.nn.init.normal_(model.head.fc.weight)  # so that classes and their maps differ
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.from_numpy(faces)[:, None] / 255)
    path = tmp_path_factory.mktemp(request.param)
    extra = {"landmarks": LANDMARKS, "temperature": 1.3, "training": {"data": "nothing"}}
    hub.save_model(model, path, LABEL_SETS[ARCHITECTURES[request.param]], extra)
    add_graph(path)
    return path


@pytest.fixture
def x(faces) -> np.ndarray:
    return faces[:, None].astype(np.float32) / 255
