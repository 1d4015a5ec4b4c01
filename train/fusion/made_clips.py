"""A face and a voice that agree, or contradict each other: what is said of clips that were made.

    python -m train.fusion.made_clips --ravdess ravdess.zip --emodb emodb.zip --faces fer2013.csv \
        --votes fer2013new.csv --runs runs/speech --out reports/fusion/made_clips.json

No labelled video with sound is at hand, so a clip is a still of PublicTest (FER+ label), moved a
little from frame to frame, and an utterance of RAVDESS. The network that hears it never heard its
actor: it is the fold's of ``train.fusion.speech``, whose trainings lie in ``--runs``. The face's
network did not learn PublicTest, but its temperature was chosen there. Actors of the first two
folds and one half of the faces choose how much the voice counts; those of the other folds, with the
other half, are tested. Such a face and voice err independently, which those of one person do not.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar

from eval import metrics
from eval.bootstrap import bootstrap
from eval.records import provenance, record, write_report
from fer_cbam import data, pretrained
from fer_cbam.data import emodb, ravdess
from fer_cbam.data.base import Dataset
from fer_cbam.modalities import Joined, Reading, join
from fer_cbam.models.prosody import LABELS
from fer_cbam.recognizer import EmotionRecognizer
from train.fusion.prosody import summed_up
from train.fusion.speech import JOINT, Protocol, chosen_temperature, kept_features, protocols
from train.fusion.speech import network_answers as heard

EACH = 200  # clips that agree, and as many that do not
FRAMES = 4
CHOOSING = 2  # folds
FACE, VOICE = "face", "voice"
MOMENT = np.array([[0.0, 1.0]])


@dataclass(frozen=True, eq=False)
class Voices:
    """label, actor: of N utterances. logs: calibrated log probabilities ``(N, 7)``."""

    label: np.ndarray
    actor: np.ndarray
    logs: np.ndarray


@dataclass(frozen=True, eq=False)
class Clip:
    """A face's posterior ``(K,)`` and a voice's log probabilities ``(7,)``, and their labels."""

    face_label: str
    voice_label: str
    actor: str
    face: np.ndarray
    voice: np.ndarray


def voices(protocol: Protocol, runs: Path, folds: slice) -> Voices:
    """RAVDESS' utterances of some folds."""
    of = protocol.utterances
    temperature = chosen_temperature(protocol, runs, folds)
    rows, logs = [], []
    for part in protocol.parts[folds]:
        logits, owners = heard(protocol, part, runs)
        logs.append(summed_up(logits / temperature, owners, of, part.test))
        rows.append(part.test)
    row, said = np.concatenate(rows), np.concatenate(logs)
    ours = np.char.startswith(of.speakers[row].astype(str), "RAVDESS")
    return Voices(of.labels[row][ours], of.speakers[row][ours], said[ours])


