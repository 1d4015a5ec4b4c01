"""Face detectors: the protocol in ``base``, one file for each backend."""

from __future__ import annotations

from fer_cbam.detect.base import FaceDetector as FaceDetector
from fer_cbam.detect.yunet import YuNetDetector as YuNetDetector
