"""The weights that visitors may pick from, each checked before it is loaded.

A choice belongs to a question, not to the server: two visitors with different weights share
nothing but the copies that are loaded here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.backends.open import fastest_backend
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import WeightsError
from fer_cbam.hub import DEFAULT_WEIGHTS, resolve
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve.titles import TITLES, title_of

MAX_SOURCE = 400  # characters of a name, path or hub id
MAX_BYTES = 500_000_000  # of a weights file that a visitor names


class RecognizerCache:
    """Loaded weights, the least recently used dropped when there are more than ``keep``.

    default: what a visitor gets who picks nothing; always there. elsewhere: whether visitors may
    name a folder of this computer or a hub repository; otherwise only embedded weights and the
    default. backend: what runs all of them, by default for each what answers soonest, see
    :func:`fer_cbam.backends.open.fastest_backend`.
    """

    def __init__(
        self,
        default: str | Path = DEFAULT_WEIGHTS,
        *,
        elsewhere: bool = False,
        backend: str | None = None,
        detector: FaceDetector | None = None,
        keep: int = 4,
    ):
        self.default = str(default)
        self.elsewhere = elsewhere
        self.keep = max(1, keep)
        self.backend = backend
        self._first = self._opened(self.default, detector)
        self._loaded: OrderedDict[str, EmotionRecognizer] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}

    @property
    def first(self) -> EmotionRecognizer:
        """The default weights."""
        return self._first

    def names(self) -> list[str]:
        """What the picker offers: the default, then the other embedded weights, in the order of
        their titles."""
        order = list(TITLES)
        others = [name for name in pretrained.embedded_names() if name != self.default]
        others.sort(key=lambda name: order.index(name) if name in order else len(order))
        return [self.default, *others]

    def choices(self) -> list[tuple[str, str]]:
        """The same with what the picker calls them: name, title."""
        counts = {self.default: len(self._first.label_names)}
        for name in pretrained.embedded_names():
            config = pretrained.read_config(pretrained.embedded_dir(name))
            counts[name] = len(pretrained.label_names(config))
        return [(name, title_of(name, counts[name])) for name in self.names()]

    def get(self, source: object = "") -> EmotionRecognizer:
        """The recogniser for a source of weights, loaded if it is not; empty: the default.

        Raises:
            WeightsError: no such weights, damaged, too large, or not for this visitor to name.
        """
        name = self._checked(source)
        if name == self.default:
            return self._first
        with self._lock:
            known = self._find(name)
            lock = self._loading.setdefault(name, threading.Lock())
        if known:
            return known
        with lock:  # the same weights are loaded once, others are not waited for
            with self._lock:
                known = self._find(name)
            if known is None:
                known = self._load(name)
        return known

    def _checked(self, source: object) -> str:
        if source in ("", None):
            return self.default
        if not isinstance(source, str) or len(source) > MAX_SOURCE or "\0" in source:
            raise WeightsError("weights: expected a name, a folder, or hf-hub:user/name")
        name = source.strip()
        if name in self.names() or self.elsewhere:
            return name or self.default
        raise WeightsError(
            f"weights {name!r}: this page offers {', '.join(self.names())}; folders and hub "
            "repositories are for whoever runs it (app.py --any-weights)"
        )

    def _find(self, name: str) -> EmotionRecognizer | None:
        if name in self._loaded:
            self._loaded.move_to_end(name)
        return self._loaded.get(name)

    def _load(self, name: str) -> EmotionRecognizer:
        check(name)
        recognizer = self._opened(name, self._first.detector)
        with self._lock:
            self._loaded[name] = recognizer
            self._loading.pop(name, None)
            while len(self._loaded) > self.keep:
                self._loaded.popitem(last=False)
        return recognizer

    def _opened(self, source: str, detector: FaceDetector | None) -> EmotionRecognizer:
        backend = self.backend or fastest_backend(source)
        return EmotionRecognizer.from_pretrained(source, detector, backend)


def check(source: str) -> Path:
    """The folder of a source after a look at its files: config.json whole, tensors readable,
    neither of them huge. No tensor is read and nothing is unpickled.

    Raises:
        WeightsError: what is wrong with it.
    """
    folder = resolve(source)
    pretrained.read_config(folder)
    pretrained.tensor_shapes(folder)
    size = (folder / pretrained.WEIGHTS_FILE).stat().st_size
    if size > MAX_BYTES:
        raise WeightsError(
            f"{source}: {size / 1e6:.0f} MB of weights; expected at most {MAX_BYTES / 1e6:.0f}"
        )
    return folder
