"""YuNet through ONNX Runtime: the faces of :mod:`fer_cbam.detect.yunet`, faster than through
OpenCV 5 (``python -m benchmarks.frame`` times it), and without a lock.

The decoding follows OpenCV's ``FaceDetectorYN`` (``modules/objdetect/src/face_detect.cpp``, 4.x),
whose results it reproduces to rounding.
"""

from __future__ import annotations

import cv2
import numpy as np

from fer_cbam.detect.yunet import MODEL_FILE, YuNetDetector
from fer_cbam.errors import WeightsError

STRIDES = (8, 16, 32)
KINDS = ("cls", "obj", "bbox", "kps")
TOP_K = 5000

# The file declares 640x640, which OpenCV 4 needs and ONNX Runtime would insist on. In protobuf the
# number 640 (field dim_value) takes as many bytes as a name of one letter (field dim_param).
_FIXED_SIZE = b"\x0a\x03\x08\x80\x05" * 2
_FREE_SIZE = b"\x0a\x03\x12\x01h\x0a\x03\x12\x01w"


class OnnxYuNetDetector(YuNetDetector):
    """:class:`~fer_cbam.detect.yunet.YuNetDetector`, run by ONNX Runtime on one thread for each
    caller."""

    def _load(self) -> None:
        from fer_cbam.onnx_session import open_session

        model = MODEL_FILE.read_bytes()
        if model.count(_FIXED_SIZE) != 1:
            raise WeightsError(f"{MODEL_FILE}: expected one input of 640x640")
        self._session = open_session(model.replace(_FIXED_SIZE, _FREE_SIZE))
        self._outputs = [f"{kind}_{stride}" for stride in STRIDES for kind in KINDS]

    def _infer(self, tile: np.ndarray) -> np.ndarray:
        height, width = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in tile.shape[:2])
        padded = cv2.copyMakeBorder(
            tile, 0, height - tile.shape[0], 0, width - tile.shape[1], cv2.BORDER_CONSTANT
        )
        blob = cv2.dnn.blobFromImage(padded, swapRB=True)  # float32 (1, 3, H, W), BGR, 0 to 255
        maps = self._session.run(self._outputs, {"input": blob})
        found = []
        for i, stride in enumerate(STRIDES):
            cls, obj, bbox, kps = (m[0] for m in maps[4 * i : 4 * i + 4])
            columns = width // stride
            found.append(decode(cls, obj, bbox, kps, stride, columns, self.score_threshold))
        rows: np.ndarray = np.concatenate(found)
        if len(rows) < 2:
            return rows
        boxes = rows[:, :4].astype(int).tolist()  # whole numbers, as in OpenCV
        scores = rows[:, 14].tolist()
        kept = cv2.dnn.NMSBoxes(
            boxes, scores, self.score_threshold, self.nms_threshold, top_k=TOP_K
        )
        rows = rows[np.asarray(kept, int).ravel()]
        return rows


def decode(
    cls: np.ndarray,
    obj: np.ndarray,
    bbox: np.ndarray,
    kps: np.ndarray,
    stride: int,
    columns: int,
    score_threshold: float,
) -> np.ndarray:
    """The cells of one stride that score_threshold lets through.

    cls, obj ``(N, 1)``, bbox ``(N, 4)``, kps ``(N, 10)``: of N cells, ``columns`` in a row. Returns
    float32 rows ``(M, 15)``: x, y, w, h, landmarks, score in pixels.
    """
    scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    cells = np.flatnonzero(scores >= score_threshold)
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    size = np.exp(bbox[cells, 2:]) * stride
    centre = (bbox[cells, :2] + corner) * stride
    landmarks = (kps[cells] + np.tile(corner, 5)) * stride
    return np.column_stack([centre - size / 2, size, landmarks, scores[cells]])
