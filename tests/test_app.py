"""The app's flags and what it launches, without a server."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import cv2
import pytest

pytest.importorskip("gradio")

import torch

import app
from fer_cbam.recognizer import EmotionRecognizer


@pytest.fixture(scope="module")
def recognizer(untrained_weights) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(untrained_weights["ckplus48"])


@pytest.mark.parametrize("auth", ["user", "user:", ":password", ""])
def test_auth_needs_both(auth, capsys):
    with pytest.raises(SystemExit) as leaving:
        app.parse_args(["--auth", auth])
    assert leaving.value.code == 2
    assert "expected USER:PASSWORD" in capsys.readouterr().err


def test_auth_may_hold_colons():
    assert app.parse_args(["--auth", "me:a:b"]).auth == ("me", "a:b")


@pytest.fixture
def launched(monkeypatch) -> list[dict]:
    calls: list[dict] = []

    def launch(_blocks, **kwargs):
        calls.append(kwargs)
        return None, "http://127.0.0.1:7860/", None

    monkeypatch.setattr(app.gr.Blocks, "launch", launch)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # put back after the test
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")
    monkeypatch.setenv("MPLCONFIGDIR", "")
    threads = torch.get_num_threads(), cv2.getNumThreads()
    yield calls
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


def test_flags_reach_the_server(recognizer, launched, monkeypatch, capsys):
    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", lambda *_, **_kw: recognizer)
    arguments = ["--host", "0.0.0.0", "--port", "7999", "--share", "--auth", "me:secret"]
    assert app.main(arguments) == 0
    (call,) = launched
    assert (call["server_name"], call["server_port"]) == ("0.0.0.0", 7999)
    assert call["share"] is True and call["auth"] == ("me", "secret")
    assert call["run_history"] is False and call["ssr_mode"] is False
    assert "WARNING" not in capsys.readouterr().err
    assert not Path(app.os.environ["GRADIO_TEMP_DIR"]).exists()


def test_sharing_without_a_password_is_warned_of(recognizer, launched, monkeypatch, capsys):
    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", lambda *_, **_kw: recognizer)
    assert app.main(["--share"]) == 0
    assert "WARNING: --share without --auth" in capsys.readouterr().err


def test_backend_reaches_recogniser_and_detector(launched, monkeypatch):
    built = []
    monkeypatch.setattr(app, "build", lambda server: built.append(server) or app.gr.Blocks())
    assert app.main(["--backend", "onnx"]) == 0
    (server,) = built
    recognizer, live = server.recognizers.first, server.live_detector
    assert type(recognizer.backend).__name__ == "OnnxBackend"
    assert type(recognizer.detector).__name__ == type(live).__name__ == "OnnxYuNetDetector"
    assert (recognizer.detector.max_side, live.max_side) == (4096, app.LIVE_SIDE)


def test_unknown_weights_end_the_app_with_a_sentence(launched, capsys):
    assert app.main(["--weights", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("app.py: weights 'nowhere': neither embedded")
    assert launched == []


SVG = "http://www.w3.org/2000/svg"  # names the elements; nobody fetches it


def test_the_page_asks_for_nothing_from_elsewhere():
    """No web font, script or style from a network; the browser test sees the same happen."""
    assert app.theme()._stylesheets == []
    names = [p.name for p in app.ASSETS.iterdir() if p.suffix in (".css", ".mjs", ".html")]
    assert {"app.css", "dom.mjs", "webcam.mjs", "photo.html", "header.html"} <= set(names)
    for name in names:
        text = app.asset(name).replace(SVG, "")
        assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", text), name


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ([], True),
        (["--host", "0.0.0.0"], False),
        (["--host", "::"], False),
        (["--host", "::1"], True),
        (["--host", "[::1]"], True),
        (["--share"], False),
        (["--host", "0.0.0.0", "--any-weights"], True),
        (["--no-any-weights"], False),
    ],
)
def test_who_may_load_weights_from_elsewhere(arguments, allowed, monkeypatch):
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    assert app.parse_args(arguments).any_weights is allowed


def test_a_space_says_where_to_listen(monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    args = app.parse_args([])
    assert args.host == "0.0.0.0" and args.any_weights is False


def test_mcp_needs_its_extra(launched, monkeypatch, capsys):
    monkeypatch.setattr(app, "find_spec", lambda _name: None)
    assert app.main(["--mcp"]) == 1
    assert "pip install 'gradio[mcp]'" in capsys.readouterr().err
    assert launched == []


def test_mcp_is_passed_on_where_the_extra_is(recognizer, launched, monkeypatch):
    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", lambda *_, **_kw: recognizer)
    monkeypatch.setattr(app, "find_spec", lambda name: name == "mcp")
    assert app.main(["--mcp"]) == 0
    assert launched[0]["mcp_server"] is True
