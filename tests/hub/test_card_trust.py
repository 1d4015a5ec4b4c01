"""What a card says of trust."""

from __future__ import annotations

from fer_cbam.hub.card_trust import trust


def record(metric, value, **fields):
    return {"data": "ferplus", "metric": metric, "value": value, **fields}


BLEND = {"condition": "occlusion_gradcam", "option": "unused fills"}
MAPS = [
    record("default", 1, condition="occlusion_gradcam", option="still"),
    record("abpc", 0.333, low=0.3, high=0.36, n=50, **BLEND),
    record("abpc_gain", 0.095, low=0.05, high=0.14, n=50, group="over Gaussian", **BLEND),
    record("rank_correlation", 0.2, condition="occlusion_gradcam", option="head"),
    record("rank_correlation", 0.6, condition="occlusion_gradcam", option="another face"),
]


def test_nothing_is_claimed_without_records():
    assert trust([]) == ""
    assert trust([record("ece", 0.1)]) == ""
    assert trust(MAPS[:2]) == ""


def test_the_first_map_what_it_is_worth_and_where_it_fails():
    text = trust(MAPS)
    assert text.startswith("## How far to trust it\n\nMeasured on FER+ (`python -m eval trust`).")
    assert "0.33 (0.30 to 0.36) on average (ABPC, 50 faces), +0.10 (+0.05 to +0.14)" in text
    assert "a shuffled head 0.20, another face 0.60. Too much alike: another face." in text
    assert "not clear of zero" not in text and text.endswith("\n\n")
    worse = trust([*MAPS[:2], {**MAPS[2], "low": -0.01}])
    assert "a blob in the middle of the face, which is not clear of zero." in worse


def test_what_is_no_face_and_what_is_spoilt():
    text = trust([
        record("faces_lost", 0.0098), record("answered", 0.08, condition="negative"),
        record("answered", 0.0, condition="noise"),
        record("answered", 0.5, condition="unseen kinds"),
        record("relative_accuracy", 0.931, condition="all corruptions"),
        record("corruption_error", 0.2204, condition="all corruptions"),
        record("named", 0.62, n=58), record("holds", 0.917, n=36),
    ])  # fmt: skip
    assert "1.0% of faces get no answer" in text
    assert (
        "of 2 kinds of pictures that are no faces, most often answered are 8% of negative" in text
    )
    assert "keeps 93% of its accuracy, an error of 22.0%" in text
    assert "named for 62% of 58 faces; there, hiding it costs at least 0.02" in text


def test_data_sets_are_told_apart():
    other = [{**r, "data": "ckplus48"} for r in MAPS]
    assert trust(MAPS + other).count("Measured on") == 2
