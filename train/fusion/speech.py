"""Emotion from speech, speakers kept apart, and the weights that ship.

    python -m train.fusion.speech --ravdess ravdess.zip --emodb emodb.zip --runs runs/speech \
        --out reports/fusion/speech.json --weights weights/fer_cbam_prosody.ravdess_emodb

The last epoch counts. The settings were changed once, when the first ones knew too little even of
the speakers that were learnt from; the new ones were tried on a quarter of the training speakers of
the first joint fold, who are tested in other folds. A run that is done lies in ``--runs`` and is
not repeated. Protocols:

- RAVDESS, 5 folds, whole actors apart; EmoDB, one speaker left out, from a network that learnt
  RAVDESS; both sets together in 5 folds, on the labels of the face, which is how the weights that
  ship are trained, and where their temperature and reliability come from;
- from one set to the other, on the labels they share;
- a random fifth, once for each set: voices are on both sides there, so it says little.

Beside them logistic regression and a support vector machine on means, deviations and percentiles of
the same bands and tracks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from eval import metrics
from eval.bootstrap import bootstrap
from eval.calibrate import fit_temperature
from eval.records import provenance, record, write_report
from fer_cbam.data import emodb, ravdess
from fer_cbam.decide import softmax
from fer_cbam.hub.cards import CARD_FILE
from fer_cbam.models.prosody import LABELS, FerCbamProsody
from train.fusion.prosody import (
    Settings,
    Utterances,
    ask,
    both,
    features,
    fit,
    statistics,
    summed_up,
)

FOLDS = 5
SETTINGS = Settings()
FINE = replace(SETTINGS, epochs=12, lr=1e-3)  # from a network that learnt another set
NETWORK, BASELINES = "fer_cbam_prosody", ("logistic regression", "support vector machine")
SHARED = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
CARD = """---
license: cc-by-nc-sa-4.0
language: [en, de]
library_name: fer-cbam
tags: [speech-emotion-recognition]
---

# Model card: `{name}`

How something is said: {labels}, from two seconds of sound at 16 kHz. `fer_cbam.voice.Voice` opens
these weights. They learnt {utterances} utterances of {speakers} actors: RAVDESS (Livingstone and
Russo 2018, CC BY-NC-SA 4.0) in English and EmoDB (Burkhardt et al. 2005) in German.

**Licence: CC BY-NC-SA 4.0**, that of RAVDESS. For research, not for sale.

Speech that is not acted was not measured, nor were other languages. No basis for a decision about
a person.

Of speakers that the network of each fold never heard:

<!-- numbers:speech -->
Not measured yet.
<!-- /numbers -->

Confidence of single windows:

