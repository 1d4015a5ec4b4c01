"""Drawing, by pixel values worked out by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_cbam import render
from fer_cbam.types import Face, Prediction, Recognition, Saliency

SHIFT = np.array([[1.0, 0, 20], [0, 1, 30]])  # crop pixel (x, y) -> image pixel (x + 20, y + 30)
POINTS = np.array([[30, 40], [50, 40], [40, 50], [33, 60], [47, 60]], np.float32)


def recognition(
    box=(20, 30, 68, 78), label="happiness", confidence=0.97, uncertain=False, affine=SHIFT, side=48
) -> Recognition:
    rest = (1 - confidence) / 2
    probs = {label: confidence, "anger": rest, "fear": rest}
    prediction = Prediction(label, confidence, probs, uncertain)
    crop = np.zeros((side, side, 3), np.uint8)
    return Recognition(Face(box, 0.9, POINTS), prediction, crop, affine)


def saliency(values: np.ndarray) -> Saliency:
    return Saliency(values.astype(np.float32), "gradcam", "happiness")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def test_alpha_zero_is_the_identity_and_the_input_stays(image):
    before = image.copy()
    full = saliency(np.ones((48, 48)))
    np.testing.assert_array_equal(render.overlay(image, recognition(), full, alpha=0), image)
    assert not np.array_equal(render.overlay(image, recognition(), full), image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_out_of_range(image, alpha):
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\]"):
        render.overlay(image, recognition(), saliency(np.ones((48, 48))), alpha=alpha)


def test_full_saliency_is_the_hottest_colour_inside_and_nothing_outside(image):
    drawn = render.overlay(image, recognition(), saliency(np.ones((48, 48))), alpha=1)
    hottest = render.heat_colors(np.ones(1))[0]
    # The soft border is 0.06 * 48 = 2.88 pixels wide, so pixel 3 of the crop is the first full one.
    np.testing.assert_array_equal(
        drawn[30 + 3 : 30 + 45, 20 + 3 : 20 + 45], np.broadcast_to(hottest, (42, 42, 3))
    )
    outside = np.ones(image.shape[:2], bool)
    outside[30:78, 20:68] = False
    np.testing.assert_array_equal(drawn[outside], image[outside])


def test_where_nothing_spoke_the_face_stays(image):
    values = np.zeros((48, 48))
    values[:, :24] = 1
    drawn = render.overlay(image, recognition(), saliency(values))
    np.testing.assert_array_equal(drawn[30:78, 20 + 24 : 68], image[30:78, 20 + 24 : 68])


def test_opacity_is_alpha_times_saliency():
    grey = np.full((120, 160, 3), 100, np.uint8)
    drawn = render.overlay(grey, recognition(), saliency(np.full((48, 48), 0.6)), alpha=0.5)
    colour = render.heat_colors(np.array([0.6]))[0].astype(float)
    np.testing.assert_allclose(drawn[54, 44], 100 * 0.7 + colour * 0.3, atol=0.51)


@pytest.mark.parametrize("angle", [0, 30, -75])
def test_a_hot_pixel_lands_where_the_affine_says(angle):
    black = np.zeros((200, 220, 3), np.uint8)
    turn = 2.0 * np.exp(1j * np.radians(angle))
    affine = np.array([[turn.real, -turn.imag, 110], [turn.imag, turn.real, 100]])
    affine[:, 2] -= affine[:, :2] @ (23.5, 23.5)  # the crop's centre at (110, 100)
    values = np.zeros((48, 48))
    values[15, 33] = 1  # row 15, column 33
    drawn = render.overlay(black, recognition(affine=affine), saliency(values), alpha=1)
    weight = drawn.sum(axis=2, dtype=float)
    rows, columns = np.indices(weight.shape)
    found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(found, affine @ (33, 15, 1), atol=0.35)


@pytest.mark.parametrize("corner", [(-30, -25), (140, 100), (-30, 100), (140, -25)])
def test_a_face_over_the_border_is_drawn_as_far_as_it_is_seen(image, corner):
    affine = np.array([[1.0, 0, corner[0]], [0, 1, corner[1]]])
    drawn = render.overlay(image, recognition(affine=affine), saliency(np.ones((48, 48))), alpha=1)
    changed = (drawn != image).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert max(corner[0], 0) <= columns.min() and columns.max() < min(corner[0] + 48, 160)
    assert max(corner[1], 0) <= rows.min() and rows.max() < min(corner[1] + 48, 120)
    # All but the soft border and a pixel or two that happen to have the colour already.
    seen = (min(corner[0] + 48, 160) - max(corner[0], 0)) * (
        min(corner[1] + 48, 120) - max(corner[1], 0)
    )
    assert changed.sum() > 0.8 * seen


def test_a_face_outside_the_image_changes_nothing(image):
    affine = np.array([[1.0, 0, 500], [0, 1, -300]])
    drawn = render.overlay(image, recognition(affine=affine), saliency(np.ones((48, 48))))
    np.testing.assert_array_equal(drawn, image)


def test_heat_colors_are_turbo():
    # Mikhailov's table (https://gist.github.com/mikhailov-work/ee72ba4191942acecc03fe6da94fc73f):
    # entries 0, 128 and 255.
    expected = [[48, 18, 59], [164, 252, 60], [122, 4, 3]]
    colors = render.heat_colors(np.array([0, 128 / 255, 1]))
    np.testing.assert_allclose(colors.astype(int), expected, atol=2)
    assert render.heat_colors(np.zeros((3, 5, 2))).shape == (3, 5, 2, 3)


def test_ink_has_the_better_contrast():
    assert render.ink_on((255, 255, 255)) == (0, 0, 0)
    assert render.ink_on((0, 0, 0)) == (255, 255, 255)
    assert render.ink_on(render.COLORS["happiness"]) == (0, 0, 0)
    # sRGB (0, 114, 178): luminance 0.1529, so 5.17 on white and 4.06 on black.
    assert render.ink_on(render.COLORS["sadness"]) == (255, 255, 255)


@pytest.mark.parametrize(
    ("prob", "text"),
    [(0, "< 1 %"), (0.0099, "< 1 %"), (0.01, "1 %"), (0.5, "50 %"), (0.9949, "99 %"),
     (0.995, "> 99 %"), (1, "> 99 %")],
)  # fmt: skip
def test_percent_is_never_certain(prob, text):
    assert render.percent(prob) == text


def test_captions():
    assert render.caption(recognition(confidence=0.966)) == "happiness 97 %"
    doubtful = recognition(confidence=0.6, uncertain=True)
    assert render.caption(doubtful) == "happiness? 60 %"


def test_an_uncertain_answer_does_not_have_the_colour_of_its_emotion():
    assert render.caption_colors(recognition()) == (render.COLORS["happiness"], (0, 0, 0))
    assert render.caption_colors(recognition(uncertain=True)) == ((255, 255, 255), (0, 0, 0))
    grey = np.full((300, 400, 3), 128, np.uint8)
    drawn = render.annotate(grey, [recognition(box=(150, 120, 250, 240), uncertain=True)])
    np.testing.assert_array_equal(drawn[114, 151], (255, 255, 255))
    np.testing.assert_array_equal(drawn[200, 150], render.COLORS["happiness"])  # the box still does


def test_where_places_at_the_box_are_taken_a_caption_goes_farther_away():
    box, image = (20, 30, 50, 60), (100, 80)
    taken = [(20, y, 30, 10) for y in (20, 60, 30)]
    assert render.caption_place(box, 30, 10, image, taken) == (20, 10, 30, 10)
    assert render.caption_place(box, 30, 10, image, [*taken, (20, 10, 30, 10)])[1] == 70
    everywhere = [(0, 0, 100, 80)]
    assert render.caption_place(box, 30, 10, image, everywhere) == (20, 20, 30, 10)


def test_box_is_drawn_in_the_colour_of_the_emotion():
    grey = np.full((300, 400, 3), 128, np.uint8)
    drawn = render.annotate(grey, [recognition(box=(150, 120, 250, 240))])
    assert (grey == 128).all()
    for x, y in [(150, 200), (250, 200), (200, 240)]:  # left, right, bottom edge
        np.testing.assert_array_equal(drawn[y, x], render.COLORS["happiness"])
    assert (drawn[170:200, 170:230] == 128).all()  # the face itself stays
    assert (drawn[260:] == 128).all() and (drawn[:90] == 128).all()
    # The caption stands above the box: its left edge is plain colour.
    np.testing.assert_array_equal(drawn[114, 151], render.COLORS["happiness"])


def caption_at(x: float, y: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The pixels that a caption changes on a black image, and their upper left corner."""
    black = np.zeros((240, 320, 3), np.uint8)
    found = recognition(box=(x, y, x + 60, y + 70), label="fear")
    render._draw_caption(black, found, 14)
    rows, columns = np.nonzero(black.any(axis=2))
    corner = int(columns.min()), int(rows.min())
    return black[corner[1] : rows.max() + 1, corner[0] : columns.max() + 1], corner


