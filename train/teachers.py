"""Teachers of a stage: weights of one head, or an earlier stage of all heads."""

from __future__ import annotations

import copy
import hashlib

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from eval.predict import training_record
from fer_cbam.errors import FerError
from fer_cbam.hub import LoadedModel, load_model
from fer_cbam.models.fer_cbam import ConvNormAct
from fer_cbam.preprocess import Preprocess
from fer_cbam.prior import logit_offset
from train.examples import Source
from train.task import Teacher


def teacher_of_weights(source: Source, weights: str, student: Preprocess) -> Teacher:
    """Weights as the teacher of the head whose labels they were trained on.

    weights: as ``--weights`` of eval takes them.

    Raises:
        FerError: no head has these labels, or the teacher sees other images than its student.
        WeightsError: they are missing or damaged, or do not say what they were trained on.
    """
    loaded = load_model(weights)
    _check_pixels(loaded, student)
    key = (training_record(loaded)["data"], loaded.label_names)
    heads = list(zip(source.names, source.label_names, strict=True))
    if key not in heads:
        raise FerError(f"teacher {loaded.name}: labels of {key[0]}, {', '.join(key[1])}; expected "
                       f"those of a head: {', '.join(source.names)}")  # fmt: skip
    offset = logit_offset(loaded.config, loaded.label_names)
    added = torch.tensor([offset[label] for label in loaded.label_names])
    return Teacher(folded(loaded.model), [heads.index(key)], [len(loaded.label_names)], added)


def teacher_of_stage(source: Source, model: nn.Module) -> Teacher:
    """A network that was trained in an earlier stage, as the teacher of all heads."""
    sizes = [len(labels) for labels in source.label_names]
    return Teacher(folded(model), range(len(sizes)), sizes, torch.zeros(sum(sizes)))


def folded(model: nn.Module) -> nn.Module:
    """A copy for inference, a fifth faster: BatchNorm is in the convolution before it, and ReLU
    writes where it reads."""
    model = copy.deepcopy(model).eval()
    for block in model.modules():
        if isinstance(block, nn.ReLU):
            block.inplace = True
        if isinstance(block, ConvNormAct):
            block.conv = fuse_conv_bn_eval(block.conv, block.norm)
            block.register_module("norm", nn.Identity())
    return model


def _check_pixels(teacher: LoadedModel, student: Preprocess) -> None:
    theirs, ours = ((p.input_size, p.mean, p.std) for p in (teacher.preprocess, student))
    if theirs != ours:
        raise FerError(f"{teacher.name}: sees images as input_size, mean, std {theirs}; expected "
                       f"those of its student, {ours}")  # fmt: skip


def digest(module: nn.Module) -> str:
    """A name for the values in a module: other weights, another name."""
    value = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        value.update(name.encode())
        value.update(tensor.contiguous().numpy().tobytes())
    return value.hexdigest()[:16]
