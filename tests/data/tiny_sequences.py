"""Tiny trees of labelled sequences, in the forms that `fer_cbam.data.sequences` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def frames(
    folder: Path, count: int, stem: str = "frame", picture: np.ndarray | None = None
) -> None:
    """A folder of PNG files, by default grey."""
    folder.mkdir(parents=True)
    image = Image.fromarray(np.full((8, 8), 99, np.uint8) if picture is None else picture)
    for i in range(1, count + 1):
        image.save(folder / f"{stem}_{i:08d}.png")


def ck_tree(root: Path, pictures: dict[str, np.ndarray] | None = None) -> Path:
    """Three sequences of eight frames of two people, two of them labelled: 3 is disgust and 5
    happiness. pictures: of each sequence, by its name."""
    for name, code in (("S005_001", 3), ("S005_002", None), ("S010_004", 5)):
        subject, sequence = name.split("_")
        picture = (pictures or {}).get(name)
        frames(root / "cohn-kanade-images" / subject / sequence, 8, name, picture)
        labels = root / "Emotion" / subject / sequence
        labels.mkdir(parents=True)
        if code is not None:
            (labels / f"{name}_00000008_emotion.txt").write_text(f"   {code:.7e}\n")
    return root


def clip_folders(root: Path) -> Path:
    """Two classes: a video file (empty), and two folders of frames, one with labels of frames."""
    for name in ("happy/a", "happy/c"):
        frames(root / name, 4)
    (root / "anger").mkdir()
    (root / "anger/b.mp4").write_bytes(b"")
    (root / "notes").mkdir()  # no emotion: not a class
    (root / "frames.csv").write_text("clip,frame,label\nhappy/c,0,neutral\nhappy/c,2,Happy\n")
    return root
