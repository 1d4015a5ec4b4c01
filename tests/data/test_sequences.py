"""Labelled sequences of tiny made-up trees of the forms that people have."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_cbam.data.sequences import labels_of, read_sequences, recognises
from fer_cbam.errors import DataError
from tests.data.tiny_sequences import ck_tree, clip_folders, frames


def test_the_full_ck_is_neutral_at_first_and_ends_with_its_expression(tmp_path):
    ck_tree(tmp_path)
    assert recognises(tmp_path)
    first, second = read_sequences(tmp_path)  # S005/002 has no label
    assert (first.sequence_id, first.subject_id) == ("S005_001", "S005")
    assert [first.label_at(i / 30) for i in range(9)] == [
        "neutral", None, None, None, None, "disgust", "disgust", "disgust", None,
    ]  # fmt: skip
    assert [p.name for p in first.frames][:2] == ["S005_001_00000001.png", "S005_001_00000002.png"]
    assert len(first.frames) == 8 and first.clip is None
    assert (second.sequence_id, second.label_at(7 / 30)) == ("S010_004", "happiness")
    assert labels_of((first, second)) == ("disgust", "happiness", "neutral")


@pytest.mark.parametrize(("text", "wrong"), [("9.0", "'9.0'"), ("2.5", "'2.5'"), ("", "''")])
def test_a_label_of_ck_that_is_none(tmp_path, text, wrong):
    ck_tree(tmp_path)
    path = tmp_path / "Emotion/S005/001/S005_001_00000008_emotion.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=f"{path.name}: {wrong}; expected a number from 0 to 7"):
        read_sequences(tmp_path)


def test_too_few_frames_for_a_beginning_and_an_end(tmp_path):
    ck_tree(tmp_path)
    for path in sorted((tmp_path / "cohn-kanade-images/S005/001").iterdir())[3:]:
        path.unlink()
    with pytest.raises(DataError, match="1 labels, 3 frames; expected one label and more than 3"):
        read_sequences(tmp_path)


def test_clips_in_folders_of_their_class(tmp_path):
    clip_folders(tmp_path)
    assert recognises(tmp_path)
    one, two, three = read_sequences(tmp_path)
    assert [s.sequence_id for s in (one, two, three)] == ["anger/b.mp4", "happy/a", "happy/c"]
    assert one.clip == tmp_path / "anger/b.mp4" and one.label_at(1e6) == "anger"
    assert len(two.frames) == 4 and two.label_at(0.0) == "happiness"
    # Frame labels hold instead of the class; frames that they leave out are not labelled.
    assert [three.label_at(i / 30) for i in range(4)] == ["neutral", None, "happiness", None]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ("happy/x,0,neutral", "clip 'happy/x'; expected one of the class folders"),
        ("happy/a,first,neutral", "line 2: frame 'first'; expected a number from 0"),
        ("happy/a,0,bored", "line 2: unknown emotion 'bored'"),
        ("anger/b.mp4,0,neutral", "anger/b.mp4 is a video; expected labels of frames for folders"),
        ("happy/a,0", "line 2: expected a value for each column"),
    ],
)
def test_frame_labels_that_are_wrong(tmp_path, rows, wrong):
    clip_folders(tmp_path)
    (tmp_path / "frames.csv").write_text(f"clip,frame,label\n{rows}\n")
    with pytest.raises(DataError, match=wrong):
        read_sequences(tmp_path)


def segments(folder: Path, *rows: str, header: str = "clip,start,end,label,subject") -> Path:
    frames(folder / "a", 3)
    (folder / "b.mp4").write_bytes(b"")
    path = folder / "segments.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")
    return path


def test_segments_of_clips(tmp_path):
    path = segments(tmp_path, "b.mp4,2.5,4,Sad,P1", "b.mp4,0,2,neutral,P1", "a,0,0.05,fear,")
    assert recognises(path)
    a, b = read_sequences(path)
    assert (a.subject_id, len(a.frames), a.label_at(0.04), a.label_at(0.05)) == (
        None, 3, "fear", None,
    )  # fmt: skip
    assert (b.subject_id, b.clip) == ("P1", tmp_path / "b.mp4")
    assert [b.label_at(t) for t in (0, 1.99, 2, 2.5, 3.9, 4)] == [
        "neutral", "neutral", None, "sadness", "sadness", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (["a,1,1,fear,"], "line 2: start '1', end '1'; expected seconds, the start first"),
        (["a,-1,1,fear,"], "expected seconds"), (["a,x,1,fear,"], "expected seconds"),
        (["a,0,1,dull,"], "line 2: unknown emotion 'dull'"),
        (["z,0,1,fear,"], "clip 'z': no such file beside the CSV"),
        (["a,0,1,fear,", "a,0.5,2,anger,"], "segments from 0 and 0.5 s overlap"),
        (["a,0,1,fear,P1", "a,1,2,anger,P2"], "clip 'a' with two subjects; expected one"),
        ([], "no labelled sequence"),
    ],
)  # fmt: skip
def test_segments_that_are_wrong(tmp_path, rows, wrong):
    with pytest.raises(DataError, match=wrong):
        read_sequences(segments(tmp_path, *rows))


def test_what_is_none_of_these(tmp_path):
    assert not recognises(tmp_path) and not recognises(tmp_path / "nothing")
    other = tmp_path / "other.csv"
    other.write_text("emotion,pixels,Usage\n")
    assert not recognises(other)
    with pytest.raises(DataError, match="no labelled sequence; expected cohn-kanade-images"):
        read_sequences(tmp_path)
    path = segments(tmp_path, header="clip,begin,end,label")
    assert not recognises(path)
    with pytest.raises(DataError, match="columns clip, begin, end, label; expected clip, start"):
        read_sequences(path)
