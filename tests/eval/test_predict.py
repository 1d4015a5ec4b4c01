from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch

from eval import predict as p
from eval.table import scored
from fer_cbam import hub
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.data.protocols import protocol_splits
from fer_cbam.deploy.export import export
from fer_cbam.deploy.graph import add_graph
from fer_cbam.errors import BackendError, DataError, WeightsError
from tests.eval.conftest import LABELS


def names(found):
    return [job.split.name for job in found]


def test_plain_and_flip_are_the_model_on_the_crop_and_its_mirror(tiny, save_weights):
    backend = TorchBackend(hub.load_model(save_weights("w", None)), "cpu")
    crops = [sample.pixels for sample in tiny.samples[:7]]
    x = torch.from_numpy(backend.preprocess(crops))
    mirrored = torch.from_numpy(
        backend.preprocess([np.ascontiguousarray(c[:, ::-1]) for c in crops])
    )
    with torch.no_grad():
        plain, mirror = backend.model(x).numpy(), backend.model(mirrored).numpy()
    assert np.abs(plain - mirror).max() > 1e-3
    np.testing.assert_allclose(p.predict_logits(backend, crops), plain, atol=1e-6)
    np.testing.assert_allclose(
        p.predict_logits(backend, crops, "flip"), (plain + mirror) / 2, atol=1e-6
    )
    with pytest.raises(DataError, match="option 'mirror'; expected one of: plain, flip, tencrop"):
        p.predict_logits(backend, crops, "mirror")


def test_ten_crops_are_those_of_torchvision(tiny, save_weights):
    from PIL import Image
    from torchvision.transforms import TenCrop

    backend = TorchBackend(hub.load_model(save_weights("w", None)), "cpu")
    crop = tiny.samples[0].pixels
    ten = [np.asarray(view) for view in TenCrop(44)(Image.fromarray(crop))]
    for got, expected in zip(p.five_crops(crop), ten[:5], strict=True):
        np.testing.assert_array_equal(got, expected)
    with torch.no_grad():
        expected = backend.model(torch.from_numpy(backend.preprocess(ten))).mean(0).numpy()
    got = p.predict_logits(backend, [crop, tiny.samples[1].pixels], "tencrop")
    np.testing.assert_allclose(got[0], expected, atol=1e-5)
    assert np.abs(p.predict_logits(backend, [crop])[0] - expected).max() > 1e-2


def test_other_backends_fill_the_same_table(tiny, save_weights):
    folder = add_graph(save_weights("w", {"data": "other"}, temperature=2.0)).parent
    tables = {
        name: p.predict(p.jobs(str(folder), tiny, "public", name), tiny, "public", "flip")
        for name in ("torch", "onnx")
    }
    logits = [f"logit_{name}" for name in LABELS]
    np.testing.assert_allclose(tables["onnx"][logits], tables["torch"][logits], atol=1e-4)
    rest = [t.drop(columns=logits) for t in tables.values()]
    pd.testing.assert_frame_equal(*rest)
    assert tables["onnx"].attrs == tables["torch"].attrs
    with pytest.raises(WeightsError, match=r"model\.int8\.onnx: no such file"):
        p.jobs(str(folder), tiny, "public", "onnx-int8")
    with pytest.raises(BackendError, match="got device 'cuda'"):
        p.jobs(str(folder), tiny, "public", "onnx", "cuda")


def test_the_sum_of_an_exported_network_is_that_of_its_own_file(tiny, save_weights, tmp_path):
    exported = export(save_weights("w", {"data": "other"}), tmp_path / "out").folder
    expected = hashlib.sha256((exported / "model.onnx").read_bytes()).hexdigest()
    jobs = p.jobs(str(exported), tiny, "public", "onnx")
    assert jobs[0].folder == exported
    assert p.weights_sha256(jobs) == {"public": expected}


def test_an_ensemble_is_the_mean_of_probabilities(tiny, save_weights):
    folders = [save_weights(f"w{k}", {"data": "other"}, seed=k, temperature=1.0 + k)
               for k in range(3)]  # fmt: skip
    members = [p.jobs(str(folder), tiny, "public") for folder in folders]
    got = p.predict_ensemble(members, tiny, "public", "three")
    alone = [scored(p.predict(pairs, tiny, "public")).probs for pairs in members]
    np.testing.assert_allclose(scored(got).probs, np.mean(alone, axis=0), atol=1e-9)
    assert (got.attrs["option"], got.attrs["weights"]) == ("ensemble", "three")
    with pytest.raises(DataError, match="1 sets of weights"):
        p.predict_ensemble(members[:1], tiny, "public", "one")
    other = save_weights("x", {"data": "other"}, ("anger", "surprise", "happiness"))
    with pytest.raises(DataError, match="2 kinds of splits and labels"):
        p.predict_ensemble([members[0], p.jobs(str(other), tiny, "public")], tiny, "public", "x")


