"""From logits to an answer: the only place where scores become probabilities and a label.

What a face shows most probably and what is said of it are two things. The probabilities are
calibrated, for faces as they were met: a confidence of 0.8 is right in 80 % of them. The label is
chosen by the numbers of ``decision`` in config.json, which lift what is rare and lower what is said
too often; the confidence is the probability of the label that is said, lifted or not. So a label
can be said of which the network is less sure than of another.

Keys at the root of config.json, all written by ``python -m eval.calibrate``:

``temperature``, ``bias``: probabilities are the softmax of ``logits / temperature + bias``, after
what the release has added to the logits is taken off (:func:`fer_cbam.prior.logit_offset`).
Temperature scaling with a bias for each class: Guo et al. 2017, https://arxiv.org/abs/1706.04599,
and Alexandari et al. 2020, https://arxiv.org/abs/1901.06852, who show that it is what a change of
the prior needs.
``prior``: label -> share, of the faces that these probabilities are calibrated for.
``decision``: ``balance``, see :func:`fer_cbam.prior.balance_offset`; ``shift``, label -> what is
added to its log-probability besides; ``silent``, labels that are never said.
``uncertain_below``: no answer is given below this confidence.
``face_probe``: ``weights`` and ``bias`` of a linear read of the embedding, below 0 for what is no
face.

Weights without ``decision`` answer as they did before there was one: the label of the largest
logit, its confidence the softmax of ``logits / temperature``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fer_cbam.errors import WeightsError
from fer_cbam.prior import Prior, balance_offset, expected, logit_offset, own_prior
from fer_cbam.types import Prediction


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits ``(N, L)`` -> float64 probabilities ``(N, L)``, each row summing to 1."""
    logits = np.asarray(logits, np.float64)
    exp: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    exp /= exp.sum(axis=1, keepdims=True)
    return exp


