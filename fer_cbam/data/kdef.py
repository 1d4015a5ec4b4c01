"""KDEF (Lundqvist, Flykt & Öhman 1998, https://kdef.se): 70 people, seven expressions, five angles.

Files ``AF01ANS.JPG``: session (A or B), sex (F or M) and number of the person, expression, angle
(``S`` straight, ``HL``/``HR`` half left/right, ``FL``/``FR`` full profile). Two files are published
under broken names and are read as what they show. Averaged faces (AKDEF, ``FANS.JPG``), which lie
in the same archive, are left out: they are nobody.
"""

from __future__ import annotations

import re

from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.image_files import EncodedSample, encoded_image, image_names
from fer_cbam.errors import DataError
from fer_cbam.labels import LABEL_SETS

CODES = {"AF": "fear", "AN": "anger", "DI": "disgust", "HA": "happiness", "NE": "neutral",
         "SA": "sadness", "SU": "surprise"}  # fmt: skip
ANGLES = {"S": "straight", "HL": "half_left", "HR": "half_right", "FL": "full_left",
          "FR": "full_right"}  # fmt: skip
BROKEN = {"AF31V": "AF31SAHL", "AM31H": "AM31SUHR"}
_REST = rf"({'|'.join(CODES)})({'|'.join(ANGLES)})"
_NAME = re.compile(rf"([AB])([FM]\d\d){_REST}")
_AVERAGE = re.compile(rf"[FM]{_REST}")


def recognises(files: Files) -> bool:
    """Whether most images are named as KDEF's."""
    names = image_names(files)
    own = sum(any(kind.fullmatch(_stem(n)) for kind in (_NAME, _AVERAGE)) for n in names)
    return 2 * own > len(names)


def read(files: Files) -> Dataset:
    """KDEF in the order of the names: ids ``AF01ANS``, subject_id ``F01``, group ``F01AN`` (both
    sessions and all angles of one expression), split the angle, such as ``"half_left"``.

    Raises:
        DataError: an image of another name, one that comes twice, or that cannot be read.
    """
    samples = []
    for name in sorted(image_names(files), key=_stem):
        if _AVERAGE.fullmatch(_stem(name)):
            continue
        match = _NAME.fullmatch(_stem(name))
        if match is None:
            raise DataError(f"{files.where(name)}: expected a name such as AF01ANS.JPG")
        _, person, expression, angle = match.groups()
        samples.append(
            EncodedSample(match[0], encoded_image(files, name), CODES[expression],
                          subject_id=person, group=f"{person}{expression}", split=ANGLES[angle])
        )  # fmt: skip
    return Dataset("kdef", LABEL_SETS["fer2013"], tuple(samples))


def _stem(name: str) -> str:
    stem = name.rpartition("/")[2].rpartition(".")[0].upper()
    return BROKEN.get(stem, stem)
