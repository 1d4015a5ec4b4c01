"""From CK+48 to every number and figure under ``reports/ckplus48``, in one command.

    python -m train.reproduce --data ckplus48.zip

Trains the paper's network under both protocols (15 models; what is trained already
is not trained again), evaluates it and the baselines, and writes the numbers into
README and model card.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import train.__main__ as training
from eval import __main__ as evaluation
from eval.docs import render as render_docs
from eval.docs import summary
from eval.studies import baselines

RECIPE = Path(__file__).parent / "configs" / "ckplus48_paper.yaml"
PROTOCOLS = ("paper", "subject10")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="CK+48, folder or zip")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the weights")
    args = parser.parse_args(argv)
    for protocol in PROTOCOLS:
        on_protocol = ["--data", args.data, "--protocol", protocol]
        runs = str(args.runs / f"ckplus48_{protocol}")
        report = str(summary.REPORTS / "ckplus48" / protocol)
        training.main(["--config", str(RECIPE), *on_protocol, "--out", runs, "--resume"])
        evaluation.main(["--weights", runs, *on_protocol, "--out", report])
        baselines.main([*on_protocol, "--out", report])
    summary.main([])
    render_docs.main([])


if __name__ == "__main__":
    main()
