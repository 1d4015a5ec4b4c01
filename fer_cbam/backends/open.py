"""The one place that picks a backend and opens weights with it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.backends.base import BACKENDS, Backend
from fer_cbam.backends.known_litert import is_known
from fer_cbam.errors import BackendError, WeightsError
from fer_cbam.hub.load import local_folder

#: Package that runs a backend -> what installs it, and another backend.
PACKAGES = {
    "torch": ("torch", "onnx"), "timm": ("torch", "onnx"), "onnxruntime": ("onnx", "torch"),
    "ai_edge_litert": ("litert", "onnx"),
}  # fmt: skip


def default_backend() -> str:
    """``"torch"`` where it is installed, else ``"onnx"``."""
    return "torch" if find_spec("torch") and find_spec("timm") else "onnx"


def fastest_backend(source: str | Path) -> str:
    """What answers one face soonest: the first of ``"litert"``, ``"onnx"`` and ``"torch"`` that is
    installed, and for which these weights have a network.

    The order is that of every processor it was measured on (``python -m benchmarks.runtime``), so
    that nothing is timed at a start. How far LiteRT is ahead depends on the processor: with VNNI or
    AMX, instructions for int8, it takes half of ONNX Runtime's time or less, with AVX2 four fifths.
    ``"onnx-int8"``, which changes more answers than LiteRT's int8 does, has to be asked for; so has
    a graphics processor, which is quicker for many faces at once only. source: as in
    :func:`fer_cbam.hub.resolve`; of a hub nothing is fetched.
    """
    try:
        folder = local_folder(source)
    except WeightsError:  # on a hub, or nowhere: opening it says which
        return default_backend()
    exported = (folder / pretrained.LITERT_FILE).is_file()
    if find_spec("ai_edge_litert") and (exported or is_known(folder)):
        return "litert"
    if (folder / pretrained.GRAPH_FILE).is_file() and find_spec("onnxruntime"):
        return "onnx"
    return default_backend()


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
    _check_reads_faces(source)
    try:
        if backend == "torch":
            from fer_cbam.backends.torch import TorchBackend
            from fer_cbam.hub import load_model

            return TorchBackend(load_model(source), device)
        if backend == "litert":
            from fer_cbam.backends.litert import LitertBackend

            return LitertBackend.load(source)
        from fer_cbam.backends.onnx import OnnxBackend

        return OnnxBackend.load(source, backend == "onnx-int8", threads)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in PACKAGES:
            raise
        extra, other = PACKAGES[missing]
        raise BackendError(
            f"backend {backend!r} needs {missing}, which is not installed; "
            f"expected: pip install 'fer-cbam[{extra}]', or backend {other!r}"
        ) from error


def _check_reads_faces(source: str | Path) -> None:
    """Refuse a network of another kind: what it reads is no picture."""
    try:
        architecture = pretrained.read_config(local_folder(source))["architecture"]
    except WeightsError:  # on a hub, or damaged: opening it says which
        return
    does = {
        **dict.fromkeys(pretrained.RECURRENT, "answers over time, on what others see"),
        **dict.fromkeys(pretrained.VOICES, "hears voices"),
        **dict.fromkeys(pretrained.TEXTS, "reads words"),
    }.get(architecture)
    if does:
        raise WeightsError(
            f"weights {str(source)!r}: {architecture} {does}; expected weights that read faces, "
            f"such as {', '.join(pretrained.embedded_names())}"
        )
