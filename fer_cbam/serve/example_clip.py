"""The Video tab's example: the example photograph before a camera that comes closer and turns.

No clip of a person is shipped, as there is none here that may be passed on. So one is made from the
photograph (NASA, public domain) when it is asked for. It shows what the tab does with a clip, not
how an expression changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fer_cbam.images import decode_image
from fer_cbam.video.clip import ClipWriter

PHOTO = Path(__file__).parent / "assets" / "astronaut.jpg"
FACE = (224.0, 150.0)  # its middle in the photograph, 512x512
WIDTH, HEIGHT = 640, 480
FPS, STEPS = 12, 36  # three seconds


def camera_frames(steps: int = STEPS) -> Iterator[np.ndarray]:
    """RGB uint8 ``(480, 640, 3)``: the photograph, closer and farther, turned a little from side to
    side. The last frame is followed by the first."""
    photo = decode_image(PHOTO)
    for step in range(steps):
        phase = 2 * math.pi * step / steps
        matrix = cv2.getRotationMatrix2D(FACE, 6 * math.sin(phase), 1.75 - 0.25 * math.cos(phase))
        matrix[0, 2] += WIDTH / 2 + 30 * math.sin(phase) - FACE[0]
        matrix[1, 2] += HEIGHT / 2 - 15 - FACE[1]
        yield cv2.warpAffine(
            photo, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )


def write_example_clip(path: Path) -> None:
    """path: ends in ``.webm``."""
    with ClipWriter(path, FPS) as writer:
        for number, frame in enumerate(camera_frames()):
            writer.write(frame, number / FPS)
