"""How quick the app is, and how it holds out, from the reports of ``python -m benchmarks.app``,
``benchmarks.soak`` and ``benchmarks.install``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from eval.docs.markdown import DASH, NOT_YET, cell, table, text
from eval.docs.records import one, select

APPS = {
    "app": "FER-CBAM",
    "app before": "FER-CBAM before",
    "echo, gr.HTML": "echo: a server function of `gr.HTML`, as FER-CBAM's page asks",
    "echo, gr.Image": "echo: gradio's streaming `gr.Image`",
}


def live(records: pd.DataFrame) -> str:
    """Frames a second of each visitor, explanation on, beside apps that compute nothing."""
    taken = select(records, study="app")
    rows = []
    for visitors in sorted(taken["condition"].dropna().unique(), key=lambda c: int(c.split()[0])):
        for name, shown in APPS.items():
            own = select(taken, condition=visitors, option=name)
            if own.empty:
                continue
            share = one(own, metric="of_echo")
            rows.append([
                shown,
                visitors.split()[0],
                cell(own, ".1f", metric="fps"),
                cell(own, ".0f", metric="p50_milliseconds"),
                cell(own, ".0f", metric="p95_milliseconds"),
                f"{text(share['value'], '.0p')} % ({text(share['low'], '.0p')}{DASH}"
                f"{text(share['high'], '.0p')})",
            ])  # fmt: skip
    header = ["640x480 webcam in Chromium", "visitors", "frames shown a second, each",
              "median ms from camera to screen", "95th percentile",
              "frames, of the `gr.HTML` echo's (quartiles)"]  # fmt: skip
    return table(header, rows)


def soak(records: pd.DataFrame) -> str:
    """A row for each thing that was measured while visitors came and one sent costly clips."""
    taken = select(records, study="soak")
    if taken.empty:
        return NOT_YET

    def value(metric: str, spec: str) -> str:
        return text(one(taken, metric=metric)["value"], spec)

    rows = [
        ["memory: growth after two minutes", f"{value('growth_mb', '+.0f')} MB"],
        ["memory: at the end", f"{value('last_mb', '.0f')} MB"],
        ["live frames answered", value("frames", ",.0f")],
        ["photos answered", value("photos", ",.0f")],
        ["costly clips answered", value("costly_clips", ",.0f")],
        ["wait for a photo: median, longest", f"{value('photo_wait_median_seconds', '.2f')} s, "
         f"{value('photo_wait_longest_seconds', '.2f')} s"],
        ["wait for a live frame: longest", f"{value('frame_wait_longest_seconds', '.2f')} s"],
        ["files left, errors", f"{value('files_left', '.0f')}, {value('errors', '.0f')}"],
        ["load of the machine, all its programs", value("load", ".1f")],
    ]  # fmt: skip
    return table([f"{value('minutes', '.0f')} minutes, all at once", ""], rows)


def install(records: pd.DataFrame) -> str:
    """What the two files of requirements install, and how soon the lighter one answers."""
    taken = select(records, study="install")
    rows = []
    for option in ("requirements-app.txt", "requirements.txt"):
        own = select(taken, option=option)
        if len(own):
            rows.append([
                f"`{option}`",
                *(_gigabytes(own, f"{name}_bytes") for name in ("downloaded", "installed")),
                *(cell(own, ".0f", metric=f"{name}_seconds")
                  for name in ("installing", "first_frame")),
            ])  # fmt: skip
    header = ["", "downloaded, GB", "installed, GB", "seconds to install",
              "seconds to the first labelled frame"]  # fmt: skip
    return table(header, rows)


def _gigabytes(records: pd.DataFrame, metric: str) -> str:
    found = select(records, metric=metric)
    return text(one(found)["value"] / 1e9, ".2f") if len(found) else DASH


BLOCKS: Mapping[str, Callable[[pd.DataFrame], str]] = {
    "app-live": live,
    "app-soak": soak,
    "install": install,
}
