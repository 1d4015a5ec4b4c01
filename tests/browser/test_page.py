"""The page as a visitor meets it."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.browser.conftest import (
    ASTRONAUT,
    launch_browser,
    video_frames,
    write_mjpeg,
)

pytestmark = pytest.mark.browser

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
    page.get_by_role("tab", name="Photo").click()
    page.eval_on_selector(".fer-photo", "e => e.dataset.state = 'idle'")  # forget the last answer
    page.set_input_files("#fer-file", file)
    page.wait_for_selector(f'.fer-photo[data-state="{state}"]')
    return page.inner_text(".fer-photo .fer-message")


def bar_names(page, selector: str) -> list[str]:
    return page.eval_on_selector_all(f"{selector} .fer-name", "all => all.map(e => e.innerText)")


def test_webcam_is_live_with_boxes_bars_and_speed(browser, open_page):
    page = open_page(browser)
    start_camera(page)
    wait_for_frames(page, 5)
    assert bar_names(page, ".fer-cards") == EMOTIONS
    widths = page.eval_on_selector_all(
        ".fer-cards .fer-fill", "all => all.map(e => parseFloat(e.style.width))"
    )
    assert sum(widths) == pytest.approx(100, abs=0.5)
    assert page.inner_text(".fer-cards h3").startswith("Your expression: ")
    page.wait_for_function("document.querySelector('.fer-rate').innerText.includes(' fps · ')")
    size = page.eval_on_selector(".fer-plain", "c => [c.width, c.height]")
    assert size == [640, 480]
    # The explanation lies over the same frame: the pictures differ, but at the face only.
    differing = page.evaluate(
        """() => {
          const pen = (s) => document.querySelector(s).getContext("2d");
          const data = (s) => pen(s).getImageData(0, 0, 640, 480).data;
          const [a, b] = [data(".fer-plain"), data(".fer-explained")];
          let count = 0;
          for (let i = 0; i < a.length; i += 4) count += Math.abs(a[i] - b[i]) > 40;
          return count / (640 * 480);
        }"""
    )
    assert 0.002 < differing < 0.25
    page.get_by_text("Attention", exact=True).click()
    assert page.inner_text(".fer-caption") == "Where the network looks"


def test_webcam_stops_on_demand_and_when_the_visitor_leaves(browser, open_page):
    page = open_page(browser)
    start_camera(page)
    wait_for_frames(page, 1)
    page.get_by_role("button", name="Stop camera").click()
    page.wait_for_selector('.fer-webcam[data-state="idle"]')
    start_camera(page)
    page.get_by_role("tab", name="Photo").click()
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
    page.get_by_role("tab", name="Photo").click()
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    assert page.inner_text(".fer-photo .fer-message").startswith("One face found.")
    assert sorted(bar_names(page, ".fer-panel")) == EMOTIONS
    page.click('.fer-bar[data-emotion="sadness"]')
    shown = page.eval_on_selector_all(
        "img[data-emotion]", "all => all.filter(e => !e.hidden).map(e => e.dataset.emotion)"
    )
    assert shown == ["sadness"]
    assert page.inner_text(".fer-picked") == "sadness"
    assert page.get_attribute('.fer-bar[data-emotion="sadness"]', "aria-pressed") == "true"
    # The button lies over the astronaut's face, which is at (224, 115) of 512x512.
    button, picture = page.locator(".fer-face").bounding_box(), page.locator(".fer-picture img")
    photo = picture.bounding_box()
    x = photo["x"] + photo["width"] * 224 / 512
    y = photo["y"] + photo["height"] * 115 / 512
    assert button["x"] < x < button["x"] + button["width"]
    assert button["y"] < y < button["y"] + button["height"]
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


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


def test_about_and_phone_width(browser, open_page):
    page = open_page(browser, viewport={"width": 390, "height": 844})
    page.get_by_role("tab", name="Photo").click()
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("tab", name="About").click()
    assert page.get_by_text("expressions, not feelings").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
