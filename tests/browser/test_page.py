"""The page as a visitor meets it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_cbam.video.clip import ClipReader, ClipWriter
from tests.browser.conftest import (
    ASTRONAUT,
    astronaut_frames,
    launch_browser,
    open_tab,
    uploads_under,
    video_frames,
    write_mjpeg,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
EMOTIONS = ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]


def start_camera(page) -> None:
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_selector('.fer-webcam[data-state="live"]')


def wait_for_frames(page, count: int) -> None:
    page.wait_for_function(
        "n => Number(document.querySelector('.fer-webcam').dataset.frames) >= n", arg=count
    )


def read(page, file: str | Path | dict, state: str) -> str:
    """Choose a photo; the message that comes with the answer."""
    open_tab(page, "Photo")
    page.eval_on_selector(".fer-photo", "e => e.dataset.state = 'idle'")  # forget the last answer
    page.set_input_files("#fer-file", file)
    page.wait_for_selector(f'.fer-photo[data-state="{state}"]')
    return page.inner_text(".fer-photo .fer-message")


def bar_names(page, selector: str) -> list[str]:
    return page.eval_on_selector_all(f"{selector} .fer-name", "all => all.map(e => e.innerText)")


def axe(page) -> list:
    """What axe-core finds wrong with the page as it is: rule and elements."""
    if not AXE.is_file():
        pytest.skip("no axe-core here; expected: npm install --prefix tests/js")
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]


CHANGED = """() => {
  const still = document.createElement("canvas");
  [still.width, still.height] = [640, 480];
  const pen = still.getContext("2d");
  pen.setTransform(-1, 0, 0, 1, 640, 0);
  pen.drawImage(document.querySelector(".fer-source"), 0, 0, 640, 480);
  const data = (canvas) => canvas.getContext("2d").getImageData(0, 0, 640, 480).data;
  const camera = data(still);
  return [".fer-plain", ".fer-explained"].map((name) => {
    if (document.querySelector(name).hidden) return null;
    const shown = data(document.querySelector(name));
    const count = { near: 0, far: 0 };
    for (let i = 0; i < camera.length; i += 4) {
      if (Math.abs(camera[i] - shown[i]) < 40) continue;
      const [x, y] = [(i / 4) % 640, Math.floor(i / 4 / 640)];
      count[Math.hypot(x - 360, y - 144) < 110 ? "near" : "far"] += 1;
    }
    return count;
  });
}"""


def test_webcam_is_live_with_boxes_bars_timeline_and_speed(browser, open_page):
    page = open_page(browser)
    start_camera(page)
    wait_for_frames(page, 8)
    assert bar_names(page, ".fer-cards") == EMOTIONS
    widths = page.eval_on_selector_all(
        ".fer-cards .fer-fill", "all => all.map(e => parseFloat(e.style.width))"
    )
    assert sum(widths) == pytest.approx(100, abs=0.5)
    assert page.text_content(".fer-who") == ""  # one person needs no number
    caption = page.inner_text(".fer-live-card .fer-verdict")
    assert caption.split()[0].rstrip("?") in EMOTIONS and caption.endswith("%")
    page.wait_for_function("document.querySelector('.fer-rate').innerText.includes(' fps · ')")
    # Box and caption are no pixels of the picture: text over it, at the face.
    assert page.locator(".fer-webcam .fer-tag").text_content() == caption
    box = page.locator(".fer-webcam .fer-overlay > rect").last
    x, y, width, height = (float(box.get_attribute(name)) for name in ("x", "y", "width", "height"))
    assert x < 360 < x + width and y < 144 < y + height
    areas = page.locator(".fer-timeline polygon").count()
    assert areas > 0 and areas % len(EMOTIONS) == 0  # a slow machine makes gaps


def test_the_explanation_lies_on_the_picture_beside_it_or_nowhere(browser, open_page):
    """The camera shows a still: heat lies over the astronaut's face, mirrored, and nowhere else."""
    page = open_page(browser)
    start_camera(page)

    def shown() -> list:
        wait_for_frames(page, int(page.get_attribute(".fer-webcam", "data-frames")) + 4)
        return page.evaluate(CHANGED)

    plain, explained = shown()
    assert plain["near"] > 300 and plain["far"] < 30 and explained is None
    why = page.get_by_role("button", name="Show why")
    why.click()
    assert why.get_attribute("aria-pressed") == "false"
    plain, explained = shown()
    assert plain["near"] + plain["far"] < 30 and explained is None
    why.click()
    page.click(".fer-more summary")
    page.get_by_label("Explanation beside the picture").check()
    plain, explained = shown()
    assert plain["near"] + plain["far"] < 30
    assert explained["near"] > 300 and explained["far"] < 30


