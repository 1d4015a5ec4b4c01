"""The names of `fer_cbam.explain` lead to torch code, and need no torch to be looked for."""

from __future__ import annotations

import pytest

import fer_cbam.explain
from fer_cbam.explain import class_gradcams, gradcam, head_gradcam, spatial_attention
from fer_cbam.explain import layer_gradcam as module
from fer_cbam.models import class_maps


def test_names():
    assert gradcam is module.gradcam and head_gradcam is module.head_gradcam
    assert spatial_attention is module.spatial_attention
    assert class_gradcams is class_maps.class_gradcams
    with pytest.raises(AttributeError, match=r"fer_cbam\.explain.*no attribute 'lime'"):
        fer_cbam.explain.lime  # noqa: B018
