"""The regions of a face, by its landmarks.

The crop is divided into regions without gap or overlap. The division is made in the face's own
coordinates: ``u`` runs along the eyes, in distances between them, 0 halfway; ``v`` runs towards the
mouth, 0 at the eyes and 1 at the mouth. Proportions follow the neoclassical canons as measured by
Farkas et al. 1985 (https://doi.org/10.1097/00006534-198503000-00005), rounded to a tenth.
"""

from __future__ import annotations

import numpy as np

from fer_cbam.errors import ImageError
from fer_cbam.types import Face, Recognition

# Rings of no region: what lies outside the face is hair, neck or background.
REGIONS = ("forehead", "brows", "eyes", "nose", "mouth", "cheeks", "jaw", "surroundings")

FACE_HALF_WIDTH = 1.0  # of u: the cheekbones
HAIRLINE, BROWS_TOP, EYES_TOP, EYES_BOTTOM = -1.3, -0.65, -0.25, 0.25  # of v
NOSE_TOP, NOSE_BOTTOM, NOSE_HALF_WIDTH, BRIDGE_HALF_WIDTH = -0.25, 0.72, 0.3, 0.14
MOUTH_TOP, MOUTH_BOTTOM = 0.72, 1.32  # of v, with both lips
MOUTH_BEYOND_CORNERS = 1.25  # half width of the mouth region over that between the corners
CHEEKS_BOTTOM, CHIN = 1.05, 1.95  # of v


def region_masks(landmarks: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """The regions as boolean masks ``(side, side)``; each pixel belongs to exactly one.

    landmarks: ``(5, 2)`` in pixels of the crop, in the order of :class:`~fer_cbam.types.Face`.

    Raises:
        ImageError: the landmarks do not span a face (eyes that coincide, or a mouth on the line
            of the eyes).
    """
    u, v, mouth_half = _face_coordinates(np.asarray(landmarks, np.float64), side)
    across = np.abs(u)
    inside = (across <= FACE_HALF_WIDTH) & (v >= HAIRLINE) & (v < CHIN)
    # The chin is narrower than the cheekbones.
    inside &= across <= FACE_HALF_WIDTH - 0.45 * np.clip(v - CHEEKS_BOTTOM, 0, None)
    bridge = (v >= NOSE_TOP) & (v < EYES_BOTTOM) & (across < BRIDGE_HALF_WIDTH)
    tip = (v >= EYES_BOTTOM) & (v < NOSE_BOTTOM) & (across < NOSE_HALF_WIDTH)
    wanted = {
        "nose": bridge | tip,
        "mouth": (v >= MOUTH_TOP) & (v < MOUTH_BOTTOM) & (across < mouth_half),
        "eyes": (v >= EYES_TOP) & (v < EYES_BOTTOM),
        "brows": (v >= BROWS_TOP) & (v < EYES_TOP),
        "forehead": v < BROWS_TOP,
        "cheeks": (v >= EYES_BOTTOM) & (v < CHEEKS_BOTTOM),
        "jaw": v >= CHEEKS_BOTTOM,
    }
    free, masks = inside.copy(), {}
    for name, mask in wanted.items():  # the first that claims a pixel has it
        masks[name] = mask & free
        free &= ~mask
    masks["surroundings"] = ~inside
    return {name: masks[name] for name in REGIONS}


def _face_coordinates(landmarks: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, float]:
    """``u`` and ``v`` of each pixel, ``(side, side)``, and half the width of the mouth in ``u``."""
    if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
        raise ImageError(f"landmarks: got {landmarks.tolist()}; expected 5 finite points")
    left, right, _, mouth_left, mouth_right = landmarks
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    axes = np.column_stack([right - left, mouth - eyes])
    scale = np.abs(axes).max()
    if not scale > 0 or abs(np.linalg.det(axes / scale)) < 0.05:
        raise ImageError(
            f"landmarks: got {landmarks.round(1).tolist()}; expected two eyes and a mouth that is "
            "not on their line"
        )
    to_face = np.linalg.inv(axes)
    y, x = np.mgrid[:side, :side]
    u, v = np.einsum("ij,jyx->iyx", to_face, np.stack([x - eyes[0], y - eyes[1]]))
    half = MOUTH_BEYOND_CORNERS * np.abs((to_face @ (mouth_right - mouth_left))[0]) / 2
    return u, v, float(half)


def landmarks_in_crop(recognition: Recognition) -> np.ndarray:
    """The landmarks of a face in pixels of its crop, ``(5, 2)``."""
    return landmarks_to_crop(recognition.face, recognition.affine)


def landmarks_to_crop(face: Face, affine: np.ndarray) -> np.ndarray:
    """The landmarks of a face through the inverse of a crop's affine, ``(5, 2)``."""
    points = np.asarray(face.landmarks, np.float64) - affine[:, 2]
    in_crop: np.ndarray = points @ np.linalg.inv(affine[:, :2]).T
    return in_crop


def regions_of(recognition: Recognition, side: int) -> dict[str, np.ndarray]:
    """The regions of a recognised face as masks bool ``(side, side)`` over its crop.

    Raises:
        ImageError: the landmarks do not span a face.
    """
    # Masks and crop may differ in size; both are counted by pixel centres.
    scale = side / recognition.crop.shape[0]
    return region_masks((landmarks_in_crop(recognition) + 0.5) * scale - 0.5, side)
