"""YuNet on a real face (scikit-image's astronaut, NASA, public domain), on nothing, and on the
development photographs where they are present."""

from __future__ import annotations

import csv
import itertools
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from fer_cbam.detect import yunet
from fer_cbam.detect.yunet import YuNetDetector, search_sides
from fer_cbam.errors import ImageError
from fer_cbam.images import decode_image

# Eyes, nose tip and mouth corners of the astronaut, read off the picture by hand.
BY_HAND = np.array([[202.5, 100], [246.5, 102.5], [222.5, 126], [203, 139.5], [243, 141]])


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    return YuNetDetector()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def portrait(astronaut) -> Image.Image:
    """The face with its surroundings, 230 pixels square."""
    return Image.fromarray(astronaut[10:240, 115:345])


def test_the_face_and_its_landmarks_in_our_order(detector, astronaut):
    (face,) = detector.detect(astronaut)
    assert face.score > 0.9
    assert face.landmarks.dtype == np.float32
    assert np.abs(face.landmarks - BY_HAND).max() < 5
    left_eye, right_eye, nose, mouth_left, mouth_right = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert left_eye[1] < nose[1] < mouth_left[1]
    x1, y1, x2, y2 = face.box
    assert x1 < left_eye[0] < right_eye[0] < x2
    assert y1 < left_eye[1] < mouth_right[1] < y2


def test_limited_to_a_side_is_the_same_network_at_that_side(detector, astronaut):
    small = detector.limited_to(320)
    fresh = YuNetDetector(max_side=320)
    assert small._net is detector._net and small._lock is detector._lock
    assert [f.box for f in small.detect(astronaut)] == [f.box for f in fresh.detect(astronaut)]
    assert (small.max_side, detector.max_side) == (320, 4096)
    assert small.limited_to(640).max_side == 320


def test_a_mirrored_picture_gives_mirrored_faces(detector, astronaut):
    (face,) = detector.detect(astronaut)
    (mirrored,) = detector.detect(astronaut[:, ::-1])
    width = astronaut.shape[1]
    back = mirrored.landmarks[[1, 0, 2, 4, 3]] * (-1, 1) + (width - 1, 0)
    assert np.abs(back - face.landmarks).max() < 4
    x1, _, x2, _ = mirrored.box
    assert np.abs(np.subtract((width - x2, width - x1), (face.box[0], face.box[2]))).max() < 4


def test_colours_are_rgb(detector, astronaut):
    """YuNet was trained on BGR and scores a face with swapped colours lower."""
    (face,) = detector.detect(astronaut)
    swapped = detector.detect(astronaut[..., ::-1])
    assert all(f.score < face.score - 0.005 for f in swapped)


def test_a_face_in_the_dark_is_found_at_the_second_look(astronaut, monkeypatch):
    """A thirtieth of the light, with its photon noise; only the second look finds anyone there."""
    photons = np.random.default_rng(0).poisson(1000 * (astronaut / 255) / 30)  # white: 1000
    dark = np.clip(photons * (255 / 1000), 0, 255).astype(np.uint8)
    for max_side in (320, 4096):  # in pixels of a smaller picture, and of its own
        detector = YuNetDetector(max_side=max_side)
        (face,) = detector.detect(dark)
        assert np.abs(face.landmarks - BY_HAND).max() < 8
        with monkeypatch.context() as patch:
            patch.setattr(yunet, "evened", lambda image: image)
            assert detector.detect(dark) == []


@pytest.mark.parametrize("side", [24, 32, 48, 96, 200, 400])
def test_faces_from_24_pixels_up_to_large_ones(detector, portrait, side):
    """The box of this face is 111 high: shown with that height at each size, on grey."""
    scale = side / 111
    small = np.asarray(portrait.resize((round(230 * scale),) * 2, Image.Resampling.BICUBIC))
    canvas = np.full((max(480, small.shape[0]), max(640, small.shape[1]), 3), 128, np.uint8)
    canvas[: small.shape[0], -small.shape[1] :] = small
    (face,) = detector.detect(canvas)
    assert face.size == pytest.approx(side, rel=0.2)
    offset = np.array([canvas.shape[1] - small.shape[1], 0])
    expected = (BY_HAND - (115, 10) + 0.5) * scale - 0.5 + offset
    assert np.abs(face.landmarks - expected).max() < 0.05 * side + 0.5


