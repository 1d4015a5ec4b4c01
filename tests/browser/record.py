"""The moving picture of the README, by hand: ``python -m tests.browser.record [--out FILE]``.

It shows the example photograph (NASA, public domain) before a camera that comes closer and turns.
The page is given one frame at a time and photographed when it has answered, so that the picture
looks the same from any machine. The speed is left out of it for that reason.
"""

from __future__ import annotations

import argparse
import base64
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.serve.example_clip import camera_frames
from tests.browser.conftest import (
    ROOT,
    astronaut_frames,
    launch_browser,
    running_app,
    wait_for_part,
    write_mjpeg,
)

PATIENCE = 180_000  # ms: the machine may be busy
SIZE = {"width": 920, "height": 700}  # nothing scrolls
FPS = 8
STEPS = 36  # four and a half seconds
MAX_BYTES = 600_000

# A camera that shows what `showFrame` draws, and nothing else. The page's clock goes on with it, so
# that a slow machine does not look to the page like a face that was gone for a second.
CAMERA = """
let clock = 1000;
performance.now = () => clock;
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [640, 480];
const pen = canvas.getContext("2d");
let track = null;
navigator.mediaDevices.getUserMedia = async () => {
  const stream = canvas.captureStream(0);
  [track] = stream.getVideoTracks();
  return stream;
};
window.showFrame = async (url) => {
  clock += 10;
  const image = new Image();
  image.src = url;
  await image.decode();
  pen.drawImage(image, 0, 0);
  track?.requestFrame();
};
"""


def hold_up(page: Page, frame: np.ndarray) -> None:
    """Hold a frame, RGB, before the camera."""
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    encoded = base64.b64encode(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
    page.evaluate("url => showFrame(url)", f"data:image/jpeg;base64,{encoded.decode()}")


def show(page: Page, frame: np.ndarray) -> None:
    """Hold a frame before the camera until it has been answered: the second answer is its own, as
    the first may be that of the frame before."""
    wanted = frames_shown(page) + 2
    while frames_shown(page) < wanted:
        hold_up(page, frame)
        page.wait_for_timeout(100)


def frames_shown(page: Page) -> int:
    return int(page.get_attribute(".fer-webcam", "data-frames") or 0)


def pictures(page: Page) -> Iterator[Image.Image]:
    """What the page shows while a visitor looks at what spoke for the answer, then picks another
    expression."""
    page.add_style_tag(content=".fer-rate { display: none } html { scrollbar-width: none }")
    page.get_by_role("button", name="Start camera").click()
    frames = list(camera_frames(STEPS))
    while page.get_attribute(".fer-webcam", "data-state") != "live":
        hold_up(page, frames[-1])  # a camera that shows nothing is no camera yet
        page.wait_for_timeout(300)
    for frame in frames[-3:]:  # until the page is as it stays
        show(page, frame)
    area = page.locator(".fer-webcam").bounding_box()  # one size for all pictures
    for step, frame in enumerate(frames):
        if step == STEPS // 2:
            page.locator('.fer-cards .fer-bar[data-emotion="surprise"]').click()
        show(page, frame)
        yield Image.open(io.BytesIO(page.screenshot(clip=area))).convert("RGB")


def write(images: list[Image.Image], path: Path) -> None:
    """An animated WebP of at most ``MAX_BYTES``, as good as fits."""
    for quality in range(85, 20, -5):
        images[0].save(
            path, save_all=True, append_images=images[1:], duration=1000 // FPS, loop=0,
            quality=quality, method=4,
        )  # fmt: skip
        if path.stat().st_size <= MAX_BYTES:
            print(f"{path}: {path.stat().st_size} bytes, quality {quality}")
            return
    raise SystemExit(f"{path}: got {path.stat().st_size} bytes; expected at most {MAX_BYTES}")


def main() -> None:
    parser = argparse.ArgumentParser(description="The moving picture of the README.")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "live.webp")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        temporary = Path(folder) / "app"
        temporary.mkdir()
        camera = write_mjpeg(Path(folder) / "camera.mjpeg", astronaut_frames(1))
        with running_app(args.weights, temporary) as address:
            browser = launch_browser(playwright, camera)
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(PATIENCE)
            page.add_init_script(CAMERA)
            page.goto(address)
            wait_for_part(page, ".fer-webcam")
            images = list(pictures(page))
            browser.close()
    write(images, args.out)


if __name__ == "__main__":
    main()
