"""What the page for the visitor's own device weighs, and how its memory holds, from the report of
``python -m benchmarks.device``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from eval.docs.markdown import table
from eval.docs.records import one, select


def device(records: pd.DataFrame) -> str:
    """A row for each thing that was measured of one run."""
    taken = select(records, study="device")

    def value(metric: str) -> float:
        return float(one(taken, metric=metric)["value"])

    rows = [
        ["first visit, gzip", f"{value('first_visit_bytes') / 1e6:.2f} MB"],
        ["of that the weights", f"{value('weights_bytes') / 1e6:.2f} MB"],
        ["live frames, without a network", f"{value('live_frames'):,.0f}"],
        ["JavaScript memory: growth", f"{value('heap_growth_mb'):+.1f} MB"],
        ["browser process: growth", f"{value('resident_growth_mb'):+.1f} MB"],
        [
            "browser process that only shows the camera: growth",
            f"{value('control_resident_growth_mb'):+.1f} MB",
        ],
        ["browser process: at the end", f"{value('resident_mb'):.0f} MB"],
    ]
    minutes = f"{value('live_minutes'):.0f} minutes of webcam in Chromium"
    return table([minutes, ""], rows)


BLOCKS: Mapping[str, Callable[[pd.DataFrame], str]] = {"device": device}
