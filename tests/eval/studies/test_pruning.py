"""What is said of pruned networks beside others."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch

from eval.records import Record
from eval.studies.pruning import OPTIONS, compared, images_seen, interval, measure, trained
from fer_cbam import hub, pretrained
from fer_cbam.errors import DataError

LABELS = ("anger", "happiness", "surprise")


def of(records: list[Record], **where) -> Record:
    (found,) = [r for r in records if all(r.get(key) == value for key, value in where.items())]
    return found


def values(**networks: tuple[float, ...]) -> dict:
    return {(name.replace("_", "-"), "onnx"): {"accuracy": np.array(each),
                                               "balanced_accuracy": np.array(each) / 2}
            for name, each in networks.items()}  # fmt: skip


def test_differences_are_pruned_less_others_seed_by_seed():
    records = list(compared(values(
        unpruned=(0.80, 0.82, 0.84), pruned_half=(0.79, 0.80, 0.81), scratch_half=(0.7, 0.7, 0.7),
    )))  # fmt: skip
    mean = of(records, condition="pruned-half", metric="accuracy")
    assert (mean["value"], mean["sd"], mean["n"]) == pytest.approx((0.80, 0.01, 3))
    lost = of(records, metric="accuracy_difference")
    half = 4.302653 * 0.01 / 3**0.5  # Student's t of two degrees of freedom
    assert lost["condition"] == "pruned-half"
    assert (lost["value"], lost["low"], lost["high"]) == pytest.approx(
        (-0.02, -0.02 - half, -0.02 + half)
    )
    assert of(records, metric="accuracy_over_scratch")["value"] == pytest.approx(0.10)
    assert of(records, metric="balanced_accuracy_difference")["value"] == pytest.approx(-0.01)


def test_one_run_has_no_spread():
    record = of(list(compared(values(released=(0.8,)))), metric="accuracy")
    assert "sd" not in record
    assert interval(np.array([0.1])) == {"value": 0.1}


def test_runs_are_found_by_network_and_seed(tmp_path):
    for name in ("unpruned", "pruned-half"):
        for seed in (1, 0):
            folder = tmp_path / name / f"seed{seed}" / "public"
            folder.mkdir(parents=True)
            (folder / pretrained.CONFIG_FILE).write_text("{}")
    (tmp_path / "onnx" / "unpruned").mkdir(parents=True)  # of the study itself
    found = trained(tmp_path)
    assert {name: [f.parent.name for f in each] for name, each in found.items()} == {
        "pruned-half": ["seed0", "seed1"], "unpruned": ["seed0", "seed1"],
    }  # fmt: skip
    (tmp_path / "pruned-half" / "seed1" / "public" / pretrained.CONFIG_FILE).unlink()
    with pytest.raises(DataError, match=r"'pruned-half': \('seed0',\).*the same seeds"):
        trained(tmp_path)


def test_images_count_once_an_epoch():
    found = images_seen({"images": 100, "recipe": {"stages": [{"epochs": 3}, {"epochs": 2}]}})
    assert (found["metric"], found["value"]) == ("images_seen", 500)


def test_networks_answer_as_torch_does_in_float32(tiny, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: nothing is exported")
    torch.manual_seed(0)
    model = timm.create_model("fer_cbam_tiny", num_classes=3, channels=(8, 8, 16, 16)).eval()
    source = hub.save_model(model, tmp_path / "w", LABELS, {})
    found = measure({"net": [source]}, tiny, tmp_path / "onnx")
    asked = [s for s in tiny.samples if s.split == "PublicTest"]
    loaded = hub.load_model(source)
    with torch.no_grad():
        logits = loaded.model(torch.from_numpy(loaded.preprocess([s.pixels for s in asked])))
    said = [LABELS[i] for i in logits.argmax(1)]
    right = np.mean([own == s.label for own, s in zip(said, asked, strict=True)])
    assert found["net", "onnx"]["accuracy"] == pytest.approx([right])
    plain, small = (found["net", option] for option in OPTIONS)
    assert small["megabytes"] < plain["megabytes"]
    assert plain["multiply_adds_millions"] == small["multiply_adds_millions"] > 1
