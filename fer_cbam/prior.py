"""How often labels were met, how often they are expected, and what to add to scores for it.

For the mean ``(1 - balance) * accuracy + balance * balanced accuracy`` the best answer is the label
whose probability times ``(1 - balance) + balance / (K * prior)`` is largest, for being right about
a face counts that much in the mean (Bayes' rule for a cost of each class, Elkan 2001, "The
Foundations of Cost-Sensitive Learning", section 4; for balanced accuracy alone it is the logit
adjustment of Menon et al. 2021, https://arxiv.org/abs/2007.07314, section 4.1). The logarithm of
that factor is added to the logits. Between the ends it lifts what is rare and leaves the common
emotions among themselves.

The same factor is the ratio of two class mixes: ``(1 - balance) * prior + balance / K``, which
mixes what was met with all labels alike, over ``prior``. So a balance is an expectation too, and
one that a user may name (`expected`): Bayes' rule then gives the probabilities for it (Saerens et
al. 2002, https://doi.org/10.1162/089976602753284446, section 2.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fer_cbam.errors import PriorError, WeightsError

Offset = Mapping[str, float]  # label -> what is added to its logit
#: The class mix that a user expects: "training", "uniform", a balance in [0, 1] between the two, or
#: label -> share.
Prior = str | float | Mapping[str, float]
NAMED = {"training": 0.0, "uniform": 1.0}


def log_prior(training: Mapping[str, Any], label_names: Sequence[str]) -> dict[str, float]:
    """Label -> logarithm of its share of the training labels.

    training: the ``training`` object of a config.json.

    Raises:
        WeightsError: the weights do not say it of every label, or one was never seen.
    """
    prior = training.get("prior") or {}
    missing = [label for label in label_names if not prior.get(label, 0.0) > 0]
    if missing:
        raise WeightsError(f"training prior: nothing of {', '.join(missing)}; expected a share "
                           f"above 0 for each of {', '.join(label_names)}")  # fmt: skip
    return {label: math.log(prior[label]) for label in label_names}


def balance_offset(log_prior: Offset, balance: float) -> dict[str, float]:
    """What is added to logits so that the largest is the best answer for
    ``(1 - balance) * accuracy + balance * balanced accuracy``.

    log_prior: of each label, in nats. balance: in [0, 1].
    """
    return {
        label: math.log(1 - balance + balance * math.exp(-value) / len(log_prior))
        for label, value in log_prior.items()
    }


def own_prior(config: Mapping[str, Any], label_names: Sequence[str]) -> dict[str, float]:
    """Label -> its share of the faces that the calibrated probabilities are of.

    config: config.json of the weights: its ``prior``, that of the faces that calibrated them; where
    there is none, the training prior.

    Raises:
        WeightsError: neither gives every label a share above 0.
    """
    source = {"prior": config["prior"]} if "prior" in config else config.get("training", {})
    return {label: math.exp(value) for label, value in log_prior(source, label_names).items()}


def expected(prior: Prior, own: Mapping[str, float]) -> dict[str, float]:
    """Label -> the share that a user expects, summing to 1.

    own: see `own_prior`; its labels are those of the weights, in their order. Shares that a user
    gives may be counts or per cent; 0 says that a label does not occur.

    Raises:
        PriorError: another name, a number outside [0, 1], labels too many or too few, a share that
            is negative or not finite, or none above 0.
    """
    count = len(own)
    if isinstance(prior, Mapping):
        return _normalised(prior, own)
    if prior in NAMED:
        prior = NAMED[str(prior)]
    if isinstance(prior, str | bool) or not 0 <= prior <= 1:
        raise PriorError(f"prior: got {prior!r}; expected one of {', '.join(NAMED)}, a number from "
                         "0 (training) to 1 (uniform), or a share for each label")  # fmt: skip
    total = sum(own.values())
    return {label: (1 - prior) * share / total + prior / count for label, share in own.items()}


def _normalised(prior: Mapping[str, float], own: Mapping[str, float]) -> dict[str, float]:
    labels = ", ".join(own)
    missing, unknown = set(own) - set(prior), set(prior) - set(own)
    if missing or unknown:
        problem = "nothing" if missing else "a share"
        raise PriorError(f"prior: {problem} of {', '.join(sorted(missing or unknown))}; expected a "
                         f"share for each of {labels}, and no other")  # fmt: skip
    for label, share in prior.items():
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if not (number and math.isfinite(share) and share >= 0):
            raise PriorError(f"prior: {label} is {share!r}; expected a share of 0 or more")
    total = sum(prior.values())
    if not total > 0:
        raise PriorError(f"prior: all shares are 0; expected one above 0 among {labels}")
    return {label: prior[label] / total for label in own}


def read_prior(text: str) -> Prior:
    """A prior as a command line gives it: a name, a number, or ``anger=0.2,neutral=0.8``.

    Raises:
        PriorError: a share that is no number, or a label twice.
    """
    if "=" not in text:
        number = _number(text)
        return text if number is None else number
    shares: dict[str, float] = {}
    for part in text.split(","):
        label, _, value = part.strip().partition("=")
        share = _number(value)
        if share is None or label in shares:
            raise PriorError(f"prior: {part.strip()!r}; expected LABEL=SHARE, each label once")
        shares[label] = share
    return shares


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def logit_offset(config: Mapping[str, Any], label_names: Sequence[str]) -> dict[str, float]:
    """What a release has added to the logits of these weights; zeros where there is no ``balance``.

    config: config.json of the weights.

    Raises:
        WeightsError: there is a balance, and the weights do not say the prior.
    """
    if "balance" not in config:
        return dict.fromkeys(label_names, 0.0)
    return balance_offset(log_prior(config.get("training", {}), label_names), config["balance"])
