"""The figure of pruned networks: accuracy against time, with the Pareto front.

python -m eval.docs.pruning_figure    writes docs/figures/pruning.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from eval.docs.pruning import RELEASED, front, points
from eval.docs.records import REPORTS, load, select
from eval.figures import RC, save

FIGURE = REPORTS.parent / "docs" / "figures" / "pruning.png"
#: Kind of network -> how it is drawn and named.
KINDS = {
    RELEASED: ("*", "embedded: distilled"),
    "unpruned": ("o", "embedded, trained on"),
    "pruned": ("v", "pruned"),
    "scratch": ("s", "narrow from nothing"),
}
COLOURS = {"onnx": ("#4477AA", "float32"), "onnx-int8": ("#CC6677", "int8")}


def figure(records: pd.DataFrame) -> Figure:
    """Error bars are one standard deviation over seeds, both ways."""
    placed, best = points(records), front(records)
    (processor,) = set(select(records, study="pruning_speed")["processor"])
    with rc_context(RC):
        drawn = Figure(figsize=(7, 4.2), layout="constrained")
        ax = drawn.subplots()
        ends = placed.loc[best]
        ax.step(ends["milliseconds"], 100 * ends["value"], where="post", color="#BBBBBB", zorder=0,
                label="Pareto front")  # fmt: skip
        for (name, option), row in placed.iterrows():
            marker, _ = KINDS[name.partition("-")[0]]
            ax.errorbar(row["milliseconds"], 100 * row["value"], 100 * row["sd"], fmt=marker,
                        color=COLOURS[option][0], capsize=2,
                        markersize=10 if name == RELEASED else 6)  # fmt: skip
        for marker, title in KINDS.values():
            ax.plot([], [], marker, color="#444444", label=title)
        for colour, title in COLOURS.values():
            ax.plot([], [], color=colour, linewidth=4, label=title)
        ax.set(xlabel=f"ms a face, one thread of {processor}", ylabel="FER+ PublicTest accuracy, %")
        ax.set_xlim(left=0)
        ax.grid(alpha=0.3)
        ax.legend(loc="lower left")
    return drawn


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.docs.pruning_figure", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=FIGURE)
    save(figure(load()), parser.parse_args(argv).out)


if __name__ == "__main__":
    main()
