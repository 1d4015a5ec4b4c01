"""Why: the evidence for an emotion, as a map over the face.

Grad-CAM of every emotion comes with each forward pass (:mod:`fer_cbam.models.class_maps`) and is
turned into a map in one place, :mod:`fer_cbam.saliency`. Every explainer is a file that overrides
:meth:`fer_cbam.explain.base.Explainer.maps`; :mod:`fer_cbam.explain.named` opens them by name and
says which is shown first. Functions of a network rather than of a backend:

- :mod:`fer_cbam.explain.layer_gradcam`: Grad-CAM at any layer, with torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_cbam.explain.layer_gradcam import gradcam as gradcam
    from fer_cbam.explain.layer_gradcam import head_gradcam as head_gradcam
    from fer_cbam.explain.layer_gradcam import spatial_attention as spatial_attention
    from fer_cbam.models.class_maps import class_gradcams as class_gradcams

# Public name -> the module it lives in, loaded when it is first asked for: they need torch.
_HOME = {
    "gradcam": "fer_cbam.explain.layer_gradcam",
    "head_gradcam": "fer_cbam.explain.layer_gradcam",
    "spatial_attention": "fer_cbam.explain.layer_gradcam",
    "class_gradcams": "fer_cbam.models.class_maps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
