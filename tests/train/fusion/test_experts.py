"""Reliabilities are found again where they are known."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.experts import Experts
from train.fusion.experts import fit_experts

LABELS = ("anger", "happiness", "neutral")
PRIOR = np.array([0.2, 0.3, 0.5])


def said(seed: int, count: int = 500) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.dirichlet((1, 1, 1), count) for name in ("face", "voice")}


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("number", {"face": 1.5, "voice": 0.4}),
        ("label", {"face": np.array([2.0, 1.0, 0.5]), "voice": np.array([0.1, 1.0, 0.7])}),
        ("matrix", {"face": np.array([[1.0, 0.2, 0], [0, 1.2, 0], [0.1, 0, 0.8]]),
                    "voice": np.array([[0.3, 0, 0], [0.1, 0.9, 0], [0, 0.3, 0.5]])}),
    ],
)  # fmt: skip
def test_what_made_the_answers_is_found_again(kind, known):
    offset = np.array([0.3, 0.0, -0.3])
    truth = Experts(LABELS, PRIOR, known, offset)
    given = said(0)
    fitted = fit_experts(LABELS, PRIOR, given, truth.posterior(given), kind)
    unseen = said(1)
    np.testing.assert_allclose(fitted.posterior(unseen), truth.posterior(unseen), atol=2e-3)
    if kind != "matrix":  # a constant added to all columns of a matrix changes no posterior
        np.testing.assert_allclose(fitted.reliability["face"], known["face"], atol=0.02)


def test_plain_learns_nothing_and_other_kinds_do_not_exist():
    given = said(2)
    target = given["face"]
    plain = fit_experts(LABELS, PRIOR, given, target, "plain")
    assert plain.reliability == {} and plain.offset is None
    with pytest.raises(ValueError, match="kind 'deep'; expected one of plain, number"):
        fit_experts(LABELS, PRIOR, given, target, "deep")
