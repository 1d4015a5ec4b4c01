"""GoEmotions (Demszky et al. 2020, https://arxiv.org/abs/2005.00547, Apache-2.0): 54,263 comments
of English forums, with the emotions that raters found in them, in Ekman's grouping.

Reads ``train.tsv``, ``dev.tsv`` and ``test.tsv`` with ``labels.txt`` as published: the text, the
numbers of its labels with commas between them, an id.
"""

from __future__ import annotations

import os

from fer_cbam.data.files import MAX_TABLE_BYTES, Files, open_files
from fer_cbam.data.lines import LABELS, TextLines, one_hot
from fer_cbam.errors import DataError
from fer_cbam.labels import canonical_label

SPLITS = ("train", "dev", "test")


def read_goemotions(path: str | os.PathLike[str]) -> dict[str, TextLines]:
    """The three published splits, from a folder or zip.

    Raises:
        DataError: a file is missing, labels that are not Ekman's and neutral, or a damaged row.
    """
    with open_files(path) as files:
        names = [canonical_label(name) for name in _rows(files, "labels.txt")]
        if sorted(names) != sorted(LABELS):
            raise DataError(f"{files.path}: labels.txt has {', '.join(names)}; expected "
                            f"{', '.join(LABELS)}: the grouping of data/ekman")  # fmt: skip
        return {split: _lines(files, f"{split}.tsv", names) for split in SPLITS}


def _lines(files: Files, name: str, names: list[str]) -> TextLines:
    texts, labels, ids = [], [], []
    for number, row in enumerate(_rows(files, name), 1):
        fields = row.split("\t")
        numbers = fields[1].split(",") if len(fields) == 3 else []
        if not numbers or not all(n.isdigit() and int(n) < len(names) for n in numbers):
            raise DataError(f"{files.where(name)}, line {number}: {row[:40]!r}; expected text, "
                            f"labels from 0 to {len(names) - 1}, and id, with tabs")  # fmt: skip
        texts.append(fields[0])
        labels.append([names[int(n)] for n in numbers])
        ids.append(fields[2])
    return TextLines(tuple(texts), one_hot(labels), tuple(ids))


def _rows(files: Files, name: str) -> list[str]:
    found = [known for known in files.names if f"/{known}".endswith(f"/{name}")]
    if len(found) != 1:
        raise DataError(f"{files.path}: {len(found)} files {name}; expected one")
    text = files.read(found[0], MAX_TABLE_BYTES).decode("utf-8", "replace")
    return [row for row in text.split("\n") if row.strip()]
