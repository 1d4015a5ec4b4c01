""":class:`~fer_cbam.backends.base.Backend` on ONNX Runtime, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from fer_cbam import pretrained
from fer_cbam.backends.base import Explained
from fer_cbam.backends.names import ATTENTION, CONFIG_KEY, GRADCAM, INPUT, LOGITS
from fer_cbam.errors import WeightsError
from fer_cbam.hub import resolve
from fer_cbam.onnx_session import open_session
from fer_cbam.preprocess import Preprocess

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxBackend:
    """Runs a folder with ``model.onnx``; see :class:`~fer_cbam.backends.base.Backend`."""

    def __init__(self, session: InferenceSession, config: dict[str, Any], name: str):
        self._session = session
        self.preprocess = Preprocess.from_config(config)
        self.label_names = pretrained.label_names(config)
        self.name = name
        self.config = config
        outputs = [output.name for output in session.get_outputs()]
        self._maps = [name for name in (LOGITS, GRADCAM, ATTENTION) if name in outputs]

    @classmethod
    def load(cls, source: str | Path, int8: bool = False, threads: int = 1) -> OnnxBackend:
        """Open weights that have an ONNX network; sources as in :func:`fer_cbam.hub.resolve`.

        int8: the quantised network. threads: for each call.

        Raises:
            WeightsError: no such network, a damaged one, or one that does not fit its config.json.
        """
        folder = resolve(source)
        config = pretrained.read_config(folder)
        path = folder / (pretrained.INT8_FILE if int8 else pretrained.GRAPH_FILE)
        if not path.is_file():
            raise WeightsError(
                f"{path}: no such file; expected a folder made by 'fer-cbam export "
                f"--weights {source}{' --data FER2013' if int8 else ''}', which needs torch"
            )
        outside = not int8 and (folder / pretrained.WEIGHTS_FILE).exists()
        weights = pretrained.read_tensors(folder) if outside else None
        try:
            session = open_session(path.read_bytes(), weights, threads)
        except ImportError:  # onnxruntime is not installed
            raise
        except Exception as error:  # its classes have no base in common but this
            raise WeightsError(f"{path}: damaged, or not for these weights ({error})") from error
        found = session.get_modelmeta().custom_metadata_map.get(CONFIG_KEY)
        expected = pretrained.graph_key(config)
        if found != expected:
            raise WeightsError(f"{path}: made for {found}; config.json expects {expected}")
        name = folder.name if folder.parent == pretrained.EMBEDDED else str(source)
        return cls(session, config, name)

    def logits(self, x: np.ndarray) -> np.ndarray:
        return self._session.run([LOGITS], {INPUT: x})[0]

    def explain(self, x: np.ndarray, target: np.ndarray | None = None) -> Explained:
        logits, cams, *gates = self._session.run(self._maps, {INPUT: x})
        classes = logits.argmax(1) if target is None else target
        height, width = x.shape[2:]
        chosen = np.maximum(cams[np.arange(len(x)), classes], 0)
        saliency = _upsample(chosen, (height, width))
        saliency /= np.maximum(saliency.max((1, 2), keepdims=True), 1e-12)
        return Explained(logits, saliency, _stretch(gates[0], (height, width)) if gates else None)


def _stretch(gates: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``(B, 1, h, w)`` -> ``(B, H, W)``, in each image from 0 to 1."""
    maps = _upsample(gates[:, 0], size)
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return (maps - low) / np.maximum(high - low, 1e-12)


def _upsample(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``(B, h, w)`` -> float32 ``(B, H, W)``, bilinear, as torch's with align_corners=False."""
    height, width = size
    resized = [cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in maps]
    return np.stack(resized)
