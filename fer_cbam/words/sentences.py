"""What the app says in words: an explanation, how sure the model is, and what to be careful about.

Plain text, no HTML.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_cbam.explain.parts import PartLosses
from fer_cbam.render import percent
from fer_cbam.types import Prediction
from fer_cbam.words.facs import actions_in_words
from fer_cbam.words.phrases import PLURAL, REGION_NAMES, SURE, phrase


def explanation(prediction: Prediction, label: str, losses: PartLosses | None) -> str:
    """One sentence: the region of the face that the answer rests on, if there is one, how sure the
    model is, and what it would have said second.

    label: the emotion that is explained; for another than the predicted one the sentence says what
    is evidence for that instead. losses: what hiding each region takes from the label, see
    :mod:`fer_cbam.explain.parts`; None where the face has no regions. A region is named only if it
    costs most with both fills, and enough with each.
    """
    if prediction.no_face:
        return phrase("not_a_face")
    chance = prediction.probs[label]
    region = None if losses is None else losses.decisive
    if losses is None or region is None:
        found = phrase("no_region", label=label)
    else:
        found = phrase(
            "region", label=label, region=REGION_NAMES.get(region, region),
            actions=actions_in_words(label, region), them="them" if region in PLURAL else "it",
            chance=percent(chance), left=percent(max(0.0, chance - losses.least(region))),
        )  # fmt: skip
    found = _capital(found)
    if label != prediction.label:
        where = "" if region else phrase("chance", chance=percent(chance))
        return phrase("other", found=found, chance=where, label=prediction.label)
    confidence, second = confidence_in_words(prediction), second_choice(prediction)
    return phrase("own", found=found, confidence=confidence, second=second)


def confidence_in_words(prediction: Prediction) -> str:
    """``the model is very sure (97 %)``; words for the probability, which is not the chance of
    being right."""
    kind = "guess" if prediction.uncertain else _how_sure(prediction.confidence)
    return phrase(kind, chance=percent(prediction.confidence))


def _how_sure(confidence: float) -> str:
    return next((kind for least, kind in SURE if confidence >= least), "torn")


def second_choice(prediction: Prediction) -> str:
    """`` and would have said fear second (2 %)``, or `` and holds fear more probable (60 %)`` where
    a rare label is said; empty for a model of one class."""
    others = sorted((-p, name) for name, p in prediction.probs.items() if name != prediction.label)
    if not others:
        return ""
    share, name = others[0]
    kind = "more_probable" if -share > prediction.confidence else "second"
    return phrase(kind, label=name, chance=percent(-share))


def caution_sentences(kinds: Sequence[str]) -> list[str]:
    """A sentence for each of :func:`fer_cbam.words.cautions.cautions`."""
    return [phrase(kind) for kind in kinds]


def live_message(count: int, kinds: Sequence[str], uncertain: bool) -> str:
    """The line under the live picture: what is in view, and the first thing to be careful about.

    kinds: cautions of the largest face. uncertain: of the largest face's prediction.
    """
    if count == 0:
        return phrase("live_none")
    parts = [] if count == 1 else [phrase("live_several", count=count)]
    parts += [phrase(f"live_{kind}") for kind in kinds[:1]]
    if uncertain and not kinds:
        parts.append(phrase("live_uncertain"))
    return " ".join(parts)


def photo_message(found: int, shown: int) -> str:
    """What was found, in a sentence."""
    if found == 0:
        return phrase("found_none")
    if found > shown:
        return phrase("found_many", found=found, shown=shown)
    return phrase("found_one" if found == 1 else "found_several", found=found)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
