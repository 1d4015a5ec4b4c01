"""README, docs and cards say what the committed reports say."""

from __future__ import annotations

import re

import pytest

from eval.docs import __main__ as docs
from eval.docs.cards import cards
from eval.docs.records import one
from eval.records import record
from fer_cbam import pretrained
from fer_cbam.errors import DataError
from fer_cbam.hub.cards import CARD_FILE, HOME, training_data

EMPTY = "<!-- numbers:twins -->\n<!-- /numbers -->"


def test_blocks_are_filled_and_filled_again(loaded):
    records = loaded(twins=[record("groups", 7, data="fer2013", n=1),
                            record("images", 9, data="fer2013", n=3)])  # fmt: skip
    text = "a\n<!-- numbers:twins -->\nold\n<!-- /numbers -->\nb\n"
    got = docs.fill(text, records)
    assert got.startswith("a\n<!-- numbers:twins -->\n| FER2013, 3 images |")
    assert got.endswith("<!-- /numbers -->\nb\n") and "old" not in got
    assert docs.fill(got, records) == got


@pytest.mark.parametrize(
    "text",
    ["<!-- numbers:twins -->\n", "<!-- /numbers -->", "<!-- numbers:twins --> <!-- /numbers -->"],
)
def test_broken_marks_are_errors(text, loaded):
    with pytest.raises(DataError, match="not closed or not well formed"):
        docs.fill(text, loaded(twins=[]))


def test_an_unknown_block_is_an_error(loaded):
    with pytest.raises(DataError, match="page: numbers:kdef; expected one of: weights, cards"):
        docs.fill("<!-- numbers:kdef -->\n<!-- /numbers -->", loaded(twins=[]), "page")


def test_check_fails_when_a_document_differs(tmp_path, monkeypatch, loaded):
    records = loaded(twins=[record("images", 9, data="fer2013", n=3)])
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    monkeypatch.setattr(docs, "load", lambda: records)
    card = tmp_path / "card" / CARD_FILE
    card.parent.mkdir()
    monkeypatch.setattr(docs, "cards", lambda records: {card: "a card\n"})
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(EMPTY)
    for name in ("README.md", "model_card.md"):
        (tmp_path / name).write_text("nothing to fill\n")
    with pytest.raises(SystemExit, match=r"^docs/page\.md, card/README\.md: not what the reports"):
        docs.main(["--check"])
    assert (tmp_path / "docs" / "page.md").read_text() == EMPTY and not card.exists()
    docs.main([])
    assert "| FER2013, 3 images |" in (tmp_path / "docs" / "page.md").read_text()
    assert card.read_text() == "a card\n"
    docs.main(["--check"])


def test_committed_documents_say_what_the_reports_say():
    docs.main(["--check"])


def test_every_block_stands_somewhere():
    texts = [path.read_text(encoding="utf-8") for path in
             (*docs.ROOT.glob("*.md"), *(docs.ROOT / "docs").glob("*.md"))]  # fmt: skip
    used = {match[2] for text in texts for match in docs.BLOCK.finditer(text)}
    assert set(docs.BLOCKS) - used <= {"ckplus48-paper-classes"}


def test_each_card_names_its_own_weights_and_holds_its_own_numbers(committed):
    from huggingface_hub import ModelCard

    made = cards(committed)
    over_time = [folder / CARD_FILE for folder in pretrained.recurrent_dirs()]
    assert len(made) == len(pretrained.embedded_names()) + len(over_time) > 1
    for path in over_time:
        assert path.read_text(encoding="utf-8") == made[path], "run: python -m eval.docs"
    for name in pretrained.embedded_names():
        path = pretrained.embedded_dir(name) / CARD_FILE
        text = path.read_text(encoding="utf-8")
        assert text == made[path], "run: python -m eval.docs"
        assert re.findall(r"^# .*", text, re.MULTILINE)[0] == f"# Model card: `{name}`"
        config = pretrained.read_config(path.parent)
        stages = config["training"]["recipe"].get("stages", [])
        taught_by = {t.partition("@")[0] for stage in stages for t in stage.get("teachers", [])}
        named = set(re.findall(r"fer_cbam_\w+\.\w+", text))
        assert name in named and named <= {name, *taught_by}
        data = ModelCard(text).data
        assert set(data.datasets) == set(training_data(config))
        tag = name.partition(".")[2]
        home = one(committed, study="evaluation", weights=name, data=tag, protocol=HOME[tag],
                   option="plain", metric="accuracy")  # fmt: skip
        found = {(r.dataset_type, r.metric_type): r.metric_value for r in data.eval_results
                 if not r.dataset_name.endswith("random 80/20")}  # fmt: skip
        assert found[tag, "accuracy"] == round(home["value"], 4)
        assert f"{100 * home['value']:.1f} ({100 * home['low']:.1f}" in text
        for label in pretrained.label_names(config):
            assert re.search(rf"^\| {label} \| \d", text, re.MULTILINE)
        assert ("no neutral label" in text) == ("neutral" not in pretrained.label_names(config))


def test_the_card_of_the_package_links_all_cards_and_names_all_data():
    from huggingface_hub import ModelCard

    text = (docs.ROOT / "model_card.md").read_text(encoding="utf-8")
    names = pretrained.embedded_names()
    assert all((docs.ROOT / link).is_file() for link in re.findall(r"\]\((fer_cbam[^)]*)\)", text))
    assert all(f"fer_cbam/weights/{name}/{CARD_FILE}" in text for name in names)
    configs = [pretrained.read_config(pretrained.embedded_dir(name)) for name in names]
    learnt = {data for config in configs for data in training_data(config)}
    assert set(ModelCard(text).data.datasets) == learnt
