"""python -m eval from files to files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, recall_score

from eval import table
from eval.__main__ import PUBLIC, main, parse_arguments
from eval.docs.records import load, one
from eval.run import FIGURES
from tests.eval.conftest import LABELS


@pytest.fixture
def folder(tmp_path):
    """A folder of class folders, 20 noise images each."""
    rng = np.random.default_rng(1)
    for name in LABELS:
        (tmp_path / "faces" / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 256, (48, 48), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{i}.png")
    return tmp_path / "faces"


@pytest.mark.slow
def test_weights_and_data_become_a_report(folder, save_weights, tmp_path, capsys, monkeypatch):
    for k in range(5):
        run = save_weights(
            f"runs/seed{k}", {"data": "folder", "protocol": "paper", "split": f"seed{k}"}, seed=k
        )
        (run / "history.csv").write_text(
            "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds\n"
            "1,2,0.3,1.9,0.3,0.001,1\n2,1,0.5,1.2,0.4,0.001,1\n"
        )
    monkeypatch.chdir(tmp_path)
    main(["--weights", "runs", "--data", str(folder), "--protocol", "paper", "--out", "report",
          "--figures", *FIGURES, "--device", "cpu"])  # fmt: skip
    out = tmp_path / "report"
    content = json.loads((out / "metrics.json").read_text())
    assert content["command"] == (
        "python -m eval --weights runs --data faces --protocol paper --out report "
        f"--figures {' '.join(FIGURES)} --device cpu"
    )
    assert (content["backend"], content["device"]) == ("torch", "cpu")
    predictions = table.read(out / "predictions.parquet")
    logits = predictions[[f"logit_{name}" for name in LABELS]].to_numpy()
    said = np.array(LABELS)[logits.argmax(1)]
    accuracies, f1s = [], []
    for name in (f"seed{k}" for k in range(5)):
        rows = (predictions["split"] == name).to_numpy()
        accuracies.append(accuracy_score(predictions["target"][rows], said[rows]))
        f1s.append(f1_score(predictions["target"][rows], said[rows], average="macro"))
    records = load(out)
    of = {"data": "folder", "protocol": "paper", "weights": "fer_cbam_paper.folder"}
    accuracy = one(records, study="evaluation", metric="accuracy", **of)
    assert accuracy["value"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert accuracy["sd"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-6)
    assert one(records, metric="macro_f1")["value"] == pytest.approx(np.mean(f1s), abs=1e-6)
    recall = recall_score(predictions["target"], said, average=None, labels=LABELS)
    found = one(records, metric="support", group=LABELS[1])["value"]
    assert found == (predictions["target"] == LABELS[1]).sum()
    assert one(records, metric="recall", group=LABELS[1])["value"] == pytest.approx(
        recall[1], abs=0.05
    )
    assert [row["split"] for row in content["splits"]] == [f"seed{k}" for k in range(5)]
    assert content["value"] == "mean over splits"
    assert {path.name for path in out.iterdir()} == {
        "metrics.json", "predictions.parquet", "confusion.png", "roc.png", "precision_recall.png",
        "history.png", "reliability.png", "gradcam.png", "gallery_images.png",
    }  # fmt: skip
    assert f"{accuracy['value']:.4f}" in capsys.readouterr().out


def test_figures_are_drawn_when_they_are_asked_for():
    common = ["--weights", "w", "--data", "d", "--protocol", "paper", "--out", "o"]
    assert parse_arguments(common).figures == []
    assert parse_arguments([*common, "--figures"]).figures == PUBLIC
    assert parse_arguments([*common, "--figures", "roc"]).figures == ["roc"]
    assert set(FIGURES) - set(PUBLIC) == {"gallery_images"}  # shows faces: never unasked


def test_errors_are_one_line(folder, save_weights, tmp_path):
    weights = save_weights("w", {"data": "folder", "protocol": "paper", "split": "seed0"})
    arguments = ["--weights", str(weights), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match=r"^DataError: .*subject"):
        main([*arguments, "--data", str(folder), "--protocol", "subject10"])
    with pytest.raises(SystemExit, match=r"^DataError: .*missing\.zip"):
        main([*arguments, "--data", str(tmp_path / "missing.zip"), "--protocol", "paper"])
    with pytest.raises(SystemExit, match=r"^WeightsError: weights 'no_such'"):
        main(["--weights", "no_such", "--data", str(folder), "--protocol", "paper", "--out", "x"])
    assert not (tmp_path / "out").exists()
