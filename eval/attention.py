"""Where the network looked in the test images: Grad-CAM and CBAM's spatial gate.

Computed on images that were recognised, for the emotion that is true (and predicted).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eval.predict import Job
from eval.table import scored
from fer_cbam.backends.batched import forward_many
from fer_cbam.data.base import Dataset
from fer_cbam.saliency import attention_maps, saliency_maps

GRADCAM, GRADCAM_SD, SPATIAL = "Grad-CAM, mean", "Grad-CAM, sd", "CBAM spatial, mean"


def recognised(jobs: Sequence[Job], table: pd.DataFrame) -> list[np.ndarray]:
    """For each job the positions in the data set of the test images that it recognised.

    The rows of a table are in the order of the jobs and of their test sides.
    """
    correct = scored(table).correct
    found, start = [], 0
    for job in jobs:
        stop = start + len(job.split.test)
        found.append(job.split.test[correct[start:stop]])
        start = stop
    return found


def maps_of(job: Job, dataset: Dataset, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Grad-CAM of the true label and the spatial gate, float32 ``(N, H, W)`` in [0, 1] each.

    The gate is None where the network has none.
    """
    samples = [dataset.samples[i] for i in index]
    forward = forward_many(job.backend, [s.pixels for s in samples])
    labels, size = job.backend.label_names, job.backend.preprocess.input_size[1:]
    own = [labels.index(s.label) for s in samples]
    saliency = saliency_maps(forward.class_maps[np.arange(len(own)), own], size)
    gate = forward.attention
    return saliency, None if gate is None else attention_maps(gate[:, 0], size)


def mean_maps(
    jobs: Sequence[Job], dataset: Dataset, table: pd.DataFrame
) -> dict[str, tuple[dict[str, np.ndarray], int]]:
    """label -> (name of map -> ``(H, W)``, number of images), over all splits.

    Emotions of which nothing was recognised are left out.
    """
    saliencies: dict[str, list[np.ndarray]] = {label: [] for label in dataset.label_names}
    gates: dict[str, list[np.ndarray]] = {label: [] for label in dataset.label_names}
    for job, index in zip(jobs, recognised(jobs, table), strict=True):
        if not len(index):
            continue
        saliency, gate = maps_of(job, dataset, index)
        for k, i in enumerate(index):
            label = dataset.samples[i].label
            saliencies[label].append(saliency[k])
            if gate is not None:
                gates[label].append(gate[k])
    means = {}
    for label, found in saliencies.items():
        if found:
            columns = {GRADCAM: np.mean(found, 0), GRADCAM_SD: np.std(found, 0)}
            if gates[label]:
                columns[SPATIAL] = np.mean(gates[label], 0)
            means[label] = (columns, len(found))
    return means
