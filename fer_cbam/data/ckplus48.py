"""CK+48: the last three frames of CK+'s labelled sequences as 48x48 grey faces.

Lucey et al. 2010, "The Extended Cohn-Kanade Dataset (CK+)",
https://doi.org/10.1109/CVPRW.2010.5543262. Files ``<class>/S010_004_00000017.png``: subject,
sequence, frame. The three frames of a sequence hardly differ, so :attr:`Sample.group` keeps them
together.
"""

from __future__ import annotations

import re

from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.image_files import class_images, image_names, read_grey
from fer_cbam.errors import DataError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.types import Sample

SIDE = 48
_FRAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})")


def recognises(files: Files) -> bool:
    """Whether most image files are named as CK+ frames are."""
    names = image_names(files)
    frames = sum(_FRAME.fullmatch(_stem(name)) is not None for name in names)
    return 2 * frames > len(names)


def read(files: Files) -> Dataset:
    """CK+48 in the order of the ids: id = file stem, subject_id ``S010``, group ``S010_004``.

    Raises:
        DataError: a file name that is no CK+ frame, a sequence in two classes, a frame that comes
            twice, an image that is not 48x48, and what class folders must be.
    """
    images = sorted(class_images(files, LABEL_SETS["ckplus48"]), key=lambda image: image.stem)
    labels: dict[str, str] = {}
    samples = []
    for image in images:
        match = _FRAME.fullmatch(image.stem)
        if match is None:
            raise DataError(
                f"{files.where(image.name)}: expected subject, sequence and frame, as in "
                "S010_004_00000017.png"
            )
        subject, sequence = match[1], f"{match[1]}_{match[2]}"
        if labels.setdefault(sequence, image.label) != image.label:
            raise DataError(
                f"{files.where(image.name)}: sequence {sequence} is {image.label!r} here and "
                f"{labels[sequence]!r} elsewhere; expected one class"
            )
        pixels = read_grey(files, image.name, SIDE)
        samples.append(Sample(image.stem, pixels, image.label, subject_id=subject, group=sequence))
    return Dataset("ckplus48", LABEL_SETS["ckplus48"], tuple(samples))


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]
