"""What hiding parts takes, for a network whose reasons are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from fer_cbam.backends.base import Forward
from fer_cbam.decide import Decision
from fer_cbam.explain.parts import FILLS, PartLosses, part_losses


class Top:
    """Label "up" is for light in the rows 2 to 4."""

    label_names = ("none", "up")

    def forward(self, x):
        logits = np.stack([np.zeros(len(x)), 8 * x[:, 0, 2:5].mean((1, 2)) - 2], 1)
        return Forward(logits.astype(np.float32), np.zeros((len(x), 2, 1, 1)), None, None)


@pytest.fixture
def masks() -> dict[str, np.ndarray]:
    rows = np.arange(48)[:, None] * np.ones((1, 48), int)
    return {"top": rows < 12, "bottom": rows >= 12}


@pytest.fixture
def x() -> np.ndarray:
    face = np.zeros((1, 1, 48, 48), np.float32)
    face[:, :, 2:5] = 1
    return face


def test_the_part_that_counts_is_found_for_its_label_alone(x, masks):
    found = part_losses(Top(), x, masks, Decision(("none", "up")))
    assert list(found) == ["none", "up"] and list(found["up"].losses) == list(FILLS)
    assert found["up"].decisive == "top" and found["none"].decisive is None
    assert found["none"].least("top") == pytest.approx(
        -max(own["top"] for own in found["up"].losses.values())
    )


def test_losses_are_of_calibrated_probabilities(x, masks):
    """By hand: all that counts at the mean grey."""
    before = softmax(Top().forward(x).logits[0] / 2)[1]
    grey = np.full_like(x, x.mean())
    after = softmax(Top().forward(grey).logits[0] / 2)[1]
    found = part_losses(Top(), x, masks, Decision(("none", "up"), 2.0))["up"].losses["mean"]
    assert found["top"] == pytest.approx(before - after, abs=0.01)
    assert before - after > 0.2 and abs(found["bottom"]) < 0.03


@pytest.mark.parametrize(
    ("blur", "mean", "expected"),
    [
        ({"a": 0.3, "b": 0.1}, {"a": 0.05, "b": 0.04}, "a"),
        ({"a": 0.3, "b": 0.1}, {"a": 0.049, "b": 0.04}, None),
        ({"a": 0.3, "b": 0.1}, {"a": 0.2, "b": 0.21}, None),
        ({"a": -0.3, "b": -0.1}, {"a": -0.3, "b": -0.2}, None),
    ],
)
def test_decisive_means_with_both_fills(blur, mean, expected):
    assert PartLosses({"blur": blur, "mean": mean}).decisive == expected
