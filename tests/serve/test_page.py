"""The page's words and HTML, read back with an HTML parser."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fer_cbam.errors import ImageError
from fer_cbam.serve import page
from fer_cbam.serve.page import ExplainedFace
from fer_cbam.types import Face, Prediction, Recognition, Saliency

PROBS = {"anger": 0.004, "fear": 0.246, "happiness": 0.75}


def recognition(box=(40, 20, 88, 68), uncertain=False) -> Recognition:
    affine = np.array([[1.0, 0, box[0]], [0, 1, box[1]]])
    attention = Saliency(np.ones((48, 48), np.float32), "spatial_attention")
    face = Face(box, 0.9, np.zeros((5, 2), np.float32))
    prediction = Prediction("happiness", 0.75, PROBS, uncertain)
    return Recognition(face, prediction, np.zeros((48, 48, 3), np.uint8), affine, (attention,))


def explained(found: Recognition, gradcams=None, cautions=()) -> ExplainedFace:
    values = np.ones((48, 48), np.float32)
    gradcams = gradcams or {label: Saliency(values, "gradcam", label) for label in PROBS}
    shares = {label: {"mouth": 1.0} for label in gradcams}
    words = {label: f"{label} & the mouth" for label in gradcams}
    return ExplainedFace(found, gradcams, shares, words, cautions)


class Elements(HTMLParser):
    """All start tags with their attributes; raises where tags do not close in order."""

    VOID = ("img", "input", "br")  # <image/> of SVG closes itself

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

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

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


def test_pick_bars_are_ranked_buttons_and_one_is_pressed():
    buttons = Elements(page.pick_bars(PROBS, "fear")).having("button")
    assert [b["data-emotion"] for b in buttons] == ["happiness", "fear", "anger"]
    assert [b["aria-pressed"] for b in buttons] == ["false", "true", "false"]


def test_labels_are_escaped():
    evil = '<script>alert("x")</script>'
    saliency = Saliency(np.ones((48, 48), np.float32), "gradcam", evil)
    prediction = Prediction(evil, 1.0, {evil: 1.0})
    face = explained(replace(recognition(), prediction=prediction), {evil: saliency})
    html = page.photo_result(np.full((200, 400, 3), 90, np.uint8), [face])
    assert "<script" not in html and "&lt;script&gt;" in html
    assert Elements(html).having("script") == []


def test_photo_result_has_a_button_and_a_panel_for_each_face():
    image = np.full((200, 400, 3), 90, np.uint8)
    faces = [recognition((40, 20, 88, 68)), recognition((360, -10, 420, 50))]
    elements = Elements(page.photo_result(image, [explained(face) for face in faces]))
    first, second = elements.having("button", class_="fer-face")
    assert first["style"] == "left: 10.00%; top: 10.00%; width: 12.00%; height: 24.00%"
    # The box reaches beyond the photo; its button does not.
    assert second["style"] == "left: 90.00%; top: 0.00%; width: 10.00%; height: 25.00%"
    assert (first["aria-pressed"], second["aria-pressed"]) == ("true", "false")
    assert first["aria-label"] == "Face 1: happiness 75\xa0%"
    panels = elements.having("section")
    assert [("hidden" in p, p["data-face"]) for p in panels] == [(False, "0"), (True, "1")]


def test_each_face_has_a_map_and_a_sentence_for_every_emotion_and_the_answer_is_shown():
    image = np.full((200, 400, 3), 90, np.uint8)
    html = page.photo_result(image, [explained(recognition())])
    elements = Elements(html)
    for tag in ("image", "p"):
        shown = [a for t, a in elements.found if t == tag and "data-emotion" in a]
        assert [(a["data-emotion"], "hidden" in a) for a in shown] == [
            ("anger", True),
            ("fear", True),
            ("happiness", False),
        ]
    assert "happiness &amp; the mouth" in html
    labels = [a["aria-label"] for t, a in elements.found if t == "svg"]
    assert labels == ["The face", "Grad-CAM over the face", "Attention over the face"]


def test_maps_lie_where_the_crop_lies_in_the_close_up():
    """The crop is 48 px of the image, the close-up 60 px of it on 288: 4.8 times as large, with 6
    px of margin on each side."""
    image = np.full((200, 400, 3), 90, np.uint8)
    html = page.photo_result(image, [explained(recognition())])
    layers = [a for t, a in Elements(html).found if t == "image" and "transform" in a]
    assert len(layers) == 4
    for layer in layers:
        numbers = [float(v) for v in re.findall(r"-?[\d.]+", layer["transform"])]
        assert numbers == pytest.approx([4.8, 0, 0, 4.8, 28.8, 28.8], abs=1e-3)
        assert (layer["width"], layer["height"]) == ("48", "48")
        heat = pixels(layer["href"])
        assert heat.shape == (48, 48, 4)
        assert heat[24, 24, 3] == 255 and heat[24, 24, 0] > 100 > heat[24, 24, 2]  # Turbo's red
    plain = [a for t, a in Elements(html).found if t == "image" and "transform" not in a]
    assert pixels(plain[0]["href"]).shape == (page.FACE_SIDE, page.FACE_SIDE, 3)
    assert abs(pixels(plain[0]["href"]).astype(int) - 90).max() <= 3


def test_a_large_photo_is_shown_smaller():
    image = np.full((1000, 2560, 3), 90, np.uint8)
    html = page.photo_result(image, [explained(recognition((400, 200, 800, 600)))])
    shown = Elements(html).having("img", alt="The photo, its faces marked")[0]
    assert pixels(shown["src"]).shape == (500, 1280, 3)
    assert (shown["width"], shown["height"]) == ("1280", "500")
    assert 'style="left: 15.62%; top: 20.00%; width: 15.62%; height: 40.00%"' in html


def test_cautions_are_said_in_words():
    image = np.full((200, 400, 3), 90, np.uint8)
    html = page.photo_result(image, [explained(recognition(), cautions=("small", "side"))])
    notes = re.findall(r'class="fer-note">([^<]+)<', html)
    assert [("small in the picture" in n, "from the side" in n) for n in notes] == [
        (True, False),
        (False, True),
    ]
    assert "fer-note" not in page.photo_result(image, [explained(recognition())])


def test_png_url_keeps_every_pixel():
    image = np.arange(4 * 5 * 4, dtype=np.uint8).reshape(4, 5, 4)
    np.testing.assert_array_equal(pixels(page.png_url(image)), image)
    np.testing.assert_array_equal(pixels(page.png_url(image[..., :3])), image[..., :3])


def test_css_color():
    assert page.css_color((240, 228, 66)) == "rgb(240, 228, 66)"
