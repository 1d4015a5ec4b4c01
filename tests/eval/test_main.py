"""python -m eval from files to files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from eval import table
from eval.__main__ import main
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
          "--gallery-with-images", "--device", "cpu"])  # fmt: skip
    out = tmp_path / "report"
    content = json.loads((out / "metrics.json").read_text())
    assert content["command"] == (
        "python -m eval --weights runs --data faces --protocol paper --out report "
        "--gallery-with-images --device cpu"
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
    assert content["metrics"]["accuracy"]["value"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert content["metrics"]["accuracy"]["sd"] == pytest.approx(
        np.std(accuracies, ddof=1), abs=1e-6
    )
    assert content["metrics"]["macro_f1"]["value"] == pytest.approx(np.mean(f1s), abs=1e-6)
    assert content["value"] == "mean over splits"
    assert {path.name for path in out.iterdir()} == {
        "metrics.json", "predictions.parquet", "confusion.png", "roc.png", "precision_recall.png",
        "history.png", "reliability.png", "gradcam.png", "gallery_images.png",
    }  # fmt: skip
    assert f"{content['metrics']['accuracy']['value']:.4f}" in capsys.readouterr().out


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
