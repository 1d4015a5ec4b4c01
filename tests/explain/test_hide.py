"""Hiding parts of faces, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import logit, softmax

from fer_cbam.explain.hide import blurred, hidden, log_odds, mean_grey


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).random((3, 1, 48, 48), np.float32)


def test_the_blur_is_a_gaussian_of_an_eighth_of_the_side(x):
    expected = np.stack([gaussian_filter(face, 6, mode="mirror", truncate=4) for face in x[:, 0]])
    np.testing.assert_allclose(blurred(x)[:, 0], expected, atol=2e-3)
    assert blurred(x).std() < 0.1 * x.std()


def test_mean_grey_is_each_face_s_own(x):
    expected = [face.mean() for face in x]
    np.testing.assert_allclose(mean_grey(x)[:, 0, 7, 9], expected, rtol=1e-5)


def test_what_is_hidden_is_the_fill_and_the_rest_the_face(x):
    masks = np.zeros((2, 48, 48), np.float32)
    masks[0, :, :10], masks[1, 5] = 1, 0.25
    fill = mean_grey(x)
    found = hidden(x, masks, fill).reshape(3, 2, 1, 48, 48)
    np.testing.assert_array_equal(found[:, 0, :, :, 10:], x[..., 10:])
    np.testing.assert_allclose(found[:, 0, :, :, :10], fill[..., :10], rtol=1e-6)
    np.testing.assert_allclose(
        found[:, 1, :, 5], 0.75 * x[:, :, 5] + 0.25 * fill[:, :, 5], rtol=1e-5
    )
    own = np.stack([masks, masks[::-1], masks])  # other masks for the second face
    np.testing.assert_array_equal(hidden(x, own, fill)[2], found[1, 1])


def test_log_odds_are_those_of_the_probabilities_and_end_nowhere():
    logits = np.random.default_rng(1).normal(0, 3, (20, 8))
    np.testing.assert_allclose(log_odds(logits), logit(softmax(logits, 1)), rtol=1e-9)
    far = log_odds(np.array([[900.0, 0.0, -5.0]]))
    np.testing.assert_allclose(far[0, :2], [900 - np.log(1 + np.exp(-5)), -900], rtol=1e-9)