def test_a_face_that_fills_the_frame(detector, astronaut):
    x1, y1, x2, y2 = 175, 65, 275, 185
    for side in (48, 300, 1500):
        crop = Image.fromarray(astronaut[y1:y2, x1:x2]).resize((side, side))
        (face,) = detector.detect(np.asarray(crop))
        assert face.size > 0.7 * side


def test_a_12_megapixel_photograph_is_searched_in_tiles(detector, portrait):
    """Two small faces, one where tiles overlap, and a large one, each found once."""
    canvas = np.full((3000, 4000, 3), 90, np.uint8)
    places = {60: (1200, 1000), 90: (3700, 2700), 900: (1700, 500)}
    for size, (x, y) in places.items():
        face = np.asarray(portrait.resize((round(230 * size / 111),) * 2, Image.Resampling.BICUBIC))
        canvas[y : y + face.shape[0], x : x + face.shape[1]] = face[: 3000 - y, : 4000 - x]
    faces = detector.detect(canvas)
    assert len(faces) == 3
    assert [face.size for face in faces] == pytest.approx([900, 90, 60], rel=0.2)
    for face, size in zip(faces, (900, 90, 60), strict=True):
        expected = (BY_HAND - (115, 10)) * size / 111 + places[size]
        assert np.abs(face.landmarks - expected).max() < 0.06 * size


