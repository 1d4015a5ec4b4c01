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

import cv2
from playwright.sync_api import Browser, Page, sync_playwright

from fer_cbam.hub import DEFAULT_WEIGHTS
from tests.browser.conftest import (
    ASTRONAUT,
    ROOT,
    astronaut_frames,
    launch_browser,
    open_tab,
    running_app,
    wait_for_part,
    write_mjpeg,
)

DOCS, DESKTOP, PHONE = (
    {"width": width, "height": height} for width, height in ((1100, 800), (1280, 800), (390, 844))
)
PATIENCE = 180_000  # ms: the machine may be busy


def show_webcam(page) -> None:
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_function("document.querySelector('.fer-rate').innerText.includes('fps')")
    page.wait_for_timeout(3000)


def show_beside(page) -> None:
    show_webcam(page)
    page.click(".fer-more summary")
    page.get_by_label("Explanation beside the picture").check()
    page.wait_for_timeout(1000)


def show_picker(page) -> None:
    page.click(".fer-weights summary")


def show_photo(page) -> None:
    open_tab(page, "Photo")
    page.get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-photo[data-state="done"]')


def show_several(file: Path, page) -> None:
    open_tab(page, "Photo")
    page.set_input_files("#fer-file", file)
    page.wait_for_selector('.fer-photo[data-state="done"]')
    page.locator(".fer-face").nth(1).click()
    page.locator(".fer-photo").get_by_role("button", name="Show why").click()


def show_video(page) -> None:
    open_tab(page, "Video")
    page.get_by_label("Draw the evidence for each answer").check()
    page.locator(".fer-video").get_by_role("button", name="Try the example").click()
    page.wait_for_selector('.fer-video[data-state="done"]')
    page.wait_for_function("document.querySelector('.fer-annotated').readyState >= 2")
    page.evaluate("document.querySelector('.fer-annotated').currentTime = 2")
    page.wait_for_timeout(500)


def show_about(page) -> None:
    open_tab(page, "About")


def write_several(path: Path) -> Path:
    """The example photograph thrice, as a picture of several faces."""
    cv2.imwrite(str(path), cv2.hconcat([cv2.imread(str(ASTRONAUT))[:400]] * 3))
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
    page.screenshot(path=file)  # as much as is seen without scrolling
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
            "beside": show_beside,
            "photo": show_photo,
            "several": partial(show_several, write_several(Path(folder) / "several.png")),
            "video": show_video,
            "about": show_about,
            "picker": show_picker,
        }
        with running_app(args.weights, temporary) as address:
            browser = launch_browser(playwright, camera)
            shoot(browser, address, show_photo, args.out / "app.png", DOCS)
            for scene, show in scenes.items() if args.all else ():
                for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
                    for light in ("light", "dark"):
                        file = args.out / f"{scene}-{width}-{light}.png"
                        shoot(browser, address, show, file, size, light)
            browser.close()


if __name__ == "__main__":
    main()
