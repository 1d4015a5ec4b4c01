"""Networks for voices and words on a server: loaded once, when first asked for; and why there are
none."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.text import DEFAULT_TEXT, TextReader
from fer_cbam.voice import DEFAULT_VOICE, Voice

NO_AUDIO = "needs fer-cbam[audio], which is not installed on this server"
NO_TEXT = "needs fer-cbam[text], which is not installed on this server"
NO_WEIGHTS = "there are no weights for it on this server"


class Modalities:
    """voice, text: weights, see :meth:`fer_cbam.voice.Voice.from_pretrained` and
    :meth:`fer_cbam.text.TextReader.from_pretrained`. Safe to share between threads."""

    def __init__(self, voice: str | Path = DEFAULT_VOICE, text: str | Path = DEFAULT_TEXT) -> None:
        self._sources = {"voice": voice, "text": text}
        self._voice: Voice | None = None
        self._text: TextReader | None = None
        self._lock = threading.Lock()

    def missing(self) -> dict[str, str]:
        """Why there is no ``voice`` of a clip, no ``text``, and no ``microphone``: in words, empty
        for what is there. Nothing is loaded for the answer."""
        runtime = find_spec("onnxruntime") is not None
        heard = runtime and find_spec("av") is not None
        told = runtime and find_spec("pysubs2") is not None
        voices = _is_there(self._sources["voice"], pretrained.embedded_voices())
        texts = _is_there(self._sources["text"], pretrained.embedded_texts())
        return {
            "voice": _why_not(heard, NO_AUDIO, voices),
            "text": _why_not(told, NO_TEXT, texts),
            # The browser sends samples: nothing has to be decoded.
            "microphone": _why_not(runtime, NO_AUDIO, voices),
        }

    def voice(self) -> Voice:
        """Raises:
        WeightsError, BackendError: see :meth:`fer_cbam.voice.Voice.from_pretrained`.
        """
        with self._lock:
            if self._voice is None:
                self._voice = Voice.from_pretrained(self._sources["voice"])
            return self._voice

    def text(self) -> TextReader:
        """Raises:
        WeightsError, BackendError: see :meth:`fer_cbam.text.TextReader.from_pretrained`.
        """
        with self._lock:
            if self._text is None:
                self._text = TextReader.from_pretrained(self._sources["text"])
            return self._text


def _is_there(source: str | Path, embedded: list[str]) -> bool:
    return str(source) in embedded or Path(source).is_dir()


def _why_not(installed: bool, extra: str, weights: bool) -> str:
    if not weights:
        return NO_WEIGHTS
    return "" if installed else extra
