"""Networks for voices and words: loaded once, and why there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.serve import modalities
from fer_cbam.serve.modalities import NO_AUDIO, NO_TEXT, NO_WEIGHTS, Modalities
from fer_cbam.transcripts import Line, Transcript
from tests.modality_networks import write_text, write_voice


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("modalities")
    voice = write_voice(folder / "voice", "sadness", 0.9)
    return voice, write_text(folder / "text", "anger", 0.8)


def without(monkeypatch, *packages: str) -> None:
    monkeypatch.setattr(
        modalities, "find_spec", lambda name: None if name in packages else object()
    )


def test_what_is_missing_is_told(folders, monkeypatch):
    there = Modalities(*folders)
    without(monkeypatch)
    assert there.missing() == {"voice": "", "text": "", "microphone": ""}
    without(monkeypatch, "av")
    assert there.missing() == {"voice": NO_AUDIO, "text": "", "microphone": ""}
    without(monkeypatch, "pysubs2")
    assert there.missing() == {"voice": "", "text": NO_TEXT, "microphone": ""}
    without(monkeypatch, "onnxruntime")
    assert there.missing() == {"voice": NO_AUDIO, "text": NO_TEXT, "microphone": NO_AUDIO}
    assert set(Modalities("no", "no").missing().values()) == {NO_WEIGHTS}


def test_embedded_weights_count_as_there(monkeypatch):
    monkeypatch.setattr(pretrained, "embedded_voices", lambda: ["fer_cbam_prosody.a"])
    without(monkeypatch)
    found = Modalities("fer_cbam_prosody.a", "no").missing()
    assert found == {"voice": "", "text": NO_WEIGHTS, "microphone": ""}


def test_networks_are_loaded_once(folders):
    there = Modalities(*folders)
    assert there.voice() is there.voice() and there.text() is there.text()
    said = there.text().encode(Transcript((Line(0, 1, "Well"),)))
    assert said.posterior()[0, said.label_names.index("anger")] == pytest.approx(0.8, abs=1e-3)
    with pytest.raises(WeightsError, match="voice 'no': neither embedded"):
        Modalities("no").voice()
