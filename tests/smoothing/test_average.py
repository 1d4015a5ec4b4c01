from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.smoothing.average import Average
from tests.smoothing.frames import seen

LABELS = ("happiness", "anger")


@pytest.mark.parametrize("rate", [4, 8, 32])
def test_half_of_a_change_is_told_after_the_half_life(rate):
    average = Average(LABELS, half_life=0.5)
    _, state = average.step(seen([0, 1]), 9.0, None)  # the seconds of a new face say nothing
    for _ in range(rate // 2):
        probs, state = average.step(seen([1, 0]), 1 / rate, state)
    np.testing.assert_allclose(probs, [0.5, 0.5])
    assert state == pytest.approx(tuple(probs))


def test_none():
    average = Average(LABELS, half_life=0)
    _, state = average.step(seen([0.2, 0.8]), 0.1, None)
    np.testing.assert_array_equal(average.step(seen([0.7, 0.3]), 0.0, state)[0], [0.7, 0.3])
