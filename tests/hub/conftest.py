"""A hub on this machine, weights to put there, and the time that an error may take."""

from __future__ import annotations

import json
import time

import pytest
import timm
import torch
from huggingface_hub import constants
from huggingface_hub.utils import close_session

from fer_cbam import hub
from fer_cbam.errors import WeightsError
from tests.hub.server import HubServer, Repo

LABELS = ("anger", "disgust", "fear", "happiness")
LANDMARKS = [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]
REPO = "user/faces"


@pytest.fixture(scope="module")
def server():
    server = HubServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def hf_hub(server, tmp_path, monkeypatch):
    """The hub, empty, as the one that huggingface_hub knows; with a cache of its own, no token."""
    server.reset()
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_ETAG_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    # What these environment variables do when huggingface_hub is imported.
    settings = {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_TOKEN_PATH": str(tmp_path / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "DOWNLOAD_CHUNK_SIZE": constants.DOWNLOAD_CHUNK_SIZE,
    }
    for name, value in settings.items():
        monkeypatch.setattr(constants, name, value)
    yield server
    close_session()


@pytest.fixture
def token(hf_hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hf_hub.token)
    return hf_hub.token


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return timm.create_model("fer_cbam_paper", num_classes=4, channels=(8, 8, 16)).eval()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return hub.save_model(
        model, tmp_path_factory.mktemp("weights"), LABELS, {"landmarks": LANDMARKS}
    )


@pytest.fixture
def x():
    return torch.rand((3, 1, 48, 48), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def published(hf_hub, files):
    """The weights on the hub, tagged v1, public."""
    repo = hf_hub.repos[REPO] = Repo()
    repo.tags["v1"] = repo.commit({**files, "README.md": b"# A card\n"})
    return repo


def within(seconds, call, *args, **kwargs):
    """What the call raised, and that it took no longer."""
    start = time.monotonic()
    with pytest.raises(WeightsError) as raised:
        call(*args, **kwargs)
    assert time.monotonic() - start < seconds
    return str(raised.value)


def edited(files, **changes):
    """The files with keys at the root of config.json replaced."""
    config = json.loads(files["config.json"]) | changes
    return {**files, "config.json": json.dumps(config).encode()}
