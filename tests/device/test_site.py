"""The folder that any host serves."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from fer_cbam import cli, pretrained
from fer_cbam.device.site import ASSETS, WEB, site_files, write_site
from fer_cbam.errors import FerError
from tests.device.conftest import PAPER, TINY

ROOT = Path(__file__).parents[2]
FIRST_VISIT = 1.3e6  # bytes, gzipped


def kept(site: Path) -> dict[str, list[str]]:
    """The constants at the head of the service worker."""
    script = (site / "service_worker.js").read_text()
    found = re.findall(r"^const (VERSION|FIRST|ALL) = (.*);$", script, re.MULTILINE)
    return {name: json.loads(value) for name, value in found}


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_every_module_and_file_that_the_page_names_is_there(site):
    there = names(site)
    modules = [name for name in there if name.endswith(".mjs")]
    assert {"page.mjs", "worker.mjs", "recognizer.mjs", "webcam.mjs", "panel.mjs"} <= set(modules)
    assert "gradio.mjs" not in there
    for name in modules:
        for found in re.findall(r'(?:from|import) "([^"]+)"', (site / name).read_text()):
            assert found.startswith("./") and found[2:] in there, f"{name}: {found}"
    index = (site / "index.html").read_text()
    for address in re.findall(r'(?:src|href)="([^"]+)"', index):
        assert address in there, address
    icons = json.loads((site / "manifest.webmanifest").read_text())["icons"]
    assert {icon["src"] for icon in icons} <= there


def test_nothing_of_one_part_replaces_something_of_the_other():
    assert not {p.name for p in ASSETS.iterdir()} & {p.name for p in WEB.iterdir()}


def test_the_icon_is_the_logo():
    assert (WEB / "icon.svg").read_bytes() == (ROOT / "docs/assets/logo.svg").read_bytes()


def test_the_page_says_where_pictures_go_and_asks_nobody_else(site):
    index = (site / "index.html").read_text()
    assert "Nothing leaves this device." in index and "${" not in index
    assert "connect-src 'self'" in index and "default-src 'none'" in index
    assert "unsafe-inline" not in index and "'unsafe-eval'" not in index
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?! type=\"module\" src)", index)
    for name in names(site):
        if name.endswith((".mjs", ".js", ".css", ".html")):
            text = (site / name).read_text().replace("http://www.w3.org/2000/svg", "")
            code = re.sub(r"(?m)^\s*//.*$|/\*.*?\*/", "", text, flags=re.DOTALL)
            assert not re.search(r"https?://|@import|url\(", code), name


def test_the_service_worker_keeps_the_page_and_its_first_weights(site):
    constants = kept(site)
    assert set(constants["ALL"]) == {"./", *names(site)}
    others = {name for name in constants["ALL"] if name.startswith(f"weights/{PAPER}/")}
    assert len(others) == 3
    assert set(constants["FIRST"]) == (
        set(constants["ALL"]) - others - {"index.html", "service_worker.js"}
    )


def test_the_version_is_that_of_the_content(site, tmp_path):
    again = write_site(tmp_path / "again", [TINY, PAPER])
    assert kept(again)["VERSION"] == kept(site)["VERSION"]
    other = write_site(tmp_path / "other", [TINY])
    assert kept(other)["VERSION"] != kept(site)["VERSION"]


def test_the_first_visit_is_small(site):
    first = [name.replace("./", "index.html") for name in kept(site)["FIRST"]]
    size = sum(len(gzip.compress((site / name).read_bytes(), 9)) for name in first)
    assert size + 2000 < FIRST_VISIT  # with the service worker itself


def test_weights_are_copies(site):
    for name in ("config.json", "model.safetensors"):
        copied = site / "weights" / TINY / name
        assert copied.read_bytes() == (pretrained.embedded_dir(TINY) / name).read_bytes()
    assert (site / "weights" / TINY / "card.txt").read_text("utf-8-sig").startswith("# Model card")


def test_the_command_writes_the_folder(tmp_path, capsys):
    out = tmp_path / "a" / "page"
    assert cli.main(["web", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"written to {out}" in said and f"http.server --bind 127.0.0.1 --directory {out}" in said
    assert (out / "index.html").is_file()
    (out / "CNAME").write_text("example.org")
    assert cli.main(["web", "--out", str(out)]) == 1
    assert "there already, not empty" in capsys.readouterr().err
    (out / "page.mjs").write_text("")
    assert cli.main(["web", "--out", str(out), "--overwrite", "--weights", PAPER]) == 0
    assert (out / "page.mjs").stat().st_size > 0
    assert (out / "CNAME").read_text() == "example.org"
    assert json.loads((out / "settings.json").read_text())["weights"][0]["weights"] == PAPER


def test_what_cannot_be_written_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(FerError, match="a file; expected a folder"):
        write_site(tmp_path / "file")
    monkeypatch.setattr("fer_cbam.device.site.WEB", tmp_path)
    with pytest.raises(FerError, match="the page's files are missing"):
        site_files()
