"""Make a trained run the weights that the package embeds.

Stored as float16, and read back to say what that changed; kernels may keep fewer bits of each
weight, which makes them smaller wherever they are compressed (wheels, git). What the weights were
trained on stays in config.json, so that evaluation can refuse to test them on it. What was
calibrated before does not: it was so for other logits.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import nn

from fer_cbam import hub, pretrained
from fer_cbam.decide import Decision
from fer_cbam.deploy.graph import add_graph
from fer_cbam.errors import WeightsError
from fer_cbam.prior import logit_offset
from train.blend import Rows, blended
from train.recipe import Release
from train.run import alignment

FLOAT16_BITS = 10  # of the mantissa
KEPT_KEYS = ("landmarks", "crop_from_box", "training")


def release(run_dir: Path, architecture: str, folder: Path, how: Release) -> str:
    """Write the weights of a run to a folder as they are embedded; what was done, in words.

    The logits are those of the run. What is said is decided by the numbers of ``decision``: here
    the balance of ``how``, until calibration (:mod:`eval.calibrate`) chooses them.

    Raises:
        WeightsError: the run is of another architecture, has no landmarks to align faces with, or
            does not give the prior of every label, above 0.
    """
    loaded = hub.load_model(run_dir)
    if loaded.config["architecture"] != architecture:
        raise WeightsError(f"{run_dir} holds {loaded.config['architecture']}; "
                           f"expected {architecture}")  # fmt: skip
    extra = {key: loaded.config[key] for key in KEPT_KEYS if key in loaded.config}
    extra |= alignment(extra.get("training", {}).get("data", ""))
    if "landmarks" not in extra:
        raise WeightsError(f"{run_dir}: no landmarks were measured for the data it was trained on")
    take_off(loaded)
    if how.blend:
        blend_into(loaded, run_dir.parent, how.blend)
        extra["blend"] = how.blend
    stages = extra.get("training", {}).get("recipe", {}).get("stages", [{}])
    if stages[-1].get("occlusion"):  # then the last gate tells faces apart
        extra["gate_neutral"] = 1.0
    extra["decision"] = {"balance": how.balance}
    Decision.of(extra, loaded.label_names)  # or an error: it needs the prior
    stored_model = copy.deepcopy(loaded.model)
    if how.mantissa < FLOAT16_BITS:
        round_kernels(stored_model, how.mantissa)
    hub.save_model(stored_model, folder, loaded.label_names, extra, dtype=torch.float16)
    graph = add_graph(folder)
    stored = hub.load_model(folder)
    x = torch.rand((64, *loaded.preprocess.input_size), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = (stored.model(x) - loaded.model(x)).abs().max().item()
    size = (folder / pretrained.WEIGHTS_FILE).stat().st_size
    return (
        f"{folder}: {size:,} bytes, logits differ by at most {difference:.1e} from float32; "
        f"{graph.name} beside it for use without torch"
    )


def blend_into(loaded: hub.LoadedModel, run: Path, shares: Mapping[str, float]) -> None:
    """Give a classifier its part of other heads of the same run, in place. See `train.blend`.

    run: the folder with a folder for each head. shares: of other heads, by name.
    """
    others = [(rows_of(hub.load_model(run / name)), share) for name, share in shares.items()]
    weight, bias = blended(rows_of(loaded), others)
    classifier = cast(nn.Linear, loaded.model.get_classifier())
    classifier.weight.data, classifier.bias.data = weight, bias


def rows_of(loaded: hub.LoadedModel) -> Rows:
    classifier = cast(nn.Linear, loaded.model.get_classifier())
    return loaded.label_names, classifier.weight.data, classifier.bias.data


def take_off(loaded: hub.LoadedModel) -> None:
    """Take off the logits what an earlier release has added (``balance``), in place."""
    present = logit_offset(loaded.config, loaded.label_names)
    bias = cast(nn.Linear, loaded.model.get_classifier()).bias
    bias.data -= torch.tensor([present[label] for label in loaded.label_names])


def round_kernels(model: nn.Module, bits: int) -> None:
    """Round the weights of convolutions and linear layers, in place, to the nearest number with so
    many bits behind its leading one, ties to even. Biases and BatchNorm, which are few, stay.
    """
    for parameter in model.parameters():
        if parameter.ndim > 1:
            fraction, exponent = torch.frexp(parameter.data)  # in [0.5, 1): its first bit leads
            kept = torch.round(torch.ldexp(fraction, torch.tensor(bits + 1)))
            parameter.data = torch.ldexp(kept, exponent - (bits + 1))