def test_fifty_faces_the_largest_first(detector, portrait):
    canvas = np.full((1000, 2000, 3), 128, np.uint8)
    for i in range(50):
        size = 100 + 2 * i
        x, y = 200 * (i % 10), 200 * (i // 10)
        canvas[y : y + size, x : x + size] = np.asarray(portrait.resize((size, size)))
    faces = detector.detect(canvas)
    cells = {(int(f.landmarks[2, 0] // 200), int(f.landmarks[2, 1] // 200)) for f in faces}
    assert len(faces) == 50
    assert len(cells) == 50
    sizes = [face.size for face in faces]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (3000, 2), (48, 48), (480, 640)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_images_have_no_face(detector, shape, value):
    assert detector.detect(np.full((*shape, 3), value, np.uint8)) == []


def test_noise_and_textures_have_no_face(detector):
    rng = np.random.default_rng(0)
    assert detector.detect(rng.integers(0, 256, (480, 640, 3), np.uint8)) == []
    coarse = rng.integers(0, 256, (30, 40, 3), np.uint8)
    assert detector.detect(cv2.resize(coarse, (640, 480))) == []
    for picture in (skimage.data.brick(), skimage.data.grass(), skimage.data.gravel()):
        assert detector.detect(np.stack([picture] * 3, axis=2)) == []
    assert detector.detect(skimage.data.chelsea()) == []  # a cat
    assert detector.detect(skimage.data.coffee()) == []
    assert detector.detect(skimage.data.retina()) == []  # round, at a lower SECOND_SCORE a face


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("max_side", [4096, 1000])
def test_a_face_on_its_head_or_its_side_is_found_as_it_lies(
    detector, astronaut, quarters, max_side
):
    (upright,) = detector.detect(astronaut)
    (face,) = YuNetDetector(max_side=max_side).detect(np.rot90(astronaut, quarters).copy())
    assert face.score > 0.9
    x, y = upright.landmarks.T
    for _ in range(quarters):
        x, y = y, 511 - x
    assert np.abs(face.landmarks - np.column_stack([x, y])).max() < 4
    x1, y1, x2, y2 = face.box
    assert x1 < face.landmarks[2, 0] < x2 and y1 < face.landmarks[2, 1] < y2


def test_of_upright_and_turned_faces_in_one_picture_each_is_found_as_it_lies(detector, portrait):
    upright = np.asarray(portrait)
    picture = np.hstack([upright, upright[::-1, ::-1]])
    left, right = sorted(detector.detect(picture), key=lambda face: face.box[0])
    assert left.landmarks[0, 1] < left.landmarks[3, 1]  # eyes above the mouth
    assert right.landmarks[0, 1] > right.landmarks[3, 1]
    assert left.landmarks[0, 0] < left.landmarks[1, 0]
    assert right.landmarks[0, 0] > right.landmarks[1, 0]


def test_an_upright_face_costs_no_second_look(astronaut, monkeypatch):
    detector = YuNetDetector(max_side=320)
    passes = []
    real = detector._infer
    monkeypatch.setattr(detector, "_infer", lambda tile: passes.append(tile.shape) or real(tile))
    assert len(detector.detect(astronaut)) == 1
    assert len(passes) == 1
    passes.clear()
    detector.detect(np.full((480, 640, 3), 128, np.uint8))
    assert len(passes) == 2  # nobody in a live picture: the look for faces in the dark
    passes.clear()
    assert len(detector.detect(astronaut[::-1, ::-1].copy())) == 1
    assert len(passes) == 1 + 4 + 1  # four turns of the face, then the picture turned


def test_it_can_be_sent_to_another_process(astronaut):
    detector = YuNetDetector(score_threshold=0.8, nms_threshold=0.4, max_side=320)
    sent = pickle.loads(pickle.dumps(detector))  # noqa: S301
    assert (sent.score_threshold, sent.nms_threshold, sent.max_side) == (0.8, 0.4, 320)
    assert [f.box for f in sent.detect(astronaut)] == [f.box for f in detector.detect(astronaut)]


def test_one_quick_search_for_video(astronaut):
    assert search_sides(640, 320) == [320]
    (face,) = YuNetDetector(max_side=320).detect(astronaut)
    assert np.abs(face.landmarks - BY_HAND).max() < 6


def test_search_sides():
    assert search_sides(48, 4096) == [256]  # tiny pictures are enlarged
    assert search_sides(250, 4096) == [400]
    assert search_sides(640, 4096) == [256, 512, 1024]
    assert search_sides(4000, 4096)[-1] == 4096
    assert search_sides(20_000, 4096)[-1] == 4096
    assert search_sides(640, 100) == [100]
    for longest in range(1, 6000, 37):
        sides = search_sides(longest, 4096)
        assert all(1 < b / a <= yunet.MAX_STEP + 0.02 for a, b in itertools.pairwise(sides))


def test_tiles_cover_the_axis_and_overlap():
    for length in (1, 1280, 1281, 2000, 2320, 2321, 4096):
        spans = yunet._spans(length)
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all(end - start <= yunet.TILE for start, end in spans)
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end - start >= yunet.OVERLAP - 1


def row(x, y, w, h, score):
    return [x, y, w, h, *[0.0] * 10, score]


def test_of_overlapping_boxes_the_best_stays():
    rows = np.array([
        row(0, 0, 100, 100, 0.8),
        row(10, 0, 100, 100, 0.9),  # IoU with the first 9000 / 11000
        row(40, 40, 20, 20, 0.85),  # inside the second: an eye, not a face
        row(95, 0, 60, 100, 0.75),  # beside it: IoU 1500 / 14500, a quarter of it inside
        row(300, 300, 50, 50, 0.7),
    ])  # fmt: skip
    kept = yunet._best_boxes(rows, nms_threshold=0.3)
    assert kept[:, 14].tolist() == [0.9, 0.75, 0.7]
    assert yunet._best_boxes(np.empty((0, 15)), 0.3).shape == (0, 15)


def test_threads_get_what_one_thread_gets(detector, astronaut, portrait):
    """The network is stateful (its input size): without the lock sizes would mix."""
    pictures = [astronaut, np.asarray(portrait), astronaut[:300], np.asarray(portrait)[:, 20:]] * 6
    alone = [detector.detect(p) for p in pictures[:4]] * 6
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, pictures))
    for one, other in zip(alone, together, strict=True):
        assert [f.box for f in one] == [f.box for f in other]
        assert [f.score for f in one] == [f.score for f in other]


def test_a_failure_is_raised_and_frees_the_lock(monkeypatch, astronaut):
    detector = YuNetDetector()

    class Broken:
        def setInputSize(self, size):  # noqa: N802
            pass

        def detect(self, image):
            raise cv2.error("no memory")

    net, detector._net = detector._net, Broken()
    with pytest.raises(cv2.error, match="no memory"):
        detector.detect(astronaut)
    detector._net = net
    assert len(detector.detect(astronaut)) == 1


def test_wrong_image_and_wrong_settings(detector):
    with pytest.raises(ImageError, match="expected RGB uint8"):
        detector.detect(np.full((8, 8, 3), np.nan))
    with pytest.raises(ValueError, match="score_threshold: got 2"):
        YuNetDetector(score_threshold=2)
    with pytest.raises(ValueError, match="nms_threshold: got nan"):
        YuNetDetector(nms_threshold=float("nan"))
    with pytest.raises(ValueError, match="max_side: got 8"):
        YuNetDetector(max_side=8)


def test_nothing_is_printed(capfd, astronaut):
    """OpenCV 5 warns about a setting of its own; its log level is as it was afterwards."""
    log = getattr(cv2.utils, "logging", None)
    before = log.getLogLevel() if log else None
    YuNetDetector().detect(astronaut)
    assert capfd.readouterr() == ("", "")
    assert (log.getLogLevel() if log else None) == before


# --- with the development data ---------------------------------------------------------------


@pytest.mark.data
def test_every_face_of_the_photographs_and_no_other(detector, data_dir: Path):
    with (data_dir / "faces" / "photos.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {
        r["file"]: len(detector.detect(decode_image(data_dir / "faces" / "photos" / r["file"])))
        for r in rows
    }
    assert found == {r["file"]: int(r["faces"]) for r in rows}
    assert sum(found.values()) == 34


@pytest.mark.data
def test_photographs_on_their_head_have_the_same_faces(data_dir: Path):
    """The landmarks move by less than a tenth of a face."""
    detector = YuNetDetector(max_side=1000)
    for name in ("celebrities", "Family1-Dad1", "faces"):
        image = decode_image(data_dir / "faces" / "photos" / f"{name}.jpg")
        height, width = image.shape[:2]
        upright = detector.detect(image)
        found = detector.detect(image[::-1, ::-1].copy())
        assert len(found) == len(upright) > 0, name
        for face in upright:
            there = (width - 1, height - 1) - face.landmarks
            nearest = min(np.abs(other.landmarks - there).max() for other in found)
            assert nearest < 0.1 * face.size, name


def frames(path: Path, every: int = 1) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(path))
    result = []
    while (read := video.read())[0]:
        result.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    video.release()
    assert result
    return result[::every]


@pytest.mark.data
@pytest.mark.parametrize(("max_side", "every"), [(320, 1), (4096, 12)])
def test_videos(data_dir: Path, max_side, every):
    """Every frame with the quick search, each twelfth with the thorough one."""
    detector = YuNetDetector(max_side=max_side)
    videos = data_dir / "faces" / "videos"
    counts = [len(detector.detect(f)) for f in frames(videos / "no_face.mp4", every)]
    assert sum(counts) == 0
    counts = [len(detector.detect(f)) for f in frames(videos / "single_face.mp4", every)]
    assert set(counts) == {1}


@pytest.mark.data
def test_the_second_look_invents_nobody(data_dir: Path):
    """At finer sizes and lower scores it would, in two of these frames."""
    detector = YuNetDetector()
    for frame in frames(data_dir / "faces" / "videos" / "no_face.mp4"):
        assert len(detector._look_again(frame)) == 0


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:Image size")
def test_agrees_with_the_authors_own_build(data_dir: Path):
    """yuface is the C++ implementation by YuNet's authors; its weights are ours."""
    yuface = pytest.importorskip("yuface")
    image = decode_image(data_dir / "faces" / "photos" / "detection4.jpg")
    image = image[: image.shape[0] // 32 * 32, : image.shape[1] // 32 * 32]
    _, boxes, landmarks = yuface.detect(np.ascontiguousarray(image[..., ::-1]), conf=0.7)
    ours = YuNetDetector()._run(image, 0, 0)
    assert len(boxes) == len(ours) == 3
    for box, points in zip(boxes.astype(float), landmarks.astype(float), strict=True):
        nearest = ours[np.abs(ours[:, :4] - box).max(axis=1).argmin()]
        assert np.abs(nearest[:4] - box).max() <= 2  # theirs are cut to whole numbers
        assert np.abs(nearest[4:14] - points).max() <= 2
