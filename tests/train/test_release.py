"""A run becomes embedded weights: what is kept, what float16 costs, how the prior is taken off."""

from __future__ import annotations

import json
import math

import pytest
import timm
import torch

import fer_cbam  # noqa: F401  (registers the models)
from fer_cbam import hub
from fer_cbam.decide import Decision
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS
from train.recipe import Release
from train.release import release
from train.run import label_prior

LABELS = LABEL_SETS["fer2013"]
PLAIN = Release("fer2013")
PRIOR = {label: (i + 1) / 28 for i, label in enumerate(LABELS)}


@pytest.fixture
def run_dir(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model("fer_cbam_tiny", num_classes=7, channels=(8, 8, 8, 16)).eval()
    training = {"data": "fer2013", "protocol": "public", "split": "public", "prior": PRIOR}
    return hub.save_model(model, tmp_path / "run", LABELS, {"training": training})


def test_stored_as_float16_with_alignment_and_record(run_dir, tmp_path):
    said = release(run_dir, "fer_cbam_tiny", tmp_path / "out", PLAIN)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert len(config["landmarks"]) == 5
    assert config["training"]["prior"] == PRIOR and config["decision"] == {"balance": 0.0}
    assert "bytes, logits differ by at most" in said
    x = torch.rand(4, 1, 48, 48)
    stored, original = (hub.load_model(d).model(x) for d in (tmp_path / "out", run_dir))
    torch.testing.assert_close(stored, original, atol=2e-3, rtol=2e-3)


def test_kernels_keep_as_many_bits_as_asked(run_dir, tmp_path):
    """bfloat16 has 7 bits behind the leading one, and torch rounds to it ties to even."""
    release(run_dir, "fer_cbam_tiny", tmp_path / "out", Release("fer2013", mantissa=7))
    stored = hub.load_model(tmp_path / "out").model.state_dict()
    for name, tensor in hub.load_model(run_dir).model.state_dict().items():
        kernel = tensor.ndim > 1
        expected = tensor.bfloat16().half().float() if kernel else tensor.half().float()
        torch.testing.assert_close(stored[name].float(), expected, atol=0, rtol=0)


def shift_between(one, other):
    x = torch.rand(4, 1, 48, 48)
    return hub.load_model(other).model(x) - hub.load_model(one).model(x)


def lifted(balance):
    """By hand: the log of what being right about a face of each label is worth."""
    return torch.tensor([math.log(1 - balance + balance / (7 * PRIOR[k])) for k in LABELS])


def test_logits_stay_and_the_decision_says_the_balance(run_dir, tmp_path):
    calibrated = json.loads((run_dir / "config.json").read_text()) | {"temperature": 1.5}
    (run_dir / "config.json").write_text(json.dumps(calibrated))
    release(run_dir, "fer_cbam_tiny", tmp_path / "out", Release("fer2013", 0.5))
    torch.testing.assert_close(
        shift_between(run_dir, tmp_path / "out"), torch.zeros(4, 7), atol=3e-3, rtol=0
    )
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["decision"] == {"balance": 0.5}
    assert not {"balance", "temperature"} & set(config)
    assert Decision.of(config, LABELS).lift == pytest.approx(lifted(0.5).tolist())


def test_what_an_earlier_release_added_goes(run_dir, tmp_path):
    """Weights of before had their balance in the classifier's bias."""
    loaded = hub.load_model(run_dir)
    loaded.model.get_classifier().bias.data += lifted(0.75)
    old = hub.save_model(loaded.model, tmp_path / "old", LABELS,
                         {"training": loaded.config["training"], "balance": 0.75})  # fmt: skip
    release(old, "fer_cbam_tiny", tmp_path / "out", PLAIN)
    difference = shift_between(run_dir, tmp_path / "out")
    torch.testing.assert_close(difference, torch.zeros(4, 7), atol=6e-3, rtol=0)


def test_balance_needs_the_prior(run_dir, tmp_path):
    path = run_dir / "config.json"
    path.write_text(path.read_text().replace('"prior"', '"other"'))
    with pytest.raises(WeightsError, match="expected a share above 0 for each of anger"):
        release(run_dir, "fer_cbam_tiny", tmp_path / "out", Release("fer2013", 0.5))


def test_another_architecture_is_refused(run_dir, tmp_path):
    with pytest.raises(WeightsError, match="holds fer_cbam_tiny; expected fer_cbam_base"):
        release(run_dir, "fer_cbam_base", tmp_path / "out", PLAIN)


def test_prior_is_the_mean_of_labelled_rows():
    rows = torch.tensor([[1.0, 0], [0.5, 0.5], [0, 0], [1, 0]]).numpy()
    assert label_prior(rows, ("a", "b")) == {"a": 0.833333, "b": 0.166667}


def test_a_taught_gate_is_said_to_be_one(run_dir, tmp_path):
    path = run_dir / "config.json"
    config = json.loads(path.read_text())
    for occlusion, expected in ((0.0, None), (0.5, 1.0)):
        config["training"]["recipe"] = {"stages": [{"occlusion": occlusion}]}
        path.write_text(json.dumps(config))
        release(run_dir, "fer_cbam_tiny", tmp_path / "out", PLAIN)
        written = json.loads((tmp_path / "out" / "config.json").read_text())
        assert written.get("gate_neutral") == expected
