"""Picking weights: what may be named, and what is done about it."""

from __future__ import annotations

import json
import shutil
import threading

import pytest

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve import recognizers as recognizers_module
from fer_cbam.serve.recognizers import RecognizerCache


@pytest.fixture
def cache(untrained_weights) -> RecognizerCache:
    return RecognizerCache(untrained_weights["ckplus48"], elsewhere=True)


def test_the_default_is_what_nothing_picks(cache, untrained_weights):
    for source in ("", None, str(untrained_weights["ckplus48"]), " "):
        assert cache.get(source) is cache.first
    assert cache.names()[0] == str(untrained_weights["ckplus48"])
    assert sorted(cache.names()[1:]) == pretrained.embedded_names()


def test_the_picker_offers_titles_in_their_order(cache, untrained_weights):
    own = str(untrained_weights["ckplus48"])
    assert cache.choices() == [
        (own, own),
        ("fer_cbam_base.ferplus", "Balanced, 8 expressions"),
        ("fer_cbam_tiny.ferplus", "Fast, a seventh of the size"),
        ("fer_cbam_base.fer2013", "FER2013's 7"),
        ("fer_cbam_tiny.fer2013", "Fast, FER2013's 7"),
        ("fer_cbam_paper.ckplus48", "Paper: posed faces, no neutral"),
    ]


def test_others_bring_their_own_labels_and_are_loaded_once(cache, untrained_weights):
    other = cache.get(str(untrained_weights["ferplus"]))
    assert other.label_names == LABEL_SETS["ferplus"]
    assert cache.get(str(untrained_weights["ferplus"])) is other
    assert cache.first.label_names == LABEL_SETS["ckplus48"]
    assert other.detector is cache.first.detector


def test_only_embedded_weights_where_nothing_else_is_allowed(untrained_weights):
    cache = RecognizerCache(untrained_weights["ckplus48"], elsewhere=False)
    assert cache.get(pretrained.embedded_names()[0]).name == pretrained.embedded_names()[0]
    for source in (str(untrained_weights["ferplus"]), "hf-hub:user/name", "/etc", "../weights"):
        with pytest.raises(WeightsError, match="this page offers") as refused:
            cache.get(source)
        assert "--any-weights" in str(refused.value)


@pytest.mark.parametrize("source", [7, ["a"], {"a": 1}, "a" * 401, "a\0b"])
def test_what_is_no_source(cache, source):
    with pytest.raises(WeightsError, match="expected a name, a folder"):
        cache.get(source)


def test_damaged_weights_are_refused_before_they_are_loaded(
    cache, untrained_weights, tmp_path, monkeypatch
):
    def never(*_):
        raise AssertionError("loaded without a check")

    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", never)
    with pytest.raises(WeightsError, match="neither embedded"):
        cache.get("nowhere")
    with pytest.raises(WeightsError, match="expected a timm config"):
        cache.get(str(tmp_path))
    shutil.copytree(untrained_weights["ferplus"], tmp_path / "cut")
    file = tmp_path / "cut" / pretrained.WEIGHTS_FILE
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="damaged"):
        cache.get(str(tmp_path / "cut"))
    config = json.loads((untrained_weights["ferplus"] / "config.json").read_text())
    config["label_names"] = ["a", "b"]
    (tmp_path / "cut" / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="2 label_names for 8 classes"):
        cache.get(str(tmp_path / "cut"))
    monkeypatch.setattr(recognizers_module, "MAX_BYTES", 1000)
    with pytest.raises(WeightsError, match="MB of weights; expected at most"):
        cache.get(str(untrained_weights["ferplus"]))


def test_the_least_recently_used_is_dropped(untrained_weights, tmp_path):
    cache = RecognizerCache(untrained_weights["ckplus48"], elsewhere=True, keep=2)
    names = []
    for i in range(3):
        names.append(str(shutil.copytree(untrained_weights["ferplus"], tmp_path / str(i))))
    first, second = cache.get(names[0]), cache.get(names[1])
    assert cache.get(names[0]) is first
    cache.get(names[2])
    assert cache.get(names[0]) is first
    assert cache.get(names[1]) is not second


def test_asked_for_by_many_at_once_they_are_loaded_once(cache, untrained_weights, monkeypatch):
    loads, load = [], EmotionRecognizer.from_pretrained

    def counted(source, *rest):
        loads.append(source)
        return load(source, *rest)

    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", counted)
    found: list[EmotionRecognizer] = []
    threads = [
        threading.Thread(target=lambda: found.append(cache.get(str(untrained_weights["ferplus"]))))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1 and len(found) == 6
    assert all(recognizer is found[0] for recognizer in found)