@pytest.mark.parametrize("x", [-40, 0, 150, 270, 310])
@pytest.mark.parametrize("y", [-30, 0, 5, 100, 190, 235, 300])
def test_the_whole_caption_is_in_the_image(x, y):
    whole, (left, top) = caption_at(130, 120)
    height, width = whole.shape[:2]
    assert (left, top + height) == (130, 120)  # stands on the box where there is room
    patch, (left, top) = caption_at(x, y)
    np.testing.assert_array_equal(patch, whole)
    assert left == min(max(x, 0), 320 - width)
    # Above the box, else below it, else from its upper edge.
    bottom = y + 70
    free = [place for place in (y - height, bottom) if 0 <= place <= 240 - height]
    assert top == (free[0] if free else min(max(y, 0), 240 - height))


def test_captions_of_neighbours_do_not_cover_each_other():
    grey = np.full((240, 320, 3), 128, np.uint8)
    boxes = [(60, 100, 110, 160), (120, 102, 170, 162), (180, 98, 230, 158)]
    found = [
        recognition(box, label)
        for box, label in zip(boxes, ("fear", "anger", "contempt"), strict=True)
    ]
    places: list[tuple[int, int, int, int]] = []
    for r in found:
        places.append(render._draw_caption(grey, r, 14, places))
    for r, (x, y, width, height) in zip(found, places, strict=True):
        alone = np.full((240, 320, 3), 128, np.uint8)
        assert render._draw_caption(alone, r, 14)[2:] == (width, height)
        patch = alone[(alone != 128).any(axis=(1, 2))][:, (alone != 128).any(axis=(0, 2))]
        np.testing.assert_array_equal(grey[y : y + height, x : x + width], patch)
    above = [y < box[1] for (_, y, _, _), box in zip(places, boxes, strict=True)]
    assert above == [True, False, True]


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 200, 3), (200, 3, 3), (17, 17, 3)])
def test_tiny_images(shape):
    image = np.full(shape, 7, np.uint8)
    found = recognition(box=(0.0, 0.0, float(shape[1]), float(shape[0])))
    assert render.annotate(image, [found]).shape == shape
    assert render.overlay(image, found, saliency(np.ones((48, 48)))).shape == shape
    view, _ = render.close_up(image, found, 32)
    np.testing.assert_array_equal(view, np.full((32, 32, 3), 7))


