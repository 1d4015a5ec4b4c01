"""A tiny data set, weights that were never trained, and tables of made-up predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import timm
import torch

from eval import table
from fer_cbam import hub
from fer_cbam.data import Dataset
from fer_cbam.types import Sample

LABELS = ("anger", "happiness", "surprise")


@pytest.fixture
def tiny() -> Dataset:
    """90 noise images of 3 classes, 15 subjects, FER2013's three splits in turn."""
    rng = np.random.default_rng(7)
    samples = [
        Sample(
            sample_id=f"image{i:02}",
            pixels=rng.integers(0, 256, (48, 48), np.uint8),
            label=LABELS[i % 3],
            subject_id=f"S{i // 6:02}",
            group=f"S{i // 6:02}_{i % 3}",
            split=("Training", "Training", "Training", "PublicTest", "PrivateTest")[i % 5],
        )
        for i in range(90)
    ]
    return Dataset("tiny", LABELS, tuple(samples))


@pytest.fixture
def save_weights(tmp_path):
    """Write untrained weights with a training record; returns the folder."""

    def save(name: str, training: dict | None, labels=LABELS, seed: int = 0, **extra):
        torch.manual_seed(seed)
        model = timm.create_model("fer_cbam_paper", num_classes=len(labels))
        record = {} if training is None else {"training": training}
        return hub.save_model(model, tmp_path / name, labels, {**record, **extra})

    return save


def make_table(
    targets,
    logits,
    labels=LABELS,
    data_labels=LABELS,
    subjects=None,
    splits=None,
    ids=None,
    **attrs,
) -> pd.DataFrame:
    """A table of made-up predictions: targets are label names, logits ``(N, L)``."""
    n = len(targets)
    made = pd.DataFrame(
        {
            "sample_id": [str(i) for i in range(n)] if ids is None else ids,
            "subject_id": pd.Series([None] * n if subjects is None else subjects, dtype=object),
            "group": pd.Series([None] * n, dtype=object),
            "split": "only" if splits is None else splits,
            "target": targets,
            "twin": False,
            "face": True,
        }
    )
    for column, label in zip(np.asarray(logits, np.float64).T, labels, strict=True):
        made[table.LOGIT + label] = column
    made.attrs = {
        "data": "tiny", "label_names": list(data_labels), "protocol": "paper", "weights": "w",
        "option": "plain", "scores": "logits", "sequence_overlap": None, "decisions": {}, **attrs,
    }  # fmt: skip
    return made
