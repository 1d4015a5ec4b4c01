"""What was said and when: SubRip (SRT), WebVTT, and plain text with times, to timed lines.

SRT and WebVTT are read by pysubs2 (extra ``text``). Plain text holds a line each, its times ahead:
``1.5 3.2 Words`` in seconds, with tabs or spaces (as Audacity writes labels), or
``[00:01.500 - 00:03.200] Words``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fer_cbam.errors import BackendError, TextError

MAX_BYTES = 16 << 20
SUFFIXES = (".srt", ".vtt", ".txt", ".tsv")
LONGEST = 30.0  # seconds; a longer line is cautioned about: its feeling may have changed
_CLOCK = r"(?:(?:\d+:)?\d+:)?\d+(?:[.,]\d+)?"
_PLAIN = re.compile(
    rf"\[?\s*(?P<begin>{_CLOCK})\s*(?:-->|[-\u2013\s])\s*(?P<end>{_CLOCK})\s*\]?[\s:]+(?P<text>.*)"
)


@dataclass(frozen=True)
class Line:
    """begin, end: seconds. text: one line of it, without markup."""

    begin: float
    end: float
    text: str


@dataclass(frozen=True)
class Transcript:
    """lines: by their begin. cautions: in words, what may mislead a reader."""

    lines: tuple[Line, ...]
    cautions: tuple[str, ...] = ()


def read_transcript(path: str | Path) -> Transcript:
    """The lines of a file, told by its suffix, one of ``SUFFIXES``.

    Raises:
        TextError: no file, another suffix, not UTF-8 (nor UTF-16 with its mark), no line, a line
            without times, or one that ends before it begins.
        BackendError: SRT or WebVTT, and pysubs2 is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise TextError(f"{path}: no such file; expected a transcript", "missing")
    if path.stat().st_size > MAX_BYTES:
        raise TextError(f"{path.name}: {path.stat().st_size} bytes; expected at most {MAX_BYTES}",
                        "too large")  # fmt: skip
    return transcript_in(path.read_bytes(), path.name)


def transcript_in(content: bytes, name: str) -> Transcript:
    """The lines in a file's content. name: the file's, whose suffix tells the format.

    Raises:
        TextError, BackendError: as :func:`read_transcript`.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise TextError(f"{name}: expected a name that ends with {', '.join(SUFFIXES)}",
                        "other format")  # fmt: skip
    text = _decoded(content, name)
    plain = suffix in (".txt", ".tsv")
    lines = _plain(text, name) if plain else _subtitles(text, suffix[1:], name)
    return transcript(lines, name)


def transcript(lines: list[Line], name: str = "transcript") -> Transcript:
    """Lines, such as those of a recogniser of speech, in order and with their cautions.

    Raises:
        TextError: none with words, or one that ends before it begins.
    """
    for line in lines:
        if not 0 <= line.begin <= line.end:
            raise TextError(f"{name}: a line from {line.begin:g} to {line.end:g} s; expected one "
                            "that ends after it begins", "times")  # fmt: skip
    said = sorted((line for line in lines if line.text.strip()), key=lambda line: line.begin)
    if not said:
        raise TextError(f"{name}: no words; expected lines of text with their times", "empty")
    cautions = []
    longest = max(line.end - line.begin for line in said)
    if longest > LONGEST:
        cautions.append(f"A line stands for {longest:.0f} s: within it a feeling may change.")
    if any(b.begin < a.end - 0.001 for a, b in pairwise(said)):
        cautions.append("Lines overlap: several people may speak, and who does is not known.")
    return Transcript(tuple(said), tuple(cautions))


def _decoded(content: bytes, name: str) -> str:
    if not content.strip():
        raise TextError(f"{name}: empty; expected lines of text with their times", "empty")
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"{name}: byte {content[error.start]:#04x} at {error.start} is not UTF-8; "
                        "expected text in UTF-8", "encoding") from error  # fmt: skip
    if "\0" in text:
        raise TextError(f"{name}: not text; expected text in UTF-8", "not text")
    return text


def _subtitles(text: str, kind: str, name: str) -> list[Line]:
    try:
        import pysubs2
    except ImportError as error:
        raise BackendError("subtitles need pysubs2, which is not installed; expected: pip install "
                           "'fer-cbam[text]'") from error  # fmt: skip
    if kind == "vtt":
        text = _cues(text)
    try:
        found = pysubs2.SSAFile.from_string(text, format_=kind)
    except (pysubs2.Pysubs2Error, ValueError) as error:
        raise TextError(f"{name}: {error}; expected {kind.upper()}", "damaged") from error
    if not found:
        raise TextError(f"{name}: text with no times; expected {kind.upper()}", "no times")
    return [
        Line(event.start / 1000, event.end / 1000, " ".join(event.plaintext.split()))
        for event in found
    ]


def _cues(text: str) -> str:
    """WebVTT's cues alone: pysubs2 takes names of cues, and notes, for words of the cue before."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    cues = (block[block.rfind("\n", 0, block.index("-->")) + 1 :]
            for block in blocks if "-->" in block)  # fmt: skip
    return "\n\n".join(["WEBVTT", *cues])


def _plain(text: str, name: str) -> list[Line]:
    lines = []
    for number, row in enumerate(text.splitlines(), 1):
        if not row.strip():
            continue
        match = _PLAIN.fullmatch(row.strip())
        if match is None:
            raise TextError(
                f"{name}, line {number}: {row.strip()[:40]!r} has no times; expected begin and end "
                "in seconds ahead of the words, as in '1.5 3.2 Hello'", "no times",
            )  # fmt: skip
        begin, end = (_seconds(match[part]) for part in ("begin", "end"))
        lines.append(Line(begin, end, match["text"].strip()))
    return lines


def _seconds(clock: str) -> float:
    total = 0.0
    for part in clock.replace(",", ".").split(":"):
        total = 60 * total + float(part)
    return total
