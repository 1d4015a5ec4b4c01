"""Hubs that fail, revisions that are none, and where the token goes."""

from __future__ import annotations

import logging
import time

import pytest
import timm
from huggingface_hub import constants

from fer_cbam import cli, hub
from fer_cbam.errors import WeightsError
from fer_cbam.hub import remote
from fer_cbam.recognizer import EmotionRecognizer
from tests.hub.conftest import LABELS, REPO, within


@pytest.mark.parametrize(
    ("source", "revision", "message"),
    [
        (hub.DEFAULT_WEIGHTS, "v1", "expected a hub repository"),
        (f"{REPO}@v1", "v2", "which names one already"),
        (REPO, "../../v1", "expected a tag, a branch or a commit"),
        (f"{REPO}@../../v1", None, "expected a tag, a branch or a commit"),
        (f"{REPO}@", None, "expected a tag, a branch or a commit"),
        (f"{REPO}@v9", None, "no such revision"),
        ("hf-hub:faces", None, "expected 'user/name'"),
        ("hf-hub:user/..", None, "expected 'user/name'"),
    ],
)
def test_revisions_that_are_none(source, revision, message, published):
    assert message in within(5, EmotionRecognizer.from_pretrained, source, revision=revision)


def test_without_the_client(monkeypatch, folder):
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    for call in (lambda: hub.load_model(REPO), lambda: hub.push(folder, REPO)):
        assert "expected: pip install 'fer-cbam[hub]'" in within(1, call)


def test_private_with_and_without_a_token(hf_hub, published, monkeypatch, tmp_path):
    published.private = True
    message = within(5, hub.load_model, REPO)
    assert "answers 401: not there, or private (no token was sent)" in message
    assert "HF_TOKEN or a login with 'hf auth login'" in message
    monkeypatch.setenv("HF_TOKEN", "hf_OfSomeoneElse")
    assert "the token that was sent may not do this" in within(5, hub.load_model, REPO)
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "token").write_text(hf_hub.token)  # where 'hf auth login' puts it
    assert hub.load_model(REPO).label_names == LABELS


@pytest.mark.parametrize("path", ["/api/models/", "HEAD .*/resolve/", "GET /blob/"])
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "not there, or private"),
        (401, "not there, or private"),
        (403, "not there, or private"),
        (500, "answers 500, a fault of its own"),
        (503, "answers 503, a fault of its own"),
    ],
)
def test_statuses(path, status, message, hf_hub, published):
    hf_hub.fail(path, status)
    text = within(5, hub.load_model, REPO)
    assert text.startswith(f"{REPO}: {hf_hub.url}") and message in text and str(status) in text


def test_a_hub_that_hangs_is_given_up_within_5_seconds(hf_hub, published):
    hf_hub.hang(".*")
    message = within(5, hub.load_model, REPO)
    silent = (
        f"{REPO}: {hf_hub.url} has not answered for 4 s; set HF_HUB_ETAG_TIMEOUT to wait longer"
    )
    assert message.startswith(silent)


@pytest.mark.parametrize(
    "path", ["HEAD .*config.json", "HEAD .*safetensors", "GET .*config.json", "GET /blob/"]
)
def test_a_hub_that_hangs_later(path, hf_hub, published, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 1)
    hf_hub.hang(path)
    assert "has not answered for 1 s" in within(2, hub.load_model, REPO)


def test_nobody_there(hf_hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:secret@127.0.0.1:9")
    message = within(5, hub.load_model, REPO)
    assert f"{REPO}: http://127.0.0.1:9 cannot be reached (ConnectError" in message
    assert "secret" not in message


def test_a_name_server_that_does_not_answer(monkeypatch):
    import socket

    def never(*_, **__):
        time.sleep(20)

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr(remote, "PATIENCE", 1)
    assert "http://hub.invalid has not answered for 1 s" in within(2, hub.load_model, REPO)


def carried(asked):
    return {a.port for a in asked if a.authorization}


def test_the_token_stays_on_the_hub(hf_hub, folder, token, tmp_path):
    hub.push(folder, REPO, private=True)
    hub.pull(REPO, tmp_path / "out")
    timm.create_model(f"hf-hub:{REPO}", pretrained=True)
    assert hf_hub.to("/upload/", "PUT") and hf_hub.to("/blob/", "GET")  # on the other port
    assert {a.port for a in hf_hub.asked} == {hf_hub.port, hf_hub.storage_port}
    assert carried(hf_hub.asked) == {hf_hub.port}


@pytest.mark.parametrize("path", ["GET /api/", "HEAD .*/resolve/", "GET .*/resolve/"])
def test_a_redirect_to_another_host_does_not_carry_the_token(path, hf_hub, published, token):
    hf_hub.fail(path, 307, {"Location": f"{hf_hub.storage_url}/elsewhere"})
    within(5, hub.load_model, REPO)
    assert carried(hf_hub.asked) == {hf_hub.port}
    assert path.startswith("HEAD") or hf_hub.to("/elsewhere")  # it was followed, without


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_the_token_is_not_printed_even_if_the_hub_repeats_it(
    status, hf_hub, published, folder, token, capfd, caplog
):
    hf_hub.fail(".*", status, {"X-Error-Message": f"bad header: Bearer {token}"})
    with caplog.at_level(logging.INFO):
        assert cli.main(["pull", REPO, str(folder / "out")]) == 1
        assert cli.main(["push", str(folder), REPO]) == 1
    printed = "".join(capfd.readouterr()) + caplog.text
    assert f"fer-cbam: {REPO}: " in printed
    assert token not in printed


def test_an_uncaught_error_does_not_show_the_token_either(hf_hub, published, token):
    import traceback

    hf_hub.fail(".*", 400, {"X-Error-Message": f"bad header: Bearer {token}"})
    with pytest.raises(WeightsError) as raised:
        hub.load_model(REPO)
    shown = "".join(traceback.format_exception(raised.value))
    assert "(token)" in shown and token not in shown