VERDICT_AND_BARS = (".fer-cards .fer-verdict", ".fer-cards .fer-bars", '[data-do="stop"]')


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_what_matters_is_seen_without_scrolling(browser, open_page, size):
    page = open_page(browser, viewport=dict(zip(("width", "height"), size, strict=True)))
    start_camera(page)
    wait_for_frames(page, 3)
    picture = page.locator(".fer-plain").bounding_box()
    boxes = [page.locator(name).bounding_box() for name in VERDICT_AND_BARS]
    for box in (picture, *boxes):
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1]
    if size[0] > 720:
        assert boxes[0]["x"] > picture["x"] + picture["width"]
    else:  # directly below it
        assert 0 < boxes[0]["y"] - picture["y"] - picture["height"] < 40
    fonts = page.evaluate(FONT_SIZES)
    assert max(fonts["others"]) < fonts["verdict"]
    assert min(fonts["captions"]) >= 12
    open_tab(page, "Photo")
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    for name in (".fer-panel .fer-verdict", ".fer-panel .fer-bars"):
        box = page.locator(name).bounding_box()
        assert box["y"] > 0 and box["y"] + box["height"] <= size[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


FONT_SIZES = """() => {
  const size = (e) => parseFloat(getComputedStyle(e).fontSize);
  const seen = [...document.querySelectorAll("*")].filter(
    (e) => e.offsetParent && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  const verdict = document.querySelector(".fer-cards .fer-verdict");
  const overlay = document.querySelector(".fer-webcam .fer-overlay");
  const scale = overlay.clientWidth / overlay.viewBox.baseVal.width;
  return {
    verdict: size(verdict),
    others: seen.filter((e) => e !== verdict).map(size),
    captions: [...overlay.querySelectorAll("text")].map((e) => size(e) * scale + 1e-3),
  };
}"""


def test_a_screen_reader_is_told_what_stays_and_keys_reach_the_camera(browser, open_page):
    page = open_page(browser)
    page.get_by_role("button", name="Start camera").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('.fer-webcam[data-state="live"]')
    assert page.evaluate("document.activeElement.dataset.do") == "stop"
    page.wait_for_function("document.querySelector('.fer-heard').textContent !== ''")
    label = page.inner_text(".fer-live-card .fer-verdict").split()[0].rstrip("?")
    assert label in page.text_content(".fer-heard")
    live = page.eval_on_selector_all(
        ".fer-webcam :is([role=status], [aria-live], output)", "all => all.map(e => e.className)"
    )
    assert not any("rate" in name or "hint" in name for name in live)
    page.keyboard.press("Enter")
    page.wait_for_selector('.fer-webcam[data-state="idle"]')
    assert page.evaluate("document.activeElement.dataset.do") == "start"


def test_an_explanation_comes_with_its_frame(browser, open_page):
    """One question a frame, and none beside it, whatever map and label are explained."""
    page = open_page(browser)
    asked = []
    page.on(
        "request",
        lambda r: asked.append(r.post_data_json) if "component_server" in r.url else None,
    )
    start_camera(page)
    wait_for_frames(page, 4)
    page.click(".fer-more summary")
    assert "says little" in page.inner_text(".fer-little")
    page.get_by_text("Attention", exact=True).click()
    assert page.inner_text(".fer-caption") == "Where the network looks"
    wait_for_frames(page, int(page.get_attribute(".fer-webcam", "data-frames")) + 4)
    page.locator(".fer-choice").get_by_text("Evidence for it").click()
    page.click('.fer-cards .fer-bar[data-emotion="sadness"]')
    assert page.inner_text(".fer-caption") == "Evidence for sadness"
    page.wait_for_selector('.fer-bar[data-emotion="sadness"][aria-pressed="true"]')
    page.click('.fer-cards .fer-bar[data-emotion="sadness"]')
    assert page.inner_text(".fer-caption") == "Evidence for it"
    page.get_by_role("button", name="Show why").click()
    wait_for_frames(page, int(page.get_attribute(".fer-webcam", "data-frames")) + 3)
    page.get_by_role("button", name="Stop camera").click()
    assert {question["fn_name"] for question in asked} == {"frame"}
    maps = {(q["data"]["map"], q["data"]["label"]) for q in asked}
    assert {
        ("gradcam", "top"), ("spatial_attention", "top"), ("gradcam", "sadness"), ("none", "top"),
    } <= maps  # fmt: skip
    # At most two more than were shown: those on their way when the camera was stopped.
    shown = int(page.get_attribute(".fer-webcam", "data-frames"))
    assert 0 <= len(asked) - shown <= 2


def test_webcam_stops_on_demand_and_when_the_visitor_leaves(browser, open_page):
    page = open_page(browser)
    start_camera(page)
    wait_for_frames(page, 1)
    page.get_by_role("button", name="Stop camera").click()
    page.wait_for_selector('.fer-webcam[data-state="idle"]')
    start_camera(page)
    open_tab(page, "Photo")
    page.wait_for_selector('.fer-webcam[data-state="idle"]', state="attached")
    assert page.evaluate("document.querySelector('.fer-source').srcObject") is None


@pytest.mark.data
def test_webcam_follows_a_person(data_dir, tmp_path, playwright, open_page):
    frames = video_frames(data_dir / "faces" / "videos" / "single_face.mp4")
    assert len(frames) == 72
    browser = launch_browser(playwright, write_mjpeg(tmp_path / "face.mjpeg", frames))
    page = open_page(browser)
    start_camera(page)
    wait_for_frames(page, 5)
    assert bar_names(page, ".fer-cards") == EMOTIONS
    browser.close()


def test_example_photo_is_answered_with_a_face_bars_and_maps(browser, open_page, temporary):
    page = open_page(browser)
    open_tab(page, "Photo")
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    assert page.inner_text(".fer-photo .fer-message").startswith("One face found.")
    assert sorted(bar_names(page, ".fer-panel")) == EMOTIONS
    page.click('.fer-bar[data-emotion="sadness"]')
    assert "sadness" in page.inner_text(".fer-words")
    assert page.inner_text(".fer-picked") == "sadness"
    assert page.get_attribute('.fer-bar[data-emotion="sadness"]', "aria-pressed") == "true"
    assert page.locator(".fer-photo .fer-tag").text_content() == page.inner_text(".fer-panel h2")
    # What spoke for the picked label lies over the face on demand: as large as its crop.
    assert page.locator(".fer-photo .fer-overlay image").count() == 0
    page.locator(".fer-photo").get_by_role("button", name="Show why").click()
    heat = page.locator(".fer-photo .fer-overlay image")
    before = heat.get_attribute("href")
    page.click('.fer-panel .fer-bar[data-emotion="anger"]')
    assert heat.get_attribute("href") != before
    # The button lies over the astronaut's face, which is at (224, 115) of 512x512.
    button, picture = page.locator(".fer-face").bounding_box(), page.locator(".fer-picture img")
    photo = picture.bounding_box()
    x = photo["x"] + photo["width"] * 224 / 512
    y = photo["y"] + photo["height"] * 115 / 512
    assert button["x"] < x < button["x"] + button["width"]
    assert button["y"] < y < button["y"] + button["height"]
    assert uploads_under(temporary) == []


@pytest.mark.parametrize(
    ("name", "said"), [("Three faces", "3 faces"), ("On its side", "One face")]
)
def test_examples_of_the_gallery(browser, open_page, name, said):
    page = open_page(browser)
    open_tab(page, "Photo")
    page.get_by_role("button", name=name).click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    assert page.inner_text(".fer-photo .fer-message").startswith(f"{said} found.")
    assert not page.locator(".fer-gallery").is_visible()


def test_overlay_slider_and_downloads(browser, open_page, tmp_path):
    page = open_page(browser)
    open_tab(page, "Photo")
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    page.fill('.fer-panel [data-do="opacity"]', "20")
    with page.expect_download() as download:
        page.get_by_role("button", name="Numbers (JSON)").click()
    numbers = json.loads(download.value.path().read_text())
    assert download.value.suggested_filename == "fer-cbam.json"
    (face,) = numbers["faces"]
    assert face["sentence"] == page.inner_text(".fer-words")
    assert sum(face["probs"].values()) == pytest.approx(1, abs=1e-4)
    figures = {}
    for opacity in ("0", "100"):
        page.fill('.fer-panel [data-do="opacity"]', opacity)
        with page.expect_download() as download:
            page.get_by_role("button", name="Figure (PNG)").click()
        figures[opacity] = cv2.imread(str(download.value.path())).astype(int)
    width = 2 * 28 + 2 * 288 + 18
    assert figures["0"].shape[1] == width and figures["0"].shape[0] > 500
    changed = np.abs(figures["100"] - figures["0"]).max(axis=(0, 2)) > 20
    # Below the maps, and nowhere else: the face as it is stays, bars and words too.
    assert not changed[: 28 + 288].any() and changed[28 + 288 + 18 :].any()
    plain = figures["100"][:, 28 : 28 + 288]
    assert plain.std() > 30


def test_a_photo_from_the_camera(browser, open_page):
    page = open_page(browser)
    open_tab(page, "Photo")
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_function("document.querySelector('.fer-view').videoWidth > 0")
    page.get_by_role("button", name="Take the photo").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    assert page.inner_text(".fer-photo .fer-message").startswith("One face found.")
    assert page.evaluate("document.querySelector('.fer-view').srcObject") is None


def test_two_visitors_with_different_weights(browser, open_page, untrained_weights):
    first, second = open_page(browser), open_page(browser)
    second.click(".fer-weights summary")
    second.fill("#fer-weights-source", str(untrained_weights["ferplus"]))
    second.get_by_role("button", name="Load").click()
    second.get_by_text("8 expressions: anger").wait_for()
    assert second.inner_text(".fer-weights-name") == str(untrained_weights["ferplus"])
    assert second.locator(".fer-weights-list input:checked").count() == 0
    second.keyboard.press("Escape")
    for page in (first, second):
        open_tab(page, "Photo")
        page.get_by_role("button", name="Try the example").click()
    for page in (first, second):
        page.wait_for_selector('.fer-photo[data-state="done"]')
    assert sorted(bar_names(second, ".fer-panel")) == sorted([*EMOTIONS, "neutral"])
    assert sorted(bar_names(first, ".fer-panel")) == EMOTIONS
    open_tab(second, "About")
    assert second.inner_text(".fer-count") == "8"
    assert second.get_by_text("No model card comes with them").is_visible()
    open_tab(second, "Webcam")
    start_camera(second)
    wait_for_frames(second, 2)
    assert bar_names(second, ".fer-cards") == sorted([*EMOTIONS, "neutral"])
    # The photo that is shown is answered anew by the weights that are picked.
    first.click(".fer-weights summary")
    first.get_by_label("Paper: posed faces, no neutral").check()
    first.get_by_text("Looking for faces").wait_for()
    first.wait_for_selector('.fer-photo[data-state="done"]')
    assert first.inner_text(".fer-weights-name") == "Paper: posed faces, no neutral"
    open_tab(first, "About")
    with first.expect_popup() as card:
        first.get_by_role("link", name="Their model card").click()
    assert "CK+48" in card.value.inner_text("body")
    card.value.close()


def test_weights_that_cannot_be_used_are_said_and_change_nothing(browser, open_page, tmp_path):
    page = open_page(browser)
    before = page.inner_text(".fer-weights-name")
    page.click(".fer-weights summary")
    for source, said in [
        ("nowhere", "neither embedded"),
        (str(tmp_path), "expected a timm config"),
    ]:
        page.fill("#fer-weights-source", source)
        page.get_by_role("button", name="Load").click()
        page.locator(".fer-weights .fer-error").filter(has_text=said).wait_for()
    assert page.inner_text(".fer-weights-name") == before
    assert page.locator(".fer-weights-list input:checked").count() == 1


def test_one_of_several_faces_is_picked(browser, open_page, tmp_path):
    twins = cv2.hconcat([cv2.imread(str(ASTRONAUT))] * 2)
    cv2.imwrite(str(tmp_path / "twins.png"), twins)
    page = open_page(browser)
    assert read(page, tmp_path / "twins.png", "done").startswith("2 faces found. Pick a face")
    assert page.locator(".fer-panel:visible").get_attribute("data-face") == "0"
    page.locator(".fer-face").nth(1).click()
    assert page.locator(".fer-panel:visible").get_attribute("data-face") == "1"
    pressed = page.eval_on_selector_all(".fer-face", "all => all.map(e => e.ariaPressed)")
    assert pressed == ["false", "true"]
    tags = page.eval_on_selector_all(".fer-photo .fer-tag", "all => all.map(e => e.textContent)")
    assert [tag.split(":")[0] for tag in tags] == ["1", "2"]
    assert page.inner_text(".fer-panel:visible .fer-who") == "2 of 2"


DROP = """async (address) => {
  const blob = await (await fetch(address)).blob();
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([blob], "a.jpg", { type: "image/jpeg" }));
  const over = new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector("h1").dispatchEvent(over);
  const seen = document.querySelector(".fer-photo").classList.contains("fer-over");
  const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector("h1").dispatchEvent(drop);
  return seen;
}"""


def test_a_photo_is_dropped_anywhere_and_shown_while_it_is_read(browser, open_page, address):
    page = open_page(browser)
    open_tab(page, "Photo")
    before = page.locator(".fer-photo .fer-drop").bounding_box()["height"]
    held = []  # the question; answered when the page was looked at
    page.route("**/component_server**", lambda route: held.append(route))
    assert page.evaluate(DROP, f"{address}/fer-cbam/astronaut.jpg") is True
    page.wait_for_function("document.querySelector('.fer-photo img').naturalWidth === 512")
    assert page.locator(".fer-photo img").is_visible()
    assert page.get_attribute(".fer-photo", "data-state") == "busy"
    assert "fer-over" not in page.get_attribute(".fer-photo", "class")
    held[0].continue_()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    assert page.locator(".fer-photo .fer-drop").bounding_box()["height"] < 0.7 * before


def test_what_cannot_be_answered_is_said_in_words(browser, open_page, tmp_path):
    page = open_page(browser)
    broken = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture at all"}
    message = read(page, broken, "failed")
    assert message.startswith("This file cannot be read as a photo.")
    assert "fer-error" in page.get_attribute(".fer-photo .fer-message", "class")
    empty = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b""}
    assert "0 bytes" in read(page, empty, "failed")
    room = cv2.imencode(".png", cv2.imread(str(ASTRONAUT))[400:, :100])[1].tobytes()
    message = read(page, {"name": "r.png", "mimeType": "image/png", "buffer": room}, "done")
    assert message.startswith("No face found.")
    assert page.evaluate("document.querySelector('.fer-photo img').naturalWidth") == 100
    assert page.locator(".fer-photo img").is_visible()
    (tmp_path / "huge.jpg").write_bytes(bytes(26_000_000))
    page.set_input_files("#fer-file", tmp_path / "huge.jpg")
    said = page.locator(".fer-photo .fer-message").filter(has_text="26 MB; at most 25 MB")
    said.wait_for()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("NotAllowedError", "may not use the camera"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "in use by another program"),
    ],
)
def test_a_camera_that_is_refused(browser, open_page, error, message):
    refuse = (
        "navigator.mediaDevices.getUserMedia = "
        f"() => Promise.reject(new DOMException('refused', '{error}'));"
    )
    page = open_page(browser, refuse)
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_selector(".fer-webcam .fer-error")
    assert message in page.inner_text(".fer-webcam .fer-message")
    assert page.get_by_role("button", name="Start camera").is_enabled()


