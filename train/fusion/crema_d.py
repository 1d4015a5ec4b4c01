"""How people fuse a face and a voice, on CREMA-D's votes.

    python -m train.fusion.crema_d --data crema_d_votes.zip --out reports/fusion/crema_d.json

From the votes of people who only heard a clip, and of others who only saw it, predict the votes of
those who did both. Folds keep actors apart. A vote is a count of about ten people: what they would
say is estimated with a Dirichlet prior of some people (`strength`), who vote as the training part.
Reported: cross-entropy to the votes with both, how often the answer is their favourite (any, of
equals), and the difference to the better single modality; intervals by actors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import GroupKFold

from eval.bootstrap import bootstrap
from eval.records import provenance, record, write_report
from fer_cbam.data.crema_d import LABELS, Ratings, read_votes
from train.fusion.attention import Settings, Windows, fit_attention, log_probs
from train.fusion.experts import fit_experts

FOLDS = 5
STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
SINGLE = ("voice", "face")
SETTINGS = Settings(epochs=20, batch_size=128, dim=32, dropout=0.0, modality_dropout=0.0)
METHODS = {
    "product of experts": "plain", "a number": "number", "one a label": "label",
    "a matrix": "matrix",
}  # fmt: skip


def posteriors(votes: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    """What people would say: the mean of the Dirichlet posterior, ``(N, 6)``."""
    return (votes + strength * prior) / (votes.sum(1, keepdims=True) + strength)


def shares(votes: np.ndarray) -> np.ndarray:
    return votes / votes.sum(1, keepdims=True)


def cross_entropies(probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Of each sample, in nats."""
    return np.asarray(-(targets * np.log(np.clip(probs, 1e-12, None))).sum(1))


def favourite(probs: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """Whether each answer has the most votes; of equals any counts."""
    chosen = probs.argmax(1)
    return np.asarray(votes[np.arange(len(votes)), chosen] == votes.max(1))


def best_strength(votes: np.ndarray, prior: np.ndarray, both: np.ndarray) -> float:
    """Of `STRENGTHS`, by cross-entropy of one modality's answer to the votes with both."""
    losses = [cross_entropies(posteriors(votes, prior, s), both).mean() for s in STRENGTHS]
    return STRENGTHS[int(np.argmin(losses))]


def answers(ratings: Ratings, train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities of each method for the test part, ``(n, 6)``."""
    both = shares(ratings.both)
    # Each modality's own prior: of its voters, who call more clips neutral without a face.
    votes = {name: getattr(ratings, name) for name in SINGLE}
    said = {}
    for name, counts in votes.items():
        own = counts[train].sum(0) / counts[train].sum()
        said[name] = posteriors(counts, own, best_strength(counts[train], own, both[train]))
    prior = ratings.both[train].sum(0) / ratings.both[train].sum()
    found = {}
    for name in SINGLE:
        # A single modality is fitted as well as the pair: an offset and a matrix of its own.
        alone = {name: said[name][train], "none": np.tile(prior, (len(train), 1))}
        # (two modalities, of which the second says nothing: one alone would be left as it is)
        expert = fit_experts(LABELS, prior, alone, both[train], "matrix")
        found[f"{name} alone"] = expert.posterior(
            {name: said[name][test], "none": np.tile(prior, (len(test), 1))}
        )
    for method, kind in METHODS.items():
        pair = {name: said[name][train] for name in SINGLE}
        expert = fit_experts(LABELS, prior, pair, both[train], kind)
        found[method] = expert.posterior({name: said[name][test] for name in SINGLE})
    windows = as_windows(said, both)
    network = fit_attention(windows[torch.from_numpy(train)], SETTINGS, seed=0)
    found["attention"] = log_probs(network, windows[torch.from_numpy(test)]).exp().numpy()
    return found


def as_windows(said: dict[str, np.ndarray], both: np.ndarray) -> Windows:
    """One token for each modality, its log probabilities."""
    count = len(both)
    logs = {name: torch.from_numpy(np.log(p)).float()[:, None] for name, p in said.items()}
    return Windows(
        logs, {name: torch.zeros(count, 1) for name in said},
        {name: torch.ones(count, 1, dtype=torch.bool) for name in said},
        torch.from_numpy(both).float(),
    )  # fmt: skip


def cross_validated(ratings: Ratings) -> pd.DataFrame:
    """A row a clip and method: ``sample_id, subject_id, method, cross_entropy, favourite``."""
    tables = []
    actors = np.array(ratings.actors)
    for train, test in GroupKFold(FOLDS).split(actors, groups=actors):
        for method, probs in answers(ratings, train, test).items():
            tables.append(pd.DataFrame({
                "sample_id": np.array(ratings.clips)[test], "subject_id": actors[test],
                "method": method,
                "cross_entropy": cross_entropies(probs, shares(ratings.both[test])),
                "favourite": favourite(probs, ratings.both[test]).astype(float),
            }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def records(table: pd.DataFrame) -> list[dict]:
    """Each method's two metrics, and their difference to the better single modality, paired."""
    found = []
    metrics = ("cross_entropy", "favourite")
    wide = table.pivot(index=["sample_id", "subject_id"], columns="method", values=list(metrics))
    for metric in metrics:
        values = wide[metric]
        alone = values[[f"{name} alone" for name in SINGLE]].mean()
        best = alone.idxmin() if metric == "cross_entropy" else alone.idxmax()
        for method in values:
            for suffix, numbers in (
                ("", values[method]),
                (" over the better alone", values[method] - values[best]),
            ):
                if suffix and method.endswith(" alone"):
                    continue
                low, high = interval(numbers)
                found.append(record(
                    metric + suffix, numbers.mean(), data="crema_d",
                    protocol="actors apart, 5 folds", weights=method, low=low, high=high,
                    n=len(numbers),
                ))  # fmt: skip
    return found


def interval(numbers: pd.Series) -> tuple[float, float]:
    """95 % of the mean, actors drawn as wholes."""
    rows = numbers.rename("number").reset_index()

    def mean(rows: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
        values = rows["number"].to_numpy()
        if weights is None:
            return np.array(values.mean())
        return np.asarray(values @ weights / weights.sum(0))

    low, high = bootstrap(rows, mean)
    return float(low), float(high)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="a folder or zip of the ratings")
    parser.add_argument("--out", required=True, type=Path, metavar="REPORT.json")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    ratings = read_votes(args.data)
    found = records(cross_validated(ratings))
    given = ["--data", str(args.data), "--out", str(args.out)]
    write_report(args.out, "fusion", provenance("train.fusion.crema_d", given), found,
                 clips=len(ratings), actors=len(set(ratings.actors)))  # fmt: skip
    for entry in found:
        print(f"{entry['metric']:40} {entry['weights']:20} {entry['value']:.4f} "
              f"({entry['low']:.4f} to {entry['high']:.4f})")  # fmt: skip


if __name__ == "__main__":
    main()
