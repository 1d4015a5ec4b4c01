"""What sections are given."""

from __future__ import annotations

import numpy as np

from eval.predict import predict_logits
from eval.trust.section import evenly


def test_evenly_takes_from_each_label_in_turns():
    labels = ["a"] * 50 + ["b"] * 5 + ["c"] * 20
    found = evenly(labels, 25, np.random.default_rng(0))
    counts = {name: sum(labels[i] == name for i in found) for name in "abc"}
    assert counts == {"a": 10, "b": 5, "c": 10} and len(set(found)) == 25
    assert list(found) == sorted(found)
    assert list(evenly(labels, 500, np.random.default_rng(0))) == list(range(75))
    other = evenly(labels, 25, np.random.default_rng(1))
    assert list(other) != list(found)


def test_rows_of_table_samples_and_crops_are_the_same_faces(subject):
    logits = subject.table[[f"logit_{name}" for name in subject.backend.label_names]].to_numpy()
    np.testing.assert_allclose(predict_logits(subject.backend, subject.crops), logits, atol=1e-5)
    known = subject.backend.label_names
    assert [known[t] for t in subject.targets] == list(subject.table["target"])


def test_a_label_that_the_weights_do_not_know_has_no_place(subject):
    object.__setattr__(subject.backend, "label_names", ("happiness", "other", "surprise"))
    expected = {"anger": -1, "happiness": 0, "surprise": 2}
    assert [expected[s.label] for s in subject.samples] == list(subject.targets)


def test_draws_depend_on_the_section_and_the_seed_alone(subject):
    assert subject.rng("a").random() == subject.rng("a").random()
    assert subject.rng("a").random() != subject.rng("b").random()
    assert len(subject.some(7)) == 7 and len(subject.some()) == len(subject.samples)
