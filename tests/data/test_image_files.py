"""Samples that are held as image files."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from tiny_sets import noise, png

from fer_cbam.data.base import Dataset
from fer_cbam.data.image_files import EncodedSample


def test_a_sample_held_as_a_file() -> None:
    sample = EncodedSample("a", png(noise(0, (5, 6))), "fear", subject_id="S1", split="test")
    np.testing.assert_array_equal(sample.pixels, noise(0, (5, 6)))
    assert (sample.subject_id, sample.group, sample.split, dict(sample.label_probs)) == (
        "S1", None, "test", {},
    )  # fmt: skip
    dataset = Dataset("x", ("anger", "fear"), (sample,)).with_labels(("fear",), drop_others=True)
    assert dataset.target_probs().tolist() == [[1]]
    np.testing.assert_array_equal(dataset.pixels()[0], sample.pixels)
    with pytest.raises(FrozenInstanceError):
        sample.label = "anger"  # type: ignore[misc]
