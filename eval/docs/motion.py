"""What answers over time cost and may skip, and the card of the network that gives them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from eval.docs.clips import clips
from eval.docs.markdown import cell, table, text
from eval.docs.records import one, select
from fer_cbam import pretrained

METHODS = {"single_frames": "each frame alone", "filter": "filter", "network": "recurrent network"}
STEPS = {
    "detection": "finding the face",
    "alignment": "cutting it out",
    "network": "reading it",
    "cues": "cues: how well it is seen",
}
SMOOTHERS = {"recurrent": "recurrent network, a step", "filter": "filter, a step",
             "average": "average, a step"}  # fmt: skip
_BUFFERS = ("mean", "std")


def skips(records: pd.DataFrame) -> str:
    """A row for each number of frames; what the filter loses against reading every frame stands in
    points, with its interval."""
    own = select(records, study="clip_skips")
    names = sorted(
        {name for name in own["condition"] if name}, key=lambda name: int(name.split()[1])
    )
    rows = []
    for name in names:
        found = select(own, condition=name)
        cells = []
        for method in METHODS:
            of = select(found, option=method)
            cells += [cell(of, ".1p", metric="accuracy"),
                      cell(of, ".2f", metric="detection_seconds")]  # fmt: skip
        gain = cell(select(found, option="filter"), "+.1p", "interval", metric="accuracy_gain")
        rows.append([name, *cells, gain])
    heads = [f"{title}: {what}" for title in METHODS.values()
             for what in ("right", "change found after, s")]  # fmt: skip
    clips = select(own, metric="clips")
    title = f"frames that are read, of {clips['value'].sum():.0f} clips"
    return table([title, *heads, "filter, against every frame"], rows)


def costs(records: pd.DataFrame) -> str:
    """Milliseconds of each step of a frame with one face."""
    own = select(records, study="motion", metric="milliseconds")
    rows = [[title, cell(own, ".2f", option=name)] for name, title in (STEPS | SMOOTHERS).items()
            if len(select(own, option=name))]  # fmt: skip
    return table(["step", "ms"], rows)


def hour(records: pd.DataFrame) -> str:
    """A sentence on the hour of webcam."""
    own = select(records, study="motion", condition="1 people")
    if not len(own):
        return "Not measured yet."
    frames, growth = (one(own, metric="growth_mb")[field] for field in ("n", "value"))
    crowd = one(records, study="motion", condition="20 people", metric="follow_milliseconds")
    return (
        f"Following {frames:,.0f} frames, an hour at 15 a second, made memory grow by "
        f"{text(growth, '.1f')} MB after the first six minutes. Twenty faces at once take "
        f"{text(crowd['value'], '.1f')} ms a frame beside the network's own time."
    )


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    "skips": skips, "motion_costs": costs, "motion_hour": hour,
}  # fmt: skip

_CARD = """\
---
library_name: timm
license: "other"
license_name: research-non-commercial
datasets:
  - ferplus
tags:
  - facial-emotion-recognition
  - recurrent
---

# Model card: `{name}`

`{architecture}` of FER-CBAM: {cell}, which answers over time on what `{reads}` sees of each
frame of a face. {parameters:.2f} M parameters. In: the {count} log-probabilities of the filter that
comes before it, eight cues of how well the face is seen (the detector's score, sharpness, roll,
yaw, pitch, size, brightness, contrast), the embedding, and the seconds since the last frame. Out:
{count} probabilities for each frame, from the frames up to it: {labels}.

## How to use it

```python
from fer_cbam import EmotionRecognizer
from fer_cbam.video import analyse_video

recognizer = EmotionRecognizer.from_pretrained("{reads}")
result = analyse_video("clip.mp4", recognizer, smoother="network")
```

It belongs to these very weights, and is not there for others. `fer-cbam export --weights {name}`
writes its step for ONNX Runtime or LiteRT.

## Training data

{clips:,} clips ({frames:,} frames) made of stills of the training side of FER+ (Barsoum et al.
2016, https://arxiv.org/abs/1608.01041): a face is held, then another one cuts in or fades in, of
the same label or of another, while head and camera move, the light changes, something passes by,
eyes blink, and frames are late or dropped. Each frame went through the recogniser's own detection
and alignment. The recipe stands in `config.json` under `training`.

What such clips teach: when to believe a frame (blurred, dark, turned, half hidden or not), and how
fast to follow.

What they cannot teach: how an expression unfolds. A real face moves its muscles; here one picture
replaces another, nearly always of another person. Nor do they know how often expressions change in
life: here every two seconds or so.

## How well it does

{results}

The network was chosen on the clips of PublicTest; nothing was chosen on those of PrivateTest. An
interval is of 95 %, over clips.

## How sure it is

Probabilities are calibrated on clips of PublicTest (temperature {temperature:g}), frame by frame.

## Limits

- It reads the expression in pictures, not what a person feels. Faces do not tell feelings reliably
  (Barrett et al. 2019, https://doi.org/10.1177/1529100619832930).
- What `{reads}` cannot tell in a clear picture it cannot tell either.
- No clip of a real person was in training or in these tests.
- On the posed faces of CK+48, which it never saw, it is right less often than single frames. So the
  hidden-Markov filter is what is used by default, and this network where it is asked for.
- The training faces are mostly frontal, of adults, and of whoever a search engine showed.

## What it is for, and what not

For research on expressions, and for teaching. Not for decisions about people: not for hiring,
schooling, policing, border control, credit, health or surveillance. Inferring emotions at the
workplace and in education is prohibited in the European Union (Regulation 2024/1689, Article
5(1)(f)).

## Licence

FER2013 was gathered for research. These weights are for research too, and not for commercial use.
The code of FER-CBAM is Apache-2.0.
"""
_CELLS = {
    "fer_cbam_gru": "a GRU (Cho et al. 2014, https://arxiv.org/abs/1406.1078)",
    "fer_cbam_lstm": "an LSTM (Hochreiter and Schmidhuber 1997, "
    "https://doi.org/10.1162/neco.1997.9.8.1735)",
}


def card(folder: Path, records: pd.DataFrame) -> str:
    """The card of an embedded recurrent network."""
    config = pretrained.read_config(folder)
    labels, training = pretrained.label_names(config), config["training"]
    shapes = pretrained.tensor_shapes(folder)
    reads = config["reads"]["weights"]
    own = select(records, study="clips", weights=reads)
    return _CARD.format(
        name=folder.name,
        architecture=config["architecture"],
        cell=_CELLS[config["architecture"]],
        reads=reads,
        parameters=sum(math.prod(s) for name, s in shapes.items() if name not in _BUFFERS) / 1e6,
        count=len(labels),
        labels=", ".join(labels),
        clips=training["clips"],
        frames=training["frames"],
        results=clips(own),
        temperature=config["temperature"],
    )
