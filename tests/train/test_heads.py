"""Several label sets at once: targets, classifier rows, weights to start from, teachers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import timm
import torch

import fer_cbam  # noqa: F401  (registers the models)
from fer_cbam import hub
from fer_cbam.data import Dataset
from fer_cbam.errors import FerError, WeightsError
from fer_cbam.preprocess import Preprocess
from fer_cbam.types import Sample
from train.examples import (
    Source,
    load_teachers,
    make_examples,
    mix,
    teacher_probs,
    with_teachers,
)
from train.heads import classifier_rows, one_head, start_from

SMALL = {"channels": (8, 8, 8, 16), "depths": (1, 1, 1, 1)}


def small(num_classes: int, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return timm.create_model("fer_cbam_tiny", num_classes=num_classes, **SMALL).eval()


@pytest.fixture
def source() -> Source:
    rng = np.random.default_rng(0)
    faces = tuple(
        Sample(f"s{i}", rng.integers(0, 256, (48, 48), np.uint8).astype(np.uint8), "anger")
        for i in range(4)
    )
    first = np.array([[1, 0], [0.3, 0.7], [0, 0], [0, 1]], np.float32)
    second = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]], np.float32)
    return Source(
        Dataset("fer2013", ("anger",), faces),
        ("a", "b"),
        (("anger", "fear"), ("anger", "happiness", "sadness")),
        (first, second),
    )


def test_examples_hold_the_heads_side_by_side_and_drop_what_no_head_labels(source):
    examples = make_examples(source, Preprocess())
    assert examples.sizes == (2, 3)
    np.testing.assert_allclose(examples.target_probs[1], [0.3, 0.7, 0, 0, 0], atol=1e-7)
    taken = examples.take(np.array([0, 2, 3]))
    assert torch.equal(taken.target_probs, examples.target_probs[[0, 3]])
    assert torch.equal(taken.x, examples.x[[0, 3]])


def test_one_head_gives_that_head_s_logits(source):
    model = small(5)
    x = torch.rand(3, 1, 48, 48)
    for head, rows in enumerate((slice(0, 2), slice(2, 5))):
        assert classifier_rows(source, head) == rows
        single = one_head(model, rows)
        torch.testing.assert_close(single(x), model(x)[:, rows])
        assert single.num_classes == rows.stop - rows.start
    assert one_head(model, slice(0, 5)) is model
    assert model(x).shape == (3, 5)  # the original keeps all its rows


def test_start_takes_rows_of_equal_labels(tmp_path):
    teacher = small(3)
    labels = ("anger", "happiness", "neutral")
    hub.save_model(teacher, tmp_path, labels, {}, dtype=torch.float32)
    loaded = hub.load_model(tmp_path)
    model = small(4, seed=1)
    before = copy.deepcopy(model.state_dict())
    start_from(model, loaded, [("happiness", "surprise"), ("anger", "happiness")])
    after, given = model.state_dict(), loaded.model.state_dict()
    for row, origin in ((0, 1), (2, 0), (3, 1)):
        assert torch.equal(after["head.fc.weight"][row], given["head.fc.weight"][origin])
        assert torch.equal(after["head.fc.bias"][row], given["head.fc.bias"][origin])
    assert torch.equal(after["head.fc.weight"][1], before["head.fc.weight"][1])
    body = [n for n in after if not n.startswith("head.fc")]
    assert all(torch.equal(after[n], given[n]) for n in body)
    with pytest.raises(FerError, match="does not fit"):
        start_from(timm.create_model("fer_cbam_paper", num_classes=2), loaded, [("a", "b")])


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
    targets = np.array([[1, 0], [0, 0]], np.float32)
    taught = np.array([[0.2, 0.8], [0.6, 0.4]], np.float32)
    np.testing.assert_allclose(mix(targets, taught, 0.25), [[0.8, 0.2], [0.6, 0.4]], atol=1e-7)


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
        expected[rows] = mix(own[rows], said, 0.5)
        np.testing.assert_array_equal(taught.targets[head], expected)
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

    monkeypatch.setattr("train.examples.teacher_probs", counted)

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
