"""The one place that picks a backend and opens weights with it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fer_cbam.backends.base import BACKENDS, Backend
from fer_cbam.errors import BackendError


def default_backend() -> str:
    """``"torch"`` where it is installed, else ``"onnx"``."""
    return "torch" if find_spec("torch") and find_spec("timm") else "onnx"


def open_backend(
    source: str | Path,
    backend: str | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> Backend:
    """Load weights for one of ``BACKENDS``.

    source: as in :func:`fer_cbam.hub.resolve`. backend: by default `default_backend`. device:
    "cpu" or "cuda"; by default "cuda" where torch runs the network and finds one. threads: that
    ONNX Runtime answers a batch on; by default as many as there are cores.

    Raises:
        WeightsError: they are missing, damaged, or do not fit their architecture.
        BackendError: an unknown backend, packages that it needs are not installed, or a device that
            it does not run on.
    """
    backend = default_backend() if backend is None else backend
    if backend not in BACKENDS:
        raise BackendError(f"backend {backend!r}; expected one of: {', '.join(BACKENDS)}")
    if backend != "torch" and device not in (None, "cpu"):
        raise BackendError(f"backend {backend!r}: got device {device!r}; expected 'cpu'")
    try:
        if backend == "torch":
            from fer_cbam.backends.torch import TorchBackend
            from fer_cbam.hub import load_model

            return TorchBackend(load_model(source), device)
        from fer_cbam.backends.onnx import OnnxBackend

        return OnnxBackend.load(source, backend == "onnx-int8", threads)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "timm", "onnxruntime"):
            raise
        extra, other = ("torch", "onnx") if backend == "torch" else ("onnx", "torch")
        raise BackendError(
            f"backend {backend!r} needs {error.name}, which is not installed; "
            f"expected: pip install 'fer-cbam[{extra}]', or backend {other!r}"
        ) from error
