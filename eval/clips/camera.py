"""The frames of a scene: stills laid over each other as the recogniser aligns them, moved, and
spoilt as a camera spoils a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from eval.clips.scene import Scene
from eval.studies.alignment import View, as_rgb, embed, find
from fer_cbam.detect import FaceDetector
from fer_cbam.preprocess import Preprocess

CANVAS = 64  # pixels of the aligned crop's side on its canvas
MARGIN = 48  # pixels of the canvas around it
CYLINDER = 0.65  # radius of a head in sides of the crop
FACE_SIDE = 96  # pixels of a still in the picture that it is found in
REACH = 1.75  # side of a frame, in sides of the crop


def canvas_of(
    crop: np.ndarray, preprocess: Preprocess, detector: FaceDetector, rng: np.random.Generator
) -> np.ndarray | None:
    """A still on a canvas on which its landmarks lie where the recogniser puts them, uint8
    ``(H, W)``; None where the detector finds no face in it.

    crop: uint8 ``(h, w)``, grey.
    """
    picture, truth = embed(crop, View(FACE_SIDE, 0.0), rng)
    face = find(detector, picture, truth, FACE_SIDE)
    if face is None:
        return None
    _, to_picture = preprocess.align(as_rgb(picture), face)
    side = CANVAS + 2 * MARGIN
    # From canvas to crop pixels (both by their centres), then to the picture.
    scale = preprocess.input_size[1] / CANVAS
    start = (0.5 - MARGIN) * scale - 0.5
    to_crop = np.array([[scale, 0, start], [0, scale, start], [0, 0, 1]])
    matrix = to_picture @ to_crop
    return cv2.warpAffine(
        picture, matrix, (side, side), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=float(picture[0, 0]),
    )  # fmt: skip


def frames(
    scene: Scene, canvases: Sequence[np.ndarray], landmarks: np.ndarray, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """The frames of a scene one by one, uint8 ``(H, W)`` grey, H = W = ``REACH`` sides.

    canvases: of its stills, see `canvas_of`. landmarks: of the aligned crop in [0, 1], ``(5, 2)``;
    the eyes blink there.
    """
    stills = [canvas.astype(np.float32) for canvas in canvases]
    grid = _grid(scene.size)
    for t in range(len(scene.times)):
        shares = scene.shares[t]
        canvas = sum(s * still for s, still in zip(shares, stills, strict=True) if s > 0)
        if scene.lids[t] > 0:
            canvas = close_eyes(canvas, landmarks, float(scene.lids[t]))
        frame = cv2.remap(canvas, *_seen(grid, scene, t), cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        if scene.cover[t, 2] > 0:
            hide(frame, scene.cover[t] * scene.size, scene.cover_grey)
        yield spoil(frame, scene, t, rng)


def _grid(size: int) -> np.ndarray:
    """Of each pixel of a frame its place from the middle in sides of the crop, ``(H, W, 2)``."""
    side = int(REACH * size)
    line = (np.arange(side) + 0.5 - side / 2) / size
    return np.stack(np.meshgrid(line, line), -1).astype(np.float32)


def _seen(grid: np.ndarray, scene: Scene, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of a frame lies on the canvas, x and y float32 ``(H, W)``. The face lies on
    an upright cylinder, which turns with the head."""
    cos, sin = np.cos(scene.roll[t]) / scene.scale[t], np.sin(scene.roll[t]) / scene.scale[t]
    moved = grid - scene.shift[t].astype(np.float32)
    x = moved[..., 0] * cos + moved[..., 1] * sin
    y = moved[..., 1] * cos - moved[..., 0] * sin
    seen = np.arcsin(np.clip(x / CYLINDER, -0.99, 0.99))
    turned = CYLINDER * (np.sin(seen + scene.yaw[t]) - np.sin(scene.yaw[t]))
    x = np.where(np.abs(x) < 0.99 * CYLINDER, turned, x)
    to_canvas = lambda v: ((v + 0.5) * CANVAS + MARGIN - 0.5).astype(np.float32)  # noqa: E731
    return to_canvas(x), to_canvas(y)


def close_eyes(canvas: np.ndarray, landmarks: np.ndarray, closed: float) -> np.ndarray:
    """Lids over both eyes: the skin above each drawn over it, down to a dark line of lashes."""
    canvas = canvas.copy()
    half = (round(0.1 * CANVAS), round(0.065 * CANVAS))
    for x, y in landmarks[:2]:
        cx, cy = (round(v * CANVAS + MARGIN - 0.5) for v in (x, y))
        rows, columns = slice(cy - half[1], cy + half[1] + 1), slice(cx - half[0], cx + half[0] + 1)
        patch = canvas[rows, columns]
        height = patch.shape[0]
        lid = np.repeat(canvas[cy - half[1] - 2 : cy - half[1], columns].mean(0)[None], height, 0)
        lid[height // 2 + 1 : height // 2 + 3] *= 0.6
        bow = np.linspace(-1, 1, patch.shape[1])[None] ** 2
        tall = np.linspace(-1, 1, height)[:, None] ** 2
        mask = np.clip(3 * (1 - bow - 0.6 * tall), 0, 1) * closed
        canvas[rows, columns] = patch * (1 - mask) + lid * mask
    return canvas


def hide(frame: np.ndarray, cover: np.ndarray, grey: float) -> None:
    """An ellipse of one grey over a part of a frame, in place. cover: left, top, width and height
    in pixels from the middle."""
    middle = len(frame) / 2
    left, top, width, height = cover
    centre = (round(middle + left + width / 2), round(middle + top + height / 2))
    axes = (max(1, round(width / 2)), max(1, round(height / 2)))
    cv2.ellipse(frame, centre, axes, 0, 0, 360, grey, -1, cv2.LINE_AA)


def spoil(frame: np.ndarray, scene: Scene, t: int, rng: np.random.Generator) -> np.ndarray:
    """What a camera does to a frame, float32 in [0, 255], in its order: movement while the shutter
    is open, focus, exposure, photon noise, JPEG."""
    smear = scene.smear[t] * scene.size
    if np.hypot(*smear) >= 1:
        frame = cv2.filter2D(frame, -1, streak(smear), borderType=cv2.BORDER_REPLICATE)
    blur = float(scene.focus[t] * scene.size)
    if blur > 0.3:
        frame = cv2.GaussianBlur(frame, (0, 0), blur)
    photons = np.clip(frame * scene.light[t], 0, 255) * (scene.photons / 255)
    # Poisson by its normal approximation, which is close from some twenty photons on.
    noise = rng.standard_normal(frame.shape, np.float32)
    seen = (photons + np.sqrt(photons) * noise) * (255 / scene.photons)
    pixels = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, scene.quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED))


def streak(smear: np.ndarray) -> np.ndarray:
    """The kernel of a movement by ``(x, y)`` pixels while the shutter is open; sums to 1."""
    reach = int(np.ceil(np.abs(smear).max() / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [tuple(round((reach + side * v / 2) * 16) for v in smear) for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    if kernel.sum() == 0:
        kernel[reach, reach] = 1
    return kernel / kernel.sum()
