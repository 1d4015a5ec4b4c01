"""How often labels were met in training, and what is added to logits to answer for another mean.

For the mean ``(1 - balance) * accuracy + balance * balanced accuracy`` the best answer is the label
whose probability times ``(1 - balance) + balance / (K * prior)`` is largest, for being right about
a face counts that much in the mean (Bayes' rule for a cost of each class, Elkan 2001, "The
Foundations of Cost-Sensitive Learning", section 4; for balanced accuracy alone it is the logit
adjustment of Menon et al. 2021, https://arxiv.org/abs/2007.07314, section 4.1). The logarithm of
that factor is added to the logits. Between the ends it lifts what is rare and leaves the common
emotions among themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_cbam.errors import WeightsError

Offset = Mapping[str, float]  # label -> what is added to its logit


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
    return {label: float(np.log(prior[label])) for label in label_names}


def balance_offset(log_prior: Offset, balance: float) -> dict[str, float]:
    """What is added to logits so that the largest is the best answer for
    ``(1 - balance) * accuracy + balance * balanced accuracy``.

    log_prior: of each label, in nats. balance: in [0, 1].
    """
    return {
        label: float(np.log(1 - balance + balance * np.exp(-value) / len(log_prior)))
        for label, value in log_prior.items()
    }


def logit_offset(config: Mapping[str, Any], label_names: Sequence[str]) -> dict[str, float]:
    """What a release has added to the logits of these weights; zeros where there is no ``balance``.

    config: config.json of the weights.

    Raises:
        WeightsError: there is a balance, and the weights do not say the prior.
    """
    if "balance" not in config:
        return dict.fromkeys(label_names, 0.0)
    return balance_offset(log_prior(config.get("training", {}), label_names), config["balance"])
