"""Every map that is judged: explainers, what knows nothing of the network, and what maps cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

import numpy as np

from eval.trust.baselines import BASELINES, class_means
from eval.trust.section import Subject
from fer_cbam.backends.base import Backend
from fer_cbam.explain.base import Explainer
from fer_cbam.explain.named import (
    EXPLAINERS,
    GATE,
    GRADCAM,
    NEED_TORCH,
    default_explainer,
    open_explainer,
)  # fmt: skip

SLOW = ("occlusion_11x11",)  # left out of a quick report
TIMED = 5  # faces
MEAN = "class mean of "
#: Explainer -> the fill that it hides with, which does not judge it.
OWN_FILL = {name: "blur" for name in EXPLAINERS if "occlusion" in name} | {
    "integrated_gradients": "mean"  # its path starts from a face of its mean
}


def own_fill(method: str) -> str | None:
    """The fill that a map was made with; a mean of maps was made as they were."""
    return OWN_FILL.get(method.removeprefix(MEAN))


def explainers(subject: Subject) -> list[str]:
    """Those that these weights have, on the backend that the report was asked for."""
    from fer_cbam.backends.torch import TorchBackend

    names = [name for name in EXPLAINERS if not (subject.quick and name in SLOW)]
    if not isinstance(subject.backend, TorchBackend):
        names = [name for name in names if name not in NEED_TORCH]
    if not has_gate(subject):
        names.remove(GATE)
    return names


def has_gate(subject: Subject) -> bool:
    """Whether the network has a spatial gate."""
    one = subject.backend.preprocess(subject.crops[:1])
    return subject.backend.forward(one).attention is not None


def backend_for(name: str, subject: Subject) -> Backend:
    """The fastest that an explainer runs on."""
    return subject.backend if name in NEED_TORCH else subject.fast


def defaults(subject: Subject) -> dict[str, str]:
    """ "live" and "still" -> what is shown first."""
    return {use: default_explainer(subject.backend, use) for use in ("live", "still")}


def all_maps(
    subject: Subject, x: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Method -> maps float32 ``(B, H, W)`` of the given labels ``(B,)``."""
    maps = {}
    for name in explainers(subject):
        explainer = open_explainer(name, backend_for(name, subject))
        made = partial(_maps_of, explainer, x, labels)
        maps[name] = subject.done(f"maps {name}", made)["maps"]
    for name in dict.fromkeys((GRADCAM, *defaults(subject).values())):
        maps[MEAN + name] = class_means(maps[name], labels)
    return maps | {name: make(x, rng) for name, make in BASELINES.items()}


def _maps_of(explainer: Explainer, x: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    parts = [explainer(x[i : i + 16], labels[i : i + 16]) for i in range(0, len(x), 16)]
    return {"maps": np.concatenate(parts)}


def baselines_of(method: str, names: Mapping[str, object]) -> list[str]:
    """What an explainer has to beat: its own class mean where it was made, else Grad-CAM's."""
    own = MEAN + method
    return [*BASELINES, own if own in names else MEAN + GRADCAM]


def milliseconds(name: str, subject: Subject) -> float:
    """Processor time of one face's map on one thread, the forward pass included; the median."""
    import torch

    from fer_cbam.backends.onnx import OnnxBackend

    backend = backend_for(name, subject)
    if isinstance(backend, OnnxBackend):
        backend = OnnxBackend.load(backend.weights_file.parent, threads=1)
    explainer = open_explainer(name, backend)
    x = subject.backend.preprocess(subject.crops[: TIMED + 1])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = []
        for face in x:
            start = time.process_time()
            explainer(face[None], np.zeros(1, int))
            times.append(time.process_time() - start)
    finally:
        torch.set_num_threads(threads)
    return 1000 * float(np.median(times[1:]))  # the first warms up
