"""AffectNet (Mollahosseini et al. 2017, https://doi.org/10.1109/TAFFC.2017.2740923).

As published: ``val_set/images/0.jpg`` with its emotion in ``val_set/annotations/0_exp.npy``, a
code alone in the file, as text or as a number. Read as well: folders of images named by the code,
``val/0/*.jpg``. Codes 8 to 10 (none, uncertain, no face) are no emotion, and their images are left
out. A ``.npy`` file that holds a pickle is refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.image_files import EncodedSample, encoded_image, image_names
from fer_cbam.errors import DataError
from fer_cbam.labels import EMOTIONS

CODES = (
    "neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt",
)  # fmt: skip
NO_EMOTION = ("8", "9", "10")
_SUFFIX = "_exp.npy"
_ANNOTATION_BYTES = 4096
_LABELS = {str(code): label for code, label in enumerate(CODES)}
_CODES = (*_LABELS, *NO_EMOTION)
#: Folder above -> split.
_SPLITS = {"train_set": "train", "train": "train", "val_set": "val", "val": "val", "valid": "val",
           "validation": "val", "test": "test"}  # fmt: skip


def recognises(files: Files) -> bool:
    """Whether there are annotations, or every image lies in a folder 0 to 10, some in 0."""
    if any(name.endswith(_SUFFIX) for name in files.names):
        return True
    folders = {_parts(name)[-2] for name in image_names(files)}
    return "0" in folders and folders <= set(_CODES)


def read(files: Files) -> Dataset:
    """AffectNet in the order of the file names; ids are these names, without ``images``.

    split: "train", "val" or "test" where a folder says so. label_names are the emotions that
    occur: with contempt for AffectNet-8, without for AffectNet-7.

    Raises:
        DataError: an image without annotation or an annotation without image, a file that holds no
            code, an unknown code, or an image that cannot be read.
    """
    annotated = any(name.endswith(_SUFFIX) for name in files.names)
    coded = _annotated(files) if annotated else ((n, _parts(n)[-2]) for n in image_names(files))
    samples = []
    for name, code in coded:
        if code not in _CODES:
            raise DataError(f"{files.where(name)}: code {code!r}; expected 0 to 10")
        if code in _LABELS:
            split = next((_SPLITS[p] for p in _parts(name) if p in _SPLITS), None)
            sample_id = name.replace("images/", "", 1) if annotated else name
            content = encoded_image(files, name)
            samples.append(EncodedSample(sample_id, content, _LABELS[code], split=split))
    found = {sample.label for sample in samples}
    return Dataset("affectnet", tuple(e for e in EMOTIONS if e in found), tuple(samples))


def _annotated(files: Files) -> Iterator[tuple[str, str]]:
    """Image files, and the code of each."""
    images = {_key(name.rpartition(".")[0]): name for name in image_names(files)}
    codes = {_key(n.removesuffix(_SUFFIX)): n for n in files.names if n.endswith(_SUFFIX)}
    if alone := sorted(set(images) ^ set(codes)):
        name = images.get(alone[0]) or codes[alone[0]]
        raise DataError(
            f"{files.where(name)}: expected images/<number>.jpg and annotations/<number>{_SUFFIX} "
            "for each face"
        )
    for key, name in sorted(images.items(), key=lambda item: item[1]):
        yield name, _code(files, codes[key])


def _code(files: Files, name: str) -> str:
    content = files.read(name, _ANNOTATION_BYTES)
    try:
        value = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{files.where(name)}: {error}; expected an array with one code") from error
    if value.size != 1 or value.dtype.kind not in "iufU":
        raise DataError(
            f"{files.where(name)}: {value.dtype} {value.shape}; expected one code, 0 to 10"
        )
    text = str(value.item()).strip()
    return text.removesuffix(".0")


def _key(path: str) -> str:
    """What an image and its annotation share: the path without ``images`` or ``annotations``."""
    return "/".join(part for part in path.split("/") if part not in ("images", "annotations"))


def _parts(name: str) -> list[str]:
    return f"/{name}".split("/")
