"""bc-LSTM: videos by hand, what padding must not change, and all of it on made-up features."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fer_cbam.data.cmu_mosi import MODALITIES
from tests.train.fusion.test_cmu_mosi import utterances
from train.fusion import bc_lstm
from train.fusion.bc_lstm import Contextual, Settings, asked, videos

SMALL = Settings(dense=6, activation="tanh", input_dropout=0.2, dropout=0.2, hidden=8)


def test_utterances_of_a_video_stand_in_order():
    part = utterances(2, 0)
    got = videos(part, part.features["text"])
    assert len(got.rows) == 2 and got.rows[0].tolist() == list(range(7, -1, -1))
    np.testing.assert_array_equal(got.features[1], part.features["text"][15:7:-1])
    np.testing.assert_array_equal(got.targets[1], part.targets[15:7:-1])


def test_a_video_is_read_the_same_among_longer_ones():
    part = utterances(3, 0)
    data = videos(part, part.features["text"])
    short = replace(data, features=[data.features[0][:3], *data.features[1:]],
                    targets=[data.targets[0][:3], *data.targets[1:]],
                    rows=[data.rows[0][:3], *data.rows[1:]])  # fmt: skip
    torch.manual_seed(0)
    network = Contextual(3, SMALL).eval()
    found, logits = asked(network, short)
    with torch.no_grad():
        alone, said = network(short.features[0][None], torch.tensor([3]))
    torch.testing.assert_close(found[0], alone[0])
    # Logits stand in the order of the file: of the first video places 8, 7, 6 are its last rows.
    rows = np.sort(np.concatenate(short.rows))
    at = [int(np.flatnonzero(rows == row)[0]) for row in short.rows[0]]
    torch.testing.assert_close(logits[at], said[0])
    # What comes later counts, as what came before does.
    later = short.features[0].clone()
    later[2] += 1
    with torch.no_grad():
        assert (network(later[None], torch.tensor([3]))[1][0, 0] - said[0, 0]).abs().max() > 1e-4


def test_a_feature_is_dropped_from_a_whole_video(monkeypatch):
    seen = []
    network = Contextual(5, replace(SMALL, input_dropout=0.5)).train()
    monkeypatch.setattr(network.lstm, "forward", lambda x: seen.append(x) or (x, None))
    with pytest.raises(RuntimeError):  # the rest does not fit what stands in for the LSTM
        network(torch.ones(4, 6, 5), torch.tensor([6] * 4))
    x = torch.nn.utils.rnn.pad_packed_sequence(seen[0], True)[0]
    assert set(x.unique().tolist()) == {0.0, 2.0} and (x == x[:, :1]).all()


def test_it_stops_when_the_videos_held_back_get_worse(monkeypatch):
    part = utterances(10, 0)
    steps, losses = [], iter([3.0, 2.0, 2.5, 2.5, 2.5, 1.0])

    def loss(network, data, which):
        if network.training:
            steps.append(len(which))
            return network.out.bias.sum()
        assert len(data.rows) == 2
        return torch.tensor(next(losses))

    monkeypatch.setattr(bc_lstm, "_loss", loss)
    monkeypatch.setattr(bc_lstm, "PATIENCE", 3)
    bc_lstm.fit(videos(part, part.features["text"]), SMALL, 0)
    assert steps == [8] * 5


def test_all_of_it(tmp_path, monkeypatch):
    parts = {"train": utterances(30, 0), "test": utterances(12, 1)}
    monkeypatch.setattr(bc_lstm, "read_features", lambda path: parts)
    monkeypatch.setattr(bc_lstm, "ALONE", SMALL)
    monkeypatch.setattr(bc_lstm, "TOGETHER", replace(SMALL, activation="relu"))
    monkeypatch.setattr(bc_lstm, "SEEDS", 2)
    bc_lstm.main(["--data", str(tmp_path / "mosi.zip"), "--out", str(tmp_path / "r.json")])
    report = json.loads((tmp_path / "r.json").read_text())
    got = {r["weights"]: r for r in report["records"]}
    assert list(got) == [f"bc-LSTM, {name}" for name in (*MODALITIES, "+".join(MODALITIES))]
    assert got["bc-LSTM, text"]["value"] > 0.9 > got["bc-LSTM, video"]["value"] > 0.5
    assert got["bc-LSTM, text+audio+video"]["value"] > 0.9
    assert got["bc-LSTM, text"]["n"] == 2 and str(tmp_path) not in report["command"]


def test_audio_and_video_are_standardised_on_demand(tmp_path, monkeypatch):
    parts = {"train": utterances(3, 0), "test": utterances(2, 1)}
    given = []
    monkeypatch.setattr(bc_lstm, "read_features", lambda path: parts)

    def noted(parts, features, seed):
        given.append(features)
        return {"text": 0.5}

    monkeypatch.setattr(bc_lstm, "measured", noted)
    for option in ([], ["--standardise"]):
        bc_lstm.main(["--data", "mosi.zip", "--out", str(tmp_path / "r.json"), *option])
    raw, scaled = given[0], given[-1]
    assert raw["audio"]["test"] is parts["test"].features["audio"]
    assert scaled["text"]["test"] is parts["test"].features["text"]
    np.testing.assert_allclose(scaled["video"]["train"].mean(0), 0, atol=1e-6)
    (entry,) = json.loads((tmp_path / "r.json").read_text())["records"]
    assert entry["weights"] == "bc-LSTM, standardised, text"
