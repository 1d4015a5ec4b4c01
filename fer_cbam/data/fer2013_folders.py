"""FER2013 as image files, the layout that circulates on Kaggle.

``train/<class>/*`` is the Training split; ``test/<class>/`` holds both test splits, told apart by
file names that begin with ``PublicTest_`` or ``PrivateTest_``. The row of fer2013.csv is lost
there, so FER+ votes cannot be joined.
"""

from __future__ import annotations

from fer_cbam.data.base import Dataset
from fer_cbam.data.fer2013 import SIDE, SPLITS
from fer_cbam.data.files import Files
from fer_cbam.data.image_files import ClassImage, class_images, image_names, read_grey
from fer_cbam.errors import DataError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.types import Sample


def recognises(files: Files) -> bool:
    """Whether images lie in ``train/<class>`` or ``test/<class>`` and some say their split."""
    parts = [name.split("/") for name in image_names(files)]
    tops = {p[-3] if len(p) >= 3 else "" for p in parts}
    return bool(tops) and tops <= {"train", "test"} and any(_named_split(p[-1]) for p in parts)


def read(files: Files) -> Dataset:
    """FER2013 in the order of file names: ids ``fer2013:<split folder>/<class folder>/<stem>``.

    Raises:
        DataError: a file in ``test`` that names neither test split, a file in ``train`` that
            names one, an image that is not 48x48, and what class folders must be.
    """
    images = class_images(files, LABEL_SETS["fer2013"])
    tops = sorted({"/".join(image.above[:-1]) for image in images})
    if len(tops) > 1:
        raise DataError(
            f"{files.path}: train and test folders below {', '.join(map(repr, tops))}; "
            "expected them in one place"
        )
    samples = (
        Sample(
            _sample_id(image), read_grey(files, image.name, SIDE), image.label,
            split=_split(files, image),
        )
        for image in images
    )  # fmt: skip
    return Dataset("fer2013", LABEL_SETS["fer2013"], tuple(samples))


def _sample_id(image: ClassImage) -> str:
    folder = image.name.split("/")[-2]
    return f"fer2013:{image.above[-1]}/{folder}/{image.stem}"


def _split(files: Files, image: ClassImage) -> str:
    named = _named_split(image.stem)
    if image.above[-1] == "train" and named in (None, "Training"):
        return "Training"
    if image.above[-1] == "test" and named in ("PublicTest", "PrivateTest"):
        return named
    expected = "PublicTest_* or PrivateTest_*"
    if image.above[-1] == "train":
        expected = "no name of a test split in train"
    raise DataError(f"{files.where(image.name)}: expected {expected}")


def _named_split(base: str) -> str | None:
    return next((split for split in SPLITS if base.startswith(f"{split}_")), None)
