"""Who may teach which head, and that teachers made for speed say the same."""

from __future__ import annotations

import json

import pytest
import timm
import torch

from fer_cbam import hub
from fer_cbam.errors import FerError, WeightsError
from fer_cbam.preprocess import Preprocess
from tests.train.networks import small
from train.teachers import digest, folded, teacher_of_stage, teacher_of_weights

PRIOR = {"anger": 0.7, "happiness": 0.2, "sadness": 0.1}
LABELS = tuple(PRIOR)


@pytest.fixture
def released(tmp_path):
    """Weights of the second head of `source`, released with a balance of 0.5; and as they were."""
    model, plain = small(3, seed=2), small(3, seed=2)
    with torch.no_grad():
        model.head.fc.bias += (0.5 + 0.5 / (3 * torch.tensor(list(PRIOR.values())))).log()
    record = {"training": {"data": "b", "prior": PRIOR}, "balance": 0.5}
    return hub.save_model(model, tmp_path / "w", LABELS, record), plain


def test_weights_teach_the_head_of_their_labels_without_what_release_added(released, source):
    folder, plain = released
    teacher = teacher_of_weights(source, str(folder), Preprocess())
    assert teacher.answers == (1,)
    x = torch.rand(4, 1, 48, 48)
    (said,) = teacher(x)
    torch.testing.assert_close(said, plain(x).softmax(1), atol=1e-5, rtol=0)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_weights_that_do_not_fit_are_refused(released, source, tmp_path):
    folder, _ = released
    with pytest.raises(FerError, match=r"sees images as .*\(0\.0,\).*expected .*\(0\.5,\)"):
        teacher_of_weights(source, str(folder), Preprocess(mean=(0.5,)))
    with pytest.raises(WeightsError, match="absent"):
        teacher_of_weights(source, str(tmp_path / "absent"), Preprocess())
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "training": {**config["training"], "data": "c"}}))
    with pytest.raises(FerError, match=r"labels of c, anger, happiness, sadness; expected .*a, b"):
        teacher_of_weights(source, str(folder), Preprocess())
    path.write_text(json.dumps({**config, "training": {"data": "b"}}))
    with pytest.raises(WeightsError, match="prior"):
        teacher_of_weights(source, str(folder), Preprocess())


def test_a_stage_teaches_every_head(source):
    both = small(5)
    x = torch.rand(2, 1, 48, 48)
    first, second = teacher_of_stage(source, both)(x)
    torch.testing.assert_close(first, both(x)[:, :2].softmax(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(second, both(x)[:, 2:].softmax(1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["fer_cbam_tiny", "fer_cbam_base", "fer_cbam_paper"])
def test_folded_networks_say_the_same(name):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=4)
    model.train()
    with torch.no_grad():
        for _ in range(3):  # averages of BatchNorm that are not 0 and 1
            model(torch.rand(8, 1, 48, 48) * 3)
    lean, x = folded(model), torch.rand(4, 1, 48, 48)
    norms, left = ([m for m in network.stages.modules() if isinstance(m, torch.nn.BatchNorm2d)]
                   for network in (model, lean))  # fmt: skip
    # The paper's networks normalise behind the activation, where nothing can be folded.
    assert model.training and len(left) == (len(norms) if name == "fer_cbam_paper" else 0)
    torch.testing.assert_close(lean(x), model.eval()(x), atol=1e-4, rtol=1e-4)


def test_other_values_another_digest():
    assert digest(small(2)) == digest(small(2))
    changed = small(2)
    changed.get_parameter("head.fc.bias").data[1] += 1e-6
    assert digest(changed) != digest(small(2)) != digest(small(2, seed=1))
