"""A visitor's microphone beside the camera, as the page asks for both."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from fer_cbam.data_urls import to_data_url
from fer_cbam.serve.listening import NOBODY
from fer_cbam.serve.modalities import Modalities
from fer_cbam.serve.recognizers import RecognizerCache
from fer_cbam.serve.server import ASSETS, Server
from tests.modality_networks import write_voice
from tests.serve.test_listening import url
from tests.sounds import tone

FACE = to_data_url((ASSETS / "astronaut.jpg").read_bytes(), "jpeg")


async def stays() -> bool:
    return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    voice = write_voice(folder / "voice", "sadness", 0.9, reliability=0.1)
    recognizers = RecognizerCache("fer_cbam_tiny.ferplus", backend="onnx")
    server = Server(recognizers, folder, modalities=Modalities(voice))
    yield server
    server.turns.close()


def frame(**more) -> dict:
    return {"visitor": "a", "image": FACE, "time": 1.0, "memory": None, "map": "none", **more}


def test_a_voice_beside_a_face(server):
    async def scene():
        heard = await server.voice({"visitor": "a", "sound": url(tone(1, 140))}, stays)
        assert heard["voice"]["label"] == "sadness" and not heard["failed"]
        ticket = heard["memory"]
        answer = await server.frame(frame(heard=ticket), stays)
        together = answer["together"]
        # A voice that is hardly to be relied on is told, and changes little.
        assert together["label"] == "happiness" and together["prob"] > 0.9
        assert together["disagree"] == "face: happiness, voice: sadness"
        (face,) = answer["faces"]
        alone = (await server.frame(frame(), stays))["faces"][0]
        assert face["probs"] == alone["probs"]  # what the face says is the face's
        # A pause: nothing to put together.
        quiet = {"visitor": "a", "sound": url(1e-3 * np.ones(32_000)), "memory": ticket}
        assert (await server.voice(quiet, stays))["message"] == NOBODY
        assert (await server.frame(frame(heard=ticket), stays))["together"] is None
        assert len(server.listeners) == 1
        assert await server.voice({"memory": ticket, "stop": True}, stays) == {}
        assert len(server.listeners) == 0
        for unknown in (None, ticket, 7, ["x"]):
            assert (await server.frame(frame(heard=unknown), stays))["together"] is None

    asyncio.run(scene())


def test_what_is_no_question_is_said(server):
    async def scene():
        for question in (None, 7, {}, {"sound": "x"}):
            answer = await server.voice(question, stays)
            assert answer["failed"] and "The sound cannot be read" in answer["message"]
        nothing = Server(server.recognizers, server.folder, modalities=Modalities("no"))
        try:
            answer = await nothing.voice({"sound": url(tone(1))}, stays)
            assert answer["failed"] and "voice 'no': neither embedded" in answer["message"]
        finally:
            nothing.turns.close()

    asyncio.run(scene())
