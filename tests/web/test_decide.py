"""Logits to answers as in fer_cbam/decide.py, cautions as in fer_cbam/words, for any numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_cbam.decide import Decision
from fer_cbam.errors import PriorError
from fer_cbam.pretrained import embedded_dir, embedded_names, label_names, read_config
from fer_cbam.types import Face
from fer_cbam.words.cautions import cautions
from fer_cbam.words.regions import REGIONS, region_masks
from tests.web.conftest import Ask, plain

LABELS = ["anger", "contempt", "happiness", "neutral", "surprise"]
DECIDE = """data.map(({ config, labels, logits, embeddings }) => {
  const decision = module.Decision.of(config, labels);
  return logits.map((row, i) => decision.prediction(row, embeddings[i]));
})"""


def config(rng: np.random.Generator, **more: Any) -> dict[str, Any]:
    shares = rng.dirichlet(np.ones(len(LABELS)))
    return {
        "temperature": float(rng.uniform(0.3, 2)),
        "uncertain_below": float(rng.uniform(0, 0.6)),
        "training": {"prior": dict(zip(LABELS, shares.tolist(), strict=True))},
        "face_probe": {"weights": rng.normal(size=7).tolist(), "bias": float(rng.normal())},
        **more,
    }


def configs(rng: np.random.Generator) -> list[dict[str, Any]]:
    own = dict(zip(LABELS, rng.dirichlet(np.ones(5)).tolist(), strict=True))
    shifted = {"shift": {"neutral": -0.7}, "silent": ["contempt"], "balance": 0.6}
    return [
        {},
        config(rng),
        config(rng, bias={"anger": 1.0}),  # without a decision nothing is added
        config(rng, decision={}, bias={"anger": 1.0}),
        config(rng, decision=shifted, bias={"neutral": 0.5}, balance=0.3),
        config(rng, decision=shifted, prior=own),
    ]


PRIORS = [
    "training", "uniform", 0.3, {"anger": 3, "contempt": 0, "happiness": 1, "neutral": 5,
                                 "surprise": 2},
]  # fmt: skip


@pytest.mark.parametrize("prior", PRIORS)
def test_answers_for_an_expected_mix(ask: Ask, prior):
    rng = np.random.default_rng(3)
    own = dict(zip(LABELS, rng.dirichlet(np.ones(5)).tolist(), strict=True))
    cases = [config(rng), config(rng, decision={}, bias={"anger": 1.0}, prior=own, balance=0.3)]
    logits = rng.normal(0, 3, (100, 5))
    expression = (
        "data.configs.map((config) => data.logits.map((row) =>"
        " module.Decision.of(config, data.labels, data.prior).posterior(row)))"
    )
    (found,) = ask({"ask": "evaluate", "module": "decide.mjs", "expression": expression, "data": {
        "configs": cases, "labels": LABELS, "logits": logits.tolist(), "prior": prior,
    }})  # fmt: skip
    for made, answers in zip(cases, found, strict=True):
        expected = Decision.of(made, LABELS, prior).posterior(logits)
        assert [list(answer) for answer in answers] == [LABELS] * len(logits)
        ours = [list(answer.values()) for answer in answers]
        np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize(
    "prior", ["often", 1.5, {"anger": 1}, dict.fromkeys(LABELS, 0), dict.fromkeys(LABELS, -1)]
)
def test_an_expected_mix_that_does_not_fit(ask: Ask, prior):
    made = config(np.random.default_rng(4))
    expression = (
        "(() => { try { module.Decision.of(data.config, data.labels, data.prior); return null; }"
        " catch (error) { return [error.name, error.message]; } })()"
    )
    (found,) = ask({"ask": "evaluate", "module": "decide.mjs", "expression": expression,
                    "data": {"config": made, "labels": LABELS, "prior": prior}})  # fmt: skip
    assert found[0] == "PriorError"
    assert "; expected " in found[1]
    with pytest.raises(PriorError):
        Decision.of(made, LABELS, prior)


def test_answers_for_any_numbers(ask: Ask):
    rng = np.random.default_rng(2)
    cases = [(made, rng.normal(0, 3, (200, 5)), rng.normal(size=(200, 7))) for made in configs(rng)]
    (found,) = ask({"ask": "evaluate", "module": "decide.mjs", "expression": DECIDE, "data": [
        {"config": made, "labels": LABELS, "logits": logits.tolist(), "embeddings": e.tolist()}
        for made, logits, e in cases
    ]})  # fmt: skip
    for (made, logits, embeddings), answers in zip(cases, found, strict=True):
        expected = Decision.of(made, LABELS).predictions(logits, embeddings)
        for ours, theirs in zip(answers, expected, strict=True):
            assert ours["probs"] == pytest.approx(theirs.probs, abs=1e-12)
            assert {**ours, "probs": 0, "confidence": 0} == {
                **theirs.to_dict(), "probs": 0, "confidence": 0,
            }  # fmt: skip
            assert ours["confidence"] == pytest.approx(theirs.confidence, abs=1e-12)


@pytest.mark.parametrize("weights", embedded_names())
def test_the_numbers_of_all_weights(ask: Ask, weights: str):
    made = read_config(embedded_dir(weights))
    labels = list(label_names(made))
    probe = made.get("face_probe", {"weights": [0.0]})
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (300, len(labels)))
    embeddings = rng.exponential(0.2, (300, len(probe["weights"])))
    (found,) = ask({"ask": "evaluate", "module": "decide.mjs", "expression": DECIDE, "data": [
        {"config": made, "labels": labels, "logits": logits.tolist(),
         "embeddings": embeddings.tolist()},
    ]})  # fmt: skip
    expected = Decision.of(made, labels).predictions(logits, embeddings)
    said = [(face.label, face.uncertain, face.no_face) for face in expected]
    assert [(a["label"], a["uncertain"], a["no_face"]) for a in found[0]] == said
    assert len({label for label, *_ in said}) >= 5


def faces(rng: np.random.Generator, count: int) -> list[Face]:
    """Of any size, turned anyhow, also beyond the picture and with a nose anywhere."""
    made = []
    for _ in range(count):
        side, angle = rng.uniform(10, 90), rng.uniform(0, 2 * np.pi)
        centre = rng.uniform(-10, 150, 2)
        points = np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [-0.15, 0.3], [0.15, 0.3]])
        points[2, 0] += rng.normal(0, 0.15)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        landmarks = (points @ turn.T * side + centre).astype(np.float32)
        x, y = centre - side / 2
        made.append(Face((x, y, x + side, y + rng.uniform(5, side)), 0.9, landmarks))
    return made


def test_cautions(ask: Ask):
    rng = np.random.default_rng(4)
    image = (rng.integers(0, 256, (120, 140, 3)) * np.linspace(0, 1, 140)[:, None]).astype(np.uint8)
    rgba = np.dstack([image, np.full((120, 140), 255, np.uint8)])
    made = faces(rng, 300)
    (found,) = ask({
        "ask": "evaluate", "module": "cautions.mjs",
        "expression": "data.faces.map((face) => module.cautions(data.image, face))",
        "data": {"faces": plain(made), "image": {"data": rgba.ravel().tolist(), "width": 140,
                                                 "height": 120}},
    })  # fmt: skip
    assert [tuple(kinds) for kinds in found] == [cautions(image, face) for face in made]
    assert {kind for kinds in found for kind in kinds} == {"small", "dark", "side", "turned"}


def test_regions(ask: Ask):
    rng = np.random.default_rng(5)
    points = [(face.landmarks - face.landmarks.mean(0)) / 2 + 24 for face in faces(rng, 40)]
    flat = np.array([[10, 10], [20, 10], [15, 10], [12, 10], [18, 10]], float)
    (found,) = ask({
        "ask": "evaluate", "module": "regions.mjs",
        "expression": "data.map((points) => module.regionMasks(points, 48))",
        "data": [p.tolist() for p in (*points, flat)],
    })  # fmt: skip
    assert found[-1] is None
    for landmarks, masks in zip(points, found, strict=False):
        expected = region_masks(landmarks, 48)
        assert tuple(masks) == REGIONS
        for name, mask in masks.items():
            assert np.array_equal(mask.reshape(48, 48) > 0, expected[name]), name
