"""CMU-MOSI's features: made-up files in the published form, and the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_cbam.data.cmu_mosi import read_features
from fer_cbam.errors import DataError

ROOT = "bc-LSTM/data/"
TRANSCRIPTS = "aa_1,WELL,1,0\naa_10,YES,1,1\naa_2,NO,1,0\nb-_b_1,FINE,2,1\n"


def features(**changes: str) -> dict[str, bytes]:
    """Three utterances of video ``aa`` to learn from, one of ``b-_b`` to test."""
    files = {"transcripts.csv": TRANSCRIPTS, "text_train.csv": "0,1.5\n1,2.5\n2,3.5\n",
             "text_test.csv": "3,4.5\n"}  # fmt: skip
    for number, name in enumerate(("text", "audio", "video"), 1):
        files[f"{name}/{name}_train0.csv"] = "".join(
            f'"{number}.5","{row}.0","{label}"\n' for row, label in enumerate((0, 1, 0))
        )
        files[f"{name}/{name}_test0.csv"] = '"4.5","9.0","1"\n'
    files |= changes
    return {ROOT + name: text.encode() for name, text in files.items() if text}


def test_features_targets_and_places(write_tree: Callable[..., Path]) -> None:
    parts = read_features(write_tree(features()))
    train, test = parts["train"], parts["test"]
    assert train.videos == ("aa", "aa", "aa") and test.videos == ("b-_b",)
    np.testing.assert_array_equal(train.places, [1, 10, 2])
    np.testing.assert_array_equal(train.targets, [0, 1, 0])
    np.testing.assert_array_equal(train.features["audio"], [[2.5, 0], [2.5, 1], [2.5, 2]])
    assert train.features["text"].dtype == np.float32 and len(test) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio/audio_test0.csv": ""}, r"0 files audio/audio_test0\.csv; expected one"),
        ({"video/video_train0.csv": "1,0\n1,0\n1,0\n"}, r"labels of video_train0\.csv are not"),
        ({f"{m}/{m}_test0.csv": "1,2\n" for m in ("text", "audio", "video")}, "not 0 and 1"),
        ({"text_test.csv": "4,1\n"}, "names rows that are not among the 4"),
        ({"text_train.csv": "0,1\n"}, "1 rows for 3 utterances"),
        ({"audio/audio_train0.csv": "1,0\n1,x\n1,0\n"}, "expected rows of numbers"),
        ({"audio/audio_train0.csv": "1,0\nnan,1\n1,0\n"}, "expected finite numbers"),
    ],
)
def test_what_does_not_fit_together(write_tree, changes, message) -> None:
    with pytest.raises(DataError, match=message):
        read_features(write_tree(features(**changes)))


@pytest.mark.data
def test_the_published_features(data_dir: Path) -> None:
    parts = read_features(data_dir / "mosi/mosi_features.zip")
    assert [len(part) for part in parts.values()] == [1447, 752]
    assert [len(set(part.videos)) for part in parts.values()] == [62, 31]
    assert not set(parts["train"].videos) & set(parts["test"].videos)
    assert {name: x.shape[1] for name, x in parts["test"].features.items()} == {
        "text": 100, "audio": 73, "video": 100,
    }  # fmt: skip
