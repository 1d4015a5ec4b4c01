"""FER-CBAM: facial emotion recognition that shows why.

Importing this registers the ``fer_cbam_*`` models with timm where that is installed, and loads
neither torch nor timm itself; much of the package works without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fer_cbam.environment import prepare
from fer_cbam.registration import register_with_timm

__version__ = "0.2.0"

# Public name -> the module it lives in, loaded when the name is first asked for (PEP 562).
_HOME = {
    "EmotionRecognizer": "fer_cbam.recognizer",
    "CBAM": "fer_cbam.models",
    "FerCbam": "fer_cbam.models",
    "DataError": "fer_cbam.errors",
    "BackendError": "fer_cbam.errors",
    "FerError": "fer_cbam.errors",
    "ImageError": "fer_cbam.errors",
    "WeightsError": "fer_cbam.errors",
    "Face": "fer_cbam.types",
    "ImageResult": "fer_cbam.types",
    "Prediction": "fer_cbam.types",
    "Recognition": "fer_cbam.types",
    "Saliency": "fer_cbam.types",
    "Recognitions": "fer_cbam.types",
    "Sample": "fer_cbam.types",
    "ImageResults": "fer_cbam.types",
    "VideoError": "fer_cbam.errors",
    "analyse_video": "fer_cbam.video",
}


def __getattr__(name: str) -> Any:
    if name != "models" and name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(_HOME.get(name, f"fer_cbam.{name}"))
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "timm"):
            raise
        raise ImportError(
            f"fer_cbam.{name} needs torch and timm, and {error.name} is not installed; "
            "expected: pip install 'fer-cbam[torch]'"
        ) from error
    return getattr(module, name) if name in _HOME else module


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


prepare()
register_with_timm()
