"""The page's words and HTML, read back with an HTML parser."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fer_cbam import page
from fer_cbam.errors import ImageError
from fer_cbam.types import Face, Prediction, Recognition, Saliency

PROBS = {"anger": 0.004, "fear": 0.246, "happiness": 0.75}


def recognition(box=(40, 20, 88, 68), uncertain=False) -> Recognition:
    affine = np.array([[1.0, 0, box[0]], [0, 1, box[1]]])
    attention = Saliency(np.ones((48, 48), np.float32), "spatial_attention")
    face = Face(box, 0.9, np.zeros((5, 2), np.float32))
    prediction = Prediction("happiness", 0.75, PROBS, uncertain)
    return Recognition(face, prediction, np.zeros((48, 48, 3), np.uint8), affine, (attention,))


def gradcams() -> dict[str, Saliency]:
    values = np.ones((48, 48), np.float32)
    return {label: Saliency(values, "gradcam", label) for label in PROBS}


class Elements(HTMLParser):
    """All start tags with their attributes; raises where tags do not close in order."""

    VOID = ("img", "input", "br")

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def having(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        wanted = {key.strip("_").replace("_", "-"): value for key, value in wanted.items()}
        return [a for t, a in self.found if t == tag and wanted.items() <= a.items()]


def pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_data_url_is_a_jpeg_of_the_colours():
    image = np.zeros((24, 32, 3), np.uint8)
    image[:] = (200, 30, 60)
    url = page.data_url(image)
    assert url.startswith("data:image/jpeg;base64,")
    np.testing.assert_allclose(pixels(url).astype(int), image, atol=4)
    assert page.from_data_url(url, 10_000) == base64.b64decode(url.partition(",")[2])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "expected a data URL"),
        (7, "expected a data URL"),
        ("", "expected a data URL"),
        ("http://example.org/a.jpg", "expected a data URL"),
        ("data:image/png,abc", "expected a data URL"),
        ("data:image/png;base64,a$b", "not base64"),
        ("data:image/png;base64,abc", "not base64"),
        ("data:image/png;base64," + "A" * 200, "at most"),
    ],
)
def test_data_urls_that_are_none(url, message):
    with pytest.raises(ImageError, match=message):
        page.from_data_url(url, 100)


def test_data_url_may_be_as_long_as_allowed():
    data = bytes(100)
    url = "data:;base64," + base64.b64encode(data).decode()
    assert page.from_data_url(url, 100) == data


def test_bars_keep_the_order_of_the_labels():
    html = page.bars(PROBS)
    assert re.findall(r'fer-name">(\w+)<', html) == list(PROBS)
    assert re.findall(r"width: ([\d.]+)%", html) == ["0.4", "24.6", "75.0"]
    assert re.findall(r'fer-percent">([^<]+)<', html) == ["&lt; 1 %", "25 %", "75 %"]
    assert Elements(html).having("button") == []


def test_pick_bars_are_ranked_buttons_and_one_is_pressed():
    buttons = Elements(page.pick_bars(PROBS, "fear")).having("button")
    assert [b["data-emotion"] for b in buttons] == ["happiness", "fear", "anger"]
    assert [b["aria-pressed"] for b in buttons] == ["false", "true", "false"]


def test_labels_are_escaped():
    evil = '<script>alert("x")</script>'
    for html in (page.bars({evil: 1.0}), page.pick_bars({evil: 1.0}, evil)):
        assert "<script" not in html and "&lt;script&gt;" in html
        assert Elements(html).having("script") == []


def test_photo_messages():
    assert page.photo_message(0, 0) == page.NO_FACE
    assert page.photo_message(1, 1).startswith("One face found.")
    assert page.photo_message(3, 3).startswith("3 faces found. Pick a face")
    assert "50 faces found, too many" in page.photo_message(50, 12)
    assert "the 12 largest" in page.photo_message(50, 12)


def test_live_faces_are_numbered_where_there_are_several():
    assert "Your expression: happiness 75&nbsp;%" in page.live_faces([recognition()])
    several = page.live_faces([recognition()] * 5, most=3)
    assert re.findall(r"Face (\d)", several) == ["1", "2", "3"]
    assert "Your expression: uncertain" in page.live_faces([recognition(uncertain=True)])
    assert page.live_faces([]) == ""


def test_photo_result_has_a_button_and_a_panel_for_each_face():
    image = np.full((200, 400, 3), 90, np.uint8)
    faces = [recognition((40, 20, 88, 68)), recognition((360, -10, 420, 50))]
    elements = Elements(page.photo_result(image, faces, [gradcams(), gradcams()]))
    first, second = elements.having("button", class_="fer-face")
    assert first["style"] == "left: 10.00%; top: 10.00%; width: 12.00%; height: 24.00%"
    # The box reaches beyond the photo; its button does not.
    assert second["style"] == "left: 90.00%; top: 0.00%; width: 10.00%; height: 25.00%"
    assert (first["aria-pressed"], second["aria-pressed"]) == ("true", "false")
    assert first["aria-label"] == "Face 1: happiness 75\xa0%"
    panels = elements.having("section")
    assert [("hidden" in p, p["data-face"]) for p in panels] == [(False, "0"), (True, "1")]


def test_each_face_has_a_map_for_every_emotion_and_the_answer_is_shown():
    image = np.full((200, 400, 3), 90, np.uint8)
    html = page.photo_result(image, [recognition()], [gradcams()])
    maps = [a for a in Elements(html).having("img") if "data-emotion" in a]
    assert [(a["data-emotion"], "hidden" in a) for a in maps] == [
        ("anger", True),
        ("fear", True),
        ("happiness", False),
    ]
    (attention,) = Elements(html).having("img", alt="Spatial attention")
    plain = pixels(Elements(html).having("img", alt="The face")[0]["src"])
    assert plain.shape == (page.FACE_SIDE, page.FACE_SIDE, 3)
    assert abs(plain.astype(int) - 90).max() <= 3
    for picture in (maps[2], attention):
        middle = pixels(picture["src"])[144, 144].astype(int)
        assert middle[0] > 100 and middle[2] < 50  # Turbo's dark red over grey


def test_a_large_photo_is_shown_smaller():
    image = np.full((1000, 2560, 3), 90, np.uint8)
    html = page.photo_result(image, [recognition((400, 200, 800, 600))], [gradcams()])
    shown = Elements(html).having("img", alt="The photo, its faces marked")[0]
    assert pixels(shown["src"]).shape == (500, 1280, 3)
    assert (shown["width"], shown["height"]) == ("1280", "500")
    assert 'style="left: 15.62%; top: 20.00%; width: 15.62%; height: 40.00%"' in html


def test_small_faces_come_with_a_warning():
    image = np.full((200, 400, 3), 90, np.uint8)
    html = page.photo_result(image, [recognition((40, 20, 70, 50))], [gradcams()])
    assert "only 30 pixels wide" in html
    html = page.photo_result(image, [recognition((40, 20, 88, 68))], [gradcams()])
    assert "pixels wide" not in html
