"""The step in NumPy against PyTorch's, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub, pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.smoothing.base import Seen
from fer_cbam.smoothing.filter import Filter
from fer_cbam.smoothing.recurrent import Recurrent, features

LABELS = LABEL_SETS["ferplus"]
EMBEDDING = 20


def network(name: str, **more):
    torch.manual_seed(0)
    model = timm.create_model(name, in_features=8 + 8 + EMBEDDING, width=12, hidden_size=16, **more)
    for parameter in model.parameters():  # so that no part of it is 0
        torch.nn.init.normal_(parameter, 0, 0.4)
    model.mean.normal_()
    model.std.uniform_(0.5, 2)
    return model.eval()


@pytest.fixture(params=["fer_cbam_gru", "fer_cbam_lstm"])
def model(request):
    return network(request.param)


def saved(model, folder, **more):
    return hub.save_model(model, folder, LABELS, {"temperature": 1.5, **more})


def frames(count: int) -> list[Seen]:
    rng = np.random.default_rng(1)
    return [Seen(rng.dirichlet(np.ones(8)), rng.normal(size=EMBEDDING).astype(np.float32),
                 rng.normal(size=8).astype(np.float32)) for _ in range(count)]  # fmt: skip


def test_steps_are_those_of_torch(model, tmp_path):
    smoother = Recurrent.load(saved(model, tmp_path))
    seen, passed = frames(30), np.random.default_rng(2).exponential(0.2, 30)
    passed[[3, 4]] = 0.0, 40.0  # the very same moment, and long gone
    x = torch.from_numpy(np.stack([features(s) for s in seen]))[None]
    seconds = torch.tensor(passed, dtype=torch.float32)[None]
    seconds[0, 0] = 0
    with torch.no_grad():
        expected = (model(x, seconds)[0] / 1.5).softmax(1).numpy()
    state = None
    for one, since, row in zip(seen, passed, expected, strict=True):
        probs, state = smoother.step(one, float(since), state)
        np.testing.assert_allclose(probs, row, atol=1e-5)
    assert len(state) == model.state_size


def test_what_a_filter_says_is_shown_in_place_of_the_frame(model, tmp_path):
    """The filter's state travels before the network's."""
    prior = {label: (i + 1) / 36 for i, label in enumerate(LABELS)}
    given = {"prior": prior, "rate": 2.0, "anew": 0.1}
    smoother = Recurrent.load(saved(model, tmp_path / "a", filter=given))
    plain = Recurrent.load(saved(model, tmp_path / "b"))
    filtering = Filter(LABELS, np.array(list(prior.values())), 2.0, 0.1)
    state = belief = own = None
    for one, since in zip(frames(10), np.random.default_rng(3).exponential(0.2, 10), strict=True):
        said, belief = filtering.step(one, float(since), belief)
        expected, own = plain.step(replace(one, probs=said), float(since), own)
        probs, state = smoother.step(one, float(since), state)
        np.testing.assert_allclose(probs, expected, atol=1e-6)
        np.testing.assert_allclose(state, [*belief, *own], atol=1e-6)
    with pytest.raises(WeightsError, match="expected prior of each label, rate, anew"):
        Recurrent.load(saved(model, tmp_path / "c", filter={"prior": {}, "rate": 1, "anew": 1}))


def test_float16_as_it_is_embedded(model, tmp_path):
    hub.save_model(model, tmp_path, LABELS, {}, dtype=torch.float16)
    smoother = Recurrent.load(tmp_path)
    stored = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    (one,) = frames(1)
    with torch.no_grad():
        expected, _ = stored.step(torch.from_numpy(features(one))[None], torch.zeros(1))
    probs, _ = smoother.step(one, 0.0, None)
    np.testing.assert_allclose(probs, expected.softmax(1)[0].numpy(), atol=1e-5)


def test_what_is_refused(tmp_path):
    both = saved(network("fer_cbam_gru", bidirectional=True), tmp_path / "both")
    with pytest.raises(WeightsError, match="bidirectional; expected one that reads forwards"):
        Recurrent.load(both)
    one = saved(network("fer_cbam_gru"), tmp_path / "one")
    config, tensors = pretrained.read_config(one), pretrained.read_tensors(one)
    with pytest.raises(WeightsError, match=r"tensor 'fc\.bias' is missing"):
        Recurrent(config, {k: v for k, v in tensors.items() if k != "fc.bias"})
    with pytest.raises(WeightsError, match="'fer_cbam_base'; expected one of fer_cbam_gru"):
        Recurrent({**config, "architecture": "fer_cbam_base"}, tensors)
    smoother, (seen,) = Recurrent(config, tensors), frames(1)
    longer = Seen(seen.probs, np.zeros(21, np.float32), seen.cues)
    with pytest.raises(WeightsError, match="embedding of 21 numbers; expected 20"):
        smoother.step(longer, 0.0, None)
    with pytest.raises(WeightsError, match="needs the embedding and the cues"):
        smoother.step(Seen(seen.probs, None, seen.cues), 0.0, None)
