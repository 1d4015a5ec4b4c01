"""No link inside the repository leads nowhere."""

from __future__ import annotations

import pytest

from tests.docs import links

PAGES = links.documents()


def test_reading_links():
    text = (
        "[a](x.md) ![b](y.png) [c [d]](z.md#e \"t\") `[f](g)` <img src=\"h.png\"> <https://i.j/k>\n"
        "```\n[l](m)\n```\nhttps://n.o/p, and <!-- [q](r) -->![s](t.svg)\n"
    )  # fmt: skip
    assert links.links(text) == [
        "x.md", "y.png", "z.md#e", "h.png", "https://i.j/k", "https://n.o/p", "t.svg",
    ]  # fmt: skip


def test_reading_anchors():
    text = "# A, b `c`\n## D (e) / f\n```\n# no\n```\n### g { #own }\n"
    assert {"a-b-c", "d-e--f", "own"} <= links.anchors(text)
    assert "no" not in links.anchors(text)


def test_what_leads_nowhere_is_found(tmp_path):
    (tmp_path / "there.md").write_text("# Here\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#here) [b](there.md#gone) [c](gone.md) [d](../out.md) [e](#self)\n"
    )
    found = [line.split(": ")[1] for line in links.broken(page, tmp_path)]
    assert found == ["there.md#gone", "gone.md", "../out.md", "#self"]


def test_the_pages_are_found():
    names = {page.relative_to(links.ROOT).as_posix() for page in PAGES}
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/index.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(links.ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert list(links.broken(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(links.ROOT).as_posix())
def test_addresses_elsewhere_are_encrypted(page):
    outside = [t for t in links.links(page.read_text("utf-8")) if links.is_external(t)]
    allowed = ("https://", "mailto:", "http://127.0.0.1", "http://localhost")
    assert [target for target in outside if not target.startswith(allowed)] == []
