"""The site builds without a warning, and a built page needs no other computer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOADS = {"script": "src", "img": "src", "source": "src", "video": "src", "iframe": "src"}
LOADING_RELS = {"stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "icon",
                "modulepreload", "manifest"}  # fmt: skip


class Loaded(HTMLParser):
    """Addresses that a browser asks for when it shows a page; links to click are not among them."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in LOADS and values.get(LOADS[tag]):
            self.found.append(values[LOADS[tag]])
        if tag == "link" and LOADING_RELS & set((values.get("rel") or "").split()):
            self.found.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: no site")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: no site")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_what_a_page_loads_is_read():
    page = """<a href="https://a"></a><script src="https://b"></script><img src="c.png">
        <link rel="preconnect" href="https://d"><link rel="canonical" href="https://e">"""
    assert Loaded(page).found == ["https://b", "c.png", "https://d"]


def test_a_page_loads_files_of_the_site_only(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        for address in Loaded(page.read_text(encoding="utf-8")).found:
            if address.startswith("data:"):
                continue
            assert not re.match(r"(\w+:)?//", address), f"{page.name} loads {address}"
            where = site if page.name == "404.html" else page.parent
            file = (where / address.lstrip("/").partition("?")[0]).resolve()
            assert file.is_file(), f"{page.name} loads {address}"
    for style in site.rglob("*.css"):
        found = re.findall(r"url\(\s*['\"]?((?:\w+:)?//[^)'\"]+)", style.read_text("utf-8"))
        assert found == [], f"{style.name} loads {found}"


def test_the_reference_is_written_from_docstrings(site):
    page = (site / "python.html").read_text(encoding="utf-8")
    for name in ("EmotionRecognizer.from_pretrained", "types.Prediction", "render.overlay"):
        assert re.search(rf'id="fer_cbam\.[\w.]*{re.escape(name)}"', page), name


def test_every_page_is_in_the_menu():
    config = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader=yaml.SafeLoader)
    listed = {file for section in config["nav"] for pages in section.values()
              for page in pages for file in page.values()}  # fmt: skip
    assert listed == {
        p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")
    }
