"""Which smoother weights get, and which they do not have."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub, pretrained
from fer_cbam.decide import Decision
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.smoothing import SMOOTHERS
from fer_cbam.smoothing.average import HALF_LIFE
from fer_cbam.smoothing.named import open_smoother, smoothers_of

LABELS = LABEL_SETS["ferplus"]
PRIOR = {label: (i + 1) / 36 for i, label in enumerate(LABELS)}
DECISION = Decision(LABELS)


@pytest.fixture
def weights(untrained_weights, tmp_path, monkeypatch):
    """A file of weights, and embedded beside nothing else a network that reads what they see."""
    folder = tmp_path / "fer_cbam_gru.ferplus"
    file = untrained_weights["ferplus"] / pretrained.WEIGHTS_FILE
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    torch.manual_seed(0)
    hub.save_model(timm.create_model("fer_cbam_gru", in_features=80), folder, LABELS,
                   {"reads": {"weights": "mine", "sha256": digest}})  # fmt: skip
    monkeypatch.setattr(pretrained, "EMBEDDED", tmp_path)
    return file


def test_the_best_that_there_is_by_default(weights):
    assert open_smoother({"prior": PRIOR}, weights, DECISION).name == SMOOTHERS[0] == "filter"
    assert open_smoother({}, weights, DECISION).name == "network"
    others = weights.parent / pretrained.CONFIG_FILE  # any other file: weights of someone else
    assert open_smoother({"prior": PRIOR}, others, DECISION).name == "filter"
    assert open_smoother({}, others, DECISION).name == "average"
    # A network has learnt how often labels are met: with another mix in mind it is not asked.
    with pytest.raises(WeightsError, match="and the prior they were calibrated for"):
        open_smoother({"prior": PRIOR}, weights, DECISION, prior="uniform", name="network")
    smoother = open_smoother({"prior": PRIOR}, weights, DECISION, prior="uniform")
    assert smoother.name == "filter"
    np.testing.assert_allclose(smoother.prior, np.full(8, 1 / 8))


def test_by_name(weights):
    config = {"prior": PRIOR}
    assert open_smoother(config, weights, DECISION, name="filter").prior == pytest.approx(
        np.array(list(PRIOR.values()))
    )
    assert open_smoother(config, weights, DECISION, name="average").half_life == HALF_LIFE
    assert open_smoother(config, weights, DECISION, name="none").half_life == 0
    with pytest.raises(ValueError, match="'much'; expected one of filter, network, average, none"):
        open_smoother(config, weights, DECISION, name="much")


def test_what_weights_do_not_have(weights):
    shutil.rmtree(pretrained.EMBEDDED / "fer_cbam_gru.ferplus")
    with pytest.raises(WeightsError, match="none was trained for these weights"):
        open_smoother({}, weights, DECISION, name="network")
    with pytest.raises(WeightsError, match="does not say how often each label was met"):
        open_smoother({}, weights, DECISION, name="filter")


def test_names_of_what_weights_have(weights):
    assert smoothers_of({"prior": PRIOR}, weights, DECISION) == SMOOTHERS
    assert smoothers_of({"prior": PRIOR}, weights, DECISION, "uniform") == (
        "filter", "average", "none",
    )  # fmt: skip
    assert smoothers_of({}, weights.parent / pretrained.CONFIG_FILE, DECISION) == SMOOTHERS[2:]
