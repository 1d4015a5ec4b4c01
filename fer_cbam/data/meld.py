"""MELD (Poria et al. 2019, https://arxiv.org/abs/1810.02508, GPL-3.0): 13,708 lines of dialogues of
a television series, with speaker and emotion.

Reads ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv`` as
https://github.com/declare-lab/MELD publishes them. The clips lie beside them, in folders of their
own: ``train_splits/dia0_utt3.mp4``, ``dev_splits_complete/`` and ``output_repeated_splits_test/``.
"""

from __future__ import annotations

import csv
import io
import os

from fer_cbam.data.files import MAX_TABLE_BYTES, Files, open_files
from fer_cbam.data.lines import TextLines, one_hot
from fer_cbam.errors import DataError
from fer_cbam.labels import canonical_label

SPLITS = ("train", "dev", "test")
_COLUMNS = ("Utterance", "Emotion", "Dialogue_ID", "Utterance_ID")


def read_meld(path: str | os.PathLike[str]) -> dict[str, TextLines]:
    """The lines of the three published splits, from a folder or zip; groups are dialogues.

    Raises:
        DataError: a file or column is missing, or an emotion that MELD does not have.
    """
    with open_files(path) as files:
        return {split: _lines(files, f"{split}_sent_emo.csv") for split in SPLITS}


def read_meld_clips(path: str | os.PathLike[str], split: str) -> tuple[list[str], TextLines]:
    """Names of the clips of a split in a folder or zip, and the line of each, in their order.

    Lines without a clip (MELD has some) and clips without a line are left out. Never run on the
    real clips, which could not be had.

    Raises:
        DataError: as :func:`read_meld`, or no clip.
        ValueError: another split.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r}; expected one of {', '.join(SPLITS)}")
    with open_files(path) as files:
        table = f"{split}_sent_emo.csv"
        rows = _rows(files, table)
        clips = {
            name.rpartition("/")[2]: name
            for name in files.names if name.endswith(".mp4") and split in name.rpartition("/")[0]
        }  # fmt: skip
        own = [f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}.mp4" for row in rows]
        there = [(clips[clip], row) for clip, row in zip(own, rows, strict=True) if clip in clips]
        if not there:
            raise DataError(f"{files.path}: no clip of {table}; expected {own[0]} and its like")
        return [name for name, _ in there], _as_lines([row for _, row in there])


def _lines(files: Files, name: str) -> TextLines:
    return _as_lines(_rows(files, name))


def _as_lines(rows: list[dict[str, str]]) -> TextLines:
    texts = tuple(_mended(row["Utterance"]) for row in rows)
    targets = one_hot([[canonical_label(row["Emotion"])] for row in rows])
    return TextLines(texts, targets, tuple(row["Dialogue_ID"] for row in rows))


def _mended(text: str) -> str:
    """MELD's files hold Windows' marks read as Latin-1: U+0092 stands for an apostrophe."""
    return text.translate({0x85: "...", 0x91: "'", 0x92: "'", 0x93: '"', 0x94: '"', 0x97: "-"})


def _rows(files: Files, name: str) -> list[dict[str, str]]:
    found = [known for known in files.names if f"/{known}".endswith(f"/{name}")]
    if len(found) != 1:
        raise DataError(f"{files.path}: {len(found)} files {name}; expected one")
    text = files.read(found[0], MAX_TABLE_BYTES).decode("utf-8-sig", "replace")
    table = csv.DictReader(io.StringIO(text))
    missing = [column for column in _COLUMNS if column not in (table.fieldnames or ())]
    rows = list(table)
    if missing or not rows:
        raise DataError(f"{files.where(name)}: without {', '.join(missing) or 'a row'}; expected "
                        f"the columns {', '.join(_COLUMNS)}")  # fmt: skip
    if any(row[column] is None for row in rows for column in _COLUMNS):
        raise DataError(f"{files.where(name)}: a row that is cut off; expected whole rows")
    return rows
