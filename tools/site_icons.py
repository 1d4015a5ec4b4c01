"""The icons of the page for the visitor's own device, drawn from the logo: committed, made by hand.

``python -m tools.site_icons`` writes ``web/icon.svg`` and ``web/icon-*.png``; needs Chromium.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
LOGO = ROOT / "docs" / "assets" / "logo.svg"
SIDES = (192, 512)  # pixels, those that a manifest must have to be installable


def main() -> None:
    shutil.copy(LOGO, ROOT / "web" / "icon.svg")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    logo = LOGO.read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for side in SIDES:
            page = browser.new_page(viewport={"width": side, "height": side})
            page.set_content(f"<body style='margin:0;height:100vh;display:grid'>{logo}</body>")
            file = ROOT / "web" / f"icon-{side}.png"
            page.screenshot(path=file, omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
