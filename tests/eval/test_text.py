"""Lines of text: F1 as scikit-learn counts it, the plain classifier, and the report."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from eval import text as study
from fer_cbam.data.lines import LABELS, TextLines, one_hot

K = len(LABELS)


def made(count: int, seed: int, several: bool = False) -> tuple[TextLines, np.ndarray]:
    """Lines, and probabilities that are right more often than not."""
    rng = np.random.default_rng(seed)
    rows = [list(rng.choice(LABELS, 2 if several and n % 3 == 0 else 1, replace=False))
            for n in range(count)]  # fmt: skip
    targets = one_hot(rows)
    probs = rng.dirichlet(np.full(K, 0.5), count) + 0.4 * targets
    lines = TextLines(tuple(" ".join(r) for r in rows), targets, tuple(map(str, range(count))))
    return lines, probs / probs.sum(1, keepdims=True)


def test_f1_where_labels_are_given_or_not():
    lines, probs = made(200, 0, several=True)
    given, said = lines.targets > 0, probs > 0.3
    expected = f1_score(given, said, average="macro", zero_division=0)
    assert study.f1_of_labels(given, said) == pytest.approx(expected)
    # A weight is how often a line stands there.
    weights = np.random.default_rng(1).integers(0, 3, (200, 2)).astype(float)
    got = study.f1_of_labels(given, said, weights)
    for column, value in zip(weights.T, got, strict=True):
        rows = np.repeat(np.arange(200), column.astype(int))
        again = f1_score(given[rows], said[rows], average="macro", zero_division=0)
        assert value == pytest.approx(again)


def test_lines_with_one_label():
    lines, probs = made(300, 2, several=True)
    one = lines.targets.sum(1) == 1
    got = study.single(lines, probs)
    right, said = lines.targets[one].argmax(1), probs[one].argmax(1)
    assert got["accuracy"][0] == pytest.approx(accuracy_score(right, said))
    for average in ("macro", "weighted"):
        expected = f1_score(right, said, average=average)
        value, low, high = got[f"{average}_f1"]
        assert value == pytest.approx(expected) and low < value < high
    assert study.macro_f1(probs.argmax(1), lines) == pytest.approx(got["macro_f1"][0])
    sure = np.clip(lines.targets, 0.001, 1) / np.clip(lines.targets, 0.001, 1).sum(1)[:, None]
    assert study.single(lines, sure)["ece"][0] < 0.01 < got["ece"][0]


def test_the_threshold_is_the_best_one():
    lines, _ = made(60, 3)
    probs = np.where(lines.targets > 0, 0.305, 0.255)
    assert study.best_threshold(lines, probs) == pytest.approx(0.26)


def test_dialogues_are_drawn_as_a_whole():
    lines, probs = made(300, 4)
    alone = study.single(lines, probs)["accuracy"]
    groups = tuple(str(n // 60) for n in range(300))
    right = np.repeat([0, 1, 0, 1, 1], 60).astype(bool)  # of a dialogue all or nothing
    said = np.where(right[:, None], lines.targets, np.roll(lines.targets, 1, 1))
    together = study.single(TextLines(lines.texts, lines.targets, groups), said)["accuracy"]
    assert together[2] - together[1] > 2 * (alone[2] - alone[1])


def test_the_plain_classifier_learns_words():
    train, dev = made(400, 5, several=True)[0], made(50, 6)[0]
    read = study.plain(train, dev)
    np.testing.assert_allclose(read(dev.texts).sum(1), 1)
    assert study.macro_f1(read(dev.texts).argmax(1), dev) == 1


def test_another_mix_of_labels():
    learnt = TextLines(("a",) * 8, one_hot([[label] for label in ("anger", *LABELS)]),
                       tuple("abcdefgh"))  # fmt: skip
    other = TextLines(("a",) * 2, np.full((2, K), 0.5, np.float32), tuple("ab"))
    probs = np.full((1, K), 1 / K)
    got = study.remixed(lambda texts: probs, learnt, other)(["x"])
    mix = learnt.targets.sum(0) / learnt.targets.sum()
    expected = (1 / mix) / (1 / mix).sum()
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)
    assert got[0, 0] < got[0, 2]  # common where it was learnt, so less likely now


def test_a_report(tmp_path, monkeypatch):
    for name in ("goemotions", "meld"):
        (tmp_path / name).mkdir()
    ekman = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
    (tmp_path / "goemotions/labels.txt").write_text("\n".join(ekman))
    for number, split in enumerate(("train", "dev", "test")):
        rows = [f"so {ekman[n % 7]} it is\t{n % 7}\tid{n}" for n in range(70 + number)]
        rows += [f"{ekman[0]} and {ekman[1]}\t0,1\tboth{split}"]
        (tmp_path / f"goemotions/{split}.tsv").write_text("\n".join(rows))
        lines = [f"so {name} it is,{name},{n // 4},{n}" for n, name in enumerate(ekman * 3)]
        text = "\n".join(["Utterance,Emotion,Dialogue_ID,Utterance_ID", *lines])
        (tmp_path / f"meld/{split}_sent_emo.csv").write_text(text)
    monkeypatch.setattr(study, "network", lambda source: lambda texts: np.full((len(texts), K),
                                                                               1 / K))  # fmt: skip
    study.main(["--goemotions", str(tmp_path / "goemotions"), "--meld", str(tmp_path / "meld"),
                "--weights", "my_text", "--out", str(tmp_path / "r.json")])  # fmt: skip
    report = json.loads((tmp_path / "r.json").read_text())
    found = {(r["weights"], r["data"], r["protocol"], r["metric"]): r for r in report["records"]}
    assert report["study"] == "text" and str(tmp_path) not in report["command"]
    for data, metric in product(("goemotions", "meld"), ("accuracy", "macro_f1")):
        assert found[study.PLAIN, data, study.SINGLE, metric]["value"] == 1
        assert found["my_text", data, study.SINGLE, metric]["value"] < 0.3
    assert found[study.PLAIN, "goemotions", study.ALL, "macro_f1"]["n"] == 73
    assert ("my_text", "meld", study.ALL, "macro_f1") not in found
    neutral = found[study.NEUTRAL, "meld", study.SINGLE, "accuracy"]
    assert neutral["value"] == pytest.approx(1 / 7)
    assert (f"my_text, {study.MIXED}", "meld", study.SINGLE, "ece") in found
