"""The server as programs and hostile visitors meet it, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio")

import gradio_client
import httpx

import app
from fer_cbam.data_urls import from_data_url, jpeg_url, to_data_url
from fer_cbam.images import decode_image
from fer_cbam.serve import answers
from fer_cbam.serve.recognizers import RecognizerCache
from tests.conftest import files_under

PHOTO = app.ASSETS / "astronaut.jpg"
ASTRONAUT = to_data_url(PHOTO.read_bytes(), "jpeg")


# The face alone: quickly answered, so that many can be asked for.
FACE = jpeg_url(decode_image(PHOTO)[40:200, 144:304])

FACE_BYTES = from_data_url(FACE, 10**7)


class Running:
    """A server in this process."""

    def __init__(self, url: str, blocks, folder: Path):
        self.url, self.blocks, self.folder = url, blocks, folder
        self.parts = {
            name: number
            for number, block in blocks.blocks.items()
            for name in (
                "frame",
                "photo",
                "pick",
                "clip_start",
                "example_clip",
                "clip_ask",
                "clip_forget",
            )
            if getattr(getattr(block, name, None), "_is_server_fn", False)
        }

    def question(self, name: str, question: object) -> dict:
        return {"json": {"session_hash": "test", "component_id": self.parts[name],
                         "fn_name": name, "data": question}}  # fmt: skip

    def ask(self, name: str, question: object, **options) -> httpx.Response:
        url = self.url + "gradio_api/component_server"
        return httpx.post(url, **self.question(name, question), timeout=60, **options)

    def call(self, endpoint: str, data: list) -> tuple[str, object]:
        """As with curl: event and data of the answer."""
        posted = httpx.post(f"{self.url}gradio_api/call/{endpoint}", json={"data": data})
        event = f"{self.url}gradio_api/call/{endpoint}/{posted.json()['event_id']}"
        lines = httpx.get(event, timeout=60).text.strip().splitlines()
        return lines[-2].partition(": ")[2], json.loads(lines[-1].partition(": ")[2])

    def upload(self, name: str, data: bytes) -> httpx.Response:
        return httpx.post(self.url + "gradio_api/upload", files={"files": (name, data)})

    async def photos(self, files: list[bytes]) -> list[str]:
        """Event streams of the photo endpoint, asked for all of these at once."""

        async def one(client: httpx.AsyncClient, data: bytes) -> str:
            file = {"files": ("a.jpg", data)}
            posted = await client.post(self.url + "gradio_api/upload", files=file)
            asked = {"data": [file_data(posted.json()[0]), ""]}
            call = await client.post(self.url + "gradio_api/call/photo", json=asked)
            event = call.json()["event_id"]
            return (await client.get(f"{self.url}gradio_api/call/photo/{event}")).text

        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(one(client, data) for data in files))

    def files(self) -> list[str]:
        """What is left once everything read has been deleted."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            left = [path.name for path in files_under(self.folder)]
            if not left:
                break
            time.sleep(0.05)
        return left


