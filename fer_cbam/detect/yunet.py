"""YuNet through OpenCV: small, fast, five landmarks, no download.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20,
2023, https://doi.org/10.1007/s11633-023-1423-y. ``train/convert_yunet.py`` says where the weights
come from.

The network knows faces of some 30 to 400 pixels, so an image is searched at several sizes: a coarse
one in which a face that fills the picture is well inside that range, finer ones for small faces.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from fer_cbam.detect.base import check_image
from fer_cbam.types import Face

MODEL_FILE = Path(__file__).parent / "yunet.onnx"

COARSE_SIDE = 256  # longest side of the coarsest search
MAX_STEP = 3.0  # largest ratio between one search size and the next
UPSCALE = 1.6  # a face of 24 px is searched for at 38 px
TILE = 1280  # a larger search runs in tiles: 12 megapixels at once would take 1 GB
OVERLAP = 240  # of two tiles; also the largest face taken from any but the coarsest search
MAX_CONTAINED = 0.7  # share of a box inside a better one above which it is a part of that face


class YuNetDetector:
    """:class:`~fer_cbam.detect.base.FaceDetector` with the YuNet weights of this package.

    score_threshold: faces below this score are dropped. nms_threshold: of two boxes with a larger
    intersection over union the better one stays. max_side: longest side in pixels of the finest
    search; time grows with its square. The default finds faces from about 24 px up in photographs
    to 12 megapixels; 320 is one quick search that finds faces from about an eighth of the longest
    side up, for video.

    One network, used by one thread at a time; the lock is held for one tile, not for one image.
    """

    def __init__(
        self,
        score_threshold: float = 0.7,
        nms_threshold: float = 0.3,
        max_side: int = 4096,
    ) -> None:
        for name, value in (("score", score_threshold), ("nms", nms_threshold)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}_threshold: got {value}; expected a number in [0, 1]")
        if max_side < 32:
            raise ValueError(f"max_side: got {max_side}; expected at least 32 pixels")
        self.score_threshold = score_threshold
        self.nms_threshold = nms_threshold
        self.max_side = max_side
        self._load()

    def detect(self, image: np.ndarray) -> list[Face]:
        """All faces of an image, the largest first; see
        :meth:`fer_cbam.detect.base.FaceDetector.detect`.

        Raises:
            ImageError: the array is not RGB uint8 ``(H, W, 3)``.
            cv2.error: OpenCV failed.
        """
        check_image(image)
        sides = search_sides(max(image.shape[:2]), self.max_side)
        found = [self._search(image, side, coarsest=side == sides[0]) for side in sides]
        rows = _best_boxes(np.concatenate(found), self.nms_threshold)
        return sorted((_to_face(row) for row in rows), key=lambda face: -face.size)

    def _search(self, image: np.ndarray, side: int, coarsest: bool) -> np.ndarray:
        """Search the image resized to a longest side; rows ``(N, 15)`` in image pixels."""
        height, width = image.shape[:2]
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if size != (width, height):
            shrinks = size[0] < width
            image = cv2.resize(
                image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            )
        found = [self._run(image[top:bottom, left:right], left, top)
                 for top, bottom in _spans(size[1]) for left, right in _spans(size[0])]  # fmt: skip
        rows = np.concatenate(found)
        if not coarsest:
            rows = rows[rows[:, 2:4].max(axis=1) <= OVERLAP]
        ratio = np.array([width / size[0], height / size[1]])
        rows[:, 0:4] *= np.tile(ratio, 2)
        # Landmarks are numbered by pixel centres (a mirrored image gives x' = W - 1 - x), boxes
        # by pixel edges.
        rows[:, 4:14] = (rows[:, 4:14] + 0.5) * np.tile(ratio, 5) - 0.5
        return rows

    def _run(self, tile: np.ndarray, left: int, top: int) -> np.ndarray:
        """One pass of the network, its rows moved to where the tile lies."""
        rows = self._infer(tile).astype(np.float64)
        rows[:, 0:2] += left, top
        rows[:, 4:14] += np.tile((left, top), 5)
        return rows

    def _load(self) -> None:
        self._lock = threading.Lock()
        model = np.frombuffer(MODEL_FILE.read_bytes(), np.uint8)
        with _without_opencv_warnings():
            self._net = cv2.FaceDetectorYN.create(
                "onnx", model, np.empty(0, np.uint8), (COARSE_SIDE, COARSE_SIDE),
                self.score_threshold, self.nms_threshold,
            )  # fmt: skip

    def _infer(self, tile: np.ndarray) -> np.ndarray:
        """RGB tile -> rows ``(N, 15)``: x, y, w, h, 5 landmarks, score, in pixels of the tile;
        of boxes that overlap the best."""
        bgr = cv2.cvtColor(tile, cv2.COLOR_RGB2BGR)
        with self._lock:
            self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
            rows = self._net.detect(bgr)[1]
        return np.empty((0, 15), np.float32) if rows is None else rows


def search_sides(longest: int, max_side: int) -> list[int]:
    """The longest sides at which an image is searched, the coarsest first."""
    finest = min(max(round(longest * UPSCALE), COARSE_SIDE), max_side)
    if finest <= COARSE_SIDE * UPSCALE:
        return [finest]
    steps = math.ceil(math.log(finest / COARSE_SIDE, MAX_STEP) - 1e-9)
    return [round(COARSE_SIDE * (finest / COARSE_SIDE) ** (i / steps)) for i in range(steps + 1)]


def _spans(length: int) -> list[tuple[int, int]]:
    """Start and end of the tiles along one axis: evenly spread, overlapping by OVERLAP or more."""
    if length <= TILE:
        return [(0, length)]
    count = math.ceil((length - OVERLAP) / (TILE - OVERLAP))
    starts = [round(i * (length - TILE) / (count - 1)) for i in range(count)]
    return [(start, start + TILE) for start in starts]


def _best_boxes(rows: np.ndarray, nms_threshold: float) -> np.ndarray:
    """Of boxes on the same face, the one with the best score. Unlike plain non-maximum suppression
    it also drops a small box inside a better one: a fine search takes eyes for faces."""
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    low, high = rows[:, :2], rows[:, :2] + rows[:, 2:4]
    area = rows[:, 2] * rows[:, 3]
    kept: list[int] = []
    for i in range(len(rows)):
        size = np.clip(np.minimum(high[kept], high[i]) - np.maximum(low[kept], low[i]), 0, None)
        shared = size[:, 0] * size[:, 1]
        union = area[kept] + area[i] - shared
        inside = shared / np.minimum(area[kept], area[i])
        if not ((shared > nms_threshold * union) | (inside > MAX_CONTAINED)).any():
            kept.append(i)
    return rows[kept]


def _to_face(row: np.ndarray) -> Face:
    """x, y, w, h, landmarks, score -> Face. YuNet names the landmarks by the person's side; its
    "right" eye is the one on the image's left, so the order is already ours."""
    x, y, w, h = (float(v) for v in row[:4])
    return Face((x, y, x + w, y + h), float(row[14]), row[4:14].reshape(5, 2).astype(np.float32))


@contextmanager
def _without_opencv_warnings() -> Iterator[None]:
    """OpenCV 5 warns on stderr, each time it is given a network, that it ignores the CPU target
    that FaceDetectorYN sets itself. Errors are still printed and raised; OpenCV 4 does not warn."""
    log = getattr(cv2.utils, "logging", None)
    if log is None:
        yield
        return
    level = log.setLogLevel(log.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        log.setLogLevel(level)
