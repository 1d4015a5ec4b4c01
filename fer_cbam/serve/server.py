"""What the page's handlers and the endpoints share: weights, turns, clips, a quick detector."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from fer_cbam.data_urls import to_data_url
from fer_cbam.detect import face_detector
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import FerError, TextError
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve import answers, uploads
from fer_cbam.serve.clip_numbers import clip_numbers
from fer_cbam.serve.clips import MAX_SECONDS, Clips, Wanted
from fer_cbam.serve.example_clip import write_example_clip
from fer_cbam.serve.listening import Listeners, answer_voice
from fer_cbam.serve.memories import Memories
from fer_cbam.serve.modalities import Modalities
from fer_cbam.serve.recognizers import RecognizerCache
from fer_cbam.serve.turns import StaleError, Turns
from fer_cbam.transcripts import Transcript

ASSETS = Path(__file__).parent / "assets"
LIVE_SIDE = 320  # pixels that a frame is searched at: one quick search
KEEP_UPLOADS = 60.0

HasLeft = Callable[[], Awaitable[bool]]


class Server:
    """Answers questions in fair turns.

    folder: where uploads lie. live_detector: for webcam frames. clip_detector: None for the
    default one. keep_uploads: seconds that a file sent to an endpoint stays after it was read.
    modalities: networks for voices and words.
    """

    def __init__(
        self,
        recognizers: RecognizerCache,
        folder: Path,
        live_detector: FaceDetector | None = None,
        clip_detector: FaceDetector | None = None,
        keep_uploads: float = KEEP_UPLOADS,
        modalities: Modalities | None = None,
    ):
        self.recognizers = recognizers
        self.folder = folder
        self.keep_uploads = keep_uploads
        self.turns = Turns()
        self.live_detector = live_detector or face_detector(max_side=LIVE_SIDE)
        self.memories = Memories()
        self.listeners = Listeners()
        self.modalities = modalities or Modalities()
        self.clips = Clips(self.turns, folder, clip_detector, modalities=self.modalities)
        self._example = to_data_url((ASSETS / "astronaut.jpg").read_bytes(), "jpeg")

    async def pick(self, question: Any, has_left: HasLeft) -> dict[str, Any]:
        """Weights that a visitor would like to use. Not a turn of the visitor's: loading may take
        seconds."""
        return await self._answer(
            {"visitor": "pick"},
            has_left,
            lambda _: answers.answer_pick(self.recognizers.get, question),
            background=True,
        )

    async def frame(self, question: Any, has_left: HasLeft) -> dict[str, Any]:
        """A frame of the webcam, with ``heard``, the ticket of :meth:`voice`, if that is on."""
        ticket = question.get("heard") if isinstance(question, dict) else None

        def work(recognizer: EmotionRecognizer) -> dict[str, Any]:
            heard = self.listeners.get(ticket)
            trust = self.modalities.voice().reliability if heard.reading else 1.0
            return answers.answer_frame(
                recognizer, self.live_detector, self.memories, question, heard, trust
            )

        return await self._answer(question, has_left, work, newest_only=True)

    async def voice(self, question: Any, has_left: HasLeft) -> dict[str, Any]:
        """Half a second of the microphone, see :func:`fer_cbam.serve.listening.answer_voice`; with
        ``stop`` all of it is forgotten."""
        question = question if isinstance(question, dict) else {}
        if question.get("stop"):
            self.listeners.drop(question.get("memory"))
            return {}
        try:
            answer: dict[str, Any] = await self.turns.run(
                _visitor(question),
                lambda: answer_voice(self.modalities.voice(), self.listeners, question),
                has_left=has_left,
            )
            return answer
        except StaleError:
            return {"failed": False, "message": ""}
        except FerError as error:
            return {"failed": True, "message": str(error)}

    async def photo(self, question: Any, has_left: HasLeft) -> dict[str, Any]:
        return await self._answer(
            question,
            has_left,
            lambda recognizer: answers.answer_photo(recognizer, question),
            background=True,
        )

    async def example_photo(self, question: Any, has_left: HasLeft) -> dict[str, Any]:
        question = question if isinstance(question, dict) else {}
        return await self.photo(question | {"image": self._example}, has_left)

    async def clip_start(self, question: Any) -> dict[str, Any]:
        """Begin to read an uploaded clip; answers its name.

        question: beside the file what :class:`fer_cbam.serve.clips.Wanted` has; ``transcript`` as
        ``name`` and ``data`` (a data URL).
        """
        question = question if isinstance(question, dict) else {}
        visitor = _visitor(question)
        try:
            file = uploads.uploaded(question, self.folder)
            recognizer = await self._recognizer(question.get("weights"), visitor)
            wanted = Wanted(
                **{name: question.get(name) is True for name in ("explained", "audio", "pulse")},
                smoothing=answers.asked_smoothing(question),
                transcript=await self._transcript(question, visitor),
            )
            clip = self.clips.start(file, recognizer, visitor, wanted)
            return {"failed": False, "clip": clip.name}
        except TextError as error:
            uploads.discard(file)
            return {"failed": True, "message": f"The words cannot be read. {error}"}
        except FerError as error:
            return {"failed": True, "message": str(error)}

    async def _transcript(self, question: dict[str, Any], visitor: str) -> Transcript | None:
        sent = question.get("transcript")
        if sent is None:
            return None
        work = partial(answers.asked_transcript, sent, MAX_SECONDS)
        found: Transcript = await self.turns.run(visitor, work, background=True)
        return found

    async def example_clip(self, question: Any) -> dict[str, Any]:
        """The same for the example, which is made anew for each visitor."""
        question = question if isinstance(question, dict) else {}
        folder = self.folder / f"example-{secrets.token_urlsafe(8)}"
        folder.mkdir(mode=0o700)
        file = folder / "example.webm"
        try:
            await self.turns.run(
                _visitor(question), lambda: write_example_clip(file), background=True
            )
            silent = {"audio": False, "transcript": None}  # nobody speaks in it
            return await self.clip_start(question | silent | {"path": str(file)})
        except FerError as error:
            return {"failed": True, "message": str(error)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the clip was moved

    def clip_ask(self, question: Any) -> dict[str, Any]:
        return self.clips.ask(question.get("clip") if isinstance(question, dict) else None)

    def clip_forget(self, question: Any) -> dict[str, Any]:
        self.clips.forget(question.get("clip") if isinstance(question, dict) else None)
        return {}

    async def photo_numbers(self, image: Any, weights: str) -> dict[str, Any]:
        """For programs: the numbers of an uploaded photo.

        Raises:
            FerError: what is wrong with photo or weights.
        """
        file = uploads.uploaded(image, self.folder)
        data = uploads.read_and_delete(file, answers.MAX_PHOTO_BYTES, self.keep_uploads)
        numbers: dict[str, Any] = await self.turns.run(
            "api",
            lambda: answers.photo_numbers(self.recognizers.get(weights), data),
            background=True,
        )
        return numbers

    async def clip_numbers(self, clip: Any, weights: str) -> tuple[dict[str, Any], Path, Path]:
        """For programs: the numbers of an uploaded clip, its annotated copy and its table.

        Raises:
            FerError: what is wrong with clip or weights.
        """
        file = uploads.uploaded(clip, self.folder)
        recognizer = await self._recognizer(weights, "api")
        result = await self.clips.run(file, recognizer, f"api {id(clip)}")
        numbers = clip_numbers(result, recognizer.name, recognizer.decision)
        assert result.annotated is not None and result.table is not None  # Clips asks for both
        return numbers, result.annotated, result.table

    async def _recognizer(self, weights: Any, visitor: str) -> EmotionRecognizer:
        """Loaded in a turn: it takes seconds, and everyone is answered in the event loop."""
        loaded: EmotionRecognizer = await self.turns.run(
            visitor, lambda: self.recognizers.get(weights), background=True
        )
        return loaded

    async def _answer(
        self,
        question: Any,
        has_left: HasLeft,
        work: Callable[[EmotionRecognizer], dict[str, Any]],
        **turn: bool,
    ) -> dict[str, Any]:
        """``work(recognizer)`` with the weights that the question names, when its turn has come;
        whatever is wrong with it is said in the answer."""
        question = question if isinstance(question, dict) else {}
        try:
            answer: dict[str, Any] = await self.turns.run(
                _visitor(question),
                lambda: work(self.recognizers.get(question.get("weights"))),
                has_left=has_left,
                **turn,
            )
            return answer
        except StaleError:
            return {"failed": False, "stale": True, "message": ""}
        except FerError as error:
            return {"failed": True, "message": str(error), "numbers": None}


def _visitor(question: dict[str, Any]) -> str:
    return str(question.get("visitor"))[:80]
