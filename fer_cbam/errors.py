"""The kinds of error a caller may want to tell apart. Every message says what was got and what
was expected."""


class FerError(Exception):
    """Base of everything this package raises on purpose."""


class ImageError(FerError, ValueError):
    """An image that cannot be read, or an array that is not one.

    kind: in a word or two, for those who count errors: "missing", "empty", "not a picture", "other
    format", "too large", "damaged", or "image" for all else.
    """

    def __init__(self, message: str = "", kind: str = "image") -> None:
        super().__init__(message)
        self.kind = kind


class DataError(FerError, ValueError):
    """A data set file, a row of it, or a protocol that does not fit it."""


class WeightsError(FerError, RuntimeError):
    """Weights that are missing, damaged, or not those of the model asked for."""


class PriorError(FerError, ValueError):
    """A class mix that is none of these weights' labels."""


class BackendError(FerError, ImportError):
    """A backend that does not exist, or whose packages are not installed."""


class VideoError(FerError, ValueError):
    """A clip that cannot be read, or an annotated one that cannot be written."""


class BatchError(FerError, RuntimeError):
    """A run over many images that cannot begin or go on: its inputs, output folder or workers."""


class SoundError(FerError, ValueError):
    """Sound that cannot be read, or that no voice can be heard in.

    kind: in a word or two: "missing", "empty", "not sound", "no sound track", "silent", "too
    short", "damaged", or "sound" for all else.
    """

    def __init__(self, message: str = "", kind: str = "sound") -> None:
        super().__init__(message)
        self.kind = kind


class TextError(FerError, ValueError):
    """A transcript that cannot be read, or that has no words or no times.

    kind: in a word or two: "missing", "empty", "not text", "encoding", "no times", "times",
    "other format", "too large", "damaged", or "text" for all else.
    """

    def __init__(self, message: str = "", kind: str = "text") -> None:
        super().__init__(message)
        self.kind = kind


class SignalError(FerError, ValueError):
    """A body signal that cannot be read, or in which nothing can be found.

    kind: in a word or two: "missing", "column", "not text", "damaged", "empty", "gap", "order",
    "irregular", "rate", "unit", "kind", "too short", "no beat", or "signal" for all else.
    """

    def __init__(self, message: str = "", kind: str = "signal") -> None:
        super().__init__(message)
        self.kind = kind
