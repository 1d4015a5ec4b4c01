"""The terms that teach a gate, against values worked out by hand, scipy and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import timm
import torch
from scipy.stats import entropy
from torch import nn

from fer_cbam.errors import FerError
from tests.train.networks import SMALL, small
from train.attention import (
    FLOOR,
    GRID,
    GuidedTask,
    blurred,
    fit_gate,
    measured_effects,
    mirror_loss,
    mirrored,
    occlusion_effects,
    occlusion_loss,
    pooled_inputs,
    windows,
)
from train.losses import Columns
from train.task import SupervisedTask, Teacher

HEAD = [Columns(0, 2)]


class Sees(nn.Module):
    """Logits from the mean of one quarter of the face: what is bright there is the first label."""

    def forward(self, x):
        corner = x[:, 0, :24, :24].mean((1, 2))
        return torch.stack([8 * corner, torch.ones_like(corner)], 1)


def test_occlusion_loss_is_the_divergence_of_gate_from_effects_of_known_faces():
    rng = np.random.default_rng(0)
    effects, gate = rng.normal(size=(3, 1, 2, 3)), rng.uniform(0.2, 2, (3, 1, 2, 3))
    effects[1] = np.nan
    positive = np.clip(effects[[0, 2]], 0, None).reshape(2, -1)
    positive += FLOOR * positive.max(1, keepdims=True) + 1e-6
    expected = np.mean([entropy(p, q) for p, q in zip(positive, gate[[0, 2]].reshape(2, -1),
                                                      strict=True)])  # fmt: skip
    got = occlusion_loss(torch.tensor(gate), torch.tensor(effects))
    assert got.item() == pytest.approx(expected, rel=1e-6)
    assert occlusion_loss(torch.tensor(gate[1:2]), torch.tensor(effects[1:2])) == 0


def test_mirror_loss_is_zero_for_a_mirrored_gate_alone():
    gate = torch.rand(4, 1, 3, 3)
    gate[2:] = gate[:2].flip(3)
    assert mirror_loss(gate, 2) == 0
    gate[3, 0, 0, 0] += 3  # one of 18 places, squared
    assert mirror_loss(gate, 2).item() == pytest.approx(9 / 18)


def test_the_last_images_give_way_to_mirror_images_of_the_first():
    x = torch.rand(5, 1, 4, 4)
    torch.testing.assert_close(mirrored(x, 1), torch.cat([x[:4], x[:1].flip(3)]))


def test_windows_are_gaussians_on_a_grid():
    masks = windows(48)
    assert masks.shape == (GRID * GRID, 1, 48, 48)
    second_row = masks[GRID + 2, 0]
    y, x = np.unravel_index(int(second_row.argmax()), (48, 48))
    assert abs(y - 11.5) <= 0.5 and abs(x - 19.5) <= 0.5
    assert second_row[11, 19].item() == pytest.approx(np.exp(-2 * 0.25 / 50), rel=1e-5)


def test_blur_agrees_with_opencv():
    image = np.random.default_rng(0).random((48, 48), np.float32)
    expected = cv2.GaussianBlur(image, (21, 21), 6.0, borderType=cv2.BORDER_REFLECT_101)
    got = blurred(torch.from_numpy(image)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_hiding_what_the_teacher_looks_at_lowers_its_answer_there_alone():
    x = torch.zeros(1, 1, 48, 48)
    x[:, :, 8:16, 8:16] = 1.0  # bright in the corner that is looked at: the answer is the first
    teacher = Teacher(Sees(), [0], [2], torch.tensor([-3.0, 0.0]))
    effects = occlusion_effects(teacher, x)[0, 0]
    assert effects.argmax() in (1 * GRID + 1, 1 * GRID)  # the window upon it
    assert effects[1, 1] > 0.01 and effects[5].abs().max() < 1e-4
    # By hand for one window.
    mask = windows(48)[GRID + 1]
    hidden = x * (1 - mask) + blurred(x) * mask
    log_prob = teacher(torch.cat([x, hidden]))[0].log()[:, 0]
    assert effects[1, 1].item() == pytest.approx((log_prob[0] - log_prob[1]).item(), abs=1e-6)


def test_effects_are_measured_once_and_unknown_for_other_faces(tmp_path, monkeypatch):
    monkeypatch.setattr("train.attention.FACES", 2)
    teacher = Teacher(Sees(), [0], [2], torch.zeros(2))
    x = torch.rand(4, 1, 48, 48)
    first = measured_effects(teacher, "t", x, np.array([3, 1, 0]), tmp_path)
    known = first.isfinite().flatten(1).all(1)
    assert known.tolist() == [False, True, False, True]
    torch.testing.assert_close(first[3:], occlusion_effects(teacher, x[3:]))
    monkeypatch.setattr("train.attention.occlusion_effects", None)  # not asked again
    again = measured_effects(teacher, "t", x, np.array([3, 1, 0]), tmp_path)
    torch.testing.assert_close(again, first, equal_nan=True)


def test_the_task_adds_its_terms_to_another_task_s_loss():
    model = small(2).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x, targets = torch.rand(8, 1, 48, 48), torch.eye(2).repeat(4, 1)
    effects = torch.rand(8, 1, 6, 6)
    plain = SupervisedTask(model, HEAD)
    result = GuidedTask(plain, occlusion=0.5, mirror=2.0)(x, targets, effects)
    shown = mirrored(x, 2)
    loss = plain(shown, torch.cat([targets[:6], targets[:2]]))["loss"]
    gate = model.stages[-1].attention.spatial_map
    loss = loss + 0.5 * occlusion_loss(gate, mirrored(effects, 2)) + 2 * mirror_loss(gate, 2)
    torch.testing.assert_close(result["loss"], loss, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(result["target_probs"][6:], targets[:2])
    assert not model.stages[-1].attention.spatial._forward_hooks
    result["loss"].backward()
    assert model.stages[-1].attention.spatial.conv.weight.grad.abs().sum() > 0


def test_a_gate_without_a_mean_of_one_is_refused():
    model = timm.create_model("fer_cbam_tiny", attention=("", "", "cbam", "cbam"), **SMALL)
    with pytest.raises(FerError, match="expected a model with 'cbam_normalized'"):
        GuidedTask(SupervisedTask(model, HEAD), 1.0, 0.0)


def test_the_gate_alone_is_fitted_to_the_effects_of_known_faces(monkeypatch):
    """A face bright in one place, whose hiding counts: the gate comes to stand there, mirrored for
    a mirrored face, and nothing else of the network moves."""
    monkeypatch.setattr("train.attention.GATE_STEPS", 60)
    model = small(2)
    torch.manual_seed(1)
    x, effects = torch.rand(24, 1, 48, 48) * 0.1, torch.zeros(24, 1, 6, 6)
    for i, place in enumerate(torch.randint(0, 6, (24, 2)).tolist()):
        row, column = place
        x[i, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1
        effects[i, 0, row, column] = 1
    effects[20:] = torch.nan
    others = {n: t.clone() for n, t in model.state_dict().items() if "3.attention.spatial" not in n}
    gate = model.stages[-1].attention.spatial
    before = occlusion_loss(gate.of_pooled(pooled_inputs(model, gate, x)), effects)
    fit_gate(model, x, effects, 1.0, 0.1)
    after = occlusion_loss(gate.of_pooled(pooled_inputs(model, gate, x)), effects)
    assert after < before - 0.2
    for name, tensor in others.items():
        torch.testing.assert_close(model.state_dict()[name], tensor, rtol=0, atol=0)
    # What it sees is what it is given in the network.
    _, in_network = model.forward_gated(x[:3])
    torch.testing.assert_close(gate.of_pooled(pooled_inputs(model, gate, x[:3])), in_network)
