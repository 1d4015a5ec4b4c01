"""The vectorised ELU is ELU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from train.activations import VectorisedELU, vectorise_elu


def test_bfloat16_agrees_with_elu_to_its_rounding():
    x = torch.linspace(-6, 6, 1001)
    low = x.bfloat16().requires_grad_()
    y = VectorisedELU()(low)
    (3 * y.float()).sum().backward()
    exact = low.detach().float().requires_grad_()
    expected = F.elu(exact)
    (3 * expected).sum().backward()
    # bfloat16 has 8 significant bits: half a unit at 1 is 2^-9, where exp(x) - 1 is computed.
    torch.testing.assert_close(y.float(), expected, atol=2**-8, rtol=2**-8)
    torch.testing.assert_close(low.grad.float(), exact.grad, atol=3 * 2**-8, rtol=2**-7)


def test_float32_is_torch_s_own():
    x = torch.randn(100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(VectorisedELU()(x), F.elu(x))


def test_only_plain_elu_is_replaced():
    model = nn.Sequential(nn.ELU(), nn.Sequential(nn.ELU(0.5), nn.ReLU()), nn.ELU(inplace=True))
    vectorise_elu(model)
    kinds = [type(m) for m in model.modules() if not isinstance(m, nn.Sequential)]
    assert kinds == [VectorisedELU, nn.ELU, nn.ReLU, VectorisedELU]
