"""Every phrase that is said of an answer, with names in braces for what is filled in.

The server's page takes its words from here through :mod:`fer_cbam.words.sentences`, and the page
for the visitor's own device gets the same phrases as data (:mod:`fer_cbam.device.settings`), so
that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping

PHRASES: Mapping[str, str] = {
    # An explanation: what was found, then how sure the model is.
    "region": "the strongest evidence for {label} is in the {region}{actions}: with {them} hidden, "
    "it falls from {chance} to {left} or less",
    "no_region": "no single region of the face decides for {label}",
    "actions": " ({words})",
    "own": "{found}; {confidence}{second}.",
    "other": "{found}{chance}; the model's answer is {label}.",
    "chance": " ({chance})",
    "guess": "that is a guess, as the model is uncertain ({chance})",
    "very": "the model is very sure ({chance})",
    "fairly": "the model is fairly sure ({chance})",
    "not_very": "the model is not very sure ({chance})",
    "torn": "the model is torn ({chance})",
    "more_probable": " and holds {label} more probable ({chance})",
    "second": " and would have said {label} second ({chance})",
    "not_a_face": "This does not look like a face to the model, so it gives no answer.",
    # What stands beside a verdict.
    "unnamed": "This does not look like a face to the network, so no expression is named.",
    "lifted": "{most} is more probable ({chance}). These weights give {label} a lead over it.",
    # What to be careful about, of a photo's face and of a live one.
    "small": "This face is small in the picture: fewer pixels than the model reads.",
    "dark": "This face is very dark; with more light on it the answer may be another.",
    "side": "This face is seen from the side; the model has learned faces seen from the front.",
    "turned": "This face lies on its side or stands on its head; it was turned upright to be read, "
    "and may have been turned wrongly.",
    "live_small": "Come closer: the face is small.",
    "live_dark": "More light: the face is very dark.",
    "live_side": "Seen from the side: turn towards the camera.",
    "live_turned": "The face is not upright in the picture: turn the camera or your head.",
    "live_uncertain": "The model is uncertain: no expression stands out.",
    "live_none": "No face in view. Look towards the camera, with light on your face.",
    "live_several": "{count} faces in view.",
    # What was found in a photo.
    "found_none": "No face found. Faces in profile, covered, very dark or smaller than about 24 "
    "pixels are often missed.",
    "found_one": "One face found. Pick an emotion to see the evidence for it.",
    "found_several": "{found} faces found. Pick a face, then an emotion to see the evidence for "
    "it.",
    "found_many": "{found} faces found, too many to explain each: here are the {shown} largest.",
}

#: Confidence from which on a phrase holds, the largest first; below all of them "torn".
SURE: tuple[tuple[float, str], ...] = ((0.9, "very"), (0.7, "fairly"), (0.5, "not_very"))
PLURAL = frozenset({"brows", "eyes", "cheeks", "surroundings"})
#: Regions that are said otherwise than they are called.
REGION_NAMES: Mapping[str, str] = {"surroundings": "surroundings of the face"}


def phrase(key: str, **filled: object) -> str:
    """A phrase with its names filled in."""
    return PHRASES[key].format(**filled)
