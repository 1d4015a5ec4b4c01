"""What the app says in words: an explanation, how sure the model is, and what to be careful about.

Plain text, no HTML.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_cbam.explain.parts import PartLosses
from fer_cbam.render import percent
from fer_cbam.types import Prediction
from fer_cbam.words.facs import actions_in_words

NO_FACE = (
    "No face found. Faces in profile, covered, very dark or smaller than about 24 pixels are "
    "often missed."
)
NOT_A_FACE = "This does not look like a face to the model, so it gives no answer."
CAUTIONS = {
    "small": "This face is small in the picture: fewer pixels than the model reads.",
    "dark": "This face is very dark; with more light on it the answer may be another.",
    "side": "This face is seen from the side; the model has learned faces seen from the front.",
}
PLURAL = {"brows", "eyes", "cheeks", "surroundings"}
NAMES = {"surroundings": "surroundings of the face"}


def explanation(prediction: Prediction, label: str, losses: PartLosses | None) -> str:
    """One sentence: the region of the face that the answer rests on, if there is one, how sure the
    model is, and what it would have said second.

    label: the emotion that is explained; for another than the predicted one the sentence says what
    is evidence for that instead. losses: what hiding each region takes from the label, see
    :mod:`fer_cbam.explain.parts`; None where the face has no regions. A region is named only if it
    costs most with both fills, and enough with each.
    """
    if prediction.no_face:
        return NOT_A_FACE
    chance = prediction.probs[label]
    region = None if losses is None else losses.decisive
    if losses is None or region is None:
        found = f"no single region of the face decides for {label}"
    else:
        name, them = NAMES.get(region, region), "them" if region in PLURAL else "it"
        left = percent(max(0.0, chance - losses.least(region)))
        found = (
            f"the strongest evidence for {label} is in the {name}"
            f"{actions_in_words(label, region)}: "
            f"with {them} hidden, it falls from {percent(chance)} to {left} or less"
        )
    if label != prediction.label:
        where = "" if region else f" ({percent(chance)})"
        return f"{_capital(found)}{where}; the model's answer is {prediction.label}."
    return f"{_capital(found)}; {confidence_in_words(prediction)}{second_choice(prediction)}."


def confidence_in_words(prediction: Prediction) -> str:
    """``the model is very sure (97 %)``; words for the probability, which is not the chance of
    being right."""
    chance = percent(prediction.confidence)
    if prediction.uncertain:
        return f"that is a guess, as the model is uncertain ({chance})"
    for least, words in ((0.9, "very sure"), (0.7, "fairly sure"), (0.5, "not very sure")):
        if prediction.confidence >= least:
            return f"the model is {words} ({chance})"
    return f"the model is torn ({chance})"


def second_choice(prediction: Prediction) -> str:
    """`` and would have said fear second (2 %)``, or `` and holds fear more probable (60 %)`` where
    a rare label is said; empty for a model of one class."""
    others = sorted((-p, name) for name, p in prediction.probs.items() if name != prediction.label)
    if not others:
        return ""
    share, name = others[0]
    if -share > prediction.confidence:
        return f" and holds {name} more probable ({percent(-share)})"
    return f" and would have said {name} second ({percent(-share)})"


def caution_sentences(kinds: Sequence[str]) -> list[str]:
    """A sentence for each of :func:`fer_cbam.words.cautions.cautions`."""
    return [CAUTIONS[kind] for kind in kinds]


def live_message(count: int, kinds: Sequence[str], uncertain: bool) -> str:
    """The line under the live picture: what is in view, and the first thing to be careful about.

    kinds: cautions of the largest face. uncertain: of the largest face's prediction.
    """
    if count == 0:
        return "No face in view. Look towards the camera, with light on your face."
    hints = {
        "small": "Come closer: the face is small.",
        "dark": "More light: the face is very dark.",
        "side": "Seen from the side: turn towards the camera.",
    }
    parts = [] if count == 1 else [f"{count} faces in view."]
    parts += [hints[kind] for kind in kinds[:1]]
    if uncertain and not kinds:
        parts.append("The model is uncertain: no expression stands out.")
    return " ".join(parts)


def photo_message(found: int, shown: int) -> str:
    """What was found, in a sentence."""
    if found == 0:
        return NO_FACE
    if found > shown:
        return f"{found} faces found, too many to explain each: here are the {shown} largest."
    if found == 1:
        return "One face found. Pick an emotion to see the evidence for it."
    return f"{found} faces found. Pick a face, then an emotion to see the evidence for it."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
