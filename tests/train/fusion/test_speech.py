"""Training on speech: made-up voices whose emotions are pitches."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_cbam.data.emodb import read_emodb
from fer_cbam.data.ravdess import read_ravdess
from fer_cbam.models.prosody import FRAME, HOP, RATE
from fer_cbam.voice import LEAST_VOICE
from tests.sounds import tone, written
from train.fusion import prosody, speech
from train.fusion.prosody import (
    EDGE,
    FRAMES,
    Settings,
    both,
    drawn,
    features,
    fit,
    statistics,
    summed_up,
)


@pytest.fixture(scope="module")
def voices(tmp_path_factory) -> dict[str, Path]:
    """RAVDESS and EmoDB of tones: the emotion is the pitch, the speaker the level."""
    folder = tmp_path_factory.mktemp("voices")
    with zipfile.ZipFile(folder / "emodb.zip", "w") as archive:
        for speaker in range(3, 11):
            for number, letter in enumerate("WLEAFTN"):
                sound = tone(1.2, 90 + 40 * number, level=0.1 + 0.05 * speaker)
                archive.writestr(f"{speaker:02}a01{letter}a.wav", written(sound))
    with zipfile.ZipFile(folder / "ravdess.zip", "w") as archive:
        for speaker in range(1, 11):
            for emotion in range(1, 9):
                sound = np.pad(tone(2, 80 + 30 * emotion, level=0.04 * speaker), (8000, 4000))
                name = f"03-01-{emotion:02}-01-01-01-{speaker:02}.wav"
                archive.writestr(name, written(sound))
    return {name: folder / f"{name}.zip" for name in ("ravdess", "emodb")}


@pytest.fixture(scope="module")
def data(voices) -> prosody.Utterances:
    return features(read_emodb(voices["emodb"]))


def test_features(data: prosody.Utterances) -> None:
    assert len(data) == 56 and data.lengths.shape == (56, 3)
    assert len(data.mel) == len(data.tracks) == int(data.lengths.sum())
    # Pitch and tempo go together: at 10/9 of the length, 9/10 of the pitch.
    row = list(data.labels).index("neutral")
    spans = zip(data.starts[row].tolist(), data.lengths[row].tolist(), strict=True)
    tracks = [data.tracks[s : s + n].float() for s, n in spans]
    pitches = [track[track[:, 1] > 0.9, 2].median() for track in tracks]
    assert pitches[0] - pitches[1] == pytest.approx(np.log2(0.9), abs=0.02)
    assert pitches[2] - pitches[1] == pytest.approx(-np.log2(0.9), abs=0.02)
    assert data.asked_mel.shape[1:] == (64, FRAMES) and (np.bincount(data.owners) >= 2).all()
    assert data.speakers[0] == "EmoDB 03"


def test_as_little_voice_is_learnt_from_as_is_asked_about(voices, data) -> None:
    def frames(seconds: float) -> int:
        return (round(seconds * RATE) - FRAME) // HOP + 1

    # A margin of 1.6 s before a tone of 1.2 s, of zeros; nothing lies behind it.
    assert data.lengths[0, 1] == frames(1.6 + 1.2)
    assert data.tracks[int(data.starts[0, 1]), 0] < -20
    # Of a tone of 2 s with half a second before it and a quarter behind: all of it, and zeros.
    ravdess = features(read_ravdess(voices["ravdess"]))
    assert abs(int(ravdess.lengths[0, 1]) - frames(1.6 + 2 + 0.25)) <= 1
    share = data.voice[data.owners == 0]
    assert LEAST_VOICE <= share.min() < 0.3


def test_a_plain_classifier_is_given_the_voice_alone(data) -> None:
    row = statistics(data)[0].reshape(4, -1)
    at = slice(int(data.starts[0, 1]), int(data.starts[0, 1] + data.lengths[0, 1]))
    energy = data.tracks[at, 0].float().numpy()
    voice = energy[energy > energy.max() - 2.5 * np.log(10)]
    spoken = np.concatenate([energy[-len(voice) - EDGE : -len(voice)], voice])
    assert row[0, 64] == pytest.approx(spoken.mean(), abs=0.6) and row[0, 64] > energy.mean() + 2


def test_windows_are_drawn_within_one_utterance(data: prosody.Utterances) -> None:
    torch.manual_seed(0)
    rows = torch.tensor([0, 55] * 40)
    mel, tracks = drawn(data, rows)
    assert mel.shape == (80, 64, FRAMES) and tracks.shape == (80, 3, FRAMES)
    for row in (0, 55):
        start, end = int(data.starts[row, 0]), int(data.starts[row, 2] + data.lengths[row, 2])
        known = data.tracks[start:end, 2].float()
        voiced = tracks[rows == row, 1] > 0.9
        assert torch.isin(tracks[rows == row, 2][voiced], known).all()


def test_two_sets_together(data: prosody.Utterances) -> None:
    pair = both(data, data)
    assert len(pair) == 112
    for of in (lambda d, r: drawn(d, torch.tensor([r]))[0], lambda d, r: statistics(d)[r]):
        torch.manual_seed(3)
        first = of(data, 5)
        torch.manual_seed(3)
        np.testing.assert_array_equal(first, of(pair, 61))
    assert (pair.owners[len(data.owners) :] == data.owners + 56).all()


def test_it_learns_what_it_is_shown(data: prosody.Utterances) -> None:
    labels = ("anger", "neutral")
    rows = np.flatnonzero(np.isin(data.labels, labels))
    network = fit(data, rows, labels, Settings(epochs=25))
    logits, owners = prosody.ask(network, data, rows)
    said = summed_up(logits, owners, data, rows).argmax(1)
    assert (np.array(labels)[said] == data.labels[rows]).mean() == 1
    again = fit(data, rows, labels, Settings(epochs=1), start=network)
    assert torch.equal(again.state_dict()["front.time"], network.state_dict()["front.time"])


def test_what_is_said_of_an_utterance_is_the_mean_of_its_windows(data) -> None:
    rows = np.array([4, 1])
    owners = data.owners[np.isin(data.owners, rows)]
    probs = np.where((owners == 4)[:, None], [0.8, 0.2], [0.3, 0.7])
    logs = summed_up(np.log(probs), owners, data, rows)
    np.testing.assert_allclose(np.exp(logs), [[0.8, 0.2], [0.3, 0.7]], atol=1e-6)
    none = summed_up(np.log(probs)[owners == 4], owners[owners == 4],
                     _without(data, 1), rows)  # fmt: skip
    np.testing.assert_allclose(np.exp(none[1]), [0.5, 0.5])


def _without(data, row):
    from dataclasses import replace

    kept = data.owners != row
    return replace(data, owners=data.owners[kept], voice=data.voice[kept])


def test_protocols_keep_speakers_apart(voices, data) -> None:
    found = list(speech.protocols(features(read_ravdess(voices["ravdess"])), data))
    for protocol in found:
        tested = np.concatenate([part.test for part in protocol.parts])
        assert len(set(tested)) == len(tested)
        for part in protocol.parts:
            names = [set(protocol.utterances.speakers[side]) for side in (part.train, part.test)]
            assert bool(names[0] & names[1]) == (protocol.name == speech.RANDOM), part.name
            known = protocol.utterances.labels[np.concatenate([part.train, part.test])]
            assert set(known) <= set(protocol.labels)
    assert [len(p.parts) for p in found] == [5, 5, 1, 1, 8, 1, 1]


@pytest.mark.slow
def test_the_command(voices, tmp_path, monkeypatch) -> None:
    from fer_cbam.audio import checked
    from fer_cbam.voice import Voice

    quick = Settings(epochs=1)
    monkeypatch.setattr(speech, "SETTINGS", quick)
    monkeypatch.setattr(speech, "FINE", quick)
    arguments = [f"--{name}={path}" for name, path in voices.items()]
    out, weights = tmp_path / "out.json", tmp_path / "weights"
    arguments += [f"--runs={tmp_path / 'runs'}", f"--out={out}", f"--weights={weights}"]
    speech.main(arguments)
    report = json.loads(out.read_text())
    names = {(r["protocol"], r["data"], r["weights"], r["metric"]) for r in report["records"]}
    assert (speech.ALONE, "emodb", speech.NETWORK, "unweighted average recall") in names
    assert (weights / "model.safetensors").stat().st_size < 2 << 20
    assert "license: cc-by-nc-sa-4.0" in (weights / "README.md").read_text()
    reading = Voice.from_pretrained(weights).encode(checked(tone(3, 200)))
    assert reading.logits.shape == (6, 7)
    monkeypatch.setattr(speech, "fit", None)  # everything is done: nothing is trained again
    speech.main(arguments)
    assert json.loads(out.read_text())["records"] == report["records"]
