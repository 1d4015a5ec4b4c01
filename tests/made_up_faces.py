"""A small data set that may be shipped: the example picture, changed in five ways."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

PHOTO = Path(__file__).parents[1] / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
#: Class -> angle of the bars that lie over its faces, in degrees; None for no bars.
CLASSES = {"bored": None, "engaged": 0, "in pain": 45, "puzzled": 90, "thinking hard": 135}
BOX = (150, 20, 330, 200)  # left, top, right, bottom: head and shoulders in the photograph
FACE = (224, 122, 40)  # middle and radius of the bars


def write_faces(folder: Path, each: int = 8) -> Path:
    """A folder of photographs with one face each for every class, no two alike."""
    rng = np.random.default_rng(0)
    photo = np.asarray(Image.open(PHOTO).convert("RGB")).astype(np.float32)
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    x, y, radius = FACE
    near = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (radius / 1.5) ** 2))[..., None]
    for label, degrees in CLASSES.items():
        (folder / label).mkdir(parents=True)
        for number in range(each):
            angle = np.deg2rad(degrees or 0)
            wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) / 3)[..., None]
            picture = photo + (0 if degrees is None else 45) * wave * near
            picture = picture * rng.uniform(0.85, 1.15) + rng.normal(0, 4, photo.shape)
            left, top, right, bottom = np.array(BOX) + rng.integers(-12, 12, 4)
            cut = np.clip(picture, 0, 255).astype(np.uint8)[top:bottom, left:right]
            turn = cv2.getRotationMatrix2D((90, 90), rng.uniform(-8, 8), 1.0)
            cut = cv2.warpAffine(cut, turn, (180, 180), borderMode=cv2.BORDER_REPLICATE)
            Image.fromarray(cut).save(folder / label / f"{number}.png")
    return folder
