"""What the app says in words: an explanation, how sure the model is, and what to be careful about.

Plain text, no HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fer_cbam.render import percent
from fer_cbam.types import Prediction

NO_FACE = (
    "No face found. Faces in profile, covered, very dark or smaller than about 24 pixels are "
    "often missed."
)
CAUTIONS = {
    "small": "This face is small in the picture: fewer pixels than the model reads.",
    "dark": "This face is very dark; with more light on it the answer may be another.",
    "side": "This face is seen from the side; the model has learned faces seen from the front.",
}
PLURAL = {"brows", "eyes", "cheeks", "surroundings"}
NAMES = {"surroundings": "surroundings of the face"}
SHARE_NAMED = 0.75  # regions are named until they hold this share of the evidence
LEAST_SHARE = 0.1  # but none with less than this
MAX_NAMED = 3


def explanation(prediction: Prediction, label: str, shares: Mapping[str, float]) -> str:
    """One sentence: which regions carried the decision and how much, how sure the model is, and
    what it would have said second.

    label: the emotion that is explained; for another than the predicted one the sentence says what
    spoke for that instead. shares: region -> share of its saliency (:mod:`fer_cbam.words.regions`).
    """
    if label != prediction.label:
        chance = percent(prediction.probs[label])
        if not any(shares.values()):
            return f"For {label} ({chance}) no region of the face spoke."
        verb = "speaks" if _is_singular(shares) else "speak"
        return (
            f"For {label} ({chance}) {regions_in_words(shares)} {verb} most; "
            f"the model's answer is {prediction.label}."
        )
    if not any(shares.values()):
        carried = f"No region of the face stands out for {label}"
    else:
        carried = f"{_capital(regions_in_words(shares))} carried the decision for {label}"
    return f"{carried}; {confidence_in_words(prediction)}{second_choice(prediction)}."


def regions_in_words(shares: Mapping[str, float]) -> str:
    """``the mouth (62 %) and the cheeks (20 %)``: the regions with most of the evidence."""
    named = _named(shares)
    parts = [f"the {NAMES.get(name, name)} ({percent(share)})" for name, share in named]
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _named(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    named = ranked[:1]
    for name, share in ranked[1:MAX_NAMED]:
        if sum(value for _, value in named) >= SHARE_NAMED or share < LEAST_SHARE:
            break
        named.append((name, share))
    return named


def _is_singular(shares: Mapping[str, float]) -> bool:
    named = _named(shares)
    return len(named) == 1 and named[0][0] not in PLURAL


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
    """`` and would have said fear second (2 %)``; empty for a model of one class."""
    others = sorted((-p, name) for name, p in prediction.probs.items() if name != prediction.label)
    if not others:
        return ""
    share, name = others[0]
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
        return "One face found. Pick an emotion to see what spoke for it."
    return f"{found} faces found. Pick a face, then an emotion to see what spoke for it."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
