"""Training crops as the recogniser would cut them.

The crops of a data set are not those of detection and alignment: FER2013's show faces larger and
smaller, tilted and off the centre, which alignment undoes. For each face this is measured once, as
``eval.studies.alignment`` does it (pasted into a larger picture, found again, aligned), and kept
as an affine map that augmentation applies before its own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from eval.studies.alignment import View, as_rgb, embed, find
from fer_cbam.data import Dataset
from fer_cbam.detect import FaceDetector
from fer_cbam.detect.yunet import MODEL_FILE
from fer_cbam.preprocess import Preprocess
from train.checkpoint import save_array

SIDES = (64, 112)  # pixels of a face in the picture that it is found in


def maps_file(faces: Dataset, preprocess: Preprocess) -> str:
    """A name for what the embedded detector finds in these faces: other weights of it, other faces
    or crops, another name, so that nothing old is read."""
    digest = hashlib.sha256(MODEL_FILE.read_bytes())
    digest.update(repr(preprocess).encode())
    for sample in faces.samples:
        digest.update(sample.pixels.tobytes())
    return f"detected.{digest.hexdigest()[:16]}.npy"


def detected_crops(
    faces: Dataset, rows: np.ndarray, preprocess: Preprocess, detector: FaceDetector, path: Path
) -> Tensor:
    """Maps float32 ``(N, 2, 3)`` of all faces, from the recogniser's crop to the data set's, in the
    [-1, 1] coordinates of affine_grid. The identity where no face is found; not a number outside
    ``rows``, unless the file has them.

    path: a file to read them from and to write them to, for finding takes minutes; its name is
    that of :func:`maps_file`.
    """
    if path.is_file():
        maps = np.load(path, allow_pickle=False)
    else:
        maps = np.full((len(faces), 2, 3), np.nan, np.float32)
    missing = [i for i in rows if np.isnan(maps[i]).any()]
    for i in tqdm(missing, desc="detection", disable=None):
        # A generator for each face: what is found does not depend on what else is looked for.
        rng = np.random.default_rng(i)
        maps[i] = find_crop(faces.samples[i].pixels, preprocess, detector, rng)
    if missing:
        save_array(path, maps)
    return torch.from_numpy(maps)


def find_crop(
    crop: np.ndarray, preprocess: Preprocess, detector: FaceDetector, rng: np.random.Generator
) -> np.ndarray:
    """The map ``(2, 3)`` of one crop, uint8 ``(h, w)`` or ``(h, w, 3)``; the identity where its
    face is not found."""
    view = View(int(rng.integers(*SIDES)), 0.0)
    picture, truth = embed(crop, view, rng)
    face = find(detector, picture, truth, view.size)
    if face is None:
        return np.eye(2, 3, dtype=np.float32)
    side = preprocess.input_size[1]
    _, to_picture = preprocess.align(as_rgb(picture), face)
    # affine_grid counts from -1 to 1 between the edges of an image, align by the centres of pixels.
    to_pixels = np.array([[side / 2, 0, (side - 1) / 2], [0, side / 2, (side - 1) / 2], [0, 0, 1]])
    to_grid = np.array([[2.0, 0, -1], [0, 2, -1], [0, 0, 1]])
    steps = (to_grid, np.linalg.inv(_square(truth)), _square(to_picture), to_pixels)
    return np.asarray(np.linalg.multi_dot(steps)[:2], np.float32)


def _square(affine: np.ndarray) -> np.ndarray:
    return np.vstack([affine, [0, 0, 1]])
