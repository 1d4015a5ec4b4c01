"""A real browser, a camera that plays a file, and the app in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from tests.conftest import files_under

ROOT = Path(__file__).parents[2]
ASTRONAUT = ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
START_SECONDS = 300  # torch and gradio load slowly on a busy machine


def chromium_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def write_mjpeg(path: Path, frames: list[np.ndarray]) -> Path:
    """BGR frames as Chromium's fake camera reads them: JPEG after JPEG, played in a circle."""
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames))
    return path


def astronaut_frames(count: int = 30) -> list[np.ndarray]:
    """640x480 BGR: the example photograph, slowly moving from side to side."""
    photo = cv2.resize(cv2.imread(str(ASTRONAUT)), (640, 640), interpolation=cv2.INTER_CUBIC)
    shifts = (40 * np.sin(2 * np.pi * np.arange(count) / count)).round().astype(int)
    return [np.roll(photo[:480], shift, axis=1) for shift in shifts]


def video_frames(path: Path) -> list[np.ndarray]:
    """640x480 BGR: a video, with black above and below where it is wider."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        height, width = read[1].shape[:2]
        scale = min(640 / width, 480 / height)
        small = cv2.resize(read[1], (round(width * scale), round(height * scale)))
        top, left = (480 - small.shape[0]) // 2, (640 - small.shape[1]) // 2
        bottom, right = 480 - small.shape[0] - top, 640 - small.shape[1] - left
        frames.append(cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT))
    return frames


@contextmanager
def running_app(weights: str | Path, temporary: Path) -> Iterator[str]:
    """``python app.py`` on a free port; gives its address. What it prints: ``temporary.log``."""
    with running_server(["app.py", "--weights", str(weights)], temporary) as (address, _):
        yield address


@contextmanager
def running_server(
    arguments: list[str], temporary: Path, tree: Path = ROOT, python: str | Path = sys.executable
) -> Iterator[tuple[str, subprocess.Popen]]:
    """A Python program of a tree that takes ``--port``, ended with SIGTERM as a service is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, *arguments, "--port", str(port)]
    environment = os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    log_file = temporary.with_suffix(".log")
    with log_file.open("wb") as log:
        server = subprocess.Popen(command, cwd=tree, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, server, log_file)
        yield address, server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)


def wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.3)
        else:
            return
    raise RuntimeError(f"the app does not answer at {address}:\n{log.read_text()}")


def launch_browser(playwright, camera: Path):
    """Headless Chromium whose camera plays an MJPEG file; to be closed by the caller."""
    arguments = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
        "--no-sandbox",
        "--disable-quic",
        "--disable-background-networking",
        "--no-first-run",
    ]
    return playwright.chromium.launch(executable_path=chromium_path(), args=arguments)


def uploads_under(temporary: Path) -> list[Path]:
    """What a running app holds of its visitors: no lock of its own, no cache of matplotlib's."""
    return [
        path
        for path in files_under(temporary)
        if path.parent.name != "uploads" and path.name != "lock"
    ]


def wait_for_part(page, selector: str) -> None:
    """Until a part of the page is there, with its module."""
    page.wait_for_selector(selector)
    page.wait_for_function("s => !document.querySelector(s).closest('[inert]')", arg=selector)


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    wait_for_part(page, f".fer-{name.lower()}")


@pytest.fixture(scope="session", autouse=True)
def chromium() -> str:
    pytest.importorskip("playwright", reason="playwright is not installed: no browser tests")
    pytest.importorskip("gradio", reason="gradio is not installed: no app to look at")
    path = chromium_path()
    if not path:
        pytest.skip("no Chromium or Chrome in PATH: no browser tests")
    return path


@pytest.fixture(scope="session")
def temporary(tmp_path_factory) -> Path:
    """The app's folder for temporary files."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="session")
def address(chromium, temporary, untrained_weights) -> Iterator[str]:
    """The app with weights that were not trained: these tests are about the page."""
    with running_app(untrained_weights["ckplus48"], temporary) as address:
        yield address
    assert files_under(temporary) == [], "the app left files behind"
    log = temporary.with_suffix(".log").read_text()
    assert "Traceback" not in log, log


# Not for the session: while Playwright is open no other test can have an event loop of its own.
@pytest.fixture(scope="package")
def playwright(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright, tmp_path_factory):
    camera = write_mjpeg(tmp_path_factory.mktemp("camera") / "a.mjpeg", astronaut_frames(1))
    browser = launch_browser(playwright, camera)
    yield browser
    browser.close()


@pytest.fixture
def open_page(address) -> Iterator[Callable]:
    """Opens the app in a browser. What a page may not do is checked when the test is over: log an
    error, or ask another computer for anything."""
    opened, errors, strangers = [], [], []

    def note_request(request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname != "127.0.0.1":
            strangers.append(request.url)

    def opener(browser, script: str | None = None, **options):
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", note_request)
        if script:
            page.add_init_script(script)
        page.goto(address)
        wait_for_part(page, ".fer-header")
        wait_for_part(page, ".fer-webcam")
        opened.append(page)
        return page

    yield opener
    for page in opened:
        page.context.close()
    assert errors == []
    assert strangers == []
