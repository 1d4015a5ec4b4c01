"""What teachers say of faces, and whose targets it becomes part of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_cbam import hub
from fer_cbam.errors import FerError, WeightsError
from tests.train.networks import small
from train.examples import Source
from train.teachers import keep_teachers, load_teachers, mix, teacher_probs, with_teachers


def test_teachers_are_averaged_over_themselves_and_the_mirror(tmp_path, source):
    labels = ("anger", "fear")
    teachers = [small(2, seed) for seed in (1, 2)]
    folders = [tmp_path / str(i) for i in range(2)]
    for folder, teacher in zip(folders, teachers, strict=True):
        hub.save_model(teacher, folder, labels)
    crops = [sample.pixels for sample in source.faces.samples]
    x = torch.from_numpy(np.stack(crops)).float()[:, None] / 255
    with torch.no_grad():
        expected = sum(((t(x) + t(x.flip(-1))) / 2).softmax(1) for t in teachers) / 2
    ours = teacher_probs(load_teachers(folders, labels), crops)
    np.testing.assert_allclose(ours, expected, atol=5e-3)  # bfloat16, where there is any
    with pytest.raises(FerError, match=r"expected \('fear', 'anger'"):
        load_teachers(folders, ("fear", "anger"))
    with pytest.raises(WeightsError, match="absent"):
        load_teachers([tmp_path / "absent"], labels)


def test_mix_hands_over_to_the_teacher_where_nothing_is_labelled():
    """Of a labelled face mixed half with one that is not, more than half is the teacher's."""
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.5, 0.0]])
    taught = torch.tensor([[0.2, 0.8], [0.6, 0.4], [0.2, 0.8]])
    expected = [[0.8, 0.2], [0.6, 0.4], [0.375 + 0.625 * 0.2, 0.625 * 0.8]]
    np.testing.assert_allclose(mix(targets, taught, 0.25), expected, atol=1e-7)


def test_only_what_is_trained_on_is_taught(tmp_path, source):
    """The labels of what a run is measured by stay as they are."""
    for name, labels in zip(source.names, source.label_names, strict=True):
        hub.save_model(small(len(labels)), tmp_path / name, labels)
    rows = np.array([1, 2])
    taught = with_teachers(source, rows, [tmp_path], 0.5, tmp_path / "out")
    crops = [source.faces.samples[i].pixels for i in rows]
    for head, name in enumerate(source.names):
        said = teacher_probs(load_teachers([tmp_path / name], source.label_names[head]), crops)
        own = source.targets[head]
        expected = own.copy()
        labelled = own[rows].sum(1, keepdims=True)
        expected[rows] = 0.5 * own[rows] + (1 - 0.5 * labelled) * said
        np.testing.assert_allclose(taught.targets[head], expected, atol=1e-6)
        assert not own[2].any() and taught.targets[head][2].sum() == pytest.approx(1, abs=1e-2)
    assert with_teachers(source, rows, [], 0.0, tmp_path) is source
    for teachers, share in (([tmp_path], 0.0), ([], 0.5)):
        with pytest.raises(FerError, match="expected both or neither"):
            with_teachers(source, rows, teachers, share, tmp_path)


def test_teachers_are_asked_once(tmp_path, source, monkeypatch):
    """What they said is read again; other weights, faces and precision are asked anew."""
    for name, labels in zip(source.names, source.label_names, strict=True):
        hub.save_model(small(len(labels)), tmp_path / "t" / name, labels)
    rows, out, asked = np.array([1, 2]), tmp_path / "out", []

    def counted(*args):
        asked.append(args)
        return teacher_probs(*args)

    monkeypatch.setattr("train.teachers.teacher_probs", counted)

    def taught(rows, amp=True):
        return with_teachers(source, rows, [tmp_path / "t"], 0.5, out, amp).targets

    first, again = taught(rows), taught(rows)
    assert len(asked) == len(source.names)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    taught(np.array([0, 2]))
    taught(rows, amp=False)
    assert len(asked) == 3 * len(source.names)
    name, labels = source.names[0], source.label_names[0]
    hub.save_model(small(len(labels), seed=7), tmp_path / "t" / name, labels)
    other = taught(rows)
    assert len(asked) == 3 * len(source.names) + 1
    assert not np.array_equal(first[0][rows], other[0][rows])


