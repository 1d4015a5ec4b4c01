"""How well a face can be seen in a frame: what says when a frame's answer is to be believed."""

from __future__ import annotations

import math

import cv2
import numpy as np

from fer_cbam.types import Face

#: Names of the numbers that `cues` gives, in their order.
CUES = ("score", "sharpness", "roll", "yaw", "pitch", "size", "brightness", "contrast")
NORMAL_SIDE = 64  # pixels of a face whose size counts as 0


def cues(face: Face, crop: np.ndarray) -> np.ndarray:
    """The `CUES` of a face, float32 ``(8,)``, all of the order of 1.

    crop: its aligned crop, RGB uint8 ``(S, S, 3)``. score: of the detector. sharpness: logarithm
    (base 10) of the variance of the crop's Laplacian (Pech-Pacheco et al. 2000,
    https://doi.org/10.1109/ICPR.2000.903548). roll: radians. yaw, pitch: place of the nose's tip
    along the line of the eyes from their middle, and square to it, in distances between the eyes; 0
    and 0.6 or so from the front. size: octaves above 64 pixels. brightness, contrast: mean and
    standard deviation of the crop, of 1.
    """
    left, right, nose = np.asarray(face.landmarks[:3], np.float64)
    line = right - left
    squared = max(float(line @ line), 1e-9)
    from_middle = nose - (left + right) / 2
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    spread = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return np.array([
        face.score, math.log10(1 + spread), math.atan2(line[1], line[0]),
        float(from_middle @ line) / squared,
        float(from_middle[1] * line[0] - from_middle[0] * line[1]) / squared,
        math.log2(max(face.size, 1.0) / NORMAL_SIDE), grey.mean() / 255, grey.std() / 255,
    ], np.float32)  # fmt: skip