def moved(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same face, shifted up to 2 pixels of 48, 4 % larger or smaller, lighter or darker."""
    height, width = pixels.shape[:2]
    scale = 1 + rng.uniform(-0.04, 0.04)
    shift = rng.uniform(-2, 2, 2)
    affine = np.array([[scale, 0, shift[0] + (1 - scale) * width / 2],
                       [0, scale, shift[1] + (1 - scale) * height / 2]])  # fmt: skip
    warped = cv2.warpAffine(pixels, affine, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.clip(warped * rng.uniform(0.9, 1.1), 0, 255).astype(np.uint8)


def shown(
    recognizer: EmotionRecognizer, pixels: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The mean posterior ``(K,)`` over the frames of a made sequence."""
    crops = [moved(pixels, rng) for _ in range(FRAMES)]
    logits = recognizer.backend.forward(recognizer.preprocess(crops)).logits
    return np.asarray(recognizer.decision.posterior(logits).mean(0))


def made(
    recognizer: EmotionRecognizer, faces: Dataset, spoken: Voices, rng: np.random.Generator,
    agree: bool,
) -> list[Clip]:  # fmt: skip
    """`EACH` clips, labels drawn alike."""
    by_face = {label: np.flatnonzero(faces_labels(faces) == label) for label in LABELS}
    by_voice = {label: np.flatnonzero(spoken.label == label) for label in LABELS}
    found = []
    for number in range(EACH):
        first = LABELS[number % len(LABELS)]
        others = [label for label in LABELS if label != first]
        second = first if agree else others[int(rng.integers(len(others)))]
        face, voice = int(rng.choice(by_face[first])), int(rng.choice(by_voice[second]))
        probs = shown(recognizer, faces.samples[face].pixels, rng)
        found.append(Clip(first, second, spoken.actor[voice], probs, spoken.logs[voice]))
    return found


def faces_labels(faces: Dataset) -> np.ndarray:
    return np.array([sample.label for sample in faces.samples])


def joined(clip: Clip, recognizer: EmotionRecognizer, reliability: float) -> Joined:
    """As `fer_cbam.video` joins a moment."""
    mix = recognizer.class_mix()
    prior = None if mix is None else np.array([mix[label] for label in recognizer.label_names])
    none = np.zeros((1, 0), np.float32)
    face = Reading(FACE, recognizer.label_names, MOMENT, np.log(clip.face[None]), none, prior)
    voice = Reading(VOICE, LABELS, MOMENT, clip.voice[None], none)
    return join([face, voice], [0.5], {VOICE: reliability})


def best_reliability(clips: list[Clip], recognizer: EmotionRecognizer) -> float:
    """Of the voice, by cross-entropy of clips that agree."""
    names = list(recognizer.label_names)
    targets = [names.index(clip.face_label) for clip in clips]

    def loss(value: float) -> float:
        return -float(np.mean([
            np.log(joined(clip, recognizer, value).probs[0, target])
            for clip, target in zip(clips, targets, strict=True)
        ]))  # fmt: skip

    return float(minimize_scalar(loss, bounds=(0.0, 2.0), method="bounded").x)


def table(clips: list[Clip], recognizer: EmotionRecognizer, reliability: float) -> pd.DataFrame:
    """A row a clip: how sure each is and whether it is right about the face's label."""
    rows = []
    for number, clip in enumerate(clips):
        both = joined(clip, recognizer, reliability)
        row: dict[str, Any] = {"sample_id": str(number), "subject_id": clip.actor,
               "reported": float(both.disagree[0])}  # fmt: skip
        probs = {FACE: both.said[FACE][0], VOICE: np.exp(clip.voice), "together": both.probs[0]}
        for name, values in probs.items():
            labels = LABELS if name == VOICE else both.label_names
            row[f"{name} said"] = labels[int(values.argmax())]
            row[f"{name} confidence"] = float(values.max())
            target = clip.voice_label if name == VOICE else clip.face_label
            row[f"{name} correct"] = float(row[f"{name} said"] == target)
        row["surer"] = float(row["together confidence"] > row["face confidence"])
        # How little one may expect of two that say the same: 1 minus their inner product.
        row["conflict"] = 1 - float(both.said[FACE][0] @ both.said[VOICE][0])
        rows.append(row)
    return pd.DataFrame(rows)


def records(tables: dict[str, pd.DataFrame]) -> list[dict]:
    found = []
    for condition, rows in tables.items():
        of = {"data": "made clips", "protocol": "actors and faces apart", "condition": condition,
              "n": len(rows)}  # fmt: skip
        numeric = rows.select_dtypes("number")
        for column in numeric:
            low, high = _interval(rows, column)
            found.append(record(column, numeric[column].mean(), low=low, high=high, **of))
        for name in (FACE, VOICE, "together"):
            sure, right = rows[f"{name} confidence"], rows[f"{name} correct"] > 0
            error = float(metrics.ece(sure.to_numpy(), right.to_numpy()))
            found.append(record(f"{name} ece", error, **of))
        both = rows[(rows["face correct"] > 0) & (rows["voice correct"] > 0)]
        low, high = _interval(both, "reported")
        found.append(record("reported, both right", both["reported"].mean(), low=low, high=high,
                            **{**of, "n": len(both)}))  # fmt: skip
    agree, conflict = (tables[name]["conflict"].to_numpy() for name in ("agree", "conflict"))
    positive = np.repeat([False, True], [len(agree), len(conflict)])
    area = metrics.auc(np.concatenate([agree, conflict]), positive)
    found.append(record("conflict auc", float(np.ravel(area)[0]), data="made clips",
                        protocol="actors and faces apart", n=len(positive)))  # fmt: skip
    return found


def _interval(rows: pd.DataFrame, column: str) -> tuple[float, float]:
    def mean(table: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
        values = table[column].to_numpy(np.float64)
        return np.array(values.mean()) if weights is None else values @ weights / weights.sum(0)

    low, high = bootstrap(rows, mean)
    return float(low), float(high)


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--ravdess", required=True, type=Path, help="a folder or zip of RAVDESS' speech")
    add("--emodb", required=True, type=Path, help="a folder or zip of EmoDB")
    add("--faces", required=True, type=Path, help="FER2013")
    add("--votes", required=True, type=Path, help="fer2013new.csv")
    add("--runs", required=True, type=Path, help="the folder of train.fusion.speech")
    add("--out", required=True, type=Path, metavar="REPORT.json")
    add("--weights", type=Path, metavar="DIR", help="write the reliability into their config.json")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    sets = (kept_features(args.ravdess, args.runs, ravdess.read_ravdess),
            kept_features(args.emodb, args.runs, emodb.read_emodb))  # fmt: skip
    protocol = next(p for p in protocols(*sets) if p.name == JOINT)
    recognizer = EmotionRecognizer.from_pretrained()
    dataset = data.load(args.faces, votes=args.votes)
    rng = np.random.default_rng(0)
    public = rng.permutation([n for n, s in enumerate(dataset.samples) if s.split == "PublicTest"])
    halves = np.array_split(public, 2)
    choosing = voices(protocol, args.runs, slice(0, CHOOSING))
    tested = voices(protocol, args.runs, slice(CHOOSING, None))
    chosen_on = made(recognizer, dataset.subset(halves[0]), choosing, rng, True)
    reliability = best_reliability(chosen_on, recognizer)
    tables = {
        name: table(made(recognizer, dataset.subset(halves[1]), tested, rng, name == "agree"),
                    recognizer, reliability)
        for name in ("agree", "conflict")
    }  # fmt: skip
    if args.weights:
        config = pretrained.read_config(args.weights)
        pretrained.write_config(args.weights, {**config, "reliability": round(reliability, 4)})
    found = records(tables)
    write_report(args.out, "made_clips", provenance("train.fusion.made_clips", arguments), found,
                 reliability=reliability)  # fmt: skip
    for entry in found:
        print(f"{entry.get('condition', ''):10} {entry['metric']:22} {entry['value']:.3f}")


if __name__ == "__main__":
    main()