def test_captions_grow_with_the_image():
    heights = []
    for scale in (1, 10):
        black = np.zeros((300 * scale, 400 * scale, 3), np.uint8)
        box = (100 * scale, 100 * scale, 200 * scale, 200 * scale)
        above = render.annotate(black, [recognition(box)])[: 95 * scale]
        heights.append(np.ptp(np.nonzero(above.any(axis=(1, 2)))[0]) + 1)
    assert 7 < heights[1] / heights[0] < 13


def test_shrink_keeps_small_images_and_moves_faces():
    image = np.zeros((300, 400, 3), np.uint8)
    same, found = render.shrink(image, [recognition()], 400)
    np.testing.assert_array_equal(same, image)
    assert found[0].face.box == (20, 30, 68, 78)
    half, found = render.shrink(image, [recognition()], 200)
    assert half.shape == (150, 200, 3)
    assert found[0].face.box == (10, 15, 34, 39)
    # Pixel centres: the centre of pixel 30 is at 30.5, half of it 15.25, which is pixel 14.75.
    np.testing.assert_allclose(found[0].face.landmarks[0], (14.75, 19.75))
    np.testing.assert_allclose(found[0].affine @ (0, 0, 1), (9.75, 14.75))
    np.testing.assert_allclose(found[0].affine[:, :2], np.eye(2) / 2)


