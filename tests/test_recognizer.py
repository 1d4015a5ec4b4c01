"""The recogniser from any picture to faces, predictions and maps."""

from __future__ import annotations

import io
import json
import shutil
import struct
import sys
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from PIL import Image

from fer_cbam import hub, images
from fer_cbam.data_urls import to_data_url
from fer_cbam.errors import ImageError, WeightsError
from fer_cbam.explain import gradcam
from fer_cbam.labels import LABEL_SETS
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.saliency import attention_maps
from fer_cbam.types import FACE_COLUMNS, IMAGE_COLUMNS, Face

ASTRONAUT = Path(__file__).parents[1] / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
LANDMARKS = [[0.3, 0.38], [0.7, 0.38], [0.5, 0.6], [0.34, 0.78], [0.66, 0.78]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Weights that were not trained, with a temperature: these tests are about the way there."""
    torch.manual_seed(3)
    model = timm.create_model("fer_cbam_paper")
    extra = {"landmarks": LANDMARKS, "temperature": 0.5, "uncertain_below": 0.3}
    folder = tmp_path_factory.mktemp("weights")
    return hub.save_model(model, folder, LABEL_SETS["ckplus48"], extra)


@pytest.fixture(scope="module")
def recognizer(weights) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(weights)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(Image.open(ASTRONAUT).convert("RGB"))


def test_one_face_each_step_as_done_by_hand(recognizer, weights, photo):
    (found,) = recognizer(photo, explain=True)
    x1, y1, x2, y2 = found.face.box
    assert x1 < 224 < x2 and y1 < 115 < y2  # the astronaut's nose
    crop, affine = recognizer.preprocess.align(photo, found.face)
    np.testing.assert_array_equal(found.crop, crop)
    np.testing.assert_array_equal(found.affine, affine)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    x = torch.from_numpy(grey)[None, None]
    model = timm.create_model(f"local-dir:{weights}", pretrained=True).eval()
    probs = (model(x)[0] / 0.5).softmax(0)  # the saved temperature
    assert list(found.prediction.probs) == list(LABEL_SETS["ckplus48"])
    np.testing.assert_allclose(list(found.prediction.probs.values()), probs.tolist(), atol=1e-6)
    assert found.prediction.confidence == pytest.approx(max(probs.tolist()))
    assert found.prediction.uncertain == (found.prediction.confidence < 0.3)
    best, cam, attention = found.saliencies
    assert (best.kind, best.label) == ("occlusion_gradcam", found.prediction.label)
    assert (cam.kind, cam.label) == ("gradcam", found.prediction.label)
    np.testing.assert_allclose(cam.values, gradcam(model, x)[0].numpy(), atol=1e-5)
    assert attention.kind == "spatial_attention" and attention.label is None
    assert attention.values.min() == 0 and attention.values.max() == 1


def test_affine_leads_from_the_template_to_the_landmarks(recognizer, photo):
    (found,) = recognizer(photo)
    template = np.array(LANDMARKS) * 48 - 0.5
    there = template @ found.affine[:, :2].T + found.affine[:, 2]
    error = np.linalg.norm(there - found.face.landmarks, axis=1)
    eyes = np.linalg.norm(found.face.landmarks[0] - found.face.landmarks[1])
    assert error.max() < 0.2 * eyes  # a similarity fits five points only about


def test_path_bytes_pil_and_array_agree(recognizer, photo):
    sources = [ASTRONAUT, str(ASTRONAUT), ASTRONAUT.read_bytes(), Image.open(ASTRONAUT), photo]
    answers = [recognizer(source)[0].prediction for source in sources]
    assert all(answer == answers[0] for answer in answers)


def test_any_label_can_be_explained(recognizer, photo):
    (found,) = recognizer(photo, explain=True)
    for method, expected in ((None, 0), ("gradcam", 1), ("spatial_attention", 2)):
        same = recognizer.explain(found.crop, found.prediction.label, method)
        np.testing.assert_allclose(same.values, found.saliencies[expected].values, atol=1e-5)
        assert same.label == found.saliencies[expected].label
    maps = [recognizer.explain(found.crop, label).values for label in recognizer.label_names]
    assert any(np.abs(a - maps[0]).max() > 0.1 for a in maps[1:])
    with pytest.raises(ValueError, match="'boredom'; expected one of: anger, contempt"):
        recognizer.explain(found.crop, "boredom")
    with pytest.raises(ValueError, match="explainer 'lime'; expected one of: gradcam"):
        recognizer.explain(found.crop, "anger", "lime")


def test_weights_say_which_map_comes_first(weights, photo, tmp_path):
    config = json.loads((weights / "config.json").read_text())
    folder = shutil.copytree(weights, tmp_path / "own")
    for still, kinds in (
        ("spatial_attention", ["spatial_attention", "gradcam"]),
        ("gradcam", ["gradcam", "spatial_attention"]),
        ("layercam_1", ["layercam", "gradcam", "spatial_attention"]),
    ):
        own = {"live": "spatial_attention", "still": still}
        (folder / "config.json").write_text(json.dumps(config | {"explain": own}))
        recognizer = EmotionRecognizer.from_pretrained(folder)
        (found,) = recognizer(photo, explain=True)
        assert [saliency.kind for saliency in found.saliencies] == kinds
    (folder / "config.json").write_text(json.dumps(config | {"explain": {"still": "lime"}}))
    with pytest.raises(WeightsError, match="explain: still: 'lime'; expected one of: gradcam"):
        EmotionRecognizer.from_pretrained(folder)


def tile(photo: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The astronaut's face, 80 px, again and again."""
    face = cv2.resize(photo[20:220, 124:324], (128, 128), interpolation=cv2.INTER_AREA)
    return np.tile(face, (rows, columns, 1))


def test_fifty_faces(recognizer, photo):
    found = recognizer(tile(photo, 5, 10), explain=True)
    assert len(found) == 50
    columns = {round(r.face.landmarks[2, 0] // 128) for r in found}
    rows = {round(r.face.landmarks[2, 1] // 128) for r in found}
    assert columns == set(range(10)) and rows == set(range(5))
    assert all(len(r.saliencies) == 3 for r in found)


def test_a_batch_of_faces_answers_like_one_face(recognizer, photo):
    (alone,) = recognizer(photo)
    other = Face((10, 10, 90, 90), 0.9, alone.face.landmarks * 0.5 + 5)
    both = recognizer.recognize(photo, [other, alone.face])
    assert both[0].face is alone.face  # the largest first
    np.testing.assert_allclose(
        list(both[0].prediction.probs.values()), list(alone.prediction.probs.values()), atol=1e-5
    )


def test_threads_do_not_mix_their_attention_maps(recognizer, photo):
    crops = [cv2.resize(photo[i : i + 100, i : i + 100], (48, 48)) for i in range(0, 400, 50)]
    alone = [recognizer.classify([crop], explain=True)[1][0][-1].values for crop in crops]
    results: dict[int, list[np.ndarray]] = {i: [] for i in range(len(crops))}

    def work(i: int) -> None:
        for _ in range(10):
            results[i].append(recognizer.classify([crops[i]], explain=True)[1][0][-1].values)

    threads = [threading.Thread(target=work, args=(i,)) for i in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, maps in results.items():
        assert len(maps) == 10
        for values in maps:
            np.testing.assert_allclose(values, alone[i], atol=1e-4)


@pytest.fixture
def calls(recognizer, monkeypatch) -> list[int]:
    """The size of each batch that the network is asked for."""
    forward, sizes = recognizer.backend.forward, []

    def counted(x: np.ndarray):
        sizes.append(len(x))
        return forward(x)

    monkeypatch.setattr(recognizer.backend, "forward", counted)
    return sizes


def test_one_network_call_for_all_faces_and_all_labels(recognizer, photo, calls):
    found = recognizer(tile(photo, 3, 4))
    assert calls == [12]
    for recognition in found:
        maps = {label: recognition.saliency(label) for label in recognizer.label_names}
        assert maps[recognition.prediction.label].values.shape == (48, 48)
        recognition.attention()
    assert calls == [12]  # no explanation asks again
    recognizer(tile(photo, 5, 14))
    assert calls == [12, 64, 6]
    assert recognizer(np.zeros((64, 64, 3), np.uint8)) == []
    assert calls == [12, 64, 6]  # nobody to ask for


def test_a_recognition_holds_the_maps_of_all_labels(recognizer, photo):
    (found,) = recognizer(photo, explain=True)
    assert list(found.class_maps) == list(recognizer.label_names)
    for label in recognizer.label_names:
        saliency = found.saliency(label)
        expected = recognizer.explain(found.crop, label, "gradcam")
        assert (saliency.kind, saliency.label) == ("gradcam", label)
        np.testing.assert_allclose(saliency, expected, atol=1e-5)
    _, cam, attention = found.saliencies
    np.testing.assert_array_equal(found.saliency(), cam)
    np.testing.assert_array_equal(found.attention(), attention)
    assert found.attention().kind == "spatial_attention"
    with pytest.raises(ValueError, match="'boredom'; expected one of: anger, contempt"):
        found.saliency("boredom")


def test_embeddings_are_what_the_classifier_sees(recognizer, photo):
    (found,) = recognizer(photo)
    (row,) = recognizer.embed([found.crop])
    np.testing.assert_allclose(found.embedding, row, atol=1e-6)
    classifier = recognizer.backend.model.get_classifier()
    probs = (classifier(torch.from_numpy(row)) / 0.5).softmax(0)
    np.testing.assert_allclose(list(found.prediction.probs.values()), probs.tolist(), atol=1e-6)


def plain(found) -> list[dict]:
    return [recognition.to_dict() for recognition in found]


def assert_close(found: list[dict], expected: list[dict]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["box"] == theirs["box"] and ours["label"] == theirs["label"]
        assert ours["probs"] == pytest.approx(theirs["probs"], abs=2e-6)


def test_many_images_are_what_each_says_alone_in_order(recognizer, photo, calls):
    room = np.full((100, 100, 3), 128, np.uint8)
    images = [photo, tile(photo, 1, 2), room, ASTRONAUT, ASTRONAUT.read_bytes(), tile(photo, 1, 3)]
    alone = [plain(recognizer(image)) for image in images]
    assert [len(faces) for faces in alone] == [1, 2, 0, 1, 1, 3]
    for size, expected in ((4, [4, 4]), (64, [8]), (1, [1, 2, 1, 1, 3])):
        calls.clear()
        results = list(recognizer.recognize_many(iter(images), batch_size=size))
        assert calls == expected
        assert [result.index for result in results] == list(range(6))
        for result, faces in zip(results, alone, strict=True):
            assert result.error is None
            assert_close(plain(result.recognitions), faces)
    explained = list(recognizer.recognize_many(images[:1], explain=True))
    assert len(explained[0].recognitions[0].saliencies) == 3
    assert list(recognizer.recognize_many([])) == []


def test_images_are_read_when_their_turn_comes(recognizer, photo):
    """An endless stream has answers, and is never read further ahead than a batch."""
    read = []

    def stream():
        while True:
            read.append(1)
            yield np.full((64, 64, 3), 128, np.uint8)

    results = recognizer.recognize_many(stream(), batch_size=3)
    assert not read
    assert [next(results).index for _ in range(4)] == [0, 1, 2, 3]
    assert len(read) == 6


def test_a_call_takes_one_image_or_many(recognizer, photo):
    """A list gives a list, an iterator an iterator, as pipelines of other libraries do."""
    one = recognizer(photo)
    assert one.to_dict() == [found.to_dict() for found in one] and len(one) == 1
    for several in ([photo, "nowhere.jpg"], (photo, "nowhere.jpg")):
        results = recognizer(several)
        assert [result.index for result in results] == [0, 1] and len(results) == 2
        assert_close(plain(results[0].recognitions), plain(one))
        assert [result.source for result in results] == [None, "nowhere.jpg"]
        assert results.to_dict() == [result.to_dict() for result in results]
        assert "no such file" in results.to_dict()[1]["error"]
    stacked = recognizer(np.stack([photo, photo]), explain=True)
    assert [len(result.recognitions[0].saliencies) for result in stacked] == [3, 3]
    lazy = recognizer(image for image in [ASTRONAUT])
    assert next(lazy).source == str(ASTRONAUT) and next(lazy, None) is None
    assert recognizer([]) == []
    with ASTRONAUT.open("rb") as file, pytest.raises(ImageError, match="got BufferedReader"):
        recognizer(file)


def test_tables_of_answers(recognizer, photo):
    pd = pytest.importorskip("pandas")
    (found,) = recognizer(photo)
    labels = list(found.prediction.probs)
    table = recognizer(photo).to_dataframe()
    assert isinstance(table, pd.DataFrame) and list(table.columns) == [*FACE_COLUMNS, *labels]
    row = table.iloc[0]
    assert tuple(row[["x1", "y1", "x2", "y2"]]) == pytest.approx(found.face.box)
    assert (row["face"], row["label"]) == (1, found.prediction.label)
    assert list(row[labels]) == pytest.approx(list(found.prediction.probs.values()))

    room = np.full((100, 100, 3), 128, np.uint8)
    many = recognizer([tile(photo, 1, 2), room, "nowhere.jpg", ASTRONAUT]).to_dataframe()
    assert list(many.columns) == [*IMAGE_COLUMNS, *labels, "error"]
    assert list(many["image"]) == [0, 0, 1, 2, 3]
    assert many["face"].fillna(0).tolist() == [1, 2, 0, 0, 1]
    assert many["label"].isna().tolist() == [False, False, True, True, False]
    assert many["error"].notna().tolist() == [False, False, False, True, False]
    assert many["source"].fillna("").tolist() == ["", "", "", "nowhere.jpg", str(ASTRONAUT)]
    assert list(recognizer(room).to_dataframe().columns) == list(FACE_COLUMNS)


def test_tables_need_pandas_when_they_are_asked_for(recognizer, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    answers = recognizer(photo)
    with pytest.raises(ImportError, match="expected: pip install pandas"):
        answers.to_dataframe()


def test_addresses_are_asked_for_only_where_that_is_allowed(recognizer, photo, monkeypatch):
    asked = []
    monkeypatch.setattr(images, "fetch", lambda url: asked.append(url) or ASTRONAUT.read_bytes())
    address = "https://example.com/a.jpg"
    with pytest.raises(ImageError, match="an address; expected a path, or allow_remote=True"):
        recognizer(address)
    refused = recognizer([address])[0]
    assert isinstance(refused.error, ImageError) and asked == []
    expected = plain(recognizer(ASTRONAUT))
    assert_close(plain(recognizer(address, allow_remote=True)), expected)
    (result,) = recognizer([address], allow_remote=True)
    assert result.source == address and asked == [address] * 2
    assert_close(plain(result.recognitions), expected)
    data_url = to_data_url(ASTRONAUT.read_bytes(), "jpeg")
    (result,) = recognizer([data_url], allow_remote=True)
    assert_close(plain(result.recognitions), expected)
    assert result.source == "data:image/jpeg;base64" and asked == [address] * 2
    assert_close(plain(recognizer(str(ASTRONAUT), allow_remote=True)), expected)


class Careful:
    """Finds the face that it was given, and breaks over a black picture."""

    def __init__(self, face: Face):
        self.face = face

    def detect(self, image: np.ndarray) -> list[Face]:
        if not image.any():
            raise RuntimeError("the camera is on fire")
        return [self.face]


def test_a_failure_is_a_result_and_not_the_end(recognizer, photo, monkeypatch):
    (alone,) = recognizer(photo)
    monkeypatch.setattr(recognizer, "detector", Careful(alone.face))
    images = [photo, "nowhere.jpg", np.zeros((9, 9, 3), np.uint8), object(), photo]
    for size in (1, 2, 64):
        results = list(recognizer.recognize_many(images, batch_size=size))
        assert [len(result.recognitions) for result in results] == [1, 0, 0, 0, 1]
        errors = [type(result.error).__name__ for result in results]
        assert errors == ["NoneType", "ImageError", "RuntimeError", "ImageError", "NoneType"]
        assert results[2].to_dict() == {"error": "the camera is on fire"}
        assert results[4].to_dict() == {"faces": [results[4].recognitions[0].to_dict()]}


def test_an_image_that_the_network_fails_on_costs_no_other(recognizer, photo, monkeypatch):
    (alone,) = recognizer(photo)
    monkeypatch.setattr(recognizer, "detector", Careful(alone.face))
    forward = recognizer.backend.forward

    def fussy(x: np.ndarray):
        if (np.ptp(x, (1, 2, 3)) == 0).any():
            raise ValueError("a flat face")
        return forward(x)

    monkeypatch.setattr(recognizer.backend, "forward", fussy)
    flat = np.full((400, 400, 3), 90, np.uint8)
    results = list(recognizer.recognize_many([photo, flat, "nowhere.jpg", photo]))
    assert [result.index for result in results] == [0, 1, 2, 3]
    assert [len(result.recognitions) for result in results] == [1, 0, 0, 1]
    assert str(results[1].error) == "a flat face"
    assert "no such file" in str(results[2].error)


def encoded(photo: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, kind, **options)
    return buffer.getvalue()


def png_bomb() -> bytes:
    """A PNG whose header promises 20,000 x 20,000 pixels."""
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
            + struct.pack(">I", zlib.crc32(chunk)) + b"\x00\x00\x00\x00IEND\xaeB`\x82")  # fmt: skip


BAD_INPUT = {
    "not an image": (b"hello, I am a text", "not a picture, or damaged; expected JPEG"),
    "no bytes": (b"", "0 bytes; expected"),
    "truncated JPEG": (ASTRONAUT.read_bytes()[:20_000], "truncated .* expected a whole picture"),
    "header bomb": (png_bomb(), "expected at most 50000000 pixels"),
    "NaN": (np.full((64, 64, 3), np.nan, np.float32), "NaN .* expected uint8, or float in"),
    "wrong dtype": (np.zeros((64, 64, 3), np.int64), "int64; expected uint8"),
    "wrong shape": (np.zeros((1, 2, 64, 64, 3), np.uint8), r"\(1, 2, 64, 64, 3\); expected"),
    "empty": (np.zeros((0, 64, 3), np.uint8), "empty; expected"),
    "no such file": ("nowhere.jpg", "nowhere.jpg: no such file"),
    "None": (None, "NoneType; expected a path"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_named(recognizer, name):
    source, message = BAD_INPUT[name]
    with pytest.raises(ImageError, match=message):
        recognizer(source)


def test_no_face_is_an_empty_list(recognizer):
    rng = np.random.default_rng(0)
    assert recognizer(np.zeros((1, 1, 3), np.uint8)) == []
    assert recognizer(np.full((480, 640, 3), 128, np.uint8)) == []
    assert recognizer(rng.integers(0, 256, (480, 640, 3), np.uint8)) == []


def as_cmyk(photo: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).convert("CMYK").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def as_alpha(photo: np.ndarray) -> bytes:
    return encoded(np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)]), "PNG")


def as_turned(photo: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees to the right
    return encoded(np.ascontiguousarray(np.rot90(photo)), "JPEG", exif=exif, quality=95)


def as_float(photo: np.ndarray) -> np.ndarray:
    return photo.astype(np.float32) / 255


def test_16_bit_grey_is_read_as_8_bit_grey(recognizer, photo):
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    wide = cv2.imencode(".png", grey.astype(np.uint16) * 257)[1].tobytes()
    assert recognizer(wide)[0].prediction == recognizer(grey)[0].prediction


@pytest.mark.parametrize("write", [as_cmyk, as_alpha, as_turned, as_float])
def test_unusual_pictures_of_the_same_face_are_read(recognizer, photo, write):
    (expected,) = recognizer(photo)
    (found,) = recognizer(write(photo))
    np.testing.assert_allclose(found.face.box, expected.face.box, atol=6)
    np.testing.assert_allclose(found.face.landmarks, expected.face.landmarks, atol=4)


def test_weights_without_landmarks_are_refused(tmp_path):
    hub.save_model(timm.create_model("fer_cbam_paper"), tmp_path, LABEL_SETS["ckplus48"])
    with pytest.raises(WeightsError, match="0 landmarks; expected 5"):
        EmotionRecognizer.from_pretrained(tmp_path)


class Broken:
    def detect(self, image):
        raise RuntimeError("the camera is on fire")


def test_a_detector_that_fails_does_not_read_as_no_face(weights, photo):
    with pytest.raises(RuntimeError, match="on fire"):
        EmotionRecognizer.from_pretrained(weights, Broken())(photo)


@pytest.mark.parametrize("one", ["a.jpg", b"", Path("a.jpg"), np.zeros((9, 9, 3), np.uint8)])
def test_one_image_in_place_of_many_is_named(recognizer, one):
    with pytest.raises(TypeError, match=r"images: got one .*; expected a list of images"):
        recognizer.recognize_many(one)


@pytest.mark.parametrize("neutral", [0, -1, "1", True, [1], float("nan")])
def test_a_neutral_gate_that_is_none(neutral, recognizer, monkeypatch):
    monkeypatch.setitem(recognizer.backend.config, "gate_neutral", neutral)
    with pytest.raises(WeightsError, match=r"gate_neutral in config.json: got .*above 0"):
        EmotionRecognizer(recognizer.backend)


def test_the_neutral_gate_reaches_every_attention_map(recognizer, photo, monkeypatch):
    monkeypatch.setitem(recognizer.backend.config, "gate_neutral", 0.25)
    recognizer = EmotionRecognizer(recognizer.backend)
    (found,) = recognizer(photo, explain=True)
    expected = attention_maps(found.gate, found.crop.shape[:2], 0.25)
    np.testing.assert_array_equal(found.attention(), expected)
    np.testing.assert_array_equal(found.saliencies[-1], expected)
    assert not np.array_equal(expected, attention_maps(found.gate, found.crop.shape[:2]))
