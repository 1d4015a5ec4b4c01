"""Lines with their times, and what is wrong with a file of them."""

from __future__ import annotations

import pytest

from fer_cbam.errors import TextError
from fer_cbam.transcripts import Line, read_transcript, transcript

SRT = """1
00:00:01,500 --> 00:00:03,250
<i>Well</i> now,
that is great.

2
00:01:04,000 --> 00:01:05,000
- No.
"""
VTT = """WEBVTT

00:01.500 --> 00:03.250
<v Ann>Well now,
that is great.

NOTE of the author
and more

intro
00:01:04.000 --> 00:01:05.000 align:start
- No.
"""
LINES = (Line(1.5, 3.25, "Well now, that is great."), Line(64, 65, "- No."))


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", SRT), ("a.SRT", SRT.replace("\n", "\r\n")), ("a.vtt", VTT),
        ("a.srt", SRT.encode("utf-16")), ("a.srt", SRT.encode("utf-8-sig")),
        ("a.txt", "1.5\t3.25\tWell now, that is great.\n\n64 65 - No.\n"),
        ("a.tsv", "[00:01.500 - 00:03.250] Well now, that is great.\n[1:04 --> 01:05] - No."),
    ],
)  # fmt: skip
def test_lines_and_their_times(tmp_path, name, content):
    if name.lower().endswith(("srt", "vtt")):
        pytest.importorskip("pysubs2")
    got = read_transcript(written(tmp_path, name, content))
    assert got.lines == LINES and got.cautions == ()


@pytest.mark.parametrize(
    ("name", "content", "kind", "words"),
    [
        ("a.txt", "Hello there\n", "no times", r"line 1: 'Hello there' has no times"),
        ("a.srt", "Hello there\n", "no times", "text with no times; expected SRT"),
        ("a.txt", "", "empty", "empty; expected"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\n \n", "empty", "no words"),
        ("a.srt", SRT.replace("Well", "Wéll").encode("latin-1"), "encoding", "0xe9 at .* UTF-8"),
        ("a.txt", b"1 2 a\0b", "not text", "not text"),
        ("a.txt", "2 1 back", "times", "from 2 to 1 s"),
        ("a.pdf", "1 2 a", "other format", r"ends with \.srt"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, content, kind, words):
    if name.endswith("srt"):
        pytest.importorskip("pysubs2")
    with pytest.raises(TextError, match=words) as caught:
        read_transcript(written(tmp_path, name, content))
    assert caught.value.kind == kind


def test_no_file(tmp_path):
    with pytest.raises(TextError, match="no such file"):
        read_transcript(tmp_path / "a.srt")


def test_lines_of_a_recogniser_are_put_in_order_and_cautioned_about():
    got = transcript([Line(5, 50, "b"), Line(1, 6, "a"), Line(7, 8, " ")])
    assert [line.text for line in got.lines] == ["a", "b"]
    assert len(got.cautions) == 2
    assert "stands for 45 s" in got.cautions[0] and "overlap" in got.cautions[1]
