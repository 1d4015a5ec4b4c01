"""Screenshots of the app, by hand: ``python -m tests.browser.screenshots [--all] [--out DIR]``.

Everything shows the example photograph (NASA, public domain), also camera and clip, so that any of
them may be published. The docs show ``app.png``, the photo tab.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.video.clip import ClipWriter
from tests.browser.conftest import (
    ROOT,
    astronaut_frames,
    launch_browser,
    open_tab,
    running_app,
    wait_for_part,
    write_mjpeg,
)

README, DESKTOP, PHONE = (
    {"width": width, "height": height} for width, height in ((940, 740), (1280, 800), (390, 844))
)
PATIENCE = 180_000  # ms: the machine may be busy


def show_webcam(page) -> None:
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_function("document.querySelector('.fer-rate').innerText.includes('fps')")
    page.wait_for_timeout(3000)


def show_photo(page) -> None:
    open_tab(page, "Photo")
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')


def show_video(clip: Path, page) -> None:
    open_tab(page, "Video")
    page.set_input_files("#fer-clip", clip)
    page.wait_for_selector('.fer-video[data-state="done"]')
    page.wait_for_function("document.querySelector('.fer-annotated').readyState >= 2")


def show_about(page) -> None:
    open_tab(page, "About")


def write_clip(path: Path, fps: int = 15) -> Path:
    with ClipWriter(path, fps) as writer:
        for number, frame in enumerate(astronaut_frames(3 * fps)):
            writer.write(frame[..., ::-1], number / fps)
    return path


def shoot(
    browser: Browser, address: str, show: Callable[[Page], None], file: Path, size: dict,
    light: str = "light",
) -> None:  # fmt: skip
    page = browser.new_page(viewport=size, color_scheme=light)
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    wait_for_part(page, ".fer-header")
    wait_for_part(page, ".fer-webcam")
    show(page)
    page.wait_for_timeout(500)
    page.mouse.move(0, 0)
    page.screenshot(path=file, full_page=True)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Screenshots of the app.")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--all", action="store_true", help="every tab, dark and phone too")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        temporary = Path(folder) / "app"
        temporary.mkdir()
        camera = write_mjpeg(Path(folder) / "camera.mjpeg", astronaut_frames())
        scenes = {
            "start": lambda _page: None,
            "webcam": show_webcam,
            "photo": show_photo,
            "video": partial(show_video, write_clip(Path(folder) / "clip.webm")),
            "about": show_about,
        }
        with running_app(args.weights, temporary) as address:
            browser = launch_browser(playwright, camera)
            shoot(browser, address, show_photo, args.out / "app.png", README)
            for scene, show in scenes.items() if args.all else ():
                for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
                    for light in ("light", "dark"):
                        file = args.out / f"{scene}-{width}-{light}.png"
                        shoot(browser, address, show, file, size, light)
            browser.close()


if __name__ == "__main__":
    main()
