"""RAF-DB, the basic emotions (Li et al. 2017, https://doi.org/10.1109/CVPR.2017.277).

``EmoLabel/list_patition_label.txt`` (so spelt) has a line ``test_0001.jpg 4`` for each picture,
``Image/aligned/test_0001_aligned.jpg`` is the aligned crop of 100x100 pixels, and
``Image/original/test_0001.jpg`` the photograph, which is read where there are no aligned ones. Read
as well: the same aligned files in folders ``1`` to ``7``, as they circulate on Kaggle.
"""

from __future__ import annotations

import re

from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.image_files import EncodedSample, encoded_image, image_names
from fer_cbam.data.tables import shown
from fer_cbam.errors import DataError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.types import Sample

LIST_FILE = "list_patition_label.txt"
CODES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # from 1
_LIST_BYTES = 4 << 20
_NAME = re.compile(r"(train|test)_\d+(_aligned)?")
_LABELS = {str(code): label for code, label in enumerate(CODES, 1)}


def recognises(files: Files) -> bool:
    """Whether there is a list of labels, or most images are named as RAF-DB's in folders 1 to 7."""
    if any(name.rpartition("/")[2] == LIST_FILE for name in files.names):
        return True
    names = image_names(files)
    own = sum(_NAME.fullmatch(_stem(n)) is not None and _folder(n) in _LABELS for n in names)
    return 2 * own > len(names)


def read(files: Files) -> Dataset:
    """RAF-DB in the order of the names: ids ``test_0001``, split ``"train"`` or ``"test"``.

    A split of which no picture is there is left out; who is seen is not known.

    Raises:
        DataError: several lists, a line that is no name and code, a picture that the list lacks or
            that is missing, one that comes twice, or that cannot be read.
    """
    lists = [name for name in files.names if name.rpartition("/")[2] == LIST_FILE]
    if len(lists) > 1:
        raise DataError(f"{files.path}: {', '.join(lists)}; expected one {LIST_FILE}")
    images = _images(files)
    labels = _listed(files, lists[0]) if lists else _in_folders(files, images)
    present = {_split(stem) for stem in images}
    samples: list[Sample] = []
    for stem, label in sorted(labels.items()):
        if stem in images:
            content = encoded_image(files, images[stem])
            samples.append(EncodedSample(stem, content, label, split=_split(stem)))
        elif _split(stem) in present:
            raise DataError(f"{files.path}: no picture {stem}_aligned.jpg, which the list names")
    if unlisted := sorted(set(images) - set(labels)):
        raise DataError(f"{files.where(images[unlisted[0]])}: not in {LIST_FILE}")
    return Dataset("raf_db", LABEL_SETS["fer2013"], tuple(samples))


def _images(files: Files) -> dict[str, str]:
    """Id -> file: of the aligned pictures, or of the photographs where none is aligned."""
    named = [(name, _NAME.fullmatch(_stem(name))) for name in image_names(files)]
    for name, match in named:
        if match is None:
            raise DataError(f"{files.where(name)}: expected a name such as test_0001_aligned.jpg")
    aligned = any(match and match[2] for _, match in named)
    found: dict[str, str] = {}
    for name, match in named:
        if match and bool(match[2]) == aligned:
            stem = _stem(name).removesuffix("_aligned")
            if stem in found:
                raise DataError(f"{files.path}: {found[stem]} and {name}; expected {stem} once")
            found[stem] = name
    if not found:
        raise DataError(f"{files.path}: a list but no pictures; expected Image/aligned beside it")
    return found


def _listed(files: Files, name: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    lines = files.read(name, _LIST_BYTES).splitlines()
    for number, line in enumerate(lines, 1):
        picture, _, code = line.decode("utf-8", "replace").strip().partition(" ")
        stem = picture.rpartition(".")[0]
        if not _NAME.fullmatch(stem) or code.strip() not in _LABELS:
            raise DataError(
                f"{files.where(name)}, line {number}: {shown(line)}; expected a name and a code "
                "from 1 to 7, as in test_0001.jpg 4 (the list of basic emotions)"
            )
        labels[stem] = _LABELS[code.strip()]
    return labels


def _in_folders(files: Files, images: dict[str, str]) -> dict[str, str]:
    for name in images.values():
        if _folder(name) not in _LABELS:
            raise DataError(f"{files.where(name)}: folder {_folder(name)!r}; expected 1 to 7")
    return {stem: _LABELS[_folder(name)] for stem, name in images.items()}


def _split(stem: str) -> str:
    return stem.partition("_")[0]


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _folder(name: str) -> str:
    return f"/{name}".split("/")[-2]
