"""A run becomes embedded weights: what is kept, what float16 costs, how the prior is taken off."""

from __future__ import annotations

import json
import math

import pytest
import timm
import torch

import fer_cbam  # noqa: F401  (registers the models)
from fer_cbam import hub
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS
from train.__main__ import label_prior
from train.release import release

LABELS = LABEL_SETS["fer2013"]
PRIOR = {label: (i + 1) / 28 for i, label in enumerate(LABELS)}


@pytest.fixture
def run_dir(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model("fer_cbam_tiny", num_classes=7, channels=(8, 8, 8, 16)).eval()
    training = {"data": "fer2013", "protocol": "public", "split": "public", "prior": PRIOR}
    return hub.save_model(model, tmp_path / "run", LABELS, {"training": training})


def test_stored_as_float16_with_alignment_and_record(run_dir, tmp_path):
    said = release(run_dir, "fer_cbam_tiny.fer2013", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert len(config["landmarks"]) == 5
    assert config["training"]["prior"] == PRIOR and "logit_adjustment" not in config
    assert "bytes, logits differ by at most" in said
    x = torch.rand(4, 1, 48, 48)
    stored, original = (hub.load_model(d).model(x) for d in (tmp_path / "out", run_dir))
    torch.testing.assert_close(stored, original, atol=2e-3, rtol=2e-3)


def test_kernels_keep_as_many_bits_as_asked(run_dir, tmp_path):
    """bfloat16 has 7 bits behind the leading one, and torch rounds to it ties to even."""
    release(run_dir, "fer_cbam_tiny.fer2013", tmp_path / "out", mantissa=7)
    stored = hub.load_model(tmp_path / "out").model.state_dict()
    for name, tensor in hub.load_model(run_dir).model.state_dict().items():
        kernel = tensor.ndim > 1
        expected = tensor.bfloat16().half().float() if kernel else tensor.half().float()
        torch.testing.assert_close(stored[name].float(), expected, atol=0, rtol=0)


def test_tau_takes_the_log_prior_off_the_logits(run_dir, tmp_path):
    calibrated = json.loads((run_dir / "config.json").read_text()) | {"temperature": 1.5}
    (run_dir / "config.json").write_text(json.dumps(calibrated))
    release(run_dir, "fer_cbam_tiny.fer2013", tmp_path / "kept")
    assert json.loads((tmp_path / "kept" / "config.json").read_text())["temperature"] == 1.5
    release(run_dir, "fer_cbam_tiny.fer2013", tmp_path / "out", tau=0.5)
    x = torch.rand(4, 1, 48, 48)
    shift = hub.load_model(tmp_path / "out").model(x) - hub.load_model(run_dir).model(x)
    expected = torch.tensor([-0.5 * math.log(PRIOR[label]) for label in LABELS])
    torch.testing.assert_close(shift, expected.expand(4, 7), atol=3e-3, rtol=0)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["logit_adjustment"] == 0.5 and "temperature" not in config


def test_what_the_recipe_adjusted_counts_in(run_dir, tmp_path):
    config = json.loads((run_dir / "config.json").read_text())
    config["training"]["recipe"] = {"logit_adjustment": 0.5}
    (run_dir / "config.json").write_text(json.dumps(config))
    x = torch.rand(4, 1, 48, 48)
    for tau, expected in ((None, 0.5), (0.75, 0.75), (0.0, None)):
        release(run_dir, "fer_cbam_tiny.fer2013", tmp_path / "out", tau=tau)
        written = json.loads((tmp_path / "out" / "config.json").read_text())
        assert written.get("logit_adjustment") == expected
        shift = hub.load_model(tmp_path / "out").model(x) - hub.load_model(run_dir).model(x)
        more = (0.5 if tau is None else tau) - 0.5
        log_prior = torch.tensor([-more * math.log(PRIOR[label]) for label in LABELS])
        torch.testing.assert_close(shift, log_prior.expand(4, 7), atol=3e-3, rtol=0)


def test_tau_needs_the_prior(run_dir, tmp_path):
    path = run_dir / "config.json"
    path.write_text(path.read_text().replace('"prior"', '"other"'))
    with pytest.raises(WeightsError, match="expected a share above 0 for each of anger"):
        release(run_dir, "fer_cbam_tiny.fer2013", tmp_path / "out", tau=0.5)


def test_a_run_on_near_copies_of_test_images_is_refused(run_dir, tmp_path):
    config = json.loads((run_dir / "config.json").read_text())
    config["training"]["recipe"] = {"twins": True}
    (run_dir / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="near-copies of test images"):
        release(run_dir, "fer_cbam_tiny.fer2013", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_architecture_is_refused(run_dir, tmp_path):
    with pytest.raises(WeightsError, match="holds fer_cbam_tiny; expected fer_cbam_base"):
        release(run_dir, "fer_cbam_base.fer2013", tmp_path / "out")


def test_prior_is_the_mean_of_labelled_rows():
    rows = torch.tensor([[1.0, 0], [0.5, 0.5], [0, 0], [1, 0]]).numpy()
    assert label_prior(rows, ("a", "b")) == {"a": 0.833333, "b": 0.166667}
