"""Data sets: from the files as they are published to :class:`~fer_cbam.types.Sample`.

A new format is a new module with ``recognises`` and ``read`` (:class:`~fer_cbam.data.base.Reader`)
and one more name in ``READERS``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from fer_cbam.data import (
    affectnet,
    ckplus48,
    fer2013,
    fer2013_folders,
    ferplus,
    folder,
    jaffe,
    kdef,
    own,
    raf_db,
)
from fer_cbam.data.base import Dataset, Reader
from fer_cbam.data.files import open_files
from fer_cbam.errors import DataError
from fer_cbam.labels import LABEL_SETS

__all__ = ["Dataset", "READERS", "Reader", "load"]

#: From the most particular to the most general; the first that recognises the files reads them.
READERS: tuple[Reader, ...] = (
    fer2013, fer2013_folders, ckplus48, raf_db, affectnet, jaffe, kdef, folder,
)  # fmt: skip
LAYOUTS = (
    f"a CSV with the columns {','.join(fer2013.COLUMNS)}; CK+48 (S010_004_00000017.png in class "
    f"folders); RAF-DB ({raf_db.LIST_FILE} and Image/aligned); AffectNet (images/0.jpg and "
    "annotations/0_exp.npy, or folders 0 to 7); JAFFE (KA.AN1.39.tiff); KDEF (AF01ANS.JPG); "
    "folders of images named by emotion; or a zip of one of these"
)


def load(
    path: str | os.PathLike[str],
    *,
    votes: str | os.PathLike[str] | None = None,
    votes_mode: str = "majority",
    labels: str | os.PathLike[str] | None = None,
    label_set: str | Sequence[str] | None = None,
) -> Dataset:
    """Read a data set; the format is recognised by content.

    path: ``fer2013.csv``; FER2013 or CK+48 as folders of images; RAF-DB, AffectNet, JAFFE or KDEF
    as published; any folder of class folders; or a zip of one of these. votes: FER+'s
    ``fer2013new.csv``, which makes FER2013 into FER+.
    votes_mode: "majority", "probability" or "distribution", see :mod:`fer_cbam.data.ferplus`.
    labels: for pictures of one's own with labels of one's own: "folders", or a table, see
    :mod:`fer_cbam.data.own`.
    label_set: a name of :data:`~fer_cbam.labels.LABEL_SETS` or label names, for targets in that
    order; without it, the data set's own.

    Raises:
        DataError: names the file, the row where there is one, what was got and what was expected.
    """
    with open_files(path) as files:
        if labels is not None:
            dataset = own.read(files, labels)
        elif votes is not None:
            with open_files(votes) as vote_files:
                dataset = ferplus.relabel(fer2013.read(files), vote_files, votes_mode)
        else:
            reader = next((reader for reader in READERS if reader.recognises(files)), None)
            if reader is None:
                raise DataError(
                    f"{files.path}: no known data set (found {_first_names(files.names)}); "
                    f"expected {LAYOUTS}"
                )
            dataset = reader.read(files)
    return dataset if label_set is None else dataset.with_labels(_label_names(label_set))


def _first_names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or (
        "no files"
    )


def _label_names(label_set: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(label_set, str):
        return tuple(label_set)
    if label_set not in LABEL_SETS:
        raise DataError(f"label set {label_set!r}; expected one of {', '.join(LABEL_SETS)}")
    return LABEL_SETS[label_set]
