"""Tasks: the loss from labels, and from labels mixed with what teachers say."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from train.losses import Columns
from train.task import DistilledTask, SupervisedTask, Teacher, mix

ONE, TWO = Columns(0, 2), Columns(2, 5)


class Says(nn.Module):
    """Gives the same probabilities for every image, as logits; notes what it was asked."""

    def __init__(self, *probs: float):
        super().__init__()
        self.logits = torch.tensor(probs).log()
        self.asked: list[torch.Tensor] = []
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        self.asked.append(x)
        return self.drop(self.logits.expand(len(x), -1))


def test_supervised_is_cross_entropy_of_the_network():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    x, targets = torch.rand(3, 1, 2, 2), torch.tensor([[1.0, 0], [0.3, 0.7], [0, 1]])
    result = SupervisedTask(model, [ONE])(x, targets)
    torch.testing.assert_close(result["output"], model(x))
    torch.testing.assert_close(result["loss"], F.cross_entropy(model(x), targets))


def test_a_student_gets_its_share_of_labels_and_the_rest_from_teachers():
    """Two teachers answer the first head and none the second, which keeps its labels."""
    teachers = [
        Teacher(Says(*probs), [0], [2], torch.zeros(2)) for probs in ((0.2, 0.8), (0.6, 0.4))
    ]
    task = DistilledTask(nn.Identity(), [ONE, TWO], teachers, share=0.25)
    labels = torch.tensor([[1.0, 0, 0, 1, 0], [0, 0, 0, 0, 1]])
    expected = torch.tensor([[0.75 + 0.25 * 0.4, 0.25 * 0.6, 0, 1, 0], [0.4, 0.6, 0, 0, 1]])
    torch.testing.assert_close(task.taught(torch.rand(2, 1, 4, 4), labels), expected)


def test_a_teacher_of_all_heads_answers_each_and_what_release_added_is_taken_off():
    offset = torch.tensor([0.0, 1.0, 0, 0, 0])
    whole = Teacher(Says(0.5, 0.5, 0.2, 0.3, 0.5), [0, 1], [2, 3], offset)
    first, second = whole(torch.rand(1, 1, 4, 4))
    # Logits equal but for 1 taken off the second: the odds are e to 1.
    torch.testing.assert_close(first, torch.tensor([[0.731059, 0.268941]]))
    torch.testing.assert_close(second, torch.tensor([[0.2, 0.3, 0.5]]))


def test_teachers_see_what_the_student_sees_and_stay_as_they_are():
    said, model = Says(0.5, 0.5), nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    task = DistilledTask(model, [ONE], [Teacher(said, [0], [2], torch.zeros(2))], 0.5)
    task.train()
    assert model.training and not said.drop.training
    x, labels = torch.rand(3, 1, 2, 2), torch.eye(2)[[0, 1, 0]]
    result = task(x, labels)
    assert len(said.asked) == 1 and torch.equal(said.asked[0], x)
    expected = F.cross_entropy(model(x), 0.5 * labels + 0.25)
    torch.testing.assert_close(result["loss"], expected)
    result["loss"].backward()
    assert [p.requires_grad for p in task.teachers.parameters()] == []
    assert model[1].weight.grad is not None


def test_mix_hands_over_to_the_teacher_where_nothing_is_labelled():
    """Of a labelled face mixed half with one that is not, more than half is the teacher's."""
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.5, 0.0]])
    taught = torch.tensor([[0.2, 0.8], [0.6, 0.4], [0.2, 0.8]])
    expected = [[0.8, 0.2], [0.6, 0.4], [0.375 + 0.625 * 0.2, 0.625 * 0.8]]
    assert mix(targets, taught, 0.25).numpy() == pytest.approx(torch.tensor(expected).numpy())
