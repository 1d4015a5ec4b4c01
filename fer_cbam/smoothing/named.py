"""Smoothers by the names that options use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_cbam import pretrained
from fer_cbam.decide import Decision
from fer_cbam.errors import WeightsError
from fer_cbam.prior import Prior, expected, own_prior
from fer_cbam.smoothing import SMOOTHERS
from fer_cbam.smoothing.average import Average
from fer_cbam.smoothing.base import Smoother
from fer_cbam.smoothing.filter import Filter
from fer_cbam.smoothing.recurrent import Recurrent

# Of the filter, as python -m train.filter chooses them on clips of the training side.
RATE, ANEW, SOFTENS = 1.6, 0.03, 1.9


def open_smoother(
    config: Mapping[str, Any], weights_file: Path, decision: Decision, prior: Prior | None = None,
    name: str | None = None,
) -> Smoother:  # fmt: skip
    """A smoother for weights that read faces.

    config, weights_file: of these weights. decision, prior: how their recogniser answers, see
    :mod:`fer_cbam.decide`. name: one of `SMOOTHERS`; by default the first of them that these
    weights have.

    Raises:
        ValueError: no such smoother.
        WeightsError: these weights do not have it.
    """
    if name is not None and name not in SMOOTHERS:
        raise ValueError(f"smoother {name!r}; expected one of {', '.join(SMOOTHERS)}")
    labels = decision.label_names
    met = _met(config, labels, prior)
    if name in (None, "filter") and met is not None:
        return Filter(labels, met, RATE, ANEW, SOFTENS)
    if name == "filter":
        raise WeightsError("smoother 'filter': config.json does not say how often each label was "
                           "met (prior); expected average or none")  # fmt: skip
    if name in (None, "network"):
        folder = None if prior is not None else network_for(weights_file)
        if folder is not None:
            return Recurrent.load(folder)
        if name == "network":
            raise WeightsError(
                "smoother 'network': none was trained for these weights and the prior they were "
                f"calibrated for; expected {', '.join(n for n in SMOOTHERS if n != name)}"
            )
    return Average(labels, half_life=0.0) if name == "none" else Average(labels)


def smoothers_of(
    config: Mapping[str, Any], weights_file: Path, decision: Decision, prior: Prior | None = None
) -> tuple[str, ...]:
    """`SMOOTHERS` that these weights have, in their order; arguments as of `open_smoother`."""
    has = {
        "network": prior is None and network_for(weights_file) is not None,
        "filter": _met(config, decision.label_names, prior) is not None,
    }
    return tuple(name for name in SMOOTHERS if has.get(name, True))


def network_for(weights_file: Path) -> Path | None:
    """The folder of the embedded recurrent network that was trained on what these weights see."""
    if not weights_file.is_file():
        return None
    found = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    for folder in pretrained.recurrent_dirs():
        if pretrained.read_config(folder).get("reads", {}).get("sha256") == found:
            return folder
    return None


def _met(
    config: Mapping[str, Any], labels: tuple[str, ...], prior: Prior | None
) -> np.ndarray | None:
    """Share of each label among the faces that the probabilities are for, ``(K,)``."""
    try:
        own = own_prior(config, labels)
        shares = own if prior is None else expected(prior, own)
    except WeightsError:  # of weights that were trained elsewhere
        return None
    return np.array([shares[label] for label in labels])
