"""The About tab: what holds for all weights, then the card of the embedded ones."""

from __future__ import annotations

import re

from fer_cbam import pretrained
from fer_cbam.hub.cards import CARD_FILE
from fer_cbam.recognizer import EmotionRecognizer

ABOUT = """
## In short

- It finds faces and says which of **{count} expressions** each resembles most: {labels}.
- It reads **expressions, not feelings**, and always weighs its {count} names against each other,
  also for a face that shows none of them. A percentage is not the chance of being right.
- *Grad-CAM* shows the regions that spoke for the emotion you pick; *attention* shows where the
  network looks whatever the emotion. Both tell about the network, not about the person.
- Do not use it to judge, hire, grade, admit, monitor or diagnose anyone, to guess at lies, intent
  or health, or on people who have not agreed to it.
- Pictures are read in the memory of the computer that runs this page and forgotten with the
  answer. A clip lies in a temporary folder while it is read and is deleted with the answer. No
  picture, number or usage statistic is stored or sent elsewhere.

Weights in use: `{name}`.
"""


def about(recognizer: EmotionRecognizer) -> str:
    """Markdown about the app and these weights, without their card's YAML front matter."""
    labels = ", ".join(recognizer.label_names)
    text = ABOUT.format(count=len(recognizer.label_names), labels=labels, name=recognizer.name)
    card = pretrained.EMBEDDED / recognizer.name / CARD_FILE
    if recognizer.name not in pretrained.embedded_names() or not card.is_file():
        return (
            f"{text}\nNo model card comes with these weights: ask who made them what they are for."
        )
    body = re.sub(r"\A---\n.*?\n---\n", "", card.read_text(encoding="utf-8"), flags=re.S)
    return f"{text}\n---\n{re.sub(r'<!--.*?-->', '', body, flags=re.S)}"
