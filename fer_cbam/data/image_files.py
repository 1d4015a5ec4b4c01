"""Image files of a data set: which files they are, where they lie, and their pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from fer_cbam.data.files import MAX_IMAGE_BYTES, Files
from fer_cbam.errors import DataError, ImageError
from fer_cbam.images import decode_image
from fer_cbam.labels import canonical_label
from fer_cbam.types import Sample

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")


class ClassImage(NamedTuple):
    """An image file in the folder of its class.

    name: relative file name. label: canonical name from the folder. above: the folders above that
    of the class. stem: the file's own name without its suffix.
    """

    name: str
    label: str
    above: tuple[str, ...]
    stem: str


def image_names(files: Files) -> list[str]:
    """Relative names of the image files, by suffix."""
    return [name for name in files.names if name.lower().endswith(SUFFIXES)]


def class_images(files: Files, label_names: Iterable[str]) -> list[ClassImage]:
    """Every image with the label its folder says, in the order of their names.

    Files that are no images may lie beside the class folders (a README), never in one.

    Raises:
        DataError: no image at all, an image outside a class folder, a folder that is no emotion
            of label_names, an empty folder, a file in a class folder that is no image.
    """
    allowed = tuple(label_names)
    names = image_names(files)
    if not names:
        raise DataError(f"{files.path}: no images; expected class folders of images")
    images = [_class_image(files, name, allowed) for name in names]
    folders = {image.name.rpartition("/")[0] for image in images}
    for name in set(files.names) - set(names):
        if name.rpartition("/")[0] in folders:
            raise DataError(
                f"{files.where(name)}: no image; expected a class folder to hold only "
                f"{', '.join(SUFFIXES)}"
            )
    for folder in files.folders:
        if not any(f"{other}/".startswith(f"{folder}/") for other in folders):
            raise DataError(f"{files.where(folder)}: a folder without images; expected some")
    return images


def _class_image(files: Files, name: str, allowed: tuple[str, ...]) -> ClassImage:
    *folders, base = name.split("/")
    if not folders:
        raise DataError(f"{files.where(name)}: outside a class folder; expected <class>/{base}")
    try:
        label = canonical_label(folders[-1])
    except DataError as error:
        raise DataError(f"{files.where(name)}: folder {folders[-1]!r}: {error}") from error
    if label not in allowed:
        raise DataError(
            f"{files.where(name)}: class {label!r}; expected one of {', '.join(allowed)}"
        )
    return ClassImage(name, label, tuple(folders[:-1]), base.rpartition(".")[0])


def read_image(files: Files, name: str) -> npt.NDArray[np.uint8]:
    """Pixels of an image file, upright: uint8 ``(H, W, 3)`` RGB, or ``(H, W)`` where R = G = B.

    Raises:
        DataError: what :func:`fer_cbam.images.decode_image` refuses, or a file above the limit.
    """
    try:
        return _decoded(files.read(name, MAX_IMAGE_BYTES))
    except ImageError as error:
        raise DataError(f"{files.where(name)}: {error}") from error


def _decoded(content: bytes) -> npt.NDArray[np.uint8]:
    rgb = decode_image(content)
    is_grey = (rgb == rgb[..., :1]).all()
    return np.ascontiguousarray(rgb[..., 0]) if is_grey else rgb


def encoded_image(files: Files, name: str) -> bytes:
    """The content of an image file that can be decoded, for :class:`EncodedSample`.

    Raises:
        DataError: what :func:`read_image` raises.
    """
    read_image(files, name)
    return files.read(name, MAX_IMAGE_BYTES)


class FileSample(Sample):
    """A sample that is read from its image file whenever ``pixels`` are asked for."""

    def __init__(
        self, sample_id: str, path: Path, label: str, subject_id: str | None = None
    ) -> None:
        nothing: Mapping[str, float] = {}
        own = {"sample_id": sample_id, "path": path, "label": label, "subject_id": subject_id,
               "group": None, "split": None, "label_probs": nothing}  # fmt: skip
        for field, value in own.items():
            object.__setattr__(self, field, value)

    path: Path

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """As `read_image` gives them.

        Raises:
            ImageError: the file cannot be read.
        """
        size = self.path.stat().st_size
        if size > MAX_IMAGE_BYTES:
            raise ImageError(f"{self.path}: {size} bytes; expected at most {MAX_IMAGE_BYTES}")
        try:
            return _decoded(self.path.read_bytes())
        except ImageError as error:
            raise ImageError(f"{self.path}: {error}") from error


class EncodedSample(Sample):
    """A sample that is held as its image file and decoded whenever ``pixels`` are asked for.

    Whole photographs of a data set fit into memory as files (KDEF: 0.2 GB), not as pixels (6 GB).
    """

    def __init__(
        self,
        sample_id: str,
        content: bytes,
        label: str,
        subject_id: str | None = None,
        group: str | None = None,
        split: str | None = None,
    ) -> None:
        nothing: Mapping[str, float] = {}
        own = {"sample_id": sample_id, "content": content, "label": label, "subject_id": subject_id,
               "group": group, "split": split, "label_probs": nothing}  # fmt: skip
        for field, value in own.items():
            object.__setattr__(self, field, value)

    content: bytes

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """As `read_image` gives them."""
        return _decoded(self.content)


def read_grey(files: Files, name: str, side: int) -> npt.NDArray[np.uint8]:
    """Pixels of an image file that must be side x side, uint8 ``(side, side)``.

    Colour becomes grey by ITU-R 601 weights.

    Raises:
        DataError: another size, or what :func:`read_image` raises.
    """
    pixels = read_image(files, name)
    if pixels.shape[:2] != (side, side):
        height, width = pixels.shape[:2]
        raise DataError(f"{files.where(name)}: {width}x{height} pixels; expected {side}x{side}")
    return pixels if pixels.ndim == 2 else np.array(Image.fromarray(pixels).convert("L"))
