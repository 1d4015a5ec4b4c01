"""GoEmotions and MELD, made up in their published form, and the real ones."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.data.goemotions import read_goemotions
from fer_cbam.data.lines import LABELS
from fer_cbam.data.meld import read_meld, read_meld_clips
from fer_cbam.errors import DataError

NAMES = b"anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise\n"
GO = {"data/ekman/labels.txt": NAMES,
      "data/ekman/train.tsv": b'He said "no\t3,6\tid1\nFine\t4\tid2\n',
      "data/ekman/dev.tsv": b"a\t0\tid3\n", "data/ekman/test.tsv": b"b\t5\tid4\n"}  # fmt: skip
HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
ROWS = HEAD + '1,"Well, no",Ann,joy,positive,0,0\n2,It\x92s,Bob,sadness,negative,7,3\n'
MELD = {f"MELD/{split}_sent_emo.csv": ROWS.encode() for split in ("train", "dev", "test")}


def test_goemotions(write_tree):
    got = read_goemotions(write_tree(GO))["train"]
    assert got.texts == ('He said "no', "Fine") and got.groups == ("id1", "id2")
    assert [LABELS[i] for i in np.flatnonzero(got.targets[0])] == ["happiness", "surprise"]
    assert got.single().tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train.tsv", b"a\t7\tid\n", "labels from 0 to 6"),
        ("train.tsv", b"a\t\tid\n", "labels from 0 to 6"),
        ("train.tsv", b"only text\n", "line 1: 'only text'"),
        ("labels.txt", b"joy\nlove\n", "unknown emotion 'love'"),
        ("labels.txt", b"joy\nfear\n", "expected anger, disgust"),
    ],
)
def test_what_goemotions_is_not(write_tree, name, content, words):
    with pytest.raises(DataError, match=words):
        read_goemotions(write_tree({**GO, f"data/ekman/{name}": content}))


def test_meld(write_tree):
    got = read_meld(write_tree(MELD))["dev"]
    assert got.texts == ("Well, no", "It's") and got.groups == ("0", "7")
    assert [LABELS[i] for i in got.targets.argmax(1)] == ["happiness", "sadness"]


def test_meld_clips_are_those_that_are_there(write_tree):
    clips = {"output_repeated_splits_test/dia7_utt3.mp4": b"x", "dev_splits_complete/dia0_utt0.mp4":
             b"x", "output_repeated_splits_test/dia9_utt9.mp4": b"x"}  # fmt: skip
    tree = write_tree({**MELD, **clips})
    names, lines = read_meld_clips(tree, "test")
    assert names == ["output_repeated_splits_test/dia7_utt3.mp4"] and lines.texts == ("It's",)
    with pytest.raises(DataError, match=r"no clip of train_sent_emo\.csv; expected dia0_utt0\.mp4"):
        read_meld_clips(tree, "train")
    with pytest.raises(ValueError, match="split 'all'"):
        read_meld_clips(tree, "all")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "without Utterance, Emotion, Dialogue_ID"),
        (HEAD, "without a row"),
        (HEAD + "1,cut\n", "cut off"),
        (HEAD + "1,a,b,bored,x,0,0\n", "unknown emotion 'bored'"),
    ],
)
def test_what_meld_is_not(write_tree, content, words):
    with pytest.raises(DataError, match=words):
        read_meld(write_tree({**MELD, "MELD/dev_sent_emo.csv": content.encode()}))


@pytest.mark.data
def test_the_published_files(data_dir):
    go = read_goemotions(data_dir / "text/goemotions_ekman.zip")
    assert [len(part) for part in go.values()] == [43410, 5426, 5427]
    meld = read_meld(data_dir / "text/meld_text.zip")
    assert [len(part) for part in meld.values()] == [9989, 1109, 2610]
    counts = meld["test"].targets.sum(0).astype(int)
    assert dict(zip(LABELS, counts, strict=True))["happiness"] == 402
