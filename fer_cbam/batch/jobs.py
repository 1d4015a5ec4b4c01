"""What decides the content of a row, from what a user asks for."""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.backends.base import BACKENDS
from fer_cbam.batch.tasks import Settings
from fer_cbam.errors import BackendError, BatchError
from fer_cbam.hub import DEFAULT_WEIGHTS, resolve
from fer_cbam.prior import Prior

CPU_CALL, CUDA_CALL = 16, 128  # faces of one call of the network


def settings_of(
    weights: str | Path = DEFAULT_WEIGHTS,
    backend: str | None = None,
    device: str | None = None,
    prior: Prior | None = None,
    embedding: bool = False,
    video_every: float = 0.5,
    image_column: str | None = None,
) -> Settings:
    """Settings with all defaults filled in.

    backend: by default torch where it finds CUDA, else onnx where ONNX Runtime is installed, else
    torch. Others: see :class:`~fer_cbam.batch.tasks.Settings`.

    Raises:
        WeightsError: no such weights.
        BackendError: no such backend.
        BatchError: no time between two frames.
    """
    if not video_every > 0:
        raise BatchError(f"video_every: got {video_every}; expected seconds above 0")
    folder = resolve(weights)
    config = pretrained.read_config(folder)
    if backend is None:
        backend = "torch" if device == "cuda" or (device is None and _cuda()) else _on_cpu()
    if backend not in BACKENDS:
        raise BackendError(f"backend {backend!r}; expected one of: {', '.join(BACKENDS)}")
    if device is None:
        device = "cuda" if backend == "torch" and _cuda() else "cpu"
    call_size = CUDA_CALL if device == "cuda" else CPU_CALL
    return Settings(
        str(weights), backend, device, weights_digest(weights),
        pretrained.label_names(config, folder), prior, embedding, video_every, image_column,
        call_size,
    )  # fmt: skip


def job_of(settings: Settings) -> dict[str, str]:
    """Name -> text of what rows of one table must have in common."""
    return {
        "weights": f"{settings.weights} ({settings.digest[:12]})",
        "backend": settings.backend,
        "device": settings.device,
        "prior": str(settings.prior),
        "embedding": str(settings.embedding),
        "video_every": f"{settings.video_every:g} s",
        "image_column": settings.image_column or "the first that there is",
        "call_size": str(settings.call_size),
    }


def weights_digest(weights: str | Path) -> str:
    """SHA-256 over the files that answer: config, weights and networks.

    Raises:
        WeightsError: no such weights.
    """
    folder = resolve(weights)
    names = (pretrained.CONFIG_FILE, pretrained.WEIGHTS_FILE, pretrained.GRAPH_FILE,
             pretrained.INT8_FILE, pretrained.LITERT_FILE)  # fmt: skip
    found = hashlib.sha256()
    for path in (folder / name for name in names):
        if path.is_file():
            found.update(path.name.encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def seconds(text: str) -> float:
    """``0.5s``, ``500ms``, ``0.5`` or ``1min`` -> seconds.

    Raises:
        ValueError: none of them, or not above 0.
    """
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(ms|s|min)?", text.strip())
    value = float(found[1]) * {"ms": 0.001, "min": 60.0}.get(found[2], 1.0) if found else 0.0
    if not value > 0:
        raise ValueError(f"{text!r}; expected seconds above 0, such as 0.5s")
    return value


def _on_cpu() -> str:
    return "onnx" if find_spec("onnxruntime") else "torch"


def _cuda() -> bool:
    if not find_spec("torch") or not any(Path("/dev").glob("nvidia[0-9]*")):
        return False  # torch, which takes seconds to load, has nothing to find
    import torch

    return bool(torch.cuda.is_available())
