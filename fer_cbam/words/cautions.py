"""Reasons to trust an answer less that can be seen in the picture: small, dark, from the side,
turned.

Pure functions of pixels and landmarks. The thresholds are conventions of ours: where they lie, a
person looking at the photographs of the tests begins to hesitate too.
"""

from __future__ import annotations

import numpy as np

from fer_cbam.types import Face

SMALL = 40  # pixels of a face's longer side; below, it has fewer than the network's input
DARK = 40  # of 255: median brightness of the face
SIDE_VIEW = 0.32  # see nose_offset(); about 38 degrees
TURNED = 45  # degrees; past it a face is nearer to a quarter turn than to upright


def cautions(image: np.ndarray, face: Face) -> tuple[str, ...]:
    """Which of ``"small"``, ``"dark"``, ``"side"`` and ``"turned"`` hold for a face, in this order.

    image: RGB uint8 ``(H, W, 3)`` in which the face was found.
    """
    found = []
    if face.size < SMALL:
        found.append("small")
    if brightness(image, face) < DARK:
        found.append("dark")
    if nose_offset(face) > SIDE_VIEW:
        found.append("side")
    if abs(roll(face)) > TURNED:
        found.append("turned")
    return tuple(found)


def brightness(image: np.ndarray, face: Face) -> float:
    """Median grey value (ITU-R 601), 0 to 255, of the middle of the box; 255 where the box lies
    outside the image."""
    x1, y1, x2, y2 = face.box
    inset_x, inset_y = 0.2 * (x2 - x1), 0.2 * (y2 - y1)  # leaves out hair and background
    left, right = (int(np.clip(x, 0, image.shape[1])) for x in (x1 + inset_x, x2 - inset_x))
    top, bottom = (int(np.clip(y, 0, image.shape[0])) for y in (y1 + inset_y, y2 - inset_y))
    region = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    if region.size == 0:
        return 255.0
    return float(np.median(region @ np.array([0.299, 0.587, 0.114])))


def nose_offset(face: Face) -> float:
    """How far the head is turned: the nose's distance from the middle of the eyes, along their line
    and in distances between them.

    The tip of a nose stands out from the line of the eyes by about 0.4 of the distance between
    them, so a head turned by an angle shows about 0.4 tan(angle): 0 from the front, 0.23 at 30
    degrees, 0.4 at 45. Infinite where the eyes coincide.
    """
    left, right, nose = np.asarray(face.landmarks[:3], np.float64)
    line = right - left
    squared = float(line @ line)
    if squared == 0:
        return float("inf")
    return abs(float((nose - (left + right) / 2) @ line)) / squared


def roll(face: Face) -> float:
    """How far a face lies on its side in the picture, in degrees from -180 to 180, clockwise: 0
    upright, 180 on its head. Landmarks keep their order when a face is turned, see
    :class:`~fer_cbam.types.Face`. 0 where the eyes coincide."""
    across, down = np.asarray(face.landmarks[1] - face.landmarks[0], np.float64)
    return float(np.degrees(np.arctan2(down, across)))
