"""The classifier's rows: one label set out of several, or rows taken over from other weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from fer_cbam.errors import FerError
from fer_cbam.hub import LoadedModel
from fer_cbam.prior import logit_offset
from train.examples import Source


def classifier_rows(source: Source, head: int) -> slice:
    """The rows of the classifier that give the logits of a head."""
    start = sum(len(names) for names in source.label_names[:head])
    return slice(start, start + len(source.label_names[head]))


def one_head(model: nn.Module, rows: slice) -> nn.Module:
    """A copy of a model with these rows of its classifier; the model itself if those are all."""
    full = cast(Any, model).get_classifier()
    if rows == slice(0, full.out_features):
        return model
    single = copy.deepcopy(model)
    cast(Any, single).reset_classifier(rows.stop - rows.start)
    with torch.no_grad():
        classifier = cast(Any, single).get_classifier()
        classifier.weight.copy_(full.weight[rows])
        classifier.bias.copy_(full.bias[rows])
    return single


def start_from(
    model: nn.Module,
    loaded: LoadedModel,
    label_names: Sequence[Sequence[str]],
    fresh: Sequence[str] = (),
) -> None:
    """Copy weights into a model of the same architecture; of the classifier, rows of equal labels.

    Rows of labels that the weights do not know keep their random values. What a release has added
    to the logits is taken off. fresh: beginnings of the names of tensors that keep their random
    values.

    Raises:
        FerError: another architecture, or tensors of other shapes.
        WeightsError: a release has added to the logits, and config.json gives no prior.
    """
    offset = logit_offset(loaded.config, loaded.label_names)
    state = loaded.model.state_dict()
    classifier = cast(Any, model).pretrained_cfg["classifier"]
    rows = {
        f"{classifier}.{part}": state.pop(f"{classifier}.{part}") for part in ("weight", "bias")
    }
    own = model.state_dict()
    for name in [name for name in {*own, *state} if name.startswith(tuple(fresh))]:
        state.pop(name, None)
        if name in own:
            state[name] = own[name]
    wrong = [n for n in own if n not in rows and (n not in state or state[n].shape != own[n].shape)]
    if wrong or set(state) - set(own):
        raise FerError(f"init {loaded.name}: its {loaded.config['architecture']} does not fit the "
                       f"stage's model (first difference: {sorted(wrong)[:1]})")  # fmt: skip
    position = {label: i for i, label in enumerate(loaded.label_names)}
    names = [label for labels in label_names for label in labels]
    with torch.no_grad():
        for i, label in enumerate(names):
            if label in position:
                for name, values in rows.items():
                    own[name][i] = values[position[label]]
                own[f"{classifier}.bias"][i] -= offset[label]
    model.load_state_dict({**own, **state})
