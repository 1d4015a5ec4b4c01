"""Windows of a sound, and the network for voices on ONNX Runtime as torch says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub, pretrained
from fer_cbam.audio import RATE, Sound, checked
from fer_cbam.data.emodb import read_emodb
from fer_cbam.data.ravdess import read_ravdess
from fer_cbam.deploy.voice import add_voice_graph
from fer_cbam.errors import SoundError, WeightsError
from fer_cbam.models.prosody import LABELS
from fer_cbam.models.prosody import WINDOW as NETWORK_WINDOW
from fer_cbam.voice import DEFAULT_VOICE, HOP, WINDOW, Voice, windows
from tests.sounds import tone


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Weights that were not trained, with their graph."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("voice")
    model = timm.create_model("fer_cbam_prosody").eval()
    for module in model.modules():  # statistics as after training, not 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    hub.save_model(model, folder, LABELS, {"temperature": 2.0, "reliability": 0.7}, torch.float16)
    add_voice_graph(folder)
    return folder


def test_windows_end_each_half_second() -> None:
    samples = tone(3.2, 150)
    found = windows(samples)
    np.testing.assert_allclose(found.ends, [0.5, 1, 1.5, 2, 2.5, 3])
    np.testing.assert_allclose(found.voice, [0.25, 0.5, 0.75, 1, 1, 1])
    np.testing.assert_array_equal(found.samples[4], samples[HOP : HOP + WINDOW])
    np.testing.assert_array_equal(found.samples[0, -HOP:], samples[:HOP])
    assert not found.samples[0, :-HOP].any()
    assert windows(tone(3.3, 150)).ends[-1] == pytest.approx(3.3)
    assert WINDOW == NETWORK_WINDOW


def test_pauses_say_nothing() -> None:
    samples = np.concatenate([tone(1), 0.001 * tone(4), tone(1)])
    found = windows(samples)
    np.testing.assert_allclose(found.ends, [0.5, 1, 1.5, 2, 2.5, 5.5, 6])
    np.testing.assert_allclose(found.voice, [0.25, 0.5, 0.5, 0.5, 0.25, 0.25, 0.5])


def test_onnx_says_what_torch_says(folder: Path) -> None:
    voice = Voice.from_pretrained(folder)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    rng = np.random.default_rng(0)
    samples = np.stack([tone(2, hertz) for hertz in (90, 140, 300)]
                       + [0.1 * rng.standard_normal(WINDOW), np.zeros(WINDOW)])  # fmt: skip
    samples = np.tile(samples.astype(np.float32), (4, 1))  # more than one batch
    logits, tokens = voice.forward(samples)
    with torch.inference_mode():
        expected = model.forward_explained(torch.from_numpy(samples))
    np.testing.assert_allclose(logits, expected[0], atol=2e-4)
    np.testing.assert_allclose(tokens, expected[1], atol=2e-4)
    assert np.ptp(logits, axis=0).max() > 1e-3
    assert (folder / "model.onnx").stat().st_size < 400_000


def test_a_reading(folder: Path) -> None:
    voice = Voice.from_pretrained(folder)
    assert voice.label_names == LABELS and voice.reliability == 0.7
    sound = checked(np.concatenate([tone(2, 120), np.zeros(4 * RATE, np.float32)]), rate=8000)
    reading = voice.encode(sound)
    assert reading.modality == "voice" and reading.cautions == sound.cautions != ()
    found = windows(sound.samples)
    np.testing.assert_allclose(reading.times[:, 1], found.ends)
    np.testing.assert_allclose(reading.times[0], [0, 0.5])
    np.testing.assert_allclose(reading.times[-1], [found.ends[-1] - 0.5, found.ends[-1]])
    np.testing.assert_allclose(reading.logits, voice.forward(found.samples)[0] / 2, rtol=1e-6)
    assert np.isnan(reading.at([5.9])).all() and not np.isnan(reading.at([1.2])).any()


def test_an_answer_depends_on_nothing_that_comes_later(folder: Path) -> None:
    voice = Voice.from_pretrained(folder)
    whole = tone(4, 120) * np.linspace(0.5, 1, 4 * RATE, dtype=np.float32)
    early, all_of_it = (voice.encode(Sound(s)) for s in (whole[: 2 * RATE], whole))
    np.testing.assert_allclose(all_of_it.logits[: len(early)], early.logits, atol=1e-5)


def test_a_long_sound_is_heard_a_little_at_a_time(folder: Path) -> None:
    voice, sound = Voice.from_pretrained(folder), checked(tone(20, 120))
    steps = voice.steps(sound)
    assert sum(1 for _ in steps) == 3  # 40 windows, 16 a step
    steps = voice.steps(sound)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            np.testing.assert_allclose(end.value.logits, voice.encode(sound).logits, atol=1e-6)
            break


def test_what_cannot_be_heard(folder: Path, tmp_path: Path) -> None:
    voice = Voice.from_pretrained(folder)
    with pytest.raises(SoundError, match=r"0\.25 s of sound; expected at least 0\.5"):
        voice.encode(Sound(tone(0.25)))
    with pytest.raises(WeightsError, match="voice 'nothing': neither embedded"):
        Voice.from_pretrained("nothing")
    with pytest.raises(WeightsError, match="no such file; expected a timm config"):
        Voice.from_pretrained(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "model.safetensors"):
        (broken / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(WeightsError, match=r"model\.onnx: no such file"):
        Voice.from_pretrained(broken)
    (broken / "model.onnx").write_bytes(b"junk")
    with pytest.raises(WeightsError, match=r"model\.onnx: damaged, or not for these weights"):
        Voice.from_pretrained(broken)
    (broken / "config.json").write_text(
        (folder / "config.json").read_text().replace("fer_cbam_prosody", "fer_cbam_base")
    )
    with pytest.raises(WeightsError, match="'fer_cbam_base'; expected one of fer_cbam_prosody"):
        Voice.from_pretrained(broken)


# The weights that ship.


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice.from_pretrained()


def test_the_embedded_weights_as_torch_has_them(voice: Voice) -> None:
    model = timm.create_model(DEFAULT_VOICE, pretrained=True).eval()
    rng = np.random.default_rng(1)
    samples = np.stack([tone(2, hertz) for hertz in (90, 140, 300)]
                       + [(0.1 * rng.standard_normal(WINDOW)).astype(np.float32)])  # fmt: skip
    with torch.inference_mode():
        logits, tokens = model.forward_explained(torch.from_numpy(samples))
    got = voice.forward(samples)
    np.testing.assert_allclose(got[0], logits, atol=1e-3)
    np.testing.assert_allclose(got[1], tokens, atol=1e-3)
    # Not the answer of a network that was not trained: sounds get different ones.
    assert np.ptp(got[0], axis=0).max() > 0.5


def test_what_ships_for_voices(voice: Voice) -> None:
    folder = pretrained.EMBEDDED / DEFAULT_VOICE
    assert pretrained.embedded_voices() == [DEFAULT_VOICE]
    assert DEFAULT_VOICE not in pretrained.embedded_names()
    assert voice.config["pretrained_cfg"]["license"] == voice.config["license"]
    assert voice.config["license"] == "cc-by-nc-sa-4.0"
    assert 0.5 < voice.temperature < 3 and 0 < voice.reliability <= 2
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1e6


@pytest.mark.data
def test_the_embedded_weights_know_what_they_learnt(voice: Voice, data_dir: Path) -> None:
    for speech in (read_ravdess(data_dir / "speech/ravdess.zip"),
                   read_emodb(data_dir / "speech/emodb.zip")):  # fmt: skip
        asked = np.flatnonzero(np.isin(speech.labels(), LABELS))[::12]
        hits = []
        for number, sound in enumerate(speech.sounds()):
            if number in asked:
                said = np.log(voice.encode(sound).posterior()).mean(0).argmax()
                hits.append(LABELS[int(said)] == speech.labels()[number])
        assert np.mean(hits) > 0.4, (speech.name, np.mean(hits))  # chance: 1 in 7
