"""Make a trained run the embedded weights of the package.

    python -m train.release runs/ckplus48_paper/seed0 fer_cbam_paper.ckplus48
    python -m train.release runs/base/public/ferplus fer_cbam_base.ferplus --balance 0.5

``--balance`` has the logits answer for that mean of accuracy (0) and balanced accuracy (1), see
``eval.studies.adjustment``: the weights then find rare emotions more often than the training data
held them. What training or an earlier release had on the logits is taken off first; weights that
are released already may be given for a run. Calibrate after it: temperature and threshold of a run
are not kept.

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

from eval import calibrate
from eval.predict import training_record
from eval.studies.adjustment import balance_shift, log_prior, on_logits
from fer_cbam import hub, pretrained
from fer_cbam.deploy.graph import add_graph
from fer_cbam.errors import FerError, WeightsError
from train.__main__ import alignment

MANTISSA = 10  # of float16
KEPT_KEYS = (
    "landmarks",
    "crop_from_box",
    "training",
    *calibrate.KEYS,
    "balance",
)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", help="folder of a finished run, or weights released already")
    parser.add_argument("name", help="<arch>.<tag>")
    parser.add_argument(
        "--balance", type=_share,
        help="weight of balanced accuracy, 0 to 1 (default: the logits as they are)",
    )  # fmt: skip
    parser.add_argument(
        "--mantissa", type=int, default=MANTISSA, choices=range(4, MANTISSA + 1), metavar="BITS",
        help="bits that kernels keep of each weight (default: float16's %(default)s)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    folder = pretrained.EMBEDDED / args.name
    try:
        print(release(args.run, args.name, folder, args.balance, args.mantissa))
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


def release(
    run_dir: str | Path, name: str, folder: Path, balance: float | None = None,
    mantissa: int = MANTISSA,
) -> str:  # fmt: skip
    """Write the weights of a run to a folder of embedded weights; what was done, in words.

    balance: weight of balanced accuracy in what the logits answer for, None to leave them as they
    are. mantissa: the bits that kernels keep behind the leading one of each weight.

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
    if extra.get("training", {}).get("recipe", {}).get("twins"):
        raise WeightsError(f"{run_dir}: trained on near-copies of test images (twins: true); "
                           "expected a run without")  # fmt: skip
    if balance is not None:  # what was calibrated before was so for other logits
        extra = {k: v for k, v in extra.items() if k not in calibrate.KEYS}
        answer_for(loaded, balance)
        extra["balance"] = balance
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


def answer_for(loaded: hub.LoadedModel, balance: float) -> None:
    """Have the logits answer for this balance, in place: by the classifier's bias.

    Raises:
        WeightsError: config.json does not give the prior of every label, above 0.
    """
    labels = loaded.label_names
    wanted = balance_shift(log_prior(training_record(loaded), labels), balance)
    carried = on_logits(loaded.config, labels)
    bias = cast(nn.Linear, loaded.model.get_classifier()).bias
    bias.data += torch.tensor([wanted[label] - carried[label] for label in labels])


def round_kernels(model: nn.Module, bits: int) -> None:
    """Round the weights of convolutions and linear layers, in place, to the nearest number with so
    many bits behind its leading one, ties to even. Biases and BatchNorm, which are few, stay.
    """
    for parameter in model.parameters():
        if parameter.ndim > 1:
            fraction, exponent = torch.frexp(parameter.data)  # in [0.5, 1): its first bit leads
            kept = torch.round(torch.ldexp(fraction, torch.tensor(bits + 1)))
            parameter.data = torch.ldexp(kept, exponent - (bits + 1))


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text}; expected a number from 0 to 1")
    return value


if __name__ == "__main__":
    main()
