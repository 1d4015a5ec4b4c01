"""The utterances of a video as a sequence: bc-LSTM on CMU-MOSI.

    python -m train.fusion.bc_lstm --data mosi_features.zip --out reports/fusion/bc_lstm.json

After Poria et al., "Context-Dependent Sentiment Analysis in User-Generated Videos", ACL 2017
(https://aclanthology.org/P17-1081): a bidirectional LSTM over a video for each modality, then one
over what these found. Sizes, dropout, optimiser and early stopping are those of the authors' code
(https://github.com/declare-lab/multimodal-deep-learning, bc-LSTM), which holds the last fifth of
the training videos back; the last epoch counts, as there. Published split; nothing is chosen here,
and the mean over seeds is reported. With ``--standardise`` the features of audio and video, whose
scales differ a thousandfold, are standardised by the training part first, which the authors' code
does not do.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from eval.records import provenance, record, write_report
from fer_cbam.data.cmu_mosi import LABELS, MODALITIES, Utterances, read_features
from train.fusion.cmu_mosi import standardised

SEEDS = 3
EPOCHS, PATIENCE, BATCH, HELD_BACK = 200, 10, 10, 0.2


@dataclass(frozen=True)
class Settings:
    """Of one network. dense: its width before the classifier, and what follows it."""

    dense: int
    activation: str
    input_dropout: float
    dropout: float = 0.9
    hidden: int = 300


ALONE = Settings(dense=100, activation="tanh", input_dropout=0.6)
TOGETHER = Settings(dense=500, activation="relu", input_dropout=0.4)


@dataclass(frozen=True, eq=False)
class Videos:
    """features: float32 ``(T, D)`` of each video, its utterances in order. targets: int64 ``(T,)``
    into ``LABELS``. rows: where each utterance stands in the split."""

    features: list[Tensor]
    targets: list[Tensor]
    rows: list[np.ndarray]

    def part(self, where: slice) -> Videos:
        return Videos(self.features[where], self.targets[where], self.rows[where])

    def batch(self, which: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Padded features, padded targets (-1), lengths."""
        return (pad_sequence([self.features[i] for i in which], batch_first=True),
                pad_sequence([self.targets[i] for i in which], True, -1),
                torch.tensor([len(self.targets[i]) for i in which]))  # fmt: skip


def videos(utterances: Utterances, features: np.ndarray) -> Videos:
    """features: ``(N, D)`` of the utterances."""
    names = np.array(utterances.videos)
    rows = []
    for name in dict.fromkeys(utterances.videos):
        own = np.flatnonzero(names == name)
        rows.append(own[np.argsort(utterances.places[own])])
    return Videos(
        [torch.from_numpy(features[own]).float() for own in rows],
        [torch.from_numpy(utterances.targets[own]) for own in rows], rows,
    )  # fmt: skip


class Contextual(nn.Module):
    """Utterances of videos ``(V, T, D)`` with lengths ``(V,)`` -> what was found of each
    ``(V, T, dense)``, and logits ``(V, T, 2)``."""

    def __init__(self, width: int, settings: Settings):
        super().__init__()
        self.settings = settings
        self.lstm = nn.LSTM(width, settings.hidden, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(2 * settings.hidden, settings.dense)
        self.out = nn.Linear(settings.dense, len(LABELS))
        for name, value in self.named_parameters():  # as Keras begins
            if "weight_hh" in name:
                for gate in value.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "weight" in name:
                nn.init.xavier_uniform_(value)
            else:
                nn.init.zeros_(value)
                if "bias_ih" in name:
                    value.data.chunk(4)[1].fill_(1)  # of the forget gate

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        of, train = self.settings, self.training
        # A feature is dropped from a whole video.
        kept = F.dropout(torch.ones_like(features[:, :1]), of.input_dropout, train)
        packed = pack_padded_sequence(features * kept, lengths, True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], True)
        dense = self.dense(F.dropout(hidden, of.dropout, train))
        found = dense.tanh() if of.activation == "tanh" else dense.relu()
        return found, self.out(F.dropout(found, of.dropout, train))