def test_close_up_shows_what_lies_at_the_landmarks():
    """Dots at the landmarks of a photo are at the moved landmarks of the close-up."""
    image = np.zeros((120, 160, 3), np.uint8)
    for x, y in POINTS.astype(int):
        image[y, x] = 255
    view, moved = render.close_up(image, recognition(), side=240)
    assert view.shape == (240, 240, 3)
    scale = 240 / 60  # a crop of 48 with a margin of 1.25
    for (x, y), (old_x, old_y) in zip(moved.face.landmarks, POINTS, strict=True):
        # Cut at x = 44 - 30, y = 54 - 30, around the crop's centre (43.5, 53.5).
        assert x == pytest.approx((old_x - 14 + 0.5) * scale - 0.5)
        assert y == pytest.approx((old_y - 24 + 0.5) * scale - 0.5)
        # The dot is an even square around it: its brightest pixels are the four in the middle.
        spot = view[int(y) - 3 : int(y) + 5, int(x) - 3 : int(x) + 5, 0].astype(float)
        rows, columns = np.indices(spot.shape)
        middle = np.array([(columns * spot).sum(), (rows * spot).sum()]) / spot.sum()
        np.testing.assert_allclose(middle, (x - int(x) + 3, y - int(y) + 3), atol=0.1)


@pytest.mark.parametrize("corner", [(-20, -20), (140, 100), (500, 500)])
def test_close_up_stays_within_the_image(image, corner):
    affine = np.array([[1.0, 0, corner[0]], [0, 1, corner[1]]])
    view, moved = render.close_up(image, recognition(affine=affine), side=60)
    # Cut of 60 pixels shown at 60: the view is a part of the image, pixel by pixel.
    x = 0 if corner[0] < 0 else 100
    y = 0 if corner[1] < 0 else 60
    np.testing.assert_array_equal(view, image[y : y + 60, x : x + 60])
    np.testing.assert_allclose(moved.affine[:, 2], (corner[0] - x, corner[1] - y))


def test_a_layer_laid_over_the_image_is_the_overlay(image):
    """Composed by hand on the pixels of the crop, which the image holds one to one."""
    values = np.random.default_rng(1).random((48, 48)).astype(np.float32)
    layer = render.heat_layer(saliency(values)).astype(float)
    weight = 0.65 * layer[..., 3:] / 255
    expected = image[30:78, 20:68] * (1 - weight) + layer[..., :3] * weight
    drawn = render.overlay(image, recognition(), saliency(values), alpha=0.65)
    np.testing.assert_allclose(drawn[30:78, 20:68].astype(float), expected, atol=1.5)


def test_a_layer_is_transparent_where_nothing_spoke():
    assert not render.heat_layer(saliency(np.zeros((48, 48))))[..., 3].any()