@pytest.fixture(scope="module")
def running(untrained_weights, tmp_path_factory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("uploads")
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    recognizers = RecognizerCache(untrained_weights["ckplus48"], elsewhere=True)
    server = app.Server(recognizers, folder, keep_uploads=2.0)
    blocks = app.build(server)
    args = app.parse_args(["--host", "127.0.0.1"])
    _, url, _ = app.launch(blocks, args, prevent_thread_lock=True, quiet=True)
    yield Running(url, blocks, folder)
    blocks.close()
    server.turns.close()
    if before is None:
        del os.environ["GRADIO_TEMP_DIR"]
    else:
        os.environ["GRADIO_TEMP_DIR"] = before


def file_data(path: str) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def test_modules_of_the_page_are_served(running):
    url = running.url + app.MODULES.lstrip("/")
    for name in ("webcam.mjs", "faces.mjs", "session.mjs"):
        response = httpx.get(f"{url}/{name}")
        assert response.text == app.asset(name)
        assert "javascript" in response.headers["content-type"]  # or no browser would run it
        assert response.headers["cache-control"] == "no-cache"
        tag = {"If-None-Match": response.headers["etag"]}
        assert httpx.get(f"{url}/{name}", headers=tag).status_code == 304
    for outside in ("../page.py", "%2e%2e/page.py", "..%2fpage.py", "", "nothing.mjs"):
        assert httpx.get(f"{url}/{outside}").status_code in (404, 405), outside


def test_model_cards_are_served_as_text(running):
    url = running.url + app.CARDS.lstrip("/")
    response = httpx.get(f"{url}/fer_cbam_base.ferplus")
    assert response.text.startswith("# ") and "license:" not in response.text
    assert response.headers["content-type"].startswith("text/plain")
    for outside in (
        "",
        "nothing",
        "../../config.json",
        "%2e%2e%2fapp.py",
        "fer_cbam_base.ferplus/",
    ):
        assert httpx.get(f"{url}/{outside}").status_code == 404, outside


def test_the_example_clip_is_made_read_and_deleted(running):
    answer = running.ask("example_clip", {"visitor": "v", "explained": True}).json()
    assert answer["failed"] is False
    asked = {"clip": answer["clip"]}
    deadline = time.monotonic() + 300
    while not (told := running.ask("clip_ask", asked).json())["done"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert told["message"] == "One face in 2.9 seconds."
    assert told["numbers"]["frames"] == 36
    answer = running.ask("example_clip", {"visitor": "v", "weights": "nowhere"}).json()
    assert answer["failed"] and "neither embedded" in answer["message"]
    running.ask("clip_forget", asked)
    assert running.files() == []


def test_modules_behind_a_sub_path_and_a_password(untrained_weights, tmp_path):
    """A proxy may hand the sub-path on or cut it off; the modules are public, answers are not."""
    recognizers = RecognizerCache(untrained_weights["ckplus48"])
    server = app.Server(recognizers, tmp_path)
    blocks = app.build(server)
    args = app.parse_args(["--host", "127.0.0.1", "--auth", "me:secret", "--root-path", "/sub/"])
    _, url, _ = app.launch(blocks, args, prevent_thread_lock=True, quiet=True)
    url = f"http://{httpx.URL(url).netloc.decode()}"
    try:
        assert httpx.get(f"{url}/config").status_code == 401
        with httpx.Client() as visitor:
            visitor.post(f"{url}/login", data={"username": "me", "password": "secret"})
            root = httpx.URL(visitor.get(f"{url}/config").json()["root"])
        assert root.path == "/sub"
        for prefix in ("", root.path):
            response = httpx.get(f"{url}{prefix}{app.MODULES}/webcam.mjs")
            assert response.text == app.asset("webcam.mjs")
            card = httpx.get(f"{url}{prefix}{app.CARDS}/fer_cbam_base.ferplus")
            assert card.status_code == 200
            assert httpx.get(f"{url}{prefix}{app.HEALTH}").json()["status"] == "ok"
    finally:
        blocks.close()
        server.turns.close()


def test_photo_through_gradio_client(running):
    client = gradio_client.Client(running.url, verbose=False)
    numbers = client.predict(image=gradio_client.handle_file(PHOTO), api_name="/photo")
    expected = answers.photo_numbers(running_recognizer(running), PHOTO.read_bytes())
    assert_same(numbers, expected)
    assert running.files() == []


def assert_same(found: dict, expected: dict) -> None:
    """The same faces and words, and the same probabilities but for the order of additions."""
    assert found["weights"] == expected["weights"] and found["message"] == expected["message"]
    for one, other in zip(found["faces"], expected["faces"], strict=True):
        assert one["label"] == other["label"] and one["box"] == other["box"]
        assert one["probs"] == pytest.approx(other["probs"], abs=1e-4)


def running_recognizer(running: Running):
    return RecognizerCache(running_weights(running)).first


def running_weights(running: Running) -> str:
    answer = running.ask("pick", {"weights": ""}).json()
    return answer["weights"]


def test_photo_with_curl(running, tmp_path):
    """The commands of docs/app.md, with this server's address and this photo."""
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    page = (Path(app.__file__).parent / "docs" / "app.md").read_text(encoding="utf-8")
    script = page.split("```sh\n# A photo, with curl\n")[1].split("```")[0]
    assert "http://127.0.0.1:7860" in script and "photo.jpg" in script
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    done = subprocess.run(
        ["bash", "-euc", script.replace("http://127.0.0.1:7860", running.url.rstrip("/"))],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "event: complete" in done.stdout, done.stdout + done.stderr
    (numbers,) = json.loads(done.stdout.partition("data: ")[2].splitlines()[0])
    assert_same(numbers, answers.photo_numbers(running_recognizer(running), PHOTO.read_bytes()))
    assert running.files() == []


def test_endpoints_are_named_typed_and_described(running):
    info = httpx.get(running.url + "gradio_api/info").json()["named_endpoints"]
    assert sorted(info) == ["/photo", "/video"]
    for endpoint, first, answers_with in (("/photo", "image", 1), ("/video", "clip", 3)):
        described = info[endpoint]
        names = [p["parameter_name"] for p in described["parameters"]]
        assert names == [first, "weights"]
        assert [p["parameter_has_default"] for p in described["parameters"]] == [False, True]
        assert len(described["returns"]) == answers_with
        types = [part["python_type"]["type"] for part in described["parameters"]]
        assert types[1] == "str" and types[0] != "Any", types
        assert "Expressions, not feelings" in " ".join(described["description"].split())


def test_an_error_of_the_api_is_a_sentence(running):
    path = running.upload("a.jpg", b"no picture").json()[0]
    event, error = running.call("photo", [file_data(path), ""])
    assert event == "error" and "not a picture" in json.dumps(error)
    path = running.upload("a.jpg", PHOTO.read_bytes()).json()[0]
    event, error = running.call("photo", [file_data(path), "nowhere"])
    assert event == "error" and "neither embedded" in json.dumps(error)
    assert running.files() == []


@pytest.mark.data
@pytest.mark.slow
def test_video_through_gradio_client(running, data_dir):
    client = gradio_client.Client(running.url, verbose=False)
    clip = gradio_client.handle_file(data_dir / "faces" / "videos" / "single_face.mp4")
    numbers, annotated, table = client.predict(clip=clip, api_name="/video")
    assert numbers["frames"] == 72 and len(numbers["tracks"]) == 1
    assert sum(numbers["tracks"][0]["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert Path(annotated).read_bytes()[:4] == b"\x1a\x45\xdf\xa3"  # EBML: WebM
    header = Path(table).read_text().splitlines()[0]
    assert header.startswith("time_s,frame,track") and header.count(",") > 10
    left = files_under(running.folder)
    assert "single_face.mp4" not in [path.name for path in left]
    for path in left:  # gradio's copies for this client: ten minutes
        path.unlink()


def test_the_same_photo_from_several_at_once(running):
    """gradio keeps one file for them all: nobody's is deleted before it is read."""

    texts = asyncio.run(running.photos([FACE_BYTES] * 6))
    assert all(text.startswith("event: complete") for text in texts), texts
    assert running.files() == []


@pytest.mark.slow
def test_a_program_that_asks_for_many_photos_at_once_gets_them_all(running):
    photo = decode_image(PHOTO)
    files = [from_data_url(jpeg_url(photo[40 - i : 200, 144 - i : 304]), 10**7) for i in range(24)]

    texts = asyncio.run(running.photos(files))
    assert all(text.startswith("event: complete") for text in texts), texts
    assert all('"faces_found": 1' in text for text in texts)


# Hostile use.


@pytest.mark.slow
def test_an_upload_of_50_mb(running, monkeypatch):
    """As a question: refused unread. As a file of the API: refused, and deleted."""
    huge = base64.b64encode(bytes(50_000_000)).decode()
    started = time.perf_counter()
    response = running.ask("photo", {"image": f"data:image/jpeg;base64,{huge}"})
    assert response.status_code == 413 and "At most 36 MB" in response.text
    assert time.perf_counter() - started < 10
    path = running.upload("a.jpg", bytes(50_000_000)).json()[0]
    event, error = running.call("photo", [file_data(path), ""])
    assert event == "error" and "got 50 MB; expected at most 25" in json.dumps(error)
    assert running.files() == []
    monkeypatch.setattr(running.blocks, "max_file_size", 45_000_000)
    assert running.upload("a.mp4", bytes(50_000_000)).status_code == 413
    assert running.files() == []


def bomb(side: int) -> bytes:
    """A PNG of side x side grey zeros: a gigapixel in some hundred kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    row, packer, body = bytes(side + 1), zlib.compressobj(9), io.BytesIO()
    for _ in range(side):
        body.write(packer.compress(row))
    body.write(packer.flush())
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", body.getvalue()) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.slow
def test_a_decompression_bomb(running):
    data = bomb(20_000)  # 400 megapixels, 1.2 GB as RGB
    assert len(data) < 1_000_000
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    started = time.perf_counter()
    answer = running.ask("photo", {"image": url}).json()
    assert answer["failed"] and "pixels" in answer["message"]
    answer = running.ask("frame", {"image": url, "time": 1, "memory": None}).json()
    assert answer["failed"] and "pixels" in answer["message"]
    event, error = running.call("photo", [file_data(running.upload("a.png", data).json()[0]), ""])
    assert event == "error" and "pixels" in json.dumps(error)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>.jpg", "../../../evil.jpg", "a\"'&.jpg", "x" * 300]
)
def test_a_script_in_a_file_name(running, name):
    response = running.upload(name, PHOTO.read_bytes())
    assert response.status_code == 200
    (path,) = response.json()
    assert Path(path).resolve().is_relative_to(running.folder.resolve())
    event, (numbers,) = running.call("photo", [file_data(path), ""])
    assert event == "complete" and numbers["faces_found"] == 1
    assert "script" not in json.dumps(numbers) and "evil" not in json.dumps(numbers)
    assert running.files() == []


def test_a_path_outside_the_upload_folder(running, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(PHOTO.read_bytes())
    inside = running.folder / "x" / ".." / ".." / secret.relative_to(tmp_path.parent)
    for path in (str(secret), str(inside), "/etc/passwd", "app.py"):
        for file in (file_data(path), {"path": path}, path, {"path": path, "url": path}):
            event, error = running.call("photo", [file, ""])
            assert event == "error", file
            assert "faces" not in json.dumps(error)
        assert httpx.get(f"{running.url}gradio_api/file={path}").status_code in (403, 404)
    assert secret.is_file()
    response = httpx.get(f"{running.url}gradio_api/file=http://127.0.0.1:1/a")
    assert response.status_code == 403 and "fetches nothing" in response.text


def test_a_clip_that_is_no_clip(running):
    """Through the page and through the API: a sentence, and nothing left."""
    for data in (b"no clip", b"", PHOTO.read_bytes(), b"#EXTM3U\nfile:///etc/passwd\n"):
        path = running.upload("a.mp4", data).json()[0]
        event, error = running.call("video", [file_data(path), ""])
        assert event == "error" and "clip" in json.dumps(error)
        path = running.upload("a.mp4", data).json()[0]
        started = running.ask("clip_start", {"path": path, "visitor": "a"}).json()
        assert not started["failed"]
        answer = {"done": False}
        while not answer["done"]:
            answer = running.ask("clip_ask", {"clip": started["clip"]}).json()
        assert answer["failed"] and "This clip cannot be read." in answer["message"]
    for path in ("/etc/passwd", "", None, {"a": 1}):
        refused = running.ask("clip_start", {"path": path, "visitor": "a"}).json()
        assert refused["failed"] and "file: expected" in refused["message"]
    assert running.files() == []


@pytest.mark.slow
def test_100_requests_at_once_and_a_live_visitor_goes_on(running):
    """Every one of the hundred has an answer, be it that the server is busy; meanwhile frames of
    somebody else are answered."""

    async def scene():
        url = running.url + "gradio_api/component_server"
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(timeout=120, limits=limits) as client:
            photos = [
                asyncio.ensure_future(
                    client.post(url, **running.question(
                        "photo", {"image": FACE, "visitor": f"crowd {i % 20}"}
                    ))
                )
                for i in range(100)
            ]  # fmt: skip
            frames, memory = 0, None
            while sum(photo.done() for photo in photos) < 60 and frames < 1000:
                question = {"image": FACE, "time": frames / 10, "memory": memory,
                            "visitor": "live"}  # fmt: skip
                answer = (await client.post(url, **running.question("frame", question))).json()
                assert not answer["failed"], answer
                memory, frames = answer["memory"], frames + 1
            return frames, [photo.json() for photo in await asyncio.gather(*photos)]

    frames, photos = asyncio.run(scene())
    done = [p for p in photos if not p["failed"]]
    busy = [p for p in photos if p["failed"]]
    assert len(done) >= 60 and all(p["numbers"]["faces_found"] == 1 for p in done)
    assert all(p["message"].startswith("Many people ask at once") for p in busy)
    assert frames >= 10, "the live visitor starved"


def test_a_visitor_who_leaves_in_the_middle(running):
    """Twenty who hang up at once: nothing is left, and the next one is answered."""
    for i in range(20):
        with contextlib.suppress(httpx.TimeoutException):
            httpx.post(
                running.url + "gradio_api/component_server",
                **running.question("photo", {"image": FACE, "visitor": f"leaver {i}"}),
                timeout=httpx.Timeout(10, read=0.01),
            )
    answer = running.ask("photo", {"image": FACE, "visitor": "stayer"}).json()
    assert answer["numbers"]["faces_found"] == 1
    assert running.files() == []


def test_two_with_different_weights_at_once(running, untrained_weights):
    """Asked in turn, each has the labels and the numbers of its own weights."""
    sources = {name: str(folder) for name, folder in untrained_weights.items()}

    async def scene():
        url = running.url + "gradio_api/component_server"
        async with httpx.AsyncClient(timeout=60) as client:
            questions = [
                {"image": FACE, "visitor": name, "weights": sources[name]}
                for _ in range(4) for name in sources
            ]  # fmt: skip
            return await asyncio.gather(
                *(client.post(url, **running.question("photo", q)) for q in questions)
            )

    found = [response.json()["numbers"] for response in asyncio.run(scene())]
    expected = {
        source: answers.answer_photo(RecognizerCache(source).first, {"image": FACE})["numbers"]
        for source in sources.values()
    }
    assert [n["weights"] for n in found] == list(sources.values()) * 4
    for numbers in found:
        assert_same(numbers, expected[numbers["weights"]])
    assert expected[sources["ferplus"]] != expected[sources["ckplus48"]]


def test_questions_of_another_shape(running):
    for name in ("frame", "photo"):
        for question in (None, 7, [], "x", {"weights": ["a"]}, {"visitor": {"a": 1}}):
            response = running.ask(name, question)
            assert response.status_code == 200 and response.json()["failed"] is True
    assert running.ask("frame", {"image": ASTRONAUT}, headers={}).json()["failed"] is True
