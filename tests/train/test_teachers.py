"""Who may teach which head, and that teachers made for speed say the same."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import cv2
import pytest
import timm
import torch
from skimage.data import astronaut

from fer_cbam import hub
from fer_cbam.errors import FerError, WeightsError
from fer_cbam.preprocess import Preprocess
from fer_cbam.pretrained import EMBEDDED
from tests.train.networks import small
from train import teachers
from train.teachers import (
    RETAIL,
    OpenVinoNetwork,
    digest,
    folded,
    teacher_of_stage,
    teacher_of_weights,
    weights_of,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def in_float(monkeypatch):
    """As on a processor with bfloat16: weights are asked as they are."""
    monkeypatch.setattr(teachers, "has_bf16", lambda device: True)


PRIOR = {"anger": 0.7, "happiness": 0.2, "sadness": 0.1}
LABELS = tuple(PRIOR)


@pytest.fixture
def released(tmp_path):
    """Weights of the second head of `source`, released with a balance of 0.5; and as they were."""
    model, plain = small(3, seed=2), small(3, seed=2)
    with torch.no_grad():
        model.head.fc.bias += (0.5 + 0.5 / (3 * torch.tensor(list(PRIOR.values())))).log()
    record = {"training": {"data": "b", "prior": PRIOR}, "balance": 0.5}
    return hub.save_model(model, tmp_path / "w", LABELS, record), plain


def test_weights_teach_the_head_of_their_labels_without_what_release_added(released, source):
    folder, plain = released
    teacher = teacher_of_weights(source, str(folder), Preprocess(), CPU)
    assert teacher.answers == (1,)
    x = torch.rand(4, 1, 48, 48)
    (said,) = teacher(x)
    torch.testing.assert_close(said, plain(x).softmax(1), atol=1e-5, rtol=0)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_weights_that_do_not_fit_are_refused(released, source, tmp_path):
    folder, _ = released
    with pytest.raises(FerError, match=r"sees images as .*\(0\.0,\).*expected .*\(0\.5,\)"):
        teacher_of_weights(source, str(folder), Preprocess(mean=(0.5,)), CPU)
    with pytest.raises(WeightsError, match="absent"):
        teacher_of_weights(source, str(tmp_path / "absent"), Preprocess(), CPU)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "training": {**config["training"], "data": "c"}}))
    with pytest.raises(FerError, match=r"labels of anger, happiness, sadness: expected .*a, b"):
        teacher_of_weights(source, str(folder), Preprocess(), CPU)
    path.write_text(json.dumps({**config, "training": {"data": "b"}}))
    with pytest.raises(WeightsError, match="prior"):
        teacher_of_weights(source, str(folder), Preprocess(), CPU)


def test_a_stage_teaches_every_head(source):
    both = small(5)
    x = torch.rand(2, 1, 48, 48)
    first, second = teacher_of_stage(source, both)(x)
    torch.testing.assert_close(first, both(x)[:, :2].softmax(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(second, both(x)[:, 2:].softmax(1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["fer_cbam_tiny", "fer_cbam_base", "fer_cbam_paper"])
def test_folded_networks_say_the_same(name):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=4)
    model.train()
    with torch.no_grad():
        for _ in range(3):  # averages of BatchNorm that are not 0 and 1
            model(torch.rand(8, 1, 48, 48) * 3)
    lean, x = folded(model), torch.rand(4, 1, 48, 48)
    norms, left = ([m for m in network.stages.modules() if isinstance(m, torch.nn.BatchNorm2d)]
                   for network in (model, lean))  # fmt: skip
    # The paper's networks normalise behind the activation, where nothing can be folded.
    assert model.training and len(left) == (len(norms) if name == "fer_cbam_paper" else 0)
    torch.testing.assert_close(lean(x), model.eval()(x), atol=1e-4, rtol=1e-4)


def test_other_values_another_digest():
    assert digest(small(2)) == digest(small(2))
    changed = small(2)
    changed.get_parameter("head.fc.bias").data[1] += 1e-6
    assert digest(changed) != digest(small(2)) != digest(small(2, seed=1))


def test_without_bfloat16_weights_are_asked_in_int8_and_say_nearly_the_same(
    released, source, monkeypatch
):
    folder, plain = released
    monkeypatch.setattr(teachers, "has_bf16", lambda device: False)
    teacher = teacher_of_weights(source, str(folder), Preprocess(), CPU)
    x = torch.from_numpy(Preprocess()([s.pixels for s in source.faces.samples]))
    (said,) = teacher(x)
    expected = plain(x).softmax(1)
    torch.testing.assert_close(said, expected, atol=0.02, rtol=0)
    assert (said - expected).abs().max() > 0
    assert digest(teacher) == digest(teacher_of_weights(source, str(folder), Preprocess(), CPU))


def test_weights_of_an_earlier_commit_are_read_from_git():
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=EMBEDDED, capture_output=True,
                            text=True)  # fmt: skip
    if commit.returncode:
        pytest.skip("this checkout has no git history")
    name = "fer_cbam_tiny.ferplus"
    with weights_of(f"{name}@{commit.stdout.strip()}") as place:
        held = subprocess.run(
            ["git", "show", f"HEAD:./{name}/model.safetensors"], cwd=EMBEDDED, capture_output=True
        )
        assert (Path(place) / "model.safetensors").read_bytes() == held.stdout
    with weights_of(name) as same:
        assert same == name
    with (
        pytest.raises(FerError, match="expected a clone with its history"),
        weights_of(f"{name}@0"),
    ):
        pass


@pytest.fixture
def foreign(monkeypatch) -> Path:
    pytest.importorskip("openvino", reason="openvino is not installed: pip install openvino")
    folder = Path(os.environ.get("FER_CBAM_DATA", "")).parent / "teachers"
    path = folder / "emotions-recognition-retail-0003-int8.xml"
    if not path.is_file():
        pytest.skip("emotions-recognition-retail-0003 of OpenVINO's Open Model Zoo is not here")
    monkeypatch.setenv("FER_CBAM_TEACHERS", str(folder))
    return path


@pytest.mark.data
def test_a_network_of_openvino_answers_the_head_of_its_labels(foreign, source):
    """Happy people smile: the astronaut of scikit-image, and the same answers in any order."""
    labels = ("anger", "happiness", "neutral", "sadness", "surprise")
    with_head = dataclasses.replace(
        source, names=("a", "c"), label_names=(("anger", "fear"), labels)
    )
    teacher = teacher_of_weights(with_head, foreign.name, Preprocess(), CPU)
    assert teacher.answers == (1,)
    grey = cv2.cvtColor(astronaut()[65:195, 165:295], cv2.COLOR_RGB2GRAY)
    face = torch.from_numpy(cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA))
    x = (face / 255)[None, None].repeat(2, 1, 1, 1)
    (said,) = teacher(x)
    assert said.shape == (2, 5) and labels[said[0].argmax()] == "happiness"
    torch.testing.assert_close(said.sum(1), torch.ones(2))
    given = OpenVinoNetwork(foreign, RETAIL)(x)
    torch.testing.assert_close(given[:, [RETAIL.index(label) for label in labels]].exp(), said,
                               atol=1e-5, rtol=0)  # fmt: skip


def test_a_foreign_teacher_that_is_missing_or_fits_no_head_is_named(source, monkeypatch):
    monkeypatch.delenv("FER_CBAM_TEACHERS", raising=False)
    with pytest.raises(FerError, match=r"teacher retail.xml: expected the labels of a head: a, b"):
        teacher_of_weights(source, "retail.xml", Preprocess(), CPU)
    fitting = dataclasses.replace(source, label_names=(("anger", "fear"), RETAIL))
    with pytest.raises(FerError, match=r"FER_CBAM_TEACHERS='' has no retail\.xml; expected the"):
        teacher_of_weights(fitting, "retail.xml", Preprocess(), CPU)