def test_what_release_put_on_is_taken_off(tmp_path, source):
    """A teacher says the same before and after its logits were made to answer for balance."""
    labels, prior = ("anger", "fear"), {"anger": 0.9, "fear": 0.1}
    crops = [sample.pixels for sample in source.faces.samples]
    record = {"training": {"data": "a", "prior": prior}}
    plain, adjusted = small(2), small(2)
    hub.save_model(plain, tmp_path / "plain", labels, record)
    with torch.no_grad():
        adjusted.head.fc.bias += torch.log(0.5 + 0.5 / (2 * torch.tensor([0.9, 0.1])))
    hub.save_model(adjusted, tmp_path / "on", labels, {**record, "balance": 0.5})
    before, after = (
        teacher_probs(load_teachers([tmp_path / name], labels), crops, amp=False)
        for name in ("plain", "on")
    )
    np.testing.assert_allclose(after, before, atol=1e-6)
    config = json.loads((tmp_path / "on" / "config.json").read_text())
    del config["training"]["prior"]
    (tmp_path / "on" / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="prior"):
        teacher_probs(load_teachers([tmp_path / "on"], labels), crops)


def test_embedded_weights_teach_by_their_architecture(tmp_path, source):
    """Each head has the embedded weights of its label set; a folder of that name goes first."""
    labels = hub.load_model("fer_cbam_tiny.ferplus").label_names
    one_head = Source(source.faces, ("ferplus",), (labels,), (np.zeros((4, 8), np.float32),))
    rows = np.array([0, 3])
    taught = with_teachers(one_head, rows, [Path("fer_cbam_tiny")], 0.5, tmp_path, amp=False)
    crops = [source.faces.samples[i].pixels for i in rows]
    said = teacher_probs(load_teachers(["fer_cbam_tiny.ferplus"], labels), crops, amp=False)
    np.testing.assert_array_equal(taught.targets[0][rows], said)
    with pytest.raises(WeightsError, match="fer_cbam_huge"):
        with_teachers(one_head, rows, [Path("fer_cbam_huge")], 0.5, tmp_path)


def test_a_run_goes_on_with_the_teachers_it_began_with(tmp_path):
    heads = {"a": ("anger", "fear"), "b": ("joy", "fear", "anger")}
    one, two, run = tmp_path / "one", tmp_path / "two", tmp_path / "run"
    for folder, seed in ((one, 1), (two, 2)):
        for head, labels in heads.items():
            hub.save_model(small(len(labels), seed), folder / head, labels)
    keep_teachers(run, [], list(heads), resume=True)
    assert not run.exists()
    keep_teachers(run, [one, two], list(heads), resume=True)  # begun before there were notes
    keep_teachers(run, [two, one], list(heads), resume=True)
    with pytest.raises(FerError, match="began with 2 teachers, of which 1 are among the 1 given"):
        keep_teachers(run, [one], list(heads), resume=True)
    hub.save_model(small(3, seed=3), one / "b", heads["b"])  # the same name, other weights
    with pytest.raises(FerError, match="of which 1 are among the 2 given; resume with those"):
        keep_teachers(run, [one, two], list(heads), resume=True)
    keep_teachers(run, [one], list(heads), resume=False)  # a new run in the same place
    keep_teachers(run, [one], list(heads), resume=True)


def test_a_teacher_that_is_calibrated_meanwhile_is_the_same_one_weighed_anew_it_is_not(tmp_path):
    labels, run = ("anger", "fear"), tmp_path / "run"
    record = {"training": {"prior": {"anger": 0.9, "fear": 0.1}}}
    hub.save_model(small(2), tmp_path / "one" / "a", labels, record)
    keep_teachers(run, [tmp_path / "one"], ["a"], resume=False)
    path = tmp_path / "one" / "a" / "config.json"
    config = json.loads(path.read_text()) | {"temperature": 0.6, "uncertain_below": 0.5}
    path.write_text(json.dumps(config))
    keep_teachers(run, [tmp_path / "one"], ["a"], resume=True)
    path.write_text(json.dumps(config | {"balance": 0.5}))
    with pytest.raises(FerError, match="of which 0 are among the 1 given"):
        keep_teachers(run, [tmp_path / "one"], ["a"], resume=True)
