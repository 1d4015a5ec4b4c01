"""The page says and shows what the server does: the same cases through Python and JavaScript."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np

from fer_cbam.device.settings import settings
from fer_cbam.explain.parts import PartLosses
from fer_cbam.labels import EMOTIONS
from fer_cbam.render import close_up, heat_layer, layer_transform
from fer_cbam.serve.page import face_tag
from fer_cbam.types import Face, Prediction, Recognition, Saliency
from fer_cbam.words import sentences
from fer_cbam.words.regions import REGIONS

WORDS = "new module.Words(settings)"


def predictions(count: int = 300) -> list[Prediction]:
    """With every way of being sure, labels that are not the most probable, and equal ones."""
    rng = np.random.default_rng(5)
    found = []
    for number in range(count):
        probs = rng.dirichlet(np.full(len(EMOTIONS), rng.choice([0.05, 0.3, 2.0])))
        if number % 20 == 0:
            probs = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
        best = int(probs.argmax()) if rng.random() < 0.7 else int(rng.integers(len(EMOTIONS)))
        by_label = dict(zip(EMOTIONS, probs.tolist(), strict=True))
        uncertain, no_face = bool(rng.random() < 0.3), bool(rng.random() < 0.1)
        found.append(
            Prediction(EMOTIONS[best], float(probs[best]), by_label, uncertain, no_face)
        )  # fmt: skip
    return found


def as_json(prediction: Prediction) -> dict:
    return {"label": prediction.label, "confidence": prediction.confidence,
            "uncertain": prediction.uncertain, "no_face": prediction.no_face,
            "probs": dict(prediction.probs)}  # fmt: skip


def test_explanations_are_worded_alike(evaluate):
    rng = np.random.default_rng(6)
    cases, expected = [], []
    for prediction in predictions():
        label = prediction.label if rng.random() < 0.5 else str(rng.choice(EMOTIONS))
        own = [dict(zip(REGIONS, rng.uniform(-0.2, 0.6, len(REGIONS)).tolist(), strict=True))
               for _ in range(2)]  # fmt: skip
        if rng.random() < 0.6:  # the fills agree
            region = str(rng.choice(REGIONS))
            own[0][region], own[1][region] = 0.7, 0.65
        losses = PartLosses({"blur": own[0], "mean": own[1]}) if rng.random() < 0.9 else None
        expected.append(sentences.explanation(prediction, label, losses))
        given = losses and {"least": {name: losses.least(name) for name in REGIONS},
                            "decisive": losses.decisive}  # fmt: skip
        cases.append([as_json(prediction), label, given])
    said = evaluate("words.mjs", f"data.map((c) => ({WORDS}).explanation(...c))", cases)
    assert said == expected
    assert len(set(said)) > 150 and any("with them hidden" in text for text in said)


def test_what_stands_at_a_face_is_alike(evaluate):
    crop, affine = np.zeros((48, 48, 3), np.uint8), np.eye(2, 3)
    face = Face((0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32))
    everyone = predictions()
    expected = [face_tag(Recognition(face, p, crop, affine)) for p in everyone]
    tags = evaluate(
        "looks.mjs",
        "data.map((f) => new module.Looks(settings).tag(f))",
        list(map(as_json, everyone)),
    )
    notes = evaluate(
        "words.mjs", f"data.map((f) => ({WORDS}).note(f))", list(map(as_json, everyone))
    )
    assert [tag | {"note": note} for tag, note in zip(tags, notes, strict=True)] == expected
    assert len({tag["color"] for tag in tags}) == len(EMOTIONS) + 1


def test_labels_that_are_no_emotions_have_the_colours_of_the_server(evaluate):
    labels = ["bored", "happiness", "sleepy", "keen"]
    offer = SimpleNamespace(shown={"labels": labels})
    crop, affine = np.zeros((48, 48, 3), np.uint8), np.eye(2, 3)
    face = Face((0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32))
    everyone = [
        Prediction(label, 0.7, {name: 0.7 if name == label else 0.1 for name in labels}, uncertain)
        for label, uncertain in product(labels, (False, True))
    ]
    expected = [face_tag(Recognition(face, p, crop, affine)) for p in everyone]
    tags = evaluate(
        "looks.mjs",
        "data.faces.map((f) => new module.Looks({ ...settings, ...data.of }).tag(f))",
        {"faces": list(map(as_json, everyone)),
         "of": {"other_colors": settings([offer])["other_colors"]}},
    )  # fmt: skip
    for tag, other in zip(tags, expected, strict=True):
        assert {key: other[key] for key in tag} == tag
    assert len({tag["color"] for tag in tags}) == len(labels)


def test_messages_are_worded_alike(evaluate):
    kinds = ["small", "dark", "side", "turned"]
    live = [list(case) for case in product(range(4), [[], *([k] for k in kinds), kinds], [0, 1])]
    said = evaluate("words.mjs", f"data.map((c) => ({WORDS}).liveMessage(...c))", live)
    assert said == [sentences.live_message(count, k, bool(u)) for count, k, u in live]
    photo = [[0, 0], [1, 1], [3, 3], [50, 12]]
    said = evaluate("words.mjs", f"data.map((c) => ({WORDS}).photoMessage(...c))", photo)
    assert said == [sentences.photo_message(*case) for case in photo]
    said = evaluate("words.mjs", f"({WORDS}).cautions(data)", kinds)
    assert said == sentences.caution_sentences(kinds)


def test_heat_is_drawn_alike(evaluate):
    values = np.random.default_rng(7).uniform(-0.1, 1.1, (48, 48))
    values[:3] = [[0.0], [1.0], [0.5]]
    drawn = evaluate(
        "looks.mjs", "Array.from(new module.Looks(settings).heatPixels(data))",
        {"values": values.ravel().tolist(), "side": 48},
    )  # fmt: skip
    expected = heat_layer(Saliency(values, "gradcam")).ravel().astype(int)
    difference = np.abs(np.array(drawn) - expected)
    # Python's edge is of single precision: a half may be rounded to the other side.
    assert difference.reshape(-1, 4)[:, 3].max() <= 1 and (difference > 0).mean() < 0.01


def test_faces_are_cut_out_alike(evaluate):
    rng = np.random.default_rng(8)
    cases, expected = [], []
    for _ in range(200):
        width, height = (int(n) for n in rng.integers(60, 500, 2))
        turn, scale = rng.uniform(-0.7, 0.7), rng.uniform(0.3, 4)
        a, b = scale * np.cos(turn), scale * np.sin(turn)
        affine = np.array([[a, -b, rng.uniform(-50, width)], [b, a, rng.uniform(-50, height)]])
        face = Face((0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32))
        crop = np.zeros((48, 48, 3), np.uint8)
        found = Recognition(face, Prediction("fear", 1.0, {"fear": 1.0}), crop, affine)
        _, moved = close_up(np.zeros((height, width, 3), np.uint8), found, 288)
        expected.append(layer_transform(moved.affine))
        cases.append([affine.ravel().tolist(), 48, {"width": width, "height": height}, 288])
    transforms = evaluate("looks.mjs", "data.map((c) => module.closeUp(...c).transform)", cases)
    np.testing.assert_allclose(transforms, expected, atol=1e-6)
