"""The model card that travels with weights: README.md in their folder, as a hub shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_cbam.pretrained import label_names

CARD_FILE = "README.md"

_FRONT_MATTER = """\
---
library_name: timm
pipeline_tag: image-classification
license: {license}
tags:
  - facial-emotion-recognition
  - cbam
  - grad-cam
---
"""

_TEXT = """
# Model card: `{repo_id}`

This card was composed from `config.json`, because no other came with the weights: it says what they
are, and not how good they are. Nothing was measured, as far as these files tell.

## What it is

`{architecture}` of FER-CBAM, a convolutional network with CBAM attention. One {size} {colour} face
in, {count} probabilities out: {labels}.

{training}

## How to use it

```python
from fer_cbam import EmotionRecognizer

recognizer = EmotionRecognizer.from_pretrained("{repo_id}")
```

Or as a plain timm model, with `import fer_cbam` before:
`timm.create_model("hf-hub:{repo_id}", pretrained=True)`.

## What it is not for

It reads the expression in one picture, not what a person feels
(Barrett et al. 2019, https://doi.org/10.1177/1529100619832930). Not for decisions about people.
Inferring emotions at the workplace and in education is prohibited in the European Union
(Regulation 2024/1689, Article 5(1)(f)).
"""


def card_text(folder: Path, config: Mapping[str, Any], repo_id: str) -> str:
    """The card of a folder of weights: its own, or one composed from its config.json.

    config: as :func:`fer_cbam.pretrained.read_config` gives it. repo_id: ``user/name``.
    """
    path = Path(folder) / CARD_FILE
    if path.is_file():
        return path.read_text(encoding="utf-8")
    cfg = config["pretrained_cfg"]
    channels, height, width = cfg["input_size"]
    labels = label_names(config)
    # Quoted as JSON: a licence of ours or anyone's must not break the YAML around it.
    return _FRONT_MATTER.format(license=json.dumps(cfg.get("license") or "unknown")) + _TEXT.format(
        repo_id=repo_id,
        architecture=config["architecture"],
        size=f"{height}x{width}",
        colour="grey" if channels == 1 else "RGB",
        count=len(labels),
        labels=", ".join(labels),
        training=_training(config.get("training")),
    )


def _training(record: Any) -> str:
    if not isinstance(record, Mapping):
        return "`config.json` does not say what it was trained on."
    known = [f"{key} `{record[key]}`" for key in ("data", "protocol", "split") if record.get(key)]
    return f"Trained on: {', '.join(known)}." if known else "Its training data is not named."
