"""Do maps depend on the network, on the face and on the label? And does the gate do anything?

A map that survives random weights shows the picture and not the network (Adebayo et al., NeurIPS
2018, https://arxiv.org/abs/1810.03292): weights are shuffled within each tensor, of the head alone
and then of one stage more at a time. A map of a network that learnt shuffled labels by heart
(:mod:`eval.studies.shuffled_labels`) should be another one too. ``rank_correlation`` is Spearman's,
of the pixels of two maps; ``condition`` is the method, ``option`` what the map is held against.
``answers_changed`` is the share of faces that get another answer when CBAM's spatial gates are
replaced.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from eval.bootstrap import bootstrap
from eval.records import Record
from eval.trust.faithfulness import means, said
from eval.trust.methods import backend_for, defaults, explainers
from eval.trust.page import find, number, paragraph, table
from eval.trust.section import Subject
from fer_cbam.backends.base import Backend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.explain.hide import logits_of
from fer_cbam.explain.named import GATE, GRADCAM, open_explainer
from fer_cbam.models.cbam import CBAM

name = "sanity"
title = "Explanations: do they depend on the network, the face and the label?"

FACES, QUICK_FACES = 60, 20
GATE_FACES = 400
MOST = {"head": 0.3, "another face": 0.5, "another class": 0.5}
GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "another face's": lambda gate: gate.roll(1, 0),
    "mean of all": lambda gate: gate.mean(0, keepdim=True).expand_as(gate),
    "upside down": lambda gate: gate.flip(2),
}


def measure(subject: Subject) -> list[Record]:
    faces = subject.some(QUICK_FACES if subject.quick else FACES)
    x = subject.backend.preprocess([subject.crops[i] for i in faces])
    logits = logits_of(subject.fast, x)
    answers = said(subject, logits)
    logits[np.arange(len(x)), answers] = np.inf  # what is said first, then the most probable
    order = np.argsort(-logits, 1)
    rows = subject.table.iloc[faces]
    methods = [m for m in dict.fromkeys((*defaults(subject).values(), GRADCAM, GATE, "layercam_1"))
               if m in explainers(subject)]  # fmt: skip
    columns: list[tuple[str, str, np.ndarray]] = []
    for method in subject.progress(methods, "sanity"):
        columns += [(method, test, rho) for test, rho in _tests(subject, method, x, order)]
    values = np.stack([rho for *_, rho in columns], 1)
    low, high = bootstrap(rows, lambda _, w: means(values, w))
    for method, test, rho in columns:
        subject.keep(rows, "rank_correlation", rho, condition=method, option=test)
    records = [
        subject.record("rank_correlation", rho.mean(), low=a, high=b, n=len(rho), condition=method,
                       option=test)
        for (method, test, rho), a, b in zip(columns, low, high, strict=True)
    ]  # fmt: skip
    return records + list(gates(subject))


def _tests(
    subject: Subject, method: str, x: np.ndarray, order: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    backend, answers = backend_for(method, subject), order[:, 0]
    own = open_explainer(method, backend)(x, answers)
    # Faces stand by their row in the data set, so the next one is any other.
    yield "another face", rank_correlations(own, np.roll(own, 1, axis=0))
    if method != GATE:
        other = open_explainer(method, backend)(x, order[:, 1])
        yield "another class", rank_correlations(own, other)
    if subject.shuffled is not None:
        twin = subject.shuffled
        there = [twin.label_names.index(subject.backend.label_names[a]) for a in answers]
        yield "labels", rank_correlations(own, open_explainer(method, twin)(x, np.array(there)))
    if isinstance(subject.backend, TorchBackend):
        for done, shuffled in shuffled_backends(subject.backend, subject.rng(name)):
            yield done, rank_correlations(own, open_explainer(method, shuffled)(x, answers))


def rank_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's correlation of the pixels of maps ``(N, H, W)``: ``(N,)``; 0 where one of them is
    the same everywhere."""
    ranks = [rankdata(m.reshape(len(m), -1), axis=1) for m in (a, b)]
    first, second = (r - r.mean(1, keepdims=True) for r in ranks)
    scale = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    product = (first * second).sum(1)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)


def shuffled_backends(
    backend: TorchBackend, rng: np.random.Generator
) -> Iterator[tuple[str, Backend]]:
    """From the head down, with one stage more of weights shuffled each time."""
    model = copy.deepcopy(backend.model)
    parts: list[tuple[str, nn.Module]] = [("head", model.head)]
    parts += [(f"down to stage {i}", stage)
              for i, stage in reversed(list(enumerate(model.stages)))]  # fmt: skip
    for done, part in parts:
        _shuffle(part, rng)
        other = copy.copy(backend)
        other.model = copy.deepcopy(model)
        yield done, other


@torch.no_grad()
def _shuffle(module: nn.Module, rng: np.random.Generator) -> None:
    for parameter in module.parameters():
        drawn = torch.from_numpy(rng.permutation(parameter.numel())).to(parameter.device)
        parameter.copy_(parameter.flatten()[drawn].reshape(parameter.shape))


def gates(subject: Subject) -> Iterator[Record]:
    """Share of answers that change when spatial gates are replaced: the last alone, and all."""
    if not isinstance(subject.backend, TorchBackend):
        return
    backend = copy.copy(subject.backend)
    backend.model = copy.deepcopy(subject.backend.model)
    spatial = [m.spatial for m in backend.model.modules()
               if isinstance(m, CBAM) and m.spatial is not None]  # fmt: skip
    if not spatial:
        return
    faces = subject.some(GATE_FACES)
    x = subject.backend.preprocess([subject.crops[i] for i in faces])
    before = said(subject, logits_of(backend, x))
    for which, modules in (("last gate", spatial[-1:]), ("all gates", spatial)):
        for change, replace in GATES.items():
            hooks = [m.register_forward_hook(lambda _m, _i, out, f=replace: f(out))
                     for m in modules]  # fmt: skip
            changed = said(subject, logits_of(backend, x)) != before
            for hook in hooks:
                hook.remove()
            yield subject.record("answers_changed", changed.mean(), condition=change, option=which,
                                 n=len(x))  # fmt: skip


def compared(record: Record) -> bool:
    """Whether a comparison of two weights shows this record."""
    return record["metric"] in ("rank_correlation", "answers_changed")


def html(records: Sequence[Record]) -> str:
    rhos = [r for r in records if r["metric"] == "rank_correlation"]
    tests = list(dict.fromkeys(r["option"] for r in rhos))
    limits = ", ".join(f"{test}: {most}" for test, most in MOST.items())
    text = paragraph(
        "Rank correlation of a face's map with: the map of another face, the map of the second "
        "most probable emotion, and the map of a network whose weights (of the head, and further "
        "down), or the labels that it learnt, were shuffled. Small is "
        f"good; asked for are at most {limits}."
    )
    text += table(["method", *tests], [
        [method, *(number(find(rhos, condition=method, option=test), ".2f") for test in tests)]
        for method in dict.fromkeys(r["condition"] for r in rhos)
    ])  # fmt: skip
    changed = [r for r in records if r["metric"] == "answers_changed"]
    if changed:
        options = list(dict.fromkeys(r["option"] for r in changed))
        text += paragraph(
            "Share of answers that change when CBAM's spatial gate is replaced. A gate "
            "that can be swapped for another face's says little about a face."
        )
        text += table(["gate", *options], [
            [c, *(number(find(changed, condition=c, option=o), ".1%") for o in options)]
            for c in dict.fromkeys(r["condition"] for r in changed)
        ])  # fmt: skip
    return text
