"""The page for the visitor's own device beside the app's."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from fer_cbam.device.mount import DevicePage, offered
from fer_cbam.hub import DEFAULT_WEIGHTS
from tests.device.conftest import PAPER, TINY


@pytest.fixture(scope="module", params=["", "/behind/a/proxy"])
def client(request):
    """Also behind a proxy that cuts a sub-path off."""
    app = Starlette(routes=[Mount("/device", DevicePage([TINY], "/device"))])
    return TestClient(app, root_path=request.param)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html"),
        ("page.mjs", "text/javascript"),
        ("service_worker.js", "text/javascript"),
        ("kernel.wasm", "application/wasm"),
        ("manifest.webmanifest", "application/manifest+json"),
        ("settings.json", "application/json"),
        (f"weights/{TINY}/card.txt", "text/plain"),
        (f"weights/{TINY}/model.safetensors", ""),
    ],
)
def test_files_have_their_types(client, name, kind):
    answer = client.get(f"/device/{name}")
    assert answer.status_code == 200 and len(answer.content) > 100
    assert answer.headers.get("content-type", "").startswith(kind)
    assert answer.headers["cache-control"] == "no-cache"


def test_it_leads_back_to_the_server(client):
    assert client.get("/device/settings.json").json()["server"] == "../"


@pytest.mark.parametrize("name", ["nothing", "../app.py", "%2e%2e/app.py", "kernel/heads.c"])
def test_nothing_else_is_served(client, name):
    assert client.get(f"/device/{name}").status_code == 404


def test_what_is_offered_beside_a_server(untrained_weights, tmp_path):
    usual = [TINY, DEFAULT_WEIGHTS]
    assert offered(DEFAULT_WEIGHTS) == offered(TINY) == usual
    assert offered(PAPER) == [PAPER, *usual]
    own = untrained_weights["ferplus"]
    assert offered(own) == [own, *usual]
    assert offered(tmp_path) == usual  # no weights at all
