"""Any data set that is one folder of images for each emotion: ``<class>/<image>``.

Class folders are named by emotion (``Happy``, ``happiness``; see labels.py); their order on disk
means nothing. Subjects are not known, so no protocol that needs them can be run.
"""

from __future__ import annotations

from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.image_files import class_images, image_names, read_image
from fer_cbam.errors import DataError
from fer_cbam.labels import EMOTIONS, canonical_label
from fer_cbam.types import Sample


def recognises(files: Files) -> bool:
    """Whether there is any image in a folder that is named by an emotion."""
    folders = {name.split("/")[-2] for name in image_names(files) if "/" in name}
    return any(_is_emotion(folder) for folder in folders)


def read(files: Files) -> Dataset:
    """All images, of any size, grey or RGB; ids ``<class folder>/<file>``.

    label_names are the emotions that occur, in the order of :data:`~fer_cbam.labels.EMOTIONS`.

    Raises:
        DataError: class folders in more than one place (train and test folders are read one by
            one), and what class folders must be.
    """
    images = class_images(files, EMOTIONS)
    above = sorted({"/".join(image.above) for image in images})
    if len(above) > 1:
        raise DataError(
            f"{files.path}: class folders below {', '.join(map(repr, above))}; "
            "expected them in one place (read train and test folders one by one)"
        )
    found = {image.label for image in images}
    samples = (
        Sample(image.name[len(above[0]) :].lstrip("/"), read_image(files, image.name), image.label)
        for image in images
    )
    return Dataset("folder", tuple(e for e in EMOTIONS if e in found), tuple(samples))


def _is_emotion(folder: str) -> bool:
    try:
        canonical_label(folder)
    except DataError:
        return False
    return True