def test_a_clip_is_read_shown_and_downloaded(browser, open_page, temporary, tmp_path):
    clip = tmp_path / "clip.webm"
    with ClipWriter(clip, 12) as writer:
        for number, frame in enumerate(astronaut_frames(18)):
            writer.write(cv2.cvtColor(frame[::2, ::2], cv2.COLOR_BGR2RGB), number / 12)
    page = open_page(browser, viewport={"width": 390, "height": 844})
    open_tab(page, "Video")
    page.set_input_files("#fer-clip", clip)
    page.wait_for_selector('.fer-video[data-state="done"]')
    assert page.inner_text(".fer-video .fer-message") == "One face in 1.4 seconds."
    assert page.locator(".fer-clip-timeline polygon").count() == len(EMOTIONS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.wait_for_function("document.querySelector('.fer-annotated').readyState >= 2")
    page.click(".fer-clip-timeline")  # its middle
    page.wait_for_function("document.querySelector('.fer-annotated').currentTime > 0.5")
    page.wait_for_function("document.querySelector('.fer-place').value > 0.5")
    said = page.inner_text(".fer-moment")
    assert said.split()[0] in EMOTIONS and said.endswith("%")
    assert page.get_attribute(".fer-place", "aria-valuetext").endswith(said)
    page.locator(".fer-place").focus()
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.fer-annotated').currentTime === 0")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.fer-annotated').currentTime === 0.1")
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    rows = download.value.path().read_text().splitlines()
    assert rows[0].startswith("time_s,frame,track") and len(rows) == 1 + 18
    with page.expect_download() as download:
        page.get_by_role("button", name="Annotated clip (WebM)").click()
    with ClipReader(download.value.path()) as reader:
        assert sum(1 for _ in reader.frames()) == 18
    deadline = time.monotonic() + 10
    while (left := uploads_under(temporary)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == [], "the clip or its answers are still on the server"
    broken = {"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"no clip"}
    page.set_input_files("#fer-clip", broken)
    page.locator(".fer-video .fer-error").filter(has_text="This clip cannot be read.").wait_for()


def test_the_example_clip_and_answers_that_are_no_longer_true(browser, open_page):
    page = open_page(browser)
    page.set_default_timeout(180_000)  # a clip is read in the time that others leave
    open_tab(page, "Video")
    page.locator(".fer-video").get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-video[data-state="done"]')
    assert page.inner_text(".fer-video .fer-message") == "One face in 2.9 seconds."
    assert not page.locator(".fer-stale").is_visible()
    page.click(".fer-weights summary")
    page.get_by_label("Fast, a seventh of the size").check()
    page.get_by_text("This is what other weights said.").wait_for()
    page.keyboard.press("Escape")
    assert axe(page) == []
    page.get_by_role("button", name="Read the clip again").click()
    page.wait_for_selector('.fer-video[data-state="done"]')
    assert not page.locator(".fer-stale").is_visible()
    assert page.locator(".fer-clip-timeline polygon").count() == 8
    page.get_by_label("Draw the evidence for each answer").check()
    page.get_by_text("This clip was read without the evidence.").wait_for()


@pytest.mark.parametrize("look", [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(browser, open_page, look):
    """Every tab, with an answer in it, and the picker; rules of axe-core for WCAG and beyond."""
    scheme, width = look
    page = open_page(browser, color_scheme=scheme, viewport={"width": width, "height": 844})

    def check(where: str) -> None:
        assert axe(page) == [], where

    check("start")
    start_camera(page)
    wait_for_frames(page, 2)
    page.click(".fer-more summary")
    check("webcam")
    for name in ("Photo", "Video"):
        open_tab(page, name)
        check(f"{name} before an answer")
        part = f".fer-{name.lower()}"
        page.locator(part).get_by_role("button", name="Try the example").click()
        page.wait_for_selector(f'{part}[data-state="done"]')
        check(name)
    open_tab(page, "About")
    check("about")
    page.click(".fer-weights summary")
    check("picker")


def test_the_picker_is_inside_the_screen_of_a_phone(browser, open_page):
    page = open_page(browser, viewport={"width": 390, "height": 844})
    page.click(".fer-weights summary")
    box = page.locator(".fer-weights-form").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844
    checked = page.locator(".fer-weights-list label:has(input:checked)")
    other = page.locator(".fer-weights-list label:not(:has(input:checked))").first
    edge = "e => getComputedStyle(e).borderTopColor"
    assert checked.evaluate(edge) != other.evaluate(edge)


def test_about_and_phone_width(browser, open_page):
    page = open_page(browser, viewport={"width": 390, "height": 844})
    open_tab(page, "Photo")
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    open_tab(page, "About")
    assert page.get_by_text("It reads expressions, not feelings.").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