<!-- numbers:speech-calibration -->
Not measured yet.
<!-- /numbers -->
"""
# The labels of the face: calm is neutral there, boredom is none of them.
OF_FACE = {**{label: label for label in LABELS}, "calm": "neutral"}
APART, ALONE, ACROSS, RANDOM, JOINT = (
    "speakers apart, 5 folds", "one speaker left out", "from the other set", "random fifth",
    "both sets, speakers apart, 5 folds",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Part:
    """One training: learn from some utterances, be asked about others. start: the name of the part
    whose network is begun with."""

    name: str
    train: np.ndarray
    test: np.ndarray
    start: str | None = None


@dataclass(frozen=True, eq=False)
class Protocol:
    """data: what it is reported of; parts that test each utterance once at most."""

    name: str
    data: str
    utterances: Utterances
    labels: tuple[str, ...]
    parts: tuple[Part, ...]


def of_labels(data: Utterances, names: dict[str, str]) -> tuple[Utterances, np.ndarray]:
    """With labels under other names, and which utterances have one."""
    known = np.array([label in names for label in data.labels])
    renamed = np.array([names.get(label, "") for label in data.labels])
    return replace(data, labels=renamed), np.flatnonzero(known)


def protocols(of_ravdess: Utterances, of_emodb: Utterances) -> Iterator[Protocol]:
    """In the order in which they are needed."""
    pair, known = of_labels(both(of_ravdess, of_emodb), OF_FACE)
    folds = GroupKFold(FOLDS).split(known, groups=pair.speakers[known])
    parts = [Part(f"joint-{n}", known[a], known[b]) for n, (a, b) in enumerate(folds)]
    yield Protocol(JOINT, "ravdess+emodb", pair, LABELS, tuple(parts))

    rows = np.arange(len(of_ravdess))
    folds = GroupKFold(FOLDS).split(rows, groups=of_ravdess.speakers)
    parts = [Part(f"ravdess-{n}", a, b) for n, (a, b) in enumerate(folds)]
    yield Protocol(APART, "ravdess", of_ravdess, ravdess.LABELS, tuple(parts))

    same = {label: label for label in SHARED}
    pair, known = of_labels(both(of_ravdess, of_emodb), same)
    sides = [known[known < len(of_ravdess)], known[known >= len(of_ravdess)]]
    for data, (a, b) in (("emodb", sides), ("ravdess", sides[::-1])):
        yield Protocol(ACROSS, data, pair, SHARED, (Part(f"to-{data}", a, b),))

    rows = np.arange(len(of_emodb))
    folds = LeaveOneGroupOut().split(rows, groups=of_emodb.speakers)
    parts = [Part(f"emodb-{n}", a, b, "to-emodb") for n, (a, b) in enumerate(folds)]
    yield Protocol(ALONE, "emodb", of_emodb, emodb.LABELS, tuple(parts))

    for data, of, labels in (
        ("ravdess", of_ravdess, ravdess.LABELS), ("emodb", of_emodb, emodb.LABELS),
    ):  # fmt: skip
        split = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(of.labels, of.labels)
        a, b = next(iter(split))
        yield Protocol(RANDOM, data, of, labels, (Part(f"random-{data}", a, b),))


def answers(protocol: Protocol, runs: Path) -> dict[str, np.ndarray]:
    """What the network and the baselines say of the utterances that are tested, as a table of
    numbers each: log probabilities ``(N, K)`` by row of ``tested``."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (NETWORK, *BASELINES)}
    stats = statistics(protocol.utterances)
    targets = _targets(protocol)
    for part in protocol.parts:
        logits, owners = network_answers(protocol, part, runs)
        found[NETWORK].append(summed_up(logits, owners, protocol.utterances, part.test))
        for name in BASELINES:
            model = _baseline(name).fit(stats[part.train], targets[part.train])
            scores = np.full((len(part.test), len(protocol.labels)), -50.0)
            scores[:, model.classes_] = _scores(model, stats[part.test])
            found[name].append(scores)
    return {name: np.concatenate(values) for name, values in found.items()}


