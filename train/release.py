"""Make a trained run the embedded weights of the package.

    python -m train.release runs/ckplus48_paper/seed0 fer_cbam_paper.ckplus48

Stored as float16, and read back to say what that changed. The record of what the weights were
trained on stays in config.json, so that evaluation can refuse to test them on it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fer_cbam import hub, pretrained
from fer_cbam.errors import FerError, WeightsError
from train.__main__ import alignment

KEPT_KEYS = ("landmarks", "crop_from_box", "training", "temperature", "uncertain_below")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("name", help="<arch>.<tag>")
    args = parser.parse_args(argv)
    try:
        print(release(args.run, args.name, pretrained.EMBEDDED / args.name))
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


def release(run_dir: Path, name: str, folder: Path) -> str:
    """Write the weights of a run to a folder of embedded weights; what was done, in words.

    Raises:
        WeightsError: the run is of another architecture, or has no landmarks to align faces with.
    """
    loaded = hub.load_model(run_dir)
    architecture = loaded.config["architecture"]
    if name.partition(".")[0] != architecture:
        raise WeightsError(f"{run_dir} holds {architecture}; expected {name.partition('.')[0]}")
    extra = {key: loaded.config[key] for key in KEPT_KEYS if key in loaded.config}
    extra |= alignment(extra.get("training", {}).get("data", ""))
    if "landmarks" not in extra:
        raise WeightsError(f"{run_dir}: no landmarks were measured for the data it was trained on")
    hub.save_model(loaded.model, folder, loaded.label_names, extra, dtype=torch.float16)
    stored = hub.load_model(folder)
    x = torch.rand((64, *loaded.preprocess.input_size), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = (stored.model(x) - loaded.model(x)).abs().max().item()
    size = (folder / pretrained.WEIGHTS_FILE).stat().st_size
    return f"{folder}: {size:,} bytes, logits differ by at most {difference:.1e} from float32"


if __name__ == "__main__":
    main()