def fit(data: Videos, settings: Settings, seed: int) -> Contextual:
    """Trained until the loss of the videos that are held back no longer falls."""
    count = len(data.rows) - round(HELD_BACK * len(data.rows))
    train, held = data.part(slice(count)), data.part(slice(count, None))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Contextual(data.features[0].shape[1], settings)
        optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0, rho=0.95, eps=1e-7)
        best, since = np.inf, 0
        for _ in range(EPOCHS):
            network.train()
            for which in torch.randperm(count).split(BATCH):
                optimizer.zero_grad()
                _loss(network, train, which.tolist()).backward()
                optimizer.step()
            network.eval()
            with torch.no_grad():
                loss = float(_loss(network, held, list(range(len(held.rows)))))
            best, since = (loss, 0) if loss < best else (best, since + 1)
            if since >= PATIENCE:
                break
    return network.eval()


def _loss(network: Contextual, data: Videos, which: list[int]) -> Tensor:
    features, targets, lengths = data.batch(which)
    logits = network(features, lengths)[1]
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)


@torch.no_grad()
def asked(network: Contextual, data: Videos) -> tuple[list[Tensor], Tensor]:
    """What was found of each video ``(T, dense)``, and logits of the split's utterances
    ``(N, 2)``."""
    features, _, lengths = data.batch(list(range(len(data.rows))))
    found, logits = network(features, lengths)
    each = [(found[i, :n], logits[i, :n]) for i, n in enumerate(lengths.tolist())]
    order = torch.from_numpy(np.argsort(np.concatenate(data.rows)))
    return [x for x, _ in each], torch.cat([x for _, x in each])[order]


def joined(parts: list[Videos]) -> Videos:
    """The same videos with the features of all parts, one behind the other."""
    rows = zip(*(part.features for part in parts), strict=True)
    return replace(parts[0], features=[torch.cat(row, 1) for row in rows])


def measured(
    parts: dict[str, Utterances], features: dict[str, dict[str, np.ndarray]], seed: int
) -> dict[str, float]:
    """Test accuracy of each modality, and of all of them.

    features: modality -> split -> ``(N, D)``.
    """
    found: dict[str, float] = {}
    deep: dict[str, list[Videos]] = {split: [] for split in parts}
    right = torch.from_numpy(parts["test"].targets)
    for name, values in features.items():
        data = {split: videos(parts[split], values[split]) for split in parts}
        network = fit(data["train"], ALONE, seed)
        for split, own in data.items():
            deep[split].append(replace(own, features=asked(network, own)[0]))
        found[name] = float((asked(network, data["test"])[1].argmax(1) == right).float().mean())
    both = {split: joined(own) for split, own in deep.items()}
    network = fit(both["train"], TOGETHER, seed)
    logits = asked(network, both["test"])[1]
    found["+".join(features)] = float((logits.argmax(1) == right).float().mean())
    return found


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="a folder or zip of the features")
    parser.add_argument("--standardise", action="store_true", help="audio and video first")
    parser.add_argument("--out", required=True, type=Path, metavar="REPORT.json")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    parts = read_features(args.data)
    scaled = {split: standardised(parts["train"], own) for split, own in parts.items()}
    features = {
        name: {split: scaled[split][name] if args.standardise and name != "text"
               else own.features[name] for split, own in parts.items()}
        for name in MODALITIES
    }  # fmt: skip
    title = "bc-LSTM, standardised" if args.standardise else "bc-LSTM"
    runs = []
    for seed in range(SEEDS):
        runs.append(measured(parts, features, seed))
        print(seed, runs[-1], flush=True)
    found = [
        record("accuracy", np.mean(values), data="cmu_mosi", protocol="published split, test",
               weights=f"{title}, {name}", mean=np.mean(values), sd=np.std(values, ddof=1),
               n=len(values))
        for name in runs[0] for values in [[run[name] for run in runs]]
    ]  # fmt: skip
    write_report(args.out, "fusion", provenance("train.fusion.bc_lstm", arguments), found)


if __name__ == "__main__":
    main()
