"""What is read for a recipe: label sets of the same faces side by side, with their gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_cbam.errors import FerError
from train.examples import read_source
from train.recipe import Head, Recipe, Stage

STAGE = Stage("m", schedule="constant")
BOTH = [Head("ferplus"), Head("fer2013")]
# Old label, then votes: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt,
# unknown, no face.
ROWS = [(3, (0, 10, 0, 0, 0, 0, 0, 0, 0, 0)), (0, (0, 0, 0, 0, 6, 4, 0, 0, 0, 0)),
        (2, (0, 0, 0, 0, 0, 0, 0, 0, 0, 10))]  # fmt: skip


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    faces = ["emotion,pixels,Usage"]
    votes = ["Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
             "unknown,NF"]  # fmt: skip
    for i, (label, counts) in enumerate(ROWS):
        faces.append(f"{label},{' '.join([str(i)] * 2304)},Training")
        name = "" if counts[-1] == 10 else f"fer{i:07}.png"
        votes.append(f"Training,{name},{','.join(map(str, counts))}")
    (tmp_path / "fer2013.csv").write_text("\n".join(faces))
    (tmp_path / "fer2013new.csv").write_text("\n".join(votes))
    return tmp_path / "fer2013.csv", tmp_path / "fer2013new.csv"


def test_two_label_sets_of_the_same_faces(files):
    source = read_source(Recipe("r", [STAGE], "fer2013", heads=BOTH), *files)
    assert source.names == ("ferplus", "fer2013") and source.num_classes == 15
    ferplus, fer2013 = source.targets
    names = source.label_names[0]
    assert ferplus[0, names.index("happiness")] == 1 and ferplus[0].sum() == 1
    assert ferplus[1, names.index("anger")] == pytest.approx(0.6)
    assert ferplus[1, names.index("disgust")] == pytest.approx(0.4)
    assert not ferplus[2].any()  # no face, says FER+, and FER2013 has a label
    assert [source.label_names[1][i] for i in fer2013.argmax(1)] == ["happiness", "anger", "fear"]


def test_without_heads_the_data_set_s_own_labels(files):
    source = read_source(Recipe("r", [STAGE]), files[0], None)
    assert source.names == ("fer2013",) and len(source.targets) == 1
    np.testing.assert_array_equal(source.targets[0].sum(1), 1)


def test_files_that_do_not_answer_are_refused(files):
    with pytest.raises(FerError, match="head 'ferplus' needs --votes"):
        read_source(Recipe("r", [STAGE], heads=BOTH), files[0], None)
    with pytest.raises(FerError, match="head 'valence' with data 'fer2013'; expected 'ferplus'"):
        read_source(Recipe("r", [STAGE], heads=[Head("valence")]), *files)
    with pytest.raises(FerError, match="recipe r with data 'fer2013'; expected 'ckplus48'"):
        read_source(Recipe("r", [STAGE], "ckplus48"), files[0], None)
