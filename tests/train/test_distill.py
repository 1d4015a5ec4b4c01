"""Teachers who are asked while a student trains."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import timm
import torch
from torch import nn

from fer_cbam import data, hub
from fer_cbam.errors import FerError
from fer_cbam.preprocess import Preprocess
from tests.train.networks import small
from tests.train.test_stopping import Line
from tests.train.test_training import arguments
from train.__main__ import main
from train.distill import Teacher, Tutor, lessons
from train.examples import Examples
from train.heads import one_head
from train.loop import fit
from train.recipe import Recipe
from train.refit import fit_split

PRIOR = {"anger": 0.7, "happiness": 0.2, "sadness": 0.1}
RECIPE = Recipe("line", epochs=2, batch_size=4, schedule="constant", optimizer="sgd", lr=0.1,
                amp=False, distill=0.5, distill_views=True)  # fmt: skip


@pytest.fixture
def run(tmp_path, source):
    """A run of two heads: its folder, and the network with both classifiers."""
    both = small(5)
    for name, labels, rows in zip(
        source.names, source.label_names, (slice(0, 2), slice(2, 5)), strict=True
    ):
        hub.save_model(one_head(both, rows), tmp_path / "run" / name, labels)
    return tmp_path / "run", both


def ask(source, folders, tmp_path, x, targets):
    same, tutor = lessons(RECIPE, source, np.arange(4), folders, tmp_path, Preprocess())
    assert same is source
    return tutor, tutor(x, targets)


def test_a_teacher_of_one_trunk_answers_for_all_heads_in_one_pass(run, source, tmp_path):
    folder, both = run
    x, targets = torch.rand(4, 1, 48, 48), torch.from_numpy(np.concatenate(source.targets, 1))
    tutor, taught = ask(source, [folder], tmp_path, x, targets)
    assert len(tutor.teachers[0].networks) == 1
    with torch.no_grad():
        logits = both(x)
    said = torch.cat([logits[:, :2].softmax(1), logits[:, 2:].softmax(1)], 1)
    torch.testing.assert_close(taught[0], 0.5 * targets[0] + 0.5 * said[0])
    torch.testing.assert_close(taught[2], said[2])  # no label in either head
    torch.testing.assert_close(taught[1, 2:], said[1, 2:])  # none in the second
    torch.testing.assert_close(taught.sum(1), torch.full((4,), 2.0))


def test_teachers_are_averaged_and_what_release_put_on_is_taken_off(run, source, tmp_path):
    """The second teacher has a network for each head, and one of them was released."""
    folder, _ = run
    networks = small(2, seed=1), small(3, seed=2)
    record = {"training": {"data": "b", "prior": PRIOR}, "balance": 0.5}
    x, targets = torch.rand(3, 1, 48, 48), torch.zeros(3, 5)
    with torch.no_grad():
        expected = [n(x).softmax(1) for n in networks]
        shift = (0.5 + 0.5 / (3 * torch.tensor(list(PRIOR.values())))).log()
        networks[1].head.fc.bias += shift
    other = tmp_path / "other"
    hub.save_model(networks[0], other / "a", source.label_names[0])
    hub.save_model(networks[1], other / "b", source.label_names[1], record)
    tutor, taught = ask(source, [other], tmp_path, x, targets)
    assert len(tutor.teachers[0].networks) == 2
    torch.testing.assert_close(taught, torch.cat(expected, 1))
    _, first = ask(source, [folder], tmp_path, x, targets)
    _, mean = ask(source, [folder, other], tmp_path, x, targets)
    torch.testing.assert_close(mean, (first + taught) / 2)


def test_a_student_learns_from_the_images_that_it_sees(tmp_path):
    """With a teacher who always says the same, as from targets that have it in them."""

    class Same(nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.tensor([[1.0, 3.0]]).log().expand(len(x), 2)

    seen: list[torch.Tensor] = []
    x, hard = torch.rand(8, 1, 2, 2), torch.eye(2).repeat(4, 1)
    soft = 0.5 * hard + 0.5 * torch.tensor([0.25, 0.75])
    tutor = Tutor([Teacher([Same()], [2], torch.zeros(2))], share=0.5)
    plain = dataclasses.replace(RECIPE, distill=0.0, distill_views=False)
    faces, rows = Examples(x, hard, (2,)), np.arange(8)
    taught = fit_split(Line, RECIPE, faces, rows, None, tmp_path / "a", tutor=tutor)
    torch.manual_seed(0)
    expected = fit(Line(), plain, Examples(x, soft, (2,)), None, tmp_path / "b")
    for ours, theirs in zip(taught.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert sum(len(batch) for batch in seen) == 2 * 8


def test_the_script_asks_the_teachers_while_it_trains(tiny_ckplus, tmp_path, monkeypatch):
    arch = "model: fer_cbam_paper\nmodel_args: {channels: [8, 8, 16]}\n"
    recipe, teacher = tmp_path / "views.yaml", tmp_path / "teacher"
    recipe.write_text(f"{arch}epochs: 1\nbatch_size: 16\nschedule: constant\nvalidation: 0.2\n"
                      "distill: 0.5\ndistill_views: true\n")  # fmt: skip
    network = timm.create_model("fer_cbam_paper", num_classes=7, channels=(8, 8, 16))
    hub.save_model(network, teacher / "ckplus48", data.load(tiny_ckplus).label_names)
    asked, forward = [], Tutor.forward
    monkeypatch.setattr(Tutor, "forward", lambda *args: asked.append(args) or forward(*args))
    asking = [*arguments(recipe, tiny_ckplus, tmp_path / "out"), "--teacher", str(teacher)]
    main(asking)
    assert len(asked) == 98 * 8 // 10 * 8 // 10 // 16  # batches of what is trained on
    assert not list((tmp_path / "out").glob("taught*"))
    (tmp_path / "out" / "seed0" / "config.json").unlink()  # as if it had been cut
    with pytest.raises(SystemExit, match="of which 1 are among the 2 given"):
        main([*asking, "--teacher", str(teacher), "--resume"])


def test_without_views_the_targets_are_mixed_once(run, source, tmp_path):
    once = dataclasses.replace(RECIPE, distill_views=False)
    mixed, tutor = lessons(once, source, np.arange(4), [run[0]], tmp_path, Preprocess())
    assert tutor is None and mixed is not source


def test_teachers_that_do_not_fit_are_refused(run, source, tmp_path):
    def asked(teachers, preprocess):
        lessons(RECIPE, source, np.arange(4), teachers, tmp_path, preprocess)

    with pytest.raises(FerError, match=r"sees images as .*\(0\.0,\).*expected .*\(0\.5,\)"):
        asked([run[0]], Preprocess(mean=(0.5,)))
    with pytest.raises(FerError, match="0 teachers; expected both or neither"):
        asked([], Preprocess())
