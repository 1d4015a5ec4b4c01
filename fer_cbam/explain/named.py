"""Explainers by name, and which of them is shown first: the one place to decide it.

A set of weights may say otherwise in its config.json: ``"explain": {"live": NAME, "still": NAME}``.
``live`` is for a camera's picture and must come with the forward pass that the answer needs;
``still`` is for photographs. ``python -m eval trust`` measures what each is worth and costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module

from fer_cbam.backends.base import Backend
from fer_cbam.errors import WeightsError
from fer_cbam.explain.base import Explainer

GRADCAM, GATE = "gradcam", "spatial_attention"
#: What comes with every forward pass.
LIVE = (GRADCAM, GATE)
DEFAULTS: Mapping[str, str] = {"live": GRADCAM, "still": "occlusion_gradcam"}


def _made(module: str, name: str, **options: int) -> Callable[[Backend], Explainer]:
    def make(backend: Backend) -> Explainer:  # some need torch: imported when they are asked for
        explainer: Explainer = getattr(import_module(f"fer_cbam.explain.{module}"), name)(
            backend, **options
        )
        return explainer

    return make


_occlusion = partial(_made, "occlusion", "Occlusion")
EXPLAINERS: Mapping[str, Callable[[Backend], Explainer]] = {
    GRADCAM: _made("class_gradcam", "GradCam"),
    GATE: _made("gate", "AttentionGate"),
    "occlusion_4x4": _occlusion(rows=4, columns=4),
    "occlusion_6x6": _occlusion(rows=6, columns=6),
    "occlusion_11x11": _occlusion(rows=11, columns=11),
    "occlusion_gradcam": _made("blend", "OcclusionGradCam", rows=3, columns=3),
    "layercam_0": _made("layercam", "LayerCam", stage=0),
    "layercam_1": _made("layercam", "LayerCam", stage=1),
    "layercam_2": _made("layercam", "LayerCam", stage=2),
    "hirescam_1": _made("hirescam", "HiResCam", stage=1),
    "integrated_gradients": _made("integrated_gradients", "IntegratedGradients"),
}
#: They cannot run without torch.
NEED_TORCH = ("layercam_0", "layercam_1", "layercam_2", "hirescam_1", "integrated_gradients")


def default_explainer(backend: Backend, use: str) -> str:
    """The name of what is shown first. use: "live" or "still".

    Raises:
        WeightsError: config.json names none that there is, or for "live" one that needs more than
            the forward pass.
    """
    name = (backend.config.get("explain") or {}).get(use, DEFAULTS[use])
    known = LIVE if use == "live" else tuple(EXPLAINERS)
    if name not in known:
        raise WeightsError(f"{backend.name}: config.json: explain: {use}: {name!r}; "
                           f"expected one of: {', '.join(known)}")  # fmt: skip
    return str(name)


def open_explainer(name: str, backend: Backend) -> Explainer:
    """An explainer of these weights.

    Raises:
        ValueError: no such name.
        BackendError: one that needs torch, on another backend.
    """
    if name not in EXPLAINERS:
        raise ValueError(f"explainer {name!r}; expected one of: {', '.join(EXPLAINERS)}")
    return EXPLAINERS[name](backend)
