"""Logits to probabilities to an answer."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.decide import decide, predictions, softmax


def test_softmax_of_large_logits():
    got = softmax(np.array([[1000.0, 999.0], [-1000.0, -1000.0]]))
    expected = [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)], [0.5, 0.5]]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


def test_predictions_with_a_temperature():
    """Odds of 4 : 1 become 2 : 1 at temperature 2."""
    logits = np.log(np.array([[4.0, 1.0], [1.0, 4.0]], np.float32))
    first, second = predictions(logits, ("fear", "anger"), temperature=2, uncertain_below=0.7)
    assert first.probs == pytest.approx({"fear": 2 / 3, "anger": 1 / 3}, abs=1e-6)
    assert (first.label, first.uncertain) == ("fear", True)
    assert (second.label, second.confidence) == ("anger", pytest.approx(2 / 3, abs=1e-6))
    (sure,) = predictions(logits[:1], ("fear", "anger"), uncertain_below=0.7)
    assert sure.confidence == pytest.approx(0.8, abs=1e-6) and not sure.uncertain


def test_without_a_temperature_and_a_threshold():
    (given,) = predictions(np.log([[0.3, 0.2, 0.5]]), ("fear", "anger", "neutral"))
    assert given.probs == pytest.approx({"fear": 0.3, "anger": 0.2, "neutral": 0.5})
    assert list(given.probs) == ["fear", "anger", "neutral"]
    assert (given.label, given.confidence, given.uncertain) == (
        "neutral",
        given.probs["neutral"],
        False,
    )
    assert decide({"fear": 0.2, "anger": 0.8}).uncertain is False
    assert softmax(np.zeros((1, 2), np.float16)).dtype == np.float64


@pytest.mark.parametrize("labels", [("fear",), ("fear", "anger", "neutral")])
def test_as_many_labels_as_logits(labels):
    with pytest.raises(ValueError, match="zip"):
        predictions(np.zeros((1, 2)), labels)


def test_exactly_at_the_threshold_is_not_uncertain():
    assert not decide({"fear": 0.5, "anger": 0.5}, 0.5).uncertain