def test_the_labels_of_an_ensemble_are_lifted_by_the_mean(tiny, save_weights):
    shifts = [{"anger": 1.0, "surprise": 0.0}, {"anger": 0.0, "surprise": -3.0}]
    folders = [save_weights(f"w{k}", {"data": "other"}, seed=k, decision={"shift": shift})
               for k, shift in enumerate(shifts)]  # fmt: skip
    members = [p.jobs(str(folder), tiny, "public") for folder in folders]
    s = scored(p.predict_ensemble(members, tiny, "public", "two"))
    assert list(s.preds) == list((np.log(s.probs) + np.array([0.5, 0.0, -1.5])).argmax(1))
    assert (s.preds != s.probs.argmax(1)).any()


def test_the_sum_of_the_weights_is_that_of_the_file(tiny, save_weights):
    folder = save_weights("w", {"data": "other"})
    expected = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert p.weights_sha256(p.jobs(str(folder), tiny, "public")) == {"public": expected}


def test_probabilities_are_those_of_the_recognizer(tiny, save_weights):
    five = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    seen = p.read(p.jobs(str(save_weights("seen", {"data": "other"})), tiny, "public")[0].backend,
                  [s.pixels for s in tiny.samples if s.split == "PublicTest"])[1]  # fmt: skip
    probe = {"weights": [1.0] + [0.0] * 63, "bias": -float(np.median(seen[:, 0]))}
    numbers = {"temperature": 0.5, "bias": {"anger": 0.2}, "uncertain_below": 0.36,
               "prior": {"anger": 0.2, "happiness": 0.5, "surprise": 0.3}, "face_probe": probe,
               "decision": {"balance": 0.5, "shift": {"anger": -0.3}}}  # fmt: skip
    folder = save_weights("w", {"data": "other"}, landmarks=five, **numbers)
    from fer_cbam.recognizer import EmotionRecognizer

    split = protocol_splits(tiny, "public")[0]
    crops = [tiny.samples[i].pixels for i in split.test]
    said = []
    for prior in (None, "uniform", {"anger": 0.5, "happiness": 0.5, "surprise": 0.01}):
        table = p.predict(p.jobs(str(folder), tiny, "public"), tiny, "public", prior=prior)
        recognizer = EmotionRecognizer.from_pretrained(folder, object(), prior=prior)
        predictions, _ = recognizer.classify(crops)
        s = scored(table)
        said.append([s.label_names[i] for i in s.preds])
        assert said[-1] == [prediction.label for prediction in predictions]
        assert list(~s.answered) == [p.uncertain or p.no_face for p in predictions]
        assert list(~table["face"]) == [p.no_face for p in predictions]
        for row, prediction in enumerate(predictions):
            np.testing.assert_allclose(s.probs[row], list(prediction.probs.values()), atol=1e-6)
    assert 0 < table["face"].sum() < len(table)
    assert said[0] != said[2]
    logits = table.filter(like="logit_").to_numpy()
    np.testing.assert_allclose(logits, p.predict_logits(recognizer.backend, crops), atol=1e-6)
    places = p.predict_labels(recognizer.backend, crops)
    assert [LABELS[i] for i in places] == said[0]


def test_the_table_names_every_test_image_with_its_target(tiny, save_weights):
    labels = ("surprise", "neutral", "anger", "happiness")
    folder = save_weights("w", {"data": "other"}, labels)
    pairs = p.jobs(str(folder), tiny, "private")
    table = p.predict(pairs, tiny, "private", "flip")
    test = protocol_splits(tiny, "private")[0].test
    assert list(table["sample_id"]) == [tiny.samples[i].sample_id for i in test]
    assert list(table["target"]) == [tiny.samples[i].label for i in test]
    assert list(table["subject_id"]) == [tiny.samples[i].subject_id for i in test]
    assert list(table.columns[-4:]) == [f"logit_{name}" for name in labels]
    assert table.attrs == {
        "data": "tiny", "label_names": list(LABELS), "protocol": "private", "option": "flip",
        "weights": "fer_cbam_paper.other", "scores": "logits", "sequence_overlap": 0.0,
        "decisions": {"private": {"temperature": 1.0, "bias": [0.0] * 4, "lift": [0.0] * 4,
                                  "uncertain_below": 0.0}},
    }  # fmt: skip


