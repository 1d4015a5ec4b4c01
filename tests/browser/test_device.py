"""The page for the visitor's own device, as a visitor meets it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_cbam.device.site import write_site
from fer_cbam.labels import EMOTIONS
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.video.clip import ClipWriter
from tests.browser.conftest import ASTRONAUT, astronaut_frames, wait_for_part
from tests.browser.test_page import AXE, bar_names

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TINY, BASE = "fer_cbam_tiny.ferplus", "fer_cbam_base.ferplus"
READY = "Ready, also without a network."
PHOTO = str(ASTRONAUT)


class Host:
    """Any static host: Python's own, with a record of what was sent."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, int]] = []  # path, status
        asked = self.asked

        class Handler(SimpleHTTPRequestHandler):
            def log_request(self, code="-", size="-") -> None:
                asked.append((self.path, int(code)))

            def log_error(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Iterator[Host]:
    host = Host(write_site(tmp_path_factory.mktemp("device") / "page", [TINY, BASE]))
    yield host
    host.close()


@pytest.fixture
def open_device(browser, host) -> Iterator[Callable]:
    """Opens the page; no error may be logged while a test looks at it."""
    contexts, errors = [], []

    def opener(script: str | None = None, ready: bool = True, address: str = "", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if script:
            page.add_init_script(script)
        page.goto(address or host.address)
        if ready:
            page.get_by_text(READY).wait_for()
        return page

    yield opener
    for context in contexts:
        context.close()
    assert errors == []


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """The page's policy forbids what Playwright's own waiting for an expression needs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def frames(page) -> int:
    return int(page.get_attribute(".fer-webcam", "data-frames"))


def start_camera(page, count: int = 3) -> None:
    before = frames(page)
    page.get_by_role("button", name="Start camera").click()
    until(lambda: frames(page) >= before + count)


def read_photo(page, file: str | Path | dict, state: str = "done") -> str:
    tab(page, "Photo")
    page.eval_on_selector(".fer-photo", "e => e.dataset.state = 'idle'")
    page.set_input_files("#fer-file", file)
    page.wait_for_selector(f'.fer-photo[data-state="{state}"]')
    return page.inner_text(".fer-photo .fer-message")


def read_clip(page, file: str | Path | dict, state: str = "done") -> str:
    tab(page, "Video")
    page.set_input_files("#fer-clip", file)
    page.wait_for_selector(f'.fer-video[data-state="{state}"]')
    return page.inner_text(".fer-video .fer-message")


def write_clip(path: Path) -> Path:
    with ClipWriter(path, 12) as writer:
        for number, frame in enumerate(astronaut_frames(18)):
            writer.write(cv2.cvtColor(frame[::2, ::2], cv2.COLOR_BGR2RGB), number / 12)
    return path


def use_everything(page, clip: Path) -> None:
    start_camera(page, 5)
    page.get_by_role("button", name="Stop camera").click()
    assert read_photo(page, PHOTO).startswith("One face found.")
    assert read_clip(page, clip) == "One face in 1.4 seconds."


@pytest.fixture
def gone(tmp_path) -> Host:
    """A host of its own, which a test may shut down."""
    return Host(write_site(tmp_path / "page", [TINY]))


def test_without_a_network_everything_works_and_nothing_is_asked_for(open_device, gone, tmp_path):
    clip = write_clip(tmp_path / "clip.webm")
    page = open_device(address=gone.address)
    asked = []
    page.context.on("request", lambda r: asked.append(r.url))
    page.context.set_offline(True)
    gone.close()
    use_everything(page, clip)
    assert [url for url in asked if not url.startswith(("blob:", "data:"))] == []


def test_it_opens_and_works_again_without_a_network(open_device, gone, tmp_path):
    page = open_device(address=gone.address)
    page.context.set_offline(True)
    gone.close()
    page.reload()
    page.get_by_text(READY).wait_for()
    use_everything(page, write_clip(tmp_path / "clip.webm"))
    tab(page, "Photo")
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    tab(page, "About")
    with page.expect_popup() as card:
        page.get_by_role("link", name="Their model card").click()
    assert "fer_cbam_tiny.ferplus" in card.value.inner_text("body")


def test_a_first_visit_fetches_nothing_large_twice_and_stores_only_the_page(open_device, host):
    before = len(host.asked)
    page = open_device()
    sent = Counter(path for path, code in host.asked[before:] if code == 200)
    assert not [path for path in sent if BASE in path]
    large = {"/yunet.onnx": 1, "/kernel.wasm": 1, f"/weights/{TINY}/model.safetensors": 1}
    assert {path: sent[path] for path in large} == large
    start_camera(page)
    stored = page.evaluate("""async () => ({
      cookies: document.cookie, local: localStorage.length, session: sessionStorage.length,
      bases: (await indexedDB.databases()).length, caches: (await caches.keys()).length,
    })""")
    assert stored == {"cookies": "", "local": 0, "session": 0, "bases": 0, "caches": 1}
    assert page.context.cookies() == []


def test_a_new_version_replaces_the_old_one(browser, tmp_path):
    host = Host(write_site(tmp_path / "page"))
    page = browser.new_context().new_page()
    page.goto(host.address)
    page.get_by_text(READY).wait_for()
    names = "async () => (await caches.keys()).map((name) => name.split(' ').at(-1))"
    (old,) = page.evaluate(names)
    write_site(tmp_path / "page", ["fer_cbam_tiny.fer2013"], overwrite=True)
    page.goto("about:blank")
    page.goto(host.address)  # still the old one, while the new one is fetched
    page.wait_for_timeout(500)
    until(lambda: len(page.evaluate(names)) == 2)
    page.wait_for_timeout(500)
    page.goto("about:blank")  # nobody uses it any more
    page.wait_for_timeout(500)
    page.goto(host.address)
    until(lambda: page.inner_text(".fer-weights-name") == "Fast, FER2013's 7")
    page.get_by_text(READY).wait_for()
    (new,) = page.evaluate(names)
    assert new != old
    page.context.close()
    host.close()


def test_a_photo_is_told_as_python_tells_it(open_device, tmp_path):
    page = open_device()
    read_photo(page, PHOTO)
    (expected,) = EmotionRecognizer.from_pretrained(TINY, backend="onnx")(ASTRONAUT)
    assert page.inner_text(".fer-panel .fer-verdict").startswith(expected.prediction.label)
    assert sorted(bar_names(page, ".fer-panel")) == list(EMOTIONS)
    with page.expect_download() as download:
        page.get_by_role("button", name="Numbers (JSON)").click()
    numbers = json.loads(download.value.path().read_text())
    (face,) = numbers["faces"]
    np.testing.assert_allclose(face["box"], expected.face.box, atol=1.5)
    for label, prob in expected.prediction.probs.items():
        assert face["probs"][label] == pytest.approx(prob, abs=0.02)
    assert numbers["image"] == {"width": 512, "height": 512} and numbers["weights"] == TINY
    assert face["sentence"] == page.inner_text(".fer-words")
    page.click('.fer-panel .fer-bar[data-emotion="sadness"]')
    assert "sadness" in page.inner_text(".fer-words")
    page.locator(".fer-photo").get_by_role("button", name="Show why").click()
    heat = page.locator(".fer-photo .fer-overlay image")
    before = heat.get_attribute("href")
    page.click('.fer-panel .fer-bar[data-emotion="anger"]')
    assert heat.get_attribute("href") != before
    figures = {}
    for opacity in ("0", "100"):
        page.fill('.fer-panel [data-do="opacity"]', opacity)
        with page.expect_download() as download:
            page.get_by_role("button", name="Figure (PNG)").click()
        figures[opacity] = cv2.imread(str(download.value.path())).astype(int)
    assert np.abs(figures["100"] - figures["0"]).max() > 50


def test_other_weights_are_fetched_when_they_are_chosen_and_then_kept(open_device, host):
    page = open_device()
    read_photo(page, PHOTO)
    page.click(".fer-weights summary")
    assert "licence: research-non-commercial" in page.inner_text(".fer-weights-list")
    page.get_by_label("Balanced, 8 expressions").check()
    page.get_by_text("Looking for faces").wait_for(state="attached")
    page.wait_for_selector('.fer-photo[data-state="done"]')
    page.keyboard.press("Escape")
    assert page.inner_text(".fer-weights-name") == "Balanced, 8 expressions"
    start = len(host.asked)
    page.context.set_offline(True)
    page.reload()
    page.get_by_text(READY).wait_for()
    page.click(".fer-weights summary")
    page.get_by_label("Balanced, 8 expressions").check()
    until(lambda: page.inner_text(".fer-weights-name") == "Balanced, 8 expressions")
    page.keyboard.press("Escape")
    tab(page, "Webcam")
    start_camera(page)
    # The browser itself asks now and then whether there is a newer version.
    assert {path for path, _ in host.asked[start:]} <= {"/service_worker.js"}


def test_a_clip_has_its_faces_over_it_and_can_be_saved(open_device, tmp_path):
    page = open_device(viewport={"width": 390, "height": 844})
    tab(page, "Video")
    page.get_by_label("Draw the evidence for each answer").check()
    assert read_clip(page, write_clip(tmp_path / "clip.webm")) == "One face in 1.4 seconds."
    page.click(".fer-clip-timeline")  # its middle
    until(lambda: page.locator(".fer-video .fer-overlay image").count() == 1)
    tag = page.locator(".fer-video .fer-tag").text_content()
    assert tag.partition(":")[0] == "1"  # what a small face's caption has no room for stands below
    told = page.locator(".fer-moment .fer-verdict").first.text_content()
    assert told.split()[0].rstrip("?") in EMOTIONS
    assert page.locator(".fer-expressions button").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    rows = download.value.path().read_text().splitlines()
    assert rows[0].startswith("time_s,frame,track") and len(rows) == 1 + 18
    assert page.get_by_role("button", name="Annotated clip").count() == 0
    broken = {"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"no clip"}
    assert "This clip cannot be read." in read_clip(page, broken, "failed")


def test_what_cannot_be_read_is_said_in_words(open_device, tmp_path):
    page = open_device()
    broken = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture at all"}
    said = read_photo(page, broken, "failed")
    assert said.startswith("This file cannot be read as a photo.") and "expected JPEG" in said
    empty = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b""}
    assert "0 bytes" in read_photo(page, empty, "failed")
    room = cv2.imencode(".png", cv2.imread(PHOTO)[400:, :100])[1].tobytes()
    nobody = {"name": "r.png", "mimeType": "image/png", "buffer": room}
    assert read_photo(page, nobody).startswith("No face found.")


LACKS = [
    ("WebAssembly.validate = () => false;", "lacks WebAssembly SIMD"),
    ("Object.defineProperty(window, 'WebAssembly', {value: undefined});", "lacks WebAssembly SIMD"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "said"), LACKS)
def test_a_browser_that_cannot_is_told(open_device, script, said):
    page = open_device(script, ready=False)
    page.locator(".fer-status.fer-error").filter(has_text=said).wait_for()


def test_without_a_service_worker_the_page_works_and_does_not_claim_more(open_device):
    hide = "Object.defineProperty(Navigator.prototype, 'serviceWorker', {value: undefined});"
    page = open_device(hide, ready=False)
    page.get_by_text("Ready.", exact=True).wait_for()
    assert read_photo(page, PHOTO).startswith("One face found.")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("NotAllowedError", "may not use the camera"),
        ("NotFoundError", "No camera was found"),
        ("", "only to pages on https or localhost"),
    ],
)
def test_a_camera_that_is_not_to_be_had(open_device, script, said):
    refuse = (
        "navigator.mediaDevices.getUserMedia = "
        f"() => Promise.reject(new DOMException('refused', '{script}'));"
    )
    hide = "Object.defineProperty(Navigator.prototype, 'mediaDevices', {value: undefined});"
    page = open_device(refuse if script else hide)
    page.get_by_role("button", name="Start camera").click()
    page.locator(".fer-webcam .fer-error").filter(has_text=said).wait_for()


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_what_matters_is_seen_without_scrolling(open_device, size):
    page = open_device(viewport=dict(zip(("width", "height"), size, strict=True)))
    start_camera(page)
    for name in (".fer-plain", ".fer-cards .fer-verdict", ".fer-cards .fer-bars"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("look", [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(open_device, look, tmp_path):
    if not AXE.is_file():
        pytest.skip("no axe-core here; expected: npm install --prefix tests/js")
    scheme, width = look
    page = open_device(color_scheme=scheme, viewport={"width": width, "height": 844})
    page.evaluate(AXE.read_text())

    def check(where: str) -> None:
        found = page.evaluate("async () => (await axe.run(document)).violations")
        assert [(r["id"], [n["html"][:200] for n in r["nodes"]]) for r in found] == [], where

    check("start")
    start_camera(page)
    page.click(".fer-more summary")
    check("webcam")
    read_photo(page, PHOTO)
    check("photo")
    read_clip(page, write_clip(tmp_path / "clip.webm"))
    check("video")
    tab(page, "About")
    check("about")
    page.click(".fer-weights summary")
    check("picker")


def test_keys_go_from_tab_to_tab(open_device):
    page = open_device()
    page.get_by_role("tab", name="Webcam").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#panel-photo").is_visible() and page.locator("#panel-webcam").is_hidden()
    page.keyboard.press("End")
    assert page.get_by_text("It reads expressions, not feelings.").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Webcam"


def test_the_servers_page_leads_to_the_device_and_back(browser, open_page):
    page = open_page(browser)
    where = page.get_by_role("navigation", name="Where pictures are read")
    assert where.locator("[aria-current]").inner_text() == "On the server"
    where.get_by_role("link", name="On this device").click()
    page.get_by_text(READY).wait_for()
    assert page.url.endswith("/device/")
    start_camera(page)
    assert where.locator("[aria-current]").inner_text() == "On this device"
    where.get_by_role("link", name="On the server").click()
    wait_for_part(page, ".fer-webcam")
    assert "/device" not in page.url