@pytest.mark.parametrize("angle", [0.0, 0.5, -1.2])
def test_layer_transform_takes_edges_to_edges(angle):
    """The same place named by centres (the affine) and by edges (canvas and SVG) is the same."""
    affine = np.array(
        [[2 * np.cos(angle), -2 * np.sin(angle), 5], [2 * np.sin(angle), 2 * np.cos(angle), -3]]
    )
    a, b, c, d, e, f = render.layer_transform(affine)
    for x, y in [(0, 0), (47, 0), (10, 30)]:
        by_centres = affine @ (x, y, 1) + 0.5
        across, down = x + 0.5, y + 0.5
        by_edges = (a * across + c * down + e, b * across + d * down + f)
        assert by_edges == pytest.approx(tuple(by_centres))


def test_maps_below_boxes_are_the_overlays_one_after_the_other(image):
    """One copy, or none, in place of one for each face."""
    rng = np.random.default_rng(1)
    places = [np.array([[a, -b, x], [b, a, y]], float) for a, b, x, y in
              [(1, 0, 20, 30), (0.8, 0.6, 60, 10), (2.5, -1, 100, 90)]]  # fmt: skip
    faces = [recognition((x, 20, x + 50, 70), affine=affine)
             for x, affine in zip((20, 60, 100), places, strict=True)]  # fmt: skip
    maps = [saliency(rng.random((48, 48)) * 1.2 - 0.1), None, saliency(rng.random((48, 48)))]
    expected = image
    for face, one in zip(faces, maps, strict=True):
        expected = expected if one is None else render.overlay(expected, face, one)
    expected = render.annotate(expected, faces, [1, 2, 3])
    before = image.copy()
    drawn = render.annotate(image, faces, [1, 2, 3], maps)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(image, before)
    assert render.annotate(image, faces, [1, 2, 3], maps, in_place=True) is image
    np.testing.assert_array_equal(image, expected)
    with pytest.raises(ValueError, match="shorter"):
        render.annotate(image, faces, saliencies=maps[:2])


def test_an_overlay_is_the_blend_in_floats(image):
    """Each pixel as NumPy has it, by the formula."""
    values = np.random.default_rng(2).random((48, 48), np.float32)
    affine = np.array([[1.7, -0.4, 30.0], [0.4, 1.7, 15.0]])
    drawn = render.overlay(image, recognition(affine=affine), saliency(values), 0.65)
    size = image.shape[1], image.shape[0]
    heat = cv2.warpAffine(values, affine, size, flags=cv2.INTER_LINEAR)
    ramp = np.clip((np.minimum(np.arange(48), 47 - np.arange(48)) + 0.5) / (0.06 * 48), 0, 1)
    edge = cv2.warpAffine(np.outer(ramp, ramp).astype(np.float32), affine, size)
    weight = 0.65 * (edge * heat)[..., None]
    expected = np.rint(image * (1 - weight) + render.heat_colors(heat) * weight)
    apart = np.abs(drawn - expected)
    if cv2.__version__.startswith("4."):  # places in 32nds of a pixel, counted from another corner
        assert apart.max() <= 10 and apart.mean() < 0.1
    else:
        assert apart.max() <= 1 and (apart > 0).mean() < 0.01  # where a float32 rounds otherwise


def test_labels_of_ones_own_have_colours_that_differ_and_that_black_is_read_on():
    labels = ["happiness", "bored", "engaged", "in pain", "puzzled", "thinking hard"]
    colors = [render.color_of(label, labels) for label in labels]
    assert colors[0] == render.COLORS["happiness"]
    assert all(render.ink_on(color) == (0, 0, 0) for color in colors)
    for i, color in enumerate(colors[1:], 1):
        others = np.array(colors[1:i] + colors[i + 1 :], int)
        assert np.abs(others - color).sum(1).min() > 60
        assert color == render.color_of(labels[i], labels)
