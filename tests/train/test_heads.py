"""Several label sets at once: targets, classifier rows, weights to start from."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub
from fer_cbam.errors import FerError
from fer_cbam.preprocess import Preprocess
from tests.train.networks import small
from train.examples import make_examples
from train.heads import classifier_rows, one_head, start_from


def test_examples_hold_the_heads_side_by_side_and_drop_what_no_head_labels(source):
    examples = make_examples(source, Preprocess())
    assert examples.sizes == (2, 3)
    np.testing.assert_allclose(examples.target_probs[1], [0.3, 0.7, 0, 0, 0], atol=1e-7)
    taken = examples.labelled(np.array([0, 2, 3]))
    assert torch.equal(taken.target_probs, examples.target_probs[[0, 3]])
    assert torch.equal(taken.x, examples.x[[0, 3]])


def test_one_head_gives_that_head_s_logits(source):
    model = small(5)
    x = torch.rand(3, 1, 48, 48)
    for head, rows in enumerate((slice(0, 2), slice(2, 5))):
        assert classifier_rows(source, head) == rows
        single = one_head(model, rows)
        torch.testing.assert_close(single(x), model(x)[:, rows])
        assert single.num_classes == rows.stop - rows.start
    assert one_head(model, slice(0, 5)) is model
    assert model(x).shape == (3, 5)  # the original keeps all its rows


def test_start_takes_rows_of_equal_labels(tmp_path):
    teacher = small(3)
    labels = ("anger", "happiness", "neutral")
    hub.save_model(teacher, tmp_path, labels, {}, dtype=torch.float32)
    loaded = hub.load_model(tmp_path)
    model = small(4, seed=1)
    before = copy.deepcopy(model.state_dict())
    start_from(model, loaded, [("happiness", "surprise"), ("anger", "happiness")])
    after, given = model.state_dict(), loaded.model.state_dict()
    for row, origin in ((0, 1), (2, 0), (3, 1)):
        assert torch.equal(after["head.fc.weight"][row], given["head.fc.weight"][origin])
        assert torch.equal(after["head.fc.bias"][row], given["head.fc.bias"][origin])
    assert torch.equal(after["head.fc.weight"][1], before["head.fc.weight"][1])
    body = [n for n in after if not n.startswith("head.fc")]
    assert all(torch.equal(after[n], given[n]) for n in body)
    with pytest.raises(FerError, match="does not fit"):
        start_from(timm.create_model("fer_cbam_paper", num_classes=2), loaded, [("a", "b")])


def test_start_takes_off_what_release_has_put_on_the_classifier(tmp_path):
    labels, prior = ("anger", "happiness"), {"anger": 0.2, "happiness": 0.8}
    # A balance of 0.5 multiplies a probability by 0.5 + 0.5 / (2 * prior): by 1.75 and by 0.8125.
    extra = {"balance": 0.5, "training": {"prior": prior}}
    hub.save_model(small(2), tmp_path, labels, extra, dtype=torch.float32)
    loaded, model = hub.load_model(tmp_path), small(3, seed=1)
    start_from(model, loaded, [("happiness", "surprise", "anger")])
    given, after = loaded.model.get_classifier().bias, model.get_classifier().bias
    assert after[2].item() == pytest.approx(given[0].item() - np.log(1.75), abs=1e-6)
    assert after[0].item() == pytest.approx(given[1].item() - np.log(0.8125), abs=1e-6)