def network_answers(protocol: Protocol, part: Part, runs: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the windows of what is tested, and whose they are; from a file where it is done."""
    path = runs / f"{part.name}.npz"
    if not path.is_file():
        start = None if part.start is None else _read_network(runs / f"{part.start}.pt")
        settings = SETTINGS if start is None else FINE
        data, labels = protocol.utterances, protocol.labels
        network = fit(data, part.train, labels, settings, start=start)
        logits, owners = ask(network, data, part.test)
        torch.save(network.state_dict(), runs / f"{part.name}.pt")
        np.savez(path, logits=logits, owners=owners)
        hits = labels_hit(protocol, part, logits, owners)
        print(f"{part.name}: {hits:.3f} of {len(part.test)} utterances", flush=True)
    stored = np.load(path)
    return stored["logits"], stored["owners"]


def labels_hit(protocol: Protocol, part: Part, logits: np.ndarray, owners: np.ndarray) -> float:
    logs = summed_up(logits, owners, protocol.utterances, part.test)
    return float((logs.argmax(1) == _targets(protocol)[part.test]).mean())


def _read_network(path: Path) -> FerCbamProsody:
    state = torch.load(path, weights_only=True)
    network = FerCbamProsody(len(state["fc.bias"]))
    network.load_state_dict(state)
    return network


def _targets(protocol: Protocol) -> np.ndarray:
    index = {label: number for number, label in enumerate(protocol.labels)}
    return np.array([index.get(label, -1) for label in protocol.utterances.labels])


def _baseline(name: str) -> Pipeline:
    models: dict[str, Callable[[], object]] = {
        BASELINES[0]: lambda: LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced"),
        BASELINES[1]: lambda: SVC(C=1.0, class_weight="balanced"),
    }
    return make_pipeline(StandardScaler(), models[name]())


def _scores(model: Pipeline, rows: np.ndarray) -> np.ndarray:
    if hasattr(model[-1], "predict_log_proba"):
        return np.asarray(model.predict_log_proba(rows))
    return np.asarray(model.decision_function(rows))


def records(protocol: Protocol, said: dict[str, np.ndarray]) -> Iterator[dict]:
    """Accuracy and unweighted average recall, with intervals by speakers."""
    tested = np.concatenate([part.test for part in protocol.parts])
    data = protocol.utterances
    for name, scores in said.items():
        table = pd.DataFrame({
            "sample_id": tested.astype(str), "subject_id": data.speakers[tested],
            "target": _targets(protocol)[tested], "said": scores.argmax(1),
        })  # fmt: skip
        for of, own in _by_set(table, protocol.data).items():
            for metric, values in measured(own, len(protocol.labels)).items():
                yield record(metric, values[0], low=values[1], high=values[2], data=of,
                             protocol=protocol.name, weights=name, n=len(own))  # fmt: skip


def _by_set(table: pd.DataFrame, data: str) -> dict[str, pd.DataFrame]:
    """All of it and, where there are two sets in it, each of them."""
    sets = table["subject_id"].str.partition(" ")[0].str.lower()
    found = {data: table}
    if sets.nunique() > 1:
        found |= {name: table[sets == name].reset_index(drop=True) for name in data.split("+")}
    return found


def measured(table: pd.DataFrame, count: int) -> dict[str, tuple[float, float, float]]:
    """table: ``sample_id, subject_id, target, said``. count: K."""

    def both_metrics(table: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
        matrix = metrics.confusion_matrix(
            table["target"].to_numpy(), table["said"].to_numpy(), count, weights
        )
        return np.stack([metrics.accuracy(matrix), metrics.balanced_accuracy(matrix)], -1)

    values = both_metrics(table, None)
    low, high = bootstrap(table, both_metrics)
    names = ("accuracy", "unweighted average recall")
    return {name: (float(values[i]), float(low[i]), float(high[i])) for i, name in enumerate(names)}


def calibrated(protocol: Protocol, runs: Path) -> tuple[float, list[dict]]:
    """The temperature of all speakers, each asked about by a network that never heard them; and
    how far confidence is from being right, by temperatures that other folds chose."""
    pairs = _pairs(protocol, runs)
    found = []
    for condition in ("as trained", "calibrated"):
        confidence, hits = [], []
        for number, (logits, right) in enumerate(pairs):
            others = [pair for place, pair in enumerate(pairs) if place != number]
            scale = _temperature(others) if condition == "calibrated" else 1.0
            probs = softmax(logits / scale)
            confidence.append(probs.max(1))
            hits.append(probs.argmax(1) == right)
        sure, hit = np.concatenate(confidence), np.concatenate(hits)
        found += [
            record(metric, value, data=protocol.data, protocol=protocol.name, weights=NETWORK,
                   condition=condition, n=len(hit))
            for metric, value in (("window accuracy", hit.mean()),
                                  ("window confidence", sure.mean()),
                                  ("ece", float(metrics.ece(sure, hit))))
        ]  # fmt: skip
    return _temperature(pairs), found


def chosen_temperature(protocol: Protocol, runs: Path, left_out: slice) -> float:
    """Of all folds but some."""
    pairs = _pairs(protocol, runs)
    left = range(len(pairs))[left_out]
    return _temperature([pair for place, pair in enumerate(pairs) if place not in left])


def _pairs(protocol: Protocol, runs: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each fold the logits of its windows, and what is right."""
    targets = _targets(protocol)
    folds = [network_answers(protocol, part, runs) for part in protocol.parts]
    return [(logits, targets[owners]) for logits, owners in folds]


def _temperature(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    logits, right = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return fit_temperature(logits.astype(np.float64), right, spread=0)[0]


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--ravdess", required=True, type=Path, help="a folder or zip of RAVDESS' speech")
    add("--emodb", required=True, type=Path, help="a folder or zip of EmoDB")
    add("--runs", required=True, type=Path, help="a folder for trainings, to go on with later")
    add("--out", required=True, type=Path, metavar="REPORT.json")
    add("--weights", type=Path, metavar="DIR", help="train the weights that ship into this folder")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    args.runs.mkdir(parents=True, exist_ok=True)
    of_ravdess = kept_features(args.ravdess, args.runs, ravdess.read_ravdess)
    of_emodb = kept_features(args.emodb, args.runs, emodb.read_emodb)
    found, temperature = [], 1.0
    for protocol in protocols(of_ravdess, of_emodb):
        found += list(records(protocol, answers(protocol, args.runs)))
        if protocol.name == JOINT:
            temperature, calibration = calibrated(protocol, args.runs)
            found += calibration
            if args.weights:
                release(protocol, temperature, args.runs, args.weights)
    given = ["--ravdess", str(args.ravdess), "--emodb", str(args.emodb), "--runs", str(args.runs),
             "--out", str(args.out)]  # fmt: skip
    write_report(args.out, "speech", provenance("train.fusion.speech", given), found,
                 temperature=temperature, parameters=_parameters())  # fmt: skip
    for entry in found:
        print(f"{entry['data']:14} {entry['protocol']:36} {entry['weights']:24} "
              f"{entry['metric']:28} {100 * entry['value']:.1f}")  # fmt: skip


def kept_features(path: Path, runs: Path, read: Callable) -> Utterances:
    """Of a data set; worked out once, and kept among the runs."""
    kept = runs / f"{read.__name__}.npz"
    if not kept.is_file():
        features(read(path)).save(kept)
    return Utterances.load(kept)


def _parameters() -> int:
    return sum(p.numel() for p in FerCbamProsody(len(LABELS)).parameters())


def release(protocol: Protocol, temperature: float, runs: Path, folder: Path) -> None:
    """Train on all speakers of both sets, and write a folder of weights."""
    import timm

    from fer_cbam.deploy.voice import add_voice_graph
    from fer_cbam.hub import save_model

    rows = np.concatenate([part.test for part in protocol.parts])
    path = runs / "released.pt"
    if not path.is_file():
        network = fit(protocol.utterances, rows, LABELS, SETTINGS)
        torch.save(network.state_dict(), path)
    model = timm.create_model("fer_cbam_prosody", num_classes=len(LABELS)).eval()
    model.load_state_dict(torch.load(path, weights_only=True))
    of = {"speakers": len(set(protocol.utterances.speakers[rows])), "utterances": len(rows)}
    extra = {
        "temperature": round(temperature, 4), "license": "cc-by-nc-sa-4.0",
        "training": {"data": "RAVDESS speech and EmoDB", **of},
    }  # fmt: skip
    save_model(model, folder, LABELS, extra, dtype=torch.float16)
    add_voice_graph(folder)
    card = CARD.format(name=folder.name, labels=", ".join(LABELS), **of)
    (folder / CARD_FILE).write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
