"""JAFFE (Lyons et al. 1998, https://doi.org/10.5281/zenodo.3451524): 213 pictures of ten women.

Files ``KA.AN1.39.tiff``: person, expression and its number, running number. Whole heads, 256x256
grey.
"""

from __future__ import annotations

import re

from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.image_files import EncodedSample, encoded_image, image_names
from fer_cbam.errors import DataError
from fer_cbam.labels import LABEL_SETS

CODES = {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral",
         "SA": "sadness", "SU": "surprise"}  # fmt: skip
_NAME = re.compile(rf"([A-Z]{{2}})\.({'|'.join(CODES)})\d\.\d+")


def recognises(files: Files) -> bool:
    """Whether most images are named as JAFFE's."""
    names = image_names(files)
    return 2 * sum(_NAME.fullmatch(_stem(name)) is not None for name in names) > len(names)


def read(files: Files) -> Dataset:
    """JAFFE in the order of the names: ids ``KA.AN1.39``, subject_id ``KA``.

    Raises:
        DataError: an image of another name, one that comes twice, or that cannot be read.
    """
    samples = []
    for name in sorted(image_names(files), key=_stem):
        match = _NAME.fullmatch(_stem(name))
        if match is None:
            raise DataError(f"{files.where(name)}: expected a name such as KA.AN1.39.tiff")
        content = encoded_image(files, name)
        samples.append(EncodedSample(match[0], content, CODES[match[2]], subject_id=match[1]))
    return Dataset("jaffe", LABEL_SETS["fer2013"], tuple(samples))


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]
