"""The full CK+ on a made-up tree: reader, training and evaluation, by the commands of the docs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from eval.__main__ import main as evaluate
from fer_cbam import pretrained
from fer_cbam.errors import FerError
from fer_cbam.serve.server import ASSETS
from fer_cbam.smoothing.recurrent import Recurrent
from tests.data.tiny_sequences import ck_tree
from train.__main__ import main as train
from train.clips import readings_of
from train.recipe import read_recipe

SETTINGS = ("epochs=2", "batch_size=2", "model_args={width: 6, hidden_size: 8}")


@pytest.fixture(scope="module")
def ck(tmp_path_factory):
    face = np.asarray(Image.open(ASSETS / "astronaut.jpg"))[:300, 80:380]
    pictures = {"S005_001": face, "S010_004": np.ascontiguousarray(face[:, ::-1])}
    return ck_tree(tmp_path_factory.mktemp("ck"), pictures)


def test_from_a_folder_to_a_report(ck, tmp_path):
    arguments = ["--config", "fer_cbam_gru.ferplus", "--data", str(ck), "--protocol", "public",
                 "--out", str(tmp_path / "run")]  # fmt: skip
    train([*arguments, *(word for one in SETTINGS for word in ("--set", one))])
    folder = tmp_path / "run" / "public"
    config = pretrained.read_config(folder)
    assert config["reads"]["weights"] == "fer_cbam_base.ferplus" and config["temperature"] > 0
    assert config["training"]["data"] == "sequences" and config["training"]["clips"] == 1
    assert Recurrent.load(folder).embedding_size == 320

    evaluate(["--protocol", "clips", "--data", str(ck), "--data-name", "ckplus",
              "--network", str(folder), "--out", str(tmp_path)])  # fmt: skip
    report = json.loads((tmp_path / "clips.json").read_text())
    found = {(r.get("option"), r["metric"]): r for r in report["records"]}
    options = {option for option, _ in found if option}
    assert options == {"single_frames", "average", "filter", "network"}
    # Eight frames of two people; the first and the last three of each are labelled.
    assert found[None, "frames_found"]["value"] == 16 and found[None, "changes"]["value"] == 2
    accuracy = found["single_frames", "accuracy"]
    # The astronaut smiles: right in three frames of the sequence that is labelled so.
    assert accuracy["value"] == pytest.approx(3 / 8) and accuracy["protocol"] == "clips_ckplus"


def test_people_are_held_out_whole(ck, tmp_path):
    from fer_cbam.backends.open import open_backend

    recipe = read_recipe("fer_cbam_gru.ferplus")
    backend = open_backend("fer_cbam_base.ferplus", "onnx")
    name, kept, held = readings_of(recipe, backend, ck, None, tmp_path)
    assert (name, len(kept), len(held)) == ("sequences", 8, 8)
    with pytest.raises(FerError, match="expected FER2013 with --votes, or recorded sequences"):
        readings_of(recipe, backend, faces_folder(tmp_path), None, tmp_path)


def faces_folder(folder):
    for label in ("happy", "sad"):
        (folder / "faces" / label).mkdir(parents=True)
        Image.fromarray(np.zeros((48, 48), np.uint8)).save(folder / "faces" / label / "1.png")
    return folder / "faces"
