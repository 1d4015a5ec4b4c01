"""Model cards as the page links to them."""

from __future__ import annotations

import pytest

from fer_cbam import pretrained
from fer_cbam.serve.cards import card_text, has_card


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "EMBEDDED", tmp_path)
    for name in ("arch.tag", "arch.bare"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    card = "---\nlicense: other\n---\n# Card\n<!-- x -->\nRight: <!--n:x-->95<!--/n--> %\n"
    (tmp_path / "arch.tag" / "README.md").write_text(card)
    return tmp_path


def test_a_card_is_text_without_front_matter_and_comments(embedded):
    assert card_text("arch.tag") == "# Card\nRight: 95 %\n"


def test_which_weights_have_a_card(embedded):
    (embedded.parent / "README.md").write_text("secret")
    asked = ("arch.tag", "arch.bare", "", ".", "..", "../arch.tag", "/etc")
    assert [has_card(name) for name in asked] == [True] + 6 * [False]
