"""Sources of weights that are none, and weights that are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fer_cbam import hub, pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub.remote import UnreachableError
from tests.hub.conftest import LABELS, LANDMARKS


@pytest.fixture
def folder(model, tmp_path):
    extra = {"landmarks": LANDMARKS, "temperature": 1.5}
    return hub.save_model(model, tmp_path / "weights", LABELS, extra)


@pytest.mark.parametrize("source", ["nowhere", "fer_cbam_paper.nothing", "no/such/folder"])
def test_unknown_source(source):
    with pytest.raises(WeightsError, match=r"neither embedded .* nor a folder, nor 'hf-hub:"):
        hub.load_model(source)


def test_a_mistyped_folder_is_not_asked_for_on_a_hub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fer_cbam.hub.load.fetch", lambda source: pytest.fail(f"asked: {source}"))
    (tmp_path / "runs" / "public").mkdir(parents=True)
    with pytest.raises(WeightsError, match=r"no such folder in 'runs'; .*'hf-hub:runs/puplic'"):
        hub.resolve("runs/puplic")
    assert hub.resolve("runs/public") == Path("runs/public")


@pytest.mark.parametrize(("source", "said"), [("nobody/home", True), ("hf-hub:nobody/home", False)])
def test_what_no_hub_has_is_no_folder_either(monkeypatch, tmp_path, source, said):
    def absent(source):
        raise UnreachableError(f"{source}: cannot be reached")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fer_cbam.hub.load.fetch", absent)
    with pytest.raises(UnreachableError, match="cannot be reached") as raised:
        hub.resolve(source)
    assert ("nor is there a folder of that name here" in str(raised.value)) is said


def test_a_proxy_that_the_client_does_not_speak_to(monkeypatch):
    def fails(*_args, **_options):
        raise ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", fails)
    with pytest.raises(WeightsError, match=r"nobody/nothing: .*SOCKS proxy, but the 'socksio'"):
        hub.resolve("hf-hub:nobody/nothing")


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