@dataclass(frozen=True)
class Decision:
    """How the logits of some weights become probabilities, a label and a confidence.

    label_names: in the order of the logits. bias: added to ``logits / temperature`` before the
    softmax. lift: added to the log-probabilities before the largest is said, -inf for a label that
    never is; both of one number for each label. face_probe: of the embedding, one number for each
    of its D and the bias, None where nothing is refused.
    """

    label_names: tuple[str, ...]
    temperature: float = 1.0
    bias: tuple[float, ...] = ()
    lift: tuple[float, ...] = ()
    uncertain_below: float = 0.0
    face_probe: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        count = len(self.label_names)
        for name in ("bias", "lift"):
            values = getattr(self, name) or (0.0,) * count
            if len(values) != count:
                raise WeightsError(f"{name}: {len(values)} numbers; expected {count}, one a label")
            object.__setattr__(self, name, tuple(float(v) for v in values))
        if not self.temperature > 0:
            raise WeightsError(f"temperature: got {self.temperature}; expected a number above 0")
        if max(self.lift, default=0.0) == -np.inf:
            raise WeightsError("decision: every label is silent; expected one that can be said")

    @classmethod
    def of(
        cls, config: Mapping[str, Any], label_names: Sequence[str], prior: Prior | None = None
    ) -> Decision:
        """The decision of some weights.

        config: their config.json. prior: the class mix that the user expects, see
        :func:`fer_cbam.prior.expected`. With one, probabilities are those for that mix, and the
        label is the most probable: it takes the place of ``decision``.

        Raises:
            WeightsError: numbers of the config that do not fit the labels.
            PriorError: a prior that does not fit them.
        """
        labels = tuple(label_names)
        temperature = float(config.get("temperature", 1.0))
        bias, lift = np.zeros((2, len(labels)))
        if "decision" in config or prior is not None:
            offset = logit_offset(config, labels)
            bias = _numbers(config, "bias", labels) - _in_order(offset, labels) / temperature
        if prior is not None:
            own = own_prior(config, labels)
            with np.errstate(divide="ignore"):  # what is not expected has no probability
                bias += np.log(_in_order(expected(prior, own), labels)) - np.log(
                    _in_order(own, labels)
                )
        elif "decision" in config:
            lift = _lift(config, labels)
        return cls(
            labels, temperature, tuple(bias), tuple(lift),
            float(config.get("uncertain_below", 0.0)), _probe(config),
        )  # fmt: skip

    def posterior(self, logits: np.ndarray) -> np.ndarray:
        """Logits ``(N, L)`` -> calibrated probabilities, float64 ``(N, L)``."""
        return softmax(np.asarray(logits, np.float64) / self.temperature + np.asarray(self.bias))

    def said(self, probs: np.ndarray) -> np.ndarray:
        """Calibrated probabilities ``(N, L)`` -> positions of the labels that are said, ``(N,)``;
        of equals the first."""
        with np.errstate(divide="ignore"):  # what is impossible is never said
            scores = np.log(probs) + np.asarray(self.lift)
        found: np.ndarray = scores.argmax(axis=1)
        return found

    def softened(self, temperature: float) -> Decision:
        """Says of probabilities whose logarithms were divided by a temperature (and that sum to 1
        again) the labels that this one says of the undivided."""
        return replace(self, lift=tuple(value / temperature for value in self.lift))

    def is_face(self, embedding: np.ndarray | None, count: int) -> np.ndarray:
        """bool ``(count,)``: which embeddings ``(count, D)`` are taken for those of faces; all,
        where there is no embedding or nothing is refused.

        Raises:
            WeightsError: embeddings of another length than the probe.
        """
        if embedding is None or self.face_probe is None:
            return np.ones(count, bool)
        if embedding.shape[1] != len(self.face_probe) - 1:
            raise WeightsError(f"face_probe: for {len(self.face_probe) - 1} numbers; expected "
                               f"{embedding.shape[1]}, as in the embedding")  # fmt: skip
        weights = np.asarray(self.face_probe)
        # Not a matrix product: each row is to be added up alike, whichever rows lie beside it.
        found: np.ndarray = (embedding * weights[:-1]).sum(axis=1) + weights[-1] >= 0
        return found

    def predictions(
        self, logits: np.ndarray, embedding: np.ndarray | None = None
    ) -> list[Prediction]:
        """Logits ``(N, L)``, and embeddings ``(N, D)`` -> one prediction for each row."""
        probs = self.posterior(logits)
        if probs.shape[1:] != (len(self.label_names),):
            raise WeightsError(f"logits: got shape {probs.shape}; expected one column for each of "
                               f"{', '.join(self.label_names)}")  # fmt: skip
        faces = self.is_face(embedding, len(probs))
        return [
            self._prediction(row, int(place), bool(face))
            for row, place, face in zip(probs, self.said(probs), faces, strict=True)
        ]

    def of_probs(self, probs: Mapping[str, float], no_face: bool = False) -> Prediction:
        """The same of calibrated probabilities by label, such as a mean over time."""
        row = _in_order(probs, self.label_names)
        return self._prediction(row, int(self.said(row[None])[0]), not no_face)

    def _prediction(self, row: np.ndarray, place: int, face: bool) -> Prediction:
        confidence = float(row[place])
        probs = dict(zip(self.label_names, row.tolist(), strict=True))
        uncertain = confidence < self.uncertain_below
        return Prediction(self.label_names[place], confidence, probs, uncertain, not face)


def _in_order(values: Mapping[str, float], labels: Sequence[str]) -> np.ndarray:
    return np.array([values[label] for label in labels], np.float64)


def _numbers(
    config: Mapping[str, Any], key: str, labels: Sequence[str], where: str = ""
) -> np.ndarray:
    """A number for each label, 0 where none is given."""
    given = config.get(key, {})
    unknown = sorted(set(given) - set(labels))
    if unknown:
        raise WeightsError(f"{where}{key}: {', '.join(unknown)}; expected some of "
                           f"{', '.join(labels)}")  # fmt: skip
    return np.array([given.get(label, 0.0) for label in labels], np.float64)


def _lift(config: Mapping[str, Any], labels: Sequence[str]) -> np.ndarray:
    decision = config["decision"]
    lift = _numbers(decision, "shift", labels, "decision: ")
    balance = decision.get("balance", 0.0)
    if balance:
        own = {label: float(np.log(p)) for label, p in own_prior(config, labels).items()}
        lift += _in_order(balance_offset(own, balance), labels)
    silent = _numbers({"silent": dict.fromkeys(decision.get("silent", ()), 1.0)}, "silent",
                      labels, "decision: ")  # fmt: skip
    return np.where(silent > 0, -np.inf, lift)


def _probe(config: Mapping[str, Any]) -> tuple[float, ...] | None:
    probe = config.get("face_probe")
    return None if probe is None else (*map(float, probe["weights"]), float(probe["bias"]))