def test_weights_of_another_data_set_see_every_split(tiny, save_weights):
    folder = save_weights("w", {"data": "other", "protocol": "paper", "split": "seed3"})
    found = names(p.jobs(str(folder), tiny, "paper"))
    assert found == ["seed0", "seed1", "seed2", "seed3", "seed4"]


def test_weights_are_tested_on_their_own_split_only(tiny, save_weights):
    folder = save_weights("w", {"data": "tiny", "protocol": "paper", "split": "seed3"})
    jobs = p.jobs(str(folder), tiny, "paper")
    assert names(jobs) == ["seed3"]
    assert p.weights_name(jobs[0].backend) == "fer_cbam_paper.tiny"


def test_a_folder_of_runs_gives_each_split_to_its_own_weights(tiny, save_weights):
    for k in range(5):
        folder = save_weights(
            f"runs/seed{k}", {"data": "tiny", "protocol": "paper", "split": f"seed{k}"}, seed=k
        )
    jobs = p.jobs(str(folder.parent), tiny, "paper")
    assert [(job.split.name, job.folder.name) for job in jobs] == [
        (f"seed{k}", f"seed{k}") for k in range(5)
    ]


def test_a_split_without_weights_is_an_error(tiny, save_weights):
    for k in (0, 1, 2, 4):
        folder = save_weights(
            f"runs/seed{k}", {"data": "tiny", "protocol": "paper", "split": f"seed{k}"}
        )
    with pytest.raises(
        WeightsError, match="expects each of seed0, seed1, seed2, seed3, seed4 once"
    ):
        p.jobs(str(folder.parent), tiny, "paper")


def test_two_weights_for_one_split_are_an_error(tiny, save_weights):
    for name in ("a", "b"):
        folder = save_weights(f"runs/{name}", {"data": "tiny", "protocol": "public",
                                               "split": "public"})  # fmt: skip
    with pytest.raises(WeightsError, match=r"weights for splits public, public; .*each of public"):
        p.jobs(str(folder.parent), tiny, "public")


def test_test_images_that_were_trained_on_are_an_error(tiny, save_weights):
    folder = save_weights("w", {"data": "tiny", "protocol": "paper", "split": "seed0"})
    trained = set(protocol_splits(tiny, "paper")[0].train)
    test = protocol_splits(tiny, "private")[0].test
    overlap = len(trained & set(test))
    assert overlap > 0
    with pytest.raises(WeightsError, match=f"{overlap} of the {len(test)} test images of private"):
        p.jobs(str(folder), tiny, "private")


def test_the_official_splits_share_their_training_side(tiny, save_weights):
    folder = save_weights("w", {"data": "tiny", "protocol": "public", "split": "public"})
    assert names(p.jobs(str(folder), tiny, "private")) == ["private"]


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (None, "does not say what the weights were trained on"),
        ({"protocol": "paper"}, "does not say what the weights were trained on"),
        (
            {"data": "tiny", "protocol": "paper", "split": "seed9"},
            "expected one of the splits seed0",
        ),
        ({"data": "tiny", "protocol": "everything"}, "its training side cannot be told"),
        ({"data": "tiny", "protocol": "public", "split": "x"}, "that protocol has no such split"),
    ],
)
def test_weights_that_cannot_be_checked_are_an_error(tiny, save_weights, training, message):
    folder = save_weights("w", training)
    with pytest.raises(WeightsError, match=message):
        p.jobs(str(folder), tiny, "paper")


def test_ferplus_and_fer2013_are_the_same_images(tiny, save_weights):
    import dataclasses

    fer2013 = dataclasses.replace(tiny, name="fer2013")
    folder = save_weights("w", {"data": "ferplus", "protocol": "paper", "split": "seed0"})
    with pytest.raises(WeightsError, match="were in its training side"):
        p.jobs(str(folder), fer2013, "private")


def test_a_folder_without_weights_is_an_error(tmp_path, tiny):
    with pytest.raises(WeightsError, match="expected weights or one folder of weights for each"):
        p.jobs(str(tmp_path), tiny, "paper")
