"""Make a trained run the embedded weights of the package.

    python -m train.release runs/ckplus48_paper/seed0 fer_cbam_paper.ckplus48
    python -m train.release runs/base/public/ferplus fer_cbam_base.ferplus --tau 0.5

``--tau`` has the logits lack that share of the log prior of the training labels (Menon et al. 2021,
https://arxiv.org/abs/2007.07314, section 4.1), which a linear classifier carries in its bias: the
weights then expect rare emotions more often than the training data held them. A share that the
recipe trained for counts in. Calibrate after it: temperature and threshold of a run are not kept.

Stored as float16, and read back to say what that changed; with ``--mantissa``, kernels keep fewer
bits of each weight, which makes them smaller wherever they are compressed (wheels, git). The record
of what the weights were trained on stays in config.json, so that evaluation can refuse to test them
on it.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import cast

import torch
from torch import nn

from eval.adjustment import log_prior, trained_tau
from eval.predict import training_record
from fer_cbam import hub, pretrained
from fer_cbam.deploy.graph import add_graph
from fer_cbam.errors import FerError, WeightsError
from train.__main__ import alignment

MANTISSA = 10  # of float16
KEPT_KEYS = (
    "landmarks",
    "crop_from_box",
    "training",
    "temperature",
    "uncertain_below",
    "logit_adjustment",
)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("name", help="<arch>.<tag>")
    parser.add_argument(
        "--tau", type=float,
        help="logit adjustment in all, 0 for none (default: the recipe's own)",
    )  # fmt: skip
    parser.add_argument(
        "--mantissa", type=int, default=MANTISSA, choices=range(4, MANTISSA + 1), metavar="BITS",
        help="bits that kernels keep of each weight (default: float16's %(default)s)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    folder = pretrained.EMBEDDED / args.name
    try:
        print(release(args.run, args.name, folder, args.tau, args.mantissa))
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


def release(
    run_dir: Path, name: str, folder: Path, tau: float | None = None, mantissa: int = MANTISSA
) -> str:
    """Write the weights of a run to a folder of embedded weights; what was done, in words.

    mantissa: the bits that kernels keep behind the leading one of each weight.

    Raises:
        WeightsError: the run is of another architecture, has no landmarks to align faces with, or
            was trained on near-copies of test images.
    """
    loaded = hub.load_model(run_dir)
    architecture = loaded.config["architecture"]
    if name.partition(".")[0] != architecture:
        raise WeightsError(f"{run_dir} holds {architecture}; expected {name.partition('.')[0]}")
    extra = {key: loaded.config[key] for key in KEPT_KEYS if key in loaded.config}
    extra |= alignment(extra.get("training", {}).get("data", ""))
    if "landmarks" not in extra:
        raise WeightsError(f"{run_dir}: no landmarks were measured for the data it was trained on")
    trained = trained_tau(extra.get("training", {}))
    if extra.get("training", {}).get("recipe", {}).get("twins"):
        raise WeightsError(f"{run_dir}: trained on near-copies of test images (twins: true); "
                           "expected a run without")  # fmt: skip
    tau = trained if tau is None else tau
    if tau != trained:  # what was calibrated before was so for other logits
        extra = {k: v for k, v in extra.items() if k not in ("temperature", "uncertain_below")}
        adjust_logits(loaded, tau - trained)
    if tau:
        extra["logit_adjustment"] = tau
    stored_model = copy.deepcopy(loaded.model)
    if mantissa < MANTISSA:
        round_kernels(stored_model, mantissa)
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


def adjust_logits(loaded: hub.LoadedModel, tau: float) -> None:
    """Subtract tau times the log prior of the training labels from the classifier's bias, in place.

    Raises:
        WeightsError: config.json does not give the prior of every label, above 0.
    """
    shift = log_prior(training_record(loaded), loaded.label_names)
    bias = cast(nn.Linear, loaded.model.get_classifier()).bias
    bias.data -= tau * torch.tensor([shift[label] for label in loaded.label_names])


def round_kernels(model: nn.Module, bits: int) -> None:
    """Round the weights of convolutions and linear layers, in place, to the nearest number with so
    many bits behind its leading one, ties to even. Biases and BatchNorm, which are few, stay.
    """
    for parameter in model.parameters():
        if parameter.ndim > 1:
            fraction, exponent = torch.frexp(parameter.data)  # in [0.5, 1): its first bit leads
            kept = torch.round(torch.ldexp(fraction, torch.tensor(bits + 1)))
            parameter.data = torch.ldexp(kept, exponent - (bits + 1))


if __name__ == "__main__":
    main()
