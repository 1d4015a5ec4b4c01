"""The study of CMU-MOSI: windows by hand, and all of it on made-up features."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import torch

from fer_cbam.data.cmu_mosi import MODALITIES, Utterances
from train.fusion import cmu_mosi
from train.fusion.attention import Settings


def utterances(videos: int, seed: int, length: int = 8) -> Utterances:
    """Each modality shows the sentiment, under more noise from text to video."""
    rng = np.random.default_rng(seed)
    count = videos * length
    targets = rng.integers(0, 2, count)
    signal = (2 * targets - 1)[:, None]
    noise = dict(zip(MODALITIES, (0.5, 2.0, 4.0), strict=True))
    return Utterances(
        videos=tuple(f"v{i // length}" for i in range(count)),
        places=np.tile(np.arange(length, 0, -1), videos),  # in the file from last to first
        features={m: (signal + s * rng.standard_normal((count, 3))).astype(np.float32)
                  for m, s in noise.items()},
        targets=targets,
    )  # fmt: skip


def test_features_are_standardised_by_the_training_part():
    train, test = utterances(3, 0), utterances(2, 1)
    got = cmu_mosi.standardised(train, test)["audio"]
    mean, sd = train.features["audio"].mean(0), train.features["audio"].std(0)
    np.testing.assert_allclose(got, np.clip((test.features["audio"] - mean) / sd, -5, 5), rtol=1e-5)
    constant = replace(train, features={m: np.ones((24, 2), np.float32) for m in MODALITIES})
    assert np.isfinite(cmu_mosi.standardised(constant, constant)["text"]).all()


def test_a_window_holds_the_neighbours_of_its_own_video():
    part = utterances(2, 0)
    got = cmu_mosi.windows(part, part.features)
    # Row 0 is the last of eight places: five before it, none after.
    places = got.times["text"][0][got.present["text"][0]]
    assert places.tolist() == [-5, -4, -3, -2, -1, 0]
    token = got.tokens["text"][0, cmu_mosi.CONTEXT - 2]  # two places before: two rows on
    np.testing.assert_array_equal(token, part.features["text"][2])
    assert got.times["text"][8 + 7][got.present["text"][8 + 7]].tolist() == [0, 1, 2, 3, 4, 5]


def test_missing_and_noisy_touch_one_modality():
    part = utterances(2, 0)
    whole = cmu_mosi.windows(part, part.features)
    gone = cmu_mosi.without(whole, ("text",))
    assert not gone.present["text"].any() and gone.present["audio"].any()
    loud = cmu_mosi.noisy(whole, "audio", 0)
    assert torch.equal(loud.tokens["text"], whole.tokens["text"])
    change = (loud.tokens["audio"] - whole.tokens["audio"]).std()
    assert 0.8 < change < 1.2


def test_the_report_names_what_was_learnt_and_what_was_tried(monkeypatch, tmp_path, capsys):
    parts = {"train": utterances(20, 0), "test": utterances(10, 1)}
    monkeypatch.setattr(cmu_mosi, "read_features", lambda path: parts)
    monkeypatch.setattr(cmu_mosi, "SEEDS", 2)
    fast = Settings(epochs=6, batch_size=32, lr=5e-3, dim=16, dropout=0.1, modality_dropout=0.3)
    monkeypatch.setattr(cmu_mosi, "SETTINGS", fast)
    out = tmp_path / "report.json"
    cmu_mosi.main(["--data", "mosi.zip", "--out", str(out)])
    found = {(r["weights"], r["condition"]): r["value"]
             for r in json.loads(out.read_text())["records"]}  # fmt: skip
    assert len(found) == 7 + 9 and "text+audio+video" in capsys.readouterr().out
    assert found["text", "all"] > 0.7 > found["video", "all"]  # as the noise was made
    assert found["text+audio+video", "text missing"] < found["text+audio+video", "all"]
