"""Variables of the environment that dependencies read while they are imported.

They are set when this package is imported, so that whatever it loads later finds them, and so do
the processes that it starts.
"""

from __future__ import annotations

import math
import os
import warnings

# huggingface_hub reads these with int(). Where that fails, its import ends, and those of timm and
# gradio with it.
WHOLE_SECONDS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")


def prepare() -> None:
    """Nothing is reported to anyone, and no number of seconds ends an import.

    From version 1.29 the import of ONNX Runtime alone writes a device id to the home folder and
    sends events to its makers, unless ``ORT_DISABLE_TELEMETRY`` is 1.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    for name in WHOLE_SECONDS:
        value = os.environ.get(name)
        if value is None:
            continue
        seconds = _whole(value)
        if seconds is not None:
            os.environ[name] = str(seconds)
            continue
        del os.environ[name]
        if value.strip():
            warnings.warn(f"{name}={value!r} is left out; expected seconds", stacklevel=2)


def _whole(value: str) -> int | None:
    """Seconds rounded up; None where it is no number."""
    try:
        seconds = float(value)
    except ValueError:
        return None
    return math.ceil(seconds) if math.isfinite(seconds) else None
