"""YuNet through OpenCV: small, fast, five landmarks, no download.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20,
2023, https://doi.org/10.1007/s11633-023-1423-y. ``tools/convert_yunet.py`` says where the weights
come from.

The network knows faces of some 30 to 400 pixels, so an image is searched at several sizes: a coarse
one in which a face that fills the picture is well inside that range, finer ones for small faces.

It loses faces in the noise of low light. Where it finds nobody, it looks once more at the picture
with that noise smoothed and the contrast evened out (``python -m
eval.studies.camera_frames`` measures it).

It was trained on upright faces. On one that stands on its head it takes the mouth for the eyes,
with a score below that of nearly all upright faces. So the surroundings of a face with a low score
are looked at in all four quarter turns, and the picture is searched turned where a face is better
so. A photo in which nobody is found is searched in all turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from fer_cbam.detect.base import check_image
from fer_cbam.detect.quarter_turns import turned, turned_back
from fer_cbam.forks import ForkLock
from fer_cbam.types import Face

MODEL_FILE = Path(__file__).parent / "yunet.onnx"

COARSE_SIDE = 256  # longest side of the coarsest search
MAX_STEP = 3.0  # largest ratio between one search size and the next
UPSCALE = 1.6  # a face of 24 px is searched for at 38 px
TILE = 1280  # a larger search runs in tiles: 12 megapixels at once would take 1 GB
OVERLAP = 240  # of two tiles; also the largest face taken from any but the coarsest search
# The second look is for faces in the dark and shall invent none: contrast that is brought out makes
# textures and round things look like one, at fine sizes above all.
SECOND_SIDE, SECOND_SCORE = 640, 0.8
SMOOTHING = 5  # pixels of the Gaussian that takes the noise of low light away
CONTRAST_LIMIT, CONTRAST_GRID = 3.0, (4, 4)  # of the histogram equalisation after it
# A face below this score may stand on its head or lie on its side; of the photographs of the tests
# upright ones have 0.89 and more, turned ones less, and 0.89 and more once they are turned back.
DOUBTFUL_SCORE = 0.9
DOUBTS = 3  # faces, the largest, that are looked at in all turns: they tell how the picture lies
AROUND, AROUND_SIDE = (
    2.0,
    160,
)  # sides of the face, and the pixels that are searched, of such a look
MAX_CONTAINED = 0.7  # share of a box inside a better one above which it is a part of that face


class YuNetDetector:
    """:class:`~fer_cbam.detect.base.FaceDetector` with the YuNet weights of this package.

    score_threshold: faces below this score are dropped, and below SECOND_SCORE at a second look.
    nms_threshold: of two boxes with a larger intersection over union the better one stays.
    max_side: longest side in pixels of the finest search; time grows with its square. The default
    finds faces from about 24 px up in photographs to 12 megapixels; 320 is one quick search (two
    where nobody is found) for faces from about an eighth of the longest side up, for video.

    One network, used by one thread at a time; the lock is held for one tile, not for one image. Can
    be used in a forked process, and sent to another one.
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

    def limited_to(self, max_side: int) -> YuNetDetector:
        """The same network and thresholds, with a finest search of ``max_side`` pixels at most."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.max_side = min(self.max_side, max_side)
        return other

    def __reduce__(self) -> tuple[type[YuNetDetector], tuple[float, float, int]]:
        return type(self), (self.score_threshold, self.nms_threshold, self.max_side)

    def detect(self, image: np.ndarray) -> list[Face]:
        """All faces of an image, the largest first; see
        :meth:`fer_cbam.detect.base.FaceDetector.detect`.

        Raises:
            ImageError: the array is not RGB uint8 ``(H, W, 3)``.
            cv2.error: OpenCV failed.
        """
        check_image(image)
        sides = search_sides(max(image.shape[:2]), self.max_side)
        rows = self._search_all(image, sides)
        if not len(rows):
            rows = self._look_again(image)
        rows = _best_boxes(np.concatenate([rows, *self._turned(image, rows, sides)]),
                           self.nms_threshold)  # fmt: skip
        return sorted((_to_face(row) for row in rows), key=lambda face: -face.size)

    def _look_again(self, image: np.ndarray) -> np.ndarray:
        """Search the image as :func:`evened` shows it, at no more than SECOND_SIDE, for faces of at
        least SECOND_SCORE."""
        longest = max(image.shape[:2])
        sides = search_sides(longest, min(self.max_side, SECOND_SIDE))
        small = _resized(image, min(sides[-1], longest))
        rows = self._search_all(evened(small), sides)
        return _scaled(rows[rows[:, 14] >= SECOND_SCORE], small, image)

    def _turned(
        self, image: np.ndarray, rows: np.ndarray, sides: list[int]
    ) -> Iterator[np.ndarray]:
        """Rows of the image searched in other quarter turns, where it seems to lie in one."""
        best = _best_boxes(rows, self.nms_threshold)
        doubtful = best[best[:, 14] < DOUBTFUL_SCORE]
        largest = doubtful[np.argsort(-doubtful[:, 2:4].max(axis=1))[:DOUBTS]]
        turns = {self._best_turn(image, row) for row in largest}
        for quarters in sorted(turn for turn in turns if turn):
            yield turned_back(self._search_all(turned(image, quarters), sides), quarters, image)
        nobody = len(doubtful) == len(best) and turns <= {None}
        if nobody and self.max_side > SECOND_SIDE:  # in a live picture that is no news
            sides = search_sides(max(image.shape[:2]), SECOND_SIDE)
            small = _resized(image, min(sides[-1], max(image.shape[:2])))
            for quarters in (1, 2, 3):
                found = self._search_all(turned(small, quarters), sides)
                found = turned_back(found[found[:, 14] >= SECOND_SCORE], quarters, small)
                yield _scaled(found, small, image)

    def _best_turn(self, image: np.ndarray, row: np.ndarray) -> int | None:
        """The quarter turns in which a face has its best score; None where a closer look finds none
        in any."""
        x, y, w, h = row[:4]
        centre, half = np.array([x + w / 2, y + h / 2]), AROUND * max(w, h) / 2
        left, top = np.maximum(np.floor(centre - half), 0).astype(int)
        right, bottom = np.ceil(centre + half).astype(int)
        region = image[top:bottom, left:right]
        if region.size == 0:  # of a face at the very edge
            return None
        around = _resized(region, AROUND_SIDE)
        scale = AROUND_SIDE / max(region.shape[:2])
        middle = (centre - (left, top)) * scale
        scores = []
        for quarters in range(4):
            found = turned_back(self._run(turned(around, quarters), 0, 0), quarters, around)
            apart = np.abs(found[:, :2] + found[:, 2:4] / 2 - middle).max(axis=1, initial=0)
            same = found[apart < 0.4 * scale * max(w, h)]
            scores.append(same[:, 14].max(initial=0))
        return int(np.argmax(scores)) if max(scores) > 0 else None

    def _search_all(self, image: np.ndarray, sides: list[int]) -> np.ndarray:
        """Search the image at several sizes; rows ``(N, 15)`` in its pixels."""
        return np.concatenate(
            [self._search(image, side, coarsest=side == sides[0]) for side in sides]
        )

    def _search(self, image: np.ndarray, side: int, coarsest: bool) -> np.ndarray:
        """Search the image resized to a longest side; rows ``(N, 15)`` in image pixels."""
        picture = _resized(image, side)
        found = [self._run(picture[top:bottom, left:right], left, top)
                 for top, bottom in _spans(picture.shape[0])
                 for left, right in _spans(picture.shape[1])]  # fmt: skip
        rows = np.concatenate(found)
        if not coarsest:
            rows = rows[rows[:, 2:4].max(axis=1) <= OVERLAP]
        return _scaled(rows, picture, image)

    def _run(self, tile: np.ndarray, left: int, top: int) -> np.ndarray:
        """One pass of the network, its rows moved to where the tile lies."""
        rows = self._infer(tile).astype(np.float64)
        rows[:, 0:2] += left, top
        rows[:, 4:14] += np.tile((left, top), 5)
        return rows

    def _load(self) -> None:
        self._lock = ForkLock()
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


def evened(image: np.ndarray) -> np.ndarray:
    """An RGB uint8 picture ``(H, W, 3)`` with its noise smoothed and its contrast evened out.

    Contrast-limited adaptive histogram equalisation: Zuiderveld, Graphics Gems IV, 1994, p. 474.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (SMOOTHING, SMOOTHING), 0), cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(CONTRAST_LIMIT, CONTRAST_GRID).apply(lab[..., 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def _resized(image: np.ndarray, side: int) -> np.ndarray:
    """The image with its longest side of ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return image
    shrinks = size[0] < width
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _scaled(rows: np.ndarray, picture: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Rows in pixels of a resized picture -> in pixels of the image, in place."""
    ratio = np.array(image.shape[1::-1]) / np.array(picture.shape[1::-1])
    rows[:, 0:4] *= np.tile(ratio, 2)
    # Landmarks are numbered by pixel centres (a mirrored image gives x' = W - 1 - x), boxes by
    # pixel edges.
    rows[:, 4:14] = (rows[:, 4:14] + 0.5) * np.tile(ratio, 5) - 0.5
    return rows


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
