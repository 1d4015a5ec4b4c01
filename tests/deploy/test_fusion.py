"""Cross-modal attention on ONNX Runtime says what torch says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fer_cbam.deploy.fusion import LOGITS, build_fusion
from fer_cbam.models.fusion import CrossModalAttention
from fer_cbam.onnx_session import open_session

WIDTHS = {"face": 8, "voice": 5}


@pytest.fixture(scope="module")
def network() -> CrossModalAttention:
    torch.manual_seed(0)
    return CrossModalAttention(WIDTHS, 4, dim=16, depth=2).eval()


@pytest.fixture(scope="module")
def session(network):
    return open_session(build_fusion(network).SerializeToString())


@pytest.mark.parametrize(("batch", "lengths"), [(1, (1, 1)), (5, (7, 2)), (3, (1, 9))])
def test_any_number_of_windows_and_tokens(network, session, batch, lengths) -> None:
    torch.manual_seed(batch)
    tokens, times, present = {}, {}, {}
    for (name, width), length in zip(WIDTHS.items(), lengths, strict=True):
        tokens[name] = torch.randn(batch, length, width)
        times[name] = torch.randn(batch, length)
        present[name] = torch.rand(batch, length) < 0.7
    feeds = {
        f"{name}_{part}": values[name].numpy()
        for part, values in (("tokens", tokens), ("times", times), ("present", present))
        for name in WIDTHS
    }
    (got,) = session.run([LOGITS], feeds)
    with torch.inference_mode():
        expected = network(tokens, times, present).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)
    feeds["voice_present"] = np.zeros_like(feeds["voice_present"])
    (alone,) = session.run([LOGITS], feeds)
    with torch.inference_mode():
        only = network({"face": tokens["face"]}, {"face": times["face"]}, {"face": present["face"]})
    np.testing.assert_allclose(alone, only.numpy(), atol=1e-5)
