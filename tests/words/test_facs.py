"""FACS in words."""

from __future__ import annotations

from fer_cbam.labels import EMOTIONS
from fer_cbam.words.facs import FACS, actions_in_words
from fer_cbam.words.regions import REGIONS


def test_every_emotion_but_neutral_has_actions_in_regions_that_there_are():
    assert set(FACS) == set(EMOTIONS) - {"neutral"}
    for actions in FACS.values():
        assert set(actions.regions) <= set(REGIONS) and actions.units
    assert FACS["happiness"].units == (6, 12) and FACS["sadness"].units == (1, 4, 15)


def test_actions_are_said_of_their_own_regions_alone():
    assert actions_in_words("disgust", "nose") == " (nose wrinkled, upper lip raised)"
    assert actions_in_words("disgust", "eyes") == actions_in_words("neutral", "mouth") == ""
